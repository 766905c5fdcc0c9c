package migration

import (
	"strings"
)

// name reads a qualified name at token i and returns the index behind it.
func (w words) name(i int) (schema, name string, next int) {
	var parts []string
	for i < len(w.toks) {
		t := w.toks[i]
		s := w.text[t.start:t.end]
		switch t.kind {
		case tokWord:
			parts = append(parts, strings.ToLower(s))
		case tokIdent:
			parts = append(parts, unquoteIdent(s))
		default:
			schema, name = schemaAndName(parts)
			return schema, name, i
		}
		if w.at(i+1) != "." {
			i++
			break
		}
		i += 2
	}
	schema, name = schemaAndName(parts)
	return schema, name, i
}

func unquoteIdent(s string) string {
	s = s[strings.IndexByte(s, '"')+1 : len(s)-1]
	return strings.ReplaceAll(s, `""`, `"`)
}

// from is the text from token i on.
func (w words) from(i int) string {
	if i >= len(w.toks) {
		return ""
	}
	return strings.TrimSpace(w.text[w.toks[i].start:])
}

func (w words) find(word string, from int) int {
	for i := max(from, 0); i < len(w.toks); i++ {
		if w.at(i) == word {
			return i
		}
	}
	return -1
}

// byTokens gathers actions where the grammar has no tree, or a tree that
// holds no more than the words do.
func (a *analyser) byTokens() {
	w := a.words()
	switch w.at(0) {
	case "CREATE":
		a.createByTokens(w)
	case "DROP":
		a.dropByTokens(w)
	case "ALTER":
		a.alterByTokens(w)
	case "TRUNCATE":
		i := 1
		if w.at(i) == "TABLE" {
			i++
		}
		a.eachName(w, i, Action{Verb: Truncate, Object: "table"})
	case "REINDEX", "VACUUM", "CLUSTER", "LOCK", "REFRESH":
		a.maintenanceByTokens(w)
	case "DO":
		for i, t := range w.toks {
			if t.kind == tokDollar || t.kind == tokString {
				body := bodyOf(w.text, w.toks[i])
				a.roughBody(body.text, a.inside("DO block"), a.bodyLines(body))
				return
			}
		}
	default:
		a.dataByTokens(w)
	}
}

func (a *analyser) at(w words, i int) int {
	if i < len(w.toks) {
		return w.toks[i].start
	}
	return 0
}

// eachName records one action for every name of a list.
func (a *analyser) eachName(w words, i int, act Action) {
	act.IfExists = w.has(i, "IF", "EXISTS")
	if act.IfExists {
		i += 2
	}
	for i < len(w.toks) {
		if w.at(i) == "ONLY" {
			i++
		}
		start := i
		act.Schema, act.Name, i = w.name(i)
		if act.Name == "" {
			return
		}
		if w.at(i) == "ON" && (act.Object == "trigger" || act.Object == "rule" || act.Object == "policy") {
			act.Part = act.Name
			act.Schema, act.Name, i = w.name(i + 1)
		}
		depth := 0
		for i < len(w.toks) && (depth > 0 || w.at(i) != ",") {
			switch w.at(i) {
			case "(":
				depth++
			case ")":
				depth--
			}
			i++
		}
		act.Cascade = w.at(len(w.toks)-1) == "CASCADE"
		a.add(a.at(w, start), act)
		i++
	}
}

