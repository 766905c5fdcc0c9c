package report

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/migration-gate/migration-gate/gate"
)

// renderLine writes a line for each finding and nothing else, as compilers do
// (GNU Coding Standards, "Formatting Error Messages") and editors read it:
//
//	file:line:column: severity: message [rule]
//
// Lines and columns that are not known are 1, since readers want numbers.
func renderLine(m *model, b *bytes.Buffer) error {
	for i := range m.findings {
		f := &m.findings[i]
		file := oneLine(m.fileOf(f))
		if rel, err := filepath.Rel(filepath.FromSlash(m.opt.From), filepath.FromSlash(file)); err == nil {
			file = rel
		}
		fmt.Fprintf(b, "%s:%d:%d: %s: %s [%s]\n", file, max(f.Line, 1), max(f.Column, 1), lineSeverity(f.Severity), oneLine(f.Message), oneLine(f.Rule))
	}
	return nil
}

// lineSeverity is what compilers call it: they know no notices, but notes.
func lineSeverity(s gate.Severity) string {
	if s == gate.Notice {
		return "note"
	}
	return string(s)
}
