package observe

import (
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/lockbudget"
)

// TestSettle: only what left no trace takes its algorithm from the probe.
func TestSettle(t *testing.T) {
	best := func(algorithm string) *gate.BestDDL { return &gate.BestDDL{Algorithm: algorithm} }
	cases := []struct {
		name string
		ddl  gate.OnlineDDL
		want string
	}{
		{"instant", gate.OnlineDDL{Best: best("INSTANT")}, "INSTANT"},
		{"in place", gate.OnlineDDL{Best: best("INPLACE")}, "INPLACE"},
		{"MariaDB's name for in place without a rebuild", gate.OnlineDDL{Best: best("NOCOPY")}, "INPLACE"},
		{"seen", gate.OnlineDDL{Algorithm: "COPY", Rebuild: true, Best: best("INSTANT")}, "COPY"},
		{"a rebuild is neither", gate.OnlineDDL{Rebuild: true, Best: best("INSTANT")}, ""},
		{"copied at best, and yet nothing was", gate.OnlineDDL{Best: best("COPY")}, ""},
		{"not asked", gate.OnlineDDL{}, ""},
		{"could not be asked", gate.OnlineDDL{Best: &gate.BestDDL{Unasked: "no"}}, ""},
	}
	for _, c := range cases {
		if settle(&c.ddl); c.ddl.Algorithm != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.ddl.Algorithm, c.want)
		}
	}
}

// TestLevelOf: which LOCK describes a statement is told by what held longest on
// the table itself, whatever short exclusive locks stand at its ends.
func TestLevelOf(t *testing.T) {
	j := joiner{impact: func(mode, _ string, _ bool) lockbudget.Impact {
		return map[string]lockbudget.Impact{
			"EXCLUSIVE": lockbudget.BlocksReads | lockbudget.BlocksWrites, "SHARED_NO_WRITE": lockbudget.BlocksWrites, "SHARED_UPGRADABLE": lockbudget.BlocksDDL,
		}[mode]
	}}
	held := func(mode string, ms float64) gate.LockWindow {
		return gate.LockWindow{Table: "shop.orders", Mode: mode, AtLeastMS: ms, AtMostMS: ms + 1000, Migration: 1, Statement: 2}
	}
	of := func(w gate.LockWindow, f func(*gate.LockWindow)) gate.LockWindow { f(&w); return w }
	elsewhere := []gate.LockWindow{
		of(held("SHARED_NO_WRITE", 5000), func(w *gate.LockWindow) { w.Table = "shop.lines" }),
		of(held("SHARED_NO_WRITE", 5000), func(w *gate.LockWindow) { w.Statement = 1 }),
		of(held("SHARED_NO_WRITE", 5000), func(w *gate.LockWindow) { w.Migration = 0 }),
		of(held("SHARED_NO_WRITE", 5000), func(w *gate.LockWindow) { w.RowLocks = true }),
	}
	for _, c := range []struct {
		name, algorithm string
		windows         []gate.LockWindow
		want            string
	}{
		{"in place, writes pass", "INPLACE", []gate.LockWindow{held("EXCLUSIVE", 2), held("SHARED_UPGRADABLE", 900), held("EXCLUSIVE", 30)}, "NONE"},
		{"in place, writers kept out", "INPLACE", []gate.LockWindow{held("EXCLUSIVE", 2), held("SHARED_NO_WRITE", 900), held("EXCLUSIVE", 30)}, "SHARED"},
		{"in place, a short lock against writers", "INPLACE", []gate.LockWindow{held("SHARED_NO_WRITE", 5), held("SHARED_UPGRADABLE", 900), held("EXCLUSIVE", 30)}, "NONE"},
		{"in place, exclusive all through", "INPLACE", []gate.LockWindow{held("EXCLUSIVE", 900)}, "EXCLUSIVE"},
		{"in place, let go of in between, for longer than was seen", "INPLACE", []gate.LockWindow{held("EXCLUSIVE", 300), held("SHARED_UPGRADABLE", 1), held("EXCLUSIVE", 300)}, "NONE"},
		{"a copy", "COPY", []gate.LockWindow{held("SHARED_NO_WRITE", 900), held("EXCLUSIVE", 80)}, "SHARED"},
		{"a copy whose first lock nothing saw", "COPY", []gate.LockWindow{held("EXCLUSIVE", 80)}, "SHARED"},
		{"a copy, exclusive all through", "COPY", []gate.LockWindow{held("EXCLUSIVE", 950)}, "EXCLUSIVE"},
	} {
		d := &gate.OnlineDDL{Table: "shop.orders", Algorithm: c.algorithm}
		if got := j.levelOf(append(elsewhere, c.windows...), 1, 2, d, 1000); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
