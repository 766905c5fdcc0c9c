package rule

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// refused makes a finding of a statement that the server refused: where, its
// SQLSTATE, and the server's own words as evidence.
func refused(s *migration.Script, f *gate.Failure) gate.Finding {
	finding := gate.Finding{File: f.File, Line: f.Line, EndLine: f.Line, Column: f.Column}
	if finding.File == "" {
		finding.File = s.File
	}
	if f.Statement >= 0 && f.Statement < len(s.Statements) {
		st := s.Statements[f.Statement]
		finding.SQL, finding.EndLine = st.SQL, max(st.EndLine, f.Line)
		if f.Line == 0 {
			finding.Line, finding.EndLine = st.Line, st.EndLine
		}
	}
	finding.Evidence = map[string]any{"code": f.Code, "server_message": f.Message}
	for key, value := range map[string]string{"sqlstate": f.SQLState, "detail": f.Detail, "hint": f.Hint, "where": f.Where} {
		if value != "" {
			finding.Evidence[key] = value
		}
	}
	if f.CommitRolledBack {
		finding.Evidence["commit_rolled_back"] = true
	}
	return finding
}

// cause spells a failure in a sentence's place.
func cause(f *gate.Failure) string {
	if f.CommitRolledBack {
		return "COMMIT was answered by ROLLBACK: an earlier statement had failed, and nothing was kept"
	}
	s := fmt.Sprintf("%s (%s)", strings.TrimSuffix(f.Message, "."), f.CodeText())
	if f.Code == "" {
		s = strings.TrimSuffix(f.Message, ".")
	}
	if f.Detail != "" && len(f.Detail) < 200 && !strings.Contains(f.Detail, "\n") {
		s += ": " + strings.TrimSuffix(f.Detail, ".")
	}
	return s
}

// missingRole tells roles from what else has no name: they share a SQLSTATE.
var missingRole = regexp.MustCompile(`^role "(.+)" does not exist$`)

// What PostgreSQL says to those who make roles, who may make nothing in a schema
// (or give a thing in it to somebody who may not), and who give things to a role
// that they are not (the last in its words before and since 16).
var (
	noNewRoles = regexp.MustCompile(`^(?:permission denied to create role|must be superuser to create |must have CREATEROLE )`)
	noSchema   = regexp.MustCompile(`^permission denied for schema (.+)$`)
	notMember  = regexp.MustCompile(`^must be (?:a )?(?:member of|able to SET ROLE) (?:role )?"(.+)"$`)
)

// denied is the way out where the migrating role may not.
func denied(message string) string {
	if noNewRoles.MatchString(message) {
		return "roles are the whole server's, and the migrating role, an ordinary owner, makes none: let a superuser make it by hand once, " +
			"have the migration do so only where pg_roles lacks it, and name it with --role, or give production's with --globals"
	}
	if m := noSchema.FindStringSubmatch(message); m != nil {
		return "who makes a thing, or is to own it, must be allowed to CREATE in its schema, which only a superuser's deploy does not ask: " +
			"GRANT CREATE ON SCHEMA " + m[1] + " to the role first"
	}
	switch m := notMember.FindStringSubmatch(message); {
	case m == nil:
	case m[1] == "postgres": // the superuser of nearly every server
		return "postgres is the test server's superuser, which the migrating role is no member of: say OWNER TO CURRENT_USER, " +
			"which is the same wherever postgres migrates, or leave it out"
	default:
		return "the migrating role is a member of the roles that --role names (or roles: in the configuration): add --role " + m[1] +
			" if production's migrations may give things to it (no superuser's role), else say OWNER TO CURRENT_USER or leave it out"
	}
	return "the migrating role is an ordinary owner, as it should be in production: " +
		"let a superuser do this by hand once, or take it out of the migration"
}

// remedy is a next step for the failures that have a well-known one, else the
// server's hint.
func (c postgresFixes) remedy(f *gate.Failure) string {
	switch f.Code {
	case "25001":
		return c.outside("this statement refuses to run inside a transaction block")
	case "42501":
		return denied(f.Message)
	case "55P04":
		return "a new enum value can be used only after the transaction that added it: " +
			"move the statement that uses it into a migration of its own"
	case "42704":
		if m := missingRole.FindStringSubmatch(f.Message); m != nil {
			return "a dump of one database does not list roles: where production has this one, name it with --role " + m[1] +
				" (or under roles: in the configuration)"
		}
	case "55P03":
		return "the lock_timeout ran out; nothing else was running here, so look for a second connection, " +
			"or a lock this very migration holds elsewhere"
	case "57014":
		return "the statement_timeout ran out on data of production's size: do the work in batches"
	case "23502", "23503", "23505", "23514", "23P01":
		return "rows in the snapshot violate it, so rows in production do: " +
			"clean them up in a migration before this one, and add constraints NOT VALID first"
	case "0A000":
		if strings.Contains(f.Message, "view") || strings.Contains(f.Detail, "view") {
			return "drop the views that use it in this migration, before the statement, and create them again after it"
		}
	}
	return f.Hint
}

// outside says how a statement gets out of the transaction under this layout.
func (c postgresFixes) outside(why string) string {
	return why + ": " + c.tool().outside
}
