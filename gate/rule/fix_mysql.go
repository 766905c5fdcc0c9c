package rule

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// mysqlFixes are those of MySQL and MariaDB: the clause that makes the server
// take the gentle way or none, expand and contract, and the tools that copy a
// table beside its traffic.
type mysqlFixes struct{ *change }

func (f mysqlFixes) ident(name string) string         { return f.dialect().QuoteIdent(name) }
func (f mysqlFixes) qname(schema, name string) string { return f.dialect().QuoteName(schema, name) }

// statement is the very statement with the clause for the best way that the
// server takes, where that is better than the way it went; else what the field
// does in its place.
func (f mysqlFixes) statement(m, s int) string {
	st, ok := f.up(m, s)
	if !ok {
		return ""
	}
	d := f.ddl(m, s)
	if d != nil && betterThan(d.Best, *d) {
		return f.best(st, *d)
	}
	if text := f.fieldsWay(m, s, st, d); text != "" {
		return text
	}
	return f.lastResort(st, d)
}

func (f mysqlFixes) ddl(m, s int) *gate.OnlineDDL {
	apply := f.Migrations[m].Apply
	if apply == nil || s >= len(apply.Statements) {
		return nil
	}
	return apply.Statements[s].DDL
}

// hold: a lock that later statements ran under ends earlier; one of the
// statement itself is up to the statement.
func (f mysqlFixes) hold(h hold) string {
	if len(h.HeldDuring) > 0 && len(f.breaches(h.LockWindow, h.AtMostAloneMS)) == 0 {
		return f.held(h)
	}
	return f.statement(h.Migration, h.Statement)
}

// held: what is held across statements was asked for by LOCK TABLES or FLUSH
// TABLES … WITH READ LOCK, and ends with UNLOCK TABLES.
func (f mysqlFixes) held(h hold) string {
	st, ok := f.up(h.Migration, h.Statement)
	if !ok {
		return ""
	}
	lines := []string{"-- leave the lock out: what ran under it does not need it, for every DDL statement takes its own"}
	if !strings.HasPrefix(st.Facts.Kind, "LOCK TABLE") && !strings.HasPrefix(st.Facts.Kind, "FLUSH") {
		lines = []string{"-- end the transaction before what is slow"}
	}
	const most = 5
	shown := 0
	for s := h.Statement + 1; s < len(f.Migrations[h.Migration].Up.Statements) && shown < most; s++ {
		later, _ := f.up(h.Migration, s)
		if later.Facts.Control != "" || strings.HasPrefix(later.Facts.Kind, "UNLOCK") || !f.heldDuring(h.LockWindow, h.Migration, s) {
			continue
		}
		shown++
		lines = append(lines, fmt.Sprintf("-- %d. a migration of its own", shown))
		if changesRows(later) {
			lines = append(lines, "-- (in batches of some thousand rows, each its own transaction, or its row locks last as long)")
		}
		lines = append(lines, f.quoteStatement(later))
	}
	if rest := len(h.HeldDuring) - shown; shown == most && rest > 0 {
		lines = append(lines, "-- … and "+plural(int64(rest), "more statement", "more statements"))
	}
	return strings.Join(lines, "\n")
}

func (f mysqlFixes) scan(m, s int, w gate.LockWindow) string {
	st, ok := f.up(m, s)
	if !ok {
		return ""
	}
	return fmt.Sprintf("-- when the lock taken at line %d is gone (UNLOCK TABLES, or COMMIT)\n%s", w.Line, f.quoteStatement(st))
}

func (f mysqlFixes) undo(m *gate.Migration, statements []int) string {
	return undo(f.dialect(), m, statements)
}

