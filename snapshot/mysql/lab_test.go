package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// own gives a test a server of its own, with the product's settings and less
// memory, since a baseline is the first instance as a whole.
func own(t *testing.T, flavour string) (*mysql.Server, *snapshot.Target) {
	t.Helper()
	settings := maps.Clone(mysql.Settings(snapshottest.MySQLSpec(flavour).Engine))
	settings["innodb_buffer_pool_size"] = "256M"
	target := snapshottest.MySQLAlone(t, flavour, settings)
	s, err := mysql.Connect(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, target
}

// onBoth runs a test on every flavour, each time with a sealed baseline built
// by SQL as the migrating account.
func onBoth(t *testing.T, f func(t *testing.T, b *lab), statements ...string) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel() // most of the time goes into starting and stopping
			s, target := own(t, flavour)
			sealed(t, f, s, target, statements...)
		})
	}
}

// onGuestsToo runs it on somebody else's server as well, where databases have
// other names.
func onGuestsToo(t *testing.T, f func(t *testing.T, b *lab), statements ...string) {
	onBoth(t, f, statements...)
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour+", as a guest", func(t *testing.T) {
			t.Parallel()
			target := guestOf(t, snapshottest.MySQL(t, flavour), "maker")
			s, err := mysql.Connect(context.Background(), target)
			if err != nil {
				t.Fatal(err)
			}
			sealed(t, f, s, target, statements...)
		})
	}
}

func sealed(t *testing.T, f func(t *testing.T, b *lab), s *mysql.Server, target *snapshot.Target, statements ...string) {
	t.Helper()
	ctx := context.Background()
	base, err := s.Empty(ctx)
	if err != nil {
		t.Fatal(err)
	}
	run(t, base.Unsealed().OwnerDSN(), statements...)
	began := time.Now()
	if err := base.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if target != nil && target.Instances != nil {
		size, _ := target.Instances.Size(ctx, snapshot.FirstInstance)
		t.Logf("sealed in %v, %d MiB", time.Since(began).Round(time.Millisecond), size>>20)
	}
	f(t, &lab{s, base, target})
}

// lab is a sealed baseline and its server.
type lab struct {
	server *mysql.Server
	base   *mysql.Baseline
	target *snapshot.Target
}

func (l *lab) mariadb() bool { return l.server.Engine() == snapshot.MariaDB }

// on picks what belongs to the flavour.
func (l *lab) on(my, maria string) string {
	if l.mariadb() {
		return maria
	}
	return my
}

var clones atomic.Int64

// clone makes a clone that goes with the test.
func (l *lab) clone(t *testing.T) *mysql.Database {
	t.Helper()
	name := fmt.Sprintf("clone%d", clones.Add(1))
	began := time.Now()
	if err := l.base.Clone(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	t.Logf("cloned in %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := l.server.Drop(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return l.server.Database(name)
}

// started makes a database's instance run, for who connects by its DSN.
func started(t *testing.T, d *mysql.Database) *mysql.Database {
	t.Helper()
	if err := d.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return d
}

func dial(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run sends statements one by one in one session. "" is none.
func run(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	c := dial(t, dsn)
	defer c.Close()
	for _, q := range statements {
		if q == "" {
			continue
		}
		if _, err := c.ExecContext(context.Background(), q); err != nil {
			t.Fatalf("%s: %v", firstLine(q), err)
		}
	}
}

// script cuts a text into statements at ";;", which no statement has.
func script(text string) []string {
	var list []string
	for _, q := range strings.Split(text, ";;") {
		list = append(list, strings.TrimSpace(q))
	}
	return list
}

// ask returns the one row of a query, as text.
func ask(t *testing.T, dsn, query string) []string {
	t.Helper()
	row, err := try(t, dsn, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return row
}

// try returns the first row of a query as text, or the server's refusal.
func try(t *testing.T, dsn, query string) ([]string, error) {
	t.Helper()
	c := dial(t, dsn)
	defer c.Close()
	rows, err := c.QueryContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if !rows.Next() {
		return nil, rows.Err()
	}
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	var row []string
	for _, v := range values {
		row = append(row, v.String)
	}
	return row, nil
}
