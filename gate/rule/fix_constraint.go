package rule

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// addConstraint: first without a look at the rows, then a look that blocks
// nobody; keys by way of an index built beside the traffic.
func (f fixer) addConstraint(a migration.Action) string {
	if a.Constraint == "foreign key" && f.makes(a.Schema, a.Name) {
		if parent, bare := splitName(a.Refs); f.makes(parent, bare) {
			return ""
		}
		if !f.fills(a.Schema, a.Name) {
			return f.foreignKeyOfNew(a)
		}
	}
	table := migration.QuoteName(a.Schema, a.Name)
	switch a.Constraint {
	case "check", "foreign key", "not null":
		if a.NotValid {
			return ""
		}
		name := a.Part
		if name == "" {
			name = constraintName(a)
		}
		if a.Constraint == "foreign key" && len(f.partitionsOf(a)) > 0 && f.major() < 18 {
			return f.foreignKeyOfPartitions(a, name)
		}
		return "-- 1. reads no row, so the lock is gone at once; new rows are checked from here on\n" +
			"ALTER TABLE " + table + " ADD CONSTRAINT " + quote(name) + " " + a.Definition + " NOT VALID;\n" +
			"-- 2. reads every row, and blocks neither reads nor writes\n" +
			"ALTER TABLE " + table + " VALIDATE CONSTRAINT " + quote(name) + ";"
	case "unique", "primary key":
		if a.UsingIndex != "" {
			return ""
		}
		return f.addKey(a)
	case "exclude":
		return "-- an exclusion constraint can only be built under the lock: make a new table with it, copy in batches\n" +
			"-- with a trigger keeping up, and swap the names"
	}
	return ""
}

// foreignKeyOfPartitions: before PostgreSQL 18 a partitioned table refuses a
// foreign key NOT VALID, but takes over the ones its partitions have.
func (f fixer) foreignKeyOfPartitions(a migration.Action, name string) string {
	var one, two strings.Builder
	for _, p := range f.partitionsOf(a) {
		one.WriteString("ALTER TABLE " + quoteQualified(p) + " ADD CONSTRAINT " + quote(name) + " " + a.Definition + " NOT VALID;\n")
		two.WriteString("ALTER TABLE " + quoteQualified(p) + " VALIDATE CONSTRAINT " + quote(name) + ";\n")
	}
	return "-- 1. on each partition, without a look at the rows (a partitioned table refuses NOT VALID before PostgreSQL 18)\n" + one.String() +
		"-- 2. reads every row, and blocks neither reads nor writes\n" + two.String() +
		"-- 3. finds the partitions' constraints in place\n" +
		"ALTER TABLE " + migration.QuoteName(a.Schema, a.Name) + " ADD CONSTRAINT " + quote(name) + " " + a.Definition + ";"
}

var includes = regexp.MustCompile(`\bINCLUDE \([^)]*\)`)

// addKey builds the index first. A primary key wants its columns NOT NULL,
// and would read the table for that itself.
func (f fixer) addKey(a migration.Action) string {
	table := migration.QuoteName(a.Schema, a.Name)
	name := a.Part
	if name == "" {
		name = constraintName(a)
	}
	words, columns, step := "UNIQUE", quoteAll(a.Columns), 1
	text := ""
	if a.Constraint == "primary key" {
		words = "PRIMARY KEY"
		for _, column := range a.Columns {
			text += renumbered(f.setNotNull(a.Schema, a.Name, column), step-1) + "\n"
			step += 2
		}
	}
	index := "CREATE UNIQUE INDEX CONCURRENTLY " + quote(name) + " ON " + table + " (" + columns + ")"
	if include := includes.FindString(a.Definition); include != "" {
		index += " " + include
	}
	if strings.Contains(a.Definition, "NULLS NOT DISTINCT") {
		index += " NULLS NOT DISTINCT"
	}
	if len(f.partitionsOf(a)) > 0 {
		return text + "-- a key of a partitioned table: build it on each partition (CREATE UNIQUE INDEX CONCURRENTLY, then USING INDEX),\n" +
			"-- then add it to " + table + ", which takes those over:\n" +
			"ALTER TABLE " + table + " ADD CONSTRAINT " + quote(name) + " " + a.Definition + ";"
	}
	deferrable := ""
	for _, d := range []string{"DEFERRABLE INITIALLY DEFERRED", "DEFERRABLE"} {
		if strings.Contains(a.Definition, d) && !strings.Contains(a.Definition, "NOT DEFERRABLE") {
			deferrable = " " + d
			break
		}
	}
	return text + f.step(step, "builds beside the traffic; drop it if it ends invalid") + index + ";\n" +
		"-- " + strconv.Itoa(step+1) + ". takes the index over, which reads no row\n" +
		"ALTER TABLE " + table + " ADD CONSTRAINT " + quote(name) + " " + words + " USING INDEX " + quote(name) + deferrable + ";"
}

// setNotNull by way of a CHECK that is validated beside the traffic: with it
// in place, SET NOT NULL reads no row.
func (f fixer) setNotNull(schema, table, column string) string {
	t, c, name := migration.QuoteName(schema, table), quote(column), quote(named(table, column, "is_set"))
	return "-- 1. reads no row, so the lock is gone at once\n" +
		"ALTER TABLE " + t + " ADD CONSTRAINT " + name + " CHECK (" + c + " IS NOT NULL) NOT VALID;\n" +
		"-- 2. VALIDATE reads every row and blocks nobody; SET NOT NULL then reads none\n" +
		"ALTER TABLE " + t + " VALIDATE CONSTRAINT " + name + ";\n" +
		"ALTER TABLE " + t + " ALTER COLUMN " + c + " SET NOT NULL;\n" +
		"ALTER TABLE " + t + " DROP CONSTRAINT " + name + ";"
}

