package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// undo takes back what the statements did, the last first. It is for a
// migration that has just failed half way: what it made is minutes old.
func undo(q migration.Dialect, m *gate.Migration, statements []int) string {
	var lines []string
	for _, s := range slices.Backward(statements) {
		st := m.Up.Statements[s]
		var back []string
		known := len(st.Facts.Actions) > 0
		for _, a := range slices.Backward(st.Facts.Actions) {
			if goesAlong(st, a) || a.IfNotExists || a.IfExists || a.Verb == migration.Replace {
				continue // a second run does not mind it
			}
			sql := reverse(q, a)
			known = known && sql != ""
			back = append(back, sql)
		}
		if !known {
			back = []string{fmt.Sprintf("-- by hand: what line %d did (%s)", st.Line, st.Facts.Kind)}
		}
		lines = append(lines, back...)
	}
	return strings.Join(lines, "\n")
}

// goesAlong: the part goes with the table or the column that the same
// statement made.
func goesAlong(st migration.Statement, a migration.Action) bool {
	return slices.ContainsFunc(st.Facts.Actions, func(o migration.Action) bool {
		switch {
		case o.Verb == migration.Create && o.Object == "table":
			return !(a.Verb == migration.Create && a.Object == "table")
		case o.Verb == migration.Add && o.Object == "column" && o.Name == a.Name:
			return a.Object == "constraint" && a.Part == "" && len(a.Columns) == 1 && a.Columns[0] == o.Part
		}
		return false
	})
}

// reverse is the statement that undoes one action, "" where the text does not
// tell it.
func reverse(q migration.Dialect, a migration.Action) string {
	if a.Within != "" || strings.Contains(a.Name+a.Part+a.NewName, "?") {
		return ""
	}
	name := q.QuoteName(a.Schema, a.Name)
	alter := "ALTER TABLE " + name + " "
	switch {
	case (a.Verb == migration.Create || a.Verb == migration.Add) && a.Object == "index" && q.IsMySQL():
		return dropIndex(q, a)
	case a.Verb == migration.Create && slices.Contains([]string{"table", "view", "index", "sequence", "procedure", "function", "trigger", "event"}, a.Object) &&
		!(a.Object == "trigger" && !q.IsMySQL()):
		return "DROP " + strings.ToUpper(a.Object) + " " + name + ";"
	case a.Verb == migration.Add && a.Object == "column":
		return alter + "DROP COLUMN " + q.QuoteIdent(a.Part) + ";"
	case a.Verb == migration.Add && a.Object == "constraint" && a.Constraint == "primary key" && q.IsMySQL():
		return alter + "DROP PRIMARY KEY;"
	case a.Verb == migration.Add && a.Object == "constraint" && a.Constraint == "unique" && q.IsMySQL() && a.Part != "":
		return alter + "DROP INDEX " + q.QuoteIdent(a.Part) + ";"
	case a.Verb == migration.Add && a.Object == "constraint" && a.Constraint == "foreign key" && q.IsMySQL() && a.Part != "":
		return alter + "DROP FOREIGN KEY " + q.QuoteIdent(a.Part) + ";"
	case a.Verb == migration.Add && a.Object == "constraint" && a.Part != "":
		return alter + "DROP CONSTRAINT " + q.QuoteIdent(a.Part) + ";"
	case a.Verb == migration.Rename && a.Object == "column":
		return alter + "RENAME COLUMN " + q.QuoteIdent(a.NewName) + " TO " + q.QuoteIdent(a.Part) + ";"
	case a.Verb == migration.Rename && a.Object == "table" && q.IsMySQL():
		return "RENAME TABLE " + q.QuoteName(a.Schema, a.NewName) + " TO " + name + ";"
	case a.Verb == migration.Rename && a.Object == "table":
		return "ALTER TABLE " + q.QuoteName(a.Schema, a.NewName) + " RENAME TO " + q.QuoteIdent(a.Name) + ";"
	}
	return ""
}

// dropIndex names the table as MySQL wants it.
func dropIndex(q migration.Dialect, a migration.Action) string {
	table, index := q.QuoteName(a.Schema, a.Name), a.Part
	if a.On != "" {
		table, index = q.QuoteName(splitName(a.On)), a.Name
	}
	if index == "" || table == "" {
		return ""
	}
	return "DROP INDEX " + q.QuoteIdent(index) + " ON " + table + ";"
}
