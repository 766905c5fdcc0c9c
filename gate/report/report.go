// Package report renders a gate.Report: text for a terminal, Markdown for a
// review, JSON for scripts and for rendering again later, and what other
// programs read: SARIF, JUnit, GitLab's Code Quality, a dotenv file, and one
// line a finding for editors.
//
// Renderers are pure: the same Report gives the same bytes, and a Report read
// back from its JSON renders like the one in memory. Text that comes from
// outside (SQL, server messages, file names) is made harmless here, in each
// format by that format's own means. What never lives here: judging,
// databases, and anything that knows a forge's API.
package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// Options shape what a renderer shows; the zero value is plain ASCII, 100
// columns wide. JSON ignores them all.
type Options struct {
	// Color allows ANSI colours, in text only.
	Color bool
	// Width in columns that text keeps to where it can; 0 means that there is
	// no terminal: 100, but for a finding's headline, which stays on one line
	// for grep and its like.
	Width int
	// Unicode allows characters beyond ASCII in what the renderer draws.
	Unicode bool
	// Limit is how many bytes Markdown keeps to, leaving out whole rows and
	// saying so; 0 means 60,000, since forges cut or refuse comments beyond
	// 65,536 characters.
	Limit int
	// Rules document the rules, for SARIF; those that are not listed go by
	// their id alone.
	Rules []Rule
	// From is the directory that the format line shows paths relative to, itself
	// slash-separated and relative to the repository's top; "" for the top.
	From string
	// Version of this program, for SARIF; "" leaves it out.
	Version string
	// Source returns the content of a file named in the report, to show a
	// statement as its author wrote it. Where it is nil, has no such file, or
	// the file no longer holds the statement, the SQL that ran is shown.
	Source func(file string) ([]byte, bool)
}

// Rule is what a catalogue says of one rule.
type Rule struct {
	ID string
	// Severity by default, which the configuration may override.
	Severity gate.Severity
	// Title is one line, lower case; Doc is Markdown without a heading.
	Title, Doc string
}

// Formats lists the names that Render knows, the default first.
func Formats() []string {
	return []string{"text", "markdown", "json", "sarif", "junit", "code-quality", "dotenv", "line"}
}

// Render writes r to w in one of Formats, with a line feed at the end. It
// writes nothing when it fails to render, so a half report never stands.
func Render(w io.Writer, format string, r gate.Report, opt Options) error {
	doc, err := newDocument(r)
	if err != nil {
		return fmt.Errorf("render %s report: %w", format, err)
	}
	var out []byte
	switch format {
	case "json":
		out, err = doc.encode()
	case "text":
		out, err = withModel(doc, opt, renderText)
	case "markdown":
		out, err = withModel(doc, opt, renderMarkdown)
	case "sarif":
		out, err = withModel(doc, opt, renderSARIF)
	case "junit":
		out, err = withModel(doc, opt, renderJUnit)
	case "code-quality":
		out, err = withModel(doc, opt, renderCodeQuality)
	case "dotenv":
		out, err = withModel(doc, opt, renderDotenv)
	case "line":
		out, err = withModel(doc, opt, renderLine)
	default:
		return fmt.Errorf("render report: unknown format %q; formats are %s", format, strings.Join(Formats(), ", "))
	}
	if err != nil {
		return fmt.Errorf("render %s report: %w", format, err)
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("write %s report: %w", format, err)
	}
	return nil
}

// withModel renders from the document's own JSON, so that memory and file
// cannot give different results.
func withModel(doc *document, opt Options, render func(*model, *bytes.Buffer) error) ([]byte, error) {
	raw, err := doc.encode()
	if err != nil {
		return nil, err
	}
	r, err := Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := render(newModel(r, opt), &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
