package lockbudget

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Windows folds the recording into lock windows, in the order in which they
// may have opened. Their bounds are always true:
//
//	AtMost  = min(reply to what released, received of the next look without it)
//	        − max(sent of the statement, sent of the last look without it)
//	AtLeast = max(sent of what came after the last look with it while the
//	              connection was idle, sent of that look)
//	        − min(reply to the statement, received of the first look with it)
//
// The stamps bound the locks of the migration's own session only; others
// (parallel workers, a second connection) have the sampler's bounds. A lock
// given up and taken again between two looks, within one statement, is one
// window, unless the server timed it (Phase).
func (r Recording) Windows() []Window {
	f := newFold(r)
	var windows []Window
	for _, s := range f.sightings() {
		if s.lock.Session != r.Session {
			windows = append(windows, f.window(s, s.looks, math.MinInt, math.MaxInt))
			continue
		}
		for _, s := range f.claim(s) {
			windows = append(windows, f.own(s)...)
		}
	}
	for _, p := range f.phases {
		windows = append(windows, f.timed(p))
	}
	slices.SortStableFunc(windows, func(a, b Window) int {
		return cmp.Or(cmp.Compare(a.Opened.Sent, b.Opened.Sent), cmp.Compare(a.Session, b.Session),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Mode, b.Mode))
	})
	return windows
}

const (
	before = time.Duration(math.MinInt64) // no look, no stamp on that side
	never  = time.Duration(math.MaxInt64)
)

// fold is a recording prepared for folding.
type fold struct {
	Recording
	statements []Stamp // of event Statement, in order
	releases   []Stamp // stamps that released, in order
	phases     []*claimed
	end        time.Duration
}

// newFold sorts the stamps: a driver may hand them in late.
func newFold(r Recording) *fold {
	f := &fold{Recording: r}
	f.Stamps = slices.Clone(r.Stamps)
	slices.SortStableFunc(f.Stamps, func(a, b Stamp) int { return cmp.Compare(a.At.Sent, b.At.Sent) })
	for _, s := range f.Stamps {
		if s.Event == Statement {
			f.statements = append(f.statements, s)
		}
		if s.Released {
			f.releases = append(f.releases, s)
		}
		f.end = max(f.end, s.At.Received)
	}
	if n := len(f.Samples); n > 0 {
		f.end = max(f.end, f.Samples[n-1].Last.Received)
	}
	for _, p := range r.Phases {
		f.phases = append(f.phases, f.claimed(p))
	}
	return f
}

// look is one look that showed a lock.
type look struct {
	Interval
	boundary bool
	granted  bool
}

// sighting is a lock seen in consecutive samples.
type sighting struct {
	lock  Lock
	looks []look // the first and the last of each sample
	// prev is the sent of the last look without it before, next the received
	// of the first one without it after.
	prev, next time.Duration
}

// key is what makes one window: a mode held beside another is a window beside
// another.
type key struct {
	session      int64
	object, mode string
}

// sightings splits the samples into runs of one lock each.
func (f *fold) sightings() []sighting {
	var out []sighting
	open := map[key]*sighting{}
	prev := before
	for _, s := range f.Samples {
		seen := map[key]bool{}
		for _, l := range s.Locks {
			k := key{l.Session, l.Object, l.Mode}
			seen[k] = true
			o := open[k]
			if o == nil {
				o = &sighting{lock: l, prev: prev, next: never}
				open[k] = o
			}
			o.looks = append(o.looks, look{s.At, s.Boundary, l.Granted})
			if s.Count > 1 {
				o.looks = append(o.looks, look{s.Last, s.Boundary, l.Granted})
			}
		}
		for k, o := range open {
			if !seen[k] {
				o.next = s.At.Received
				out = append(out, *o)
				delete(open, k)
			}
		}
		prev = s.Last.Sent
	}
	for _, o := range open {
		out = append(out, *o)
	}
	return out
}

// own splits a sighting of the migration's session at the exchanges that
// released: what is seen on both sides was taken anew. Between two releases
// lies an epoch; a look whose instant may lie in either of two epochs counts
// only where no other look tells.
func (f *fold) own(s sighting) []Window {
	type span struct{ first, last int }
	sure := map[int][]look{}
	var unsure []look
	var unsureSpan span
	for _, l := range s.looks {
		e := span{f.epochAt(l.Sent), f.epochAt(l.Received)}
		if e.first != e.last && f.idleFrom(f.releases[e.first].At.Received) >= l.Received {
			e.last = e.first // nothing could have been taken after the release
		}
		switch {
		case e.first == e.last:
			sure[e.first] = append(sure[e.first], l)
		case unsure == nil:
			unsure, unsureSpan = []look{l}, e
		default:
			unsure = append(unsure, l)
			unsureSpan.last = e.last
		}
	}
	var windows []Window
	for e, looks := range sure {
		windows = append(windows, f.window(s, looks, e, e))
	}
	if len(windows) == 0 {
		windows = append(windows, f.window(s, unsure, unsureSpan.first, unsureSpan.last))
	}
	return windows
}

