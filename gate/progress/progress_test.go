package progress

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/migration-gate/migration-gate/gate"
)

// clock is a time that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// buffer may be written from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestPlainLinesWithHeartbeat(t *testing.T) {
	c, w := newClock(), &buffer{}
	p := New(w, "auto", false, c.now)
	defer p.Close()

	restore := p.Phase("restore")
	restore.Total(912_000_000, "bytes")
	restore.Set(200_000_000)
	c.add(14 * time.Second)
	p.pulse() // too early for a heartbeat
	restore.Set(374_000_000)
	c.add(8 * time.Second)
	p.pulse()
	p.pulse() // said already
	c.add(500 * time.Millisecond)
	restore.Done()
	restore.Done()

	apply := p.Phase("apply")
	apply.Total(14, "statements")
	apply.Set(3)
	apply.Note("ALTER TABLE orders\n\tALTER COLUMN total TYPE bigint, \x1b[31mALTER COLUMN note DROP NOT NULL")
	c.add(16 * time.Second)
	p.pulse()
	c.add(130 * time.Second)
	apply.Done()

	want := `restore
restore: 41 % of 912 MB, 22 s
restore: done in 22 s
apply
apply: 3 of 14 statements, 16 s: ALTER TABLE orders ALTER COLUMN total TYPE bi...
apply: done in 2 min 26 s
`
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Errorf("plain progress (-want +got):\n%s", diff)
	}
}

func TestPhasesAreTimedInEveryMode(t *testing.T) {
	for _, mode := range []string{"auto", "bar", "plain", "none"} {
		t.Run(mode, func(t *testing.T) {
			c := newClock()
			p := New(&buffer{}, mode, false, c.now)
			defer p.Close()
			for _, ph := range []struct {
				name string
				d    time.Duration
			}{{"restore", 8 * time.Second}, {"clone", 100 * time.Millisecond}, {"apply", 3 * time.Second}, {"clone", 50 * time.Millisecond}} {
				x := p.Phase(ph.name)
				if ph.name == "restore" {
					for _, part := range []string{"rows", "indexes", "rows"} {
						end := x.Part(part)
						c.add(time.Second)
						end()
					}
					c.add(-3 * time.Second)
				}
				c.add(ph.d)
				x.Done()
			}
			p.Phase("reverse")
			c.add(time.Second)
			want := []gate.Phase{{Name: "restore", MS: 8000, Parts: []gate.Phase{{Name: "rows", MS: 2000}, {Name: "indexes", MS: 1000}}}, {Name: "clone", MS: 150}, {Name: "apply", MS: 3000}, {Name: "reverse", MS: 1000}}
			if diff := cmp.Diff(want, p.Phases(), cmpopts.EquateApprox(0, 0.001)); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoCarriageReturnNorEscapeOffATerminal(t *testing.T) {
	for _, mode := range []string{"auto", "plain", "none", "unknown"} {
		w := &buffer{}
		p := New(w, mode, false, time.Now)
		ph := p.Phase("re\rstore\x1b[2J")
		ph.Total(10, "statements")
		ph.Note("SELECT '\r\x1b[2J'")
		ph.Done()
		p.Close()
		if strings.ContainsAny(w.String(), "\r\x1b") {
			t.Errorf("mode %s wrote control characters: %q", mode, w.String())
		}
		if mode == "none" && w.String() != "" {
			t.Errorf("mode none wrote %q", w.String())
		}
	}
}

func TestBarsShowPhaseAndKeepLogsWhole(t *testing.T) {
	w := &buffer{}
	p := New(w, "auto", true, time.Now)
	log := slog.New(slog.NewTextHandler(p, nil))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range 10 {
				log.Info("restored", "table", fmt.Sprintf("t_%d_%d", i, k))
			}
		}()
	}
	ph := p.Phase("restore")
	ph.Total(1000, "bytes")
	for i := range 10 {
		ph.Set(int64(i * 100))
		time.Sleep(20 * time.Millisecond)
	}
	wg.Wait()
	ph.Done()
	apply := p.Phase("apply")
	apply.Total(3, "statements")
	apply.Set(1)
	apply.Note("ALTER TABLE orders")
	time.Sleep(400 * time.Millisecond)
	p.Close() // a run that was cancelled: apply is not done
	p.Close()
	out := w.String()
	for i := range 8 {
		for k := range 10 {
			if line := fmt.Sprintf("msg=restored table=t_%d_%d\n", i, k); strings.Count(out, line) != 1 {
				t.Fatalf("log line %q is not there exactly once", line)
			}
		}
	}
	for _, want := range []string{"restore", "100 % of 1.0 kB", "apply", "1/3 statements", "ALTER TABLE orders"} {
		if !strings.Contains(out, want) {
			t.Errorf("bars do not show %q:\n%q", want, out)
		}
	}
	before := len(out)
	fmt.Fprintln(p, "after")
	if got := w.String()[before:]; got != "after\n" {
		t.Errorf("after Close a log line came out as %q", got)
	}
	ph.Set(5)
	apply.Done()
	p.Phase("late").Done()
	if got := w.String()[before:]; got != "after\n" {
		t.Errorf("after Close progress still wrote: %q", got)
	}
}

func TestCloseStopsWhileOthersStillReport(t *testing.T) {
	for _, mode := range []string{"plain", "bar"} {
		ctx, cancel := context.WithCancel(context.Background())
		p := New(&buffer{}, mode, true, time.Now)
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := int64(0); ctx.Err() == nil; i++ {
					ph := p.Phase("apply")
					ph.Total(100, "statements")
					ph.Set(i)
					fmt.Fprintln(p, "log")
					ph.Done()
					time.Sleep(time.Millisecond)
				}
			}()
		}
		time.Sleep(50 * time.Millisecond)
		closed := make(chan struct{})
		go func() { p.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatalf("mode %s: Close hangs", mode)
		}
		cancel()
		wg.Wait()
	}
}

func TestNilIsSilent(t *testing.T) {
	var p *Progress
	ph := p.Phase("restore")
	ph.Total(1, "bytes")
	ph.Set(1)
	ph.Note("x")
	ph.Done()
	p.Close()
	if n, err := p.Write([]byte("x")); n != 1 || err != nil {
		t.Errorf("Write on nil: %d, %v", n, err)
	}
	if got := p.Phases(); got != nil {
		t.Errorf("Phases on nil: %v", got)
	}
}

func TestETA(t *testing.T) {
	s := &state{total: 1000, count: 250, unit: "bytes"}
	if d, ok := eta(s, 10*time.Second); !ok || d != 30*time.Second {
		t.Errorf("eta = %v, %v; want 30 s", d, ok)
	}
	s.unit = "statements"
	if _, ok := eta(s, 10*time.Second); ok {
		t.Error("statements got an estimate")
	}
}
