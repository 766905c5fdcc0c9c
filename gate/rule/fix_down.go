package rule

import (
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// putAside is a rename to the deprecation prefix in the place of a DROP.
func (d *down) putAside(a migration.Action) string {
	if strings.Contains(a.Name+a.Part, "?") {
		return "put it aside under " + d.policy.DeprecationPrefix + "… instead, or leave it where it is"
	}
	prefix := d.policy.DeprecationPrefix
	old := a.Name
	if a.Part != "" {
		old = a.Part
	}
	if strings.HasPrefix(old, prefix) {
		return "leave it where it is: it is put aside already, and a later forward migration drops it"
	}
	aside := quote(clip(prefix + old))
	name := migration.QuoteName(a.Schema, a.Name)
	sql := ""
	switch a.Object {
	case "column":
		sql = "ALTER TABLE " + name + " RENAME COLUMN " + quote(a.Part) + " TO " + aside + ";"
		if t := d.made.column(a); t != nil && t.demanded() {
			sql += "\nALTER TABLE " + name + " ALTER COLUMN " + aside + " DROP NOT NULL; -- the old path does not fill it"
		}
	case "attribute":
		sql = "ALTER TYPE " + name + " RENAME ATTRIBUTE " + quote(a.Part) + " TO " + aside + ";"
	case "table", "sequence", "materialized view", "schema", "type", "domain":
		sql = "ALTER " + strings.ToUpper(a.Object) + " " + name + " RENAME TO " + aside + ";"
	default:
		return "leave it where it is: reversal disables the new path, and destroys nothing"
	}
	return sql + "\n-- a later forward migration drops it, once nothing needs it any more"
}
