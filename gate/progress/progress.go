// Package progress tells a person how far a run is: bars on a terminal, plain
// lines with a heartbeat everywhere else, and never a carriage return there.
//
// It also keeps the phases' durations for the report. What never lives here:
// the report itself, and anything that decides something.
//
// A nil *Progress or *Phase does nothing, so callers need no conditions. All
// methods may be called from several goroutines.
package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/migration-gate/migration-gate/gate"
)

// heartbeat is how often a plain log hears of a phase that goes on: often
// enough for CI systems that stop silent jobs, rarely enough for their limits
// on a log's size.
const heartbeat = 15 * time.Second

// Progress shows a run's phases on one writer.
type Progress struct {
	now func() time.Time

	mu     sync.Mutex
	w      io.Writer
	phases []*Phase // in the order of their start
	bars   *bars    // nil: plain lines, or nothing
	plain  bool
	closed bool

	stop chan struct{}
	done sync.WaitGroup
}

// New starts showing progress on w. mode is "bar", "plain", "none", or "auto",
// which draws bars where isTerminal says that w can, and plain lines elsewhere;
// an unknown mode is taken for it. now is the clock, time.Now but in tests. The caller
// ends it with Close, on every path.
func New(w io.Writer, mode string, isTerminal bool, now func() time.Time) *Progress {
	if now == nil {
		now = time.Now
	}
	p := &Progress{w: w, now: now, stop: make(chan struct{})}
	switch {
	case mode == "none":
	case mode == "bar", mode != "plain" && isTerminal:
		p.bars = newBars(w)
	default:
		p.plain = true
		p.done.Add(1)
		go p.beat()
	}
	return p
}

// Phase begins a part of the run, named as reports name it: "restore",
// "apply". The caller ends it with Done. The same name may come again; its
// durations are then summed.
func (p *Progress) Phase(name string) *Phase {
	if p == nil {
		return nil
	}
	ph := &Phase{p: p, name: gate.Printable(name), start: p.now()}
	ph.said = ph.start
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phases = append(p.phases, ph)
	switch {
	case p.closed:
	case p.bars != nil:
		ph.bar = p.bars.add(ph)
	case p.plain:
		p.say(ph.name)
	}
	return ph
}

// Phases returns the phases so far in the order of their start, those of one
// name summed; one that is not done counts up to now.
func (p *Progress) Phases() []gate.Phase {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []gate.Phase
	index := map[string]int{}
	now := p.now()
	for _, ph := range p.phases {
		i, ok := index[ph.name]
		if !ok {
			i = len(out)
			index[ph.name] = i
			out = append(out, gate.Phase{Name: ph.name})
		}
		out[i].MS += float64(ph.elapsed(now)) / float64(time.Millisecond)
		out[i].Parts = append(out[i].Parts, ph.parts...)
	}
	return out
}

// Part begins a part of the phase, which ends with the function it returns. The
// durations of parts of one name are summed, in the report beside the phase's.
func (ph *Phase) Part(name string) (end func()) {
	if ph == nil {
		return func() {}
	}
	ph.Note(name)
	p := ph.p
	p.mu.Lock()
	defer p.mu.Unlock()
	began := p.now()
	name = gate.Printable(name)
	i := slices.IndexFunc(ph.parts, func(have gate.Phase) bool { return have.Name == name })
	if i < 0 {
		i = len(ph.parts)
		ph.parts = append(ph.parts, gate.Phase{Name: name})
	}
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		ph.parts[i].MS += float64(p.now().Sub(began)) / float64(time.Millisecond)
	})
}

