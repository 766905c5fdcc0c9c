package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// unsafeDown: a statement of a down script that destroys data, found in its
// static facts, so also in a branch that the reverse walk never took.
//
// A down script may drop what holds no data, detach a partition, and put
// things aside under any other name. Under --reversal exact it may also drop
// what the change itself made, since that contract demands it; under strict
// it may drop nothing at all. Temporary objects, and what the down script made
// itself, are nobody's data.
func unsafeDown(c *change) []gate.Finding {
	var findings []gate.Finding
	up := newMade(c.dialect())
	for i := range c.Migrations {
		m := &c.Migrations[i]
		up.script(m.Up.Statements, byUp)
		if m.Down == nil {
			continue
		}
		d := down{change: c, made: up.clone(), migration: i}
		d.made.reconcile(c.Observation)
		for _, st := range m.Down.Statements {
			for _, a := range st.Facts.Actions {
				if f, bad := d.judge(st, a); bad {
					findings = append(findings, f)
				}
				d.made.apply(a, byDown)
			}
			findings = append(findings, d.unknown(st)...)
		}
	}
	return findings
}

// down is one down script while it is being read.
type down struct {
	*change
	made      *made
	migration int
}

// harm is what an action does to data.
type harm struct {
	what     string // "drops column public.orders.note"
	lost     string // what is gone in production
	fix      string
	evidence map[string]any
}

func (d *down) judge(st migration.Statement, a migration.Action) (gate.Finding, bool) {
	if a.Temporary || strings.HasPrefix(a.Schema, "pg_temp") {
		return gate.Finding{}, false
	}
	var h *harm
	switch a.Verb {
	case migration.Drop:
		h = d.drops(a)
	case migration.DropDefault, migration.DropNotNull:
		h = d.strictly("drops the " + strings.TrimPrefix(string(a.Verb), "drop ") + " of " + title(a))
	case migration.Alter:
		h = d.alters(a)
	case migration.Truncate, migration.Delete:
		h = d.empties(a)
	case migration.Update, migration.Upsert:
		h = d.overwrites(a)
	case migration.SetType:
		h = d.narrows(a)
	case migration.Create:
		h = d.forgets(a)
	}
	if h == nil {
		return gate.Finding{}, false
	}
	f := at(st)
	if a.Line > 0 {
		f.Line = a.Line
		if a.Line != st.Line {
			f.EndLine = a.Line // one of several in a statement of many lines
		}
	}
	f.Message = "the down script " + h.what
	if a.Within != "" {
		f.Message += " inside " + a.Within
	}
	if dormant(a) {
		f.Severity = gate.Notice
		f.Message += ", which this script makes and does not call"
	}
	f.Message += ": " + h.lost
	f.Evidence = map[string]any{"action": string(a.Verb), "object": a.Object, "relation": dotted(a.Schema, a.Name)}
	if a.Part != "" {
		f.Evidence["part"] = a.Part
	}
	if a.Within != "" {
		f.Evidence["within"] = a.Within
	}
	if a.Cascade {
		f.Evidence["cascade"] = true
	}
	for k, v := range h.evidence {
		f.Evidence[k] = v
	}
	f.Fix = h.fix
	return f, true
}

// dormant: data changes in the body of a function or rule that the script only
// makes are a trigger's or a job's ordinary work. DDL there is not ordinary;
// and where the script calls the function itself, the call has the action too.
func dormant(a migration.Action) bool {
	return a.Deferred() && slices.Contains([]migration.Verb{migration.Delete, migration.Update, migration.Upsert}, a.Verb)
}

