package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// model is what the text and Markdown renderers share: the report's facts in
// the order and grouping that people read them in.
type model struct {
	// piped: no terminal's width is known, so whoever reads may well be a
	// program, and a finding's headline stays on one line.
	piped      bool
	r          gate.Report
	obs        *gate.Observation
	opt        Options
	glyph      glyphs
	findings   []gate.Finding
	counts     counts
	statements []statement
	rows       []lockRow
	numbers    map[gate.StatementRef]int   // of the first statement on a line
	files      map[string][]string         // lines read by Source; nil: not there
	endMS      float64                     // of the apply walk, for the timeline
	stretches  map[phaseKey][]gate.Stretch // MySQL: windows that touch, which budgets are held against
}

// phaseKey finds the stretches that a window is part of.
type phaseKey struct {
	migration, statement int
	session              int64
	relation, mode       string
	opened               float64
}

func keyOf(w *gate.LockWindow) phaseKey {
	return phaseKey{w.Migration, w.Statement, w.Session, w.Relation, w.Mode, w.OpenedMS}
}

func (m *model) isMySQL() bool { return isMySQL(m.obs) }

func isMySQL(o *gate.Observation) bool { return migration.Dialect(o.Engine.Name).IsMySQL() }

// stretch is the longest one that a window is part of.
func (m *model) stretch(w *gate.LockWindow) (longest gate.Stretch, ok bool) {
	for _, s := range m.stretches[keyOf(w)] {
		if !ok || s.AtMostMS > longest.AtMostMS {
			longest, ok = s, true
		}
	}
	return longest, ok
}

// since is when the blocking began that a window is part of.
func (m *model) since(w *gate.LockWindow) float64 {
	if s, ok := m.stretch(w); ok {
		return s.OpenedMS
	}
	return w.OpenedMS
}

// isOver reports whether the window, or a stretch that it is part of, lasted
// longer than its table allows.
func (m *model) isOver(w *gate.LockWindow) bool {
	if limit, ok := budget(m.obs, m.r.Policy, w); ok && overBudget(m.obs, w, limit) {
		return true
	}
	for _, s := range m.stretches[keyOf(w)] {
		if limit, ok := budget(m.obs, m.r.Policy, &s.LockWindow); ok && overBudget(m.obs, &s.LockWindow, limit) {
			return true
		}
	}
	return false
}

// statement is one statement of an up script, with what it did.
type statement struct {
	number  int // from 1, over the whole change
	mig     *gate.Migration
	st      *migration.Statement
	run     *gate.StatementRun // nil: it did not run to its end
	failure *gate.Failure
	startMS float64
}

// ran reports whether the server saw the statement.
func (s *statement) ran() bool { return s.run != nil || s.failure != nil }

// glyphs are the characters a renderer draws with.
type glyphs struct {
	ellipsis, dash, times, within, over, ddl, rows, budget, left, right, line, tick string
}

var (
	unicodeGlyphs = glyphs{"…", "–", "×", "▒", "█", "░", "·", "┊", "├", "┤", "─", "┬"}
	asciiGlyphs   = glyphs{"...", "-", "x", "=", "#", "-", ".", ":", "|", "|", "-", "+"}
)

func newModel(r gate.Report, opt Options) *model {
	piped := opt.Width <= 0
	if piped {
		opt.Width = 100
	}
	m := &model{r: r, obs: &r.Observation, opt: opt, piped: piped, glyph: asciiGlyphs, files: map[string][]string{}, numbers: map[gate.StatementRef]int{}}
	if opt.Unicode {
		m.glyph = unicodeGlyphs
	}
	m.findings = sortFindings(r.Findings)
	m.counts = count(r.Findings)
	if m.isMySQL() {
		m.stretches = map[phaseKey][]gate.Stretch{}
		for _, s := range m.obs.Stretches() {
			for i := range s.Phases {
				k := keyOf(&s.Phases[i])
				m.stretches[k] = append(m.stretches[k], s)
			}
		}
	}
	m.flatten()
	m.groupLocks()
	return m
}

