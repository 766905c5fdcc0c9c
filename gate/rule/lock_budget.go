package rule

import (
	"fmt"
	"math"

	"github.com/migration-gate/migration-gate/gate"
)

// lockBudget: a lock on an existing relation blocked reads or writes for
// longer than its budget. The upper bound counts.
//
// On an empty table without a snapshot a duration says nothing. What is proven
// too long even there (by the lower bound) is a finding; all else is listed
// once per script as not measured, so that silence is never taken for a pass.
func lockBudget(c *change) []gate.Finding {
	var over, unmeasured []gate.LockWindow
	for _, w := range c.blocks {
		switch {
		case !judged(w):
		case c.isOver(w):
			over = append(over, w)
		case !c.IsMeasured(w):
			unmeasured = append(unmeasured, w)
		}
	}
	var findings []gate.Finding
	for _, h := range c.holds(over) {
		f := c.where(h)
		f.Message = fmt.Sprintf("%s: %s blocked for up to %s%s%s, %s",
			h.name(), list(h.impacts()), upTo(h.AtMostMS), h.doubt(), c.course(h), h.budget())
		f.Evidence = h.evidence()
		c.addCourse(f.Evidence, h)
		table, _ := h.subject()
		c.addSize(f.Evidence, table)
		f.Fix = c.fixes.hold(h)
		if len(h.HeldDuring) == 0 {
			f.Suggestion = c.fixes.replacement(h.Migration, h.Statement)
		}
		findings = append(findings, f)
	}
	return append(findings, c.notMeasured(unmeasured)...)
}

// doubt tells the lower bound where it is worth knowing, and by which index
// the table was blocked.
func (h hold) doubt() string {
	s := ""
	if gap := h.AtMostMS - h.AtLeastMS; gap > 10 && gap > 0.03*h.AtMostMS {
		s = fmt.Sprintf(" (at least %.0f ms)", math.Floor(h.AtLeastMS))
	}
	switch {
	case h.Relation == h.Table:
	case h.Kind == "table": // renamed by an earlier statement
		s += " (by then " + h.Relation + ")"
	default:
		s += fmt.Sprintf(" through its %s %s", h.Kind, h.Relation)
	}
	return s
}

func (h hold) budget() string {
	if len(h.over) == 2 && h.over[0].limit != h.over[1].limit {
		return fmt.Sprintf("budget %s for reads and %s for writes", limit(h.over[0].limit), limit(h.over[1].limit))
	}
	if len(h.over) == 0 {
		return "within budget"
	}
	return "budget " + limit(h.over[0].limit)
}

// notMeasured makes one notice per script out of the windows whose length
// means nothing.
func (c *change) notMeasured(windows []gate.LockWindow) []gate.Finding {
	var findings []gate.Finding
	byMigration := map[int][]gate.LockWindow{}
	for _, w := range windows {
		byMigration[w.Migration] = append(byMigration[w.Migration], w)
	}
	for m := range c.Migrations {
		holds := c.holds(byMigration[m])
		if len(holds) == 0 {
			continue
		}
		f := c.where(holds[0])
		f.Severity = gate.Notice
		var tables []string
		listed := []map[string]any{}
		seen := map[string]bool{}
		for _, h := range holds {
			if !seen[h.Table] {
				seen[h.Table] = true
				tables = append(tables, h.Table)
			}
			listed = append(listed, map[string]any{
				"relation": h.Table, "mode": h.Mode, "blocks": h.Blocks, "line": h.Line,
				"at_least_ms": h.AtLeastMS, "at_most_ms": h.AtMostMS,
			})
		}
		f.Message = fmt.Sprintf("%s: %s taken by this script, durations not measured: no snapshot, and %s here",
			some(tables, 3), plural(int64(len(holds)), "blocking lock", "blocking locks"), emptiness(tables))
		f.Evidence = map[string]any{"not_measured": listed, "size": "unknown"}
		tool := "pg_dump -Fc"
		if c.dialect().IsMySQL() {
			tool = "mysqldump, mydumper or mysqlsh"
		}
		f.Fix = "give the gate production's shape: --snapshot FILE (" + tool + "), so that the milliseconds mean something"
		findings = append(findings, f)
	}
	return findings
}

func emptiness(tables []string) string {
	if len(tables) == 1 {
		return "the table is empty"
	}
	return "the tables are empty"
}
