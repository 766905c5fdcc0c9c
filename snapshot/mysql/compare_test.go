package mysql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
)

// kinds has a column for every way that values are compared, and the values
// that are easily mixed up.
const kinds = `CREATE TABLE @ (id int PRIMARY KEY, i int, u bigint unsigned, n decimal(12,2), f float, d double, b bit(9), v varchar(40), c char(5) CHARACTER SET latin1,
		bin varbinary(20), fix binary(4), e enum('a','b'), s set('x','y'), j json, dt datetime, ts timestamp(3) NULL, da date, ti time(2), y year, g geometry, z int(5) zerofill) CHARACTER SET utf8mb4;;
	INSERT INTO @ (id, i, u, n, f, d, b, v, c, bin, fix, e, s, j, dt, ts, da, ti, y, g, z) VALUES
		(1, 1, 18446744073709551615, 1.50, 1.1, 1e-300, b'101', 'plain', 'né', x'00ff01', x'0001', 'a', 'x,y', '{"b": [1, 2.5, null], "a": "x"}', '2024-02-29 12:00:01', '2024-02-29 12:00:01.123', '2024-02-29', '-12:00:00.25', 2024, ST_GeomFromText('POINT(1 2)'), 42),
		(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		(3, 0, 0, 0, 0, -0.1, b'0', '', '', '', '', 'b', '', '[]', '0000-00-00', '2038-01-01', '0000-00-00', '0', 0, NULL, 0),
		(4, -1, 1, -0.01, 16777217, 0.1, b'1', '😀 𝄞', 'x', '😀', 'ab', 'b', 'y', '"😀"', '2024-01-01', NULL, '2024-01-01', '838:59:59', 1999, ST_GeomFromText('POINT(1 3)'), 99999)`

const users = `CREATE TABLE @ (id int PRIMARY KEY AUTO_INCREMENT, email varchar(60) NOT NULL, age int, note varchar(60), r text, twice int AS (age * 2) VIRTUAL);;
	INSERT INTO @ (email, age, note) VALUES ('a', 1, 'n1'), ('b', 2, 'n2'), ('c', 3, NULL), ('d', 4, 'n4'), ('e', 5, 'n5'), ('f', 6, 'n6')`

const nokey = `CREATE TABLE @ (a int, b varchar(10));; INSERT INTO @ VALUES (4, 'x'), (4, 'x'), (4, 'x'), (5, NULL)`

const family = `CREATE TABLE @ (id int PRIMARY KEY);; CREATE TABLE @_child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES @ (id) ON DELETE CASCADE);;
	INSERT INTO @ VALUES (1), (2);; INSERT INTO @_child VALUES (10, 1), (20, 2)`

const parts = `CREATE TABLE @ (id int PRIMARY KEY, v int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));;
	CREATE TABLE @_swap (id int PRIMARY KEY, v int);; INSERT INTO @ VALUES (1, 1), (2, 2), (11, 11);; INSERT INTO @_swap VALUES (1, 1), (3, 3)`

