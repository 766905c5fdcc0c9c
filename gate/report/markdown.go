package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// markdownLimit is the most that Render writes unless told otherwise: forges
// cut or refuse comments beyond 65,536 characters, and a publisher adds a
// little of its own.
const markdownLimit = 60_000

// Shares of the usual limit that a section may fill, so that one long list
// does not push all others out; they grow with the limit. What is left goes to
// the details of findings.
const (
	shareFindings   = 14_000
	shareLocks      = 7_000
	shareGantt      = 6_000
	shareStatements = 9_000
	shareLeftovers  = 5_000
	shareOwnGate    = 3_000
	shareFooter     = 1_000 // the last line and notices of cuts
)

type markdown struct {
	*model
	b     *bytes.Buffer
	limit int
}

// Section is a part of the Markdown report that can be left out as a whole.
type Section struct {
	// Title in a few words, for saying what was left out.
	Title string
	// Markdown with the line feeds around it: joined, sections are the report.
	Markdown string
}

// Sections is the Markdown report cut where its parts begin, for publishers
// that have to keep to a limit of their own. The first one holds the verdict
// and what it rests on, the second the findings where there are any. Parts that
// have nothing to say are not there.
func Sections(r gate.Report, opt Options) ([]Section, error) {
	doc, err := newDocument(r)
	if err != nil {
		return nil, fmt.Errorf("render markdown report: %w", err)
	}
	var sections []Section
	_, err = withModel(doc, opt, func(m *model, b *bytes.Buffer) error {
		sections = writeMarkdown(m, b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("render markdown report: %w", err)
	}
	return sections, nil
}

func renderMarkdown(m *model, b *bytes.Buffer) error {
	writeMarkdown(m, b)
	return nil
}

func writeMarkdown(m *model, b *bytes.Buffer) []Section {
	md := &markdown{model: m, b: b, limit: cmp.Or(max(m.opt.Limit, 0), markdownLimit)}
	var sections []Section
	for _, part := range []struct {
		title string
		write func()
	}{
		{"verdict", md.head},
		{"findings", md.findingsTable},
		{"the gate's own settings", md.ownGateTable},
		{"locks on existing tables", md.locks},
		{"timeline of the locks", md.gantt},
		{"statements", md.statementTable},
		{"what the reverse walk left", md.reverse},
		{"findings in detail", md.details},
		{"totals", md.footer},
	} {
		from := b.Len()
		part.write()
		if b.Len() > from {
			sections = append(sections, Section{part.title, string(b.Bytes()[from:])})
		}
	}
	return sections
}

func (md *markdown) footer() {
	fmt.Fprintf(md.b, "\n%s\n", mdText(clip(md.lastLine(), 600, md.glyph.ellipsis)))
}

// ownGateTable lists what the change does to the gate's settings.
func (md *markdown) ownGateTable() {
	var rows []string
	for _, c := range md.configRows() {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |\n", mdCode(clip(c.key, 80, md.glyph.ellipsis)), mdText(c.before), mdText(c.after),
			mdText(c.counts), mdCode(clipLeft(c.where, 80, md.glyph.ellipsis))))
	}
	md.block(shareOwnGate, "\n### Settings of the gate that this change alters\n\n| setting | before | after | counts | where |\n|---|---|---|---|---|\n", "", rows, md.cutNotice("setting"))
}

// block writes rows one by one while they fit in a share of the limit, and
// returns how many did. Head and rest are written only if a row was.
func (md *markdown) block(share int, head, tail string, rows []string, more func(n int) string) {
	if len(rows) == 0 {
		return
	}
	end := min(md.b.Len()+share*md.limit/markdownLimit, md.limit-shareFooter)
	room := end - md.b.Len() - len(head) - len(tail) - len(more(len(rows)))
	n := 0
	for n < len(rows) && room >= len(rows[n]) {
		room -= len(rows[n])
		n++
	}
	if n == 0 && room < 0 {
		return
	}
	md.b.WriteString(head)
	for _, r := range rows[:n] {
		md.b.WriteString(r)
	}
	md.b.WriteString(tail)
	if n < len(rows) {
		md.b.WriteString(more(len(rows) - n))
	}
}

// cutNotice says that rows were left out, and where they are.
func (md *markdown) cutNotice(noun string) func(int) string {
	return func(n int) string {
		return fmt.Sprintf("\n_%s more not shown: this report is cut at %d kB, the JSON has them all._\n", plural(int64(n), noun), md.limit/1000)
	}
}

func (md *markdown) head() {
	icon := map[gate.Verdict]string{gate.Pass: "✅", gate.Fail: "❌", gate.Error: "💥", gate.Skipped: "⏭️"}[md.r.Verdict]
	fmt.Fprintf(md.b, "%s **migration gate: %s** %s %s\n\n", icon, strings.ToUpper(mdText(string(md.r.Verdict))), md.glyph.dash, mdText(clip(md.headline(), 600, md.glyph.ellipsis)))
	for _, c := range md.caveats() {
		fmt.Fprintf(md.b, "> ⚠️ **%s**\n>\n", mdText(c))
	}
	if len(md.caveats()) > 0 {
		md.b.WriteString("\n")
	}
	for _, f := range md.ground() {
		fmt.Fprintf(md.b, "- %s: %s\n", f.name, mdText(clip(f.value, 400, md.glyph.ellipsis)))
	}
}

