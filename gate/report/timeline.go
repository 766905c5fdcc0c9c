package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// timeline draws one bar per table and mode over the apply walk, so that who
// was blocked, from where to where, is seen before it is read.
func (t *text) timeline() {
	if len(t.rows) == 0 {
		return
	}
	rows, cut := t.timelineRows(maxTextRows)
	end := max(t.endMS, 0.1)
	c := t.timelineColumns(rows)
	g := t.glyph

	t.title("locks on existing tables while applying")
	scale := pad("0", c.bar/2-4) + pad(duration(end/2), c.bar-c.bar/2+4-columnsOf(duration(end))) + duration(end)
	if c.bar < 30 {
		scale = pad("0", c.bar-columnsOf(duration(end))) + duration(end)
	}
	t.line("%s %s", c.head(), scale)
	t.line("%s%s%s%s", pad("", c.left()), g.left, t.ticks(c.bar, end), g.right)
	for i := range rows {
		r := &rows[i]
		color := green
		switch {
		case r.over:
			color = red
		case r.rowLocks || !r.measured || !r.budgeted:
			color = dim
		}
		tail := padLeft(r.figure(), c.figure)
		if s := r.status(); s != "" {
			tail += "  " + s
		}
		t.line("%s %s  %s", c.cells(r, g.ellipsis), t.paint(color, t.bar(r, c.bar, end)), tail)
	}
	if cut > 0 {
		t.line("  and %s more that blocked for less, in the JSON report", plural(int64(cut), "row"))
	}
	for _, l := range t.legend(rows) {
		t.line("  %s", t.paint(dim, l))
	}
}

// timelineRows keeps the rows that blocked longest, in the order of time.
func (m *model) timelineRows(n int) (rows []lockRow, cut int) {
	rows = slices.Clone(m.rows)
	if len(rows) > n {
		slices.SortStableFunc(rows, func(a, b lockRow) int { return cmp.Compare(b.weight(), a.weight()) })
		rows, cut = rows[:n], len(rows)-n
	}
	slices.SortStableFunc(rows, func(a, b lockRow) int {
		return cmp.Or(cmp.Compare(a.kind(), b.kind()), cmp.Compare(a.openedMS, b.openedMS), cmp.Compare(a.label, b.label), cmp.Compare(a.mode, b.mode))
	})
	return rows, cut
}

// kind sorts rows: blocks reads or writes, blocks DDL only, row locks.
func (r *lockRow) kind() int {
	switch {
	case r.rowLocks:
		return 2
	case r.blocksData():
		return 0
	}
	return 1
}

func (r *lockRow) weight() float64 {
	w := r.worst.AtMostMS
	if r.over {
		w += 1e15
	}
	return w - float64(r.kind())*1e12
}

// columns are the widths of the timeline's left side, bar and figure.
type columns struct {
	schema                                   string // that all tables are in, named once
	number, label, mode, blocks, bar, figure int
}

// oneSchema is the schema that all rows' tables are in, if it is one.
func oneSchema(rows []lockRow) string {
	schema := ""
	for i := range rows {
		s, _, ok := strings.Cut(rows[i].label, ".")
		if !ok || (schema != "" && s != schema) {
			return ""
		}
		schema = s
	}
	return schema
}

func (c columns) tableHead() string {
	if c.schema == "" {
		return "table"
	}
	return "in " + oneLine(c.schema)
}

func (c columns) name(r *lockRow) string {
	if c.schema == "" {
		return oneLine(r.label)
	}
	return oneLine(strings.TrimPrefix(r.label, c.schema+"."))
}

// timelineColumns shares the width out: the bar gets what is left, and where
// that is too little first the mode goes, then the names are cut.
func (t *text) timelineColumns(rows []lockRow) columns {
	c := columns{number: 1, schema: oneSchema(rows), mode: len("mode"), blocks: len("blocks")}
	c.label = columnsOf(c.tableHead())
	status := 0
	for i := range rows {
		r := &rows[i]
		c.number = max(c.number, len(fmt.Sprint(r.first)))
		c.label = max(c.label, columnsOf(c.name(r)))
		c.mode = max(c.mode, columnsOf(modeOf(r)))
		c.blocks = max(c.blocks, columnsOf(blocksOf(r)))
		c.figure = max(c.figure, columnsOf(r.figure()))
		status = max(status, columnsOf(r.status()))
	}
	c.label = min(c.label, 40)
	const least = 18
	room := func() int { return t.opt.Width - c.left() - 1 - 2 - c.figure - 2 - status }
	if room() < least {
		c.label = min(c.label, max(16, c.label-(least-room())))
	}
	if room() < least {
		c.mode = 0
	}
	if room() < least {
		c.blocks = 0
	}
	c.bar = min(max(room(), 12), 80)
	return c
}

