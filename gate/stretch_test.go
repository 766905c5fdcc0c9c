package gate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// window is a lock of session 8 on shop.orders, proven but for 2 ms.
func window(statement int, mode string, from, to float64, change ...func(*gate.LockWindow)) gate.LockWindow {
	blocks := map[string][]string{"SHARED_NO_WRITE": {"writes", "ddl"}, "SHARED_UPGRADABLE": {"ddl"}}[mode]
	if blocks == nil {
		blocks = []string{"reads", "writes", "ddl"}
	}
	w := gate.LockWindow{
		Relation: "shop.orders", Table: "shop.orders", Mode: mode, Blocks: blocks, Existing: true, Witness: "stages", Session: 8,
		Statement: statement, OpenedMS: from, ClosedMS: to, AtMostMS: to - from, AtMostAloneMS: to - from, AtLeastMS: to - from - 2,
	}
	for _, f := range change {
		f(&w)
	}
	return w
}

// TestStretches works the bounds out by hand.
func TestStretches(t *testing.T) {
	held := func(lines ...int) (refs []gate.StatementRef) {
		for _, l := range lines {
			refs = append(refs, gate.StatementRef{File: "x.sql", Line: l})
		}
		return refs
	}
	// want is what others live through, less what every window here has alike.
	want := func(blocks []string, mode string, from, to float64, change ...func(*gate.LockWindow)) gate.LockWindow {
		w := window(0, mode, from, to, change...)
		w.Blocks = blocks
		return w
	}
	both, writes, reads := []string{"reads", "writes"}, []string{"writes"}, []string{"reads"}
	for _, c := range []struct {
		name  string
		locks []gate.LockWindow
		want  []gate.LockWindow
	}{
		{
			name: "the mode that lasted longest, the weakest witness, and all of it the statement's own",
			locks: []gate.LockWindow{
				window(0, "EXCLUSIVE", 100, 400, func(w *gate.LockWindow) { w.Witness = "ticker" }),
				window(0, "SHARED_NO_WRITE", 0, 100),
			},
			want: []gate.LockWindow{
				want(writes, "EXCLUSIVE", 0, 400, func(w *gate.LockWindow) { w.Witness, w.AtLeastMS = "ticker", 396 }),
				want(reads, "EXCLUSIVE", 100, 400, func(w *gate.LockWindow) { w.Witness = "ticker" }),
			},
		},
		{
			name: "held across statements: the gate's own pause is left out, waits add up, what ran meanwhile is named once",
			locks: []gate.LockWindow{
				window(0, "SHARED_NO_READ_WRITE", 0, 1000, func(w *gate.LockWindow) {
					w.AtMostMS, w.AtLeastMS, w.AtMostAloneMS, w.HeldDuring = 900, 880, 5, held(2, 3)
					w.Waited, w.WaitedMS = true, 10
				}),
				window(1, "EXCLUSIVE", 1000, 1200, func(w *gate.LockWindow) { w.WaitedMS, w.HeldDuring = 30, held(3, 4) }),
			},
			want: []gate.LockWindow{want(both, "SHARED_NO_READ_WRITE", 0, 1200, func(w *gate.LockWindow) {
				w.AtMostMS, w.AtLeastMS, w.AtMostAloneMS, w.HeldDuring = 1100, 1078, 5, held(2, 3, 4)
				w.Waited, w.WaitedMS = true, 40
			})},
		},
		{
			name: "two that overlap prove no more than their time together",
			locks: []gate.LockWindow{
				window(0, "EXCLUSIVE", 0, 100, func(w *gate.LockWindow) { w.WaitedMS = 90 }),
				window(0, "EXCLUSIVE", 40, 120, func(w *gate.LockWindow) { w.WaitedMS = 70 }),
			},
			want: []gate.LockWindow{want(both, "EXCLUSIVE", 0, 120, func(w *gate.LockWindow) { w.AtLeastMS, w.WaitedMS = 116, 120 })},
		},
		{
			name:  "another session's lock is another stretch",
			locks: []gate.LockWindow{window(0, "EXCLUSIVE", 0, 100), window(0, "EXCLUSIVE", 100, 150, func(w *gate.LockWindow) { w.Session = 9 })},
			want: []gate.LockWindow{
				want(both, "EXCLUSIVE", 0, 100),
				want(both, "EXCLUSIVE", 100, 150, func(w *gate.LockWindow) { w.Session = 9 }),
			},
		},
		{
			name: "nobody waits for what is new, for row locks, or for what blocks DDL only",
			locks: []gate.LockWindow{
				window(0, "EXCLUSIVE", 0, 100, func(w *gate.LockWindow) { w.Existing = false }),
				window(0, "EXCLUSIVE", 0, 100, func(w *gate.LockWindow) { w.RowLocks = true }),
				window(0, "SHARED_UPGRADABLE", 0, 100),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := gate.Observation{Locks: c.locks, Migrations: []gate.Migration{
				{Migration: migration.Migration{Up: migration.Script{Statements: make([]migration.Statement, 4)}}},
			}}
			var got []gate.LockWindow
			for _, s := range o.Stretches() {
				got = append(got, s.LockWindow)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStretchesAcrossMigrations: the first statement of the next migration
// comes after the last of this one, though its number is lower.
func TestStretchesAcrossMigrations(t *testing.T) {
	script := migration.Migration{Up: migration.Script{Statements: make([]migration.Statement, 2)}}
	o := gate.Observation{
		Migrations: []gate.Migration{{Migration: script}, {Migration: script}},
		Locks:      []gate.LockWindow{window(1, "EXCLUSIVE", 0, 100), window(0, "EXCLUSIVE", 100, 200, func(w *gate.LockWindow) { w.Migration = 1 })},
	}
	if n := len(o.Stretches()); n != 2 {
		t.Errorf("%d stretches", n)
	}
}
