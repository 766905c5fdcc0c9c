package rule

import (
	"regexp"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// What the field does where the server has no gentle way of its own.

// fieldsWay takes a statement's slow parts one by one: each has a way of its
// own, or the whole goes through a tool that copies beside the traffic.
func (f mysqlFixes) fieldsWay(m, s int, st migration.Statement, d *gate.OnlineDDL) string {
	if !takesClause(st) && !strings.HasPrefix(st.Facts.Kind, "OPTIMIZE") {
		return ""
	}
	if d != nil && d.Algorithm != "COPY" && d.Algorithm != "" && !d.Rebuild && d.Lock != "SHARED" && d.Lock != "EXCLUSIVE" {
		return "" // nothing slow happened
	}
	var parts []string
	slow, quick := 0, 0
	for _, a := range st.Facts.Actions {
		if a.Deferred() || strings.Contains(a.Name+a.Part, "?") {
			continue
		}
		part, isSlow := f.way(st, a)
		if !isSlow {
			quick++
			continue
		}
		slow++
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	inPlace := d != nil && d.Rebuild && d.Algorithm == "INPLACE" && d.Lock == "NONE"
	if inPlace {
		return "-- reads and writes pass: say so, and the statement fails rather than copy; run it when few write\n" +
			f.spelledOut(st, *d) + f.withTool(m, s, st, d)
	}
	if slow == 0 && d == nil {
		return ""
	}
	n := 0
	for i, part := range parts {
		if n > 0 {
			parts[i] = renumbered(part, n)
		}
		n = max(n, lastStep(parts[i]))
	}
	text := strings.Join(parts, "\n")
	if len(parts) > 0 && quick > 0 {
		text += "\n-- the other " + verb(make([]int, quick), "part", "parts") + " of this statement can go by " +
			"ALGORITHM=INSTANT, or INPLACE, in a statement without these"
	}
	return strings.TrimPrefix(text+f.withTool(m, s, st, d), "\n")
}

// way is the way of one action; slow is false where the server changes it
// online anyhow.
func (f mysqlFixes) way(st migration.Statement, a migration.Action) (sql string, slow bool) {
	definition := strings.ToUpper(oneLine(a.Definition))
	switch {
	case a.Verb == migration.SetType:
		return f.setType(a, nameBefore(st, a)), true
	case a.Verb == migration.Add && a.Object == "column" && a.Generated == "stored":
		return f.virtual(a), true
	case a.Verb == migration.Add && a.Object == "column" && a.Generated == "auto_increment":
		return "", true
	case a.Verb == migration.Add && a.Constraint == "foreign key":
		return f.foreignKey(a), true
	case a.Verb == migration.Add && a.Constraint == "check":
		return "-- a CHECK is proven by copying the table, there is no gentler form: keep the rule in the application,\n" +
			"-- or in triggers that SIGNAL, until the copy can be had from a tool", true
	case a.Constraint == "primary key":
		return f.primaryKey(st, a), true
	case strings.Contains(definition, "CONVERT TO"):
		return f.convert(a), true
	case a.Object == "index" && (strings.Contains(definition, "FULLTEXT") || strings.Contains(definition, "SPATIAL")):
		return "-- writers wait until a FULLTEXT or SPATIAL index is built: make a new table with it, or let a tool do so", true
	case a.Object == "partition", a.Verb == migration.Rewrite, a.Verb == migration.Alter && a.Object == "table" && rebuilding.MatchString(definition):
		return "", true
	}
	return "", false
}

// rebuilding: options of a table that have its rows written anew.
var rebuilding = regexp.MustCompile(`^(ENGINE|FORCE|ROW_FORMAT|KEY_BLOCK_SIZE|ENCRYPTION|COMPRESSION|PAGE_COMPRESSED|ORDER BY|PARTITION BY|REMOVE PARTITIONING|ADD SYSTEM|DROP SYSTEM)`)

// nameBefore is a column's name before a CHANGE that also renames it.
func nameBefore(st migration.Statement, a migration.Action) string {
	for _, o := range st.Facts.Actions {
		if o.Verb == migration.Rename && o.Object == "column" && o.NewName == a.Part && o.Name == a.Name {
			return o.Part
		}
	}
	return a.Part
}

// setType: a new column beside the old one, kept equal by two triggers, filled
// in batches, and swapped for it in a moment.
func (f mysqlFixes) setType(a migration.Action, before string) string {
	table, old, column := f.qname(a.Schema, a.Name), f.ident(before), a.Part
	next := f.ident(clipTo(column, "_new"))
	aside := f.ident(clipTo(f.policy.DeprecationPrefix+before, ""))
	typ := a.Type
	if typ == "" {
		typ = "…"
	}
	insert, update := f.ident(clipTo(a.Name+"_"+column, "_ins")), f.ident(clipTo(a.Name+"_"+column, "_upd"))
	if a.Schema != "" {
		insert, update = f.ident(a.Schema)+"."+insert, f.ident(a.Schema)+"."+update
	}
	return "-- 1. a new column beside the old one, NULL at first; two triggers fill it from here on\n" +
		"-- (with binary logging, triggers want log_bin_trust_function_creators=1 on the server)\n" +
		"ALTER TABLE " + table + " ADD COLUMN " + next + " " + typ + " NULL, ALGORITHM=INSTANT;\n" +
		"CREATE TRIGGER " + insert + " BEFORE INSERT ON " + table + " FOR EACH ROW SET NEW." + next + " = NEW." + old + ";\n" +
		"CREATE TRIGGER " + update + " BEFORE UPDATE ON " + table + " FOR EACH ROW SET NEW." + next + " = NEW." + old + ";\n" +
		f.backfill(a, column, next+" = "+old, next+" IS NULL AND "+old+" IS NOT NULL") +
		"-- 3. give " + clipTo(column, "_new") + " what " + before + " has (NOT NULL, default, indexes), then swap them in a moment\n" +
		"DROP TRIGGER " + insert + ";\nDROP TRIGGER " + update + ";\n" +
		"ALTER TABLE " + table + " RENAME COLUMN " + old + " TO " + aside + ", RENAME COLUMN " + next + " TO " + f.ident(column) +
		", ALGORITHM=INPLACE, LOCK=NONE;"
}

// backfill is a routine that walks the table in batches, each a transaction of
// its own: by id where the table has one, which reads each row once, else by
// what is still to do.
func (f mysqlFixes) backfill(a migration.Action, column, set, where string) string {
	table, routine := f.qname(a.Schema, a.Name), f.qname(a.Schema, clipTo(a.Name+"_"+column, "_fill"))
	head := "-- 2. the rows that are there, in batches"
	body := "  REPEAT\n    UPDATE " + table + " SET " + set + " WHERE " + where + " LIMIT 5000;\n  UNTIL ROW_COUNT() = 0 END REPEAT;\n"
	if columns, known := columnsOf(f.BaselineColumns, a.Schema, a.Name); !known || slices.Contains(columns, "id") {
		body = "  SET @backfill_from = (SELECT MIN(id) FROM " + table + ");\n" +
			"  WHILE @backfill_from IS NOT NULL DO\n" +
			"    SET @backfill_to = (SELECT id FROM " + table + " WHERE id > @backfill_from ORDER BY id LIMIT 4999, 1);\n" +
			"    IF @backfill_to IS NULL THEN\n" +
			"      UPDATE " + table + " SET " + set + " WHERE id >= @backfill_from AND " + where + ";\n" +
			"    ELSE\n" +
			"      UPDATE " + table + " SET " + set + " WHERE id >= @backfill_from AND id < @backfill_to AND " + where + ";\n" +
			"    END IF;\n    SET @backfill_from = @backfill_to;\n  END WHILE;\n"
	} else {
		head += " (quicker by its primary key, range by range)"
	}
	create := f.tool().block("CREATE PROCEDURE " + routine + "()\nBEGIN\n" + body + "END;")
	if mark := f.tool().mark; mark != "" {
		head += ", in a file of its own\n" + mark
	}
	return head + "\n" + create + "\nCALL " + routine + "();\nDROP PROCEDURE " + routine + ";\n"
}

var storedWord = regexp.MustCompile(`(?i)\b(STORED|PERSISTENT)\b`)

// virtual: a generated column that is computed on reading takes no rows to be
// written, and can be indexed all the same.
func (f mysqlFixes) virtual(a migration.Action) string {
	if !storedWord.MatchString(a.Definition) || strings.ContainsAny(a.Definition, `'"`) {
		return ""
	}
	return "-- computed on reading, and indexed where that is needed (INPLACE)\n" +
		"ALTER TABLE " + f.qname(a.Schema, a.Name) + " ADD COLUMN " + storedWord.ReplaceAllString(a.Definition, "VIRTUAL") + ", ALGORITHM=INSTANT;"
}

var referenced = regexp.MustCompile("(?i)REFERENCES\\s+(?:`[^`]+`|[\\w$.]+)(?:\\.`[^`]+`)?\\s*\\(\\s*([^()]+?)\\s*\\)")

// foreignKey: without the look at the rows the key is there in a moment, so
// the look comes first, and again afterwards.
func (f mysqlFixes) foreignKey(a migration.Action) string {
	table := f.qname(a.Schema, a.Name)
	add := "ALTER TABLE " + table + " ADD "
	if a.Part != "" {
		add += "CONSTRAINT " + f.ident(a.Part) + " "
	}
	text := ""
	if m := referenced.FindStringSubmatch(a.Definition); m != nil && len(a.Columns) == 1 && !strings.Contains(m[1], ",") {
		child, parent := "c."+f.ident(a.Columns[0]), "p."+f.ident(strings.Trim(m[1], "`"))
		text = "-- 1. rows without their parent; there must be none, neither now nor after step 2\n" +
			"SELECT c.* FROM " + table + " c LEFT JOIN " + f.qname(splitName(a.Refs)) + " p ON " + parent + " = " + child +
			"\nWHERE " + child + " IS NOT NULL AND " + parent + " IS NULL LIMIT 10;\n"
	} else {
		text = "-- 1. look for rows without their parent; there must be none, neither now nor after step 2\n"
	}
	return text + "-- 2. without a look at the rows: a moment's lock on both tables; new rows are checked from here on\n" +
		"SET SESSION foreign_key_checks = 0;\n" + add + a.Definition + ", ALGORITHM=INPLACE, LOCK=NONE;\nSET SESSION foreign_key_checks = 1;"
}

// primaryKey: dropped alone it is a copy; dropped and added in one statement
// it is a rebuild in place.
func (f mysqlFixes) primaryKey(st migration.Statement, a migration.Action) string {
	both := slices.ContainsFunc(st.Facts.Actions, func(o migration.Action) bool { return o.Verb == migration.Add && o.Constraint == "primary key" })
	if a.Verb == migration.Drop && !both {
		return "-- dropping a primary key alone copies the table; together with the new one it is a rebuild that lets writes pass:\n" +
			"--   ALTER TABLE " + f.qname(a.Schema, a.Name) + " DROP PRIMARY KEY, ADD PRIMARY KEY (…), ALGORITHM=INPLACE, LOCK=NONE"
	}
	return ""
}

// convert: the default for new columns is metadata; the old columns go one by
// one, or the whole table through a tool.
func (f mysqlFixes) convert(a migration.Action) string {
	m := convertTo.FindStringSubmatch(a.Definition)
	if m == nil {
		return ""
	}
	charset, collate := m[1], ""
	if m[2] != "" {
		collate = " COLLATE " + m[2]
	}
	return "-- the default for new columns is changed in a moment\n" +
		"ALTER TABLE " + f.qname(a.Schema, a.Name) + " DEFAULT CHARACTER SET " + charset + collate + ", ALGORITHM=INPLACE, LOCK=NONE;\n" +
		"-- the columns that are there have to be written anew: let a tool copy the table"
}

var convertTo = regexp.MustCompile(`(?i)CONVERT TO (?:CHARACTER SET|CHARSET)\s+'?(\w+)'?(?:\s+COLLATE\s+'?(\w+)'?)?`)

// withTool names the tools that copy a table beside its traffic, with the
// statement's own clauses.
func (f mysqlFixes) withTool(m, s int, st migration.Statement, d *gate.OnlineDDL) string {
	a := firstTable(st)
	schema, table := a.Schema, a.Name
	if a.On != "" {
		schema, table = splitName(a.On)
	}
	if d != nil && d.Table != "" {
		schema, table = splitName(d.Table)
	}
	if table == "" {
		return ""
	}
	if schema == "" {
		schema = "DATABASE"
	}
	clauses := clausesOf(st)
	if clauses == "" {
		return "\n-- or let a tool copy the table beside its traffic, outside of the migration: gh-ost, pt-online-schema-change"
	}
	text := "\n-- or let a tool copy the table beside its traffic, outside of the migration:\n" +
		"--   gh-ost --database=" + shellQuote(schema) + " --table=" + shellQuote(table) + " --alter=" + shellQuote(clauses) + " --execute\n" +
		"--   pt-online-schema-change --alter=" + shellQuote(clauses) + " " + shellQuote("D="+schema+",t="+table) + " --execute"
	if f.hasRelatives(m, s, schema+"."+table) {
		text += "\n-- (foreign keys point from or to it: gh-ost refuses such a table, pt-online-schema-change wants --alter-foreign-keys-method)"
	}
	return text
}

// hasRelatives: foreign keys point from or to a table, or the statement locked
// others along with it, which is the same.
func (f mysqlFixes) hasRelatives(m, s int, table string) bool {
	if len(f.Tables[table].References) > 0 || slices.ContainsFunc(f.locksOf[[2]int{m, s}], func(w gate.LockWindow) bool {
		return w.Table != table && w.Existing && w.Kind == "table"
	}) {
		return true
	}
	for _, t := range f.Tables {
		if slices.Contains(t.References, table) {
			return true
		}
	}
	return false
}

var alterHead = regexp.MustCompile("(?is)^ALTER\\s+(?:ONLINE\\s+|IGNORE\\s+)*TABLE\\s+(?:IF\\s+EXISTS\\s+)?(?:`[^`]+`|[\\w$]+)(?:\\s*\\.\\s*(?:`[^`]+`|[\\w$]+))?\\s+(.+)$")

// clausesOf is what an ALTER TABLE says after the table's name, on one line;
// "" where a comment or its length makes that unsafe to repeat.
func clausesOf(st migration.Statement) string {
	m := alterHead.FindStringSubmatch(st.SQL)
	if m == nil || len(m[1]) > 500 || strings.Contains(m[1], "--") || strings.ContainsAny(m[1], "#\x00") || strings.Contains(m[1], "/*") {
		if strings.HasPrefix(st.Facts.Kind, "OPTIMIZE") {
			return "FORCE"
		}
		return ""
	}
	text := onlineClause.ReplaceAllString(m[1], "")
	return lineBreak.ReplaceAllString(strings.TrimSpace(text), " ")
}

var (
	lineBreak    = regexp.MustCompile(`\s*\n\s*`)
	onlineClause = regexp.MustCompile(`(?i)\s*,\s*(ALGORITHM|LOCK)\s*=?\s*\w+`)
)

// clipTo keeps a name with its ending within MySQL's 64 characters.
func clipTo(name, ending string) string {
	const most = 64
	r := []rune(name)
	if room := most - len([]rune(ending)); len(r) > room {
		r = r[:room]
	}
	return string(r) + ending
}
