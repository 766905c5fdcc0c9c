package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/snapshot"
)

func TestSession(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		sessiontest.Exercise(t, func(t *testing.T) sessiontest.Env {
			l := newLab(t, server, "")
			return sessiontest.Env{
				Session: l.open(t),
				Read: func(sql string) string {
					var s string
					if err := l.admin.QueryRow(context.Background(), sql).Scan(&s); err != nil {
						t.Fatal(err)
					}
					return s
				},
			}
		})
	})
}

// TestErrorPlace: the line and column of an error, counted in characters.
func TestErrorPlace(t *testing.T) {
	cases := []struct{ name, sql, want string }{
		{"unknown column", "SELECT 1;\nSELECT id,\n  nope FROM a;", "3:3 42703"},
		{"on the statement's own line", "SELECT 1; SELECT nope FROM a;", "1:18 42703"},
		{"after characters of several bytes", "SELECT 1;\nSELECT 'äöü€𝄞', nope FROM a;", "2:17 42703"},
		{"CR LF", "SELECT 1;\r\nSELECT id,\r\n  nope FROM a;\r\n", "3:3 42703"},
		{"syntax", "INSERT INTO a VALUES (100);\nCREATE TABLE x (\n  i int,,\n);", "3:9 42601"},
		{"syntax, in the second of three", "SELECT 'ä';\nSELECT 'ö',, 1;\nSELECT 1;", "2:12 42601"},
		{"syntax, alone", "SELECT 'ä'\n  FROM WHERE;", "2:8 42601"},
		{"syntax, at the end", "SELECT 1;\nSELECT 1 +", "2:11 42601"},
		{"no position", "SELECT 1;\n\n-- why\nINSERT INTO a\nVALUES (1);", "4:0 23505"},
		{"in a DO block", "SELECT 1;\nDO LANGUAGE plpgsql\n$x$\nBEGIN\n  PERFORM 1;\n  RAISE 'no';\nEND $x$;", "6:0 P0001"},
		{"deep in a DO block", "DO $$ BEGIN\n  EXECUTE 'SELECT 1';\n  EXECUTE 'SELECT nope';\nEND $$;", "3:0 42703"},
		{"after a comment", "/* ä */ SELECT 1; /* ä */ SELECT nope;", "1:34 42703"},
	}
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, "")
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l.reset(seed)
				got := walk(t, l.open(t), script(t, c.sql))
				if s := fmt.Sprintf("%d:%d %s", got.line, got.column, got.code); s != c.want {
					t.Errorf("got %s (%s), want %s", s, got.message, c.want)
				}
			})
		}
	})
}

// TestCopy: data reaches the table, and a broken row is the statement's error.
func TestCopy(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, seed)
		copyInto := func(data string) *migration.Script {
			return &migration.Script{File: "m.sql", Statements: []migration.Statement{{
				File: "m.sql", Line: 3, EndLine: 6, Column: 1, SQL: "COPY a (id, v) FROM stdin", CopyData: []byte(data),
				Facts: migration.Facts{Kind: "COPY", Analysed: true, CopyFromStdin: true},
			}}}
		}
		s := l.open(t)
		got := walk(t, s, copyInto("100\tone\n101\t\\N\n"))
		if got.code != "" || got.results[0].Rows != 2 || !got.results[0].InBlock {
			t.Errorf("SQLSTATE %q (%s), %d rows; want 2 rows", got.code, got.message, got.results[0].Rows)
		}
		if got := walk(t, s, copyInto("102\tone\nx\ttwo\n")); got.code != "22P02" {
			t.Errorf("broken row: SQLSTATE %q (%s), want 22P02", got.code, got.message)
		}
		if got := walk(t, s, copyInto("")); got.code != "" || got.results[0].Rows != 0 {
			t.Errorf("no data: SQLSTATE %q", got.code)
		}
		if state := l.state(); !strings.Contains(state, "(100,one,) (101,,)") || strings.Contains(state, "102") {
			t.Errorf("table holds the wrong rows:\n%s", state)
		}
		if got := walk(t, s, script(t, "COPY a TO STDOUT")); got.code != "" || got.results[0].Rows != 22 {
			t.Errorf("COPY TO STDOUT: SQLSTATE %q, %d rows", got.code, got.results[0].Rows)
		}
	})
}

// TestLeftOpen: a BEGIN without COMMIT is a failure, nothing of it stays, and
// the next script starts outside of it.
func TestLeftOpen(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, seed)
		s := l.open(t)
		got := walk(t, s, script(t, "BEGIN;\nINSERT INTO a VALUES (100);"))
		if got.code != "25000" || got.line != 2 {
			t.Errorf("got SQLSTATE %q on line %d (%s), want 25000 on line 2", got.code, got.line, got.message)
		}
		if got := walk(t, s, script(t, "VACUUM a")); got.code != "" {
			t.Errorf("next script: SQLSTATE %q (%s)", got.code, got.message)
		}
		if strings.Contains(l.state(), "(100,") {
			t.Error("the row of the transaction left open was kept")
		}
	})
}

