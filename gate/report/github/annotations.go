package github

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// Annotation is a note on lines of a file, as both workflow commands and check
// runs have them.
type Annotation struct {
	Level string // "error", "warning", "notice"
	// File is relative to the repository's top, byte for byte as git has it; ""
	// where the run as a whole is meant.
	File string
	// StartLine and EndLine count from 1, also where the file as a whole is
	// meant; 0 without a file. Column counts characters from 1 and is set only
	// where both lines are one: GitHub drops or refuses it elsewhere.
	StartLine, EndLine, Column int
	// Title is one line, Message may be several and is at most 4,096
	// characters; both are printable and never empty.
	Title, Message string
	// Finding is the index in the report's Findings, -1 for none.
	Finding int
}

// maxMessage is where the runner cuts a message, in UTF-16 units (actions/runner,
// ExecutionContext). Check runs would take more; one text serves both.
const maxMessage = 4096

// Annotations makes one annotation of each finding, the worst first: by
// severity, which is also what decides whether a finding fails the run, then in
// the report's order, in which files run, ups before downs: of many findings the
// runner shows the first only. A verdict of error leads them with its reason.
func Annotations(r gate.Report) []Annotation {
	titles := map[string]string{}
	for _, info := range rule.Catalogue() {
		titles[info.ID] = info.Title
	}
	var out []Annotation
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Severity.AtLeast(gate.Notice) {
			out = append(out, annotate(f, i, titles[f.Rule]))
		}
	}
	slices.SortStableFunc(out, func(a, b Annotation) int { return cmp.Compare(loudness(b.Level), loudness(a.Level)) })
	if r.Verdict == gate.Error {
		reason := cmp.Or(strings.TrimSpace(gate.Printable(r.Reason)), "no reason was given")
		out = slices.Insert(out, 0, Annotation{Level: "error", Title: "the gate could not decide", Finding: -1,
			Message: cut(reason+"\nthis says nothing about the migrations: whatever keeps the gate from looking at them has to be mended, and the job run again", maxMessage)})
	}
	return out
}

func annotate(f *gate.Finding, index int, about string) Annotation {
	a := Annotation{Level: level(f.Severity), File: f.File, Finding: index}
	if a.File != "" {
		a.StartLine = max(f.Line, 1)
		a.EndLine = max(f.EndLine, a.StartLine)
		if f.Line > 0 && a.StartLine == a.EndLine {
			a.Column = max(f.Column, 0)
		}
	}
	id := cmp.Or(oneLine(f.Rule), "finding")
	a.Title = cut(id, 200)
	if about != "" {
		a.Title += ": " + about
	}
	more := "\nlearn more: migration-gate explain " + cut(id, 200)
	text := cmp.Or(strings.TrimSpace(gate.Printable(f.Message)), "no message was given")
	if how := firstStep(f.Fix); how != "" {
		text += "\n" + how
	}
	a.Message = cut(text, maxMessage-len(more)) + more
	return a
}

// level is a severity in GitHub's words.
func level(s gate.Severity) string {
	switch {
	case s.AtLeast(gate.SeverityError):
		return "error"
	case s.AtLeast(gate.Warning):
		return "warning"
	}
	return "notice"
}

// loudness orders levels.
func loudness(level string) int { return slices.Index(levels, level) }

var levels = []string{"notice", "warning", "error"}

// wholeFix is how many lines of a fix an annotation shows before only its first
// step is.
const wholeFix = 8

// firstStep is what the reader can do about a finding: the fix where it is
// short, else the first of its steps.
func firstStep(fix string) string {
	lines := strings.Split(strings.TrimSpace(gate.Printable(fix)), "\n")
	switch {
	case len(lines) == 1 && lines[0] == "":
		return ""
	case len(lines) == 1:
		return "fix: " + lines[0]
	case len(lines) <= wholeFix:
		return "fix:\n" + strings.Join(lines, "\n")
	}
	end := stepEnd(lines)
	more := fmt.Sprintf("… %d more lines, in the job's summary and the report", len(lines)-end)
	return "fix, first step:\n" + strings.Join(append(lines[:end:end], more), "\n")
}

// stepEnd is the number of lines that the first step takes: up to the second
// one where steps are numbered ("-- 2. …"), else through the first statement
// that does something.
func stepEnd(lines []string) int {
	for i, l := range lines {
		if i > 0 && strings.HasPrefix(l, "-- 2. ") {
			return i
		}
	}
	set := false
	for i, l := range lines {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "--") {
			continue
		}
		set = set || strings.HasPrefix(strings.ToUpper(l), "SET ")
		if strings.HasSuffix(l, ";") {
			if !set {
				return i + 1
			}
			set = false
		}
	}
	return wholeFix
}

// oneLine folds white space and makes the rest printable.
func oneLine(s string) string { return strings.Join(strings.Fields(gate.Printable(s)), " ") }

// cut shortens s to n UTF-16 units, which is how GitHub's services count, and
// shows that it did.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	units, fits := 0, 0
	for i, r := range s {
		w := utf16.RuneLen(r)
		if units+w > n {
			return s[:fits] + "…"
		}
		if units += w; units < n {
			fits = i + len(string(r))
		}
	}
	return s
}
