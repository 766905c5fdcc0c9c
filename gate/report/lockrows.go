package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
)

// lockRow is one line of the timeline: a table and mode, with all windows on
// the table and its parts.
type lockRow struct {
	label    string
	table    string
	mode     string
	blocks   []string
	windows  []gate.LockWindow
	first    int // number of the statement that took the first of them
	openedMS float64
	worst    *gate.LockWindow
	budgetMS float64
	budgeted bool
	over     bool
	measured bool
	rowLocks bool
	parts    int // further relations of the table that were locked alike
}

// firstLocks tells by statement number when its first lock was taken.
func (m *model) firstLocks() map[int]float64 {
	first := map[int]float64{}
	for i := range m.obs.Locks {
		w := &m.obs.Locks[i]
		n := m.numberOf(w)
		if at, ok := first[n]; !ok || w.OpenedMS < at {
			first[n] = w.OpenedMS
		}
	}
	return first
}

// groupLocks makes the timeline's rows, in the order of acquisition.
func (m *model) groupLocks() {
	type key struct {
		table, mode string
		rowLocks    bool
	}
	index := map[key]int{}
	ws := slices.Clone(m.obs.Locks)
	slices.SortStableFunc(ws, compareWindows)
	for _, w := range ws {
		if !judged(&w) && (!w.RowLocks || !w.Existing) {
			continue
		}
		k := key{m.obs.Root(tableOf(&w)), w.Mode, w.RowLocks}
		i, ok := index[k]
		if !ok {
			i = len(m.rows)
			index[k] = i
			m.rows = append(m.rows, lockRow{table: k.table, mode: k.mode, openedMS: w.OpenedMS, first: m.numberOf(&w), rowLocks: w.RowLocks, measured: true})
		}
		m.rows[i].add(m, w)
		m.endMS = max(m.endMS, w.ClosedMS)
	}
	// The table lock of a DML statement says nothing beside its row locks.
	m.rows = slices.DeleteFunc(m.rows, func(r lockRow) bool {
		_, dml := index[key{r.table, r.mode, true}]
		return dml && !r.rowLocks && !r.blocksData()
	})
	for i := range m.rows {
		m.rows[i].setLabel()
	}
}

func (r *lockRow) add(m *model, w gate.LockWindow) {
	r.windows = append(r.windows, w)
	over := m.isOver(&w)
	if r.worst == nil || over && !r.over || over == r.over && w.AtMostMS > r.worst.AtMostMS {
		r.worst = &w
	}
	for _, b := range []string{"reads", "writes", "ddl"} {
		if slices.Contains(w.Blocks, b) && !slices.Contains(r.blocks, b) {
			r.blocks = append(r.blocks, b)
		}
	}
	r.measured = r.measured && measured(m.obs, &w)
	if limit, ok := budget(m.obs, m.r.Policy, &w); ok {
		if v := exactMS(limit); !r.budgeted || v < r.budgetMS {
			r.budgeted, r.budgetMS = true, v
		}
		r.over = r.over || over
	}
}

// blocksData reports whether reads or writes were blocked, not DDL alone.
func (r *lockRow) blocksData() bool {
	return slices.Contains(r.blocks, "reads") || slices.Contains(r.blocks, "writes")
}

// setLabel names the table, or the one part of it that was locked alone.
func (r *lockRow) setLabel() {
	parts := map[string]string{}
	for _, w := range r.windows {
		parts[w.Relation] = w.Kind
	}
	r.label = r.table
	if _, itself := parts[r.table]; !itself {
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			r.label = fmt.Sprintf("%s (%s)", name, cmp.Or(parts[name], "part"))
			break
		}
	}
	if r.parts = len(parts) - 1; r.parts > 0 {
		r.label += fmt.Sprintf(" +%d", r.parts)
	}
}

// figure is the longest window's upper bound, or why it has none.
func (r *lockRow) figure() string {
	if !r.measured && !r.over {
		return "not measured"
	}
	return upTo(r.worst.AtMostMS)
}

// status sets the figure against the budget.
func (r *lockRow) status() string {
	switch {
	case r.over && r.worst.AtMostMS <= r.budgetMS:
		return "with others over " + duration(r.budgetMS)
	case r.over:
		return "over " + duration(r.budgetMS)
	case r.rowLocks:
		return plural(r.worst.Rows, "row")
	case !r.measured:
		return "no rows"
	case r.budgeted:
		return "of " + duration(r.budgetMS)
	}
	return ""
}
