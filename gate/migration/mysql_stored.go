package migration

import "strings"

// stored reads what creates a stored program, and the statements of its body.
func (a *myAnalyser) stored(kind string) {
	w := a.w
	verb, object, _ := strings.Cut(kind, " ")
	act := Action{Verb: Create, Object: strings.ToLower(object)}
	switch {
	case verb == "ALTER":
		act.Verb, act.Definition = Alter, w.render(0, len(w.toks))
	case w.has(1, "OR", "REPLACE"):
		act.Verb = Replace
	}
	i := skipCreate(w, 1) + 1
	if w.has(i, "IF", "NOT", "EXISTS") {
		act.IfNotExists, i = true, i+3
	}
	at := i
	act.Schema, act.Name, i = w.name(i)
	if act.Name == "" {
		a.strange(i)
	}
	within := a.inside(act.Object + " " + qualified(act.Schema, act.Name))
	if object == "TRIGGER" {
		// A trigger is a part of its table, as a column is.
		act.Part = act.Name
		on := w.find(i, "ON")
		if on < 0 {
			a.strange(i)
		} else {
			act.Schema, act.Name, _ = w.name(on + 1)
			act.On = qualified(act.Schema, act.Name)
		}
	}
	a.add(at, act)
	if object == "EVENT" && verb == "ALTER" {
		if to := w.find(i, "RENAME"); to > 0 && w.at(to+1) == "TO" {
			_, newName, _ := w.name(to + 2)
			a.add(to, Action{Verb: Rename, Object: "event", Schema: act.Schema, Name: act.Name, NewName: newName})
		}
	}
	a.body(object, within)
}

// body analyses the statements of a stored program's body.
func (a *myAnalyser) body(kind, within string) {
	w := a.w
	start := bodyStart(w, kind)
	if start < 0 || start >= len(w.toks) {
		if kind == "PROCEDURE" || kind == "TRIGGER" {
			a.strange(len(w.toks) - 1)
		}
		return
	}
	if w.at(start) == "AS" || w.at(start) == "SONAME" {
		if w.at(start) == "AS" {
			a.unread(within, start) // JavaScript
		}
		return
	}
	b := &program{kind: kind, next: start}
	b.feed(w)
	for _, s := range b.statements {
		switch w.at(s[0]) {
		case "DECLARE", "LEAVE", "ITERATE", "OPEN", "CLOSE", "FETCH", "SIGNAL", "RESIGNAL", "GET", "RETURN":
			continue
		}
		a.sub(s[0], s[1], within)
	}
}
