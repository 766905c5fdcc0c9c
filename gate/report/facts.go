package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/migration-gate/migration-gate/gate"
)

// What the durations of a run are worth, as the JSON's "durations" says it.
const (
	durationsNone   = "none" // no window that blocks anybody
	durationsAll    = "measured"
	durationsPartly = "partly measured"
	durationsNot    = "not measured"
)

// durations sums up whether the judged windows were measured on rows.
func durations(obs *gate.Observation) string {
	yes, no := measuredWindows(obs)
	switch {
	case yes+no == 0:
		return durationsNone
	case no == 0:
		return durationsAll
	case yes == 0:
		return durationsNot
	default:
		return durationsPartly
	}
}

// measuredWindows counts windows that block reads or writes, by whether their
// table held rows.
func measuredWindows(obs *gate.Observation) (yes, no int) {
	for i := range obs.Locks {
		w := &obs.Locks[i]
		if !judged(w) || !w.BlocksAny("reads", "writes") {
			continue
		}
		if measured(obs, w) {
			yes++
		} else {
			no++
		}
	}
	return yes, no
}

// measured is Observation.IsMeasured, and false for what the change made: that
// is as empty in production.
func measured(obs *gate.Observation, w *gate.LockWindow) bool {
	return w.Existing && obs.IsMeasured(*w)
}

// judged reports whether budgets apply to the window: something that was
// there before is locked, and somebody else is kept from something.
func judged(w *gate.LockWindow) bool {
	return w.Existing && !w.RowLocks && len(w.Blocks) > 0
}

func tableOf(w *gate.LockWindow) string { return cmp.Or(w.Table, w.Relation) }

// budget is the tightest limit that applies to a window.
func budget(obs *gate.Observation, p gate.Policy, w *gate.LockWindow) (time.Duration, bool) {
	if !judged(w) || !hasLimits(p) {
		return 0, false
	}
	reads, writes := obs.Limits(p, tableOf(w))
	r, wr := w.BlocksAny("reads"), w.BlocksAny("writes")
	switch {
	case r && wr:
		return min(reads, writes), true
	case r:
		return reads, true
	case wr:
		return writes, true
	}
	return 0, false
}

// hasLimits is false for a report that came without its policy, and for a
// step that judges no locks.
func hasLimits(p gate.Policy) bool {
	if len(p.Only) > 0 && !slices.Contains(p.Only, "lock-budget") {
		return false
	}
	return p.MaxExclusive != 0 || p.MaxWriteBlock != 0 || len(p.Tables) > 0 || p.FailOn != ""
}

// overBudget reports whether a window lasted too long, by its upper bound, or
// where that means nothing (not measured) by the lower.
func overBudget(obs *gate.Observation, w *gate.LockWindow, limit time.Duration) bool {
	if !measured(obs, w) {
		return w.AtLeastMS > exactMS(limit)
	}
	return w.AtMostMS > exactMS(limit)
}

// compareWindows puts judged windows first, then by acquisition.
func compareWindows(a, b gate.LockWindow) int {
	rank := func(w *gate.LockWindow) int {
		switch {
		case judged(w):
			return 0
		case w.Existing:
			return 1
		}
		return 2
	}
	return cmp.Or(
		cmp.Compare(rank(&a), rank(&b)),
		cmp.Compare(a.OpenedMS, b.OpenedMS),
		cmp.Compare(a.Migration, b.Migration),
		cmp.Compare(a.Statement, b.Statement),
		cmp.Compare(a.Relation, b.Relation),
		cmp.Compare(a.Mode, b.Mode),
	)
}

// sortFindings orders by severity, loudest first. Within one they stay as the
// rules gave them: in the order in which files run, up before down, which no
// order of names gives.
func sortFindings(fs []gate.Finding) []gate.Finding {
	rank := map[gate.Severity]int{gate.SeverityError: 0, gate.Warning: 1, gate.Notice: 2}
	level := func(s gate.Severity) int {
		if n, ok := rank[s]; ok {
			return n
		}
		return len(rank)
	}
	fs = slices.Clone(fs)
	slices.SortStableFunc(fs, func(a, b gate.Finding) int {
		return cmp.Compare(level(a.Severity), level(b.Severity))
	})
	return fs
}
