package rule

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// versionOrder: a pending migration whose version is taken (whatever its
// zeros: 2 is 000002), or lower than a merged one, so that databases which are
// further along skip or refuse it.
func versionOrder(c *change) []gate.Finding {
	var highest gate.MergedMigration
	merged := map[int64]gate.MergedMigration{}
	for _, m := range c.Merged {
		merged[m.Number] = m
		if m.Number > highest.Number {
			highest = m
		}
	}
	top := highest.Number
	for _, m := range c.Migrations {
		top = max(top, m.Number)
	}
	seen := map[int64]gate.Migration{}
	var findings []gate.Finding
	add := func(m gate.Migration, message string, other string) {
		top++
		findings = append(findings, gate.Finding{
			File: m.Up.File, Message: message,
			Evidence: map[string]any{"version": m.Version, "other": other, "highest_merged": highest.Version},
			Fix:      renumber(m, top),
		})
	}
	for _, m := range c.Migrations {
		other, taken := merged[m.Number]
		if taken && other.File == m.Up.File {
			continue // itself: merged, and not yet applied to the snapshot
		}
		if before, twice := seen[m.Number]; twice {
			add(m, fmt.Sprintf("version %s is the same as %s%s: only one of the two would ever run",
				m.Version, before.Up.File, spelling(m.Version, before.Version)), before.Up.File)
			continue
		}
		seen[m.Number] = m
		switch {
		case taken:
			add(m, fmt.Sprintf("version %s is taken by the merged %s%s: databases that ran that one would never run this one",
				m.Version, other.File, spelling(m.Version, other.Version)), other.File)
		case m.Number < highest.Number:
			add(m, fmt.Sprintf("version %s is lower than the merged %s: %s", m.Version, highest.Version, c.skipped(highest.Version)), highest.File)
		}
	}
	return findings
}

// skipped says what the tool does with a migration that comes too late.
func (c *change) skipped(highest string) string {
	switch c.Layout {
	case "goose":
		return "goose refuses to run it on a database that is at " + highest + " already"
	case "golang-migrate":
		return "golang-migrate never runs it on a database that is at " + highest + " already"
	default:
		return "databases that are at " + highest + " already may never run it"
	}
}

func spelling(a, b string) string {
	if a == b {
		return ""
	}
	return fmt.Sprintf(" (%s and %s are the same number)", a, b)
}

// renumber is the rename that mends it. Where versions are points in time the
// reader has the clock.
func renumber(m gate.Migration, number int64) string {
	if len(m.Version) >= 14 {
		return "rename its files to a version of the present moment"
	}
	version := strconv.FormatInt(number, 10)
	if pad := len(m.Version) - len(version); pad > 0 {
		version = strings.Repeat("0", pad) + version
	}
	var moves []string
	files := []string{m.Up.File}
	if m.Down != nil && m.Down.File != m.Up.File {
		files = append(files, m.Down.File)
	}
	for _, old := range files {
		rest, ok := strings.CutPrefix(path.Base(old), m.Version)
		if !ok {
			return "rename its files to version " + version
		}
		moves = append(moves, "git mv "+shellQuote(old)+" "+shellQuote(path.Join(path.Dir(old), version+rest)))
	}
	return strings.Join(moves, "\n")
}
