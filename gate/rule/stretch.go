package rule

import (
	"cmp"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// On MySQL one statement takes a table's metadata lock in several modes, one
// after the other: a copy blocks writers from its SHARED_NO_WRITE to the end
// of the EXCLUSIVE that follows, and readers in the latter only. What others
// live through is therefore not a window but a stretch: windows that touch.

// touching is how far apart two edges may be and still be the same instant:
// a report's copy of an observation is rounded to 0.1 ms, at both ends.
const touching = 0.25

// stretches joins the windows of each table that touch each other, once for
// reads and once for writes; where both come to the same, they are one.
func (c *change) stretches(windows []gate.LockWindow) []gate.LockWindow {
	type place struct {
		session int64
		table   string
	}
	var places []place
	groups := map[place][]gate.LockWindow{}
	for _, w := range windows {
		if !judged(w) || w.Relation != w.Table {
			continue
		}
		p := place{w.Session, w.Table}
		if groups[p] == nil {
			places = append(places, p)
		}
		groups[p] = append(groups[p], w)
	}
	var all []gate.LockWindow
	for _, p := range places {
		reads, writes := c.joined(groups[p], "reads"), c.joined(groups[p], "writes")
		for _, s := range writes {
			if i := slices.IndexFunc(reads, s.same); i >= 0 {
				reads = slices.Delete(reads, i, i+1)
				s.Blocks = []string{"reads", "writes"}
			}
			all = append(all, c.keep(s))
		}
		for _, s := range reads {
			all = append(all, c.keep(s))
		}
	}
	slices.SortStableFunc(all, func(a, b gate.LockWindow) int {
		return cmp.Or(cmp.Compare(a.Migration, b.Migration), cmp.Compare(a.Statement, b.Statement))
	})
	return all
}

// stretch is windows of one table that touch, as one.
type stretch struct {
	gate.LockWindow
	phases []gate.LockWindow
	paused float64
}

func (s stretch) same(o stretch) bool {
	return s.OpenedMS == o.OpenedMS && s.ClosedMS == o.ClosedMS && len(s.phases) == len(o.phases)
}

// joined makes the stretches of one table's windows that have an impact.
func (c *change) joined(windows []gate.LockWindow, impact string) []stretch {
	windows = slices.DeleteFunc(slices.Clone(windows), func(w gate.LockWindow) bool { return !slices.Contains(w.Blocks, impact) })
	slices.SortStableFunc(windows, func(a, b gate.LockWindow) int { return cmp.Compare(a.OpenedMS, b.OpenedMS) })
	var all []stretch
	for _, w := range windows {
		if n := len(all); n > 0 && c.continues(all[n-1], w) {
			all[n-1].add(c, w)
			continue
		}
		s := stretch{LockWindow: w, phases: []gate.LockWindow{w}, paused: pause(w)}
		s.Blocks = []string{impact}
		all = append(all, s)
	}
	return all
}

// continues: the window opens before what is there has closed, and no other
// session had its turn in between, as it has between two statements.
func (c *change) continues(s stretch, w gate.LockWindow) bool {
	return w.OpenedMS <= s.ClosedMS+touching && c.heldDuring(s.LockWindow, w.Migration, w.Statement)
}

// pause is how long the gate itself held things up meanwhile, which the
// window's length leaves out.
func pause(w gate.LockWindow) float64 { return max(0, w.ClosedMS-w.OpenedMS-w.AtMostMS) }

// add keeps the bounds true: the longest time is that between the outer edges,
// the shortest what is proven of each, less what they may overlap.
func (s *stretch) add(c *change, w gate.LockWindow) {
	overlap := max(0, s.ClosedMS-w.OpenedMS)
	s.phases = append(s.phases, w)
	s.paused = max(s.paused, pause(w))
	s.ClosedMS = max(s.ClosedMS, w.ClosedMS)
	s.AtMostMS = s.ClosedMS - s.OpenedMS - s.paused
	s.AtLeastMS = min(max(s.AtLeastMS, w.AtLeastMS, s.AtLeastMS+w.AtLeastMS-overlap), s.AtMostMS)
	s.Waited = s.Waited || w.Waited
	s.WaitedMS = min(s.WaitedMS+w.WaitedMS, s.AtMostMS)
	if w.Migration == s.Migration && w.Statement == s.Statement {
		s.AtMostAloneMS = max(s.AtMostAloneMS, w.OpenedMS+w.AtMostAloneMS-s.OpenedMS)
	}
	last := c.position(w.Migration, w.Statement) + len(w.HeldDuring)
	if more := last - c.position(s.Migration, s.Statement) - len(s.HeldDuring); more > 0 {
		s.HeldDuring = append(slices.Clone(s.HeldDuring), w.HeldDuring[len(w.HeldDuring)-more:]...)
	}
}

// keep remembers what a stretch was made of, and hands it on as the window it
// stands for: of the mode that lasted longest, and as doubtful as its most
// doubtful part.
func (c *change) keep(s stretch) gate.LockWindow {
	longest := slices.MaxFunc(s.phases, func(a, b gate.LockWindow) int { return cmp.Compare(a.AtMostMS, b.AtMostMS) })
	s.Mode = longest.Mode
	for _, p := range s.phases {
		if slices.Index(witnesses, p.Witness) > slices.Index(witnesses, s.Witness) {
			s.Witness = p.Witness
		}
	}
	if len(s.phases) > 1 {
		c.phases[keyOf(s.LockWindow)] = s.phases
	}
	return s.LockWindow
}

// witnesses from the strongest to the weakest.
var witnesses = []string{"boundary", "stages", "ticker", "statement"}

type stretchKey struct {
	migration, statement int
	session              int64
	table, blocks        string
	opened               float64
}

func keyOf(w gate.LockWindow) stretchKey {
	return stretchKey{w.Migration, w.Statement, w.Session, w.Table, strings.Join(blocking(w), ","), w.OpenedMS}
}
