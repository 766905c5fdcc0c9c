package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// What a MySQL stretch went through, in words and as evidence.

// course says how a stretch came to its length: the modes one after the other,
// the waiting in it, and in which role a table that the statement does not
// name was locked.
func (c *change) course(h hold) string {
	if !c.dialect().IsMySQL() {
		return ""
	}
	s := ""
	if modes := modesOf(c.phasesOf(h.LockWindow)); len(modes) > 1 {
		s += " by " + strings.Join(modes, ", then ")
	}
	if h.WaitedMS > 0 {
		s += fmt.Sprintf(", of which up to %s waiting for the lock", upTo(h.WaitedMS))
	}
	if role := c.role(h.LockWindow); role != "" {
		s += ", as " + role
	}
	again, longest := 0, 0.0
	for _, p := range h.parts {
		if p.Relation == h.Relation && len(c.breaches(p, p.AtMostMS)) > 0 {
			again, longest = again+1, max(longest, p.AtMostMS)
		}
	}
	if again > 0 {
		s += fmt.Sprintf(", and %s for up to %s", plural(int64(again), "more time", "more times"), upTo(longest))
	}
	return s
}

// addCourse writes the same into evidence.
func (c *change) addCourse(evidence map[string]any, h hold) {
	if !c.dialect().IsMySQL() {
		return
	}
	if h.WaitedMS > 0 {
		evidence["waited_ms"] = h.WaitedMS
	}
	addPhases(evidence, c.phasesOf(h.LockWindow))
	if role := c.role(h.LockWindow); role != "" {
		evidence["role"] = role
	}
	if c.dialect() == migration.MariaDB {
		evidence["not_seen"] = "waits for the lock: MariaDB shows only locks that are granted"
	}
}

// phasesOf are the windows that a stretch was joined of.
func (c *change) phasesOf(w gate.LockWindow) []gate.LockWindow {
	return c.stretches[keyOf(w)]
}

type stretchKey struct {
	migration, statement int
	session              int64
	table, blocks        string
	opened               float64
}

func keyOf(w gate.LockWindow) stretchKey {
	return stretchKey{w.Migration, w.Statement, w.Session, w.Table, strings.Join(blocking(w), ","), w.OpenedMS}
}

// addPhases lists the locks of a stretch, where there is more than one.
func addPhases(evidence map[string]any, phases []gate.LockWindow) {
	if len(phases) < 2 {
		return
	}
	listed := []map[string]any{}
	for _, p := range phases {
		listed = append(listed, map[string]any{
			"mode": p.Mode, "blocks": blocking(p), "at_least_ms": p.AtLeastMS, "at_most_ms": p.AtMostMS, "witness": p.Witness,
		})
	}
	evidence["phases"] = listed
}

func modesOf(windows []gate.LockWindow) []string {
	var modes []string
	for _, w := range windows {
		if len(modes) == 0 || modes[len(modes)-1] != w.Mode {
			modes = append(modes, w.Mode)
		}
	}
	return modes
}

// role tells what a locked table is to the one that the statement names, ""
// where it is that table itself: "a child of shop.orders by a foreign key".
func (c *change) role(w gate.LockWindow) string {
	st, ok := c.up(w.Migration, w.Statement)
	if !ok || w.Kind == "view" || w.Kind == "table" && w.Relation != w.Table { // renamed before
		return ""
	}
	var named []string
	parents := false // whose keys are made, dropped or renamed, so that parents are locked as well
	for _, a := range st.Facts.Actions {
		if a.Deferred() {
			continue
		}
		if a.Object == "database" {
			return "" // with all that is in it
		}
		schema, table := a.Schema, a.Name
		if a.On != "" {
			schema, table = splitName(a.On)
		}
		full := c.fullName(schema, table)
		if full == w.Table || strings.Contains(full, "?") { // put together at run time: it may be any
			return ""
		}
		if a.Refs != "" && c.fullName(splitName(a.Refs)) == w.Table {
			return "a parent of " + full + " by a foreign key"
		}
		if full != "" && !slices.Contains(named, full) {
			named = append(named, full)
		}
		parents = parents || a.Constraint == "foreign key" || a.Object == "constraint" || a.Verb == migration.Rename || a.Object == "table" && a.Verb != migration.Alter
	}
	if len(named) == 0 {
		return ""
	}
	for _, n := range named {
		if slices.Contains(c.Tables[w.Table].References, n) {
			return "a child of " + n + " by a foreign key"
		}
		if slices.Contains(c.Tables[n].References, w.Table) {
			return "a parent of " + n + " by a foreign key"
		}
	}
	if st.Facts.Kind == "ALTER TABLE" && !parents && len(named) == 1 {
		return "a child of " + named[0] + " by a foreign key" // parents are not locked then
	}
	return "a relative of " + some(named, 2) + " by a foreign key"
}

// fullName is a table's name in the baseline, or as well as the script says it.
func (c *change) fullName(schema, name string) string {
	if name == "" {
		return ""
	}
	if full, ok := c.resolve(schema, name); ok {
		return full
	}
	return dotted(schema, name)
}

// stretchOn is the longest stretch in which a statement kept others from one
// impact on a table.
func (c *change) stretchOn(table string, m, s int, impact string) (longest gate.LockWindow, ok bool) {
	for _, w := range c.blocksOf[[2]int{m, s}] {
		if w.Table == table && slices.Contains(w.Blocks, impact) &&
			(!ok || cmp.Less(longest.AtMostMS, w.AtMostMS)) {
			longest, ok = w, true
		}
	}
	return longest, ok
}
