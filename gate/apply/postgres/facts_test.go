package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/snapshot"
)

// table sizes are such that a whole read stands out.
const big = `
CREATE TABLE p (id int PRIMARY KEY, v text, n int, m int);
INSERT INTO p SELECT i, 'row ' || i, i % 7, i FROM generate_series(1, 5000) i;
CREATE TABLE c (id int PRIMARY KEY, p_id int, x int);
INSERT INTO c SELECT i, i, i FROM generate_series(1, 3000) i;
CREATE INDEX c_x ON c (x);
CREATE SEQUENCE s;
CREATE TABLE toasted (id int PRIMARY KEY, doc text);
INSERT INTO toasted SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 100) i;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM p;
CREATE TABLE nulls (id int);
INSERT INTO nulls SELECT 1 FROM generate_series(1, 100);
`

// describe spells facts with names: "file p", "scan p".
func (l *lab) describe(f observe.Facts) string {
	l.t.Helper()
	name := func(oid string) string {
		var s string
		if err := l.admin.QueryRow(context.Background(), `SELECT coalesce((SELECT CASE relkind WHEN 't' THEN 'toast' ELSE CASE WHEN relnamespace = 'pg_toast'::regnamespace THEN 'toast index' ELSE relname::text END END FROM pg_class WHERE oid = $1::text::oid), 'gone')`, oid).Scan(&s); err != nil {
			l.t.Fatal(err)
		}
		return s
	}
	var out []string
	for _, x := range f.Files {
		s := "file " + name(x.Object)
		if x.Bytes == 0 {
			s += " (empty)"
		}
		out = append(out, s)
	}
	for _, x := range f.Scans {
		out = append(out, fmt.Sprintf("scan %s %d", name(x.Object), x.Rows))
	}
	for _, x := range f.InvalidIndexes {
		out = append(out, "invalid "+x)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// TestFacts: what the session says of the last statement of each file.
func TestFacts(t *testing.T) {
	cases := []struct{ name, sql, want, code string }{
		{"nothing", "ALTER TABLE c ADD COLUMN y int", "", ""},
		{"type change", "ALTER TABLE c ALTER p_id TYPE bigint", "file c, file c_pkey, file c_x, scan c 3000", ""},
		{"volatile default", "ALTER TABLE c ADD COLUMN y float DEFAULT random()", "file c, file c_pkey, file c_x, scan c 3000", ""},
		// A rewrite gives the table another TOAST table, TRUNCATE gives it a new file.
		{"toast", "ALTER TABLE toasted ADD COLUMN y float DEFAULT random()", "file toasted, file toasted_pkey, scan toasted 100", ""},
		{"truncate toast", "TRUNCATE toasted", "file toast (empty), file toast index, file toasted (empty), file toasted_pkey", ""},
		{"truncate", "TRUNCATE c", "file c (empty), file c_pkey, file c_x", ""},
		{"vacuum full", "VACUUM FULL c", "file c, file c_pkey, file c_x, scan c 3000", ""},
		{"cluster", "CLUSTER c USING c_x", "file c, file c_pkey, file c_x, scan c 3000", ""},
		{"reindex index", "REINDEX INDEX c_x", "file c_x, scan c 3000", ""},
		{"reindex concurrently", "REINDEX INDEX CONCURRENTLY c_x", "scan c 3000", ""},
		{"refresh", "REFRESH MATERIALIZED VIEW mv", "file mv, scan p 5000", ""},
		{"alter sequence", "ALTER SEQUENCE s RESTART WITH 10", "file s", ""},
		{"setval", "SELECT setval('s', 10)", "", ""},
		{"check", "ALTER TABLE c ADD CHECK (x > 0)", "scan c 3000", ""},
		{"check not valid", "ALTER TABLE c ADD CONSTRAINT k CHECK (x > 0) NOT VALID", "", ""},
		{"validate", "ALTER TABLE c ADD CONSTRAINT k CHECK (x > 0) NOT VALID; ALTER TABLE c VALIDATE CONSTRAINT k", "scan c 3000", ""},
		{"set not null", "ALTER TABLE c ALTER x SET NOT NULL", "scan c 3000", ""},
		{"foreign key", "ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p", "scan c 3000, scan p 5000", ""},
		{"create index", "CREATE INDEX ON c (p_id)", "scan c 3000", ""},
		{"create index concurrently", "CREATE INDEX CONCURRENTLY ON c (p_id)", "scan c 3000", ""},
		{"unique on duplicates", "CREATE UNIQUE INDEX CONCURRENTLY nulls_i ON nulls (id)", "invalid public.nulls_i", "23505"},
		{"update all", "UPDATE c SET x = 1", "scan c 3000", ""},
		{"update one", "UPDATE c SET x = 1 WHERE id = 1", "", ""},
		{"a few rows", "CREATE TABLE few AS SELECT * FROM p LIMIT 10", "", ""},
		{"all rows", "CREATE TABLE few AS SELECT * FROM p", "scan p 5000", ""},
		{"each statement its own", "ALTER TABLE c ADD CHECK (x > 0); ALTER TABLE p ADD CHECK (n >= 0)", "scan p 5000", ""},
		{"new table", "CREATE TABLE fresh AS SELECT 1 AS i; ALTER TABLE fresh ALTER i TYPE bigint", "file fresh, scan fresh 1", ""},
		{"a failure", "ALTER TABLE c ALTER p_id TYPE bigint; INSERT INTO c VALUES (1)", "", "23505"},
		{"a failing rewrite", "ALTER TABLE c ADD COLUMN y int; ALTER TABLE toasted ALTER doc TYPE int USING doc::int", "", "22P02"},
		{"in a DO", "DO $$ BEGIN ALTER TABLE c ALTER p_id TYPE bigint; END $$", "file c, file c_pkey, file c_x, scan c 3000", ""},
		{"in a DO that commits", "DO $$ BEGIN ALTER TABLE c ALTER p_id TYPE bigint; COMMIT; END $$", "file c, file c_pkey, file c_x, scan c 3000", ""},
		{"tiny time-out", "SET statement_timeout = '100ms'; ALTER TABLE c ALTER p_id TYPE bigint", "file c, file c_pkey, file c_x, scan c 3000", ""},
	}
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, "")
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l.reset(big)
				l.exec("VACUUM ANALYZE")
				l.exec("SELECT pg_stat_force_next_flush()")
				s := l.open(t)
				got := walk(t, s, script(t, c.sql))
				if got.code != c.code {
					t.Fatalf("SQLSTATE %q (%s), want %q", got.code, got.message, c.code)
				}
				if diff := cmp.Diff(c.want, l.describe(got.facts[len(got.facts)-1])); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// TestFactsOfEach: a file is new to the statement that wrote it, and to none of
// those that come after, keep it, undo it or bring the old one back.
func TestFactsOfEach(t *testing.T) {
	const retype, written = "ALTER TABLE c ALTER p_id TYPE bigint", "file c, file c_pkey, file c_x, scan c 3000"
	cases := []struct {
		name string
		sql  []string
		want []string
	}{
		{"undone to a savepoint", []string{"BEGIN", "SAVEPOINT x", retype, "ROLLBACK TO x", "ALTER TABLE c ADD COLUMN y int", "COMMIT"},
			[]string{"", "", written, "", "", ""}},
		{"undone under a lock that stays", []string{"BEGIN", "LOCK TABLE c", "SAVEPOINT x", retype, "ROLLBACK TO x", "ALTER TABLE c ADD COLUMN y int", "COMMIT"},
			[]string{"", "", "", written, "", "", ""}},
		{"again after a savepoint", []string{"BEGIN", "SAVEPOINT x", retype, "ROLLBACK TO x", retype, "SELECT 1", "COMMIT"},
			[]string{"", "", written, "", written, "", ""}},
		{"kept past a savepoint", []string{"BEGIN", retype, "SAVEPOINT x", "ALTER TABLE c ADD COLUMN y int", "ROLLBACK TO x", "COMMIT"},
			[]string{"", written, "", "", "", ""}},
		{"after a rollback", []string{"BEGIN", retype, "ROLLBACK", "ALTER TABLE c ADD COLUMN y int"}, []string{"", written, "", ""}},
		{"after a commit", []string{"BEGIN", retype, "COMMIT", "ALTER TABLE c ADD COLUMN y int"}, []string{"", written, "", ""}},
	}
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, "")
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l.reset(big)
				l.exec("VACUUM ANALYZE")
				l.exec("SELECT pg_stat_force_next_flush()")
				got := walk(t, l.open(t), script(t, strings.Join(c.sql, "; ")))
				if got.code != "" {
					t.Fatalf("SQLSTATE %s: %s", got.code, got.message)
				}
				var each []string
				for _, f := range got.facts {
					each = append(each, l.describe(f))
				}
				if diff := cmp.Diff(c.want, each); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// TestInvalidIndexStays: IF NOT EXISTS is content with an invalid index of
// that name, and says success.
func TestInvalidIndexStays(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, big)
		s := l.open(t)
		if got := walk(t, s, script(t, "CREATE UNIQUE INDEX CONCURRENTLY nulls_i ON nulls (id)")); got.code != "23505" {
			t.Fatalf("got %q", got.code)
		}
		got := walk(t, s, script(t, "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS nulls_i ON nulls (id)"))
		if got.code != "" || len(got.facts[0].InvalidIndexes) != 1 {
			t.Errorf("SQLSTATE %q, invalid %q; want success that leaves public.nulls_i invalid", got.code, got.facts[0].InvalidIndexes)
		}
		if got := walk(t, s, script(t, "CREATE INDEX CONCURRENTLY other ON nulls (id)")); len(got.facts[0].InvalidIndexes) != 0 {
			t.Errorf("booked to an innocent statement: %q", got.facts[0].InvalidIndexes)
		}
	})
}

