package github

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/report"
)

const (
	// summaryLimit is what a step's summary may hold. The runner drops a file
	// over 1 MiB whole; masking secrets in it may make it longer.
	summaryLimit = 900 << 10
	// summaryLeast is the room below which there is no sense in a summary.
	summaryLeast = 4 << 10
)

// summarise appends the report to the job's summary. act prints that file in
// its log, tables and diagrams as they are written, below the text report: it
// gets the verdict alone, and in the log itself where it has no such file.
func (r *Runner) summarise(rep gate.Report) error {
	file := r.opt.Getenv("GITHUB_STEP_SUMMARY")
	if r.act() {
		sections, err := report.Sections(rep, report.Options{Unicode: true, Source: r.opt.Source})
		if err != nil {
			return err
		}
		if file != "" {
			return appendTo(file, sections[0].Markdown, "\n---\n\n")
		}
		_, err = r.out.Write([]byte("\n" + sections[0].Markdown + "\n"))
		return err
	}
	if file == "" {
		return nil
	}
	room := summaryLimit
	if info, err := os.Stat(file); err == nil {
		room -= int(min(info.Size(), summaryLimit))
	}
	if room < summaryLeast {
		return errors.New("other commands of this step have filled it: GitHub shows no more than 1 MiB for each step")
	}
	text, err := r.summary(rep, room)
	if err != nil {
		return err
	}
	return appendTo(file, text, "\n---\n\n")
}

// summary puts the verdict first, then all findings, then as many of the other
// sections as there is room for.
func (r *Runner) summary(rep gate.Report, room int) (string, error) {
	const reserve = 1 << 10 // for saying what was cut
	room -= reserve
	list := r.findingsList(rep, room-min(room/4, 16<<10))
	sections, err := report.Sections(rep, report.Options{Unicode: true, Source: r.opt.Source, Limit: max(room-len(list), summaryLeast)})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if first := sections[0].Markdown; len(first)+len(list) <= room {
		b.WriteString(first)
	} else {
		fmt.Fprintf(&b, "**migration gate: %s**\n", report.MarkdownText(strings.ToUpper(string(rep.Verdict))))
	}
	b.WriteString(list)
	var left []string
	for _, s := range sections[1:] {
		switch {
		case s.Title == "findings": // the list has them all
		case b.Len()+len(s.Markdown) > room:
			left = append(left, s.Title)
		default:
			b.WriteString(s.Markdown)
		}
	}
	if len(left) > 0 {
		fmt.Fprintf(&b, "\n_Left out, since GitHub shows no more than 1 MiB for each step: %s. The whole report is in %s._\n", strings.Join(left, ", "), r.wholeReport())
	}
	return b.String(), nil
}

// wholeReport names where nothing is cut.
func (r *Runner) wholeReport() string {
	if p := r.opt.Paths["report-json"]; p != "" {
		return report.MarkdownCode(tail(oneLine(p), 120)) + " (<code>report-dir</code>)"
	}
	return "the JSON report"
}

// widths are how many characters of each text a row of the list shows; where
// the list would outgrow the summary, less of each finding goes before any.
var widths = []struct{ message, statement int }{{500, 160}, {160, 60}, {60, 0}, {0, 0}}

const listHead = "\n### All findings\n\n| | rule | where | what | statement |\n|---|---|---|---|---|\n"

// findingsList names every finding with its place, within room bytes.
func (r *Runner) findingsList(rep gate.Report, room int) string {
	if len(rep.Findings) == 0 {
		return ""
	}
	order := Annotations(rep)
	link := r.linker(rep)
	var rows []string
	for _, w := range widths {
		rows = rows[:0]
		size := len(listHead)
		for _, a := range order {
			if a.Finding < 0 {
				continue
			}
			rows = append(rows, row(rep, a, link, w.message, w.statement))
			size += len(rows[len(rows)-1])
		}
		if size <= room {
			return listHead + strings.Join(rows, "")
		}
	}
	const notice = 200
	room -= len(listHead) + notice
	n := 0
	for n < len(rows) && len(rows[n]) <= room {
		room -= len(rows[n])
		n++
	}
	return listHead + strings.Join(rows[:n], "") + fmt.Sprintf("\n_%d more findings are left out: GitHub shows no more than 1 MiB for each step. All are in %s._\n", len(rows)-n, r.wholeReport())
}

