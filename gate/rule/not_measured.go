package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
)

// notMeasured: something that the verdict would rest on could not be observed,
// so that a green would be a guess. What the configuration provides for (a
// fork's pull request without the snapshot) is told as a warning.
func notMeasured(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, u := range c.Unmeasured {
		f := gate.Finding{
			Message:  fmt.Sprintf("not measured: %s: %s", u.What, u.Why),
			Evidence: map[string]any{"what": u.What, "why": u.Why, "accepted": u.Accepted},
			Fix:      u.Remedy,
		}
		if f.File = u.File; f.File == "" && len(c.Migrations) > 0 {
			f.File = c.Migrations[0].Up.File
		}
		if u.Accepted {
			f.Severity = gate.Warning
		}
		findings = append(findings, f)
	}
	return findings
}
