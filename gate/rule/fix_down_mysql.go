package rule

import (
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// putAside is a rename to the deprecation prefix in the place of a DROP. On
// MySQL an index keeps its name when its column takes another, so what the
// change indexed on it goes first, or the up script fails the next time.
func (f mysqlFixes) putAside(d *down, a migration.Action) string {
	if strings.Contains(a.Name+a.Part, "?") {
		return "put it aside under " + d.policy.DeprecationPrefix + "… instead, or leave it where it is"
	}
	old := a.Name
	if a.Part != "" {
		old = a.Part
	}
	if strings.HasPrefix(old, d.policy.DeprecationPrefix) {
		return "leave it where it is: it is put aside already, and a later forward migration drops it"
	}
	aside := clipTo(d.policy.DeprecationPrefix+old, "")
	name := f.qname(a.Schema, a.Name)
	sql := ""
	switch a.Object {
	case "column":
		sql = d.freeIndexes(f, a) + "ALTER TABLE " + name + " RENAME COLUMN " + f.ident(a.Part) + " TO " + f.ident(aside) + ", ALGORITHM=INPLACE, LOCK=NONE;"
		if t := d.made.column(a); t != nil && t.demanded() {
			sql += "\n" + f.fill(name, aside, t.typ) + " -- the old path does not fill it"
		}
	case "table", "sequence":
		sql = d.freeKeys(f, a) + "RENAME TABLE " + name + " TO " + f.qname(a.Schema, aside) + ";"
	case "partition":
		table := clipTo(d.policy.DeprecationPrefix+a.Name+"_"+a.Part, "")
		aside := f.qname(a.Schema, table)
		return "CREATE TABLE " + aside + " LIKE " + name + ";\nALTER TABLE " + aside + " REMOVE PARTITIONING;\n" +
			"ALTER TABLE " + name + " EXCHANGE PARTITION " + f.ident(a.Part) + " WITH TABLE " + aside + ";\n" +
			"-- the partition stays, empty; a later forward migration drops both"
	case "schema", "database":
		return "leave it where it is: a schema has no other name to be put aside under, and nothing that no longer uses it is harmed"
	default:
		return "leave it where it is: reversal disables the new path, and destroys nothing"
	}
	return sql + "\n-- a later forward migration drops it, once nothing needs it any more"
}

// fill gives a demanded column a default, which touches no row; where a type
// takes none by its text, the column takes NULL.
func (f mysqlFixes) fill(table, column, typ string) string {
	t := parseMyType(typ)
	value := map[myFamily]string{
		myInteger: "0", myDecimal: "0", myFloat: "0", myText: "''", myBinary: "''", myYear: "1970",
		myDate: "'1970-01-01'", myDatetime: "'1970-01-02 00:00:00'", myTime: "'00:00:00'", myBit: "0", mySet: "''",
	}[t.family]
	if t.family == myEnum && len(t.members) > 0 {
		value = f.dialect().QuoteLiteral(t.members[0])
	}
	if _, large := myBytes[t.name]; large || t.family == myJSON {
		value = map[bool]string{true: "(JSON_OBJECT())", false: "(CONCAT(''))"}[t.family == myJSON] // literals are refused
	}
	if value == "" {
		return "ALTER TABLE " + table + " MODIFY COLUMN " + f.ident(column) + " " + typ + " NULL, ALGORITHM=INPLACE, LOCK=NONE;"
	}
	return "ALTER TABLE " + table + " ALTER COLUMN " + f.ident(column) + " SET DEFAULT " + value + ";"
}

// freeIndexes drops the indexes that the change made on a column, unless the
// down script has dropped them.
func (d *down) freeIndexes(f mysqlFixes, a migration.Action) string {
	sql := ""
	for _, o := range d.ups() {
		table, index, ok := indexOf(o)
		if !ok || index == "" || !slices.ContainsFunc(o.Columns, func(c string) bool { return strings.EqualFold(c, a.Part) }) || !d.sameTable(table, a) ||
			d.takesBack(migration.Drop, index) || d.dropsIndex(index) {
			continue
		}
		sql += "DROP INDEX " + f.ident(index) + " ON " + f.qname(a.Schema, a.Name) + ";\n"
	}
	return sql
}

// freeKeys drops the foreign keys and checks that the change named on a table:
// their names are unique in the schema, and would go along.
func (d *down) freeKeys(f mysqlFixes, a migration.Action) string {
	sql := ""
	for _, o := range d.ups() {
		if o.Verb != migration.Add || o.Object != "constraint" || o.Part == "" || !d.sameTable(dotted(o.Schema, o.Name), a) || d.takesBack(migration.Drop, o.Part) {
			continue
		}
		switch {
		case o.Constraint == "foreign key":
			sql += "ALTER TABLE " + f.qname(a.Schema, a.Name) + " DROP FOREIGN KEY " + f.ident(o.Part) + ";\n"
		case o.Constraint == "check":
			sql += "ALTER TABLE " + f.qname(a.Schema, a.Name) + " DROP CONSTRAINT " + f.ident(o.Part) + ";\n"
		}
	}
	return sql
}

// ups are the actions of the up scripts so far.
func (d *down) ups() []migration.Action {
	var all []migration.Action
	for _, m := range d.Migrations[:d.migration+1] {
		for _, st := range m.Up.Statements {
			for _, a := range st.Facts.Actions {
				if !a.Deferred() && !strings.Contains(a.Name+a.Part, "?") {
					all = append(all, a)
				}
			}
		}
	}
	return all
}

func (d *down) sameTable(table string, a migration.Action) bool {
	schema, name := splitName(table)
	return name == a.Name && sameSchema(schema, a.Schema)
}

// dropsIndex: the down script drops an index of that name.
func (d *down) dropsIndex(index string) bool {
	for _, st := range d.Migrations[d.migration].Down.Statements {
		for _, a := range st.Facts.Actions {
			if _, name, ok := indexOf(a); ok && a.Verb == migration.Drop && name == index {
				return true
			}
		}
	}
	return false
}

// indexOf names the table and the index that an action makes or drops, by
// whichever statement: CREATE INDEX, ALTER TABLE … ADD INDEX or ADD UNIQUE.
func indexOf(a migration.Action) (table, index string, ok bool) {
	switch {
	case a.Object == "index" && a.On != "":
		return a.On, a.Name, true
	case a.Object == "index":
		return dotted(a.Schema, a.Name), a.Part, true
	case a.Object == "constraint" && a.Constraint == "unique":
		return dotted(a.Schema, a.Name), a.Part, true
	}
	return "", "", false
}
