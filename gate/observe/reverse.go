package observe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// Reverse walks the down scripts from last to first on a clone where Apply
// ended well, compares schema and rows with the baseline, and walks up again.
//
// A down script that is missing or empty declares its migration forward-only:
// the walk steps over it both ways. second makes a further clone, and is
// called only where differences cannot be booked to one migration otherwise.
func Reverse(ctx context.Context, lab Lab, o *gate.Observation, opt Options, second func(context.Context) (Lab, error)) (err error) {
	w := &walk{lab: lab, opt: opt}
	if w.session, err = lab.Open(ctx); err != nil {
		return fmt.Errorf("connect as the migrating role: %w", err)
	}
	defer func() { err = w.close(ctx, err) }()

	o.Reverse = &gate.Reverse{}
	reversible := 0
	for i := len(o.Migrations) - 1; i >= 0; i-- {
		m := &o.Migrations[i]
		if m.Down.IsEmpty() {
			continue
		}
		reversible++
		if m.Reversed, err = w.run(ctx, m.Down); err != nil {
			return fmt.Errorf("reverse %s: %w", m.Down.File, err)
		}
		if m.Reversed.Failure != nil {
			return nil
		}
	}
	if err := compare(ctx, lab, o, reversible > 0); err != nil {
		return err
	}
	if err := blame(ctx, o, opt, second); err != nil {
		return err
	}
	for i := range o.Migrations {
		m := &o.Migrations[i]
		if m.Reversed == nil {
			continue
		}
		if m.ReUp, err = w.run(ctx, &m.Up); err != nil {
			return fmt.Errorf("apply %s again: %w", m.Up.File, err)
		}
		if m.ReUp.Failure != nil {
			return nil
		}
	}
	return nil
}

// compare notes every difference between the baseline and the clone. Without
// any real down script nothing was reversed, and rows need no reading.
func compare(ctx context.Context, lab Lab, o *gate.Observation, rows bool) error {
	before, err := lab.Baseline.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the baseline's schema: %w", err)
	}
	after, err := lab.Clone.Schema(ctx)
	if err != nil {
		return fmt.Errorf("read the schema after the reverse walk: %w", err)
	}
	for _, c := range snapshot.Diff(before, after) {
		o.Reverse.Changes = append(o.Reverse.Changes, gate.SchemaChange{Change: c, Migration: -1})
	}
	if !rows {
		return nil
	}
	began := time.Now()
	diffs, compared, err := lab.Compare(ctx, nil)
	if err != nil {
		return fmt.Errorf("compare rows with the baseline: %w", err)
	}
	o.Reverse.Compared, o.Reverse.CompareMS = compared, ms(time.Since(began))
	for _, d := range diffs {
		o.Reverse.Losses = append(o.Reverse.Losses, gate.DataChange{
			Table: d.Table, Now: d.Now, RowsBefore: d.RowsBefore, Missing: d.Missing, Added: d.Added,
			GoneColumns: d.GoneColumns, Examples: d.Examples, Migration: -1,
		})
	}
	return nil
}

// blame books each difference to the migration that is answerable for it. With
// one migration that is plain. With several, a second clone is walked and read
// at every height, so that what a forward-only migration changed is not laid
// at the door of a neighbour that was reversed well.
func blame(ctx context.Context, o *gate.Observation, opt Options, second func(context.Context) (Lab, error)) error {
	if len(o.Migrations) == 1 {
		book(o, func(snapshot.Object) int { return 0 }, func(string) int { return 0 })
		return nil
	}
	if !wantsBlame(o, opt.Exact) {
		return nil
	}
	lab, err := second(ctx)
	if err != nil {
		return fmt.Errorf("clone the baseline again: %w", err)
	}
	h, err := readHeights(ctx, lab, o, opt)
	if err != nil {
		return fmt.Errorf("find which migration is answerable: %w", err)
	}
	book(o, h.object, h.table)
	return nil
}

// wantsBlame reports whether something is different that existed before, or
// anything at all where the reversal is to be exact.
func wantsBlame(o *gate.Observation, exact bool) bool {
	for _, c := range o.Reverse.Changes {
		if c.Before != nil || exact {
			return true
		}
	}
	return len(o.Reverse.Losses) > 0
}

