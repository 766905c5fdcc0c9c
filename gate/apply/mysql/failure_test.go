package mysql

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestDatabaseDropped: the tool cannot note the version then, made again or
// not, and the script's next run does not even get a connection.
func TestDatabaseDropped(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for _, m := range []*migration.Script{
			script("DROP TABLE b", "DROP DATABASE IF EXISTS nowhere"),
			script("DROP TABLE b", "DROP DATABASE `NAME`", "SELECT 1"),
			wrapped("DROP TABLE b", "DROP SCHEMA IF EXISTS NAME", "CREATE DATABASE NAME"),
		} {
			l := newLab(t, server, opt, seed)
			for i := range m.Statements {
				m.Statements[i].SQL = strings.ReplaceAll(m.Statements[i].SQL, "NAME", l.name)
			}
			s := l.open()
			steps := walk(t, s, m)
			last := steps[len(steps)-1]
			if len(m.Statements) == 2 {
				if last.Result.Failure == nil { // of a right that it does not have
					t.Errorf("dropping another database: %+v", last)
				}
				continue
			}
			if f := last.Commit.Failure; f == nil || place(f) != "2 1046 3D000" || !last.Commit.Committed {
				t.Errorf("%+v", last.Commit)
			}
			l.exec("CREATE DATABASE IF NOT EXISTS " + l.name)
			l.exec("DROP DATABASE " + l.name)
			var gone *observe.NoDatabaseError
			if _, err := Open(t.Context(), l.owner(), l.dsn(server.User, server.Password, ""), opt); !errors.As(err, &gone) || gone.Failure.Code != "1049" {
				t.Errorf("connects again: %v", err)
			}
			l.exec("CREATE DATABASE " + l.name)
		}
	})
}

// TestErrorPlace: number, SQLSTATE and line of an error.
func TestErrorPlace(t *testing.T) {
	cases := []struct {
		name string
		sql  []string
		want string
	}{
		{"a syntax error in the third line", []string{"SELECT 1", "CREATE TABLE x (\n  i int,\n  j int int,\n  k int)"}, "4 1064 42000"},
		{"a syntax error at the end", []string{"SELECT 1", "SELECT 1 +\n 2 +"}, "3 1064 42000"},
		{"a syntax error in the first line", []string{"SELEC\n1"}, "1 1064 42000"},
		{"duplicate column", []string{"SELECT 1", "\nALTER TABLE a\n ADD v int"}, "2 1060 42S21"},
		{"duplicate key", []string{"INSERT INTO a (id) VALUES (1)"}, "1 1062 23000"},
		{"raised", []string{"CREATE PROCEDURE p() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no good at line 7'", "CALL p()"}, "2 1644 45000"},
		{"unknown table", []string{"SELECT * FROM nowhere"}, "1 1146 42S02"},
		{"deprived", []string{"SELECT * FROM mysql.user"}, "1 1142 42000"},
	}
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				steps := walk(t, l.open(), script(c.sql...))
				f := steps[len(steps)-1].Result.Failure
				if f == nil {
					t.Fatal("no failure")
				}
				if got := place(f); got != c.want {
					t.Errorf("got %s (%s), want %s", got, f.Message, c.want)
				}
			})
		}
	})
}

func place(f *gate.Failure) string {
	return strconv.Itoa(f.Line) + " " + f.Code + " " + f.SQLState
}

// TestHalfApplied: the third of five statements fails, and the first two stay.
func TestHalfApplied(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		s := l.open()
		m := script("ALTER TABLE a ADD c int", "UPDATE a SET c = 1", "ALTER TABLE a ADD c int", "ALTER TABLE b ADD c int", "INSERT INTO b (id) VALUES (9)")
		steps := walk(t, s, m)
		if len(steps) != 3 || steps[2].Result.Failure == nil || steps[2].Result.Failure.Statement != 2 {
			t.Fatalf("want the third statement to fail: %s", ran(steps))
		}
		if steps[2].Facts.DDL != nil {
			t.Errorf("an algorithm for what was not done: %+v", steps[2].Facts.DDL)
		}
		if got := l.read("SELECT CONCAT(SUM(c), ' ', (SELECT COUNT(*) FROM b)) FROM a"); got != "3 2" {
			t.Errorf("left %s", got)
		}
		// Once more, on a new connection, as the tool would be started again.
		steps = walk(t, l.open(), m)
		if f := steps[0].Result.Failure; f == nil || f.Code != "1060" {
			t.Errorf("the rerun: %s", ran(steps))
		}
	})
}

