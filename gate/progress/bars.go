package progress

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// barWidth is the bar's own; what stands beside it is cut where a terminal is
// narrower.
const barWidth = 28

// bars draws phases on a terminal.
type bars struct {
	out io.Writer
	mpb *mpb.Progress
}

func newBars(w io.Writer) *bars {
	return &bars{out: w, mpb: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.PopCompletedMode())}
}

// write puts a line above the bars.
func (b *bars) write(line []byte) error {
	_, err := b.mpb.Write(line)
	return err
}

func (b *bars) close() { b.mpb.Shutdown() }

// bar is one phase's bar. The drawing goroutine reads it while others hold the
// Progress' lock and wait for that goroutine, so its state is atomic and never
// guarded by that lock. A nil bar does nothing.
type bar struct {
	bar   *mpb.Bar
	now   func() time.Time
	start time.Time
	state atomic.Pointer[state]
}

// state is what a bar shows, replaced as a whole.
type state struct {
	total, count int64
	unit, note   string
	took         time.Duration
	ended        bool
}

func (b *bars) add(ph *Phase) *bar {
	r := &bar{now: ph.p.now, start: ph.start}
	r.state.Store(&state{})
	line := mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]").Build()
	spin := mpb.SpinnerStyle("|", "/", "-", "\\").PositionLeft().Build()
	filler := mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		st := r.state.Load()
		s.RequestedWidth = barWidth
		switch {
		case st.total > 0:
			s.Total, s.Current = st.total, min(st.count, st.total)
			return line.Fill(w, s)
		case st.ended:
			return nil
		}
		s.RequestedWidth = 1
		return spin.Fill(w, s)
	})
	// mpb completes a bar only when told so: its own total is a stand-in.
	added, err := b.mpb.Add(0, filler,
		mpb.PrependDecorators(decor.Name(ph.name, decor.WC{W: 9, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return r.text() })))
	if err != nil {
		return nil // the display is gone; the run goes on
	}
	r.bar = added
	return r
}

// change replaces the state; callers hold the Progress' lock, so there is one
// writer at a time.
func (r *bar) change(f func(*state)) {
	if r == nil {
		return
	}
	s := *r.state.Load()
	f(&s)
	r.state.Store(&s)
}

func (r *bar) total(n int64, unit string) { r.change(func(s *state) { s.total, s.unit = n, unit }) }
func (r *bar) set(n int64)                { r.change(func(s *state) { s.count = n }) }
func (r *bar) note(n string)              { r.change(func(s *state) { s.note = n }) }

func (r *bar) done() {
	if r == nil {
		return
	}
	r.change(func(s *state) {
		s.ended, s.took, s.note = true, r.now().Sub(r.start), ""
		// A restore's total is an estimate; and after the last statement nobody
		// counts any more.
		if s.unit == "bytes" || s.count == s.total-1 {
			s.count = s.total
		}
	})
	r.bar.SetTotal(-1, true)
}

// text is what stands right of a bar.
func (r *bar) text() string {
	s := r.state.Load()
	elapsed := r.now().Sub(r.start)
	if s.ended {
		elapsed = s.took
	}
	var t string
	switch {
	case s.total > 0 && s.unit == "bytes":
		t = fmt.Sprintf("%d %% of %s, ", percent(s.count, s.total), bytesText(s.total))
	case s.total > 0:
		t = fmt.Sprintf("%d/%d %s, ", min(s.count, s.total), s.total, s.unit)
	}
	t += seconds(elapsed)
	if left, ok := eta(s, elapsed); ok {
		t += ", " + seconds(left) + " to go"
	}
	if s.note != "" {
		t += "  " + s.note
	}
	return t
}

// eta expects the rest to go like what was done, once enough was. Statements
// differ too much from one another for that, so it is for bytes only.
func eta(s *state, elapsed time.Duration) (time.Duration, bool) {
	if s.ended || s.unit != "bytes" || s.count <= 0 || s.count >= s.total || elapsed < time.Second {
		return 0, false
	}
	return time.Duration(float64(elapsed) * float64(s.total-s.count) / float64(s.count)), true
}
