package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
)

// fact is one line of the head: what the verdict rests on.
type fact struct{ name, value string }

// ground lists what was measured, on what, under which limits.
func (m *model) ground() []fact {
	o := m.obs
	var fs []fact
	if p := proven(o.Tier); p != "" {
		fs = append(fs, fact{"proven", p})
	}
	if o.Engine.Version != "" {
		where := oneLine(o.Target.Kind)
		if o.Target.Detail != "" {
			where += " (" + oneLine(o.Target.Detail) + ")"
		}
		fs = append(fs, fact{"measured on", strings.TrimSuffix(cmp.Or(oneLine(o.Engine.Product()), "unknown engine")+" "+oneLine(o.Engine.Version)+", "+where, ", ")})
	}
	if s := o.Snapshot; s != nil {
		v := fmt.Sprintf("%s: %s, %s", oneLine(s.Path), plural(s.Rows, "row"), byteSize(s.Bytes))
		if s.SHA256 != "" {
			v += ", sha256 " + m.short(s.SHA256)
		}
		if slices.ContainsFunc(s.Parts, func(p snapshot.Part) bool { return p.Path == s.Path }) { // of files by options of their own
			for _, p := range s.Parts {
				if p.Path != s.Path {
					v += fmt.Sprintf("; with %s (%s), sha256 %s", oneLine(p.Path), p.Role, m.short(p.SHA256))
				}
			}
		}
		if n := len(s.CaughtUp); n > 0 {
			v += fmt.Sprintf("; %s it lacked applied first", plural(int64(n), "merged migration"))
		}
		if n := len(s.Skipped); n > 0 {
			const most = 3
			v += "; tolerated: " + oneLine(strings.Join(s.Skipped[:min(n, most)], ", "))
			if n > most {
				v += fmt.Sprintf(" and %s more", number(int64(n-most)))
			}
		}
		fs = append(fs, fact{"snapshot", v})
	}
	if o.Base != "" || o.Head != "" {
		v := m.short(o.Base) + ".." + m.short(o.Head)
		if o.Dirty {
			v += " and what is not committed yet"
		}
		if o.Dir != "" {
			v += " in " + oneLine(o.Dir)
		}
		if o.Layout != "" {
			v += " (" + oneLine(o.Layout) + ")"
		}
		v += ": " + plural(int64(len(o.Migrations)), "migration") + ", " + plural(int64(len(m.statements)), "statement")
		fs = append(fs, fact{"change", v})
	}
	if len(m.statements) > 0 && hasLimits(m.r.Policy) && o.Tier != gate.TierStatic {
		p := m.r.Policy
		v := "reads blocked at most " + duration(exactMS(p.MaxExclusive)) + ", writes " + duration(exactMS(p.MaxWriteBlock))
		if n := len(p.Tables); n > 0 {
			v += fmt.Sprintf(" (other limits for %s)", plural(int64(n), "table pattern"))
		}
		if p.Reversal != "" {
			v += "; reversal " + oneLine(string(p.Reversal))
		}
		if p.FailOn != "" {
			v += "; fails on " + oneLine(string(p.FailOn))
		}
		fs = append(fs, fact{"limits", v})
	}
	if r := o.Resolution; r.Looks > 0 {
		where := "the lock table"
		if m.isMySQL() {
			where = "the metadata locks"
		}
		v := fmt.Sprintf("%s at %s, %s apart in the median, at most %s",
			plural(int64(r.Looks), "look"), where, duration(ms(r.MedianGap)), duration(ms(r.MaxGap)))
		if slices.ContainsFunc(o.Locks, func(w gate.LockWindow) bool { return w.Witness == "stages" }) {
			v += "; the phases of ALTER TABLE as the server's own stages timed them"
		}
		fs = append(fs, fact{"resolution", v})
		if o.Engine.Name == "mariadb" {
			fs = append(fs, fact{"not seen", "waits for a lock: MariaDB shows only those that are granted"})
		}
	}
	if own := m.ownGate(); own != "" {
		fs = append(fs, fact{"own gate", own})
	}
	return fs
}

// caveats are said loudly, right under the verdict.
func (m *model) caveats() []string {
	cs := m.unmeasured()
	if !slices.ContainsFunc(m.statements, func(s statement) bool { return s.ran() }) {
		return cs
	}
	yes, no := measuredWindows(m.obs)
	if m.obs.Snapshot == nil {
		var rows int64
		for _, t := range m.obs.Tables {
			if t.Root == "" {
				whole, _ := t.Whole()
				rows += whole
			}
		}
		cs = append(cs, fmt.Sprintf("NO SNAPSHOT: the baseline was built from the merged migrations, so durations were measured on %s", plural(rows, "row")))
	}
	if m.obs.Snapshot != nil && m.obs.Tier == gate.TierSchema {
		cs = append(cs, "NO ROWS: the snapshot holds the schema alone, so durations were measured on empty tables")
	}
	if no > 0 && !m.durationsUnmeasured() {
		c := fmt.Sprintf("NOT MEASURED: %s on empty tables; a short one there says nothing about production", plural(int64(no), "lock window"))
		if yes+no > 1 {
			c = fmt.Sprintf("NOT MEASURED: %s of %s are on empty tables; short ones there say nothing about production", number(int64(no)), plural(int64(yes+no), "lock window"))
		}
		if m.obs.Snapshot == nil {
			c += " (give --snapshot FILE)"
		}
		cs = append(cs, c)
	}
	if c := m.tickerOnly(); c != "" {
		cs = append(cs, c)
	}
	return cs
}

