package report

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/migration-gate/migration-gate/gate"
)

// maxSourceLines of a statement are shown with a finding.
const maxSourceLines = 8

// place writes where a finding is: file:line:col, as far as it is known.
func place(f *gate.Finding) string {
	s := oneLine(f.File)
	if f.Line > 0 {
		s += fmt.Sprintf(":%d:%d", f.Line, max(f.Column, 1))
	}
	return s
}

// finding writes one finding in the manner of a compiler: what and where, the
// source, what it means, what was measured, and what to write instead.
func (t *text) finding(f *gate.Finding) {
	code := severityColor(f.Severity)
	t.line("")
	head := fmt.Sprintf("%s[%s]", f.Severity, oneLine(f.Rule))
	headline := []string{head + ": " + oneLine(f.Message)}
	if !t.piped {
		headline = wrap(headline[0], t.opt.Width-2)
	}
	for i, l := range headline {
		if i == 0 {
			l = t.paint(code, head) + t.paint(bold, strings.TrimPrefix(l, head))
		} else {
			l = t.paint(bold, "  "+l)
		}
		t.line("%s", l)
	}
	src := t.source(f)
	gutter := len(fmt.Sprint(max(f.Line, f.EndLine, 1)))
	blank := strings.Repeat(" ", gutter)
	if f.File != "" {
		t.line("%s%s %s", blank, t.paint(blue, "-->"), place(f))
	}
	if len(src) > 0 {
		t.line("%s %s", blank, t.paint(blue, "|"))
		for _, l := range src {
			t.sourceLine(l, gutter, f, code)
		}
		t.line("%s %s", blank, t.paint(blue, "|"))
	}
	for _, n := range t.notes(f, t.told) {
		for i, l := range wrap(n.label+": "+n.text, t.opt.Width-gutter-5) {
			switch i {
			case 0:
				t.line("%s %s %s%s", blank, t.paint(blue, "="), t.paint(bold, n.label), strings.TrimPrefix(l, n.label))
			default:
				t.line("%s     %s", blank, l)
			}
		}
	}
	t.fix(f, blank)
}

// isSQL tells a rewrite from a sentence.
func isSQL(fix string) bool { return strings.ContainsAny(fix, "\n") || strings.HasSuffix(fix, ";") }

// fixLabel names a rewrite: one that replaces the statement, or one that helps
// the reader on.
func fixLabel(rule string) string {
	switch rule {
	case "lock-budget", "table-rewrite", "full-scan-under-lock", "lock-held-across-statements", "unsafe-down", "online-ddl-not-explicit":
		return "safe rewrite"
	}
	return "try"
}

// told remembers what was said under an earlier finding, to say it once.
type told map[string]bool

// first reports whether key is said for the first time.
func (t told) first(key string) bool {
	seen := t[key]
	t[key] = true
	return !seen
}

// fix prints the rewrite so that it can be copied as it stands.
func (t *text) fix(f *gate.Finding, blank string) {
	fix := strings.TrimRight(gate.Printable(f.Fix), "\n\t ")
	if fix == "" {
		return
	}
	if !isSQL(fix) {
		for i, l := range wrap("help: "+fix, t.opt.Width-len(blank)-5) {
			if i == 0 {
				t.line("%s %s %s%s", blank, t.paint(blue, "="), t.paint(green, "help"), strings.TrimPrefix(l, "help"))
			} else {
				t.line("%s     %s", blank, l)
			}
		}
		return
	}
	if !t.told.first("fix " + f.File + fix) {
		t.line("%s %s %s: the one above", blank, t.paint(blue, "="), t.paint(green, fixLabel(f.Rule)))
		return
	}
	t.line("%s %s %s:", blank, t.paint(blue, "="), t.paint(green, fixLabel(f.Rule)))
	t.line("")
	for _, l := range strings.Split(fix, "\n") {
		t.line("    %s", expandTabs(l))
	}
}

// sourceLine is one line of a file; number 0 stands for lines left out.
type sourceLine struct {
	number int
	text   string
	known  bool // columns are those of the file
}