// book writes the answerable migration into every difference. The finders
// return an index into Migrations.
func book(o *gate.Observation, object func(snapshot.Object) int, table func(string) int) {
	place := func(i int) (forward bool, file string, line int) {
		m := o.Migrations[i]
		if m.Reversed == nil {
			return true, m.Up.File, firstLine(&m.Up)
		}
		return false, m.Down.File, firstLine(m.Down)
	}
	for k := range o.Reverse.Changes {
		c := &o.Reverse.Changes[k]
		of := c.Before
		if of == nil {
			of = c.After
		}
		c.Migration = object(*of)
		c.ForwardOnly, c.File, c.Line = place(c.Migration)
		if !c.ForwardOnly {
			c.Line = lineFor(o.Migrations[c.Migration].Down, of.Relation, of.Name)
		}
	}
	for k := range o.Reverse.Losses {
		d := &o.Reverse.Losses[k]
		d.Migration = table(d.Table)
		d.ForwardOnly, d.File, d.Line = place(d.Migration)
		if !d.ForwardOnly {
			d.Line = lineFor(o.Migrations[d.Migration].Down, d.Table, d.Table)
		}
	}
}

func firstLine(s *migration.Script) int {
	if s == nil || len(s.Statements) == 0 {
		return 1
	}
	return s.Statements[0].Line
}

// lineFor finds the statement of a script that names the relation or object,
// else the script's first line.
func lineFor(s *migration.Script, relation, name string) int {
	for _, st := range s.Statements {
		for _, a := range st.Facts.Actions {
			for _, q := range []string{relation, name} {
				if q != "" && a.Name != "" && (q == a.Name || q == a.Schema+"."+a.Name || a.Schema == "" && hasLast(q, a.Name)) {
					return a.Line
				}
			}
		}
	}
	return firstLine(s)
}

// hasLast reports whether a qualified name ends in ".name".
func hasLast(qualified, name string) bool {
	n := len(qualified) - len(name)
	return n > 0 && qualified[n-1] == '.' && qualified[n:] == name
}

// heights are the states of a second walk: up[k] before migration k (up[n] on
// top), down[k] after its reversal.
type heights struct {
	schema struct{ up, down []map[string]string }
	rows   struct {
		up, down []map[string]snapshot.DataDiff
	}
	real []bool // reversed by a down script
}

