package rule

import (
	"fmt"
	"path"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// checksumDrift: a file of a merged migration, or one beside it that decides how
// it runs, was edited, deleted or renamed.
// Databases that ran it keep what they have; new ones get something else.
func checksumDrift(c *change) []gate.Finding {
	var findings []gate.Finding
	for _, file := range c.Files {
		if !file.Merged || file.Repeatable && file.Status == "edited" {
			continue // which its tool runs again, as the change means it to
		}
		f := gate.Finding{File: file.Path, Evidence: map[string]any{"status": file.Status, "version": file.Version}}
		old, tool := file.Path, c.tool()
		if !strings.EqualFold(path.Ext(old), ".sql") { // beside a script: no tool notices
			tool.edited, tool.deleted = keepsOld, keepsOld
		}
		switch file.Status {
		case "edited":
			f.Line, f.EndLine = file.FirstLine, file.FirstLine
			f.Evidence["first_line"] = file.FirstLine
			f.Message = fmt.Sprintf("merged %s was edited: %s", of(file), tool.edited)
			f.Fix = fmt.Sprintf("git checkout %s -- %s\n# then put what you want to change into a new migration", c.baseRef(), shellQuote(old))
		case "deleted":
			f.Message = fmt.Sprintf("merged %s was deleted: %s", of(file), tool.deleted)
			f.Fix = fmt.Sprintf("git checkout %s -- %s", c.baseRef(), shellQuote(old))
		case "renamed":
			old = file.From
			f.Evidence["from"] = file.From
			f.Message = fmt.Sprintf("merged %s was renamed from %s: %s", of(file), file.From, tool.renamed)
			f.Fix = fmt.Sprintf("git mv %s %s", shellQuote(file.Path), shellQuote(old))
		default:
			continue
		}
		findings = append(findings, f)
	}
	return findings
}

// of names a file's migration.
func of(file gate.FileChange) string {
	if file.Repeatable {
		return "repeatable migration"
	}
	return "migration " + file.Version
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
