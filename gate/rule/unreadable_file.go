package rule

import (
	"cmp"

	"github.com/migration-gate/migration-gate/gate"
)

// unreadableFile: a file that is no migration as it stands, so that nothing
// else can be said of it.
func unreadableFile(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, u := range c.Unreadable {
		findings = append(findings, gate.Finding{
			File: u.File, Line: u.Line, EndLine: u.Line, Column: u.Column, Message: u.Message,
			Fix: cmp.Or(u.Remedy, "mend the file, or list it under ignore: in the configuration"),
		})
	}
	return findings
}
