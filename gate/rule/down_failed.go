package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
)

// downFailed: a statement of a down script that the server refused.
func downFailed(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, m := range c.Migrations {
		if m.Reversed == nil || m.Reversed.Failure == nil || m.Down == nil {
			continue
		}
		f := refused(m.Down, m.Reversed.Failure)
		f.Message = fmt.Sprintf("rolling back migration %s would fail when it is needed most: %s", m.Version, cause(m.Reversed.Failure))
		f.Fix = c.fixes.remedy(m.Reversed.Failure)
		findings = append(findings, f)
	}
	return findings
}