// flatten numbers the statements and finds out when each started.
func (m *model) flatten() {
	known := false
	for i := range m.obs.Migrations {
		mig := &m.obs.Migrations[i]
		for k := range mig.Up.Statements {
			s := statement{number: len(m.statements) + 1, mig: mig, st: &mig.Up.Statements[k]}
			if mig.Apply != nil {
				if k < len(mig.Apply.Statements) {
					s.run = &mig.Apply.Statements[k]
					known = known || s.run.StartMS > 0
				}
				if f := mig.Apply.Failure; f != nil && f.Statement == k {
					s.failure = f
				}
			}
			m.statements = append(m.statements, s)
			if ref := (gate.StatementRef{File: s.st.File, Line: s.st.Line}); m.numbers[ref] == 0 {
				m.numbers[ref] = s.number
			}
		}
	}
	opened := m.firstLocks()
	at := 0.0
	for i := range m.statements {
		s := &m.statements[i]
		s.startMS = at
		// Its first lock tells, too; and what is before it adds up.
		if o, ok := opened[s.number]; ok {
			s.startMS = max(at, o)
		}
		if s.run != nil {
			if known {
				s.startMS = s.run.StartMS
			}
			at = s.startMS + s.run.DurationMS
		}
	}
	m.endMS = at
}

// numberOf finds the number of the statement that took a window; 0: none.
func (m *model) numberOf(w *gate.LockWindow) int {
	first := 0 // of the window's migration
	for i := range m.obs.Migrations {
		if i == w.Migration {
			break
		}
		first += len(m.obs.Migrations[i].Up.Statements)
	}
	// By index, where that agrees with the place: two statements may share a
	// line, and a report that others wrote has no indices.
	if n := first + w.Statement; n >= 0 && n < len(m.statements) {
		if st := m.statements[n].st; st.File == w.File && st.Line == w.Line {
			return n + 1
		}
	}
	return m.numbers[gate.StatementRef{File: w.File, Line: w.Line}]
}

// at finds the statement, of any script, that covers a line.
func (m *model) at(file string, line int) *migration.Statement {
	if line <= 0 {
		return nil
	}
	for i := range m.obs.Migrations {
		mig := &m.obs.Migrations[i]
		scripts := []*migration.Script{&mig.Up, mig.Down}
		for _, sc := range scripts {
			if sc == nil {
				continue
			}
			for k := range sc.Statements {
				if st := &sc.Statements[k]; st.File == file && st.Line <= line && line <= max(st.Line, st.EndLine) {
					return st
				}
			}
		}
	}
	return nil
}

// runAt finds the measured statement that begins on a line.
func (m *model) runAt(ref gate.StatementRef) *statement {
	if n := m.numbers[ref]; n > 0 {
		return &m.statements[n-1]
	}
	return nil
}

// windowOf finds the lock window that a finding speaks of, by its evidence.
func (m *model) windowOf(f *gate.Finding) *gate.LockWindow {
	if f.Rule == "online-ddl-not-explicit" {
		return nil // it is about what did not happen here
	}
	rel, _ := f.Evidence["relation"].(string)
	mode, _ := f.Evidence["mode"].(string)
	through, _ := f.Evidence["through"].(string)
	file, line := f.File, f.Line
	if ref, ok := f.Evidence["locked_at"].(map[string]any); ok {
		if l, ok := ref["line"].(float64); ok {
			file, _ = ref["file"].(string)
			line = int(l)
		}
	}
	if rel == "" {
		return nil
	}
	var best *gate.LockWindow
	for i := range m.obs.Locks {
		w := &m.obs.Locks[i]
		if w.RowLocks || w.File != file || w.Line != line || (w.Relation != rel && tableOf(w) != rel) || (mode != "" && w.Mode != mode) {
			continue
		}
		if through != "" && w.Relation == through {
			return w
		}
		if best == nil || (w.Relation == rel && best.Relation != rel) || (w.Relation == best.Relation && w.AtMostMS > best.AtMostMS) {
			best = w
		}
	}
	return best
}

// applied reports whether every statement ran, and none failed.
func (m *model) applied() bool {
	return len(m.statements) > 0 && !slices.ContainsFunc(m.statements, func(s statement) bool { return s.run == nil || s.failure != nil })
}

// worst is the row whose blocking lasted longest, reads before writes.
func (m *model) worst() *lockRow {
	var worst *lockRow
	for i := range m.rows {
		r := &m.rows[i]
		if r.rowLocks || !r.blocksData() || !r.measured {
			continue
		}
		if worst == nil || r.worst.AtMostMS > worst.worst.AtMostMS {
			worst = r
		}
	}
	return worst
}

