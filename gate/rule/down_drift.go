package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
)

// downDrift: an object that existed before is not exactly as before once every
// down script has run. What the change added may stay, unless the contract is
// exact. What a forward-only migration changed is listed elsewhere, and is no
// drift.
//
// One finding per table (or object outside of tables) and migration: a lost
// table does not also report its forty columns.
func downDrift(c *change) []gate.Finding {
	if c.Reverse == nil {
		return nil
	}
	type place struct {
		migration int
		relation  string
	}
	var places []place
	groups := map[place][]gate.SchemaChange{}
	for _, ch := range c.Reverse.Changes {
		if ch.ForwardOnly || (ch.Before == nil || ch.OnlyAdds()) && c.policy.Reversal != gate.Exact {
			continue
		}
		p := place{ch.Migration, relationOf(ch)}
		if groups[p] == nil {
			places = append(places, p)
		}
		groups[p] = append(groups[p], ch)
	}
	var findings []gate.Finding
	for _, p := range places {
		changes := groups[p]
		lead := changes[0]
		for _, ch := range changes {
			if o := object(ch); o.Name == p.relation {
				lead = ch
				break
			}
		}
		f := gate.Finding{File: lead.File, Line: lead.Line, EndLine: lead.Line}
		c.place(&f, p.migration)
		more := ""
		if n := len(changes) - 1; n > 0 {
			more = fmt.Sprintf(", and %s", plural(int64(n), "more difference", "more differences"))
		}
		f.Message = fmt.Sprintf("after the down script %s%s", difference(lead), more)
		var differences []string
		for _, ch := range changes {
			differences = append(differences, difference(ch))
		}
		f.Evidence = map[string]any{"relation": p.relation, "what": lead.What, "differences": differences}
		if lead.Before != nil {
			f.Evidence["before"] = lead.Before.Definition
		}
		if lead.After != nil {
			f.Evidence["after"] = lead.After.Definition
		}
		f.Fix = restore(lead)
		findings = append(findings, f)
	}
	return findings
}

// object is the one a change is about, as it was before where it was.
func object(ch gate.SchemaChange) snapshot.Object {
	if ch.Before != nil {
		return *ch.Before
	}
	if ch.After != nil {
		return *ch.After
	}
	return snapshot.Object{}
}

func relationOf(ch gate.SchemaChange) string {
	o := object(ch)
	if o.Relation != "" {
		return o.Relation
	}
	return o.Name
}

// difference spells one change.
func difference(ch gate.SchemaChange) string {
	o := object(ch)
	name := o.Kind + " " + o.Name
	switch {
	case ch.What == "removed" || ch.After == nil:
		return name + " is gone"
	case ch.What == "added" || ch.Before == nil:
		return name + " is left over"
	case ch.What == "renamed":
		return fmt.Sprintf("%s is called %s", name, ch.After.Name)
	default:
		const most = 120 // evidence has all
		was, is := ch.Excerpts(most, "…")
		if was == is && ch.Before.Definition != ch.After.Definition {
			return name + " differs in white space: " + is
		}
		return fmt.Sprintf("%s differs: %s, was %s", name, is, was)
	}
}

// restore names what the down script must bring back.
func restore(ch gate.SchemaChange) string {
	o := object(ch)
	switch {
	case ch.Before == nil:
		return fmt.Sprintf("drop %s %s in the down script, as --reversal exact demands", o.Kind, o.Name)
	case ch.What == "renamed":
		return fmt.Sprintf("rename %s %s back to %s in the down script", o.Kind, ch.After.Name, o.Name)
	default:
		return fmt.Sprintf("let the down script bring back %s %s: %s\n"+
			"(or declare it forward-only: put it into a migration of its own with an empty down script)", o.Kind, o.Name, o.Definition)
	}
}

// place falls back to the down script of a migration, as a whole, where the
// observation does not say which statement is to blame.
func (c *change) place(f *gate.Finding, m int) {
	if f.File != "" {
		for i := range c.Migrations {
			for _, s := range statementsOf(c.Migrations[i]) {
				if s.File == f.File && f.Line >= s.Line && f.Line <= s.EndLine {
					f.SQL, f.EndLine = s.SQL, s.EndLine
				}
			}
		}
		return
	}
	if m < 0 || m >= len(c.Migrations) {
		m = len(c.Migrations) - 1
	}
	if m < 0 {
		return
	}
	f.File = c.Migrations[m].Up.File
	if down := c.Migrations[m].Down; down != nil {
		f.File = down.File
	}
}