// Write puts lines of a log above the bars, or straight through where there
// are none. It takes whole lines, as log handlers write them, and adds a line
// feed that is missing.
func (p *Progress) Write(b []byte) (int, error) {
	if p == nil {
		return len(b), nil
	}
	line := b
	if len(b) == 0 || b[len(b)-1] != '\n' {
		line = append(append([]byte{}, b...), '\n')
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.write(line); err != nil {
		return 0, err
	}
	return len(b), nil
}

// write is Write with p.mu held.
func (p *Progress) write(line []byte) error {
	if p.bars != nil && !p.closed {
		return p.bars.write(line)
	}
	_, err := p.w.Write(line)
	return err
}

// say writes one plain line with p.mu held. A log that cannot be written to is
// no reason to stop a run.
func (p *Progress) say(s string) { _ = p.write([]byte(s + "\n")) }

// Close ends all showing: running bars stay as they are, the cursor is below
// them, and nothing is written any more but by Write. It may be called twice.
func (p *Progress) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	close(p.stop)
	p.mu.Unlock()
	p.done.Wait()
	if p.bars != nil {
		p.bars.close()
	}
}

func (p *Progress) beat() {
	defer p.done.Done()
	// A tick more often than the heartbeat, so that each phase has a rhythm of
	// its own.
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.pulse()
		}
	}
}

// pulse writes a line for each running phase that has been silent too long.
func (p *Progress) pulse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := p.now()
	for _, ph := range p.phases {
		if ph.ended || now.Sub(ph.said) < heartbeat {
			continue
		}
		ph.said = now
		p.say(ph.line(now))
	}
}

// Phase is one part of a run while it lasts.
type Phase struct {
	p     *Progress
	name  string
	start time.Time

	// The rest is guarded by p.mu.
	took  time.Duration
	ended bool
	total int64
	unit  string
	count int64
	note  string
	said  time.Time
	parts []gate.Phase
	bar   *bar
}

// Total says how much there is to do, in a unit: "bytes" (shown as MB or GB),
// or a plural noun such as "statements".
func (ph *Phase) Total(n int64, unit string) {
	if ph == nil {
		return
	}
	ph.p.mu.Lock()
	defer ph.p.mu.Unlock()
	ph.total, ph.unit = n, unit
	ph.bar.total(n, unit)
}

// Set says how much has been done before what is being done now, from the
// phase's start. More than the total counts as the total: estimates may be
// short.
func (ph *Phase) Set(done int64) {
	if ph == nil {
		return
	}
	ph.p.mu.Lock()
	defer ph.p.mu.Unlock()
	ph.count = done
	ph.bar.set(done)
}

// Note shows what is being done right now: a statement's first words, a
// table's name. It is cut to a line's worth.
func (ph *Phase) Note(s string) {
	if ph == nil {
		return
	}
	s = firstWords(s)
	ph.p.mu.Lock()
	defer ph.p.mu.Unlock()
	ph.note = s
	ph.bar.note(s)
}

// Done ends the phase. Calling it again changes nothing, so it can be both
// deferred and called.
func (ph *Phase) Done() {
	if ph == nil {
		return
	}
	p := ph.p
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if ph.ended {
		return
	}
	ph.took, ph.ended = now.Sub(ph.start), true
	ph.bar.done()
	if p.plain && !p.closed {
		p.say(fmt.Sprintf("%s: done in %s", ph.name, seconds(ph.took)))
	}
}

func (ph *Phase) elapsed(now time.Time) time.Duration {
	if ph.ended {
		return ph.took
	}
	return now.Sub(ph.start)
}

// line is a heartbeat: "restore: 41 % of 912 MB, 22 s".
func (ph *Phase) line(now time.Time) string {
	var b strings.Builder
	b.WriteString(ph.name + ": ")
	switch {
	case ph.total > 0 && ph.unit == "bytes":
		fmt.Fprintf(&b, "%d %% of %s, ", percent(ph.count, ph.total), bytesText(ph.total))
	case ph.total > 0:
		fmt.Fprintf(&b, "%d of %d %s, ", min(ph.count, ph.total), ph.total, ph.unit)
	case ph.count > 0 && ph.unit == "bytes":
		b.WriteString(bytesText(ph.count) + ", ")
	}
	b.WriteString(seconds(now.Sub(ph.start)))
	if ph.note != "" {
		b.WriteString(": " + ph.note)
	}
	return b.String()
}
