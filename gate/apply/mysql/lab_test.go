package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// onEveryFlavour runs a test on MySQL and on MariaDB.
func onEveryFlavour(t *testing.T, f func(t *testing.T, server *snapshot.Target, opt Options)) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			f(t, snapshottest.MySQL(t, flavour), Options{MariaDB: strings.HasPrefix(flavour, snapshot.MariaDB)})
		})
	}
}

var databases atomic.Int64

// lab is a database of the test's own, and the account that owns it.
type lab struct {
	t      testing.TB
	server *snapshot.Target
	opt    Options
	name   string
	root   *sql.DB
}

const seed = `
CREATE TABLE a (id int PRIMARY KEY, v varchar(40), n int);
INSERT INTO a VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3);
CREATE TABLE b (id int PRIMARY KEY, a_id int);
INSERT INTO b VALUES (1, 1), (2, 2);`

// newLab makes a database, filled by statements parted by ";\n", and an account
// with all rights on it and none elsewhere.
func newLab(t testing.TB, server *snapshot.Target, opt Options, fill string) *lab {
	t.Helper()
	l := &lab{t: t, server: server, opt: opt, name: fmt.Sprintf("session_test_%d", databases.Add(1))}
	var err error
	if l.root, err = sql.Open("mysql", l.dsn(server.User, server.Password, "")); err != nil {
		t.Fatal(err)
	}
	l.exec("CREATE DATABASE "+l.name, "CREATE USER IF NOT EXISTS migrator@'%' IDENTIFIED BY 'm'", "GRANT ALL ON "+l.name+".* TO migrator@'%'")
	t.Cleanup(func() {
		l.exec("DROP DATABASE " + l.name)
		_ = l.root.Close()
	})
	l.fill(fill)
	return l
}

func (l *lab) dsn(user, password, database string) string {
	return fmt.Sprintf("%s:%s@tcp(%s:%d)/%s", user, password, l.server.Host, l.server.Port, database)
}

func (l *lab) owner() string { return l.dsn("migrator", "m", l.name) }

// exec runs SQL as administrator.
func (l *lab) exec(statements ...string) {
	l.t.Helper()
	for _, s := range statements {
		if _, err := l.root.Exec(s); err != nil {
			l.t.Fatalf("%s: %v", s, err)
		}
	}
}

// fill runs statements in the database, as administrator.
func (l *lab) fill(text string) {
	l.t.Helper()
	if strings.TrimSpace(text) == "" {
		return
	}
	c, err := l.root.Conn(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	for _, s := range append([]string{"USE " + l.name}, parts(text)...) {
		if _, err := c.ExecContext(context.Background(), s); err != nil {
			l.t.Fatalf("%s: %v", s, err)
		}
	}
	if _, err := c.ExecContext(context.Background(), "USE mysql"); err != nil {
		l.t.Fatal(err)
	}
}

// parts of a text, at each semicolon that ends a line.
func parts(text string) []string {
	var out []string
	for _, s := range strings.Split(text, ";\n") {
		if s = strings.TrimSuffix(strings.TrimSpace(s), ";"); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// read returns the only value of a query, as administrator.
func (l *lab) read(query string) string {
	l.t.Helper()
	c, err := l.root.Conn(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	var s sql.NullString
	if _, err := c.ExecContext(context.Background(), "USE "+l.name); err != nil {
		l.t.Fatal(err)
	}
	if err := c.QueryRowContext(context.Background(), query).Scan(&s); err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
	return s.String
}

func (l *lab) open() *Session {
	l.t.Helper()
	s, err := Open(context.Background(), l.owner(), l.dsn(l.server.User, l.server.Password, ""), l.opt)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// script makes one of statements, one a line.
func script(statements ...string) *migration.Script {
	s := &migration.Script{File: "m.sql", Direction: migration.Up}
	line := 1
	for i, text := range statements {
		end := line + strings.Count(text, "\n")
		s.Statements = append(s.Statements, migration.Statement{
			File: "m.sql", Line: line, EndLine: end, Column: 1, SQL: text, Batch: i, Facts: migration.Facts{Analysed: true},
		})
		line = end + 1
	}
	return s
}

func wrapped(statements ...string) *migration.Script {
	s := script(statements...)
	s.Wrapped = true
	return s
}

// walk runs a script as the observer does.
func walk(t testing.TB, s observe.Session, m *migration.Script) []sessiontest.Step {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	steps, err := sessiontest.Walk(ctx, s, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// ran is the walk of a script in a few words: how each statement ran and what
// it ended, and the failure.
func ran(steps []sessiontest.Step) string {
	var out []string
	for _, s := range steps {
		w := s.Result.How
		if s.Result.InBlock {
			w += ", open"
		}
		if s.Result.Ended {
			w += ", ended"
		}
		if f := s.Result.Failure; f != nil {
			w += " E" + f.Code
			if s.Result.Committed {
				w += " kept"
			}
		}
		if s.Commit.Ended {
			w += "; " + s.Commit.Tag
			if f := s.Commit.Failure; f != nil {
				w += " E" + f.Code
			}
		}
		out = append(out, w)
	}
	return strings.Join(out, " | ")
}

// connectMany opens a connection that takes many statements in one string.
func connectMany(ctx context.Context, dsn string) (driver.Conn, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.MultiStatements = true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}
