// Package lockbudgettest is the conformance suite of lockbudget.Sampler: what
// every engine's look at its lock table must show.
package lockbudgettest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/lockbudget"
)

// Held is a lock that the environment holds or waits for.
type Held struct {
	Session int64
	Object  string
	Release func()
}

// Env is a database with one table, watched by Sampler.
type Env struct {
	Sampler interface {
		lockbudget.Sampler
		Close(ctx context.Context) error
	}
	// Modes of the engine with their impact on a table.
	Modes map[string]lockbudget.Impact
	// Exclusive is a mode that conflicts with itself.
	Exclusive string
	// Hold takes a lock on the table in a session of its own, in an open
	// transaction. Await does the same, and returns while it is still waiting.
	Hold, Await func(t *testing.T, mode string) Held
	// HidesWaiters: the engine shows granted locks only.
	HidesWaiters bool
	// HoldElsewhere takes the exclusive lock where the sampler does not look:
	// in another database of the same server, or by another account.
	HoldElsewhere func(t *testing.T) Held
}

// Exercise runs the suite; open is called once for each part.
func Exercise(t *testing.T, open func(t *testing.T) Env) {
	for name, part := range map[string]func(*testing.T, Env){
		"nothing is locked at rest": rest, "modes": modes, "waiting": waiting, "another database": elsewhere,
		"several goroutines": concurrent, "closed": closed, "recorder": recorder,
	} {
		t.Run(name, func(t *testing.T) { part(t, open(t)) })
	}
}

func look(t *testing.T, e Env) []lockbudget.Lock {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	locks, err := e.Sampler.Sample(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return locks
}

func find(locks []lockbudget.Lock, h Held) *lockbudget.Lock {
	i := slices.IndexFunc(locks, func(l lockbudget.Lock) bool { return l.Session == h.Session && l.Object == h.Object })
	if i < 0 {
		return nil
	}
	return &locks[i]
}

func rest(t *testing.T, e Env) {
	for range 3 { // the look itself must not show
		if locks := look(t, e); len(locks) != 0 {
			t.Fatalf("%+v", locks)
		}
	}
}

func modes(t *testing.T, e Env) {
	for mode, impact := range e.Modes {
		h := e.Hold(t, mode)
		locks := look(t, e)
		l := find(locks, h)
		if l == nil {
			t.Errorf("%s is not seen: %+v", mode, locks)
		} else if l.Mode != mode || l.Impact != impact || !l.Granted {
			t.Errorf("%s: want impact %q and granted, got %+v", mode, impact.Strings(), *l)
		}
		h.Release()
		if locks := look(t, e); len(locks) != 0 {
			t.Errorf("%s: after its release: %+v", mode, locks)
		}
	}
}

func waiting(t *testing.T, e Env) {
	h := e.Hold(t, e.Exclusive)
	w := e.Await(t, e.Exclusive)
	locks := look(t, e)
	if l := find(locks, w); e.HidesWaiters && l == nil {
		t.Log("this engine does not show who waits")
	} else if l == nil || l.Granted || l.Mode != e.Exclusive || l.Impact != e.Modes[e.Exclusive] {
		t.Errorf("want a lock that is awaited, with its full impact: %+v", locks)
	}
	if l := find(locks, h); l == nil || !l.Granted {
		t.Errorf("want the holder's lock granted: %+v", locks)
	}
	h.Release()
	deadline := time.Now().Add(5 * time.Second)
	for {
		if l := find(look(t, e), w); l != nil && l.Granted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the waiter never got its lock")
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.Release()
}

func elsewhere(t *testing.T, e Env) {
	h := e.HoldElsewhere(t)
	defer h.Release()
	if locks := look(t, e); len(locks) != 0 {
		t.Errorf("another database's locks are shown: %+v", locks)
	}
}

func concurrent(t *testing.T, e Env) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if _, err := e.Sampler.Sample(context.Background()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// closed: a sampler that cannot look says so.
func closed(t *testing.T, e Env) {
	if err := e.Sampler.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if locks, err := e.Sampler.Sample(context.Background()); err == nil {
		t.Errorf("a closed sampler shows %+v without an error", locks)
	}
}

// recorder: a lock held while the ticker runs becomes one window, and a
// sampler that dies fails the recording.
func recorder(t *testing.T, e Env) {
	ctx := context.Background()
	r := lockbudget.NewRecorder(e.Sampler, time.Millisecond)
	r.Start(ctx)
	before := time.Now()
	h := e.Hold(t, e.Exclusive)
	taken := time.Now()
	time.Sleep(50 * time.Millisecond)
	giving := time.Now()
	h.Release()
	given := time.Now()
	time.Sleep(20 * time.Millisecond)
	rec, err := r.Stop()
	if err != nil {
		t.Fatal(err)
	}
	windows := rec.Windows()
	if len(windows) != 1 {
		t.Fatalf("want one window: %+v", windows)
	}
	w := windows[0]
	if w.Object != h.Object || w.Mode != e.Exclusive || w.Session != h.Session || w.Open {
		t.Errorf("%+v", w)
	}
	if w.AtLeast > given.Sub(before) || w.AtMost < giving.Sub(taken) {
		t.Errorf("bounds %s to %s; the lock was held for %s to %s", w.AtLeast, w.AtMost, giving.Sub(taken), given.Sub(before))
	}

	r = lockbudget.NewRecorder(e.Sampler, time.Millisecond)
	r.Start(ctx)
	if err := e.Sampler.Close(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	if _, err := r.Stop(); err == nil {
		t.Error("the sampler died and the recording says nothing of it")
	}
}