// where writes file:line, shortened from the left.
func (md *markdown) where(file string, line int) string {
	s := clipLeft(oneLine(file), 80, md.glyph.ellipsis)
	if line > 0 {
		s += fmt.Sprintf(":%d", line)
	}
	return mdCode(s)
}

func (md *markdown) findingsTable() {
	icons := map[gate.Severity]string{gate.SeverityError: "🔴", gate.Warning: "🟠", gate.Notice: "🔵"}
	var rows []string
	for i := range md.findings {
		f := &md.findings[i]
		rows = append(rows, fmt.Sprintf("| %s %s | %s | %s | %s |\n", icons[f.Severity], mdText(string(f.Severity)), mdCode(clip(f.Rule, 60, md.glyph.ellipsis)),
			md.where(f.File, f.Line), mdText(clip(oneLine(f.Message), 400, md.glyph.ellipsis))))
	}
	md.block(shareFindings, "\n### Findings\n\n| severity | rule | where | what |\n|---|---|---|---|\n", "", rows, md.cutNotice("finding"))
}

func (md *markdown) locks() {
	rows, cut := md.timelineRows(40)
	var lines []string
	for i := range rows {
		r := &rows[i]
		span := "not measured"
		switch {
		case r.rowLocks:
			span = "at most " + upTo(r.worst.AtMostMS)
		case r.measured || r.over:
			span = between(r.worst.AtLeastMS, r.worst.AtMostMS)
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", mdCode(clipLeft(oneLine(r.label), 70, md.glyph.ellipsis)), mdText(clip(modeOf(r), 60, md.glyph.ellipsis)),
			mdText(blocksOf(r)), span, mdText(r.status()), md.where(r.worst.File, r.worst.Line)))
	}
	more := md.cutNotice("lock")
	tail := ""
	if cut > 0 {
		tail = fmt.Sprintf("\n_and %s more that blocked for less, in the JSON report._\n", plural(int64(cut), "lock"))
	}
	md.block(shareLocks, "\n### Locks on existing tables\n\n| table | mode | blocks | held | budget | taken at |\n|---|---|---|---|---|---|\n", tail, lines, more)
}

// gantt draws the windows on the apply walk's time axis.
func (md *markdown) gantt() {
	rows, _ := md.timelineRows(20)
	var lines []string
	for i := range rows {
		r := &rows[i]
		section := fmt.Sprintf("    section %s\n", ganttLabel(clipLeft(oneLine(r.label), 40, "..")))
		for _, w := range md.bars(r) {
			_, limited := budget(md.obs, md.r.Policy, &w)
			tag := "done, "
			switch {
			case limited && md.isOver(&w):
				tag = "crit, "
			case limited:
				tag = "active, "
			}
			from, to := int64(w.OpenedMS), int64(w.OpenedMS+w.AtMostMS+0.5)
			lines = append(lines, fmt.Sprintf("%s    line %d%s %s :%s%d, %d\n", section, w.Line, md.inMigration(&w), ganttLabel(clip(modeOf(r), 40, "..")), tag, from, max(to, from+1)))
			section = ""
		}
	}
	if len(lines) == 0 {
		return
	}
	axis := "%S.%L s"
	if md.endMS >= 60_000 {
		axis = "%M:%S"
	}
	head := "\n```mermaid\ngantt\n    title Lock windows, from the start of applying (red: over budget)\n    dateFormat x\n    axisFormat " + axis + "\n"
	md.block(shareGantt, head, "```\n", lines, func(n int) string { return md.cutNotice("bar")(n) })
}

// bars are a row's windows that are drawn. What a statement locks at a time is
// one, a table with its parts, and of those the four that matter most are shown.
func (md *markdown) bars(r *lockRow) []gate.LockWindow {
	var bars []gate.LockWindow
	for _, w := range r.windows {
		i := slices.IndexFunc(bars, func(b gate.LockWindow) bool {
			return b.File == w.File && b.Line == w.Line && b.OpenedMS <= w.OpenedMS+w.AtMostMS && w.OpenedMS <= b.OpenedMS+b.AtMostMS
		})
		switch {
		case i < 0:
			bars = append(bars, w)
		case w.AtMostMS > bars[i].AtMostMS:
			bars[i] = w
		}
	}
	over := func(w *gate.LockWindow) int { return map[bool]int{true: 0, false: 1}[md.isOver(w)] }
	slices.SortStableFunc(bars, func(a, b gate.LockWindow) int {
		return cmp.Or(cmp.Compare(over(&a), over(&b)), cmp.Compare(b.AtMostMS, a.AtMostMS))
	})
	bars = bars[:min(len(bars), 4)]
	slices.SortStableFunc(bars, compareWindows)
	return bars
}