// TestBoundaryLeavesNoTrace: the gate's own queries lock no relation of the
// user's, and leave every setting as the migration put it.
func TestBoundaryLeavesNoTrace(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		ctx := context.Background()
		l := newLab(t, server, big)
		s := l.open(t)
		m := script(t, "SET statement_timeout = '7s'; SET LOCAL lock_timeout = '8s'; ALTER TABLE c ALTER p_id TYPE bigint; SELECT 1")
		if err := s.Start(ctx, m); err != nil {
			t.Fatal(err)
		}
		locks := func() string {
			var locks string
			if err := l.admin.QueryRow(ctx, `SELECT coalesce(string_agg(relation::text || mode, ' ' ORDER BY relation, mode), '') FROM pg_locks WHERE pid = $1 AND relation >= 16384`, s.PID()).Scan(&locks); err != nil {
				t.Fatal(err)
			}
			return locks
		}
		for n := range m.Statements {
			if _, err := s.Exec(ctx, n); err != nil {
				t.Fatal(err)
			}
			before := locks()
			f, err := s.Boundary(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if f.StatementTimeout != "7s" || n > 0 && f.LockTimeout != "8s" {
				t.Errorf("statement %d: lock_timeout %q, statement_timeout %q", n, f.LockTimeout, f.StatementTimeout)
			}
			if after := locks(); after != before {
				t.Errorf("statement %d: the boundary took locks: before %s, after %s", n, before, after)
			}
			if _, err := s.Commit(ctx); err != nil {
				t.Fatal(err)
			}
		}
		got := walk(t, s, script(t, "SELECT 1"))
		if f := got.facts[0]; f.StatementTimeout != "7s" || f.LockTimeout != "0" {
			t.Errorf("after COMMIT: lock_timeout %q, want 0; statement_timeout %q, want 7s", f.LockTimeout, f.StatementTimeout)
		}
	})
}