// compareCases each have tables of their own: @ in SQL and in results is the
// first one's name.
var compareCases = []struct {
	name, setup, change string
	want                []snapshot.DataDiff
}{
	{"nothing", kinds, "SELECT 1", nil},
	{"written and undone", users, "UPDATE @ SET age = age + 1;; UPDATE @ SET age = age - 1", nil},
	{"rebuilt", kinds, "ALTER TABLE @ FORCE;; OPTIMIZE TABLE @", nil},
	{"deleted", users, "DELETE FROM @ WHERE id IN (3, 5)", diffs(6, 2, 0, "id = 3", "id = 5")},
	{"one update", users, "UPDATE @ SET note = 'N2' WHERE id = 2", diffs(6, 1, 1, "id = 2")},
	{"inserted", users, "INSERT INTO @ (email) VALUES ('g')", diffs(6, 0, 1)},
	{"the counter only", users, "ALTER TABLE @ AUTO_INCREMENT = 500", nil},
	{"an empty string for NULL", users, "UPDATE @ SET note = '' WHERE id = 3", diffs(6, 1, 1, "id = 3")},
	{"a dash for NULL", users, "UPDATE @ SET note = '-' WHERE id = 3", diffs(6, 1, 1, "id = 3")},
	{"moved into the next column", users, "UPDATE @ SET email = 'a,2', note = NULL WHERE id = 1", diffs(6, 1, 1, "id = 1")},
	{"a space at the end", users, "UPDATE @ SET note = 'n1 ' WHERE id = 1", diffs(6, 1, 1, "id = 1")},
	{"case and accent", users, "UPDATE @ SET email = 'Á' WHERE id = 1", diffs(6, 1, 1, "id = 1")},
	{"a duplicate is gone", nokey, "DELETE FROM @ WHERE a = 4 LIMIT 1", diffs(4, 1, 0, "(4,x)")},
	{"a duplicate is new", nokey, "INSERT INTO @ VALUES (4, 'x')", diffs(4, 0, 1)},
	{"two duplicates are gone", nokey, "DELETE FROM @ WHERE a = 4 LIMIT 2", diffs(4, 2, 0, "(4,x)")},
	{"truncated and filled again", users, "CREATE TABLE @_k AS SELECT id, email, age, note, r FROM @;; TRUNCATE @;; INSERT INTO @ (id, email, age, note, r) SELECT * FROM @_k ORDER BY id DESC;; DROP TABLE @_k", nil},
	{"truncated", nokey, "TRUNCATE @", diffs(4, 4, 0, "(4,x)", "(5,)")},
	{"dropped", users, "DROP TABLE @", []snapshot.DataDiff{{Table: "app.@", RowsBefore: 6, Missing: 6, Examples: []string{"id = 1", "id = 2", "id = 3", "id = 4", "id = 5"}}}},
	{"dropped while empty", "CREATE TABLE @ (id int)", "DROP TABLE @", nil},
	{"renamed", users, "RENAME TABLE @ TO @_new", []snapshot.DataDiff(nil)},
	{"renamed and rebuilt", users, "RENAME TABLE @ TO @_new;; ALTER TABLE @_new FORCE", []snapshot.DataDiff{{Table: "app.@", RowsBefore: 6, Missing: 6, Examples: []string{"id = 1", "id = 2", "id = 3", "id = 4", "id = 5"}}}},
	{"put aside", users, "RENAME TABLE @ TO _deprecated_@;; ALTER TABLE _deprecated_@ FORCE", nil},
	{"copied aside", nokey, "CREATE TABLE _deprecated_@ AS SELECT * FROM @;; DROP TABLE @", nil},
	{"swapped with a copy", users, "CREATE TABLE @_n LIKE @;; INSERT INTO @_n (id, email, age, note, r) SELECT id, email, age, note, r FROM @ WHERE id <> 4;; RENAME TABLE @ TO @_o, @_n TO @;; DROP TABLE @_o", diffs(6, 1, 0, "id = 4")},
	{"column put aside", users, "ALTER TABLE @ RENAME COLUMN note TO _deprecated_note", nil},
	{"column copied aside", users, "ALTER TABLE @ ADD COLUMN _deprecated_note varchar(60);; UPDATE @ SET _deprecated_note = note;; ALTER TABLE @ DROP COLUMN note", nil},
	{"column renamed", users, "ALTER TABLE @ RENAME COLUMN note TO remark", nil},
	{"column renamed and written", users, "ALTER TABLE @ RENAME COLUMN note TO remark;; UPDATE @ SET remark = 'x' WHERE id = 1", lost(6, "note")},
	{"column dropped, another added", users, "ALTER TABLE @ DROP COLUMN note;; ALTER TABLE @ ADD COLUMN remark varchar(60) AFTER age", lost(6, "note")},
	{"column dropped", users, "ALTER TABLE @ DROP COLUMN note", lost(6, "note")},
	{"column of nulls dropped", users, "ALTER TABLE @ DROP COLUMN r", nil},
	{"generated column dropped", users, "ALTER TABLE @ DROP COLUMN twice", nil},
	{"column dropped and added again", users, "ALTER TABLE @ DROP COLUMN note;; ALTER TABLE @ ADD COLUMN note varchar(60)", diffs(6, 5, 5, "id = 1", "id = 2", "id = 4", "id = 5", "id = 6")},
	{"columns swapped", users, "ALTER TABLE @ RENAME COLUMN note TO x;; UPDATE @ SET x = '-' WHERE x IS NULL;; ALTER TABLE @ RENAME COLUMN email TO note;; ALTER TABLE @ RENAME COLUMN x TO email", diffs(6, 6, 6, "*")},
	{"columns reordered", users, "ALTER TABLE @ MODIFY note varchar(60) FIRST", nil},
	{"wider types", kinds, "ALTER TABLE @ MODIFY i bigint, MODIFY u decimal(30,0), MODIFY n decimal(20,5), MODIFY f double, MODIFY v text, MODIFY bin blob, MODIFY e varchar(5), MODIFY s varchar(9), MODIFY dt datetime(6), MODIFY ts datetime(6), MODIFY z bigint, MODIFY ti time(6)", nil},
	{"another character set", kinds, "ALTER TABLE @ MODIFY c char(5) CHARACTER SET utf8mb4, MODIFY v varchar(40) CHARACTER SET utf16", nil},
	{"a lossy character set", kinds, "ALTER TABLE @ MODIFY v varchar(40) CHARACTER SET latin1", diffs(4, 1, 1, "id = 4")},
	{"rounded", kinds, "ALTER TABLE @ MODIFY n int", diffs(4, 2, 2, "id = 1", "id = 4")},
	{"cut to days", kinds, "ALTER TABLE @ MODIFY dt date", diffs(4, 1, 1, "id = 1")},
	{"days to seconds", kinds, "ALTER TABLE @ MODIFY da datetime", nil},
	{"cut in its digits", kinds, "ALTER TABLE @ MODIFY ts timestamp(0) NULL", diffs(4, 1, 1, "id = 1")},
	{"numbers as text", users, "ALTER TABLE @ DROP COLUMN twice;; ALTER TABLE @ MODIFY age varchar(20)", nil},
	{"a value the old type cannot hold", users, "ALTER TABLE @ MODIFY age bigint;; UPDATE @ SET age = 5000000000 WHERE id = 6", diffs(6, 1, 1, "id = 6")},
	{"longer than the old type", users, "ALTER TABLE @ MODIFY note text;; UPDATE @ SET note = CONCAT(note, REPEAT(' ', 60), 'tail') WHERE id = 1", diffs(6, 1, 1, "id = 1")},
	{"a float's last digit", kinds, "UPDATE @ SET f = 1.1000001 WHERE id = 1", diffs(4, 1, 1, "id = 1")},
	{"a double's last digit", kinds, "UPDATE @ SET d = 0.10000000000000002 WHERE id = 4", diffs(4, 1, 1, "id = 4")},
	{"one bit", kinds, "UPDATE @ SET b = b'111' WHERE id = 1", diffs(4, 1, 1, "id = 1")},
	{"one octet", kinds, "UPDATE @ SET bin = x'00fe01' WHERE id = 1", diffs(4, 1, 1, "id = 1")},
	{"a NUL for nothing", kinds, "UPDATE @ SET bin = x'00' WHERE id = 3", diffs(4, 1, 1, "id = 3")},
	{"another four-octet letter", kinds, "UPDATE @ SET v = '😁 𝄞' WHERE id = 4", diffs(4, 1, 1, "id = 4")},
	{"within a document", kinds, `UPDATE @ SET j = '{"b": [1, 2.5, 0], "a": "x"}' WHERE id = 1`, diffs(4, 1, 1, "id = 1")},
	{"a zero date for none", kinds, "UPDATE @ SET dt = NULL WHERE id = 3", diffs(4, 1, 1, "id = 3")},
	{"a thousandth of a second", kinds, "UPDATE @ SET ts = '2024-02-29 12:00:01.124' WHERE id = 1", diffs(4, 1, 1, "id = 1")},
	{"a point", kinds, "UPDATE @ SET g = ST_GeomFromText('POINT(1 2.5)') WHERE id = 1", diffs(4, 1, 1, "id = 1")},
	{"a member of a set", kinds, "UPDATE @ SET s = 'x' WHERE id = 1", diffs(4, 1, 1, "id = 1")},
	{"members in another order", kinds, "ALTER TABLE @ MODIFY e enum('b','a')", nil},
	{"one row by cascade", family, "DELETE FROM @ WHERE id = 2", []snapshot.DataDiff{
		{Table: "app.@", Now: "app.@", RowsBefore: 2, Missing: 1, Examples: []string{"id = 2"}}, {Table: "app.@_child", Now: "app.@_child", RowsBefore: 2, Missing: 1, Examples: []string{"id = 20"}}}},
	{"by a trigger", family, "CREATE TRIGGER @_t AFTER INSERT ON @ FOR EACH ROW UPDATE @_child SET p = NULL WHERE id = 10;; INSERT INTO @ VALUES (3);; DELETE FROM @ WHERE id = 3;; DROP TRIGGER @_t",
		[]snapshot.DataDiff{{Table: "app.@_child", Now: "app.@_child", RowsBefore: 2, Missing: 1, Added: 1, Examples: []string{"id = 10"}}}},
	{"partition dropped", parts, "ALTER TABLE @ DROP PARTITION p0", diffs(3, 2, 0, "id = 1", "id = 2")},
	{"partition exchanged", parts, "ALTER TABLE @ EXCHANGE PARTITION p0 WITH TABLE @_swap", []snapshot.DataDiff{
		{Table: "app.@", Now: "app.@", RowsBefore: 3, Missing: 1, Added: 1, Examples: []string{"id = 2"}}, {Table: "app.@_swap", Now: "app.@_swap", RowsBefore: 2, Missing: 1, Added: 1, Examples: []string{"id = 3"}}}},
	{"partitioned no more", parts, "ALTER TABLE @ REMOVE PARTITIONING", nil},
	{"partitioned renamed", parts, "ALTER TABLE @ RENAME TO @_moved", nil},
	{"ledger", "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)", "INSERT INTO schema_migrations VALUES (8, false)", nil},
	{"names to quote", "CREATE TABLE `@ ``-ä$` (`k ``'\" ä` int PRIMARY KEY, v int);; INSERT INTO `@ ``-ä$` VALUES (1, 1), (2, 2)", "DELETE FROM `@ ``-ä$` WHERE v = 1",
		[]snapshot.DataDiff{{Table: "app.@ `-ä$", Now: "app.@ `-ä$", RowsBefore: 2, Missing: 1, Examples: []string{"k `'\" ä = 1"}}}},
}

