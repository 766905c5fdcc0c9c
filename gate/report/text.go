package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// Beyond these a terminal is no place to read; the JSON has everything.
const (
	maxTextFindings   = 100 // shown in full; the rest as one line each
	maxTextStatements = 60
	maxTextRows       = 24 // of the timeline
	maxTextLeftovers  = 60
)

// text writes the terminal's report.
type text struct {
	*model
	b    *bytes.Buffer
	told told
}

func renderText(m *model, b *bytes.Buffer) error {
	t := &text{m, b, told{}}
	t.head()
	for i := range t.findings {
		if i == maxTextFindings {
			t.line("")
		}
		if i < maxTextFindings {
			t.finding(&t.findings[i])
		} else {
			f := &t.findings[i]
			for k, l := range wrap(fmt.Sprintf("%s[%s] %s: %s", f.Severity, oneLine(f.Rule), place(f), oneLine(f.Message)), t.opt.Width-2) {
				t.line("%s", strings.Repeat("  ", min(k, 1))+l)
			}
		}
	}
	if len(t.findings) > 0 {
		t.line("")
		t.line("%s", t.paint(dim, "more on a rule: migration-gate explain "+oneLine(t.findings[0].Rule)))
	}
	t.ownGateTable()
	t.timeline()
	t.statementTable()
	t.reverse()
	t.line("")
	t.line("%s", t.paint(verdictColor(t.r.Verdict), m.lastLine()))
	return nil
}

func (t *text) line(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	t.b.WriteString(strings.TrimRight(s, " "))
	t.b.WriteByte('\n')
}

// title opens a section.
func (t *text) title(format string, args ...any) {
	t.line("")
	t.line("%s", t.paint(bold, fmt.Sprintf(format, args...)))
}

func (t *text) head() {
	word := verdictWord(t.r.Verdict)
	for i, l := range wrap(t.headline(), t.opt.Width-len(word)-2) {
		if i == 0 {
			t.line("%s  %s", t.paint(verdictColor(t.r.Verdict), word), l)
		} else {
			t.line("%s  %s", strings.Repeat(" ", len(word)), l)
		}
	}
	for _, c := range t.caveats() {
		for i, l := range wrap(c, t.opt.Width-4) {
			mark := "  ! "
			if i > 0 {
				mark = "    "
			}
			t.line("%s", t.paint(yellow, mark+l))
		}
	}
	for _, f := range t.ground() {
		for i, l := range wrap(f.value, t.opt.Width-15) {
			name := f.name
			if i > 0 {
				name = ""
			}
			t.line("  %s %s", t.paint(dim, pad(name, 12)), l)
		}
	}
}

// ownGateTable lists what the change does to the gate's settings.
func (t *text) ownGateTable() {
	cs := t.configRows()
	if len(cs) == 0 {
		return
	}
	t.title("settings of the gate that this change alters")
	for _, c := range cs {
		what := c.key
		if c.before != "" || c.after != "" {
			what += ": " + c.before + " to " + c.after
		}
		for i, l := range wrap(what+", "+c.counts+" ("+c.where+")", t.opt.Width-4) {
			t.line("%s%s", strings.Repeat("  ", 1+min(i, 1)), l)
		}
	}
}

// statementTable lists what each statement took, migration by migration.
func (t *text) statementTable() {
	if len(t.statements) == 0 || t.obs.Tier == gate.TierStatic {
		return // nothing ran, and the author knows the text
	}
	t.title("statements")
	shown := t.worthShowing(maxTextStatements)
	rows := [][]string{{"#", "line", "statement", "time", "rows", t.logWord(), ""}}
	var mig *gate.Migration
	for i := range t.statements {
		s := &t.statements[i]
		if !shown[i] {
			continue
		}
		if s.mig != mig {
			mig = s.mig
			rows = append(rows, []string{t.migrationLine(mig)})
		}
		rows = append(rows, t.statementRow(s))
	}
	t.table(rows, 2, 2, []bool{true, true, false, true, true, true, false})
	if n := len(t.statements) - len(shown); n > 0 {
		t.line("  %s not listed: the quickest ones; the JSON has them all", plural(int64(n), "statement"))
	}
	for _, again := range t.reruns() {
		for i, l := range wrap(again, t.opt.Width-4) {
			t.line("%s%s", strings.Repeat("  ", 1+min(i, 1)), l)
		}
	}
}

func (t *text) migrationLine(m *gate.Migration) string {
	s := clipLeft(oneLine(m.Up.File), t.opt.Width-20, t.glyph.ellipsis)
	switch {
	case m.Apply == nil:
		return s + "  not run"
	case m.Apply.Failure != nil && m.Apply.Failure.Statement < 0:
		return s + "  " + t.paint(red, "failed at COMMIT")
	case m.Apply.Failure != nil:
		return s + "  " + t.paint(red, "failed")
	}
	return s + "  " + duration(m.Apply.MS)
}

