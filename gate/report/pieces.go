package report

import (
	"bytes"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// Headline is the report in one line of plain text: its totals and the figure
// that counts, or the reason. It says nothing that the verdict's own word does,
// and has no limit on its length.
func Headline(r gate.Report) string {
	// By way of its JSON, so that figures are those of every other format.
	doc, err := newDocument(r)
	if err == nil {
		var raw []byte
		if raw, err = doc.encode(); err == nil {
			r, err = Decode(bytes.NewReader(raw))
		}
	}
	line := ""
	if err != nil {
		line = "the report cannot be rendered: " + err.Error()
	} else {
		line = newModel(r, Options{Unicode: true}).headline()
	}
	return strings.Join(strings.Fields(gate.Printable(line)), " ")
}

// MarkdownText makes text from outside safe as prose within one line of
// Markdown: no structure, links, mentions or references come of it.
func MarkdownText(s string) string { return mdText(s) }

// MarkdownCode makes text from outside safe as code within one line of Markdown.
func MarkdownCode(s string) string { return mdCode(s) }