func (f mysqlFixes) lastResort(st migration.Statement, d *gate.OnlineDDL) string {
	switch {
	case changesRows(st):
		return "-- change the rows in batches by primary key, some thousand at a time, each in a transaction of its own and in a migration of its own"
	case d != nil && takesClause(st) && (d.Algorithm != "" || d.Best != nil && d.Best.Algorithm != ""):
		st.SQL = strings.TrimSuffix(f.spelledOut(st, *d), ";")
	}
	return "-- this statement has no gentler form: leave it alone in its migration, run it when the table is idle,\n" +
		"-- and let it give up its place in the queue quickly (the limit counts for each wait)\n" +
		"SET SESSION lock_wait_timeout = 2;\n" + f.quoteStatement(st)
}

// rank orders algorithms from the gentlest.
var rank = []string{"INSTANT", "NOCOPY", "INPLACE", "COPY"}

// betterThan reports whether the server takes a gentler way than it went.
func betterThan(best *gate.BestDDL, d gate.OnlineDDL) bool {
	if best == nil || best.Algorithm == "" || d.Algorithm == "" {
		return false
	}
	if d.Algorithm != "COPY" && !d.Rebuild && d.Lock == "" {
		return false // metadata only: nothing takes less
	}
	b, was := slices.Index(rank, best.Algorithm), slices.Index(rank, d.Algorithm)
	if d.Algorithm == "INPLACE" && !d.Rebuild {
		was = slices.Index(rank, "NOCOPY")
	}
	if best.Algorithm == "INPLACE" && d.Algorithm == "INPLACE" {
		b, was = 0, 0
	}
	return b < was || b == was && best.Lock == "NONE" && (d.Lock == "SHARED" || d.Lock == "EXCLUSIVE")
}

// best is the statement with the best clause that the server took on an empty
// copy of the table.
func (f mysqlFixes) best(st migration.Statement, d gate.OnlineDDL) string {
	why := "-- the server takes this way for the very statement (asked on an empty copy of the table)"
	if d.Best.Algorithm == "INSTANT" && st.Facts.Algorithm == "" && d.Rebuild {
		why += ";\n-- it did not on the table itself, so this fails there at once"
		if usedUp(st.Facts, d) {
			why += ": its row versions are used up (error 4092), and one\n" +
				"-- rebuild in a quiet hour sets them back: ALTER TABLE … FORCE, ALGORITHM=INPLACE, LOCK=NONE"
		}
	}
	return why + "\n" + f.withClause(st, d.Best.Algorithm, d.Best.Lock)
}

// spelledOut is the statement with the clause for the way the server went by
// itself, so that it fails where it would have to go another.
func (f mysqlFixes) spelledOut(st migration.Statement, d gate.OnlineDDL) string {
	algorithm, lock := f.wayTaken(d)
	if algorithm == "" {
		return "add ALGORITHM=INSTANT, or where the server refuses that ALGORITHM=INPLACE, LOCK=NONE: the statement then fails rather than copy the table"
	}
	return f.withClause(st, algorithm, lock)
}

// wayTaken is the clause for the way the server went; "" where it is not known.
func (f mysqlFixes) wayTaken(d gate.OnlineDDL) (algorithm, lock string) {
	algorithm, lock = d.Algorithm, d.Lock
	switch {
	case f.dialect() == migration.MariaDB && algorithm == "INPLACE" && !d.Rebuild:
		algorithm = "NOCOPY"
	case algorithm == "" && d.Best != nil:
		algorithm, lock = d.Best.Algorithm, d.Best.Lock
	case algorithm != "COPY" && !d.Rebuild && d.Lock == "" && d.Best != nil && d.Best.Algorithm == "INPLACE":
		algorithm = "INPLACE" // both touch metadata only, and look alike from outside
	}
	return algorithm, cmp.Or(lock, "NONE")
}

// withClause is the statement with the clause, or with words on it where there
// is no place for one.
func (f mysqlFixes) withClause(st migration.Statement, algorithm, lock string) string {
	sql, ok := f.clauseAdded(st, algorithm, lock)
	switch {
	case !ok && (isIndexDDL(st) || strings.HasPrefix(st.Facts.Kind, "OPTIMIZE")):
		return f.quoteStatement(st)
	case !ok:
		return "-- with " + strings.Join(clauses(algorithm, lock), ", ") + ":\n" + f.quoteStatement(st)
	}
	st.SQL = sql
	return f.quoteStatement(st)
}