func (c columns) left() int {
	n := 2 + c.number + 2 + c.label
	if c.mode > 0 {
		n += 2 + c.mode
	}
	if c.blocks > 0 {
		n += 2 + c.blocks
	}
	return n + 1
}

func (c columns) join(number, label, mode, blocks string) string {
	s := "  " + padLeft(number, c.number) + "  " + pad(label, c.label)
	if c.mode > 0 {
		s += "  " + pad(mode, c.mode)
	}
	if c.blocks > 0 {
		s += "  " + pad(blocks, c.blocks)
	}
	return s + " "
}

func (c columns) head() string {
	return c.join("#", clip(c.tableHead(), c.label, ""), "mode", "blocks")
}

func (c columns) cells(r *lockRow, ellipsis string) string {
	n := ""
	if r.first > 0 {
		n = fmt.Sprint(r.first)
	}
	return c.join(n, clipLeft(c.name(r), c.label, ellipsis), modeOf(r), blocksOf(r))
}

func modeOf(r *lockRow) string {
	if r.rowLocks {
		return "row locks"
	}
	return oneLine(r.mode)
}

func blocksOf(r *lockRow) string {
	if r.rowLocks {
		return "those rows"
	}
	return strings.Join(telling(r.blocks), ", ")
}

// ticks marks where statements started, with their numbers where they fit.
func (t *text) ticks(width int, end float64) string {
	cells := make([]string, width)
	for i := range cells {
		cells[i] = t.glyph.line
	}
	free := 0 // first cell a number may use
	for i := range t.statements {
		s := &t.statements[i]
		if !s.ran() {
			continue
		}
		at := cell(s.startMS, end, width)
		label := fmt.Sprint(s.number)
		if at < free || at+len(label) > width {
			if cells[at] == t.glyph.line {
				cells[at] = t.glyph.tick
			}
			continue
		}
		for k, r := range label {
			cells[at+k] = string(r)
		}
		free = at + len(label) + 1
	}
	return strings.Join(cells, "")
}

// bar draws a row's windows: up to the budget, beyond it, and where the
// budget would have ended.
func (t *text) bar(r *lockRow, width int, end float64) string {
	g := t.glyph
	cells := make([]string, width)
	for i := range cells {
		cells[i] = " "
	}
	for i := range r.windows {
		w := &r.windows[i]
		from := cell(w.OpenedMS, end, width)
		to := max(from, cell(max(w.ClosedMS, w.OpenedMS+w.AtMostMS)-1e-9, end, width))
		limit, limited := budget(t.obs, t.r.Policy, w)
		began := t.since(w)
		edge := cell(began+exactMS(limit), end, width)
		over := limited && t.isOver(w)
		for k := from; k <= to; k++ {
			switch {
			case r.rowLocks:
				cells[k] = g.rows
			case !r.blocksData():
				cells[k] = g.ddl
			case over && (k >= edge && k > from || from == to):
				cells[k] = g.over
			case cells[k] != g.over:
				cells[k] = g.within
			}
		}
		if limited && !over && edge > to && edge < width && began+exactMS(limit) <= end && cells[edge] == " " {
			cells[edge] = g.budget
		}
	}
	return strings.Join(cells, "")
}

// legend explains the glyphs that were used.
func (t *text) legend(rows []lockRow) []string {
	g := t.glyph
	words := []string{"digits: where statements start"}
	for _, l := range []struct {
		words string
		used  func(*lockRow) bool
	}{
		{g.within + " within budget", func(r *lockRow) bool { return r.budgeted }},
		{g.within + " blocked", func(r *lockRow) bool { return r.blocksData() && !r.budgeted && !r.rowLocks }},
		{g.over + " over budget", func(r *lockRow) bool { return r.over }},
		{g.budget + " budget ends", func(r *lockRow) bool { return r.budgeted }},
		{g.ddl + " blocks only DDL", func(r *lockRow) bool { return !r.blocksData() && !r.rowLocks }},
		{g.rows + " row locks, an upper bound, not judged", func(r *lockRow) bool { return r.rowLocks }},
		{"+n indexes, toast, partitions with it", func(r *lockRow) bool { return r.parts > 0 }},
	} {
		if slices.ContainsFunc(rows, func(r lockRow) bool { return l.used(&r) }) {
			words = append(words, l.words)
		}
	}
	lines := words[:1]
	for _, w := range words[1:] {
		if last := &lines[len(lines)-1]; columnsOf(*last)+3+columnsOf(w) <= t.opt.Width-2 {
			*last += "   " + w
		} else {
			lines = append(lines, w)
		}
	}
	return lines
}

// cell maps an instant to a column.
func cell(at, end float64, width int) int {
	return min(max(int(at/end*float64(width)), 0), width-1)
}

func sortBy(order []int, key func(int) float64) {
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(key(a), key(b)) })
}