// totals is the sentence of counts: "2 errors, 1 warning, 0 notices".
func (m *model) totals() string {
	return plural(int64(m.counts.Error), "error") + ", " + plural(int64(m.counts.Warning), "warning") + ", " +
		plural(int64(m.counts.Notice), "notice")
}

// lastLine closes the text and the Markdown: totals and times.
func (m *model) lastLine() string {
	ran := 0
	for i := range m.statements {
		if m.statements[i].ran() {
			ran++
		}
	}
	s := verdictWord(m.r.Verdict)
	if m.obs.Tier == gate.TierStatic {
		s += " (static)"
	}
	if m.r.Verdict == gate.Error && len(m.obs.Migrations)+len(m.r.Findings) == 0 {
		s += "  nothing was judged"
	} else {
		s += fmt.Sprintf("  %s in %s, %s", m.totals(),
			plural(int64(len(m.obs.Migrations)), "migration"), plural(int64(len(m.statements)), "statement"))
	}
	if ran < len(m.statements) {
		s += fmt.Sprintf(" (%d run)", ran)
	}
	var times []string
	for _, p := range m.obs.Phases {
		times = append(times, oneLine(p.Name)+" "+phaseTime(p.MS)+partTimes(p))
	}
	if len(times) > 0 {
		s += "; " + strings.Join(times, ", ")
	}
	return s
}

// partTimes are in brackets behind a phase of a second or more: those parts that
// took a twentieth of it.
func partTimes(p gate.Phase) string {
	var times []string
	for _, part := range p.Parts {
		if part.MS >= p.MS/20 {
			times = append(times, oneLine(part.Name)+" "+phaseTime(part.MS))
		}
	}
	if p.MS < 1000 || len(times) == 0 {
		return ""
	}
	return " (" + strings.Join(times, ", ") + ")"
}

func verdictWord(v gate.Verdict) string { return strings.ToUpper(string(v)) }

// headline says what the totals do not: the reason, or the figure that counts.
func (m *model) headline() string {
	switch m.r.Verdict {
	case gate.Skipped:
		return cmp.Or(oneLine(m.r.Reason), "no migration changed")
	case gate.Error:
		return "the gate could not decide: " + cmp.Or(oneLine(m.r.Reason), "no reason was given")
	}
	s := m.totals()
	if m.obs.Tier == gate.TierStatic {
		s += "; STATIC: only the files were read, nothing was run"
	}
	if m.locksUnmeasured() {
		s += "; locks NOT MEASURED"
	} else if w := m.worst(); w != nil {
		longest, blocks := w.worst.AtMostMS, w.blocks
		if st, ok := m.stretch(w.worst); ok {
			longest, blocks = st.AtMostMS, st.Blocks
		}
		s += fmt.Sprintf("; longest block %s on %s (%s", upTo(longest), oneLine(w.table), and(telling(blocks)))
		if w.budgeted {
			s += ", budget " + duration(w.budgetMS)
		}
		s += ")"
	} else if m.applied() && durations(m.obs) == durationsNone && m.tickerOnly() != "" {
		s += "; no lock was seen that blocked reads or writes of a table"
	} else if m.applied() && durations(m.obs) == durationsNone {
		s += "; no lock blocked reads or writes of a table"
	}
	for i := range m.rows {
		if r := &m.rows[i]; r.rowLocks {
			s += fmt.Sprintf("; row locks on %s up to %s", oneLine(r.table), upTo(r.worst.AtMostMS))
			break
		}
	}
	switch durations(m.obs) {
	case durationsNot:
		s += "; durations NOT MEASURED"
	case durationsPartly:
		s += "; durations partly NOT MEASURED"
	}
	if r := oneLine(m.r.Reason); !strings.Contains(s, r) {
		s += "; " + r
	}
	return s
}

// telling leaves out what goes without saying: what blocks writes blocks DDL.
func telling(bs []string) []string {
	if slices.Contains(bs, "writes") {
		return slices.DeleteFunc(slices.Clone(bs), func(b string) bool { return b == "ddl" })
	}
	if len(bs) == 1 && bs[0] == "ddl" {
		return []string{"DDL"}
	}
	return bs
}
