package snapshot_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
)

func TestDiff(t *testing.T) {
	table := func(name, oid string) snapshot.Object {
		return snapshot.Object{Kind: "table", Name: name, Definition: "OWNER o", OID: oid}
	}
	part := func(kind, rel, name, def, oid string) snapshot.Object {
		return snapshot.Object{Kind: kind, Name: name, Relation: rel, Definition: def, OID: oid}
	}
	base := snapshot.Schema{
		table("public.t", "1"), part("column", "public.t", "public.t.a", "integer", "1/1"), part("column", "public.t", "public.t.b", "text", "1/2"),
		part("index", "public.t", "public.t_a", "btree (a)", "9"),
		{Kind: "function", Name: "public.f(integer)", Definition: "body", OID: "5"}, table("public.u", "2"),
	}
	with := func(edit func(s snapshot.Schema) snapshot.Schema) snapshot.Schema { return edit(slices.Clone(base)) }
	replace := func(old string, o snapshot.Object) func(snapshot.Schema) snapshot.Schema {
		return func(s snapshot.Schema) snapshot.Schema {
			for i := range s {
				if s[i].Name == old {
					s[i] = o
				}
			}
			return s
		}
	}
	tests := []struct {
		name  string
		after snapshot.Schema
		want  []string
	}{
		{"nothing", base, nil},
		{"other OIDs only", with(replace("public.u", table("public.u", "77"))), nil},
		{"added", append(slices.Clone(base), table("public.new", "3")), []string{"added table public.new"}},
		{"removed", base[:5], []string{"removed table public.u"}},
		{"changed", with(replace("public.f(integer)", snapshot.Object{Kind: "function", Name: "public.f(integer)", Definition: "other", OID: "5"})), []string{"changed function public.f(integer)"}},
		{"renamed column", with(replace("public.t.b", part("column", "public.t", "public.t.c", "text", "1/2"))), []string{"renamed column public.t.b public.t.c"}},
		{"renamed and changed", with(replace("public.t.b", part("column", "public.t", "public.t.c", "varchar", "1/2"))), []string{"renamed column public.t.b public.t.c"}},
		{"dropped and added", with(replace("public.t.b", part("column", "public.t", "public.t.c", "text", "1/3"))), []string{"removed column public.t.b", "added column public.t.c"}},
		{"renamed table carries its parts", snapshot.Schema{table("public.x", "1"), part("column", "public.x", "public.x.a", "integer", "1/1"), part("column", "public.x", "public.x.b", "varchar", "1/2"),
			part("index", "public.x", "public.t_a", "btree (a)", "9"), base[4], base[5]},
			[]string{"renamed table public.t public.x", "renamed column public.t.b public.x.b"}},
		{"renamed away and replaced", append(with(replace("public.u", table("public.u", "8"))), table("public.old", "2")), []string{"added table public.old"}},
		{"an index on another table", with(replace("public.t_a", part("index", "public.u", "public.t_a", "btree (a)", "12"))), []string{"changed index public.t_a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 5 { // whatever the order of the objects
				after := slices.Clone(test.after)
				rand.Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
				var got []string
				for _, c := range snapshot.Diff(base, after) {
					switch {
					case c.Before == nil:
						got = append(got, c.What+" "+c.After.Kind+" "+c.After.Name)
					case c.What == "renamed":
						got = append(got, c.What+" "+c.Before.Kind+" "+c.Before.Name+" "+c.After.Name)
					default:
						got = append(got, c.What+" "+c.Before.Kind+" "+c.Before.Name)
					}
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Fatalf("(-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestOnlyAdds(t *testing.T) {
	typ := func(definition string) *snapshot.Object {
		return &snapshot.Object{Kind: "type", Name: "public.x", Definition: definition}
	}
	for _, test := range []struct {
		before, after string
		want          bool
	}{
		{"ENUM 'a', 'b'\nOWNER o", "ENUM 'a', 'b', 'c'\nOWNER o", true},
		{"ENUM 'a', 'b'\nOWNER o", "ENUM 'c', 'a', 'd', 'b'\nOWNER o", true},
		{"ENUM 'it''s, a', 'b'", "ENUM 'it''s, a', 'b', 'c'", true},
		{"ENUM 'a, b', 'c'", "ENUM 'a', 'b', 'c'", false},
		{"ENUM 'a', 'b'\nOWNER o", "ENUM 'b', 'a', 'c'\nOWNER o", false},
		{"ENUM 'a', 'b'\nOWNER o", "ENUM 'a', 'c'\nOWNER o", false},
		{"ENUM 'a', 'b'\nOWNER o", "ENUM 'a', 'b', 'c'\nOWNER p", false},
		{"COMPOSITE a numeric(10,2), b text", "COMPOSITE a numeric(10,2), b text, c integer", true},
		{"COMPOSITE a numeric(10,2), b text", "COMPOSITE a numeric(12,2), b text, c integer", false},
		{"RANGE integer", "RANGE integer, bigint", false},
	} {
		c := snapshot.Change{What: "changed", Before: typ(test.before), After: typ(test.after)}
		if got := c.OnlyAdds(); got != test.want {
			t.Errorf("%q to %q: %t", test.before, test.after, got)
		}
	}
}

// Where the order of columns counts, a column has changed only if it stands
// elsewhere among those that stayed.
func TestDiffOfColumnOrder(t *testing.T) {
	columns := func(table string, names ...string) snapshot.Schema {
		var s snapshot.Schema
		place := "FIRST"
		for i, n := range names {
			s = append(s, snapshot.Object{Kind: "column", Name: table + "." + n, Relation: table, Definition: "int " + place, OID: "7/" + n, Position: i + 1})
			place = "AFTER `" + n + "`"
		}
		return s
	}
	base := columns("s.t", "a", "b", "c", "d")
	for _, test := range []struct {
		name  string
		after snapshot.Schema
		want  []string
	}{
		{"nothing", columns("s.t", "a", "b", "c", "d"), nil},
		{"removed in the middle", columns("s.t", "a", "c", "d"), []string{"removed s.t.b"}},
		{"removed in front", columns("s.t", "b", "c", "d"), []string{"removed s.t.a"}},
		{"added in the middle", columns("s.t", "a", "x", "b", "c", "d"), []string{"added s.t.x"}},
		{"added in front", columns("s.t", "x", "a", "b", "c", "d"), []string{"added s.t.x"}},
		{"replaced", columns("s.t", "a", "x", "c", "d"), []string{"removed s.t.b", "added s.t.x"}},
		{"moved to the end", columns("s.t", "a", "c", "d", "b"), []string{"changed s.t.b", "changed s.t.c"}},
		{"in a renamed table", append(columns("s.u", "a", "x", "b", "c", "d"), snapshot.Object{Kind: "table", Name: "s.u", OID: "7"}),
			[]string{"renamed s.t", "added s.u.x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range snapshot.Diff(append(base, snapshot.Object{Kind: "table", Name: "s.t", OID: "7"}), withTable(test.after)) {
				o := c.Before
				if o == nil {
					o = c.After
				}
				got = append(got, c.What+" "+o.Name)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func withTable(s snapshot.Schema) snapshot.Schema {
	if s[len(s)-1].Kind != "table" {
		s = append(s, snapshot.Object{Kind: "table", Name: "s.t", OID: "7"})
	}
	return s
}