// TestWrapped: goose's own transaction around a script, each statement sent by
// itself.
func TestWrapped(t *testing.T) {
	wrapped := func(t *testing.T, sql string) *migration.Script {
		m := script(t, sql)
		m.Wrapped = true
		for i := range m.Statements {
			m.Statements[i].Batch = i
		}
		return m
	}
	cases := []struct{ name, sql, code, kept string }{
		{"all is kept", "INSERT INTO a VALUES (100); INSERT INTO a VALUES (101)", "", "100 101"},
		{"an error undoes all", "INSERT INTO a VALUES (100); INSERT INTO a VALUES (1)", "23505", ""},
		{"CONCURRENTLY", "INSERT INTO a VALUES (100); CREATE INDEX CONCURRENTLY ON a (n)", "25001", ""},
		{"a savepoint", "INSERT INTO a VALUES (100); SAVEPOINT x; INSERT INTO a VALUES (101); ROLLBACK TO x", "", "100"},
		{"COMMIT in the file", "INSERT INTO a VALUES (100); COMMIT; INSERT INTO a VALUES (101); INSERT INTO a VALUES (1)", "23505", "100 101"},
		{"BEGIN in the file", "BEGIN; INSERT INTO a VALUES (100); COMMIT", "", "100"},
		{"deferred", "INSERT INTO d VALUES (1, 999); INSERT INTO a VALUES (100)", "23503", ""},
		{"syntax", "INSERT INTO a VALUES (100); SELEC", "42601", ""},
		{"SET TRANSACTION", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; INSERT INTO a VALUES (100)", "", "100"},
	}
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, "")
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l.reset(seed + "CREATE TABLE d (id int, a_id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);")
				got := walk(t, l.open(t), wrapped(t, c.sql))
				if got.code != c.code {
					t.Errorf("SQLSTATE %q (%s), want %q", got.code, got.message, c.code)
				}
				var kept string
				if err := l.admin.QueryRow(context.Background(), "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM a WHERE id >= 100").Scan(&kept); err != nil {
					t.Fatal(err)
				}
				if kept != c.kept {
					t.Errorf("kept rows %q, want %q", kept, c.kept)
				}
			})
		}
	})
}

// TestHow: what a statement is called, and whether a boundary sees its locks.
func TestHow(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, "")
		for _, c := range []struct{ sql, want string }{
			{"ALTER TABLE a ADD COLUMN c int", "autocommit, in block"},
			{"CREATE INDEX CONCURRENTLY ON a (n)", "autocommit"},
			{"VACUUM a", "autocommit"},
			{"LOCK TABLE a", "autocommit"},
			{"SELECT 1; SELECT 2", "implicit transaction, in block; implicit transaction, in block"},
			{"BEGIN; SELECT 1; COMMIT", "explicit transaction, in block; explicit transaction, in block; explicit transaction"},
			{"SELECT 1; BEGIN; SELECT 2; COMMIT; SELECT 3", "implicit transaction, in block; explicit transaction, in block; explicit transaction, in block; explicit transaction; implicit transaction, in block"},
		} {
			l.reset(seed)
			got := walk(t, l.open(t), script(t, c.sql))
			var how []string
			for i, r := range got.results {
				s := r.How
				if r.InBlock {
					s += ", in block"
				} else if !r.Ended {
					t.Errorf("%s: statement %d left no transaction and ended none", c.sql, i)
				}
				how = append(how, s)
			}
			if s := strings.Join(how, "; "); s != c.want {
				t.Errorf("%s:\n got %s\nwant %s", c.sql, s, c.want)
			}
		}
	})
}

// TestHostile: what an ordinary owner may not do is refused, not done.
func TestHostile(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, seed)
		for _, sql := range []string{
			"COPY a TO PROGRAM 'cat >/tmp/x'", "SELECT pg_read_file('/etc/passwd')", "ALTER SYSTEM SET fsync = off",
			"DROP DATABASE postgres", "SET ROLE postgres", "CREATE ROLE x SUPERUSER",
		} {
			got := walk(t, l.open(t), script(t, sql))
			if got.code != "42501" {
				t.Errorf("%s: SQLSTATE %q (%s), want 42501", sql, got.code, got.message)
			}
		}
	})
}

// TestLackingExtension: that the gate's own server has no such extension says
// nothing of the migration, so it is no refusal.
func TestLackingExtension(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		s := newLab(t, server, seed).open(t)
		if err := s.Start(t.Context(), script(t, "CREATE EXTENSION not_of_this_world")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exec(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "--image") {
			t.Errorf("got %v", err)
		}
	})
}

// TestTimeouts: a time-out that the file sets strikes the file's statements,
// as it should, and never the gate's.
func TestTimeouts(t *testing.T) {
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		l := newLab(t, server, seed)
		s := l.open(t)
		if got := walk(t, s, script(t, "SET statement_timeout = '20ms'")); got.code != "" {
			t.Fatal(got.message)
		}
		for range 5 {
			walk(t, s, script(t, "VACUUM a")) // may be struck itself
			if got := walk(t, s, script(t, "SELECT pg_sleep(1)")); got.code != "57014" {
				t.Errorf("SQLSTATE %q (%s), want 57014", got.code, got.message)
			}
		}
		if server.Version >= "17" {
			if got := walk(t, l.open(t), script(t, "SET LOCAL transaction_timeout = '50ms'; SELECT pg_sleep(1)")); got.code != "25P04" {
				t.Errorf("SQLSTATE %q (%s), want 25P04", got.code, got.message)
			}
		}
	})
}
