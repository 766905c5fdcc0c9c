package rule

import (
	"fmt"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// fullScan: an existing table was read whole while the migration held, on that
// same table, a lock that blocks reads or writes. How long it took here counts
// for nothing: on a larger table it takes longer.
func fullScan(c *change) []gate.Finding {
	var findings []gate.Finding
	c.runs(func(m, s int, st migration.Statement, run gate.StatementRun) {
		trees := grouped(c, run.Scans, func(scan gate.Scan) (string, bool) {
			_, locked := c.lockDuring([]string{scan.Table}, m, s, "reads", "writes")
			return scan.Table, scan.Existing && locked
		})
		for _, t := range trees {
			findings = append(findings, c.scanned(m, s, st, run, t))
		}
	})
	return findings
}

func (c *change) scanned(m, s int, st migration.Statement, run gate.StatementRun, t tree[gate.Scan]) gate.Finding {
	w, _ := c.lockDuring(t.tables, m, s, "reads", "writes")
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
		f.Fix = c.fixStatement(m, s)
	} else {
		f.Fix = c.fixScan(m, s, w)
	}
	return f
}

// lockDuring finds the strongest lock on one of the tables that was held while
// a statement ran and blocked one of the impacts.
func (c *change) lockDuring(tables []string, m, s int, impacts ...string) (gate.LockWindow, bool) {
	st, ok := c.up(m, s)
	if !ok {
		return gate.LockWindow{}, false
	}
	ref := gate.StatementRef{File: st.File, Line: st.Line}
	var best gate.LockWindow
	found := false
	for _, w := range c.Locks {
		if !judged(w) || !slices.Contains(tables, w.Table) {
			continue
		}
		own := w.Migration == m && w.Statement == s
		if !own && (!slices.Contains(w.HeldDuring, ref) || later(w, m, s)) {
			continue
		}
		if !slices.ContainsFunc(impacts, func(i string) bool { return slices.Contains(w.Blocks, i) }) {
			continue
		}
		if !found || strength(w) > strength(best) || (strength(w) == strength(best) && w.AtMostMS > best.AtMostMS) {
			best, found = w, true
		}
	}
	return best, found
}

// strength ranks what a window blocks, and the table itself before its parts.
func strength(w gate.LockWindow) int {
	n := 2 * len(blocking(w))
	if w.Relation == w.Table {
		n++
	}
	return n
}

// later: the window began after the statement (two statements may share a line).
func later(w gate.LockWindow, m, s int) bool {
	return w.Migration > m || (w.Migration == m && w.Statement > s)
}

func blocking(w gate.LockWindow) []string {
	var words []string
	for _, b := range w.Blocks {
		if b == "reads" || b == "writes" {
			words = append(words, b)
		}
	}
	return words
}

// since says where the lock came from, unless it is the statement's own.
func since(w gate.LockWindow, file string, line int) string {
	switch {
	case w.File != file:
		return fmt.Sprintf(" held since %s:%d", w.File, w.Line)
	case w.Line != line:
		return fmt.Sprintf(" held since line %d", w.Line)
	default:
		return ""
	}
}

// place is a file and line as evidence.
func place(file string, line int) map[string]any {
	return map[string]any{"file": file, "line": float64(line)} // as JSON has it
}
