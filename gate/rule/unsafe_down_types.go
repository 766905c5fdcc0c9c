package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// narrows: the type holds fewer values than the one the up scripts leave.
// Where they do not say what they leave, rows decide (down-loses-data).
func (d *down) narrows(a migration.Action) *harm {
	t := d.made.column(a)
	if t == nil || t.typ == "" || t.origin == byDown || d.policy.Reversal == gate.Exact {
		return nil // exact demands the old type; the rows decide
	}
	reason, fewer := d.holdsFewer(t.typ, a.Type)
	if !fewer {
		return nil
	}
	return &harm{
		what:     fmt.Sprintf("narrows %s from %s to %s", title(a), t.typ, a.Type),
		lost:     reason,
		evidence: map[string]any{"from_type": t.typ, "to_type": a.Type},
		fix: "keep the wider type: the old path reads it as well; " +
			"put the change of type into a migration of its own with an empty down script, which declares it forward-only",
	}
}

// holdsFewer is the lattice's answer, or that of two enums the scripts made.
func (d *down) holdsFewer(from, to string) (string, bool) {
	values := func(name string) []string {
		schema, name := splitName(name)
		if t := d.made.find("type", schema, name, ""); t != nil {
			return t.values
		}
		return nil
	}
	was, is := values(from), values(to)
	if len(was) > 0 && len(is) > 0 {
		if gone := missing(was, is); len(gone) > 0 {
			return fmt.Sprintf("it no longer holds %s", some(gone, 4)), true
		}
		return "", false
	}
	if len(is) > 0 && isText(from) {
		return "it holds only " + some(is, 4), true
	}
	return d.fixes.fewerValues(from, to)
}

// forgets: an enum made anew with fewer values than the up script left it.
func (d *down) forgets(a migration.Action) *harm {
	if len(a.Values) == 0 || d.policy.Reversal == gate.Exact {
		return nil
	}
	types := d.made.all()
	slices.SortFunc(types, func(a, b *thing) int { return strings.Compare(a.name, b.name) })
	for _, t := range types {
		if t.class != "type" || len(t.values) == 0 || t.origin == vanished || !sameSchema(t.schema, a.Schema) {
			continue
		}
		if t.name != a.Name && !slices.Contains(t.was, a.Name) {
			continue
		}
		if gone := missing(t.values, a.Values); len(gone) > 0 && t.origin != byDown {
			return &harm{
				what:     fmt.Sprintf("makes type %s anew without %s", dotted(a.Schema, a.Name), some(gone, 4)),
				lost:     "rows that hold it cannot be kept",
				evidence: map[string]any{"values": gone},
				fix:      "leave the type as it is: a value that nothing writes any more does no harm",
			}
		}
	}
	return nil
}

func missing(from, in []string) []string {
	var gone []string
	for _, v := range from {
		if !slices.Contains(in, v) {
			gone = append(gone, "'"+v+"'")
		}
	}
	return gone
}
