package gitlab

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// body is the note: the marker, the Markdown report (at most 60,000 characters
// of the 1,000,000 that GitLab takes), and where it comes from.
func (p *Publisher) body(rep gate.Report, marker string) (string, error) {
	var b bytes.Buffer
	if err := report.Render(&b, "markdown", rep, report.Options{Unicode: true, Source: p.opt.Source}); err != nil {
		return "", err
	}
	return marker + "\n\n" + inert(b.String()) + p.origin(), nil
}

// origin is the last line: the job, linked to its log, and the commit, which
// GitLab links by itself.
func (p *Publisher) origin() string {
	run := p.opt.Run
	name := run.Job
	if name == "" {
		name = "this job"
	}
	s := "\n<sub>from " + code(name)
	if u, err := url.Parse(run.RunURL); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		s = "\n<sub>from [" + code(name) + "](<" + strings.NewReplacer("<", "%3C", ">", "%3E").Replace(u.String()) + ">)"
	}
	if commit.MatchString(run.Head) {
		s += " on " + run.Head[:12]
	}
	return s + "</sub>\n"
}

var commit = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// code shows a name as code, which no reference or link is looked for in.
func code(s string) string {
	var b strings.Builder
	b.WriteString("<code>")
	for _, r := range oneLine(s) {
		if strings.ContainsRune("&<>`*_[]\\|{}~#@^$!:/.", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String() + "</code>"
}

// inert makes of a Markdown report one that GitLab takes no command and no
// reference from, whatever the SQL within holds.
//
// A note's line that begins with "/close", "/approve" or "/label" is carried
// out. GitLab means to spare code, but not all of its versions agree with
// CommonMark on where code ends: up to 16 they look for three backticks alone
// on a line, also within a longer fence. So no line of the note begins with a
// slash, or with what such a version could take for an end or a quote's fence
// (```, >>>). A space before them changes no SQL.
//
// References are looked for in the text that Markdown made, where a character
// reference is the character again: those in brackets ([issue:1],
// *iteration:1) are parted here as the report parts @name and #1.
func inert(md string) string {
	var b strings.Builder
	b.Grow(len(md) + 64)
	fence := "" // the open one
	for line := range strings.Lines(md) {
		bare := strings.TrimRight(line, "\n")
		run := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		switch {
		case fence == "" && len(run) >= 3:
			fence = run
		case fence == "":
			line = prose(line)
		case bare == fence:
			fence = ""
		case strings.HasPrefix(bare, "/") || strings.HasPrefix(bare, "```") || strings.HasPrefix(bare, ">>>"):
			line = " " + line
		}
		b.WriteString(line)
	}
	return b.String()
}

// prose is a line outside fences, whose <code> elements stay as they are.
func prose(line string) string {
	var b strings.Builder
	if strings.HasPrefix(line, "/") {
		b.WriteString("&#47;")
		line = line[1:]
	}
	for line != "" {
		text, rest, isCode := strings.Cut(line, "<code>")
		b.WriteString(bracketed.ReplaceAllString(text, "$1&#8203;"))
		if !isCode {
			break
		}
		inside, after, _ := strings.Cut(rest, "</code>")
		b.WriteString("<code>" + inside + "</code>")
		line = after
	}
	return b.String()
}

// bracketed finds "[" and "*" from outside, as the report writes them, before
// what a reference goes on with.
var bracketed = regexp.MustCompile(`(&#(?:91|42);)\b`)