// holdsData lists the objects whose DROP destroys data, and what is lost.
var holdsData = map[string]string{
	"table":             "every row in it is gone",
	"partition":         "every row in it is gone",
	"column":            "every value in it is gone",
	"attribute":         "every value in it is gone",
	"schema":            "everything in it is gone",
	"database":          "everything in it is gone",
	"sequence":          "its position is gone, and numbers already given out may be given out again",
	"type":              "its values are gone, with every column that CASCADE takes along",
	"domain":            "its values are gone, with every column that CASCADE takes along",
	"materialized view": "its stored rows are gone",
	"enum value":        "rows that hold it are gone",
	"owned objects":     "everything the role owns is gone",
	"large object":      "its bytes are gone",
}

func (d *down) drops(a migration.Action) *harm {
	lost, holds := holdsData[a.Object]
	if a.Object == "extension" && a.Cascade {
		lost, holds = "every column of its types is gone", true
	}
	if !holds {
		return d.strictly("drops " + title(a))
	}
	from, temp := d.origin(a)
	if temp || from == byDown && !d.policy.Strict {
		return nil
	}
	mine := from == byUp
	if d.demanded(a, mine) {
		return nil
	}
	h := &harm{what: "drops " + title(a), lost: lost, evidence: map[string]any{"made_by_this_change": mine}}
	if mine {
		h.lost += ", and with it what was written since the release"
	}
	h.fix = d.fixes.putAside(d, a)
	return h
}

// origin tells where the object of a DROP comes from.
func (d *down) origin(a migration.Action) (from origin, temp bool) {
	class := d.made.class(a.Object)
	if class == "column" {
		if t := d.made.column(a); t != nil {
			return t.origin, false
		}
		return d.made.relationOrigin(a.Schema, a.Name), false
	}
	if class == "" {
		return before, false
	}
	if t := d.made.find(class, a.Schema, a.Name, ""); t != nil {
		return t.origin, t.temp
	}
	return before, false
}

// demanded: --reversal exact wants the very schema from before, so what the
// change made has to go. A type goes too where it is made anew with fewer
// values; only CASCADE would take columns along.
func (d *down) demanded(a migration.Action, mine bool) bool {
	if d.policy.Reversal != gate.Exact || d.policy.Strict {
		return false
	}
	if classOf(a.Object) == "type" || a.Object == "extension" {
		return !a.Cascade
	}
	return mine
}

// strictly refuses what is fine otherwise.
func (d *down) strictly(what string) *harm {
	if !d.policy.Strict {
		return nil
	}
	return &harm{what: what, lost: "strict refuses every DROP in a down script",
		fix: "leave it in place: what the new path no longer uses does no harm, and a later forward migration can remove it"}
}

// alters finds the subcommands that destroy and have no verb of their own.
func (d *down) alters(a migration.Action) *harm {
	words := strings.Fields(strings.ToUpper(a.Definition))
	has := func(verb, what string) bool {
		i := slices.Index(words, verb)
		return i >= 0 && i+1 < len(words) && words[i+1] == what
	}
	switch {
	case a.Object != "column":
		return nil
	case has("DROP", "IDENTITY"):
		from, _ := d.origin(a)
		if from == byDown || from == byUp && d.policy.Reversal == gate.Exact && !d.policy.Strict {
			return nil
		}
		return &harm{what: "drops the identity of " + title(a),
			lost: "its sequence's position is gone, and numbers already given out may be given out again",
			fix: "leave the identity in place (rows that bring their own value need OVERRIDING SYSTEM VALUE, or GENERATED BY DEFAULT): " +
				"give it a migration of its own with an empty down script, which declares it forward-only"}
	case has("DROP", "EXPRESSION"):
		return d.strictly("drops the expression of " + title(a))
	}
	return nil
}

