package rule

import (
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// putAside is a rename to the deprecation prefix in the place of a DROP. What
// the change named itself, and a DROP would have taken along, has to give its
// name free too, or the up script fails on it the next time.
func (postgresFixes) putAside(d *down, a migration.Action) string {
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
	aside := d.aside(old)
	name := migration.QuoteName(a.Schema, a.Name)
	sql := ""
	switch a.Object {
	case "column":
		sql = d.freeNames(a) + "ALTER TABLE " + name + " RENAME COLUMN " + quote(a.Part) + " TO " + aside + ";"
		if t := d.made.column(a); t != nil && t.demanded() {
			sql += "\nALTER TABLE " + name + " ALTER COLUMN " + aside + " DROP NOT NULL; -- the old path does not fill it"
		}
	case "attribute":
		sql = "ALTER TYPE " + name + " RENAME ATTRIBUTE " + quote(a.Part) + " TO " + aside + ";"
	case "table", "sequence", "materialized view", "schema", "type", "domain":
		sql = d.freeNames(a) + "ALTER " + strings.ToUpper(a.Object) + " " + name + " RENAME TO " + aside + ";"
	default:
		return "leave it where it is: reversal disables the new path, and destroys nothing"
	}
	return sql + "\n-- a later forward migration drops it, once nothing needs it any more"
}

func (d *down) aside(name string) string { return quote(clip(d.policy.DeprecationPrefix + name)) }

// freeNames frees the names that hang on a table or column put aside: indexes
// and constraints of the change go along with a table, and go with a column.
// A partition leaves its parent.
func (d *down) freeNames(a migration.Action) string {
	table := migration.QuoteName(a.Schema, a.Name)
	of := func(schema, name string) bool { return name == a.Name && sameSchema(schema, a.Schema) }
	touched := func(o migration.Action) bool { return a.Part == "" || slices.Contains(o.Columns, a.Part) }
	var sql []string
	for _, m := range d.Migrations[:d.migration+1] {
		for _, st := range m.Up.Statements {
			for _, o := range st.Facts.Actions {
				if o.Deferred() || strings.Contains(o.Name+o.Part, "?") {
					continue
				}
				switch {
				case o.Verb == migration.Create && o.Object == "index" && o.Name != "" && of(splitName(o.On)) && touched(o):
					if d.made.find("relation", o.Schema, o.Name, "") == nil {
						continue // the down script has dropped it
					}
					index := migration.QuoteName(o.Schema, o.Name)
					if a.Part != "" {
						sql = append(sql, "DROP INDEX "+index+";")
					} else {
						sql = append(sql, "ALTER INDEX "+index+" RENAME TO "+d.aside(o.Name)+";")
					}
				case o.Verb == migration.Add && o.Object == "constraint" && o.Part != "" && of(o.Schema, o.Name) && touched(o):
					switch {
					case d.takesBack(migration.Drop, o.Part):
					case a.Part != "":
						sql = append(sql, "ALTER TABLE "+table+" DROP CONSTRAINT "+quote(o.Part)+";")
					case slices.Contains([]string{"unique", "primary key", "exclude"}, o.Constraint): // their indexes' names
						sql = append(sql, "ALTER TABLE "+table+" RENAME CONSTRAINT "+quote(o.Part)+" TO "+d.aside(o.Part)+";")
					}
				case o.Verb == migration.Attach && o.Object == "partition" && a.Part == "" && of(splitName(o.Part)) && !d.takesBack(migration.Detach, o.Part):
					sql = append(sql, "ALTER TABLE "+migration.QuoteName(o.Schema, o.Name)+" DETACH PARTITION "+table+";")
				}
			}
		}
	}
	if len(sql) == 0 {
		return ""
	}
	return strings.Join(sql, "\n") + "\n"
}

// takesBack: the down script itself undoes a part by name.
func (d *down) takesBack(verb migration.Verb, part string) bool {
	return slices.ContainsFunc(d.Migrations[d.migration].Down.Statements, func(st migration.Statement) bool {
		return slices.ContainsFunc(st.Facts.Actions, func(o migration.Action) bool { return o.Verb == verb && o.Part == part })
	})
}
