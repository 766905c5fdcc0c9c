package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// serials are the types that stand for a sequence.
var serials = map[string]string{
	"smallserial": "smallint", "serial2": "smallint", "serial": "integer", "serial4": "integer",
	"bigserial": "bigint", "serial8": "bigint",
}

// addColumn takes apart what ADD COLUMN does at once: the column, its values
// for the rows that are there, and what it demands of them.
func (f fixer) addColumn(a migration.Action) string {
	table, column := migration.QuoteName(a.Schema, a.Name), quote(a.Part)
	if !f.rewrote {
		return f.plainColumn(a, table, column)
	}
	typ, isSerial := serials[strings.ToLower(a.Type)]
	if !isSerial {
		typ = a.Type
	}
	first := "-- 1. no default yet, so no row is written\nALTER TABLE " + table + " ADD COLUMN " + column + " " + typ + ";\n"
	fill := ""
	switch {
	case isSerial || a.Generated == "identity":
		sequence := migration.QuoteName(a.Schema, named(a.Name, a.Part, "seq"))
		first += "CREATE SEQUENCE " + sequence + " AS " + typ + " OWNED BY " + table + "." + column + ";\n" +
			"ALTER TABLE " + table + " ALTER COLUMN " + column + " SET DEFAULT nextval(" + migration.QuoteLiteral(sequence) + ");\n"
		fill = column + " = DEFAULT"
	case a.Generated == "stored":
		expr := generation(a.Definition)
		if expr == "" {
			return ""
		}
		first += f.keepFilled(a, a.Part, expr)
		fill = column + " = " + expr
		if f.major() >= 18 {
			first = "-- (a VIRTUAL generated column is computed on reading, and needs none of this)\n" + first
		}
	case a.Default != "":
		first += "ALTER TABLE " + table + " ALTER COLUMN " + column + " SET DEFAULT " + a.Default + ";\n"
		fill = column + " = DEFAULT"
	default:
		return ""
	}
	text := first + "-- 2. the rows that are there, in batches\n" + f.backfill(a, fill, column+" IS NULL")
	if a.NotNull || isSerial || a.Generated == "identity" {
		text += "\n" + renumbered(f.setNotNull(a.Schema, a.Name, a.Part), 2)
	}
	return text
}

// plainColumn: what took long is a constraint that came with the column, and
// has an action of its own; the column by itself comes first.
func (f fixer) plainColumn(a migration.Action, table, column string) string {
	constrained := slices.ContainsFunc(f.st.Facts.Actions, func(o migration.Action) bool {
		return o.Object == "constraint" && o.Schema == a.Schema && o.Name == a.Name && len(o.Columns) == 1 && o.Columns[0] == a.Part
	})
	if !constrained {
		return ""
	}
	sql := "-- first the column by itself\nALTER TABLE " + table + " ADD COLUMN " + column + " " + a.Type
	if a.Default != "" {
		sql += " DEFAULT " + a.Default
	}
	if a.NotNull {
		sql += " NOT NULL"
	}
	return sql + ";"
}

// setType: a new column beside the old one, kept equal by a trigger, filled in
// batches, and swapped for it in a moment.
func (f fixer) setType(a migration.Action) string {
	table, old := migration.QuoteName(a.Schema, a.Name), quote(a.Part)
	next := named(a.Part, "new")
	aside := clip(f.policy.DeprecationPrefix + a.Part)
	value := a.Using
	if value == "" {
		value = old
	}
	trigger, function := quote(named(a.Name, next)), migration.QuoteName(a.Schema, named(a.Name, next))
	return "-- 1. a new column beside the old one; a trigger fills it from here on\n" +
		"ALTER TABLE " + table + " ADD COLUMN " + quote(next) + " " + a.Type + ";\n" +
		f.keepFilled(a, next, value) +
		"-- 2. the rows that are there, in batches\n" +
		f.backfill(a, quote(next)+" = "+value, quote(next)+" IS NULL AND "+old+" IS NOT NULL") + "\n" +
		"-- 3. give " + next + " what " + a.Part + " has (default, NOT NULL, indexes built CONCURRENTLY, constraints), then swap them in a moment\n" +
		"ALTER TABLE " + table + " RENAME COLUMN " + old + " TO " + quote(aside) + ";\n" +
		"ALTER TABLE " + table + " RENAME COLUMN " + quote(next) + " TO " + old + ";\n" +
		"ALTER TABLE " + table + " ALTER COLUMN " + quote(aside) + " DROP NOT NULL;\n" +
		"DROP TRIGGER " + trigger + " ON " + table + ";\n" +
		"DROP FUNCTION " + function + "();"
}

// keepFilled is a trigger that computes a column from the others of its row.
// The row stands in for the table, so that the expression reads as written.
func (f fixer) keepFilled(a migration.Action, column, expr string) string {
	table := migration.QuoteName(a.Schema, a.Name)
	name := named(a.Name, column)
	function := migration.QuoteName(a.Schema, name)
	body := fmt.Sprintf("CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"+
		"  SELECT %s INTO NEW.%s FROM (SELECT NEW.*) AS %s;\n  RETURN NEW;\nEND $$;", function, expr, quote(column), quote(a.Name))
	return f.tool().block(body) + "\n" +
		"CREATE TRIGGER " + quote(name) + " BEFORE INSERT OR UPDATE ON " + table +
		" FOR EACH ROW EXECUTE FUNCTION " + function + "();\n"
}

// backfill walks the table by its pages, which needs no key and reads each
// page once, and commits after each batch, so that row locks and dead rows
// stay few.
func (f fixer) backfill(a migration.Action, set, where string) string {
	table := migration.QuoteName(a.Schema, a.Name)
	bytes := "pg_relation_size(" + migration.QuoteLiteral(table) + ")"
	if len(f.partitionsOf(a)) > 0 {
		bytes = "(SELECT max(pg_relation_size(relid)) FROM pg_partition_tree(" + migration.QuoteLiteral(table) + "))"
	}
	body := "DO $$\nDECLARE\n" +
		"  backfill_pages int := " + bytes + " / current_setting('block_size')::int;\n" +
		"  backfill_from tid;\n  backfill_to tid;\n" +
		"BEGIN\n  FOR backfill_page IN 0..backfill_pages BY 500 LOOP\n" +
		"    backfill_from := format('(%s,0)', backfill_page);\n" +
		"    backfill_to := format('(%s,0)', backfill_page + 500);\n" +
		"    UPDATE " + table + " SET " + set + "\n" +
		"    WHERE ctid >= backfill_from AND ctid < backfill_to AND " + where + ";\n" +
		"    COMMIT;\n  END LOOP;\nEND $$;"
	return f.alone("a DO block that commits refuses one") + f.tool().block(body)
}

// generation is the expression of a stored generated column.
func generation(definition string) string {
	_, rest, ok := strings.Cut(definition, "GENERATED ALWAYS AS (")
	if !ok {
		return ""
	}
	end := strings.LastIndex(rest, ") STORED")
	if end < 0 {
		return ""
	}
	return rest[:end]
}
