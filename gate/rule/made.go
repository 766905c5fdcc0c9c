package rule

import (
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// made follows scripts from the state before the change and knows, for each
// name, where it came from. It is a model of names only: what it has not seen
// a script make, existed before.
type made struct {
	things map[name][]*thing
	// columns of each relation, by its bare name, without vanished ones.
	columns map[string][]*thing
	// mysql: columns have one name in any case, and indexes live in their
	// table's namespace, not among the tables.
	mysql bool
}

// name without its schema, which may be left to the search path.
type name struct{ class, name, part string }

func newMade(d migration.Dialect) *made {
	return &made{things: map[name][]*thing{}, columns: map[string][]*thing{}, mysql: d.IsMySQL()}
}

func (m *made) key(class, bare, part string) name {
	if m.mysql {
		part = strings.ToLower(part)
	}
	return name{class, bare, part}
}

// has finds a column in a table's list.
func (m *made) has(columns []string, column string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return c == column || m.mysql && strings.EqualFold(c, column) })
}

// class is classOf, but that MySQL's indexes are nobody's namesakes.
func (m *made) class(object string) string {
	if m.mysql && object == "index" {
		return ""
	}
	return classOf(object)
}

// clone for a down script, which goes its own way from here.
func (m *made) clone() *made {
	c := &made{things: map[name][]*thing{}, columns: map[string][]*thing{}, mysql: m.mysql}
	for _, things := range m.things {
		for _, t := range things {
			own := *t
			own.values, own.was = slices.Clone(t.values), slices.Clone(t.was)
			c.put(&own)
		}
	}
	return c
}

func (m *made) put(t *thing) {
	key := m.key(t.class, t.name, t.part)
	m.things[key] = append(m.things[key], t)
	if t.class == "column" && t.origin != vanished {
		m.columns[t.name] = append(m.columns[t.name], t)
	}
}

func (m *made) remove(t *thing) {
	is := func(o *thing) bool { return o == t }
	key := m.key(t.class, t.name, t.part)
	m.things[key] = slices.DeleteFunc(m.things[key], is)
	if t.class == "column" {
		m.columns[t.name] = slices.DeleteFunc(m.columns[t.name], is)
	}
}

// move gives a thing another name.
func (m *made) move(t *thing, name, part string) {
	m.remove(t)
	t.name, t.part = name, part
	m.put(t)
}

// origin of a thing.
type origin int

const (
	before   origin = iota // existed before the change, and was renamed since
	byUp                   // an up script of the change made it
	byDown                 // this very down script made it
	vanished               // the name of something that existed before, and is gone or renamed
)

// thing is a relation, type, schema, or a column of a relation.
type thing struct {
	class        string // "relation", "type", "schema", "column"
	schema, name string // of columns, the table's
	part         string // the column
	origin       origin
	// typ is a column's type as the last statement left it, values those of
	// an enum.
	typ    string
	values []string
	was    []string // names it had before
	temp   bool
	// maybe: IF NOT EXISTS was said, so the baseline has the last word.
	maybe           bool
	notNull, filled bool // of a column; filled has a default or is generated
}

// demanded: a row that does not mention the column is refused.
func (t *thing) demanded() bool { return t.notNull && !t.filled }

// classOf puts objects into the namespaces that the servers have for them.
func classOf(object string) string {
	switch object {
	case "table", "foreign table", "view", "materialized view", "sequence", "index", "partition":
		return "relation"
	case "type", "domain", "enum":
		return "type"
	case "schema", "column":
		return object
	}
	return ""
}

// sameSchema: where the search path decides, either may be meant.
func sameSchema(a, b string) bool { return a == b || a == "" || b == "" }

func (m *made) find(class, schema, bare, part string) *thing {
	for _, t := range slices.Backward(m.things[m.key(class, bare, part)]) {
		if t.origin != vanished && sameSchema(t.schema, schema) {
			return t
		}
	}
	return nil
}

func (m *made) column(a migration.Action) *thing { return m.find("column", a.Schema, a.Name, a.Part) }

