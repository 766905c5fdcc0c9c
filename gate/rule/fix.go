package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// The fixes of lock rules are SQL made for the very statement, that runs as it
// stands, statement by statement. What is not SQL stands in comments, so that
// pasting the whole is safe. "-- N." opens a migration of its own.

// hold is what makes a hold short: a gentler form of the statement, or the
// end of its transaction where what is slow came later.
func (c postgresFixes) hold(h hold) string {
	if len(h.HeldDuring) > 0 && len(c.breaches(h.LockWindow, h.AtMostAloneMS)) == 0 {
		return c.held(h)
	}
	return c.statement(h.Migration, h.Statement)
}

// held splits the migration behind the statement that took the lock. What
// ran under it follows in its gentler form, where it has one.
func (c postgresFixes) held(h hold) string {
	st, ok := c.up(h.Migration, h.Statement)
	if !ok {
		return ""
	}
	if slices.ContainsFunc(st.Facts.Actions, dropsView) {
		return c.viewHeld(h)
	}
	steps := []string{"-- 1. only what needs the lock; lock_timeout keeps a wait for it from queueing everybody else\n" +
		"SET LOCAL lock_timeout = '2s';\n" + c.quoteStatement(st)}
	const most = 5
	shown, n := 0, 1
	for s := h.Statement + 1; s < len(c.Migrations[h.Migration].Up.Statements) && shown < most; s++ {
		later, _ := c.up(h.Migration, s)
		if later.Facts.Control != "" || !c.heldDuring(h.LockWindow, h.Migration, s) {
			continue
		}
		shown++
		step, gentler := c.gentler(h.Migration, s)
		switch {
		case strings.HasPrefix(step, "-- 1. "):
			step = renumbered(step, n)
		case gentler || changesRows(later):
			step = fmt.Sprintf("-- %d. a migration of its own\n%s", n+1, step)
		case n == 1:
			step = fmt.Sprintf("-- %d. a migration of its own for what ran under it%s\n%s", n+1, c.oneTransaction(), step)
		}
		n = max(n, lastStep(step))
		steps = append(steps, step)
	}
	if rest := len(h.HeldDuring) - shown; shown == most && rest > 0 {
		steps = append(steps, "-- … and "+plural(int64(rest), "more statement", "more statements"))
	}
	return strings.Join(steps, "\n")
}

// dropsView: the statement takes away what a later one is meant to make again.
func dropsView(a migration.Action) bool {
	return a.Verb == migration.Drop && strings.HasSuffix(a.Object, "view")
}

// viewHeld takes what is slow out from between DROP VIEW and CREATE VIEW.
// Those two stay together, or there is no view in the meantime.
func (c postgresFixes) viewHeld(h hold) string {
	steps := []string{"-- keep dropping and making the view in one migration, and nothing slow between the two;",
		"-- what ran under it, by itself:"}
	n := 0
	for s := h.Statement + 1; s < len(c.Migrations[h.Migration].Up.Statements); s++ {
		later, _ := c.up(h.Migration, s)
		if later.Facts.Control != "" || !c.heldDuring(h.LockWindow, h.Migration, s) {
			continue
		}
		if step, gentler := c.gentler(h.Migration, s); gentler || changesRows(later) {
			if !strings.HasPrefix(step, "-- 1. ") {
				step = "-- 1. a migration of its own\n" + step
			}
			steps = append(steps, renumbered(step, n))
			n = lastStep(steps[len(steps)-1])
		}
	}
	if n == 0 {
		steps = steps[:1]
		steps[0] = strings.TrimSuffix(steps[0], ";")
	}
	return strings.Join(steps, "\n")
}

// gentler is the gentler form of a statement, or the statement itself.
func (c postgresFixes) gentler(m, s int) (sql string, gentler bool) {
	st, _ := c.up(m, s)
	f := fixer{change: c.change, st: st, rewrote: c.rewrote(m, s)}
	if parts := f.parts(); len(parts) > 0 {
		return f.join(parts), true
	}
	sql = c.quoteStatement(st)
	if changesRows(st) {
		sql = "-- (in batches of some thousand rows with a COMMIT after each, or its row locks last as long)\n" + sql
	}
	return sql, false
}