// diffs is a difference in the case's first table.
func diffs(before, missing, added int64, examples ...string) []snapshot.DataDiff {
	return []snapshot.DataDiff{{Table: "app.@", Now: "app.@", RowsBefore: before, Missing: missing, Added: added, Examples: examples}}
}

func lost(before int64, columns ...string) []snapshot.DataDiff {
	return []snapshot.DataDiff{{Table: "app.@", Now: "app.@", RowsBefore: before, GoneColumns: columns}}
}

func TestCompare(t *testing.T) {
	// Modes that forbid the values of zero dates are production's, not the
	// dump's.
	setup, change := []string{"SET NAMES utf8mb4", "SET sql_mode = ''"}, []string{"SET NAMES utf8mb4", "SET sql_mode = ''"}
	var want []snapshot.DataDiff
	name := func(i int, s string) string { return strings.ReplaceAll(s, "@", fmt.Sprintf("t%02d", i)) }
	caseOf := map[string]string{}
	for i, test := range compareCases {
		setup = append(setup, script(name(i, test.setup))...)
		change = append(change, script(name(i, test.change))...)
		caseOf[name(i, "@")] = test.name
		for _, d := range test.want {
			d.Table, d.Now = name(i, d.Table), name(i, d.Now)
			if test.name == "renamed" || test.name == "put aside" {
				t.Fatal("nothing differs there")
			}
			want = append(want, d)
		}
	}
	onGuestsToo(t, func(t *testing.T, l *lab) {
		d := l.clone(t)
		run(t, d.OwnerDSN(), change...)
		before := l.base.Database()
		got, compared, err := mysql.Compare(context.Background(), before, d, mysql.CompareOptions{Prefix: "_deprecated_", Exclude: []string{"schema_migrations"}})
		if err != nil {
			t.Fatal(err)
		}
		if compared < len(compareCases) {
			t.Errorf("only %d tables were read", compared)
		}
		byTable := map[string]snapshot.DataDiff{}
		for _, d := range got {
			if len(d.Examples) == 5 && d.Missing == 6 && d.Now != "" {
				d.Examples = []string{"*"}
			}
			byTable[d.Table] = d
		}
		for _, w := range want {
			g, ok := byTable[w.Table]
			delete(byTable, w.Table)
			if diff := cmp.Diff(w, g); diff != "" || !ok {
				t.Errorf("%s (-want +got):\n%s", caseOf[w.Table[4:7]], diff)
			}
		}
		for _, d := range byTable {
			t.Errorf("%s: unexpected %+v", caseOf[d.Table[4:7]], d)
		}
		only, n, err := mysql.Compare(context.Background(), before, d, mysql.CompareOptions{Only: []string{want[0].Table}})
		if err != nil || n != 1 || len(only) != 1 {
			t.Errorf("only %s: %d tables, %+v, error %v", want[0].Table, n, only, err)
		}
	}, setup...)
}