// hasVanished: something of that name existed before the change.
func (m *made) hasVanished(class, schema, bare, part string) bool {
	return slices.ContainsFunc(m.things[m.key(class, bare, part)], func(t *thing) bool {
		return t.origin == vanished && sameSchema(t.schema, schema)
	})
}

// known is find, or a new thing that existed before.
func (m *made) known(class, schema, name, part string) *thing {
	t := m.find(class, schema, name, part)
	if t == nil {
		t = &thing{class: class, schema: schema, name: name, part: part}
		if class == "column" {
			t.origin = m.relationOrigin(schema, name)
		}
		m.put(t)
	}
	return t
}

func (m *made) script(statements []migration.Statement, by origin) {
	for _, st := range statements {
		for _, a := range st.Facts.Actions {
			m.apply(a, by)
		}
	}
}

// apply follows one action. IF NOT EXISTS counts as making in an up script,
// and not in a down script, where the thing is likely to be there. What stands in a function's body has not run, and
// what a text assembled at run time names is not known.
func (m *made) apply(a migration.Action, by origin) {
	if a.Deferred() || strings.Contains(a.Name+a.Part+a.NewName, "?") {
		return
	}
	class := m.class(a.Object)
	switch a.Verb {
	case migration.Create:
		if class != "" && (by == byUp || !a.IfNotExists || a.Temporary) {
			m.put(&thing{class: class, schema: a.Schema, name: a.Name, origin: by,
				values: slices.Clone(a.Values), temp: a.Temporary, maybe: a.IfNotExists})
		}
	case migration.Add:
		m.add(a, by)
	case migration.SetType:
		t := m.known("column", a.Schema, a.Name, a.Part)
		t.typ = a.Type
		if m.mysql { // MODIFY gives the whole definition anew
			t.notNull, t.filled = a.NotNull, a.Default != "" || a.Generated != ""
		}
	case migration.SetNotNull, migration.DropNotNull:
		if t := m.column(a); t != nil {
			t.notNull = a.Verb == migration.SetNotNull
		}
	case migration.SetDefault, migration.DropDefault:
		if t := m.column(a); t != nil {
			t.filled = a.Verb == migration.SetDefault
		}
	case migration.Rename:
		m.rename(a, class)
	case migration.SetSchema:
		if t := m.find(class, a.Schema, a.Name, ""); t != nil {
			t.schema = a.NewName
		}
		if class == "relation" {
			for _, t := range m.columnsOf(a.Schema, a.Name) {
				t.schema = a.NewName
			}
		}
	case migration.Drop:
		m.drop(a, class)
	}
}

func (m *made) add(a migration.Action, by origin) {
	switch a.Object {
	case "column":
		if by == byUp || !a.IfNotExists {
			m.put(&thing{class: "column", schema: a.Schema, name: a.Name, part: a.Part, origin: by,
				typ: a.Type, maybe: a.IfNotExists, notNull: a.NotNull,
				filled: a.Default != "" || a.Generated != "" || serials[strings.ToLower(a.Type)] != ""})
		}
	case "enum value":
		t := m.known("type", a.Schema, a.Name, "")
		t.values = append(t.values, a.Part)
	}
}

func (m *made) rename(a migration.Action, class string) {
	switch {
	case a.Object == "column":
		m.vanish("column", a.Schema, a.Name, a.Part)
		m.move(m.known("column", a.Schema, a.Name, a.Part), a.Name, a.NewName)
	case a.Object == "enum value":
		if t := m.find("type", a.Schema, a.Name, ""); t != nil {
			if i := slices.Index(t.values, a.Part); i >= 0 {
				t.values[i] = a.NewName
			}
		}
	case class == "schema":
		m.vanish(class, "", a.Name, "")
		for _, things := range m.things {
			for _, t := range things {
				if t.schema == a.Name && t.origin != vanished {
					t.schema = a.NewName
				}
			}
		}
		m.move(m.known(class, "", a.Name, ""), a.NewName, "")
	case class != "":
		m.vanish(class, a.Schema, a.Name, "")
		columns := m.columnsOf(a.Schema, a.Name)
		t := m.known(class, a.Schema, a.Name, "")
		t.was = append(t.was, a.Name)
		m.move(t, a.NewName, "")
		for _, t := range columns {
			m.move(t, a.NewName, t.part)
		}
	}
}

