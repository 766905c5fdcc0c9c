package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// tableRewrite: the heap of an existing table got a new file with the old rows
// in it. An index rebuilt alone, TRUNCATE and REFRESH are facts, not this.
func tableRewrite(c *change) []gate.Finding {
	if c.dialect().IsMySQL() {
		return c.rebuilds()
	}
	var findings []gate.Finding
	c.runs(func(m, s int, st migration.Statement, run gate.StatementRun) {
		trees := grouped(c, run.Rewrites, func(r gate.Rewrite) (string, bool) {
			return r.Table, r.Part == "heap" && r.Existing && !r.Emptied
		})
		for _, t := range trees {
			findings = append(findings, c.rewritten(m, s, st, run, t))
		}
	})
	return findings
}

func (c *change) rewritten(m, s int, st migration.Statement, run gate.StatementRun, t tree[gate.Rewrite]) gate.Finding {
	var bytes int64
	for _, r := range t.facts {
		bytes += r.Bytes
	}
	f := at(st)
	f.Severity = c.cap(t.table)
	blocked := ""
	if w, ok := c.lockDuring(t.tables, m, s, "reads"); ok {
		blocked = fmt.Sprintf(" under %s, which lets nobody read or write it meanwhile", w.Mode)
	}
	f.Message = fmt.Sprintf("%s: the whole table was written anew (%s) in %s%s",
		onTree(t.table, t.partitions()), c.sizeOf(t.table), upTo(run.DurationMS), blocked)
	f.Evidence = map[string]any{
		"relation": t.table, "new_bytes": bytes, "duration_ms": run.DurationMS, "wal_bytes": run.WALBytes,
	}
	if t.partitions() > 0 {
		f.Evidence["partitions"] = t.tables
	}
	c.addSize(f.Evidence, t.table)
	f.Fix = c.fixes.statement(m, s)
	return f
}