// TestHostile: what the owner of one schema may not do is refused, not done.
func TestHostile(t *testing.T) {
	cases := []struct{ sql, mysql, maria string }{
		{"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE a", "3948", "4166"},
		{"LOAD DATA INFILE '/etc/passwd' INTO TABLE a", "1045", "1045"},
		{"SELECT * FROM a INTO OUTFILE '/tmp/migration-gate-hostile'", "1227", "1227"},
		{"SELECT * FROM a INTO DUMPFILE '/tmp/migration-gate-hostile'", "1227", "1227"},
		{"INSTALL PLUGIN x SONAME 'auth_socket.so'", "1142", "1142"},
		{"SET GLOBAL max_connections = 5", "1227", "1227"},
		{"SET GLOBAL local_infile = 1", "1227", "1227"},
		{"CREATE USER u@'%' IDENTIFIED BY 'x'", "1227", "1227"},
		{"GRANT SUPER ON *.* TO migrator@'%'", "1045", "1045"},
		{"CREATE DATABASE other_one", "1044", "1044"},
		{"DROP DATABASE mysql", "1044", "1044"},
		{"FLUSH TABLES WITH READ LOCK", "1227", "1227"},
		{"SHUTDOWN", "1227", "1227"},
		{"UPDATE performance_schema.setup_consumers SET ENABLED = 'NO'", "1142", "1142"},
		{"CREATE FUNCTION f RETURNS STRING SONAME 'udf.so'", "1044", "1044"},
	}
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		for _, c := range cases {
			t.Run(c.sql, func(t *testing.T) {
				want := c.mysql
				if opt.MariaDB {
					want = c.maria
				}
				steps := walk(t, l.open(), script(c.sql))
				if f := steps[0].Result.Failure; f == nil || !strings.Contains(want, f.Code) {
					t.Errorf("failure %+v, want %s", f, want)
				}
			})
		}
	})
}

// TestLocalFilesStayLocal: not even a server that asks gets a file.
func TestLocalFilesStayLocal(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			server := snapshottest.MySQLAlone(t, flavour, nil)
			l := newLab(t, server, Options{MariaDB: strings.HasPrefix(flavour, snapshot.MariaDB)}, seed)
			l.exec("SET GLOBAL local_infile = 1")
			steps := walk(t, l.open(), script("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE a", "SELECT 1"))
			if f := steps[0].Result.Failure; f == nil || f.Code != "3948" {
				t.Errorf("failure %+v", f)
			}
			if got := l.read("SELECT COUNT(*) FROM a"); got != "3" {
				t.Errorf("%s rows", got)
			}
		})
	}
}

// TestKilled: a migration that ends its own connection has failed, and the
// server is there for the next.
func TestKilled(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for _, sql := range []string{"KILL CONNECTION_ID()", "KILL QUERY CONNECTION_ID()"} {
			l := newLab(t, server, opt, seed)
			s := l.open()
			steps := walk(t, s, script("BEGIN", "INSERT INTO a (id) VALUES (100)", sql, "INSERT INTO a (id) VALUES (101)"))
			f := steps[len(steps)-1].Result.Failure
			if len(steps) != 3 || f == nil || f.Code != "1317" && f.Code != "2013" && f.Code != "1927" {
				t.Errorf("%s: %s, %+v", sql, ran(steps), f)
			}
			if got := l.read("SELECT COUNT(*) FROM a"); got != "3" {
				t.Errorf("%s: %s rows", sql, got)
			}
			if err := s.Start(t.Context(), script("SELECT 1")); (err != nil) != (sql == "KILL CONNECTION_ID()") {
				t.Errorf("%s, and the next script: %v", sql, err)
			}
		}
	})
}

