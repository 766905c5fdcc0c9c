package gate

import (
	"cmp"
	"slices"
)

// On MySQL one statement takes a table's metadata lock in several modes, one
// after the other: a copy blocks writers from its SHARED_NO_WRITE to the end
// of the EXCLUSIVE that follows, and readers in the latter only. What others
// live through is therefore not a window but a stretch: windows that touch.

// Stretch is a time in which a table's readers or writers, or both, were kept
// out without a pause. As a LockWindow it has the mode that lasted longest, the
// weakest of its witnesses, and Blocks only "reads" and "writes".
type Stretch struct {
	LockWindow
	// Phases are the windows it consists of, in the order they opened.
	Phases []LockWindow
	paused float64
}

// touching is how far apart two edges may be and still be the same instant:
// a report's copy of an observation is rounded to 0.1 ms, at both ends.
const touching = 0.25

// Stretches joins the windows of each table that touch each other, once for
// reads and once for writes; where both come to the same, they are one. Only
// windows on existing relations that are no row locks count. They come in the
// order of the statements that began them.
func (o *Observation) Stretches() []Stretch {
	type place struct {
		session int64
		table   string
	}
	var places []place
	groups := map[place][]LockWindow{}
	for _, w := range o.Locks {
		if !w.Existing || w.RowLocks || !w.BlocksAny("reads", "writes") {
			continue
		}
		p := place{w.Session, cmp.Or(w.Table, w.Relation)}
		if groups[p] == nil {
			places = append(places, p)
		}
		groups[p] = append(groups[p], w)
	}
	firsts := o.firsts()
	var all []Stretch
	for _, p := range places {
		reads, writes := joined(groups[p], "reads", firsts), joined(groups[p], "writes", firsts)
		for _, s := range writes {
			if i := slices.IndexFunc(reads, s.same); i >= 0 {
				reads = slices.Delete(reads, i, i+1)
				s.Blocks = []string{"reads", "writes"}
			}
			all = append(all, s.settled())
		}
		for _, s := range reads {
			all = append(all, s.settled())
		}
	}
	slices.SortStableFunc(all, func(a, b Stretch) int {
		return cmp.Or(cmp.Compare(a.Migration, b.Migration), cmp.Compare(a.Statement, b.Statement))
	})
	return all
}

// firsts numbers the first statement of each migration over the whole change.
func (o *Observation) firsts() []int {
	firsts, n := make([]int, len(o.Migrations)), 0
	for i, m := range o.Migrations {
		firsts[i], n = n, n+len(m.Up.Statements)
	}
	return firsts
}

func position(w LockWindow, firsts []int) int {
	if w.Migration < 0 || w.Migration >= len(firsts) {
		return w.Statement
	}
	return firsts[w.Migration] + w.Statement
}

func (s Stretch) same(o Stretch) bool {
	return s.OpenedMS == o.OpenedMS && s.ClosedMS == o.ClosedMS && len(s.Phases) == len(o.Phases)
}

// joined makes the stretches of one table's windows that have an impact.
func joined(windows []LockWindow, impact string, firsts []int) []Stretch {
	windows = slices.DeleteFunc(slices.Clone(windows), func(w LockWindow) bool { return !slices.Contains(w.Blocks, impact) })
	slices.SortStableFunc(windows, func(a, b LockWindow) int { return cmp.Compare(a.OpenedMS, b.OpenedMS) })
	var all []Stretch
	for _, w := range windows {
		if n := len(all); n > 0 && all[n-1].continues(w, firsts) {
			all[n-1].add(w, firsts)
			continue
		}
		s := Stretch{LockWindow: w, Phases: []LockWindow{w}, paused: pause(w)}
		s.Blocks = []string{impact}
		all = append(all, s)
	}
	return all
}

// continues: the window opens before what is there has closed, and no other
// session had its turn in between, as it has between two statements.
func (s Stretch) continues(w LockWindow, firsts []int) bool {
	last := position(s.LockWindow, firsts) + len(s.HeldDuring)
	return w.OpenedMS <= s.ClosedMS+touching && position(w, firsts) <= last
}

// pause is how long the gate itself held things up meanwhile, which the
// window's length leaves out.
func pause(w LockWindow) float64 { return max(0, w.ClosedMS-w.OpenedMS-w.AtMostMS) }

// add keeps the bounds true: the longest time is that between the outer edges,
// the shortest what is proven of each, less what they may overlap.
func (s *Stretch) add(w LockWindow, firsts []int) {
	overlap := max(0, s.ClosedMS-w.OpenedMS)
	s.Phases = append(s.Phases, w)
	s.paused = max(s.paused, pause(w))
	s.ClosedMS = max(s.ClosedMS, w.ClosedMS)
	s.AtMostMS = s.ClosedMS - s.OpenedMS - s.paused
	s.AtLeastMS = min(max(s.AtLeastMS, w.AtLeastMS, s.AtLeastMS+w.AtLeastMS-overlap), s.AtMostMS)
	s.Waited = s.Waited || w.Waited
	s.WaitedMS = min(s.WaitedMS+w.WaitedMS, s.AtMostMS)
	if w.Migration == s.Migration && w.Statement == s.Statement {
		s.AtMostAloneMS = max(s.AtMostAloneMS, min(w.OpenedMS+w.AtMostAloneMS-s.OpenedMS, s.AtMostMS))
	}
	more := position(w, firsts) + len(w.HeldDuring) - position(s.LockWindow, firsts) - len(s.HeldDuring)
	if more > 0 {
		s.HeldDuring = append(slices.Clone(s.HeldDuring), w.HeldDuring[len(w.HeldDuring)-more:]...)
	}
}

// settled gives the stretch the mode that lasted longest, and the doubt of its
// most doubtful part.
func (s Stretch) settled() Stretch {
	longest := slices.MaxFunc(s.Phases, func(a, b LockWindow) int { return cmp.Compare(a.AtMostMS, b.AtMostMS) })
	s.Mode = longest.Mode
	for _, p := range s.Phases {
		if slices.Index(witnesses, p.Witness) > slices.Index(witnesses, s.Witness) {
			s.Witness = p.Witness
		}
	}
	return s
}

// witnesses from the strongest to the weakest.
var witnesses = []string{"boundary", "stages", "ticker", "statement"}
