package migration

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// flywayName is what Flyway reads out of a script's base name. problem says
// why it takes it for none of its own though it begins like one, and better is
// a name that it would take.
type flywayName struct {
	prefix, version, description string
	problem, better              string
}

// flywayVersion is what a version may be: Flyway takes _ for a dot.
var flywayVersion = regexp.MustCompile(`^[0-9]+([._][0-9]+)*$`)

// parse splits a base name into prefix, version, separator and description;
// ok is false for a file that has not even a prefix of Flyway's.
func (c *flywayConfig) parse(base string) (n flywayName, ok bool) {
	suffix, ok := c.suffixOf(base)
	if !ok {
		return n, false
	}
	name := base[:len(base)-len(suffix)]
	for _, n.prefix = range c.prefixes {
		rest, found := strings.CutPrefix(name, n.prefix)
		if !found {
			continue
		}
		n.version, n.description, _ = strings.Cut(rest, c.separator)
		c.check(&n, rest, suffix)
		n.description = strings.ReplaceAll(n.description, "_", " ")
		return n, true
	}
	return n, false
}

// check sets what is wrong with a name.
func (c *flywayConfig) check(n *flywayName, rest, suffix string) {
	text := cmp.Or(n.description, "description")
	defer func() {
		if rest != "" && !strings.ContainsAny(rest[:1], "0123456789_-. ") {
			n.better = "" // a word that begins like a prefix
		}
	}()
	if n.prefix == c.repeatable || slices.Contains(flywayEvents, n.prefix) {
		if n.version != "" {
			n.problem = "what has no version needs " + c.separator + " after " + n.prefix
			n.better = n.prefix + c.separator + strings.TrimLeft(cmp.Or(n.description, n.version), "_") + suffix
		}
		return
	}
	switch {
	case n.version == "":
		n.problem = "a version is missing after " + n.prefix
		n.better = n.prefix + "1.2" + c.separator + text + suffix
	case !flywayVersion.MatchString(n.version):
		n.problem = strconv.Quote(n.version) + " is no version"
		if m := leadingVersion.FindStringSubmatch(rest); m != nil {
			n.problem = "the version must end with " + c.separator
			n.better = n.prefix + m[1] + c.separator + strings.TrimLeft(m[2], "_-. ") + suffix
		}
	}
}

// leadingVersion takes a version off a name whose separator is not Flyway's.
var leadingVersion = regexp.MustCompile(`^([0-9]+(?:[._][0-9]+)*)[_\-. ]+([^0-9_].*)$`)

// nearly says of a name that Flyway does not know why, where it looks as if
// its author meant it to.
func (c *flywayConfig) nearly(base string) (problem, better string) {
	if n, ok := c.parse(base); ok {
		return n.problem, n.better
	}
	for _, p := range c.prefixes {
		if len(base) < len(p) || !strings.EqualFold(base[:len(p)], p) {
			continue
		}
		n, ok := c.parse(p + base[len(p):])
		if better := cmp.Or(n.better, p+base[len(p):]); ok && (n.problem == "" || n.better != "") {
			return "it begins with " + strconv.Quote(base[:len(p)]) + ", not with " + strconv.Quote(p), better
		}
	}
	return "", ""
}

// suffixOf finds the configured suffix that a name ends with, in any case.
func (c *flywayConfig) suffixOf(base string) (string, bool) {
	for _, s := range c.suffixes {
		if len(base) > len(s) && strings.EqualFold(base[len(base)-len(s):], s) {
			return base[len(base)-len(s):], true
		}
	}
	return "", false
}

func (c *flywayConfig) sorted() []string {
	all := append([]string{c.prefix, c.undo, c.repeatable, c.baseline}, flywayEvents...)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return slices.DeleteFunc(all, func(p string) bool { return p == "" })
}

// flywayEvents are the events that a script may be a callback for
// (org.flywaydb.core.api.callback.Event of Flyway 11).
var flywayEvents = []string{
	"beforeClean", "afterClean", "afterCleanError",
	"beforeMigrate", "beforeEachMigrate", "beforeEachMigrateStatement", "afterEachMigrateStatement", "afterEachMigrateStatementError",
	"afterEachMigrate", "afterEachMigrateError", "beforeRepeatables", "afterVersioned", "afterMigrateApplied", "afterMigrate", "afterMigrateError",
	"beforeUndo", "beforeEachUndo", "beforeEachUndoStatement", "afterEachUndoStatement", "afterEachUndoStatementError",
	"afterEachUndo", "afterEachUndoError", "afterUndo", "afterUndoError",
	"beforeValidate", "afterValidate", "afterValidateError", "beforeBaseline", "afterBaseline", "afterBaselineError",
	"beforeRepair", "afterRepair", "afterRepairError", "beforeInfo", "afterInfo", "afterInfoError",
	"afterMigrateOperationFinish", "afterInfoOperationFinish", "createSchema", "beforeCreateSchema", "beforeConnect", "afterConnect",
}

// flywayWhen are the callbacks that run once a migration of a database, and
// where: before everything, or among what runs after the versions. Flyway
// validates before it migrates, unless validateOnMigrate says otherwise.
var flywayWhen = map[string]string{
	"beforeValidate":      " 1",
	"afterValidate":       " 2",
	"beforeMigrate":       " 3",
	"afterVersioned":      "~1",
	"beforeRepeatables":   "~2",
	"afterMigrateApplied": "~4",
	"afterMigrate":        "~5",

	"afterMigrateOperationFinish": "~6",
}