func (m *made) columnsOf(schema, table string) []*thing {
	var columns []*thing
	for _, t := range m.columns[table] {
		if sameSchema(t.schema, schema) {
			columns = append(columns, t)
		}
	}
	return columns
}

// vanish notes the name of something that existed before.
func (m *made) vanish(class, schema, name, part string) {
	if t := m.find(class, schema, name, part); t != nil && t.origin != before {
		return
	}
	if part != "" {
		if t := m.find("relation", schema, name, ""); t != nil && t.origin != before {
			return // a column of a table that the change made
		}
	}
	m.put(&thing{class: class, schema: schema, name: name, part: part, origin: vanished})
}

func (m *made) drop(a migration.Action, class string) {
	if class == "" {
		return
	}
	part := ""
	if class == "column" {
		part = a.Part
	}
	m.vanish(class, a.Schema, a.Name, part)
	if gone := m.find(class, a.Schema, a.Name, part); gone != nil {
		m.remove(gone)
	}
	if class == "relation" {
		for _, t := range m.columnsOf(a.Schema, a.Name) {
			m.remove(t)
		}
	}
}

// relationOrigin tells where the relation of that name comes from.
func (m *made) relationOrigin(schema, name string) origin {
	if t := m.find("relation", schema, name, ""); t != nil {
		return t.origin
	}
	return before
}

// setsOld reports whether writing a column overwrites values from before the
// change: the column is not new, and neither is its table. columns are the
// baseline's, where they are known.
func (m *made) setsOld(schema, table, column string, columns map[string][]string) bool {
	if t := m.find("column", schema, table, column); t != nil {
		if t.origin == byDown {
			return false // just made by this script, and filled
		}
		return t.origin == before || m.hasVanished("column", schema, table, column)
	}
	switch m.relationOrigin(schema, table) {
	case byDown:
		return false
	case byUp:
		return m.hasVanished("relation", schema, table, "")
	}
	if old, known := columnsOf(columns, schema, table); known {
		return m.has(old, column)
	}
	return true
}

// columnsOf finds a table's columns in the baseline. Where the name leaves the
// schema to the search path, it must be the only table of that name, or the
// one in public.
func columnsOf(columns map[string][]string, schema, table string) ([]string, bool) {
	if schema != "" {
		c, ok := columns[schema+"."+table]
		return c, ok
	}
	if c, ok := columns["public."+table]; ok {
		return c, true
	}
	var found []string
	n := 0
	for name, c := range columns {
		if strings.HasSuffix(name, "."+table) {
			found, n = c, n+1
		}
	}
	return found, n == 1
}

// reconcile corrects the model by what the baseline is known to hold: IF NOT
// EXISTS may have made nothing, and a column may have been dropped by a text
// that could not be read before it was added.
func (m *made) reconcile(o gate.Observation) {
	if o.BaselineColumns == nil {
		return
	}
	for _, t := range m.all() {
		if t.origin != byUp || (t.class != "column" && t.class != "relation") {
			continue
		}
		old, known := columnsOf(o.BaselineColumns, t.schema, t.name)
		if !known || (t.class == "column" && !m.has(old, t.part)) {
			continue
		}
		switch {
		case t.maybe && !m.hasVanished(t.class, t.schema, t.name, t.part):
			t.origin = before
		case t.class == "column":
			m.put(&thing{class: "column", schema: t.schema, name: t.name, part: t.part, origin: vanished})
		}
	}
}

func (m *made) all() []*thing {
	var all []*thing
	for _, things := range m.things {
		all = append(all, things...)
	}
	return all
}