// A million rows are compared in seconds, by sums where they are equal and row
// by row where not.
func TestCompareBigTable(t *testing.T) {
	ctx := context.Background()
	setup := []string{"CREATE TABLE big (id int PRIMARY KEY AUTO_INCREMENT, a varchar(60), b decimal(10,2), c bigint, at datetime)", "INSERT INTO big (a, b, c, at) VALUES ('a', 1.5, 7, '2024-01-01')"}
	const doublings = 17
	for range doublings {
		setup = append(setup, "INSERT INTO big (a, b, c, at) SELECT CONCAT('user', id, '@example.com'), id / 7, id * 13, at + INTERVAL id SECOND FROM big")
	}
	rows := int64(1) << doublings
	onBoth(t, func(t *testing.T, l *lab) {
		d := l.clone(t)
		for _, step := range []struct {
			change         string
			missing, added int64
		}{
			{"UPDATE big SET a = CONCAT(a, '') WHERE c > 0", 0, 0},
			{"UPDATE big SET b = b + 1 WHERE MOD(id, 2) = 0", rows / 2, rows / 2},
		} {
			run(t, d.OwnerDSN(), step.change)
			began := time.Now()
			diffs, _, err := mysql.Compare(ctx, l.base.Database(), d, mysql.CompareOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d rows, %d changed: %v", rows, step.missing, time.Since(began).Round(time.Millisecond))
			var got snapshot.DataDiff
			if len(diffs) > 0 {
				got = diffs[0]
			}
			// Numbers of AUTO_INCREMENT have gaps, so halves are not exact.
			if off := got.Missing - step.missing; got.Missing != got.Added || off > rows/4 || off < -rows/4 || step.missing == 0 && got.Missing > 0 {
				t.Errorf("%s: got %+v", step.change, got)
			}
		}
	}, setup...)
}
