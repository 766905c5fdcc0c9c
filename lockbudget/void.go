package lockbudget

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// VoidError says that a recording proves nothing about a statement.
type VoidError struct {
	Statement int
	Gap       time.Duration // the ticker looked away for so long
	Limit     time.Duration
}

func (e *VoidError) Error() string {
	return fmt.Sprintf("the lock table was not looked at for %s during a statement that only the ticker can watch (limit %s): this machine is too busy to measure it",
		e.Gap.Round(100*time.Microsecond), e.Limit)
}

// Void returns a *VoidError where the ticker was the only witness and looked
// away for longer than limit: statements that ran outside a transaction, so
// that no boundary sample could show their locks. It returns a
// *ContradictionError where the looks are not what the server's own times say.
//
// A statement that has phases takes no other lock that blocks reads or writes
// than, on its relatives, during a phase, and, on its own table, from one phase
// to the next (Phase). So the ticker has to be there during the phases, for
// the relatives, and between two of them may look away as long as it looks once.
func (r Recording) Void(limit time.Duration) error {
	for _, st := range r.Stamps {
		if st.Event != Statement || st.InBlock || st.At.Received-st.At.Sent <= limit {
			continue
		}
		from := st.At.Sent
		check := func(to time.Duration, between bool) error {
			in := Interval{Sent: from, Received: min(max(to, from), st.At.Received)}
			from = in.Received
			gap := r.blind(in)
			if gap <= limit || between && gap < in.Received-in.Sent {
				return nil
			}
			return &VoidError{Statement: st.Statement, Gap: gap, Limit: limit}
		}
		phases := r.phasesOf(st.Statement)
		if slices.ContainsFunc(phases, func(p Phase) bool { return p.Partial }) {
			phases = nil
		}
		for _, p := range phases {
			if err := cmp.Or(check(p.From.Sent, true), check(p.To.Received, false)); err != nil {
				return err
			}
		}
		if err := check(st.At.Received, len(phases) > 0); err != nil {
			return err
		}
	}
	return r.contradiction()
}

// phasesOf lists a statement's phases that block, in order.
func (r Recording) phasesOf(statement int) []Phase {
	var of []Phase
	for _, p := range r.Phases {
		if p.Statement == statement && p.Impact != 0 {
			of = append(of, p)
		}
	}
	slices.SortFunc(of, func(a, b Phase) int { return cmp.Compare(a.From.Sent, b.From.Sent) })
	return of
}

// blind is the longest stretch within an interval without a look.
func (r Recording) blind(in Interval) time.Duration {
	var longest time.Duration
	from := in.Sent // of the latest look
	for _, s := range r.Samples {
		if s.Last.Received < in.Sent {
			continue
		}
		longest = max(longest, min(s.At.Received, in.Received)-max(from, in.Sent))
		if s.At.Sent < in.Received {
			// Where in the sample its longest gap was is not kept.
			longest = max(longest, min(s.MaxGap, in.Received-in.Sent))
		}
		if from = s.Last.Sent; from >= in.Received {
			return longest
		}
	}
	return max(longest, in.Received-max(from, in.Sent))
}
