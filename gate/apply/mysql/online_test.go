package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// big has 20 000 rows and a secondary index; family adds a child to it, and a
// parent to be.
const (
	big = `
CREATE TABLE big (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, a int, d int NULL, v varchar(40) CHARACTER SET utf8mb4, w varchar(60) CHARACTER SET latin1, e enum('x','y'), KEY ka (a));
INSERT INTO big (a, d, v, w, e) SELECT n, n, CONCAT('v', n), 'w', 'x' FROM (SELECT 1 + o.i + 10*p.i + 100*q.i + 1000*r.i AS n FROM ten o, ten p, ten q, ten r) z;
INSERT INTO big (a, d, v, w, e) SELECT a, d, v, w, e FROM big;
ANALYZE TABLE big;`
	family = big + `
CREATE TABLE child (id int PRIMARY KEY, big_id int, CONSTRAINT fk_child FOREIGN KEY (big_id) REFERENCES big (id));
CREATE TABLE refd (id int PRIMARY KEY);
INSERT INTO refd SELECT d FROM big WHERE id <= 10000;`
)

const ten = `
CREATE TABLE ten (i int PRIMARY KEY);
INSERT INTO ten VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);`

const parted = `
CREATE TABLE parted (id int NOT NULL PRIMARY KEY, a int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (5000), PARTITION p1 VALUES LESS THAN (10001));
INSERT INTO parted SELECT n, n FROM (SELECT 1 + o.i + 10*p.i + 100*q.i + 1000*r.i AS n FROM ten o, ten p, ten q, ten r) z;
ANALYZE TABLE parted`

