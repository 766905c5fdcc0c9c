package rule

import (
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// configChanged: the change alters what it is itself judged by. Nothing is
// wrong with that, but whoever reviews it must see it.
func configChanged(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, x := range c.ConfigChanges {
		f := gate.Finding{
			File: x.File, Line: x.Line, EndLine: x.Line,
			Evidence: map[string]any{"key": x.Key, "before": x.Before, "after": x.After, "in_force": x.InForce},
			Fix:      "have it reviewed by whoever owns the gate, or make it a change of its own",
		}
		when := "counts from the merge on; this run was judged by the base's"
		if x.InForce {
			when = "counted in this run already"
		}
		switch {
		case x.Problem != "":
			f.Fix = "mend the file before it is merged"
			f.Evidence["problem"] = x.Problem
			f.Message = "the gate's own file would not be read, and from the merge on no change would pass: " + x.Problem
		case x.Key == "":
			f.Message = fmt.Sprintf("%s was changed, which runs or configures the gate; what it says now %s", x.File, when)
		case x.Before == "":
			f.Message = fmt.Sprintf("the gate's setting %s was added (%s), and %s", x.Key, setting(x.After), when)
		case x.After == "":
			f.Message = fmt.Sprintf("the gate's setting %s was removed (it was %s), and that %s", x.Key, setting(x.Before), when)
		default:
			f.Message = fmt.Sprintf("the gate's setting %s was changed from %s to %s, and %s", x.Key, setting(x.Before), setting(x.After), when)
		}
		findings = append(findings, f)
	}
	return findings
}

// setting keeps a value of a setting within a message.
func setting(s string) string {
	const most = 80
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
