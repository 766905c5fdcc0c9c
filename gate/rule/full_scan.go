package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// fullScan: an existing table was read whole while the migration held, on that
// same table, a lock that blocks reads or writes. How long it took here counts
// for nothing: on a larger table it takes longer.
func fullScan(c *change) []gate.Finding {
	if c.dialect().IsMySQL() {
		return c.readUnderLock()
	}
	var findings []gate.Finding
	c.runs(func(m, s int, st migration.Statement, run gate.StatementRun) {
		trees := grouped(c, run.Scans, func(scan gate.Scan) (string, bool) {
			_, locked := c.lockDuring([]string{scan.Table}, m, s, "reads", "writes")
			return scan.Table, scan.Existing && locked
		})
		for _, t := range trees {
			w, _ := c.lockDuring(t.tables, m, s, "reads", "writes")
			findings = append(findings, c.scanned(m, s, st, run, t, w))
		}
	})
	return findings
}

func (c *change) scanned(m, s int, st migration.Statement, run gate.StatementRun, t tree[gate.Scan], w gate.LockWindow) gate.Finding {
	f := at(st)
	f.Severity = c.cap(t.table)
	f.Message = fmt.Sprintf("%s: the whole table was read (%s) under %s%s, while %s were blocked",
		onTree(t.table, t.partitions()), c.sizeOf(t.table), w.Mode, since(w, st.File, st.Line), list(blocking(w)))
	var rows int64
	for _, scan := range t.facts {
		rows += scan.Rows
	}
	f.Evidence = map[string]any{
		"relation": t.table, "mode": w.Mode, "blocks": blocking(w), "rows_read": rows,
		"at_least_ms": w.AtLeastMS, "at_most_ms": w.AtMostMS, "duration_ms": run.DurationMS,
		"locked_at": place(w.File, w.Line),
	}
	if t.partitions() > 0 {
		f.Evidence["partitions"] = t.tables
	}
	c.addSize(f.Evidence, t.table)
	if w.Statement == s && w.Migration == m {
		f.Fix, f.Suggestion = c.fixes.statement(m, s), c.fixes.replacement(m, s)
	} else {
		f.Fix = c.fixes.scan(m, s, w)
	}
	return f
}