// TestOnlineDDL: the algorithm that was used on tables with rows, and the best
// that the server would take. "?" is an algorithm that leaves no trace: only
// metadata was touched.
func TestOnlineDDL(t *testing.T) {
	const instant, nocopy, inplace, shared, copied = "INSTANT", "NOCOPY NONE", "INPLACE NONE", "INPLACE SHARED", "COPY SHARED"
	cases := []struct {
		fill, sql string
		// Observed and best on MySQL 9.7 and MariaDB 10.11; "" does not run there.
		mysql, mysqlBest, maria, mariaBest string
	}{
		{big, "ALTER TABLE big ADD COLUMN c int", instant, instant, instant, instant},
		{big, "ALTER TABLE big ADD COLUMN c int NOT NULL DEFAULT 5", instant, instant, instant, instant},
		{family, "ALTER TABLE big DROP COLUMN d", instant, instant, instant, instant},
		{big, "ALTER TABLE big RENAME COLUMN d TO dd", "?", instant, "?", instant},
		{big, "ALTER TABLE big ALTER COLUMN d SET DEFAULT 7", "?", instant, "?", instant},
		{big, "ALTER TABLE big ADD COLUMN g int AS (a + 1) VIRTUAL", "?", instant, "?", instant},
		{big, "ALTER TABLE big MODIFY e enum('x','y','z')", "?", instant, "?", instant},
		{big, "ALTER TABLE big MODIFY w varchar(100) CHARACTER SET latin1", "?", inplace, "?", instant},
		{big, "ALTER TABLE big RENAME INDEX ka TO kb", "?", inplace, "?", instant},
		{big, "ALTER TABLE big RENAME INDEX ka TO kb, ALGORITHM=INPLACE", "INPLACE", inplace, "?", instant},
		{big, "ALTER TABLE big DROP INDEX ka", "?", inplace, "?", nocopy},
		{big, "DROP INDEX ka ON big", "?", inplace, "?", nocopy},
		{big, "ALTER TABLE big COMMENT = 'x'", "?", inplace, "?", instant},
		{big, "ALTER TABLE big ADD INDEX kd (d)", "INPLACE", inplace, "INPLACE", nocopy},
		{big, "CREATE INDEX kd ON big (d)", "INPLACE", inplace, "INPLACE", nocopy},
		{big, "ALTER TABLE big ADD UNIQUE (id, d)", "INPLACE", inplace, "INPLACE", nocopy},
		{big, "ALTER TABLE big ADD INDEX kd (d), ALGORITHM=INPLACE, LOCK=SHARED", "INPLACE", inplace, "INPLACE", nocopy},
		{big, "CREATE FULLTEXT INDEX kf ON big (v)", "INPLACE rebuild", shared, "INPLACE rebuild", shared},
		{big, "ALTER TABLE big MODIFY d int NOT NULL", "INPLACE rebuild", inplace, "INPLACE rebuild", inplace},
		{big, "ALTER TABLE big FORCE", "INPLACE rebuild", inplace, "INPLACE rebuild", inplace},
		{big, "ALTER TABLE big ENGINE=InnoDB", "INPLACE rebuild", inplace, "INPLACE rebuild", inplace},
		{big, "ALTER TABLE big ADD COLUMN c int, ALGORITHM=INPLACE", "INPLACE rebuild", instant, instant, instant},
		{big, "OPTIMIZE TABLE big", "INPLACE rebuild", "", "INPLACE rebuild", ""},
		{big, "ALTER TABLE big MODIFY a bigint", "COPY rebuild", copied, "COPY rebuild", copied},
		{big, "ALTER TABLE big MODIFY v varchar(300) CHARACTER SET utf8mb4", "COPY rebuild", copied, "COPY rebuild", copied},
		{big, "ALTER TABLE big ADD COLUMN s int AS (a + 1) STORED", "COPY rebuild", copied, "COPY rebuild", copied},
		{big, "ALTER TABLE big CONVERT TO CHARACTER SET ascii", "COPY rebuild", copied, "COPY rebuild", copied},
		{big, "ALTER TABLE big ADD CONSTRAINT positive CHECK (a > 0)", "COPY rebuild", copied, "COPY rebuild", copied},
		{big, "ALTER TABLE big ADD COLUMN c int, ALGORITHM=COPY", "COPY rebuild", instant, "COPY rebuild", instant},
		{family, "ALTER TABLE big ADD CONSTRAINT f FOREIGN KEY (d) REFERENCES refd (id)", "COPY rebuild", copied, "COPY rebuild", copied},
		{family, "ALTER TABLE child DROP FOREIGN KEY fk_child", "?", inplace, "?", instant},
		{parted, "ALTER TABLE parted REMOVE PARTITIONING", "COPY rebuild", copied, "COPY rebuild", "unasked"},
		{parted, "ALTER TABLE parted PARTITION BY HASH (id) PARTITIONS 3", "COPY rebuild", copied, "COPY rebuild", "unasked"},
		{parted, "ALTER TABLE parted REORGANIZE PARTITION p1 INTO (PARTITION p1a VALUES LESS THAN (7000), PARTITION p1b VALUES LESS THAN (10001))", "INPLACE rebuild", shared, "INPLACE rebuild", "unasked"},
		{parted, "ALTER TABLE parted ADD PARTITION (PARTITION p2 VALUES LESS THAN (20000))", "INPLACE", inplace, "INPLACE", "unasked"},
		{parted, "ALTER TABLE parted DROP PARTITION p0", "INPLACE", inplace, "INPLACE", "unasked"},
	}
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for _, c := range cases {
			t.Run(c.sql, func(t *testing.T) {
				want, wantBest := c.mysql, c.mysqlBest
				if opt.MariaDB {
					want, wantBest = c.maria, c.mariaBest
				}
				l := newLab(t, server, opt, ten+c.fill)
				steps := walk(t, l.open(), script(c.sql))
				if f := steps[0].Result.Failure; f != nil {
					t.Fatal(f.Message)
				}
				if got := short(steps[0].Facts.DDL); got != want {
					t.Errorf("used %s, want %s", got, want)
				}
				best := probe(t, newLab(t, server, opt, withoutRows(ten+c.fill)), c.sql)
				if got := shortBest(best); got != wantBest {
					t.Errorf("best %s, want %s (%+v)", got, wantBest, best)
				}
				scanned(t, steps[0], want)
			})
		}
	})
}

// scanned: the table was read whole where it was copied, rebuilt or indexed.
func scanned(t *testing.T, s sessiontest.Step, used string) {
	t.Helper()
	ddl, whole := s.Facts.DDL, false
	for _, scan := range s.Facts.Scans {
		whole = whole || scan.Object == ddl.Table && scan.Rows > 8_000
	}
	if reads := strings.HasPrefix(used, "COPY") || strings.Contains(ddl.Evidence, readStage); whole != reads {
		t.Errorf("scans %+v, evidence %q", s.Facts.Scans, ddl.Evidence)
	}
	rewritten := len(s.Facts.Files) > 0
	if rewritten != ddl.Rebuild {
		t.Errorf("rebuild %v, new files %+v", ddl.Rebuild, s.Facts.Files)
	}
	for _, f := range s.Facts.Files {
		if f.Object != ddl.Table || f.Bytes < 100_000 {
			t.Errorf("new file %+v", f)
		}
	}
}