// scan moves a statement out of a transaction that holds a lock already.
func (c postgresFixes) scan(m, s int, w gate.LockWindow) string {
	st, ok := c.up(m, s)
	if !ok {
		return ""
	}
	where := fmt.Sprintf("line %d", w.Line)
	if w.File != st.File {
		where = fmt.Sprintf("%s:%d", w.File, w.Line)
	}
	sql, _ := c.gentler(m, s)
	return fmt.Sprintf("-- a migration of its own, run when the lock taken at %s is gone%s\n%s", where, c.oneTransaction(), sql)
}

func changesRows(st migration.Statement) bool {
	return slices.ContainsFunc(st.Facts.Actions, func(a migration.Action) bool {
		return a.Within == "" && slices.Contains([]migration.Verb{migration.Update, migration.Delete, migration.Upsert}, a.Verb)
	})
}

func (c postgresFixes) oneTransaction() string {
	return c.tool().oneTransaction
}

// quoteStatement repeats a statement as it stands, unless it is too long to.
func (c *change) quoteStatement(st migration.Statement) string {
	const most = 2000
	if len(st.SQL) > most || st.Facts.CopyFromStdin {
		return fmt.Sprintf("-- the statement on line %d", st.Line)
	}
	if strings.Contains(strings.TrimRight(st.SQL, ";"), ";") {
		return c.tool().block(st.SQL + ";")
	}
	return st.SQL + ";"
}

// statement is the gentler form of one statement: of each of its actions
// that has one.
func (c postgresFixes) statement(m, s int) string {
	st, ok := c.up(m, s)
	if !ok {
		return ""
	}
	f := fixer{change: c.change, st: st, rewrote: c.rewrote(m, s)}
	if parts := f.parts(); len(parts) > 0 {
		return f.join(parts)
	}
	return f.lastResort()
}

