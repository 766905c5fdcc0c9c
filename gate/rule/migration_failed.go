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
			finding.Message = fmt.Sprintf("the deploy would stop at migration %s: %s%s", m.Version, cause(f), kept(m, f))
			finding.Fix = c.remedy(f)
			findings = append(findings, finding)
		}
	}
	return findings
}

// kept warns where statements before the failure stay applied.
func kept(m *gate.Migration, f *gate.Failure) string {
	if f.CommitRolledBack || f.Statement < 1 {
		return ""
	}
	n := 0
	for s, run := range m.Apply.Statements {
		if s < f.Statement && run.How == "autocommit" && !m.Up.Statements[s].Facts.NoOp {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s before it would stay applied, outside of any transaction", plural(int64(n), "statement", "statements"))
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
