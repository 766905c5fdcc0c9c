package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// migrationFailed: a statement of an up script that the server refused, a
// COMMIT answered by ROLLBACK, or an index that CONCURRENTLY left invalid.
func migrationFailed(c *change) []gate.Finding {
	var findings []gate.Finding
	for i := range c.Migrations {
		m := &c.Migrations[i]
		if m.Apply == nil {
			continue
		}
		for s, run := range m.Apply.Statements {
			if st, ok := c.up(i, s); ok {
				findings = append(findings, invalid(st, run.InvalidIndexes)...)
			}
		}
		if f := m.Apply.Failure; f != nil {
			finding := refused(&m.Up, f)
			finding.Message = fmt.Sprintf("the deploy would stop at migration %s: %s%s%s", m.Version, cause(f), c.kept(m, f), again(m))
			c.addLeft(finding.Evidence, m)
			finding.Fix = c.wayOn(m, f)
			findings = append(findings, finding)
		}
	}
	return findings
}

// invalid makes findings of indexes that a CONCURRENTLY left behind. (An index
// made ON ONLY a partitioned table is invalid too, until its parts are
// attached, and nothing is wrong with it.)
func invalid(st migration.Statement, names []string) []gate.Finding {
	if !st.Facts.Concurrently {
		return nil
	}
	var findings []gate.Finding
	for _, name := range names {
		f := at(st)
		f.Message = fmt.Sprintf("%s: left invalid: every write keeps maintaining it and no query uses it, "+
			"and running the statement again with IF NOT EXISTS would report success", name)
		f.Evidence = map[string]any{"relation": name, "invalid_index": true}
		f.Fix = fmt.Sprintf("DROP INDEX CONCURRENTLY %s;\n-- remove what stopped it (duplicates, a time-out), then build it again", quoteQualified(name))
		findings = append(findings, f)
	}
	return findings
}
