package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
)

// downMissing: no down script, or one without effect. That declares the
// migration forward-only, which is worth a word; under --reversal exact it
// breaks the contract. What has no version has none to go back to: a repeatable
// migration is reversed by its earlier text, a baseline by an empty database.
func downMissing(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, m := range c.Migrations {
		if m.Repeatable || m.Baseline || !m.Down.IsEmpty() {
			continue
		}
		f := gate.Finding{File: m.Up.File, Evidence: map[string]any{"version": m.Version, "down": "missing"}}
		what := "has no down script"
		if m.Down != nil {
			f.File, f.Evidence["down"], what = m.Down.File, "empty", "has a down script without effect"
			if len(m.Down.Statements) > 0 {
				f.Line, f.EndLine = m.Down.Statements[0].Line, m.Down.Statements[0].EndLine
			}
		}
		f.Message = fmt.Sprintf("migration %s %s, so it is forward-only: a release that goes wrong is mended by a new migration", m.Version, what)
		if c.policy.Reversal == gate.Exact {
			f.Message = fmt.Sprintf("migration %s %s, and --reversal exact wants one for every up script", m.Version, what)
			f.Fix = "write the down script, or judge by --reversal forward-only"
		}
		findings = append(findings, f)
	}
	return findings
}