func (d *down) empties(a migration.Action) *harm {
	if a.Object == "large object" {
		return &harm{what: "unlinks a large object", lost: holdsData[a.Object], fix: "leave it where it is: reversal destroys nothing"}
	}
	t := d.made.find("relation", a.Schema, a.Name, "")
	if t != nil && (t.temp || t.origin == byDown) {
		return nil
	}
	if t != nil && t.origin == byUp && d.policy.Reversal == gate.Exact {
		return nil
	}
	h := &harm{what: "truncates " + dotted(a.Schema, a.Name), lost: "every row in it is gone"}
	if a.Object == "partition" && a.Part != "" {
		h.what = "truncates partition " + dotted(a.Schema, a.Name) + "." + a.Part
	}
	if a.Verb == migration.Delete {
		h.what = "deletes rows from " + dotted(a.Schema, a.Name)
		if a.HasWhere {
			h.lost = "the rows it finds are gone, with what was written since the release"
		}
	}
	if a.Cascade {
		h.lost += ", and CASCADE empties every table that refers to it"
	}
	h.fix = "leave the rows where they are: the old path does not read them; " +
		"what must go is deleted by a later forward migration, after a backup"
	return h
}

func (d *down) overwrites(a migration.Action) *harm {
	if t := d.made.find("relation", a.Schema, a.Name, ""); t != nil && t.temp {
		return nil
	}
	var old []string
	for _, column := range a.Columns {
		if d.made.setsOld(a.Schema, a.Name, column, d.BaselineColumns) {
			old = append(old, column)
		}
	}
	if len(old) == 0 && len(a.Columns) > 0 {
		return nil
	}
	if len(a.Columns) == 0 && d.made.relationOrigin(a.Schema, a.Name) >= byUp {
		return nil
	}
	what := some(old, 3)
	if what == "" {
		what = "columns"
	}
	return &harm{
		what:     fmt.Sprintf("overwrites %s of %s", what, dotted(a.Schema, a.Name)),
		lost:     "what was there before the change, or written since, is gone",
		evidence: map[string]any{"columns": old},
		fix: "let the up script keep the old column as it is and write to a new one: " +
			"then the down script has nothing to write back",
	}
}

// unknown: statements whose effect the text does not tell.
func (d *down) unknown(st migration.Statement) []gate.Finding {
	var findings []gate.Finding
	if lost := destroysByName(st.Facts); lost != "" && len(st.Facts.Actions) == 0 {
		f := at(st)
		f.Message = fmt.Sprintf("the down script says %s: %s", st.Facts.Kind, lost)
		f.Evidence = map[string]any{"action": strings.ToLower(st.Facts.Kind), "analysed": st.Facts.Analysed}
		f.Fix = "leave it out: reversal disables the new path, and destroys nothing"
		findings = append(findings, f)
	}
	for _, u := range st.Facts.Unread {
		f := at(st)
		f.Severity = gate.Notice
		if u.Line > 0 {
			f.Line, f.EndLine = u.Line, u.Line
		}
		f.Message = fmt.Sprintf("%s of the down script cannot be read before it runs, so what it destroys is not judged here", u.Within)
		f.Evidence = map[string]any{"within": u.Within, "not_judged": true}
		f.Fix = "write the statement out, or rely on the reverse walk of `migration-gate check`, which compares the rows"
		findings = append(findings, f)
	}
	return findings
}

// destroysByName judges a statement that the grammar did not know, or that has
// no object, by its command alone.
func destroysByName(f migration.Facts) string {
	switch f.Kind {
	case "DROP OWNED":
		return holdsData["owned objects"]
	case "TRUNCATE", "TRUNCATE TABLE", "DELETE":
		return "rows are gone"
	}
	if object, ok := strings.CutPrefix(f.Kind, "DROP "); ok {
		return holdsData[strings.ToLower(object)]
	}
	return ""
}

// title names the object of an action as messages do: "column orders.note".
func title(a migration.Action) string {
	name := dotted(a.Schema, a.Name)
	if a.Part != "" {
		name += "." + a.Part
	}
	if strings.Contains(name, "?") {
		return "a " + a.Object + " whose name is known only at run time"
	}
	return a.Object + " " + name
}

func dotted(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// splitName takes "schema.name" or "name" apart.
func splitName(s string) (schema, name string) {
	s = strings.ReplaceAll(s, `"`, "")
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}
