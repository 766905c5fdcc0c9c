package rule

import (
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// readUnderLock: MySQL reads a table whole to build an index or to copy it. A
// copy and a rebuild are table-rewrite's; here is the index whose build kept
// writers out (FULLTEXT, SPATIAL, LOCK=SHARED), and what was read under LOCK
// TABLES. The short exclusive locks at either end of an online build are no
// reason: nothing is read under them.
func (c *change) readUnderLock() []gate.Finding {
	var findings []gate.Finding
	c.runs(func(m, s int, st migration.Statement, run gate.StatementRun) {
		scans := slices.Clone(run.Scans)
		if d := run.DDL; d != nil {
			if d.Rebuild || d.Algorithm == "COPY" {
				return
			}
			if d.Existing && (d.Lock == "SHARED" || d.Lock == "EXCLUSIVE") && !slices.ContainsFunc(scans, func(s gate.Scan) bool { return s.Table == d.Table }) {
				scans = append(scans, gate.Scan{Table: d.Table, Existing: true, Rows: c.Tables[d.Table].Rows})
			}
		}
		trees := grouped(c, scans, func(scan gate.Scan) (string, bool) {
			_, locked := c.readUnder(scan.Table, m, s)
			return scan.Table, scan.Existing && locked
		})
		for _, t := range trees {
			w, _ := c.readUnder(t.table, m, s)
			findings = append(findings, c.scanned(m, s, st, run, t, w))
		}
	})
	return findings
}

// readUnder is the longest lock that others had to wait for while a statement
// read the table: one that an earlier statement took, or its own that lasted
// through the reading.
func (c *change) readUnder(table string, m, s int) (longest gate.LockWindow, ok bool) {
	for _, w := range c.Locks {
		own := w.Migration == m && w.Statement == s
		if w.Table != table || !judged(w) || !c.heldDuring(w, m, s) || own && !keepsWritersOut(w) {
			continue
		}
		if !ok || w.AtMostMS > longest.AtMostMS {
			longest, ok = w, true
		}
	}
	return longest, ok
}
