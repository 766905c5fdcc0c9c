package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// onEveryMajor runs a test on every major version.
func onEveryMajor(t *testing.T, f func(t *testing.T, server *snapshot.Target)) {
	for _, major := range snapshottest.Majors(t) {
		t.Run("postgres "+major, func(t *testing.T) { f(t, snapshottest.Server(t, major)) })
	}
}

var databases atomic.Int64

// lab is a database of the test's own, and the role that owns it.
type lab struct {
	t      testing.TB
	server *snapshot.Target
	name   string
	admin  *pgx.Conn
	owner  *pgx.Conn
}

const seed = `
CREATE TABLE a (id int PRIMARY KEY, v text, n int);
INSERT INTO a SELECT i, 'row ' || i, i % 7 FROM generate_series(1, 20) i;
CREATE TABLE b (id int PRIMARY KEY, a_id int);
INSERT INTO b SELECT i, i FROM generate_series(1, 10) i;
CREATE SEQUENCE s;
CREATE TYPE mood AS ENUM ('sad', 'ok');
`

// newLab makes a database owned by an ordinary role, filled by that role.
func newLab(t testing.TB, server *snapshot.Target, fill string) *lab {
	t.Helper()
	ctx := context.Background()
	name := fmt.Sprintf("session_test_%d", databases.Add(1))
	root := connect(t, server, "postgres", server.User, server.Password)
	for _, sql := range []string{
		`DO $$ BEGIN CREATE ROLE migrator LOGIN PASSWORD 'm'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`CREATE DATABASE ` + name + ` OWNER migrator`,
	} {
		if _, err := root.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	l := &lab{t: t, server: server, name: name, admin: connect(t, server, name, server.User, server.Password)}
	t.Cleanup(func() {
		_ = l.admin.Close(ctx)
		if _, err := root.Exec(ctx, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	l.owner = connect(t, server, name, "migrator", "m")
	if fill != "" {
		l.reset(fill)
		l.exec("VACUUM ANALYZE")
	}
	return l
}

// reset empties the database and fills it anew.
func (l *lab) reset(fill string) {
	l.t.Helper()
	l.exec("DROP OWNED BY migrator CASCADE")
	if _, err := l.owner.Exec(context.Background(), fill); err != nil {
		l.t.Fatal(err)
	}
}

// commitPrepared ends what a script prepared and left, which would go on
// holding its locks for good.
func (l *lab) commitPrepared() {
	l.t.Helper()
	rows, err := l.admin.Query(context.Background(), "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
	if err != nil {
		l.t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		l.t.Fatal(err)
	}
	for _, name := range names {
		l.exec("COMMIT PREPARED '" + name + "'")
	}
}

// exec runs SQL as administrator.
func (l *lab) exec(sql string) {
	l.t.Helper()
	if _, err := l.admin.Exec(context.Background(), sql); err != nil {
		l.t.Fatal(err)
	}
}

func dsn(server *snapshot.Target, database, user, password string) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", server.Host, server.Port, user, password, database)
}

func connect(t testing.TB, server *snapshot.Target, database, user, password string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), dsn(server, database, user, password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func (l *lab) dsn() string { return dsn(l.server, l.name, "migrator", "m") }

func (l *lab) open(t testing.TB) *Session {
	t.Helper()
	s, err := Open(context.Background(), l.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// state is everything a script may have left: tables, columns, rows, indexes,
// enum values.
func (l *lab) state() string {
	l.t.Helper()
	ctx := context.Background()
	one := func(sql string) string {
		var s *string
		if err := l.admin.QueryRow(ctx, sql).Scan(&s); err != nil {
			l.t.Fatal(err)
		}
		if s == nil {
			return ""
		}
		return *s
	}
	var b strings.Builder
	b.WriteString(one(`SELECT string_agg(format('%s %s.%s %s', relkind, relnamespace::regnamespace, relname,
		(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN '!' ELSE '' END, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)),
		E'\n' ORDER BY relnamespace::regnamespace::text, relname) FROM pg_class c WHERE c.oid >= 16384 AND relnamespace::regnamespace::text NOT LIKE 'pg_%'`))
	b.WriteString("\n" + one(`SELECT string_agg(indexrelid::regclass || ' valid=' || indisvalid, E'\n' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indexrelid >= 16384 AND indexrelid::regclass::text NOT LIKE 'pg_toast%'`))
	b.WriteString("\n" + one(`SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum`))
	tables := one(`SELECT string_agg(oid::regclass::text, ' ' ORDER BY oid::regclass::text) FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND relnamespace::regnamespace::text NOT LIKE 'pg_%'`)
	for _, table := range strings.Fields(tables) {
		b.WriteString("\n" + table + ": " + one(`SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM `+table+` t`))
	}
	return b.String()
}

// outcome of a script.
type outcome struct {
	code     string
	line     int
	column   int
	message  string
	how      []string
	facts    []observe.Facts
	results  []observe.Result
	commits  []observe.Result
	warnings []string
}

// script reads SQL as the tools' files are read, in one batch.
func script(t testing.TB, sql string) *migration.Script {
	t.Helper()
	statements, err := migration.ParseScript("m.sql", []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	return &migration.Script{File: "m.sql", Direction: migration.Up, Statements: statements}
}

// walk runs a script the way the observer does.
func walk(t testing.TB, s observe.Session, m *migration.Script) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var o outcome
	fail := func(r observe.Result) bool {
		for _, m := range r.Messages {
			o.warnings = append(o.warnings, m.Code)
		}
		if f := r.Failure; f != nil {
			o.code, o.line, o.column, o.message = f.Code, f.Line, f.Column, f.Message
			return true
		}
		return false
	}
	if err := s.Start(ctx, m); err != nil {
		t.Fatal(err)
	}
	for n := range m.Statements {
		r, err := s.Exec(ctx, n)
		if err != nil {
			t.Fatalf("statement %d: %v", n, err)
		}
		o.results, o.how = append(o.results, r), append(o.how, r.How)
		facts, err := s.Boundary(ctx)
		if err != nil {
			t.Fatalf("boundary after %d: %v", n, err)
		}
		o.facts = append(o.facts, facts)
		if fail(r) {
			return o
		}
		c, err := s.Commit(ctx)
		if err != nil {
			t.Fatalf("commit after %d: %v", n, err)
		}
		o.commits = append(o.commits, c)
		if fail(c) {
			return o
		}
	}
	return o
}

// asOneString runs a file as the tools do: one simple query.
func asOneString(t testing.TB, l *lab, sql string) (code string, status byte, warnings []string) {
	t.Helper()
	ctx := context.Background()
	config, err := pgconn.ParseConfig(l.dsn())
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { warnings = append(warnings, n.Code) }
	c, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql).ReadAll()
	if refusal, ok := refusalOf(err); ok {
		code = refusal.Code
	} else if err != nil {
		t.Fatal(err)
	}
	return code, c.TxStatus(), warnings
}
