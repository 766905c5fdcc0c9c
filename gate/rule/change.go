package rule

import (
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// change is an Observation with the Policy it is judged by, and what several
// rules ask of the two.
type change struct {
	gate.Observation
	policy     gate.Policy
	partitions map[string][]string // of a root, by name
	bare       map[string][]string // tables of the baseline, by their name without a schema
	offsets    []int               // how many statements ran before each migration
	taken      map[takenIn][]gate.LockWindow
	crossing   map[string][]gate.LockWindow
	// blocks are the windows that budgets are held against: PostgreSQL's own,
	// MySQL's joined to stretches.
	blocks    []gate.LockWindow
	stretches map[stretchKey][]gate.LockWindow // what each was joined of
	// Windows and stretches by the statement that took them, {migration, statement}.
	locksOf, blocksOf map[[2]int][]gate.LockWindow
	// fixes spells what a reader can do in the engine's own SQL.
	fixes fixes
}

// dialect the scripts are written in.
func (c *change) dialect() migration.Dialect { return migration.Dialect(c.Engine.Name) }

func newChange(o gate.Observation, p gate.Policy) *change {
	c := &change{Observation: o, policy: p, partitions: map[string][]string{}, bare: map[string][]string{}}
	for _, name := range sortedKeys(o.Tables) {
		_, bare, _ := strings.Cut(name, ".")
		c.bare[bare] = append(c.bare[bare], name)
		if root := o.Tables[name].Root; root != "" {
			c.partitions[root] = append(c.partitions[root], name)
		}
	}
	n := 0
	for _, m := range o.Migrations {
		c.offsets = append(c.offsets, n)
		n += len(m.Up.Statements)
	}
	c.indexLocks()
	c.blocks, c.fixes = o.Locks, postgresFixes{c}
	if c.dialect().IsMySQL() {
		c.blocks, c.fixes = nil, mysqlFixes{c}
		c.stretches = map[stretchKey][]gate.LockWindow{}
		for _, s := range o.Stretches() {
			c.blocks = append(c.blocks, s.LockWindow)
			c.stretches[keyOf(s.LockWindow)] = s.Phases
		}
		c.locksOf, c.blocksOf = byStatement(o.Locks), byStatement(c.blocks)
	}
	return c
}

func byStatement(windows []gate.LockWindow) map[[2]int][]gate.LockWindow {
	by := map[[2]int][]gate.LockWindow{}
	for _, w := range windows {
		key := [2]int{w.Migration, w.Statement}
		by[key] = append(by[key], w)
	}
	return by
}

// position numbers the statements of all up scripts in the order they ran.
func (c *change) position(m, s int) int {
	if m < 0 || m >= len(c.offsets) {
		return -1
	}
	return c.offsets[m] + s
}

// Below both of these a table is read or written in the blink of an eye, and
// rewriting or scanning it is worth no more than a notice.
const (
	smallRows  = 10_000
	smallBytes = 8 << 20
)

// tree is the size of a table with all its partitions.
func (c *change) tree(table string) (rows, bytes int64, known bool) {
	t, known := c.Tables[table]
	rows, bytes = t.Whole()
	return rows, bytes, known
}

// own is the size that is told of a table: a partition's is its own, whatever
// stands beside it.
func (c *change) own(table string) (rows, bytes int64, known bool) {
	if t := c.Tables[table]; t.Root != "" && t.Root != table {
		return t.Rows, t.Bytes, true
	}
	return c.tree(table)
}

// isSmall: the snapshot proves the table small. Without a snapshot the size
// in production is anybody's guess.
func (c *change) isSmall(table string) bool {
	rows, bytes, known := c.tree(table)
	return known && c.sized() && rows < smallRows && bytes < smallBytes
}

// sized: tables are as large as production's, which neither the merged
// migrations nor a dump of the schema alone make them.
func (c *change) sized() bool { return c.Snapshot != nil && c.Tier != gate.TierSchema }

// cap is the loudest severity for findings that depend on a table's size.
func (c *change) cap(table string) gate.Severity {
	if c.isSmall(table) {
		return gate.Notice
	}
	return ""
}

// sizeOf spells a table's size, or that nobody knows it.
func (c *change) sizeOf(table string) string {
	rows, bytes, known := c.own(table)
	if !c.sized() || !known {
		return "size unknown"
	}
	return fmt.Sprintf("%s, %s", plural(rows, "row", "rows"), size(bytes))
}

// addSize writes the same into evidence.
func (c *change) addSize(evidence map[string]any, table string) {
	rows, bytes, known := c.own(table)
	if !c.sized() || !known {
		evidence["size"] = "unknown"
		return
	}
	evidence["rows"], evidence["bytes"] = rows, bytes
}

// isOver: the window is over budget for sure: by its upper bound, or where
// that means nothing, by what is proven even on an empty table.
func (c *change) isOver(w gate.LockWindow) bool {
	if c.IsMeasured(w) {
		return len(c.breaches(w, w.AtMostMS)) > 0
	}
	return len(c.breaches(w, w.AtLeastMS)) > 0
}

// up is a statement of an up script, by the indices the facts use.
func (c *change) up(m, s int) (migration.Statement, bool) {
	if m < 0 || m >= len(c.Migrations) || s < 0 || s >= len(c.Migrations[m].Up.Statements) {
		return migration.Statement{}, false
	}
	return c.Migrations[m].Up.Statements[s], true
}

// runs calls f for every statement of an up script that ran.
func (c *change) runs(f func(m, s int, st migration.Statement, run gate.StatementRun)) {
	for m, mig := range c.Migrations {
		if mig.Apply == nil {
			continue
		}
		for s, run := range mig.Apply.Statements {
			if st, ok := c.up(m, s); ok {
				f(m, s, st, run)
			}
		}
	}
}

// at begins a finding about a statement.
func at(st migration.Statement) gate.Finding {
	return gate.Finding{File: st.File, Line: st.Line, EndLine: st.EndLine, SQL: st.SQL}
}

// onTree names a table, or a partitioned one with the number of partitions
// that shared its fate.
func onTree(table string, partitions int) string {
	if partitions == 0 {
		return table
	}
	return fmt.Sprintf("%s with %s", table, plural(int64(partitions), "partition", "partitions"))
}

// statementsOf both scripts of a migration.
func statementsOf(m gate.Migration) []migration.Statement {
	if m.Down == nil {
		return m.Up.Statements
	}
	return append(m.Up.Statements[:len(m.Up.Statements):len(m.Up.Statements)], m.Down.Statements...)
}