func row(rep gate.Report, a Annotation, link func(Annotation) string, message, statement int) string {
	f := &rep.Findings[a.Finding]
	icon := map[string]string{"error": "🔴", "warning": "🟠", "notice": "🔵"}[a.Level]
	where := ""
	if f.File != "" {
		where = tail(oneLine(f.File), 120)
		if f.Line > 0 {
			where += fmt.Sprintf(":%d", f.Line)
		}
		where = report.MarkdownCode(where)
		if to := link(a); to != "" {
			where = "[" + where + "](" + to + ")"
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", icon, report.MarkdownCode(cut(oneLine(f.Rule), 60)), where,
		report.MarkdownText(upTo(oneLine(head(f.Message)), message)), report.MarkdownCode(upTo(oneLine(firstLine(rep, f)), statement)))
}

// upTo is cut that leaves nothing, not even a mark, where there is no room.
func upTo(s string, n int) string {
	if n == 0 {
		return ""
	}
	return cut(s, n)
}

// head bounds what is looked at of a text that may have megabytes.
func head(s string) string { return s[:min(len(s), 8<<10)] }

// tail keeps a path's end, which says most.
func tail(s string, n int) string {
	rs := []rune(s)
	if len(rs) <= n {
		return s
	}
	return "…" + string(rs[len(rs)-n+1:])
}

// firstLine of the statement that a finding is about.
func firstLine(rep gate.Report, f *gate.Finding) string {
	sql := f.SQL
	if st := statementAt(rep, f.File, f.Line); st != nil {
		sql = st.SQL
	}
	sql = strings.TrimSpace(head(sql))
	line, _, _ := strings.Cut(sql, "\n")
	return line
}

func statementAt(rep gate.Report, file string, line int) *migration.Statement {
	if line <= 0 {
		return nil
	}
	for i := range rep.Observation.Migrations {
		m := &rep.Observation.Migrations[i]
		for _, script := range []*migration.Script{&m.Up, m.Down} {
			if script == nil {
				continue
			}
			for k := range script.Statements {
				if st := &script.Statements[k]; st.File == file && st.Line <= line && line <= max(st.Line, st.EndLine) {
					return st
				}
			}
		}
	}
	return nil
}

var (
	serverURL  = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?$`)
	repository = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)
	fullCommit = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
)

// linker makes links to lines of files at the commit that was looked at; they
// are "" where it is not known, or the file is not in it.
func (r *Runner) linker(rep gate.Report) func(Annotation) string {
	server, repo, commit := strings.TrimSuffix(r.opt.Getenv("GITHUB_SERVER_URL"), "/"), r.opt.Getenv("GITHUB_REPOSITORY"), rep.Observation.Head
	if !fullCommit.MatchString(commit) {
		commit = r.opt.Getenv("GITHUB_SHA")
	}
	if !serverURL.MatchString(server) || !repository.MatchString(repo) || !fullCommit.MatchString(commit) {
		return func(Annotation) string { return "" }
	}
	gone := map[string]bool{}
	for _, f := range rep.Observation.Files {
		if f.Status == "deleted" {
			gone[f.Path] = true
		}
		gone[f.From] = true
	}
	return func(a Annotation) string {
		if gone[a.File] || !utf8.ValidString(a.File) {
			return ""
		}
		to := server + "/" + repo + "/blob/" + commit + "/" + escapePath(a.File)
		if rep.Findings[a.Finding].Line > 0 {
			to += fmt.Sprintf("#L%d", a.StartLine)
			if a.EndLine > a.StartLine {
				to += fmt.Sprintf("-L%d", a.EndLine)
			}
		}
		return to
	}
}

// escapePath leaves only what neither a URL nor Markdown gives a meaning.
func escapePath(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("/._-", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
