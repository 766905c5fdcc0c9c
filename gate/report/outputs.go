package report

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// Output is one figure of a report under a name of its own, for the steps of
// a pipeline that come after the gate.
type Output struct {
	// Name is in kebab case, as outputs of actions are.
	Name string
	// Value is one line of printable ASCII, "" where there is nothing to tell:
	// neither GITHUB_OUTPUT nor a dotenv file can be broken out of with it.
	Value string
	// Help is one sentence for the documentation, the same for every report.
	Help string
}

// Outputs lists a report's figures, always all of them and in one order: the
// zero report yields every name and help. A stored report gives the same
// values as the one in memory.
func Outputs(r gate.Report) []Output {
	o := r.Observation
	o.Locks, o.Phases = slices.Clone(o.Locks), clonePhases(o.Phases)
	roundFloats(reflect.ValueOf(&o.Locks).Elem())
	roundFloats(reflect.ValueOf(&o.Phases).Elem())

	n := count(r.Findings)
	changed, changedCount := changedMigrations(r)
	statements := 0
	for i := range o.Migrations {
		statements += len(o.Migrations[i].Up.Statements)
	}
	total := 0.0
	for _, p := range o.Phases {
		total += p.MS
	}
	return []Output{
		{"verdict", safeValue(string(r.Verdict)), "pass, fail, error (the gate could not decide) or skipped (no migration changed)."},
		{"changed", changed, "true where the change adds, edits or removes a migration, else false; empty where the run ended before that was known."},
		{"changed-count", changedCount, "Number of migrations that the change adds, edits or removes; empty where the run ended before that was known."},
		{"tier", safeValue(string(o.Tier)), "What the verdict rests on: static (files read, nothing run), schema (run on the schema alone, durations not measured) or data (run on a restored snapshot); empty where nothing was tried."},
		{"errors", strconv.Itoa(n.Error), "Number of findings of severity error."},
		{"warnings", strconv.Itoa(n.Warning), "Number of findings of severity warning."},
		{"notices", strconv.Itoa(n.Notice), "Number of findings of severity notice."},
		{"longest-block-ms", longestBlock(&o), "Longest time, in milliseconds and by its upper bound, that reads or writes of a table that was there before were blocked; empty where nothing was blocked, or nothing measured."},
		{"total-ms", strconv.FormatFloat(total, 'f', 0, 64), "Duration of the whole run in milliseconds: the sum of its phases."},
		{"statements", strconv.Itoa(statements), "Number of statements in the change's up scripts."},
	}
}

// changedMigrations tells migrations apart by version, of which an up and a
// down script are one.
func changedMigrations(r gate.Report) (changed, n string) {
	seen := map[string]bool{}
	for _, f := range r.Observation.Files {
		seen[cmp.Or(f.Version, "file "+f.Path)] = true
	}
	for i := range r.Observation.Migrations {
		m := &r.Observation.Migrations[i]
		seen[cmp.Or(m.Version, "file "+m.Up.File)] = true
	}
	if len(seen) == 0 && r.Verdict == gate.Error {
		return "", ""
	}
	return strconv.FormatBool(len(seen) > 0), strconv.Itoa(len(seen))
}

// longestBlock is the figure that budgets would be held against: on MySQL that
// of windows that touch, joined.
func longestBlock(o *gate.Observation) string {
	longest, blocked := 0.0, false
	see := func(w *gate.LockWindow) {
		if judged(w) && w.BlocksAny("reads", "writes") && measured(o, w) {
			longest, blocked = max(longest, w.AtMostMS), true
		}
	}
	for i := range o.Locks {
		see(&o.Locks[i])
	}
	if isMySQL(o) {
		for _, s := range o.Stretches() {
			see(&s.LockWindow)
		}
	}
	if !blocked {
		return ""
	}
	return strconv.FormatFloat(round1(longest), 'f', -1, 64)
}

// safeValue lets one of our own words through: a stored report may say anything.
func safeValue(s string) string {
	foreign := func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' }
	if len(s) > 32 || strings.ContainsFunc(s, foreign) {
		return ""
	}
	return s
}
