package observe_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	apply "github.com/migration-gate/migration-gate/gate/apply/postgres"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	locks "github.com/migration-gate/migration-gate/lockbudget/postgres"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// lab is a server with a baseline that a setup script built.
type lab struct {
	server *postgres.Server
	base   *postgres.Baseline
}

var labs atomic.Int64

// newLab builds a sealed baseline by running setup as its owner.
func newLab(t *testing.T, major, setup string) *lab {
	t.Helper()
	ctx := t.Context()
	s, err := postgres.Connect(ctx, snapshottest.Server(t, major))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	name := fmt.Sprintf("observe_%d", labs.Add(1))
	base, err := s.Empty(ctx, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Drop(context.Background(), name) })
	open := func(ctx context.Context) (observe.Session, error) { return apply.Open(ctx, base.Unsealed().OwnerDSN()) }
	if err := observe.CatchUp(ctx, open, []migration.Migration{{Version: "0", Up: script(t, "setup.sql", setup)}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := base.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	return &lab{s, base}
}

// clone makes an experiment that is gone after the test.
func (l *lab) clone(t *testing.T) observe.Lab {
	t.Helper()
	name := fmt.Sprintf("observe_%d", labs.Add(1))
	after, err := l.base.Clone(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.server.Drop(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	before := l.base.Database()
	return observe.Lab{
		Baseline: before, Clone: after,
		Open: func(ctx context.Context) (observe.Session, error) { return apply.Open(ctx, after.OwnerDSN()) },
		Watch: func(ctx context.Context) (observe.Watcher, error) {
			return locks.NewSampler(ctx, l.server.Database("postgres").AdminDSN(), after.Name())
		},
		Impact: locks.Impact, RowLocks: locks.RowLocks,
		Compare: func(ctx context.Context, only []string) ([]snapshot.DataDiff, int, error) {
			return postgres.Compare(ctx, before, after, postgres.CompareOptions{Prefix: "_deprecated_", Only: only})
		},
	}
}

// script parses SQL as golang-migrate sends it: one string.
func script(t *testing.T, file, sql string) migration.Script {
	t.Helper()
	st, err := migration.ParseScript(file, []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	return migration.Script{File: file, Direction: migration.Up, Statements: st}
}

// change makes a migration of an up and a down script.
func change(t *testing.T, n int, up, down string) gate.Migration {
	m := migration.Migration{Version: fmt.Sprint(n), Number: int64(n), Name: "m", Up: script(t, fmt.Sprintf("migrations/%d_m.up.sql", n), up)}
	if down != "" {
		d := script(t, fmt.Sprintf("migrations/%d_m.down.sql", n), down)
		d.Direction = migration.Down
		m.Down = &d
	}
	return gate.Migration{Migration: m}
}

// applied walks the ups and fails the test where the gate could not observe.
func applied(t *testing.T, lab observe.Lab, ms ...gate.Migration) *gate.Observation {
	t.Helper()
	o := &gate.Observation{SchemaVersion: gate.ObservationVersion, Migrations: ms}
	if err := observe.Apply(t.Context(), lab, o, observe.Options{Every: 2 * time.Millisecond, MaxGap: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	return o
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