const flywayRepeatable = "~3"

// IsCallback: it is no migration of its own but what runs whenever the tool
// migrates (Flyway's beforeMigrate, afterMigrate and others); no ledger has it.
func (m Migration) IsCallback() bool {
	return m.Repeatable && m.Order != "" && !strings.HasPrefix(m.Order, flywayRepeatable)
}

// flywayAround are the callbacks before and after each script.
var flywayAround = []string{"beforeEachMigrate", "afterEachMigrate"}

// flywayRefused are callbacks that run with a migration in ways that cannot be
// had by running scripts.
var flywayRefused = []string{"beforeEachMigrateStatement", "afterEachMigrateStatement", "beforeConnect", "afterConnect", "createSchema", "beforeCreateSchema"}

func (t flyway) name(rel string) (f fileName, ok bool, err error) {
	c, base := t.config(), path.Base(rel)
	n, ok := c.parse(base)
	if !ok || n.problem != "" {
		if problem, better := c.nearly(base); problem != "" && c.validateNaming {
			return f, false, &InputError{File: rel, Message: problem + ", so Flyway refuses to run (validateMigrationNaming)", Remedy: "rename it" + toName(better)}
		}
		return f, false, nil
	}
	f = fileName{name: n.description, direction: Up}
	switch n.prefix {
	case c.repeatable:
		f.repeatable, f.order = true, flywayRepeatable+n.description
	case c.prefix, c.undo, c.baseline:
		f.version = strings.ReplaceAll(n.version, "_", ".")
		f.order = flywayOrder(f.version)
		if !strings.Contains(f.version, ".") {
			if f.number, err = strconv.ParseInt(f.version, 10, 64); err != nil {
				f.number, err = 0, nil // Flyway's have no end
			}
		}
		switch n.prefix {
		case c.undo:
			f.direction = Down
		case c.baseline:
			f.baseline = true
			f.order += "!" // after its version, before the next one's first part
		}
	default:
		when, runs := flywayWhen[n.prefix]
		if !runs || strings.HasSuffix(n.prefix, "Validate") && !c.validates {
			return f, false, nil // see each and foreign
		}
		f.name = strings.TrimSpace(n.prefix + " " + n.description)
		f.repeatable, f.order = true, when+f.name
	}
	return f, true, nil
}

func toName(better string) string {
	if better == "" {
		return ""
	}
	return " to " + better
}

// flywayOrder compares versions part by part; 1.0 is 1.
func flywayOrder(version string) string {
	parts := strings.Split(version, ".")
	for len(parts) > 1 && strings.Trim(parts[len(parts)-1], "0") == "" {
		parts = parts[:len(parts)-1]
	}
	return orderOf(parts...)
}

func (t flyway) helps(rel string) (helps, around bool) {
	n, ok := t.config().parse(path.Base(rel))
	return ok && n.problem == "" && slices.Contains(flywayEvents, n.prefix), slices.Contains(flywayAround, n.prefix)
}

func (t flyway) meant(rel string) string {
	_, better := t.config().nearly(path.Base(rel))
	return better
}

// foreign tells what only Flyway itself can run.
func (t flyway) foreign(rel string) string {
	base := path.Base(rel)
	ext := path.Ext(base)
	switch ext {
	case ".java", ".kt", ".groovy", ".scala", ".class":
		if regexp.MustCompile(`^[VRUB][0-9_]*__\w+$`).MatchString(strings.TrimSuffix(base, ext)) {
			return "a migration of Flyway's in " + map[string]string{".kt": "Kotlin", ".groovy": "Groovy", ".scala": "Scala"}[ext] + cmp.Or(map[bool]string{true: "Java"}[ext == ".java" || ext == ".class"]) + ", which only the project's own program can run"
		}
	case ".sh", ".bash", ".ps1", ".py", ".cmd", ".bat":
		c := *t.config()
		c.suffixes = []string{ext}
		if n, ok := c.parse(base); ok && n.problem == "" {
			return "a script that Flyway runs by " + ext[1:] + ", which may do anything"
		}
	}
	if n, ok := t.config().parse(base); ok && n.problem == "" && slices.Contains(flywayRefused, n.prefix) {
		return fmt.Sprintf("a callback of Flyway's for %s, which this program does not run", n.prefix)
	}
	return ""
}

// each finds the callbacks that run around every script, in its transaction.
func (t flyway) each(rels []string, dir string) (before, behind []string) {
	type callback struct{ description, file string }
	var found [2][]callback
	for _, rel := range rels {
		n, ok := t.config().parse(path.Base(rel))
		if i := slices.Index(flywayAround, n.prefix); ok && n.problem == "" && i >= 0 {
			found[i] = append(found[i], callback{n.description, path.Join(dir, rel)})
		}
	}
	files := func(all []callback) (names []string) {
		slices.SortStableFunc(all, func(a, b callback) int { return cmp.Compare(a.description, b.description) })
		for _, c := range all {
			names = append(names, c.file)
		}
		return names
	}
	return files(found[0]), files(found[1])
}
