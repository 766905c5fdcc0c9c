package rule

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// versionOrder: a pending migration whose version is taken (by what its tool
// takes for the same: 2 is 000002), or lower than a merged one, so that
// databases which are further along skip it, refuse it, or run it in another
// order than new ones.
func versionOrder(c *change) []gate.Finding {
	tool, keyOf := c.tool(), c.versionKey()
	var highest gate.MergedMigration
	merged := map[string]gate.MergedMigration{}
	top := "" // the highest number given out
	for _, m := range c.Merged {
		if m.Repeatable || m.Baseline {
			continue // the one has no version, the other shares one
		}
		merged[keyOf(m.Version, m.Key(), m.File)] = m
		if highest.File == "" || m.Key() > highest.Key() {
			highest, top = m, numberOf(m.Version)
		}
	}
	key := highest.Key()
	for _, m := range c.Migrations {
		if !m.Repeatable && (top == "" || m.Key() > key) {
			key, top = m.Key(), numberOf(m.Version)
		}
	}
	seen := map[string]gate.Migration{}
	var findings []gate.Finding
	add := func(m gate.Migration, severity gate.Severity, message string, other string) {
		top = next(top)
		findings = append(findings, gate.Finding{
			File: m.Up.File, Severity: severity, Message: message,
			Evidence: map[string]any{"version": m.Version, "other": other, "highest_merged": highest.Version},
			Fix:      renumber(m, top, highest.File),
		})
	}
	for _, m := range c.Migrations {
		if m.Repeatable {
			continue
		}
		version := keyOf(m.Version, m.Key(), m.Up.File)
		other, taken := merged[version]
		if taken && other.File == m.Up.File {
			continue // itself: merged, and not yet applied to the snapshot
		}
		if before, twice := seen[version]; twice {
			add(m, "", fmt.Sprintf("version %s is the same as %s%s: %s",
				m.Version, before.Up.File, spelling(m.Version, before.Version), tool.twice), before.Up.File)
			continue
		}
		seen[version] = m
		switch {
		case taken:
			add(m, "", fmt.Sprintf("version %s is taken by the merged %s%s: %s",
				m.Version, other.File, spelling(m.Version, other.Version), tool.taken), other.File)
		case highest.File != "" && m.Key() < highest.Key():
			severity := gate.Severity("")
			if tool.runsLate {
				severity = gate.Warning
			}
			add(m, severity, fmt.Sprintf("version %s is lower than the merged %s: %s",
				called(m.Version, m.Up.File), called(highest.Version, highest.File), say(tool.late, m.Version, called(highest.Version, highest.File))), highest.File)
		}
	}
	return findings
}

// versionKey is what makes two migrations the same to their tool. Plain files are
// ordered by their whole names, yet those that begin with one number have one
// version for whatever keeps versions: sqlx, diesel, Supabase, a script with a
// table of its own. Not so where merged ones share numbers already, with Prisma,
// which goes by names, and with days, of which each may have several.
func (c *change) versionKey() func(version, key, file string) string {
	byNumber := func(version, key, file string) string {
		if !isDigits(version) || isTime(version) && len(version) == 8 || path.Base(file) == "migration.sql" {
			return key
		}
		return strings.TrimLeft(version, "0")
	}
	seen := map[string]bool{}
	for _, m := range c.Merged {
		k := byNumber(m.Version, m.Key(), m.File)
		if c.Layout != "plain" || seen[k] {
			return func(_, key, _ string) string { return key }
		}
		seen[k] = true
	}
	return byNumber
}

// called is a version or, for a migration without one, its file's name.
func called(version, file string) string {
	if version == "" {
		return path.Base(file)
	}
	return version
}

func spelling(a, b string) string {
	switch {
	case a == b:
		return ""
	case isDigits(a) && isDigits(b):
		return fmt.Sprintf(" (%s and %s are the same number)", a, b)
	}
	return fmt.Sprintf(" (%s and %s are the same version)", a, b)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// numberOf is what a version begins with where it is a whole name (sql-migrate).
func numberOf(version string) string {
	if strings.Trim(version, "0123456789._") == "" {
		return version
	}
	return version[:len(version)-len(strings.TrimLeft(version, "0123456789"))]
}

// isTime: versions are points in time: 20240131, 202401311200, Unix seconds.
func isTime(version string) bool {
	if !isDigits(version) {
		return false
	}
	return len(version) >= 10 || len(version) == 8 && (version[:2] == "19" || version[:2] == "20")
}

// next is the version after one, counted in its last number: 1.5 after 1.4.
func next(version string) string {
	end := strings.LastIndexAny(version, "0123456789") + 1
	from := end
	for from > 0 && isDigits(version[from-1:from]) {
		from--
	}
	n, err := strconv.ParseInt(version[from:end], 10, 64)
	if err != nil {
		return ""
	}
	return version[:from] + pad(strconv.FormatInt(n+1, 10), end-from) + version[end:]
}

func pad(digits string, width int) string {
	return strings.Repeat("0", max(0, width-len(digits))) + digits
}

// renumber is the rename that mends it. Where versions are points in time the
// reader has the clock.
func renumber(m gate.Migration, version, last string) string {
	old := numberOf(m.Version)
	switch {
	case isTime(old):
		return "rename its files to a version of the present moment"
	case version == "" || old == "":
		return "rename it, so that its name comes after " + path.Base(last)
	case isDigits(old) && isDigits(version): // as wide as it was
		version = pad(strings.TrimLeft(version, "0"), len(old))
	}
	files := []string{m.Up.File}
	if m.Down != nil && m.Down.File != m.Up.File {
		files = append(files, m.Down.File)
	}
	var moves []string
	for _, file := range files {
		from, to, ok := reversion(file, old, version)
		if !ok { // Flyway takes either for a dot
			from, to, ok = reversion(file, strings.ReplaceAll(old, ".", "_"), strings.ReplaceAll(version, ".", "_"))
		}
		if !ok {
			return "rename its files to version " + version
		}
		move := "git mv " + shellQuote(from) + " " + shellQuote(to)
		if !slices.Contains(moves, move) { // a directory is moved once
			moves = append(moves, move)
		}
	}
	return strings.Join(moves, "\n")
}

// reversion finds the version in a file's name, behind a letter or two, or in
// that of its directory, and puts another in its place.
func reversion(file, old, version string) (from, to string, ok bool) {
	for from = file; from != "." && from != "/"; from = path.Dir(from) {
		base := path.Base(from)
		prefix := len(base) - len(strings.TrimLeft(base, "VUvu"))
		if rest, ok := strings.CutPrefix(base[prefix:], old); ok && (rest == "" || !isDigits(rest[:1])) {
			return from, path.Join(path.Dir(from), base[:prefix]+version+rest), true
		}
		if from != file {
			break
		}
	}
	return "", "", false
}