// inMigration tells whose line it is, where several migrations are walked.
func (md *markdown) inMigration(w *gate.LockWindow) string {
	if len(md.obs.Migrations) < 2 {
		return ""
	}
	for i := range md.obs.Migrations {
		if m := &md.obs.Migrations[i]; m.Up.File == w.File {
			return " of " + ganttLabel(clip(m.Version, 20, ".."))
		}
	}
	return ""
}

func (md *markdown) statementTable() {
	shown := md.worthShowing(80)
	var rows []string
	for i := range md.statements {
		s := &md.statements[i]
		if !shown[i] {
			continue
		}
		var time, n, wal, note string
		switch {
		case s.failure != nil:
			note = "**failed** " + mdCode(failureCode(s.failure))
		case s.run == nil:
			note = "not run"
		case s.st.Facts.NotAnalysed != "":
			note = notAnalysed
		}
		if s.run != nil {
			time, wal = duration(s.run.DurationMS), byteSize(s.run.WALBytes)
			if s.run.Rows > 0 {
				n = number(s.run.Rows)
			}
			if rw := heapRewrites(s.run); len(rw) > 0 {
				note = joinNotes(note, mdCode(clip(strings.Join(rw, ", "), 80, md.glyph.ellipsis)))
			}
			if how := ddlLine(s.run.DDL); how != "" {
				note = joinNotes(note, mdText(how))
			}
			note = joinNotes(note, fate(s))
		}
		rows = append(rows, fmt.Sprintf("| %d | %s | %s | %s | %s | %s | %s |\n", s.number, md.where(s.st.File, s.st.Line),
			mdCode(clip(oneLine(s.st.SQL), 80, md.glyph.ellipsis)), time, n, wal, note))
	}
	tail := "\n</details>\n"
	if n := len(md.statements) - len(shown); n > 0 {
		tail = fmt.Sprintf("\n_%s not listed: the quickest._\n", plural(int64(n), "statement")) + tail
	}
	for _, again := range md.reruns() {
		tail += "\n" + mdText(again) + "\n"
	}
	md.block(shareStatements, fmt.Sprintf("\n<details><summary>%s</summary>\n\n| # | where | statement | time | rows | %s | %s |\n|---|---|---|---|---|---|---|\n",
		plural(int64(len(md.statements)), "statement"), md.logWord(), map[bool]string{false: "rewrote", true: "how"}[md.isMySQL()]), tail, rows, md.cutNotice("statement"))
}

func (md *markdown) reverse() {
	if md.obs.Reverse == nil {
		return
	}
	ls := md.leftovers()
	head := "\n" + mdText(strings.ToUpper(md.reverseSummary(len(ls))[:1])+md.reverseSummary(len(ls))[1:]) + ".\n"
	if len(ls) == 0 {
		md.b.WriteString(head)
		return
	}
	var rows []string
	for _, l := range ls {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", mdText(l.what), mdCode(clip(l.object, 120, md.glyph.ellipsis)), mdText(l.by), mdText(clip(l.note, 300, md.glyph.ellipsis))))
	}
	md.block(shareLeftovers, head+"\n| what | object | by | |\n|---|---|---|---|\n", "", rows, md.cutNotice("difference"))
}

// details shows each finding's statement, notes and rewrite, folded.
func (md *markdown) details() {
	var parts []string
	told := told{}
	for i := range md.findings {
		f := &md.findings[i]
		var b strings.Builder
		fmt.Fprintf(&b, "\n<details><summary>%s %s</summary>\n\n", mdCode(clip(f.Rule, 60, md.glyph.ellipsis)), md.where(f.File, f.Line))
		fmt.Fprintf(&b, "%s: %s\n", strings.ToUpper(mdText(string(f.Severity))), mdText(clip(oneLine(f.Message), 1000, md.glyph.ellipsis)))
		if src := md.source(f); len(src) > 0 {
			var lines []string
			for _, l := range src {
				if l.number == 0 {
					l.text = "-- " + l.text
				}
				lines = append(lines, clip(l.text, 240, md.glyph.ellipsis))
			}
			b.WriteString("\n" + mdFence("sql", strings.Join(lines, "\n")))
		}
		if ns := md.notes(f, told); len(ns) > 0 {
			b.WriteString("\n")
			for _, n := range ns {
				fmt.Fprintf(&b, "- %s: %s\n", mdText(n.label), mdText(clip(n.text, 600, md.glyph.ellipsis)))
			}
		}
		b.WriteString(md.fix(f, told))
		b.WriteString("\n</details>\n")
		parts = append(parts, b.String())
	}
	md.block(md.limit, "", "", parts, md.cutNotice("finding's detail"))
}

func (md *markdown) fix(f *gate.Finding, told told) string {
	fix := strings.TrimSpace(f.Fix)
	label := fixLabel(f.Rule)
	label = strings.ToUpper(label[:1]) + label[1:]
	switch {
	case fix == "":
		return ""
	case !isSQL(fix):
		return "\nHelp: " + mdText(clip(oneLine(fix), 1000, md.glyph.ellipsis)) + "\n"
	case !told.first("fix " + f.File + fix):
		return "\n" + label + ": the one above\n"
	}
	return "\n" + label + ":\n\n" + mdFence("sql", cutLines(gate.Printable(fix), 4000, "--"))
}