// parts are the gentler forms of the statement's actions.
func (f fixer) parts() []string {
	var parts []string
	for _, a := range f.st.Facts.Actions {
		if a.Deferred() || strings.Contains(a.Name+a.Part, "?") {
			continue
		}
		if part := f.action(a); part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

// join makes one text of them, numbered throughout, with a word on the rest.
func (f fixer) join(parts []string) string {
	n := 0
	for i, part := range parts {
		if n > 0 {
			parts[i] = renumbered(part, n)
		}
		n = max(n, lastStep(parts[i]))
	}
	text := strings.Join(parts, "\n")
	switch n := f.harmless(); {
	case slices.ContainsFunc(f.st.Facts.Actions, func(a migration.Action) bool { return a.Within != "" }):
		text = "-- outside of the block or routine, so that each has a transaction of its own:\n" + text
	case n == 1:
		text += "\n-- the other part of this statement can stay as it is, in a statement without these"
	case n > 1:
		text += fmt.Sprintf("\n-- the other %d parts of this statement can stay as they are, in a statement without these", n)
	}
	return text
}

// rewrote: the statement wrote a table anew; where nothing was measured, it may.
func (c *change) rewrote(m, s int) bool {
	apply := c.Migrations[m].Apply
	if apply == nil || s >= len(apply.Statements) {
		return true
	}
	for _, r := range apply.Statements[s].Rewrites {
		if r.Part == "heap" {
			return true
		}
	}
	return false
}

// fixer builds the gentler form of one statement.
type fixer struct {
	*change
	st      migration.Statement
	rewrote bool
}

// action is the gentler form of one action, "" where it has none or needs none.
func (f fixer) action(a migration.Action) string {
	table := migration.QuoteName(a.Schema, a.Name)
	on, bare := a.Schema, a.Name
	if a.On != "" {
		on, bare = splitName(a.On)
	}
	if a.Constraint != "foreign key" && a.Verb != migration.Attach && (f.makes(on, bare) || creates(f.st, on, bare)) {
		return ""
	}
	switch a.Verb {
	case migration.Create:
		switch {
		case a.Object == "index" && !a.Concurrently:
			return f.createIndex(a)
		case a.Object == "table":
			return ""
		}
	case migration.Add:
		switch a.Object {
		case "column":
			return f.addColumn(a)
		case "constraint":
			return f.addConstraint(a)
		case "domain constraint":
			return f.addDomainConstraint(a)
		}
	case migration.SetNotNull:
		if a.Object == "column" {
			return f.setNotNull(a.Schema, a.Name, a.Part)
		}
	case migration.SetType:
		return f.setType(a)
	case migration.Drop:
		if a.Object == "index" && !a.Concurrently && !a.Cascade {
			return f.alone("waits for transactions on the table instead of blocking it") +
				"DROP INDEX CONCURRENTLY " + ifExists(a.IfExists) + table + ";"
		}
	case migration.Reindex:
		if !a.Concurrently && (a.Object == "index" || a.Object == "table") {
			return f.alone("builds the new index beside the old one") +
				"REINDEX " + strings.ToUpper(a.Object) + " CONCURRENTLY " + table + ";"
		}
	case migration.Refresh:
		if !a.Concurrently {
			return "-- needs a unique index without WHERE on plain columns of " + table + "; readers go on reading the old rows\n" +
				"REFRESH MATERIALIZED VIEW CONCURRENTLY " + table + ";"
		}
	case migration.Attach:
		return f.attach(a)
	case migration.Detach:
		if !a.Concurrently && a.Object == "partition" {
			return f.alone("takes the strong lock for its last moment only (not where there is a default partition)") +
				"ALTER TABLE " + table + " DETACH PARTITION " + quoteQualified(a.Part) + " CONCURRENTLY;"
		}
	case migration.Rewrite:
		return "-- pg_repack writes a table anew while it is read and written:\n--   pg_repack --table " + dotted(a.Schema, a.Name) +
			"\n-- or plain VACUUM, which gives the space back to the table itself:\n" + f.alone("VACUUM refuses a transaction block") + "VACUUM " + table + ";"
	case migration.Alter:
		if f.rewrote && a.Object == "table" {
			return "-- " + oneLine(a.Definition) + " copies the table under ACCESS EXCLUSIVE and has no gentler form:\n" +
				"-- make a new table as wanted, copy in batches with a trigger keeping up, and swap the names"
		}
	}
	return ""
}

// harmless counts the actions of a statement of several that need no change.
func (f fixer) harmless() int {
	n := 0
	for _, a := range f.st.Facts.Actions {
		if a.Within == "" && f.action(a) == "" && !(a.Verb == migration.Create && a.Object == "table") {
			n++
		}
	}
	return n
}

func (f fixer) lastResort() string {
	if changesRows(f.st) {
		return "-- change the rows in batches, in a migration of their own, with a COMMIT after each batch"
	}
	return "-- this statement has no gentler form: leave it alone in its migration, run it when the table is idle,\n" +
		"-- and let it give up its place in the queue quickly\n" +
		"SET LOCAL lock_timeout = '2s';\n" + f.quoteStatement(f.st)
}

// alone comments on a statement that must not share a transaction.
func (f fixer) alone(why string) string { return f.tool().aloneIn(why) }

// step is alone with a number.
func (f fixer) step(n int, why string) string {
	return f.tool().aloneStep("-- "+strconv.Itoa(n)+". ", why)
}

func ifExists(yes bool) string {
	if yes {
		return "IF EXISTS "
	}
	return ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func quote(name string) string { return migration.QuoteIdent(name) }

// quoteQualified quotes "schema.name" or "name".
func quoteQualified(s string) string {
	schema, name, ok := strings.Cut(s, ".")
	if !ok {
		return quote(s)
	}
	return migration.QuoteName(schema, name)
}

// named joins words to a name that PostgreSQL keeps whole (63 bytes).
func named(words ...string) string {
	return clip(strings.Join(words, "_"))
}

func clip(name string) string {
	const most = 63
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "")
}
