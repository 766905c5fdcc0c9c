package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/snapshot"
)

// found is what the facts say of a script: per statement the tables written
// anew, and the online DDL's table and algorithm.
func found(steps []sessiontest.Step, database string) []string {
	out := make([]string, len(steps))
	for i, s := range steps {
		var w []string
		for _, f := range s.Facts.Files {
			w = append(w, "new "+strings.TrimPrefix(f.Object, database+"."))
		}
		if d := s.Facts.DDL; d != nil {
			existing := ""
			if !d.Existing {
				existing = " made"
			}
			w = append(w, fmt.Sprintf("%s%s %s", strings.TrimPrefix(d.Table, database+"."), existing, short(d)))
		}
		if f := s.Result.Failure; f != nil {
			w = append(w, "E"+f.Code)
		}
		out[i] = strings.Join(w, ", ")
	}
	return out
}

// TestFacts: new files told from new names, and online DDL wherever it hides.
func TestFacts(t *testing.T) {
	cases := []struct {
		name string
		sql  []string
		want []string
	}{
		{"truncate", []string{"TRUNCATE TABLE a"}, []string{"new a"}},
		{"rename is no rewrite", []string{"RENAME TABLE a TO c", "ALTER TABLE c RENAME TO a"}, []string{"", "c ?"}},
		{"two tables swapped", []string{"RENAME TABLE a TO tmp, b TO a, tmp TO b"}, []string{""}},
		{"a shadow table takes over", []string{"CREATE TABLE a2 LIKE a", "INSERT INTO a2 SELECT * FROM a", "ALTER TABLE a2 MODIFY n bigint", "RENAME TABLE a TO old, a2 TO a", "ALTER TABLE old ADD INDEX (n)", "DROP TABLE old"},
			[]string{"", "", "new a2, a2 made COPY rebuild", "", "old INPLACE", ""}},
		{"made by the change", []string{"CREATE TABLE c (i int)", "INSERT INTO c VALUES (1)", "ALTER TABLE c ADD j int"}, []string{"", "", "c made INSTANT"}},
		{"dropped and made again", []string{"DROP TABLE a", "CREATE TABLE a (i int)", "INSERT INTO a VALUES (1)", "CREATE INDEX x ON a (i)"}, []string{"", "", "", "a made INPLACE"}},
		{"temporary", []string{"CREATE TEMPORARY TABLE c (i int)", "ALTER TABLE c ADD j int", "DROP TABLE c"}, []string{"", "c made ", ""}},
		{"a temporary table gives its name back", []string{"CREATE TEMPORARY TABLE a (i int)", "DROP TEMPORARY TABLE a", "ALTER TABLE a ADD c int"}, []string{"", "", "a INSTANT"}},
		{"within CALL", []string{"CALL alters()"}, []string{"new a, a COPY rebuild"}},
		{"by EXECUTE", []string{"SET @s = 'ALTER TABLE a MODIFY n bigint'", "PREPARE s FROM @s", "EXECUTE s"}, []string{"", "", "new a, a COPY rebuild"}},
		{"by EXECUTE, no DDL", []string{"PREPARE s FROM 'SELECT 1'", "EXECUTE s"}, []string{"", ""}},
		{"quoted and odd names", []string{"ALTER TABLE `we-ird ä€` MODIFY n bigint", "ALTER TABLE `a``b` ADD m int", "TRUNCATE `we-ird ä€`"}, []string{"new we-ird ä€, we-ird ä€ COPY rebuild", "a`b INSTANT", "new we-ird ä€"}},
		{"in a versioned comment", []string{"/*!50503 ALTER TABLE a ADD c int */"}, []string{"a INSTANT"}},
		{"with comments", []string{"ALTER /* x */ TABLE -- y\n a # z\n ADD c int"}, []string{"a INSTANT"}},
		{"not analysed by anyone", []string{"ALTER TABLE a ADD INDEX ((n + 1))"}, []string{"a "}},
		{"a failure", []string{"ALTER TABLE a ADD d int NOT NULL, ADD UNIQUE (d)"}, []string{"E1062"}},
		{"drop column and rename", []string{"ALTER TABLE a DROP COLUMN n, RENAME TO c"}, nil},
		{"myisam", []string{"ALTER TABLE m ADD c int"}, []string{"m COPY rebuild"}},
	}
	fill := seed + `
CREATE TABLE ` + "`we-ird ä€`" + ` (n int);
CREATE TABLE ` + "`a``b`" + ` (n int);
INSERT INTO ` + "`a``b`" + ` VALUES (1);
CREATE TABLE m (i int) ENGINE=MyISAM;
CREATE PROCEDURE alters() BEGIN INSERT INTO b VALUES (50, 1); ALTER TABLE b ADD c int; ALTER TABLE a MODIFY n bigint; END`
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l := newLab(t, server, opt, fill)
				steps := walk(t, l.open(), script(c.sql...))
				got := found(steps, l.name)
				if c.want == nil {
					t.Log(got)
					return
				}
				if opt.MariaDB && c.name == "not analysed by anyone" {
					t.Skip("there is nothing to test: MariaDB has no indexes on expressions")
				}
				for i := range got {
					if i < len(c.want) && strings.HasSuffix(c.want[i], " ") && strings.HasPrefix(got[i], strings.TrimSpace(c.want[i])) {
						got[i] = c.want[i] // any algorithm
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("facts (-want +got):\n%s\n%+v", diff, steps[len(steps)-1].Facts)
				}
			})
		}
	})
}