func (a *analyser) createByTokens(w words) {
	act := Action{Verb: Create}
	for i := 1; i < w.skipModifiers(1); i++ {
		switch w.at(i) {
		case "REPLACE":
			act.Verb = Replace
		case "TEMP", "TEMPORARY":
			act.Temporary = true
		case "UNIQUE":
			act.Unique = true
		}
	}
	object, i := w.object(w.skipModifiers(1))
	act.Object = strings.ToLower(object)
	if w.at(i) == "CONCURRENTLY" {
		act.Concurrently = true
		i++
	}
	if w.has(i, "IF", "NOT", "EXISTS") {
		act.IfNotExists = true
		i += 3
	}
	off := a.at(w, i)
	if !(object == "INDEX" && w.at(i) == "ON") {
		act.Schema, act.Name, i = w.name(i)
	}
	on := w.find("ON", i)
	switch {
	case object == "INDEX" && on >= 0:
		on++
		if w.at(on) == "ONLY" {
			on++
		}
		schema, name, _ := w.name(on)
		act.On, act.Schema, act.Definition = qualified(schema, name), schema, a.text
	case (object == "TRIGGER" || object == "POLICY") && on >= 0:
		act.Part = act.Name
		act.Schema, act.Name, _ = w.name(on + 1)
	}
	a.add(off, act)
}

func (a *analyser) dropByTokens(w words) {
	if w.at(1) == "OWNED" {
		a.eachName(w, 3, Action{Verb: Drop, Object: "owned objects"})
		return
	}
	object, i := w.object(1)
	act := Action{Verb: Drop, Object: strings.ToLower(object)}
	if object == "USER MAPPING" {
		i = max(w.find("FOR", i)+1, i)
	}
	if w.at(i) == "CONCURRENTLY" {
		act.Concurrently = true
		i++
	}
	a.eachName(w, i, act)
}

// alterByTokens tries each subcommand of ALTER TABLE alone, so that one the
// grammar does not know hides none of the others.
func (a *analyser) alterByTokens(w words) {
	object, i := w.object(1)
	act := Action{Verb: Alter, Object: strings.ToLower(object), Definition: a.text}
	act.IfExists = w.has(i, "IF", "EXISTS")
	start := i
	if act.IfExists {
		start += 2
	}
	if w.at(start) == "ONLY" {
		start++
	}
	if object != "SYSTEM" && object != "DEFAULT PRIVILEGES" {
		act.Schema, act.Name, _ = w.name(start)
	}
	if object != "TABLE" {
		a.add(a.at(w, start), act)
		return
	}
	offs := a.listOffsets(w.skipName(i))
	for n := range offs {
		a.subcommand(act, offs[n], a.element(offs, n))
	}
}

// subcommand analyses one subcommand of ALTER TABLE by the grammar if it can,
// else by its words.
func (a *analyser) subcommand(act Action, off int, text string) {
	head := "ALTER TABLE " + QuoteName(act.Schema, act.Name) + " "
	if tree, err := a.g.Parse(head + text); err == nil && len(tree.Stmts) == 1 {
		lineOf := func(o int) int { return a.lineOf(off + max(o-len(head), 0)) }
		a.nested(head+text, a.within, lineOf)
		return
	}
	src := &source{text: text, marks: lineMarks(text, 0)}
	pieces, _, err := split(src, false, false)
	act.Definition = text
	if err != nil || len(pieces) != 1 {
		a.add(off, act)
		return
	}
	w := words{text, pieces[0].tokens}
	column := func(i int) string {
		if w.at(i) == "COLUMN" {
			i++
		}
		_, name, _ := w.name(i)
		return name
	}
	switch w.at(0) {
	case "ADD":
		act.Verb, act.Object, act.NotValid = Add, "column", strings.Contains(strings.ToUpper(text), "NOT VALID")
		if w.at(1) == "CONSTRAINT" {
			act.Object = "constraint"
			var i int
			_, act.Part, i = w.name(2)
			act.Definition = w.from(i)
			act.Constraint = constraintKind(w, i)
		} else if kind := constraintKind(w, 1); kind != "" {
			act.Object, act.Constraint = "constraint", kind
			act.Definition = w.from(1)
		} else {
			i := 1
			if w.at(i) == "COLUMN" && len(w.toks) > 2 {
				i++
			}
			act.Part = column(i)
			act.Definition = w.from(i)
		}
	case "DROP":
		act.Verb, act.Object = Drop, "column"
		if w.at(1) == "CONSTRAINT" {
			act.Object = "constraint"
		}
		i := 1
		for w.at(i) == "COLUMN" || w.at(i) == "CONSTRAINT" || w.at(i) == "IF" || w.at(i) == "EXISTS" {
			i++
		}
		act.Part = column(i)
	case "ALTER":
		act.Object, act.Part = "column", column(1)
		if w.at(1) == "CONSTRAINT" {
			act.Object = "constraint"
			_, act.Part, _ = w.name(2)
		}
		if w.find("TYPE", 2) > 0 {
			act.Verb = SetType
		}
	}
	a.add(off, act)
}

