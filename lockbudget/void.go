package lockbudget

import (
	"fmt"
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
// that no boundary sample could show their locks.
func (r Recording) Void(limit time.Duration) error {
	for _, st := range r.Stamps {
		if st.Event != Statement || st.InBlock || st.At.Received-st.At.Sent <= limit {
			continue
		}
		if gap := r.blind(st.At); gap > limit {
			return &VoidError{Statement: st.Statement, Gap: gap, Limit: limit}
		}
	}
	return nil
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
