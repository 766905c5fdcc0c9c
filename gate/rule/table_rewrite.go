package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// tableRewrite: the heap of an existing table got a new file with the old rows
// in it. An index rebuilt alone, TRUNCATE and REFRESH are facts, not this.
func tableRewrite(c *change) []gate.Finding {
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

// tree is one table, or several partitions of one, out of a list of facts.
type tree[T any] struct {
	table  string // the only one, else the root
	tables []string
	facts  []T
}

// partitions is how many tables beneath the named one are meant.
func (t tree[T]) partitions() int {
	n := 0
	for _, name := range t.tables {
		if name != t.table {
			n++
		}
	}
	return n
}

// grouped gathers the wanted facts of one statement by the table on top.
func grouped[T any](c *change, facts []T, key func(T) (table string, wanted bool)) []tree[T] {
	var trees []tree[T]
	index := map[string]int{}
	for _, f := range facts {
		table, wanted := key(f)
		if !wanted {
			continue
		}
		root := c.root(table)
		i, ok := index[root]
		if !ok {
			i = len(trees)
			index[root] = i
			trees = append(trees, tree[T]{table: table})
		}
		t := &trees[i]
		if table != t.table {
			t.table = root
		}
		seen := false
		for _, name := range t.tables {
			seen = seen || name == table
		}
		if !seen {
			t.tables = append(t.tables, table)
		}
		t.facts = append(t.facts, f)
	}
	return trees
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
	f.Fix = c.fixStatement(m, s)
	return f
}
