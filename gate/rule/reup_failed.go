package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
)

// reupFailed: after its down script, the up script no longer works. That is
// what the tool will do when the release is tried again. A migration without
// a down script declares itself forward-only and is not run twice.
func reupFailed(c *change) []gate.Finding {
	var findings []gate.Finding
	for i := range c.Migrations {
		m := &c.Migrations[i]
		if m.ReUp == nil || m.ReUp.Failure == nil || m.Down.IsEmpty() {
			continue
		}
		f := refused(&m.Up, m.ReUp.Failure)
		f.Message = fmt.Sprintf("migration %s cannot be applied again after its down script: %s", m.Version, cause(m.ReUp.Failure))
		switch m.ReUp.Failure.Code {
		case "42P07", "42701", "42710", "42P06", "42723":
			f.Fix = "the down script left the object in place: put it aside there under another name (" +
				c.policy.DeprecationPrefix + "…), or create it here with IF NOT EXISTS"
		default:
			f.Fix = c.fixes.remedy(m.ReUp.Failure)
		}
		findings = append(findings, f)
	}
	return findings
}