func (t *text) statementRow(s *statement) []string {
	sql := clip(oneLine(s.st.SQL), t.opt.Width, t.glyph.ellipsis)
	row := []string{fmt.Sprint(s.number), fmt.Sprint(s.st.Line), sql, "", "", "", ""}
	switch {
	case s.failure != nil:
		row[6] = "failed: " + failureCode(s.failure)
	case s.run == nil:
		row[6] = "not run"
	case s.st.Facts.NotAnalysed != "":
		row[6] = notAnalysed
	}
	if s.run != nil {
		row[3] = duration(s.run.DurationMS)
		if s.run.Rows != 0 {
			row[4] = number(s.run.Rows)
		}
		row[5] = byteSize(s.run.WALBytes)
		if rw := heapRewrites(s.run); len(rw) > 0 {
			row[6] = joinNotes(row[6], "rewrote "+clip(oneLine(strings.Join(rw, ", ")), 40, t.glyph.ellipsis))
		}
		row[6] = joinNotes(row[6], ddlLine(s.run.DDL))
		row[6] = joinNotes(row[6], fate(s))
		if s.run.TempBytes > 0 {
			row[6] = joinNotes(row[6], byteSize(s.run.TempBytes)+" temporary")
		}
	}
	return row
}

// notAnalysed marks a statement newer than the grammar: what is said of it is
// what the server did, not what its text means.
const notAnalysed = "not analysed"

// reverse lists what the walk down and up again left behind.
func (t *text) reverse() {
	if t.obs.Reverse == nil {
		return
	}
	ls := t.leftovers()
	for i, l := range wrap(t.reverseSummary(len(ls)), t.opt.Width-2) {
		if i == 0 {
			t.title("%s", l)
		} else {
			t.line("  %s", t.paint(bold, l))
		}
	}
	var rows [][]string
	for i, l := range ls {
		if i == maxTextLeftovers {
			break
		}
		by := ""
		if l.by != "" {
			by = "by " + l.by
		}
		rows = append(rows, []string{l.what, l.object, by, l.note})
	}
	t.table(rows, 2, 1, make([]bool, 4))
	if n := len(ls) - maxTextLeftovers; n > 0 {
		t.line("  and %s more, in the JSON report", number(int64(n)))
	}
}

// table aligns columns; right tells which are set flush right. An empty
// column takes no room, a row of one cell is a line of its own, column flex is
// cut where all together are too wide, and the last one goes on beneath
// itself.
func (t *text) table(rows [][]string, indent, flex int, right []bool) {
	widths := make([]int, len(right))
	for _, r := range rows {
		if len(r) == 1 {
			continue
		}
		for i, c := range r {
			widths[i] = max(widths[i], columnsOf(c))
		}
	}
	last := len(right) - 1
	left := indent
	for _, w := range widths[:last] {
		if w > 0 {
			left += w + 2
		}
	}
	if over := left + min(widths[last], 26) - t.opt.Width; over > 0 {
		over = min(over, max(0, widths[flex]-16))
		widths[flex], left = widths[flex]-over, left-over
	}
	for _, r := range rows {
		b := strings.Repeat(" ", indent)
		if len(r) == 1 {
			t.line("%s", b+r[0])
			continue
		}
		for i, c := range r[:last] {
			c = clip(c, widths[i], t.glyph.ellipsis)
			switch {
			case widths[i] == 0:
			case right[i]:
				b += padLeft(c, widths[i]) + "  "
			default:
				b += pad(c, widths[i]) + "  "
			}
		}
		for i, l := range wrap(r[last], max(16, t.opt.Width-left)) {
			if i > 0 {
				b = strings.Repeat(" ", left)
			}
			t.line("%s", b+l)
		}
	}
}

// worthShowing picks at most n statements: those that failed, those that
// rewrote, then the slowest.
func (m *model) worthShowing(n int) map[int]bool {
	shown := map[int]bool{}
	if len(m.statements) <= n {
		for i := range m.statements {
			shown[i] = true
		}
		return shown
	}
	weight := func(s *statement) float64 {
		switch {
		case s.failure != nil:
			return 2e18
		case s.run == nil:
			return -1
		case len(heapRewrites(s.run)) > 0:
			return 1e18 + s.run.DurationMS
		}
		return s.run.DurationMS
	}
	order := make([]int, len(m.statements))
	for i := range order {
		order[i] = i
	}
	sortBy(order, func(i int) float64 { return -weight(&m.statements[i]) })
	for _, i := range order[:n] {
		shown[i] = true
	}
	return shown
}

// ANSI codes.
const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "1;32"
	yellow = "1;33"
	blue   = "1;34"
	cyan   = "1;36"
)

// paint colours s where colour was asked for.
func (t *text) paint(code, s string) string {
	if !t.opt.Color || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func verdictColor(v gate.Verdict) string {
	switch v {
	case gate.Pass:
		return green
	case gate.Skipped:
		return cyan
	}
	return red
}

func severityColor(s gate.Severity) string {
	switch s {
	case gate.SeverityError:
		return red
	case gate.Warning:
		return yellow
	}
	return cyan
}
