package rule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
)

// Which lock was held on a table while a statement ran, as several rules ask.

// lockDuring finds the strongest lock on one of the tables that was held while
// a statement ran and blocked one of the impacts.
func (c *change) lockDuring(tables []string, m, s int, impacts ...string) (gate.LockWindow, bool) {
	var best gate.LockWindow
	found := false
	for _, table := range tables {
		for _, windows := range [][]gate.LockWindow{c.taken[takenIn{table, m}], c.crossing[table]} {
			i := slices.IndexFunc(windows, func(w gate.LockWindow) bool {
				return c.heldDuring(w, m, s) && w.BlocksAny(impacts...)
			})
			if i >= 0 && (!found || stronger(windows[i], best) < 0) {
				best, found = windows[i], true
			}
		}
	}
	return best, found
}

// takenIn is where windows are looked for: on a table, by a migration.
type takenIn struct {
	table     string
	migration int
}

// indexLocks sorts the judged windows for lockDuring, strongest first. Those
// that outlive their migration (a BEGIN without COMMIT) are kept apart.
func (c *change) indexLocks() {
	c.taken, c.crossing = map[takenIn][]gate.LockWindow{}, map[string][]gate.LockWindow{}
	for _, w := range c.Locks {
		if !judged(w) {
			continue
		}
		key := takenIn{w.Table, w.Migration}
		c.taken[key] = append(c.taken[key], w)
		if _, ok := c.up(w.Migration, w.Statement+len(w.HeldDuring)); !ok {
			c.crossing[w.Table] = append(c.crossing[w.Table], w)
		}
	}
	for _, windows := range c.taken {
		slices.SortStableFunc(windows, stronger)
	}
	for _, windows := range c.crossing {
		slices.SortStableFunc(windows, stronger)
	}
}

// stronger compares windows: what blocks more first, then the longer.
func stronger(a, b gate.LockWindow) int {
	return cmp.Or(cmp.Compare(strength(b), strength(a)), cmp.Compare(b.AtMostMS, a.AtMostMS))
}

// strength ranks what a window blocks, and the table itself before its parts.
func strength(w gate.LockWindow) int {
	n := 2 * len(blocking(w))
	if w.Relation == w.Table {
		n++
	}
	return n
}

// heldDuring: the window was open while a statement ran. The statements it
// was held through follow the one that took it without a gap, so their number
// tells, and two statements on one line are not mixed up.
func (c *change) heldDuring(w gate.LockWindow, m, s int) bool {
	taken, ran := c.position(w.Migration, w.Statement), c.position(m, s)
	return taken <= ran && ran <= taken+len(w.HeldDuring)
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