// tickerOnly names the statements whose locks nothing but repeated looks saw.
func (m *model) tickerOnly() string {
	var at []string
	for i := range m.statements {
		if s := &m.statements[i]; s.run != nil && s.run.TickerOnly {
			at = append(at, fmt.Sprintf("%s:%d", oneLine(s.st.File), s.st.Line))
		}
	}
	if len(at) == 0 {
		return ""
	}
	const most = 3
	c := "TICKER ONLY: " + strings.Join(at[:min(len(at), most)], ", ")
	if len(at) > most {
		c += fmt.Sprintf(" and %s more", number(int64(len(at)-most)))
	}
	return c + " may commit on the way, where no sample can be taken between statements; locks shorter than " +
		duration(ms(m.obs.Resolution.MaxGap)) + " may be missing here"
}

// short cuts digests and commit ids; other refs stay whole.
func (m *model) short(id string) string {
	id = oneLine(id)
	hex := strings.IndexFunc(id, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) < 0
	if hex && len(id) > 12 {
		return id[:12]
	}
	return cmp.Or(id, "?")
}

// leftover is one thing the reverse walk left different.
type leftover struct{ what, object, by, note string }

// leftovers lists what the reverse walk left, structure first, then rows.
func (m *model) leftovers() []leftover {
	rev := m.obs.Reverse
	if rev == nil {
		return nil
	}
	by := func(i int) string {
		if i < 0 || i >= len(m.obs.Migrations) {
			return ""
		}
		return oneLine(m.obs.Migrations[i].Version)
	}
	whole, parts := wholeTables(rev.Changes)
	var ls []leftover
	for i, c := range rev.Changes {
		if parts[i] {
			continue
		}
		l := leftover{what: oneLine(c.What), by: by(c.Migration)}
		switch {
		case c.Before != nil && c.After != nil && c.Before.Name != c.After.Name:
			l.object = c.Before.Kind + " " + c.Before.Name + " is now " + c.After.Name
		case c.Before != nil:
			l.object = c.Before.Kind + " " + c.Before.Name
		case c.After != nil:
			l.object = c.After.Kind + " " + c.After.Name
		}
		if c.Before != nil && c.After != nil && c.Before.Definition != c.After.Definition {
			was, is := c.Excerpts(60, m.glyph.ellipsis)
			if l.note = "differs in white space: " + oneLine(is); was != is {
				l.note = fmt.Sprintf("was %s, is %s", oneLine(was), oneLine(is))
			}
		}
		if n := whole[l.what+" "+relationOf(&c)]; n > 0 && isTable(&c) {
			l.note = joinNotes(l.note, "with "+plural(n, "column, index or other part"))
		}
		l.note = joinNotes(l.note, forwardOnly(c.ForwardOnly))
		l.object = oneLine(l.object)
		ls = append(ls, l)
	}
	for _, d := range rev.Losses {
		ls = append(ls, m.dataLeftover(&d, by(d.Migration)))
	}
	return ls
}

// wholeTables finds the changes that go without saying beside that of their
// table, which was added or removed as a whole, and counts them by it.
func wholeTables(cs []gate.SchemaChange) (whole map[string]int64, parts map[int]bool) {
	whole, parts = map[string]int64{}, map[int]bool{}
	for i := range cs {
		if c := &cs[i]; isTable(c) && (c.What == "added" || c.What == "removed") {
			whole[c.What+" "+relationOf(c)] = 0
		}
	}
	for i := range cs {
		c := &cs[i]
		key := c.What + " " + relationOf(c)
		if n, ok := whole[key]; ok && !isTable(c) {
			whole[key], parts[i] = n+1, true
		}
	}
	return whole, parts
}

func isTable(c *gate.SchemaChange) bool {
	o := cmp.Or(c.After, c.Before)
	return o != nil && o.Kind == "table"
}

// relationOf is the table a changed object belongs to, a table itself.
func relationOf(c *gate.SchemaChange) string {
	o := cmp.Or(c.After, c.Before)
	if o == nil {
		return ""
	}
	return cmp.Or(o.Relation, o.Name)
}

func (m *model) dataLeftover(d *gate.DataChange, by string) leftover {
	l := leftover{what: "rows", by: by, object: "table " + oneLine(d.Table)}
	if d.Now != "" && d.Now != d.Table {
		l.object += " is now " + oneLine(d.Now)
	}
	switch {
	case d.Now == "":
		l.note = fmt.Sprintf("gone, with %s", plural(d.RowsBefore, "row"))
	default:
		l.note = fmt.Sprintf("%s before, %s missing or altered, %s added", number(d.RowsBefore), number(d.Missing), number(d.Added))
	}
	if len(d.GoneColumns) > 0 {
		l.note = joinNotes(l.note, "columns gone: "+oneLine(strings.Join(d.GoneColumns, ", ")))
	}
	if len(d.Examples) > 0 {
		l.note = joinNotes(l.note, "for example "+clip(oneLine(strings.Join(d.Examples, ", ")), 80, m.glyph.ellipsis))
	}
	l.note = joinNotes(l.note, forwardOnly(d.ForwardOnly))
	return l
}

func forwardOnly(yes bool) string {
	if yes {
		return "declared forward-only"
	}
	return ""
}

func joinNotes(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// reverseSummary says how much was compared.
func (m *model) reverseSummary(n int) string {
	contract := cmp.Or(oneLine(string(m.r.Policy.Reversal)), "forward-only")
	what := "nothing differs from before"
	if n > 0 {
		what = plural(int64(n), "difference") + " to before"
	}
	others := ", the others proven untouched"
	if m.isMySQL() { // nothing there proves it but reading, so all are read
		others = ""
	}
	return fmt.Sprintf("after the reverse walk (%s): %s; rows of %s compared%s",
		contract, what, plural(int64(m.obs.Reverse.Compared), "table"), others)
}