// TestServerGone: a server that ends says nothing of the migration.
func TestServerGone(t *testing.T) {
	server := snapshottest.MySQLAlone(t, "", nil)
	l := &lab{t: t, server: server}
	s, err := Open(t.Context(), l.dsn(server.User, server.Password, ""), l.dsn(server.User, server.Password, ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	if err := s.Start(t.Context(), script("SHUTDOWN", "SELECT SLEEP(20)")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	r, err := s.Exec(t.Context(), 1)
	if err == nil && r.Failure != nil && r.Failure.Code != "1053" { // "server shutdown in progress"
		t.Errorf("booked to the migration: %+v", r.Failure)
	}
	if err != nil && !strings.Contains(err.Error(), "server ended") {
		t.Errorf("error %v", err)
	}
}

// TestCancelled: the gate's own time-out is no failure of the statement.
func TestCancelled(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		s := newLab(t, server, opt, seed).open()
		ctx, cancel := context.WithCancel(t.Context())
		if err := s.Start(ctx, script("SELECT SLEEP(30)")); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(100*time.Millisecond, cancel)
		if r, err := s.Exec(ctx, 0); err == nil {
			t.Errorf("no error: %+v", r)
		}
	})
}

// TestMessages: warnings reach the report, with their numbers.
func TestMessages(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		steps := walk(t, l.open(), script("SET sql_mode = ''", "INSERT INTO a (id, v) VALUES (100, REPEAT('x', 50))",
			"DROP TABLE IF EXISTS nowhere", "INSERT INTO a (id, v) VALUES (101, REPEAT('x', 50))", "SET @n = ROW_COUNT()", "SELECT 1"))
		var got []string
		for _, s := range steps {
			for _, m := range s.Result.Messages {
				got = append(got, m.Severity+" "+m.Code)
			}
		}
		if s := strings.Join(got, ", "); s != "Warning 1265, Note 1051, Warning " {
			t.Errorf("messages %q", s)
		}
		if m := steps[3].Result.Messages[0]; m.Text != "1 warnings, not read: the next statement may ask for ROW_COUNT()" {
			t.Errorf("message %q", m.Text)
		}
	})
}

// TestTold: what OPTIMIZE says in rows is a message, an error of it included.
func TestTold(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		steps := walk(t, l.open(), script("OPTIMIZE TABLE a", "ANALYZE TABLE a, nowhere"))
		if m := steps[0].Result.Messages; len(m) != 1 || m[0].Severity != "note" || !strings.Contains(m[0].Text, "doing recreate + analyze instead") {
			t.Errorf("OPTIMIZE: %+v", m)
		}
		if m := steps[1].Result.Messages; len(m) == 0 || m[0].Severity != "Error" || !strings.Contains(m[0].Text, "nowhere' doesn't exist") {
			t.Errorf("ANALYZE: %+v", m)
		}
	})
}

// TestSQLMode: the server's default, or the one that was asked for.
func TestSQLMode(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		for mode, want := range map[string]string{"": "1406", "NO_BACKSLASH_ESCAPES": "", "it's": "error"} {
			l.opt.SQLMode = mode
			s, err := Open(t.Context(), l.owner(), l.dsn(server.User, server.Password, ""), l.opt)
			if err != nil {
				if want != "error" {
					t.Error(err)
				}
				continue
			}
			got := ""
			if f := walk(t, s, script("UPDATE a SET v = REPEAT('x', 50)"))[0].Result.Failure; f != nil {
				got = f.Code
			}
			if got != want {
				t.Errorf("mode %q: error %q, want %q", mode, got, want)
			}
			_ = s.Close(t.Context())
		}
	})
}

// TestLongReplies: the state at the end of a reply is found behind rows of any
// length and number.
func TestLongReplies(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, ten)
		const many = "SELECT o.i FROM ten o, ten p, ten q, ten r"
		steps := walk(t, l.open(), script("BEGIN", many, "SELECT REPEAT(CHAR(254 USING latin1), 5000)", "SELECT REPEAT('x', 15000000), 1",
			"SELECT '', NULL", "SELECT 1 WHERE 1 = 0", "COMMIT", many))
		var rows []int64
		for n, s := range steps {
			if f := s.Result.Failure; f != nil {
				t.Fatalf("statement %d: %s", n, f.Message)
			}
			if open := n < 6; s.Result.InBlock != open || s.Result.Ended == open {
				t.Errorf("statement %d: in block %v, ended %v", n, s.Result.InBlock, s.Result.Ended)
			}
			rows = append(rows, s.Result.Rows)
		}
		if want := []int64{0, 10000, 1, 1, 1, 0, 0, 10000}; len(rows) != len(want) || rows[1] != want[1] || rows[3] != 1 || rows[5] != 0 || rows[7] != want[7] {
			t.Errorf("rows %v, want %v", rows, want)
		}
		if tag := steps[1].Result.Tag; tag != "SELECT 10000" {
			t.Errorf("tag %q", tag)
		}
	})
}
