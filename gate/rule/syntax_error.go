package rule

import (
	"fmt"
	"strconv"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// grammarMajor is the PostgreSQL release whose grammar reads the scripts.
const grammarMajor = 17

// syntaxError: PostgreSQL's own grammar refuses a statement of a script that
// did not run. Where it ran, the server's word counts. A later server may know
// what this grammar does not, which is then worth a warning.
func syntaxError(c *change) []gate.Finding {
	var findings []gate.Finding
	for i := range c.Migrations {
		m := &c.Migrations[i]
		if m.Apply == nil {
			findings = append(findings, c.refusedByGrammar(m.Up.Statements)...)
		}
		if m.Down != nil && m.Reversed == nil {
			findings = append(findings, c.refusedByGrammar(m.Down.Statements)...)
		}
	}
	return findings
}

func (c *change) refusedByGrammar(statements []migration.Statement) []gate.Finding {
	var findings []gate.Finding
	major, _ := strconv.Atoi(snapshot.Major(c.policy.ServerVersion))
	for _, st := range statements {
		if st.Facts.ErrorLine == 0 {
			continue
		}
		f := at(st)
		f.Line, f.EndLine, f.Column = st.Facts.ErrorLine, st.Facts.ErrorLine, st.Facts.ErrorColumn
		f.Message = st.Facts.NotAnalysed
		f.Evidence = map[string]any{"grammar": strconv.Itoa(grammarMajor)}
		f.Fix = "mend the statement, whose text begins on line " + strconv.Itoa(st.Line)
		if major > grammarMajor {
			f.Severity = gate.Warning
			f.Message += fmt.Sprintf(", says PostgreSQL %d's grammar; the server of version %s may know it", grammarMajor, c.policy.ServerVersion)
		}
		findings = append(findings, f)
	}
	return findings
}