func (f fixer) addDomainConstraint(a migration.Action) string {
	if a.NotValid {
		return ""
	}
	name := a.Part
	if name == "" {
		name = named(a.Name, "check")
	}
	domain := migration.QuoteName(a.Schema, a.Name)
	return "-- 1. reads no row\n" +
		"ALTER DOMAIN " + domain + " ADD CONSTRAINT " + quote(name) + " " + a.Definition + " NOT VALID;\n" +
		"-- 2. reads every table that uses the domain, and blocks their writes while it does: run it when they are idle\n" +
		"ALTER DOMAIN " + domain + " VALIDATE CONSTRAINT " + quote(name) + ";"
}

// attach: with a CHECK that says no less than the bounds, ATTACH reads no row.
func (f fixer) attach(a migration.Action) string {
	if a.Object != "partition" {
		return ""
	}
	part := quoteQualified(a.Part)
	_, bare := splitName(a.Part)
	check := quote(named(bare, "bounds"))
	if a.Definition == "" { // CREATE TABLE … PARTITION OF
		return "-- CREATE TABLE … PARTITION OF locks the parent against everybody: make " + part + " by itself\n" +
			"-- (CREATE TABLE … (LIKE " + migration.QuoteName(a.Schema, a.Name) + " INCLUDING ALL)), then ATTACH PARTITION, which lets reads and writes pass"
	}
	return "-- 1. a CHECK that says what the bounds say (columns NOT NULL and within them), first NOT VALID, then validated:\n" +
		"--   ALTER TABLE " + part + " ADD CONSTRAINT " + check + " CHECK (…) NOT VALID;\n" +
		"--   ALTER TABLE " + part + " VALIDATE CONSTRAINT " + check + ";\n" +
		"-- 2. then this reads no row of it (a default partition wants a CHECK to the contrary, or is read too)\n" +
		"ALTER TABLE " + migration.QuoteName(a.Schema, a.Name) + " " + a.Definition + ";"
}

// constraintName is the name PostgreSQL would have chosen.
func constraintName(a migration.Action) string {
	suffix := map[string]string{"check": "check", "foreign key": "fkey", "unique": "key", "primary key": "pkey", "not null": "not_null"}[a.Constraint]
	words := []string{a.Name}
	if a.Constraint != "primary key" {
		words = append(words, a.Columns...)
	}
	return named(append(words, suffix)...)
}

func quoteAll(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	return strings.Join(quoted, ", ")
}

// foreignKeyOfNew: an empty table has no row to check, and only the other
// table's lock is worth to be short.
func (f fixer) foreignKeyOfNew(a migration.Action) string {
	name := a.Part
	if name == "" {
		name = constraintName(a)
	}
	return "-- 1. a migration of its own: " + dotted(a.Schema, a.Name) + " is new and holds no row to check, so the lock on " + a.Refs + " is gone at once\n" +
		"ALTER TABLE " + migration.QuoteName(a.Schema, a.Name) + " ADD CONSTRAINT " + quote(name) + " " + a.Definition + ";"
}

// makes reports whether the change makes a table, for which nobody waits then.
func (c *change) makes(schema, name string) bool {
	if _, old := c.resolve(schema, name); old {
		return false
	}
	return c.does(func(st migration.Statement) bool { return creates(st, schema, name) })
}

func creates(st migration.Statement, schema, name string) bool {
	return slices.ContainsFunc(st.Facts.Actions, func(a migration.Action) bool {
		return a.Verb == migration.Create && a.Object == "table" && !a.Deferred() && a.Name == name && sameSchema(a.Schema, schema)
	})
}

// fills reports whether the change may put rows into a table that it makes.
func (c *change) fills(schema, name string) bool {
	return c.does(func(st migration.Statement) bool {
		return st.Facts.Kind != "CREATE TABLE" && creates(st, schema, name) || // … AS, SELECT INTO, in a block
			slices.ContainsFunc(st.Facts.Actions, func(a migration.Action) bool {
				return (a.Verb == migration.Insert || a.Verb == migration.Upsert) && a.Name == name && sameSchema(a.Schema, schema)
			})
	})
}

// does looks for a statement among those of the change's up scripts.
func (c *change) does(is func(migration.Statement) bool) bool {
	return slices.ContainsFunc(c.Migrations, func(m gate.Migration) bool { return slices.ContainsFunc(m.Up.Statements, is) })
}

// resolve finds the baseline's name of a table as a script wrote it.
func (c *change) resolve(schema, name string) (string, bool) {
	if schema == "" {
		schema = "public"
	}
	if _, ok := c.Tables[schema+"."+name]; ok {
		return schema + "." + name, true
	}
	if all := c.bare[name]; len(all) == 1 {
		return all[0], true
	}
	return "", false
}

func (f fixer) partitionsOf(a migration.Action) []string {
	full, ok := f.resolve(a.Schema, a.Name)
	if !ok {
		return nil
	}
	return f.partitions[full]
}

// major version of the server, 0 where it is not known.
func (c *change) major() int { return majorOf(c.Engine) }

func majorOf(e gate.Engine) int {
	digits, _, _ := strings.Cut(e.Version, ".")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
