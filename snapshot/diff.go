package snapshot

import (
	"cmp"
	"slices"
	"strings"
)

// Diff lists what differs between two schemas of the same database, ordered
// by the relation concerned, then kind and name.
//
// Objects are matched by kind and name. One whose name is gone while an object
// of its kind with its OID has a new name was renamed. Parts of a renamed
// table (columns, constraints, indexes) that are otherwise the same are not
// listed again, nor are comments and privileges on what was renamed.
func Diff(before, after Schema) []Change {
	old, now := index(before), index(after)
	byOID := map[key]*Object{}
	for i := range after {
		if o := &after[i]; o.OID != "" && old[o.key()] == nil {
			byOID[key{o.Kind, o.OID}] = o
		}
	}
	renamed := map[*Object]*Object{} // before → after
	taken := map[*Object]bool{}
	tables := map[string]string{} // old name → new name of renamed relations
	for i := range before {
		o := &before[i]
		if o.OID == "" || now[o.key()] != nil {
			continue
		}
		if n := byOID[key{o.Kind, o.OID}]; n != nil {
			renamed[o], taken[n] = n, true
			if o.Relation == "" {
				tables[o.Name] = n.Name
			}
		}
	}

	moved := movedColumns(before, after, func(o *Object) *Object {
		if n := now[o.key()]; n != nil {
			return n
		}
		return renamed[o]
	})
	var changes []Change
	for i := range before {
		o := &before[i]
		n := now[o.key()]
		switch {
		case n != nil:
			if changed(o, n, moved) || n.Relation != o.Relation && tables[o.Relation] != n.Relation {
				changes = append(changes, Change{What: "changed", Before: o, After: n})
			}
		case renamed[o] != nil:
			if n = renamed[o]; !followed(o, n, tables, moved) {
				changes = append(changes, Change{What: "renamed", Before: o, After: n})
			}
		default:
			changes = append(changes, Change{What: "removed", Before: o})
		}
	}
	for i := range after {
		if n := &after[i]; old[n.key()] == nil && !taken[n] {
			changes = append(changes, Change{What: "added", After: n})
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		x, y := a.subject(), b.subject()
		return cmp.Or(
			cmp.Compare(x.place(), y.place()),
			cmp.Compare(x.Relation, y.Relation), // the relation itself first
			cmp.Compare(x.Kind, y.Kind),
			cmp.Compare(x.Name, y.Name),
			cmp.Compare(a.What, b.What))
	})
	return changes
}

// changed reports whether an object's definition did. The place of a column
// does where it is another among the columns that stayed.
func changed(o, n *Object, moved map[*Object]bool) bool {
	if o.Position == 0 || n.Position == 0 {
		return o.Definition != n.Definition
	}
	return o.unplaced() != n.unplaced() || moved[o]
}

// unplaced is the definition of a column without its place.
func (o *Object) unplaced() string {
	if def, ok := strings.CutSuffix(o.Definition, " FIRST"); ok {
		return def
	}
	if i := strings.LastIndex(o.Definition, " AFTER `"); i >= 0 {
		return o.Definition[:i]
	}
	return o.Definition
}

// movedColumns are the columns of before that follow another column than they did, of
// those that are in both.
func movedColumns(before, after Schema, stayed func(*Object) *Object) map[*Object]bool {
	pairs, back := map[*Object]*Object{}, map[*Object]*Object{}
	for i := range before {
		if o := &before[i]; o.Position > 0 {
			if n := stayed(o); n != nil {
				pairs[o], back[n] = n, o
			}
		}
	}
	old := predecessors(before, func(o *Object) bool { return pairs[o] != nil })
	now := predecessors(after, func(n *Object) bool { return back[n] != nil })
	out := map[*Object]bool{}
	for o, n := range pairs {
		out[o] = back[now[n]] != old[o]
	}
	return out
}

// predecessors maps each column that counts to the one before it, nil for the
// first.
func predecessors(s Schema, counts func(*Object) bool) map[*Object]*Object {
	var columns []*Object
	for i := range s {
		if s[i].Position > 0 && counts(&s[i]) {
			columns = append(columns, &s[i])
		}
	}
	slices.SortStableFunc(columns, func(a, b *Object) int {
		return cmp.Or(cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Position, b.Position))
	})
	m := map[*Object]*Object{}
	for i, c := range columns {
		if i > 0 && columns[i-1].Relation == c.Relation {
			m[c] = columns[i-1]
		} else {
			m[c] = nil
		}
	}
	return m
}

// followed reports whether a part has a new name only because its table has.
func followed(o, n *Object, tables map[string]string, moved map[*Object]bool) bool {
	if o.Kind == "comment" || o.Kind == "privileges" {
		return o.Definition == n.Definition
	}
	return o.Relation != "" && tables[o.Relation] == n.Relation && !changed(o, n, moved) &&
		strings.Replace(o.Name, o.Relation, n.Relation, 1) == n.Name
}

// OnlyAdds reports whether a type that changed has what it had, in the same
// order, and more: values of an enum, attributes of a composite type. Columns
// are objects of their own; these are words of their type's definition.
func (c Change) OnlyAdds() bool {
	if c.What != "changed" || c.Before.Kind != "type" {
		return false
	}
	old, oldRest, _ := strings.Cut(c.Before.Definition, "\n")
	now, nowRest, _ := strings.Cut(c.After.Definition, "\n")
	oldWord, old, _ := strings.Cut(old, " ")
	nowWord, now, _ := strings.Cut(now, " ")
	if oldWord != nowWord || oldRest != nowRest || oldWord != "ENUM" && oldWord != "COMPOSITE" {
		return false
	}
	rest := elements(old)
	for _, e := range elements(now) {
		if len(rest) > 0 && e == rest[0] {
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}

// elements of a list with commas, which quotes and parentheses may hold, too.
func elements(list string) []string {
	var all []string
	var quote byte
	depth, from := 0, 0
	for i := range len(list) {
		switch ch := list[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0 // a doubled one opens it again
			}
		case ch == '\'' || ch == '"':
			quote = ch
		case ch == '(':
			depth++
		case ch == ')':
			depth--
		case ch == ',' && depth == 0:
			all, from = append(all, strings.TrimSpace(list[from:i])), i+1
		}
	}
	return append(all, strings.TrimSpace(list[from:]))
}

type key struct{ kind, name string }

func (o *Object) key() key { return key{o.Kind, o.Name} }

// place is where an object is listed: under its relation.
func (o *Object) place() string { return cmp.Or(o.Relation, o.Name) }

func (c Change) subject() *Object {
	if c.Before != nil {
		return c.Before
	}
	return c.After
}

func index(s Schema) map[key]*Object {
	m := make(map[key]*Object, len(s))
	for i := range s {
		m[s[i].key()] = &s[i]
	}
	return m
}
