package rule

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/migration-gate/migration-gate/gate"
)

// breach is one impact of a window that lasts longer than allowed.
type breach struct {
	impact string  // "reads", "writes"
	limit  float64 // milliseconds
}

// breaches of a window whose length is at most atMost milliseconds.
func (c *change) breaches(w gate.LockWindow, atMost float64) []breach {
	reads, writes := c.Limits(c.policy, w.Table)
	var over []breach
	for _, l := range []breach{{"reads", ms(reads)}, {"writes", ms(writes)}} {
		if slices.Contains(w.Blocks, l.impact) && atMost > l.limit {
			over = append(over, l)
		}
	}
	return over
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// judged: the window can block somebody, and is not the row locks of DML,
// which are reported only.
func judged(w gate.LockWindow) bool {
	return w.Existing && !w.RowLocks && w.BlocksAny("reads", "writes")
}

// hold is what one statement did to one table: the window that hurts most, and
// those that add nothing to it (its indexes and toast, weaker modes, its
// partitions).
type hold struct {
	gate.LockWindow
	root  string // the partitioned table on top, or the table itself
	over  []breach
	parts []gate.LockWindow
}

// holds groups windows by statement and table. A window is folded into a
// stronger one only where it blocks nothing more and cannot be told to last
// longer; else it is a hold of its own.
func (c *change) holds(windows []gate.LockWindow) []hold {
	type place struct {
		migration, statement int
		table                string
	}
	var places []place
	groups := map[place][]gate.LockWindow{}
	for _, w := range windows {
		p := place{w.Migration, w.Statement, c.Root(w.Table)}
		if groups[p] == nil {
			places = append(places, p)
		}
		groups[p] = append(groups[p], w)
	}
	var all []hold
	for _, p := range places {
		rest := groups[p]
		slices.SortStableFunc(rest, func(a, b gate.LockWindow) int {
			return cmp.Or(
				cmp.Compare(len(c.breaches(b, b.AtMostMS)), len(c.breaches(a, a.AtMostMS))),
				first(a.Relation == a.Table, b.Relation == b.Table),
				first(a.Table == p.table, b.Table == p.table),
				cmp.Compare(b.AtMostMS, a.AtMostMS),
			)
		})
		for len(rest) > 0 {
			h := hold{LockWindow: rest[0], root: p.table, over: c.breaches(rest[0], rest[0].AtMostMS)}
			var apart []gate.LockWindow
			for _, w := range rest[1:] {
				if within(c.breaches(w, w.AtMostMS), h.over) && w.AtLeastMS <= h.AtMostMS {
					h.parts = append(h.parts, w)
				} else {
					apart = append(apart, w)
				}
			}
			all, rest = append(all, h), apart
		}
	}
	return all
}

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

func within(some, all []breach) bool {
	for _, b := range some {
		if !slices.ContainsFunc(all, func(o breach) bool { return o.impact == b.impact }) {
			return false
		}
	}
	return true
}

// where begins a finding on the line that took the lock.
func (c *change) where(h hold) gate.Finding {
	st, _ := c.up(h.Migration, h.Statement)
	f := at(st)
	f.File, f.Line, f.EndLine = h.File, h.Line, h.EndLine
	return f
}

// name is the table, with its partitions counted where they were locked too.
func (h hold) name() string { return onTree(h.subject()) }

// subject is the table that was locked, or the partitioned one above several,
// and how many tables beneath it are meant.
func (h hold) subject() (table string, partitions int) {
	tables := map[string]bool{h.Table: true}
	for _, p := range h.parts {
		tables[p.Table] = true
	}
	if len(tables) == 1 {
		return h.Table, 0
	}
	delete(tables, h.root)
	return h.root, len(tables)
}

// impacts are the words for what is blocked too long.
func (h hold) impacts() []string {
	var words []string
	for _, b := range h.over {
		words = append(words, b.impact)
	}
	return words
}

// evidence has the keys of the contract, and what was folded.
func (h hold) evidence() map[string]any {
	table, _ := h.subject()
	e := map[string]any{
		"relation": table, "mode": h.Mode, "blocks": h.impacts(),
		"at_least_ms": h.AtLeastMS, "at_most_ms": h.AtMostMS,
		"witness": h.Witness,
	}
	if len(h.over) > 0 {
		e["budget_ms"] = h.over[0].limit
	}
	if len(h.over) == 2 && h.over[0].limit != h.over[1].limit {
		e["budgets_ms"] = map[string]float64{h.over[0].impact: h.over[0].limit, h.over[1].impact: h.over[1].limit}
	}
	if h.Relation != h.Table {
		e["through"] = h.Relation
	}
	if h.Waited {
		e["waited"] = true
	}
	if len(h.parts) > 0 {
		if parts := partsOf(h); len(parts) > 0 {
			e["parts"] = parts
		}
	}
	return e
}

// partsOf lists what was folded, each relation and mode once (a parallel
// worker holds the same again), no more than a reader would scroll through.
func partsOf(h hold) []map[string]any {
	const most = 100
	parts := []map[string]any{}
	seen := map[[2]string]bool{{h.Relation, h.Mode}: true}
	for _, w := range h.parts {
		key := [2]string{w.Relation, w.Mode}
		if seen[key] || len(parts) == most {
			continue
		}
		seen[key] = true
		parts = append(parts, map[string]any{
			"relation": w.Relation, "kind": w.Kind, "mode": w.Mode, "at_most_ms": w.AtMostMS,
		})
	}
	return parts
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
