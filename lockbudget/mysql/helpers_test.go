package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

var databases atomic.Int64

// place is a database of its own, with an account that owns it.
type place struct {
	server  *snapshot.Target
	name    string // of the database, and of the account
	mariaDB bool
	root    *sql.Conn
}

func dsn(server *snapshot.Target, user, password, database string) string {
	c := driver.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", fmt.Sprintf("%s:%d", server.Host, server.Port), user, password, database
	return c.FormatDSN()
}

func connect(t testing.TB, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = db.Close() })
	return c
}

func exec(t testing.TB, c *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

const password = "Pr0be_only"

// newPlace makes a database with a table t and fills it.
func newPlace(t testing.TB, flavour string, fill ...string) *place {
	t.Helper()
	return placeOn(t, snapshottest.MySQL(t, flavour), flavour, fill...)
}

func placeOn(t testing.TB, server *snapshot.Target, flavour string, fill ...string) *place {
	t.Helper()
	p := &place{server: server, name: fmt.Sprintf("sampler_test_%d", databases.Add(1)),
		mariaDB: snapshottest.MySQLSpec(flavour).Engine == snapshot.MariaDB}
	p.root = connect(t, dsn(server, server.User, server.Password, ""))
	// RELOAD, for FLUSH TABLES … WITH READ LOCK.
	exec(t, p.root, "CREATE DATABASE "+p.name, "CREATE USER "+p.name+"@'%' IDENTIFIED BY '"+password+"'",
		"GRANT ALL ON "+p.name+".* TO "+p.name+"@'%'", "GRANT RELOAD ON *.* TO "+p.name+"@'%'")
	t.Cleanup(func() { exec(t, p.root, "DROP DATABASE "+p.name, "DROP USER "+p.name+"@'%'") })
	exec(t, p.root, "USE "+p.name, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40), n INT)", "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)")
	exec(t, p.root, fill...)
	return p
}

// table is the lock table's name of a table of this place.
func (p *place) table(name string) string { return p.name + "." + name }

func (p *place) watch(t testing.TB) *Sampler {
	t.Helper()
	s, err := NewSampler(context.Background(), dsn(p.server, p.server.User, p.server.Password, ""), Options{Owner: p.name, MariaDB: p.mariaDB})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// session is the migration's connection, as one that measures it uses it.
type session struct {
	*sql.Conn
	id     int64
	locked bool // LOCK TABLES is in force
	open   bool // a transaction is
}

func (p *place) connect(t testing.TB) *session {
	t.Helper()
	s := &session{Conn: connect(t, dsn(p.server, p.name, password, p.name))}
	if err := s.QueryRowContext(context.Background(), "SELECT CONNECTION_ID()").Scan(&s.id); err != nil {
		t.Fatal(err)
	}
	return s
}

// step is what one statement did.
type step struct {
	sent, received time.Time
	phases         []lockbudget.TimedPhase
	err            error
}

// run walks statements as the observer does, and records them.
func (s *session) run(t testing.TB, watch *Sampler, every time.Duration, statements ...string) (lockbudget.Recording, []step) {
	t.Helper()
	ctx := context.Background()
	r := lockbudget.NewRecorder(watch, every)
	r.Own(s.id)
	r.Start(ctx)
	var steps []step
	for n, text := range statements {
		steps = append(steps, s.step(t, watch, r, n, text))
	}
	time.Sleep(10 * time.Millisecond)
	rec, err := r.Stop()
	if err != nil {
		t.Fatal(err)
	}
	return rec, steps
}

func (s *session) step(t testing.TB, watch *Sampler, r *lockbudget.Recorder, n int, text string) step {
	t.Helper()
	ctx := context.Background()
	var st step
	st.sent = time.Now()
	_, st.err = s.ExecContext(ctx, text)
	st.received = time.Now()
	switch verb := strings.ToUpper(text); {
	case strings.HasPrefix(verb, "LOCK TABLES"), strings.HasPrefix(verb, "FLUSH TABLES"):
		s.locked = true
	case strings.HasPrefix(verb, "UNLOCK"):
		s.locked = false
	case strings.HasPrefix(verb, "BEGIN"):
		s.open = true
	case strings.HasPrefix(verb, "ALTER"), strings.HasPrefix(verb, "CREATE"), strings.HasPrefix(verb, "DROP"), strings.HasPrefix(verb, "COMMIT"):
		s.open = false
	}
	held := s.locked || s.open
	r.Stamp(lockbudget.Statement, n, st.sent, st.received, !held, held)
	if err := r.Boundary(ctx); err != nil {
		t.Fatal(err)
	}
	var err error
	if st.phases, err = watch.Phases(ctx, st.sent, st.received, nil); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r.Phases(n, st.phases)
	return st
}

// code is the server's number of an error, 0 for none.
func code(err error) uint16 {
	var refused *driver.MySQLError
	if errors.As(err, &refused) {
		return refused.Number
	}
	return 0
}

// flavours runs a test on each.
func flavours(t *testing.T, f func(t *testing.T, flavour string)) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) { f(t, flavour) })
	}
}
