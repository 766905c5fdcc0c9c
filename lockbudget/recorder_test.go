package lockbudget

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// table is a lock table in memory.
type table struct {
	mu    sync.Mutex
	locks []Lock
	err   error
	busy  int
}

func (s *table) set(locks []Lock, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks, s.err = locks, err
}

func (s *table) Sample(ctx context.Context) ([]Lock, error) {
	s.mu.Lock()
	if s.busy++; s.busy > 1 {
		panic("two looks at once")
	}
	s.mu.Unlock()
	time.Sleep(50 * time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return append([]Lock(nil), s.locks...), s.err
}

var exclusive = Lock{Session: 1, Object: "16384", Mode: "ACCESS EXCLUSIVE", Impact: BlocksReads | BlocksWrites | BlocksDDL, Granted: true}

func TestRecorder(t *testing.T) {
	ctx := context.Background()
	s := &table{}
	r := NewRecorder(s, time.Millisecond)
	r.Own(1)
	r.Start(ctx)
	sent := time.Now()
	s.set([]Lock{exclusive}, nil)
	taken := time.Now()
	r.Stamp(Statement, 0, sent, taken, false, true)
	if err := r.Boundary(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond)
	commit := time.Now()
	s.set(nil, nil)
	r.Stamp(Commit, 0, commit, time.Now(), true, false)
	time.Sleep(30 * time.Millisecond)
	rec, err := r.Stop()
	if err != nil {
		t.Fatal(err)
	}
	w := rec.Windows()
	if len(w) != 1 || w[0].Witness != ByBoundary || w[0].AtMost < commit.Sub(taken) || w[0].AtLeast > time.Since(sent) {
		t.Errorf("windows %+v", w)
	}
	if rec.Looks < 10 || rec.MedianGap <= 0 || rec.MaxGap < rec.MedianGap || len(rec.Samples) > 6 {
		t.Errorf("%d looks in %d samples, median gap %s, largest %s", rec.Looks, len(rec.Samples), rec.MedianGap, rec.MaxGap)
	}
	looks := 0
	for _, s := range rec.Samples {
		looks += s.Count
	}
	if looks != rec.Looks {
		t.Errorf("samples count %d of %d looks", looks, rec.Looks)
	}
	if _, err := r.Stop(); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
}

// TestFailsClosed: whatever ends the looking makes the recording an error.
func TestFailsClosed(t *testing.T) {
	broken := errors.New("connection reset")
	t.Run("sampler", func(t *testing.T) {
		s := &table{}
		r := NewRecorder(s, time.Millisecond)
		r.Start(context.Background())
		s.set(nil, broken)
		time.Sleep(10 * time.Millisecond)
		s.set(nil, nil) // as good as new, but nobody knows what was missed
		if err := r.Boundary(context.Background()); !errors.Is(err, broken) {
			t.Errorf("boundary: %v", err)
		}
		if _, err := r.Stop(); !errors.Is(err, broken) {
			t.Errorf("stop: %v", err)
		}
	})
	t.Run("first look", func(t *testing.T) {
		s := &table{err: broken}
		r := NewRecorder(s, 0)
		r.Start(context.Background())
		s.set(nil, nil)
		if _, err := r.Stop(); !errors.Is(err, broken) {
			t.Errorf("stop: %v", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		r := NewRecorder(&table{}, time.Millisecond)
		r.Start(ctx)
		cancel()
		time.Sleep(5 * time.Millisecond)
		if _, err := r.Stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("stop: %v", err)
		}
	})
}

func TestVoid(t *testing.T) {
	const ms = time.Millisecond
	look := func(at time.Duration) Sample {
		i := Interval{at, at + ms}
		return Sample{At: i, Last: i, Count: 1}
	}
	statement := func(from, to time.Duration, inBlock bool) Recording {
		return Recording{Stamps: []Stamp{{Event: Statement, Statement: 3, At: Interval{from, to}, Released: !inBlock, InBlock: inBlock}}}
	}
	for _, c := range []struct {
		name    string
		rec     Recording
		samples []Sample
		gap     time.Duration
	}{
		{"watched all through", statement(0, 300*ms, false), []Sample{look(0), look(90 * ms), look(180 * ms), look(270 * ms)}, 0},
		{"no look at all", statement(0, 300*ms, false), nil, 300 * ms},
		{"blind at the end", statement(0, 300*ms, false), []Sample{look(0), look(90 * ms)}, 210 * ms},
		{"blind at the start", statement(0, 300*ms, false), []Sample{look(240 * ms)}, 241 * ms},
		{"blind in the middle", statement(0, 300*ms, false), []Sample{look(0), look(50 * ms), look(260 * ms)}, 211 * ms},
		{"a gap within a run of looks", statement(0, 300*ms, false),
			[]Sample{{At: Interval{0, ms}, Last: Interval{299 * ms, 300 * ms}, Count: 5, MaxGap: 150 * ms}}, 150 * ms},
		{"in a block the boundary tells", statement(0, 300*ms, true), nil, 0},
		{"shorter than the limit", statement(0, 90*ms, false), nil, 0},
		{"the gap is outside", statement(400*ms, 510*ms, false), []Sample{look(0), look(399 * ms), look(450 * ms), look(509 * ms)}, 0},
		{"the gap is in a run of looks before it", statement(400*ms, 510*ms, false),
			[]Sample{{At: Interval{0, ms}, Last: Interval{398 * ms, 399 * ms}, Count: 5, MaxGap: 150 * ms}, look(450 * ms), look(509 * ms)}, 0},
	} {
		c.rec.Samples = c.samples
		err := c.rec.Void(100 * ms)
		var void *VoidError
		switch {
		case c.gap == 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.gap > 0 && (!errors.As(err, &void) || void.Gap != c.gap || void.Statement != 3):
			t.Errorf("%s: %v, want a gap of %s in statement 3", c.name, err, c.gap)
		}
	}
}

// TestReplay folds a recording kept as JSON, as a later version of the tool
// does with an artifact.
func TestReplay(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "recording.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rec Recording
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(rec.Windows(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "windows.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("(-golden +got)\n%s", diff)
	}
}
