package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
)

// lockHeld: a window over budget that would not have been, had it ended with
// the statement that took it. What is slow ran later, in the same transaction.
func lockHeld(c *change) []gate.Finding {
	var held []gate.LockWindow
	for _, w := range c.blocks {
		if judged(w) && c.isOver(w) && len(c.breaches(w, w.AtMostAloneMS)) == 0 {
			held = append(held, w)
		}
	}
	var findings []gate.Finding
	for _, h := range c.holds(held) {
		f := c.where(h)
		f.Message = fmt.Sprintf("%s: %s was needed for %s, and held for up to %s%s; %s",
			h.name(), h.Mode, upTo(h.AtMostAloneMS), upTo(h.AtMostMS), through(h.LockWindow), h.budget())
		f.Evidence = h.evidence()
		c.addCourse(f.Evidence, h)
		f.Evidence["at_most_alone_ms"] = h.AtMostAloneMS
		during := []map[string]any{}
		for _, r := range h.HeldDuring {
			during = append(during, place(r.File, r.Line))
		}
		f.Evidence["held_during"] = during
		f.Fix = c.fixes.held(h)
		findings = append(findings, f)
	}
	return findings
}

// through says how long the lock went on, in the reader's terms.
func through(w gate.LockWindow) string {
	n := len(w.HeldDuring)
	if n == 0 {
		return ", to the end of its transaction"
	}
	last := w.HeldDuring[n-1]
	where := fmt.Sprintf("line %d", last.Line)
	if last.File != w.File {
		where = fmt.Sprintf("%s:%d", last.File, last.Line)
	}
	return fmt.Sprintf(", through %s to %s", plural(int64(n), "later statement", "later statements"), where)
}