// epochAt counts the releases that were over at an instant.
func (f *fold) epochAt(at time.Duration) int {
	n, _ := slices.BinarySearchFunc(f.releases, at, func(s Stamp, at time.Duration) int {
		if s.At.Received <= at {
			return -1
		}
		return 1
	})
	return n
}

// idleFrom returns when the next exchange after an instant was sent.
func (f *fold) idleFrom(at time.Duration) time.Duration {
	for _, s := range f.Stamps {
		if s.At.Sent >= at {
			return s.At.Sent
		}
	}
	return never
}

// window bounds a lock that was seen in looks, and was taken no earlier than
// in epoch first and released no later than at the end of epoch last.
func (f *fold) window(s sighting, looks []look, first, last int) Window {
	own := s.lock.Session == f.Session
	seen, gone := looks[0], looks[len(looks)-1]
	opened := Interval{Sent: s.prev, Received: seen.Received}
	closed := Interval{Sent: gone.Sent, Received: s.next}
	from, until := before, never // of the epochs
	if own {
		if first > 0 {
			from = f.releases[first-1].At.Received
		}
		if last < len(f.releases) {
			until = f.releases[last].At.Received
		}
	}
	took, latest := f.taker(max(opened.Sent, from), min(opened.Received, until))
	w := Window{
		Object: s.lock.Object, Mode: s.lock.Mode, Impact: s.lock.Impact, Session: s.lock.Session, Witness: ByTicker,
	}
	for _, l := range looks {
		if l.boundary {
			w.Witness = ByBoundary
		}
	}
	alone := never
	if took != nil {
		w.Statement = took.Statement
		alone = took.At.Received
		if own {
			opened.Sent = max(opened.Sent, took.At.Sent)
			opened.Received = min(opened.Received, latest.At.Received)
		}
	}
	if own {
		opened.Sent = max(opened.Sent, from)
		closed.Sent = max(closed.Sent, f.heldUntil(gone.Sent))
		closed.Received = min(closed.Received, until)
	}
	opened.Sent = max(opened.Sent, 0)
	if closed.Received == never {
		w.Open = true
		closed.Received = max(f.end, gone.Received)
	}
	w.Opened, w.Closed = opened, closed
	w.AtMost = closed.Received - opened.Sent
	if first == last || !own || len(looks) == 1 { // else there may have been several
		w.AtLeast = min(max(closed.Sent-opened.Received, 0), w.AtMost)
	}
	w.AtMostAlone = max(min(closed.Received, alone)-opened.Sent, 0)
	f.finish(&w, looks)
	return w
}

// finish fills in what follows from a window's edges and its looks.
func (f *fold) finish(w *Window, looks []look) {
	w.Waited, w.WaitedAtMost = awaited(looks, w.Opened.Sent, w.Closed.Received)
	w.Through = max(w.Statement, f.through(w.Closed.Received))
	w.Paused = f.paused(w.Opened.Sent, w.Closed.Received)
}

// awaited bounds for how long a lock was asked for and not given, by the looks
// that showed it so, in a window from opened to closed.
func awaited(looks []look, opened, closed time.Duration) (waited bool, most time.Duration) {
	from := opened // the last look that showed it granted
	for i, l := range looks {
		if l.granted {
			from = l.Sent
			continue
		}
		waited = true
		if i+1 == len(looks) || looks[i+1].granted {
			until := closed
			if i+1 < len(looks) {
				until = min(closed, looks[i+1].Received)
			}
			most += max(until-from, 0)
		}
	}
	return waited, most
}

// taker finds the first and the last statement that may have taken a lock
// which appeared between two instants: nothing is taken while no statement
// runs. Without any it is the last one sent before.
func (f *fold) taker(after, by time.Duration) (first, last *Stamp) {
	for i := range f.statements {
		s := &f.statements[i]
		if s.At.Sent > by {
			break
		}
		if s.At.Received > after && first == nil {
			first = s
		}
		last = s
	}
	if first == nil {
		first = last
	}
	return first, last
}

// heldUntil: a lock seen in a look that began while the connection was idle is
// held until the connection sends something.
func (f *fold) heldUntil(sent time.Duration) time.Duration {
	for _, s := range f.Stamps {
		if s.At.Received <= sent {
			continue
		}
		if s.At.Sent >= sent {
			return s.At.Sent
		}
		break
	}
	return sent
}

// through is the last statement sent before an instant.
func (f *fold) through(at time.Duration) int {
	n := 0
	for _, s := range f.statements {
		if s.At.Sent < at {
			n = s.Statement
		}
	}
	return n
}

// paused sums the time between exchanges within two instants.
func (f *fold) paused(from, to time.Duration) time.Duration {
	var sum time.Duration
	for i := 1; i < len(f.Stamps); i++ {
		a, b := max(from, f.Stamps[i-1].At.Received), min(to, f.Stamps[i].At.Sent)
		sum += max(b-a, 0)
	}
	return sum
}