func constraintKind(w words, i int) string {
	switch {
	case w.at(i) == "CHECK", w.at(i) == "EXCLUDE", w.at(i) == "UNIQUE":
		return strings.ToLower(w.at(i))
	case w.has(i, "NOT", "NULL"), w.has(i, "PRIMARY", "KEY"), w.has(i, "FOREIGN", "KEY"):
		return strings.ToLower(w.at(i) + " " + w.at(i+1))
	}
	return ""
}

func (a *analyser) maintenanceByTokens(w words) {
	act := Action{Object: "table", Concurrently: w.find("CONCURRENTLY", 0) >= 0}
	i := 1
	if w.at(i) == "(" {
		i = w.find(")", i) + 1
	}
	switch w.at(0) {
	case "REINDEX":
		act.Verb, act.Object = Reindex, strings.ToLower(w.at(i))
		i++
	case "VACUUM":
		if w.find("FULL", 0) < 0 {
			return
		}
		act.Verb = Rewrite
	case "CLUSTER":
		act.Verb = Rewrite
	case "LOCK":
		act.Verb = Lock
	case "REFRESH":
		act.Verb, act.Object = Refresh, "materialized view"
	}
	for {
		switch w.at(i) {
		case "CONCURRENTLY", "TABLE", "FULL", "FREEZE", "VERBOSE", "ANALYZE", "MATERIALIZED", "VIEW", "ONLY":
			i++
			continue
		}
		break
	}
	a.eachName(w, i, act)
}

// dataByTokens finds data changes anywhere in a query.
func (a *analyser) dataByTokens(w words) {
	for i := range w.toks {
		if i > 0 && w.at(i-1) != "(" && w.at(i-1) != ")" {
			continue
		}
		act := Action{Object: "table"}
		at := i + 2
		switch {
		case w.has(i, "DELETE", "FROM"):
			act.Verb = Delete
		case w.has(i, "INSERT", "INTO"):
			act.Verb = Insert
			if n := w.find("DO", i); n > 0 && w.has(n, "DO", "UPDATE", "SET") {
				act.Verb, act.Columns = Upsert, w.setColumns(n+3)
			}
		case w.has(i, "MERGE", "INTO"):
			act.Verb = Upsert
			if n := w.find("SET", i); n > 0 {
				act.Columns = w.setColumns(n + 1)
			}
		case w.at(i) == "UPDATE":
			act.Verb, at = Update, i+1
			if n := w.find("SET", i); n > 0 {
				act.Columns = w.setColumns(n + 1)
			}
		default:
			continue
		}
		if w.at(at) == "ONLY" {
			at++
		}
		act.Schema, act.Name, _ = w.name(at)
		act.HasWhere = w.find("WHERE", at) > 0
		a.add(w.toks[i].start, act)
	}
}

// setColumns reads the columns of a SET list.
func (w words) setColumns(i int) []string {
	var cols []string
	depth := 0
	fresh := true
	for ; i < len(w.toks); i++ {
		switch w.at(i) {
		case "(":
			depth++
		case ")":
			depth--
			if depth < 0 {
				return cols
			}
		case ",":
			fresh = depth == 0
			continue
		case "FROM", "WHERE", "RETURNING":
			if depth == 0 {
				return cols
			}
		}
		if fresh {
			_, name, _ := w.name(i)
			if name != "" {
				cols = append(cols, name)
			}
			fresh = false
		}
	}
	return cols
}
