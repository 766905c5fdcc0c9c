package gate

import (
	"cmp"
	"slices"
	"time"
)

// What rules and reports both ask of a window, answered once.

// BlocksAny reports whether the window keeps others from one of the impacts
// ("reads", "writes", "ddl").
func (w LockWindow) BlocksAny(impacts ...string) bool {
	return slices.ContainsFunc(w.Blocks, func(b string) bool { return slices.Contains(impacts, b) })
}

// Whole is the size of a table with all its partitions, and of a partition
// with its siblings.
func (t Table) Whole() (rows, bytes int64) {
	return max(t.Rows, t.RootRows), max(t.Bytes, t.RootBytes)
}

// Root is the partitioned table on top of a table, or the table itself.
func (o *Observation) Root(table string) string { return cmp.Or(o.Tables[table].Root, table) }

// Limits are the policy's for a table. A partition that no pattern names goes
// by its root's.
func (o *Observation) Limits(p Policy, table string) (reads, writes time.Duration) {
	if !slices.ContainsFunc(p.Tables, func(t TablePolicy) bool { return t.Matches(table) }) {
		table = o.Root(table)
	}
	return p.Limits(table)
}

// IsMeasured reports whether the window's length means something. Without a
// snapshot, or with one of the schema alone, on a table that no merged migration
// filled, everything is quick;
// what holds no rows is as quick in production.
func (o *Observation) IsMeasured(w LockWindow) bool {
	if o.Snapshot != nil && o.Tier != TierSchema || slices.Contains([]string{"view", "sequence", "foreign table", "composite"}, w.Kind) {
		return true
	}
	rows, _ := o.Tables[cmp.Or(w.Table, w.Relation)].Whole()
	return rows > 0
}
