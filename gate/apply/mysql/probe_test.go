package mysql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestClauses: where ALGORITHM and LOCK go, and that a statement's own make
// room for them.
func TestClauses(t *testing.T) {
	cases := []struct{ sql, want string }{
		{"ALTER TABLE t ADD c int", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD c int"},
		{"alter table `a b`.`t` add c int, lock = shared", "alter table `a b`.`t` ALGORITHM=COPY, LOCK=NONE, add c int"},
		{"ALTER TABLE t ADD c int, ALGORITHM=INPLACE, LOCK=NONE", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD c int"},
		{"ALTER TABLE t ALGORITHM=INPLACE, LOCK=NONE, ADD c int", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD c int"},
		{"ALTER TABLE t ADD c int, ALGORITHM INPLACE, ADD d int", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD c int, ADD d int"},
		{"ALTER TABLE t LOCK=NONE, ADD c int, ALGORITHM=INPLACE", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD c int"},
		{"ALTER TABLE t ALGORITHM=INPLACE", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE"},
		{"ALTER TABLE t", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE"},
		{"ALTER TABLE t ADD algorithm int, ADD `lock` int", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD algorithm int, ADD `lock` int"},
		{"ALTER TABLE t RENAME COLUMN algorithm TO copy", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, RENAME COLUMN algorithm TO copy"},
		{"ALTER TABLE t COMMENT ', ALGORITHM=COPY'", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, COMMENT ', ALGORITHM=COPY'"},
		{"ALTER TABLE t /* , LOCK=NONE */ ADD c int -- , LOCK=NONE", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD c int -- , LOCK=NONE"},
		{"ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 2", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE PARTITION BY HASH (id) PARTITIONS 2"},
		{"ALTER TABLE t REMOVE PARTITIONING", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE REMOVE PARTITIONING"},
		{"ALTER TABLE t ADD PARTITION (PARTITION p VALUES IN (1))", "ALTER TABLE t ALGORITHM=COPY, LOCK=NONE, ADD PARTITION (PARTITION p VALUES IN (1))"},
		{"ALTER TABLE t WAIT 5 ADD c int", "ALTER TABLE t WAIT 5 ALGORITHM=COPY, LOCK=NONE, ADD c int"},
		{"CREATE INDEX i ON t (a, b)", "CREATE INDEX i ON t (a, b) ALGORITHM=COPY LOCK=NONE"},
		{"CREATE UNIQUE INDEX i ON t (a) COMMENT 'x' LOCK=SHARED ALGORITHM=INPLACE", "CREATE UNIQUE INDEX i ON t (a) COMMENT 'x' ALGORITHM=COPY LOCK=NONE"},
		{"DROP INDEX i ON s.t LOCK=NONE", "ALTER TABLE s.t ALGORITHM=COPY, LOCK=NONE, DROP INDEX i"},
	}
	for _, c := range cases {
		d := onlineOf(scan(c.sql), "shop")
		if d == nil {
			t.Errorf("%s: not seen", c.sql)
			continue
		}
		got := strings.Join(strings.Fields(d.with(c.sql, "COPY", "NONE")), " ")
		if got = strings.ReplaceAll(got, " /* , LOCK=NONE */", ""); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
	for _, sql := range []string{"CREATE TABLE t (i int)", "ALTER VIEW v AS SELECT 1", "DROP TABLE t", "ALTER DATABASE d CHARACTER SET utf8mb4", "CREATE INDEX", "ALTER TABLE", "DROP INDEX i ON", ""} {
		if d := onlineOf(scan(sql), "shop"); d != nil {
			t.Errorf("%s: taken for %+v", sql, d)
		}
	}
}

// FuzzClauses: no text makes the reading of clauses fail, and what is not a
// clause stays.
func FuzzClauses(f *testing.F) {
	for _, s := range []string{"ALTER TABLE t ADD c int, LOCK=NONE, ALGORITHM=COPY", "CREATE INDEX i ON t (a) LOCK NONE", "DROP INDEX `i ON t", "/*!50000 ALTER TABLE", "ALTER TABLE t LOCK=NONE,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		words := scan(sql)
		if d := onlineOf(words, "shop"); d != nil {
			if got := d.with(sql, "INPLACE", "NONE"); !strings.Contains(got, "ALGORITHM=INPLACE") {
				t.Errorf("%q lost its clauses: %q", sql, got)
			}
		}
	})
}

// TestProbe: each statement meets the schema that those before it have made,
// and what cannot be asked says why.
func TestProbe(t *testing.T) {
	type step struct{ sql, mysql, maria string }
	cases := []struct {
		name  string
		files [][]step
	}{
		{"the schema moves on", [][]step{
			{{"ALTER TABLE a ADD c int", "INSTANT", "INSTANT"}, {"ALTER TABLE a MODIFY c bigint", "COPY SHARED", "COPY SHARED"}},
			{{"CREATE INDEX c ON a (c)", "INPLACE NONE", "NOCOPY NONE"}, {"CREATE TABLE x (c int)", "", ""}, {"ALTER TABLE x ADD d int", "INSTANT", "INSTANT"}},
		}},
		{"USE and settings hold", [][]step{{
			{"SET foreign_key_checks = 0", "", ""}, {"ALTER TABLE b ADD FOREIGN KEY (a_id) REFERENCES a (id)", "INPLACE NONE", "NOCOPY NONE"},
		}}},
		{"rows that are not there", [][]step{{
			{"ALTER TABLE b ADD FOREIGN KEY (a_id) REFERENCES a (id)", "COPY SHARED", "COPY SHARED"},
			{"INSERT INTO b VALUES (10, 10)", "", ""}, {"ALTER TABLE a ADD c int", "INSTANT", "INSTANT"},
		}}},
		{"a statement that fails anyway", [][]step{{
			{"ALTER TABLE a ADD v int", "! Duplicate column name 'v'", "! Duplicate column name 'v'"}, {"ALTER TABLE a ADD c int", "! line 1 fails on the empty clone: Duplicate column name 'v'", "! line 1 fails on the empty clone: Duplicate column name 'v'"},
		}}},
		{"a procedure that fails", [][]step{{
			{"CALL nowhere()", "", ""}, {"ALTER TABLE a ADD c int", "! line 1 fails", "! line 1 fails"},
		}}},
		{"an own clause that cannot be had", [][]step{{
			{"ALTER TABLE a MODIFY n bigint, ALGORITHM=INPLACE", "COPY SHARED", "COPY SHARED"},
		}}},
		{"no ALGORITHM there", [][]step{{
			{"ALTER TABLE p TRUNCATE PARTITION p0", "! MySQL takes no ALGORITHM", "! MariaDB takes no heed"}, {"ALTER TABLE a ADD c int", "INSTANT", "INSTANT"},
		}}},
	}
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for _, c := range cases {
			for _, wrap := range []bool{false, true} {
				t.Run(c.name, func(t *testing.T) {
					l := newLab(t, server, opt, withoutRows(seed)+";\nCREATE TABLE p (id int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))")
					var scripts []*migration.Script
					var want []string
					for _, file := range c.files {
						var sql []string
						for _, s := range file {
							sql = append(sql, s.sql)
							if opt.MariaDB {
								s.mysql = s.maria
							}
							want = append(want, s.mysql)
						}
						m := script(sql...)
						m.Wrapped = wrap
						scripts = append(scripts, m)
					}
					all, err := Probe(t.Context(), l.owner(), opt, scripts)
					if err != nil {
						t.Fatal(err)
					}
					var got []string
					for _, file := range all {
						for _, b := range file {
							s := shortBest(b)
							if s == "unasked" {
								s = "! " + b.Unasked
							}
							if w := want[len(got)]; w != "" && strings.HasPrefix(s, w) {
								s = w
							}
							got = append(got, s)
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("best forms (-want +got):\n%s", diff)
					}
				})
			}
		}
	})
}

// TestReason: the server's own words for what it refused.
func TestReason(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, withoutRows(seed))
		best := probe(t, l, "ALTER TABLE a MODIFY n bigint")
		if best.Algorithm != "COPY" || !strings.Contains(best.Reason, "Cannot change column type") {
			t.Errorf("%+v", best)
		}
	})
}
