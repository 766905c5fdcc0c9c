package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// onlineDDL: a statement leaves it to the server how to go about it. It went
// well here; where production's table differs (row versions used up, a FULLTEXT
// index, an older server), the same text copies the table and keeps writers
// out, without a word. With the clause it fails at once instead.
func onlineDDL(c *change) []gate.Finding {
	if !c.dialect().IsMySQL() {
		return nil
	}
	var findings []gate.Finding
	c.runs(func(m, s int, st migration.Statement, run gate.StatementRun) {
		d := run.DDL
		failure := c.Migrations[m].Apply.Failure
		if d == nil || !d.Existing || failure != nil && failure.Statement == s || neverCopies(st) || !takesClause(st) {
			return
		}
		if d.Algorithm == "COPY" || d.Rebuild {
			return // table-rewrite tells
		}
		missing := leftOut(st.Facts, *d)
		if missing == "" {
			return
		}
		f := at(st)
		f.Severity = c.cap(d.Table)
		took := "the server chose"
		if d.Algorithm != "" {
			took = "the server took " + d.Algorithm + " here"
		}
		worst := "copies the table, and blocks every write meanwhile"
		if missing == "LOCK" {
			took, worst = "the server let writes pass here", "blocks every write until it is done"
		}
		f.Message = fmt.Sprintf("%s: %s is left out (%s): %s; where it cannot, it %s, without a word",
			d.Table, missing, c.sizeOf(d.Table), took, worst)
		f.Evidence = map[string]any{"relation": d.Table, "missing": missing}
		addDDL(f.Evidence, *d)
		c.addSize(f.Evidence, d.Table)
		fixes := mysqlFixes{c}
		f.Fix = fixes.spelledOut(st, *d)
		algorithm, lock := fixes.wayTaken(*d)
		f.Suggestion = fixes.suggestion(st, algorithm, lock)
		findings = append(findings, f)
	})
	return findings
}

// leftOut names the clause whose absence lets the server do worse silently.
func leftOut(f migration.Facts, d gate.OnlineDDL) string {
	given := func(clause string) bool { return clause != "" && clause != "DEFAULT" }
	switch {
	case !given(f.Algorithm) && (f.Lock == "NONE" || f.Lock == "EXCLUSIVE"):
		return "" // a copy lets nobody write, so NONE refuses it; EXCLUSIVE asks for the worst
	case !given(f.Algorithm):
		return "ALGORITHM"
	case (f.Algorithm == "INPLACE" || f.Algorithm == "NOCOPY") && !given(f.Lock) && d.Lock == "NONE":
		return "LOCK"
	}
	return ""
}

// neverCopies: a change of names, or of whole partitions, that has no slow way.
func neverCopies(st migration.Statement) bool {
	// A clause on partitions stands alone; EXCHANGE names a second table besides.
	return slices.ContainsFunc(st.Facts.Actions, func(a migration.Action) bool { return a.Object == "partition" }) ||
		len(st.Facts.Actions) > 0 && !slices.ContainsFunc(st.Facts.Actions, func(a migration.Action) bool {
			return !(a.Verb == migration.Rename && a.Object == "table")
		})
}

// takesClause: OPTIMIZE and its like have no clause to name.
func takesClause(st migration.Statement) bool {
	return st.Facts.Kind == "ALTER TABLE" || isIndexDDL(st)
}

func isIndexDDL(st migration.Statement) bool {
	return strings.HasSuffix(st.Facts.Kind, " INDEX") && (strings.HasPrefix(st.Facts.Kind, "CREATE ") || strings.HasPrefix(st.Facts.Kind, "DROP "))
}
