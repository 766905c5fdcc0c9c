package lockbudget

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// disagree is how far the server's own times of a lock may be from what looks
// show before one of them is wrong (measured on MySQL: 5 ms; a partitioned
// table's reorganisation, whose stages lie, is off by seconds).
const disagree = 20 * time.Millisecond

// ContradictionError says that the server's own times of a lock are not what
// the looks showed, so that neither proves anything.
type ContradictionError struct {
	Statement    int
	Object, Mode string
	By           time.Duration // how far they are apart
	// Held: a look showed the lock when by the server's times it was not held.
	Held bool
}

func (e *ContradictionError) Error() string {
	what := "was not seen"
	if e.Held {
		what = "was seen"
	}
	return fmt.Sprintf("a lock on %[2]s (%[1]s) %[3]s %[4]s away from when the server says it was held: its times cannot be trusted",
		e.Mode, e.Object, what, e.By.Round(100*time.Microsecond))
}

// claimed is a phase with the looks that showed it.
type claimed struct {
	Phase
	exchange *Stamp // the statement's
	looks    []look // that can have shown nothing else
	// prev and next are those of the sighting, where the phase has its first,
	// its last look.
	prev, next time.Duration
}

func (f *fold) claimed(p Phase) *claimed {
	c := &claimed{Phase: p, prev: before, next: never}
	for i := range f.statements {
		if f.statements[i].Statement == p.Statement {
			c.exchange = &f.statements[i]
		}
	}
	return c
}

// away is how far a look is from the phase: not positive where it may have
// fallen into it.
func (c *claimed) away(l look) time.Duration {
	return max(c.From.Sent-l.Received, l.Sent-c.To.Received)
}

// during: the look fell into the phase's statement, and into nothing else.
func (c *claimed) during(l look) bool {
	return c.exchange != nil && l.Sent >= c.exchange.At.Sent && l.Received <= c.exchange.At.Received
}

// claim gives the looks of a sighting to the phases that they showed, and
// returns what is left of it: locks of the same mode that the server did not
// time.
func (f *fold) claim(s sighting) []sighting {
	var of []*claimed
	for _, p := range f.phases {
		if p.Object == s.lock.Object && p.Mode == s.lock.Mode {
			of = append(of, p)
		}
	}
	if of == nil {
		return []sighting{s}
	}
	var left []sighting
	run := false // the previous look is the last one of left
	for i, l := range s.looks {
		took := nearest(of, l)
		if took == nil {
			if !run {
				left = append(left, sighting{lock: s.lock, prev: s.prev, next: s.next})
			}
			run = true
			left[len(left)-1].looks = append(left[len(left)-1].looks, l)
			continue
		}
		run = false
		if others := slices.ContainsFunc(of, func(p *claimed) bool { return p != took && p.away(l) <= 0 }); others || !took.during(l) {
			continue // it may have shown something else
		}
		took.looks = append(took.looks, l)
		if i == 0 {
			took.prev = s.prev
		}
		if i == len(s.looks)-1 {
			took.next = s.next
		}
	}
	return left
}

// nearest is the phase that a look showed, nil for none.
func nearest(of []*claimed, l look) *claimed {
	p := slices.MinFunc(of, func(a, b *claimed) int { return cmp.Compare(a.away(l), b.away(l)) })
	if by := p.away(l); by <= 0 || by <= disagree && p.during(l) {
		return p
	}
	return nil
}

// timed is the window of a phase: its bounds, as far as they agree with the
// looks', and else wide enough for both.
func (f *fold) timed(p *claimed) Window {
	opened, closed := p.From, p.To
	if n := len(p.looks); n > 0 {
		if p.Waited > 0 {
			p.prev = before // not every engine shows who waits
		}
		opened = agree(opened, Interval{Sent: p.prev, Received: p.looks[0].Received})
		closed = agree(closed, Interval{Sent: p.looks[n-1].Sent, Received: p.next})
	}
	alone := never
	if p.exchange != nil {
		alone = p.exchange.At.Received
		opened.Sent = max(opened.Sent, p.exchange.At.Sent)
		closed.Received = min(closed.Received, alone)
	}
	opened.Sent = max(opened.Sent, 0)
	w := Window{
		Object: p.Object, Mode: p.Mode, Impact: p.Impact, Session: f.Session, Statement: p.Statement,
		Opened: opened, Closed: closed, Witness: ByStages,
		AtMost: closed.Received - opened.Sent, AtLeast: max(closed.Sent-opened.Received, 0),
	}
	w.AtMostAlone = max(min(closed.Received, alone)-opened.Sent, 0)
	f.finish(&w, p.looks)
	w.Waited = w.Waited || p.Waited > 0
	w.WaitedAtMost = min(max(w.WaitedAtMost, p.Waited), w.AtMost)
	return w
}

// agree is what two bounds of one instant have in common, and where they have
// nothing, what holds both: then one of them is wrong.
func agree(a, b Interval) Interval {
	both := Interval{Sent: max(a.Sent, b.Sent), Received: min(a.Received, b.Received)}
	if both.Sent <= both.Received {
		return both
	}
	return Interval{Sent: min(a.Sent, b.Sent), Received: max(a.Received, b.Received)}
}

// contradiction finds where looks and phases cannot both be right.
func (r Recording) contradiction() error {
	f := newFold(r)
	for _, s := range r.Samples {
		for _, l := range []look{{Interval: s.At}, {Interval: s.Last}} {
			for _, p := range f.phases {
				if !p.during(l) {
					continue
				}
				shown := slices.ContainsFunc(s.Locks, func(k Lock) bool {
					return k.Session == r.Session && k.Object == p.Object && k.Mode == p.Mode
				})
				// How deep the look fell, wholly, within the time in which the
				// lock was held: not every engine shows who waits.
				deep := min(l.Sent-p.From.Received-p.Waited, p.To.Sent-l.Received)
				if !shown && deep > disagree {
					return &ContradictionError{Statement: p.Statement, Object: p.Object, Mode: p.Mode, By: deep}
				}
				if by := f.closest(p, l); shown && by > disagree {
					return &ContradictionError{Statement: p.Statement, Object: p.Object, Mode: p.Mode, By: by, Held: true}
				}
			}
		}
	}
	return nil
}

// closest is how far a look is from the nearest phase of the same statement
// and lock.
func (f *fold) closest(like *claimed, l look) time.Duration {
	by := never
	for _, p := range f.phases {
		if p.Statement == like.Statement && p.Object == like.Object && p.Mode == like.Mode {
			by = min(by, p.away(l))
		}
	}
	return by
}