// clauses of a way; INSTANT takes no LOCK.
func clauses(algorithm, lock string) []string {
	cs := []string{"ALGORITHM=" + algorithm}
	if algorithm != "INSTANT" && lock != "" {
		cs = append(cs, "LOCK="+lock)
	}
	return cs
}

// clauseAdded appends the clause to a statement: after a comma to ALTER TABLE,
// after a blank to CREATE and DROP INDEX. Not ok: there is no place for it.
func (f mysqlFixes) clauseAdded(st migration.Statement, algorithm, lock string) (sql string, ok bool) {
	cs := clauses(algorithm, lock)
	switch {
	case st.Facts.Kind == "DROP INDEX" && f.dialect() == migration.MariaDB:
		// MariaDB's DROP INDEX takes no clause.
		if a := firstTable(st); a.On != "" {
			return "ALTER TABLE " + f.qname(splitName(a.On)) + " DROP INDEX " + ifExists(a.IfExists) + f.ident(a.Name) + ", " + strings.Join(cs, ", "), true
		}
	case isIndexDDL(st):
		return lastIndexClauses.ReplaceAllString(st.SQL, "") + " " + strings.Join(cs, " "), true
	case st.Facts.Kind == "ALTER TABLE" && !lastWordTaken(st):
		// Said twice, the last one counts.
		return lastClauses.ReplaceAllString(st.SQL, "") + ", " + strings.Join(cs, ", "), true
	case st.Facts.Kind == "OPTIMIZE TABLE" || st.Facts.Kind == "OPTIMIZE":
		if a := firstTable(st); a.Name != "" {
			return "ALTER TABLE " + f.qname(a.Schema, a.Name) + " FORCE, " + strings.Join(cs, ", "), true
		}
	}
	return "", false
}

// suggestion is what the statement's lines hold with the clause; "" where they
// hold more than the statement, or there is no place for it.
func (f mysqlFixes) suggestion(st migration.Statement, algorithm, lock string) string {
	sql, ok := f.clauseAdded(st, algorithm, lock)
	// In a comment that only some versions run, the clause would stand outside.
	if !ok || algorithm == "" || st.After == "" || strings.Contains(st.SQL, "/*!") || strings.Contains(st.SQL, "/*M!") {
		return ""
	}
	return sql + st.After
}

// replacement: the statement asks for a slower way than INSTANT, which the
// server takes.
func (f mysqlFixes) replacement(m, s int) string {
	st, ok := f.up(m, s)
	d := f.ddl(m, s)
	if !ok || d == nil || !betterThan(d.Best, *d) || d.Best.Algorithm != "INSTANT" || st.Facts.Algorithm == "" {
		return ""
	}
	return f.suggestion(st, d.Best.Algorithm, d.Best.Lock)
}

// Clauses at a statement's end, which others take the place of.
var (
	lastClauses      = regexp.MustCompile(`(?i)(\s*,\s*(ALGORITHM|LOCK)\s*=?\s*\w+)+\s*$`)
	lastIndexClauses = regexp.MustCompile(`(?i)(\s+(ALGORITHM|LOCK)\s*=?\s*\w+)+\s*$`)
)

// lastWordTaken: the statement ends in a list that a comma would go on with,
// or in partition options, which nothing may follow.
func lastWordTaken(st migration.Statement) bool {
	upper := strings.ToUpper(oneLine(st.SQL))
	return strings.Contains(upper, " ORDER BY ") || strings.Contains(upper, " PARTITION") || strings.Contains(upper, "REMOVE PARTITIONING")
}

func firstTable(st migration.Statement) migration.Action {
	for _, a := range st.Facts.Actions {
		if a.Name != "" {
			return a
		}
	}
	return migration.Action{}
}