// TestWithinCall: the evidence says where the statement was found.
func TestWithinCall(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed+"\nCREATE PROCEDURE p() ALTER TABLE a FORCE")
		d := walk(t, l.open(), script("CALL p()"))[0].Facts.DDL
		if d == nil || !strings.HasSuffix(d.Evidence, "; run within CALL") || !d.Existing {
			t.Errorf("%+v", d)
		}
	})
}

// TestPartitions: rows that move between partitions are in new files, and
// partitions that come and go are not.
func TestPartitions(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, ten+parted+";\nCREATE TABLE alone LIKE parted;\nALTER TABLE alone REMOVE PARTITIONING")
		want := []string{"parted INPLACE", "parted INPLACE", "new parted", "alone, parted", "new parted, parted COPY rebuild"}
		steps := walk(t, l.open(), script(
			"ALTER TABLE parted ADD PARTITION (PARTITION p2 VALUES LESS THAN (20000), PARTITION p3 VALUES LESS THAN (30000))",
			"ALTER TABLE parted DROP PARTITION p3", "ALTER TABLE parted TRUNCATE PARTITION p0",
			"ALTER TABLE parted EXCHANGE PARTITION p1 WITH TABLE alone WITHOUT VALIDATION", "ALTER TABLE parted REMOVE PARTITIONING"))
		for i, w := range found(steps, l.name) {
			if i != 3 && !strings.HasPrefix(w, want[i]) || i == 3 && strings.Contains(w, "new") {
				t.Errorf("statement %d: %q, want %q", i, w, want[i])
			}
		}
	})
}

// TestLockTimeout: what the script itself set, and nothing else.
func TestLockTimeout(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		s := l.open()
		var got []string
		for _, step := range walk(t, s, script("SELECT 1", "SET SESSION lock_wait_timeout = 5", "ALTER TABLE a ADD c int", "SET lock_wait_timeout = DEFAULT", "SELECT 1")) {
			got = append(got, step.Facts.LockTimeout)
		}
		if diff := cmp.Diff([]string{"", "5s", "5s", "", ""}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestUse: names without a schema follow USE, and the session keeps what a
// script has set.
func TestUse(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l, other := newLab(t, server, opt, seed), newLab(t, server, opt, seed)
		s := l.open()
		walk(t, s, script("USE "+other.name, "SET foreign_key_checks = 0"))
		steps := walk(t, s, script("ALTER TABLE a ADD c int", "UPDATE a SET c = @@foreign_key_checks"))
		if d := steps[0].Facts.DDL; d == nil || d.Table != other.name+".a" {
			t.Errorf("%+v", d)
		}
		if got := other.read("SELECT MAX(c) FROM a"); got != "0" {
			t.Errorf("foreign_key_checks %s", got)
		}
	})
}

func TestTableOf(t *testing.T) {
	for name, want := range map[string]string{
		"shop/orders": "shop.orders", "shop/order@002ditems#p#p0": "shop.order-items", "shop/t#P#p0#SP#s1": "shop.t",
		"sh@0020op/a@0023b": "sh op.a#b", "shop/@20ac": "shop.€", "shop/x@0ky": "shop.x@0ky",
	} {
		if got, _ := tableOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !spells("shop.x@0ky", "shop.xäy") || spells("shop.x@0ky", "shop.xay") || spells("shop.x@0ky", "shop.xäyz") {
		t.Error("a name beyond ASCII is not found by its spelling")
	}
}