// TestRowVersions: a table that has been through as many INSTANT changes as the
// server counts is rebuilt without a word, and that is told from what is seen.
func TestRowVersions(t *testing.T) {
	l := newLab(t, snapshottest.MySQL(t, snapshot.MySQL), Options{}, ten+big+`
CREATE PROCEDURE wear() BEGIN DECLARE EXIT HANDLER FOR 4092 BEGIN END; LOOP ALTER TABLE big ADD c int, ALGORITHM=INSTANT; ALTER TABLE big DROP c, ALGORITHM=INSTANT; END LOOP; END;
CALL wear()`)
	best := probe(t, l, "ALTER TABLE big ADD COLUMN x int")
	if shortBest(best) != "INPLACE NONE" || best.Code != "4092" || !strings.Contains(best.Reason, "Maximum row versions") {
		t.Errorf("the best form: %+v", best)
	}
	l.exec("ALTER TABLE " + l.name + ".big DROP COLUMN x")
	_, _ = l.root.Exec("ALTER TABLE " + l.name + ".big DROP COLUMN c") // where the versions ran out between the two
	l.exec("CALL " + l.name + ".wear()")
	steps := walk(t, l.open(), script("ALTER TABLE big ADD COLUMN x int", "ALTER TABLE big ADD COLUMN y int", "ALTER TABLE big ADD COLUMN z int, ALGORITHM=INSTANT"))
	var got []string
	for _, s := range steps {
		got = append(got, fmt.Sprint(short(s.Facts.DDL), " after ", s.Facts.DDL.RowVersions))
	}
	full := steps[0].Facts.DDL.RowVersions
	if full < 64 {
		t.Errorf("%d row versions before the rebuild", full)
	}
	want := []string{fmt.Sprint("INPLACE rebuild after ", full), "INSTANT after 0", "INSTANT after 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func short(d *gate.OnlineDDL) string {
	switch {
	case d == nil:
		return "none"
	case d.Algorithm == "" && d.Evidence == MetadataOnly:
		return "?"
	case d.Rebuild:
		return d.Algorithm + " rebuild"
	}
	return d.Algorithm
}

func shortBest(b *gate.BestDDL) string {
	switch {
	case b == nil:
		return ""
	case b.Unasked != "":
		return "unasked"
	case b.Lock == "":
		return b.Algorithm
	}
	return b.Algorithm + " " + b.Lock
}

// probe asks for the best form of one statement.
func probe(t *testing.T, l *lab, sql string) *gate.BestDDL {
	t.Helper()
	all, err := Probe(t.Context(), l.owner(), l.opt, []*migration.Script{script(sql)})
	if err != nil {
		t.Fatal(err)
	}
	return all[0][0]
}

// withoutRows drops the INSERTs.
func withoutRows(fill string) string {
	var kept []string
	for _, s := range parts(fill) {
		if !strings.HasPrefix(s, "INSERT") {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, ";\n")
}

// TestWithoutRecords: a MariaDB that runs without performance_schema shows
// less, and what it does not show is not made up.
func TestWithoutRecords(t *testing.T) {
	server := snapshottest.MySQLAlone(t, snapshot.MariaDB, map[string]string{"performance_schema": "OFF"})
	l := newLab(t, server, Options{MariaDB: true}, ten+big)
	steps := walk(t, l.open(), script("ALTER TABLE big MODIFY a bigint", "ALTER TABLE big FORCE", "ALTER TABLE big ADD INDEX (d)", "ALTER TABLE big ADD c int",
		"ALTER TABLE big COMMENT 'x'", "BEGIN", "INSERT INTO ten VALUES (11)", "ALTER TABLE ten ADD i int"))
	var got []string
	for _, s := range steps {
		got = append(got, short(s.Facts.DDL))
	}
	if want := "COPY rebuild|INPLACE rebuild||INSTANT||none|none|none"; strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
	if last := steps[len(steps)-1].Result; last.Failure == nil || !last.Committed {
		t.Errorf("a transaction committed by DDL that fails: %+v", last)
	}
}
