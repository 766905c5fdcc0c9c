package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// What a failed migration leaves behind, and whether it can be run again.

// stays are the statements, by index, that ran before a failure and were not
// undone with it.
func (c *change) stays(m *gate.Migration) []int {
	f := m.Apply.Failure
	if f == nil {
		return nil
	}
	var left []int
	for s, run := range m.Apply.Statements {
		if s >= len(m.Up.Statements) || s == f.Statement || run.RolledBack || changesNothing(m.Up.Statements[s]) {
			continue
		}
		left = append(left, s)
	}
	return left
}

func changesNothing(st migration.Statement) bool {
	first, _, _ := strings.Cut(st.Facts.Kind, " ")
	return st.Facts.NoOp || st.Facts.Control != "" ||
		slices.Contains([]string{"SET", "USE", "SELECT", "SHOW", "EXPLAIN", "LOCK", "UNLOCK", "FLUSH", "ANALYZE"}, first)
}

// kept says which statements stay applied, and which did not run.
func (c *change) kept(m *gate.Migration, f *gate.Failure) string {
	if !c.dialect().IsMySQL() {
		return keptOutside(m, f)
	}
	n := len(m.Up.Statements)
	left := c.stays(m)
	var undone, rest []int
	for s, run := range m.Apply.Statements {
		if run.RolledBack && s < n && !changesNothing(m.Up.Statements[s]) {
			undone = append(undone, s)
		}
	}
	for s := f.Statement + 1; f.Statement >= 0 && s < n; s++ {
		rest = append(rest, s)
	}
	var parts []string
	if len(left) > 0 {
		why := "no transaction holds them together"
		if slices.ContainsFunc(left, func(s int) bool { return m.Up.Statements[s].Facts.ImplicitCommit }) {
			why = c.Engine.Product() + " commits DDL by itself"
		}
		parts = append(parts, fmt.Sprintf("%s %s of %d %s applied and %s: %s",
			verb(left, "statement", "statements"), ranges(left), n, verb(left, "is", "are"), verb(left, "stays", "stay"), why))
	}
	if len(undone) > 0 {
		parts = append(parts, fmt.Sprintf("%s %s %s rolled back", verb(undone, "statement", "statements"), ranges(undone), verb(undone, "was", "were")))
	}
	if len(parts) == 0 {
		return ""
	}
	if f.Statement >= 0 {
		parts = append(parts, fmt.Sprintf("statement %d failed", f.Statement+1))
	}
	if len(rest) > 0 {
		parts = append(parts, ranges(rest)+" did not run")
	}
	return "; " + strings.Join(parts, "; ")
}

// keptOutside warns where statements before the failure stay applied.
func keptOutside(m *gate.Migration, f *gate.Failure) string {
	if f.CommitRolledBack || f.Statement < 1 {
		return ""
	}
	n := 0
	for s, run := range m.Apply.Statements {
		if s < f.Statement && run.How == "autocommit" && !run.RolledBack && !m.Up.Statements[s].Facts.NoOp {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s before it would stay applied, outside of any transaction", plural(int64(n), "statement", "statements"))
}

// ranges names statements as a reader counts them, from 1: "1-2 and 4".
func ranges(indices []int) string {
	var words []string
	for i := 0; i < len(indices); {
		j := i
		for j+1 < len(indices) && indices[j+1] == indices[j]+1 {
			j++
		}
		if i == j {
			words = append(words, fmt.Sprint(indices[i]+1))
		} else {
			words = append(words, fmt.Sprintf("%d-%d", indices[i]+1, indices[j]+1))
		}
		i = j + 1
	}
	return list(words)
}

func verb(of []int, one, many string) string {
	if len(of) == 1 {
		return one
	}
	return many
}

// again says how far a second run gets, where one was made.
func again(m *gate.Migration) string {
	if m.Rerun == nil || m.Apply.Failure == nil {
		return ""
	}
	f, r := m.Apply.Failure, m.Rerun.Failure
	switch {
	case r == nil:
		return "; a second run goes through"
	case m.Converges():
		return "; a second run stops at the same statement, so it goes on once that one is mended"
	case r.Statement == f.Statement:
		return fmt.Sprintf("; a second run stops at the same statement with another error: %s", cause(r))
	default:
		return fmt.Sprintf("; a second run stops at line %d with %s, so it needs work by hand first", r.Line, r.CodeText())
	}
}

// addLeft writes into evidence what stays, and how a second run ended.
func (c *change) addLeft(evidence map[string]any, m *gate.Migration) {
	if left := c.stays(m); len(left) > 0 && (c.dialect().IsMySQL() || m.Rerun != nil) {
		applied := []map[string]any{}
		for _, s := range left {
			applied = append(applied, map[string]any{"statement": s + 1, "line": m.Up.Statements[s].Line})
		}
		evidence["applied"] = applied
	}
	if m.Rerun == nil {
		return
	}
	rerun := map[string]any{"converges": m.Converges()}
	if r := m.Rerun.Failure; r != nil {
		rerun["line"], rerun["code"], rerun["server_message"] = r.Line, r.Code, r.Message
	}
	evidence["rerun"] = rerun
}

// wayOn is the remedy of the failure itself, and where a second run would not
// get as far, how to clear the way for it.
func (c *change) wayOn(m *gate.Migration, f *gate.Failure) string {
	remedy := c.fixes.remedy(f)
	if m.Rerun == nil || m.Converges() {
		return remedy
	}
	undo := c.fixes.undo(m, c.stays(m))
	if undo == "" {
		return remedy
	}
	text := "-- what stays applied, undone from last to first, so that the migration can run again:\n" + undo
	if failed := c.tool().failed; failed != "" {
		text += "\n-- " + say(failed, m.Version, "")
	}
	text += "\n-- better before it is merged: one statement for each migration, so that a failure leaves nothing half done"
	if remedy != "" {
		return "-- first: " + strings.ReplaceAll(remedy, "\n", "\n-- ") + "\n" + text
	}
	return text
}