func (t *text) sourceLine(l sourceLine, gutter int, f *gate.Finding, code string) {
	if l.number == 0 {
		t.line("%s %s %s", t.paint(blue, strings.Repeat(".", gutter)), t.paint(blue, "|"), t.paint(dim, l.text))
		return
	}
	room := t.opt.Width - gutter - 3
	shown := expandTabs(l.text)
	t.line("%s %s %s", t.paint(blue, padLeft(fmt.Sprint(l.number), gutter)), t.paint(blue, "|"), clip(shown, room, t.glyph.ellipsis))
	if l.number != f.Line || f.Column <= 0 || !l.known {
		return
	}
	// Columns count characters, as servers do.
	runes := []rune(l.text)
	before := expandTabs(string(runes[:min(f.Column-1, len(runes))]))
	if w := columnsOf(before); w < room {
		t.line("%s %s %s%s", strings.Repeat(" ", gutter), t.paint(blue, "|"), strings.Repeat(" ", w), t.paint(code, "^"))
	}
}

// source finds the lines to show: the file's own where it still holds the
// statement, else the SQL that ran. Of a long statement it starts a little
// before the finding's line.
func (m *model) source(f *gate.Finding) []sourceLine {
	if f.Line <= 0 {
		return nil
	}
	sql, first, end := f.SQL, f.Line, f.Line+strings.Count(f.SQL, "\n")
	if st := m.at(f.File, f.Line); st != nil {
		sql, first, end = st.SQL, st.Line, st.EndLine
	}
	from := max(first, f.Line-3)
	last := max(f.Line, f.EndLine, min(end, f.Line+2))
	var out []sourceLine
	if lines := m.fileLines(f.File, sql, first); lines != nil {
		for n := from; n <= min(last, len(lines)); n++ {
			out = append(out, sourceLine{n, tidyLine(lines[n-1]), true})
		}
		return m.cutSource(out)
	}
	if strings.TrimSpace(sql) == "" {
		return nil
	}
	for i, l := range strings.Split(strings.TrimRight(sql, "\n"), "\n") {
		if n := first + i; n >= from && n <= last {
			out = append(out, sourceLine{n, tidyLine(l), i > 0})
		}
	}
	return m.cutSource(out)
}

// fileLines returns the file's lines if the statement is still where it was.
func (m *model) fileLines(file, sql string, first int) []string {
	if m.opt.Source == nil {
		return nil
	}
	lines, known := m.files[file]
	if !known {
		if raw, ok := m.opt.Source(file); ok {
			lines = strings.Split(unixLines(strings.TrimPrefix(string(raw), "\ufeff")), "\n")
		}
		m.files[file] = lines
	}
	sql = unixLines(sql)
	if end := first + strings.Count(sql, "\n"); first < 1 || end > len(lines) || !strings.Contains(strings.Join(lines[first-1:end], "\n"), sql) {
		return nil
	}
	return lines
}

func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// cutSource keeps the beginning and the end of a long statement.
func (m *model) cutSource(ls []sourceLine) []sourceLine {
	if len(ls) <= maxSourceLines {
		return ls
	}
	cut := len(ls) - (maxSourceLines - 1)
	out := append([]sourceLine{}, ls[:maxSourceLines-2]...)
	out = append(out, sourceLine{text: plural(int64(cut), "more line")})
	return append(out, ls[len(ls)-1])
}

func tidyLine(s string) string {
	return strings.TrimRight(strings.ReplaceAll(gate.Printable(cutRunes(s, maxLine)), "\n", " "), " \t\r")
}

// expandTabs sets tabs to stops of four columns.
func expandTabs(s string) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	var b strings.Builder
	col := 0
	for _, r := range s {
		if r == '\t' {
			n := 4 - col%4
			b.WriteString(strings.Repeat(" ", n))
			col += n
			continue
		}
		b.WriteRune(r)
		col += runewidth.RuneWidth(r)
	}
	return b.String()
}
