package rule

import (
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// checksumDrift: a file of a merged migration was edited, deleted or renamed.
// Databases that ran it keep what they have; new ones get something else.
func checksumDrift(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, file := range c.Files {
		if !file.Merged {
			continue
		}
		f := gate.Finding{File: file.Path, Evidence: map[string]any{"status": file.Status, "version": file.Version}}
		old := file.Path
		switch file.Status {
		case "edited":
			f.Line, f.EndLine = file.FirstLine, file.FirstLine
			f.Evidence["first_line"] = file.FirstLine
			f.Message = fmt.Sprintf("merged migration %s was edited: databases that ran it keep the old effect, new ones get another", file.Version)
			f.Fix = fmt.Sprintf("git checkout %s -- %s\n# then put what you want to change into a new migration", c.baseRef(), shellQuote(old))
		case "deleted":
			f.Message = fmt.Sprintf("merged migration %s was deleted: databases that ran it know a version that nobody can build or reverse any more", file.Version)
			f.Fix = fmt.Sprintf("git checkout %s -- %s", c.baseRef(), shellQuote(old))
		case "renamed":
			old = file.From
			f.Evidence["from"] = file.From
			f.Message = fmt.Sprintf("merged migration %s was renamed from %s: tools know it by its name, and may run it again or not at all", file.Version, file.From)
			f.Fix = fmt.Sprintf("git mv %s %s", shellQuote(file.Path), shellQuote(old))
		default:
			continue
		}
		findings = append(findings, f)
	}
	return findings
}

func (c *change) baseRef() string {
	if c.Base == "" {
		return "BASE"
	}
	return shellQuote(c.Base)
}

// shellQuote makes a path or ref one word of a POSIX shell.
func shellQuote(s string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/+@:,", r)
	}
	if s != "" && !strings.HasPrefix(s, "-") && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