func readHeights(ctx context.Context, lab Lab, o *gate.Observation, opt Options) (h *heights, err error) {
	w := &walk{lab: lab, opt: Options{OnStatement: opt.OnStatement}}
	if w.session, err = lab.Open(ctx); err != nil {
		return nil, err
	}
	defer func() { err = w.close(ctx, err) }()
	tables := []string{}
	for _, d := range o.Reverse.Losses {
		tables = append(tables, d.Table)
	}
	read := func() (map[string]string, map[string]snapshot.DataDiff, error) {
		schema, err := lab.Clone.Schema(ctx)
		if err != nil {
			return nil, nil, err
		}
		objects := map[string]string{}
		for _, ob := range schema {
			objects[ob.Kind+" "+ob.Name] = ob.Definition
		}
		rows := map[string]snapshot.DataDiff{}
		if len(tables) > 0 {
			diffs, _, err := lab.Compare(ctx, tables)
			if err != nil {
				return nil, nil, err
			}
			for _, d := range diffs {
				d.Examples = nil
				rows[d.Table] = d
			}
		}
		return objects, rows, nil
	}
	n := len(o.Migrations)
	h = &heights{real: make([]bool, n)}
	h.schema.up, h.schema.down = make([]map[string]string, n+1), make([]map[string]string, n+1)
	h.rows.up, h.rows.down = make([]map[string]snapshot.DataDiff, n+1), make([]map[string]snapshot.DataDiff, n+1)
	if h.schema.up[0], h.rows.up[0], err = read(); err != nil {
		return nil, err
	}
	for k := range o.Migrations {
		if err := step(ctx, w, &o.Migrations[k].Up); err != nil {
			return nil, err
		}
		if h.schema.up[k+1], h.rows.up[k+1], err = read(); err != nil {
			return nil, err
		}
	}
	h.schema.down[n], h.rows.down[n] = h.schema.up[n], h.rows.up[n]
	for k := n - 1; k >= 0; k-- {
		h.schema.down[k], h.rows.down[k] = h.schema.down[k+1], h.rows.down[k+1]
		if h.real[k] = o.Migrations[k].Reversed != nil; !h.real[k] {
			continue
		}
		if err := step(ctx, w, o.Migrations[k].Down); err != nil {
			return nil, err
		}
		if h.schema.down[k], h.rows.down[k], err = read(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// step runs a script that ran well before; if it fails now, the migration is
// not deterministic, and nothing can be booked.
func step(ctx context.Context, w *walk, s *migration.Script) error {
	run, err := w.run(ctx, s)
	if err != nil {
		return err
	}
	if f := run.Failure; f != nil {
		return fmt.Errorf("%s:%d ran at first and failed when repeated on a fresh clone: %s", f.File, f.Line, f.Message)
	}
	return nil
}

// object finds the migration answerable for a schema difference.
func (h *heights) object(ob snapshot.Object) int {
	key := ob.Kind + " " + ob.Name
	return h.find(
		func(k int) bool { return h.schema.up[k][key] != h.schema.up[k+1][key] },
		func(k int) bool { return h.schema.down[k][key] != h.schema.down[k+1][key] },
		func(k int) bool {
			return h.schema.down[k][key] == h.schema.up[k][key] ||
				undoes(words(h.schema.up[k][key]), words(h.schema.up[k+1][key]), words(h.schema.down[k+1][key]), words(h.schema.down[k][key]))
		})
}

// undoes reports whether the step from c to d takes back what the one from a
// to b did: what a neighbour changed in between stays, and is not theirs.
func undoes(a, b, c, d map[string]int) bool {
	for _, m := range []map[string]int{a, b, c, d} {
		for w := range m {
			if d[w]-c[w] != a[w]-b[w] {
				return false
			}
		}
	}
	return true
}

func words(definition string) map[string]int {
	m := map[string]int{}
	for _, w := range strings.Fields(definition) {
		m[w]++
	}
	return m
}

// table finds the migration answerable for a difference in rows.
func (h *heights) table(name string) int {
	same := func(a, b map[string]snapshot.DataDiff) bool {
		x, y := a[name], b[name]
		return x.Missing == y.Missing && x.Added == y.Added && x.Now == y.Now && len(x.GoneColumns) == len(y.GoneColumns)
	}
	return h.find(
		func(k int) bool { return !same(h.rows.up[k], h.rows.up[k+1]) },
		func(k int) bool { return !same(h.rows.down[k], h.rows.down[k+1]) },
		func(k int) bool {
			return same(h.rows.down[k], h.rows.up[k]) ||
				undoes(rows(h.rows.up[k][name]), rows(h.rows.up[k+1][name]), rows(h.rows.down[k+1][name]), rows(h.rows.down[k][name]))
		})
}

func rows(d snapshot.DataDiff) map[string]int {
	m := map[string]int{"missing": int(d.Missing), "added": int(d.Added)}
	if d.Now != d.Table { // a table that does not differ has no names here
		m["now "+d.Now] = 1
	}
	for _, c := range d.GoneColumns {
		m["gone "+c] = 1
	}
	return m
}

// find picks, from the top: a down script that changed the thing and did not
// bring back what was before its up; then an up whose own down left it
// changed; then the forward-only migration that changed it.
func (h *heights) find(upChanged, downChanged, restored func(int) bool) int {
	n := len(h.real)
	for k := n - 1; k >= 0; k-- {
		if h.real[k] && downChanged(k) && !restored(k) {
			return k
		}
	}
	for k := n - 1; k >= 0; k-- {
		if h.real[k] && upChanged(k) && !restored(k) {
			return k
		}
	}
	for k := n - 1; k >= 0; k-- {
		if !h.real[k] && upChanged(k) {
			return k
		}
	}
	for k := n - 1; k >= 0; k-- {
		if upChanged(k) {
			return k
		}
	}
	return n - 1
}
