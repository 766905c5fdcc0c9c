package migration

import "strings"

// alterTable reads the clauses of ALTER TABLE one by one.
func (a *myAnalyser) alterTable() {
	w := a.w
	i := w.find(1, "TABLE") + 1
	act := Action{Object: "table"}
	if w.has(i, "IF", "EXISTS") {
		act.IfExists, i = true, i+2
	}
	at := i
	act.Schema, act.Name, i = w.name(i)
	if act.Name == "" {
		a.strange(at)
		return
	}
	if w.at(i) == "WAIT" {
		i += 2
	} else {
		i = w.skip(i, "NOWAIT")
	}
	t := myAlter{myTable{a, act}}
	if i == len(w.toks) {
		// No clause at all: it only looks the table up.
		a.add(at, t.part(Alter, "table"))
	}
	for _, e := range t.clauses(i) {
		first := len(a.facts.Actions)
		t.clause(e[0], e[1])
		for k := first; k < len(a.facts.Actions); k++ {
			a.facts.Actions[k].IfExists = a.facts.Actions[k].IfExists || act.IfExists
		}
	}
}

// myAlter reads the clauses of one ALTER TABLE.
type myAlter struct{ myTable }

// clauses cuts the list at its commas, but for those that belong to a clause:
// lists of partitions, ORDER BY; and before what needs no comma.
func (t myAlter) clauses(i int) [][2]int {
	w := t.a.w
	var out [][2]int
	for _, e := range w.list(i) {
		if n := len(out); n > 0 {
			last := out[n-1][0]
			partitions := w.at(last+1) == "PARTITION" && w.at(last) != "ADD" && e[1]-e[0] <= 2 && w.isName(e[0])
			names := w.at(last) == "ORDER" && w.isName(e[0]) && (e[1]-e[0] == 1 || w.is(e[1]-1, "ASC", "DESC"))
			if partitions || names || w.at(last) == "PARTITION" || w.at(last) == "REORGANIZE" {
				out[n-1][1] = e[1]
				continue
			}
		}
		for k, depth := e[0]+1, 0; k < e[1]; k++ {
			switch w.at(k) {
			case "(":
				depth++
			case ")":
				depth--
			}
			if depth == 0 && (w.has(k, "PARTITION", "BY") || w.has(k, "REMOVE", "PARTITIONING")) {
				out = append(out, [2]int{e[0], k})
				e[0] = k
				break
			}
		}
		out = append(out, e)
	}
	return out
}

// clause reads one clause, at tokens i up to j.
func (t myAlter) clause(i, j int) {
	w := t.a.w
	if w.at(i+1) == "PARTITION" && w.at(i) != "ADD" || w.is(i, "REORGANIZE", "COALESCE", "EXCHANGE", "REBUILD") || w.has(i, "ADD", "PARTITION") ||
		w.has(i, "CONVERT", "TABLE") {
		t.partition(i, j)
		return
	}
	switch w.at(i) {
	case "ADD":
		t.addClause(i, j)
	case "DROP":
		t.dropClause(i, j)
	case "MODIFY":
		k, ifExists := t.skipColumn(i + 1)
		t.change(i, k, k, j, ifExists)
	case "CHANGE":
		k, ifExists := t.skipColumn(i + 1)
		t.change(i, k, k+1, j, ifExists)
	case "ALTER":
		t.alterClause(i, j)
	case "RENAME":
		t.renameClause(i, j)
	case "DISCARD":
		act := t.part(Truncate, "table")
		act.Definition = w.render(i, j)
		t.a.add(i, act)
	case "ALGORITHM", "LOCK":
		if j-i > 1 && !(j-i <= 3) {
			t.a.strange(i + 3)
		}
	case "":
		t.a.strange(i)
	default:
		t.whole(i, j)
	}
}

// whole is a clause that concerns the table as a whole: its engine, its
// character set, its options, its partitioning.
func (t myAlter) whole(i, j int) {
	w := t.a.w
	act := t.part(Alter, "table")
	act.Definition = w.render(i, j)
	t.a.add(i, act)
	switch w.at(i) {
	case "CONVERT", "ENABLE", "DISABLE", "IMPORT", "ORDER", "REMOVE", "PARTITION", "SECONDARY_LOAD", "SECONDARY_UNLOAD", "FORCE":
	default:
		t.options(i, j)
	}
}

// skipColumn moves over [COLUMN] [IF [NOT] EXISTS].
func (t myAlter) skipColumn(i int) (next int, conditional bool) {
	w := t.a.w
	if w.at(i) == "COLUMN" {
		i++
	}
	switch {
	case w.has(i, "IF", "EXISTS"):
		return i + 2, true
	case w.has(i, "IF", "NOT", "EXISTS"):
		return i + 3, true
	}
	return i, false
}

func (t myAlter) addClause(i, j int) {
	w := t.a.w
	if w.has(i+1, "SYSTEM", "VERSIONING") || w.has(i+1, "PERIOD", "FOR") {
		act := t.part(Alter, "table")
		act.Definition = w.render(i, j)
		t.a.add(i, act)
		return
	}
	if w.at(i+1) != "COLUMN" && t.constraint(i+1, j) {
		return
	}
	k, ifNotExists := t.skipColumn(i + 1)
	first := len(t.a.facts.Actions)
	if w.at(k) == "(" {
		for _, e := range w.slice(0, w.closing(k)).list(k + 1) {
			t.element(e[0], e[1], true)
		}
	} else {
		t.column(k, j, true)
	}
	if ifNotExists {
		for n := first; n < len(t.a.facts.Actions); n++ {
			t.a.facts.Actions[n].IfNotExists = true
		}
	}
}

// change reads MODIFY (the name stands once) and CHANGE (it stands twice).
func (t myAlter) change(at, oldAt, newAt, j int, ifExists bool) {
	w := t.a.w
	if !w.isName(oldAt) || !w.isName(newAt) {
		t.a.strange(at)
		return
	}
	before, now := w.ident(oldAt), w.ident(newAt)
	if before != now {
		act := t.part(Rename, "column")
		act.Part, act.NewName, act.IfExists = before, now, ifExists
		t.a.add(at, act)
	}
	c := t.definition(now, newAt+1, j)
	act := c.Action
	act.Verb, act.Definition, act.IfExists = SetType, w.render(newAt, j), ifExists
	t.a.add(at, act)
	t.implied(c)
}

func (t myAlter) dropClause(i, j int) {
	w := t.a.w
	act := t.part(Drop, "column")
	at := i
	ifExists := func() {
		if w.has(i, "IF", "EXISTS") {
			act.IfExists, i = true, i+2
		}
	}
	switch i++; {
	case w.has(i, "PRIMARY", "KEY"):
		act.Object, act.Part, act.Constraint = "constraint", "PRIMARY", "primary key"
		t.a.add(at, act)
		return
	case w.has(i, "FOREIGN", "KEY"):
		act.Object, act.Constraint, i = "constraint", "foreign key", i+2
	case w.at(i) == "CHECK":
		act.Object, act.Constraint, i = "constraint", "check", i+1
	case w.at(i) == "CONSTRAINT":
		act.Object, i = "constraint", i+1
	case w.is(i, "INDEX", "KEY"):
		i++
		ifExists()
		index := t.part(Drop, "index")
		index.Name, index.On, index.IfExists = w.ident(i), qualified(t.table.Schema, t.table.Name), act.IfExists
		t.a.add(at, index)
		return
	case w.has(i, "SYSTEM", "VERSIONING"), w.has(i, "PERIOD", "FOR"):
		act = t.part(Alter, "table")
		act.Definition = w.render(at, j)
		t.a.add(at, act)
		return
	case w.at(i) == "COLUMN":
		i++
	}
	ifExists()
	act.Part = w.ident(i)
	if !w.isName(i) || w.skip(i+1, "RESTRICT", "CASCADE") < j {
		t.a.strange(i)
	}
	t.a.add(at, act)
}

// alterClause reads ALTER [COLUMN] c, ALTER INDEX i, ALTER CHECK c.
func (t myAlter) alterClause(i, j int) {
	w := t.a.w
	act := t.part(Alter, "column")
	act.Definition = w.render(i, j)
	switch {
	case w.is(i+1, "INDEX", "KEY"):
		act.Object, act.Name, act.On = "index", w.ident(i+2), qualified(t.table.Schema, t.table.Name)
		t.a.add(i, act)
		return
	case w.is(i+1, "CHECK", "CONSTRAINT"):
		act.Object, act.Part = "constraint", w.ident(i+2)
		t.a.add(i, act)
		return
	}
	k, ifExists := t.skipColumn(i + 1)
	act.Part, act.IfExists = w.ident(k), ifExists
	switch {
	case w.has(k+1, "SET", "DEFAULT"):
		act.Verb, act.Default, act.Definition = SetDefault, w.render(k+3, j), ""
	case w.has(k+1, "DROP", "DEFAULT"):
		act.Verb, act.Definition = DropDefault, ""
	case w.at(k+1) == "SET" && w.is(k+2, "VISIBLE", "INVISIBLE"):
	default:
		t.a.strange(k + 1)
	}
	t.a.add(i, act)
}

func (t myAlter) renameClause(i, j int) {
	w := t.a.w
	switch object := strings.ToLower(w.at(i + 1)); object {
	case "column", "index", "key":
		k, ifExists := t.skipColumn(i + 2)
		to := w.slice(0, j).find(k, "TO")
		if to < 0 {
			t.a.strange(k)
			return
		}
		act := t.part(Rename, "column")
		act.NewName, act.IfExists = w.ident(to+1), ifExists
		if object == "column" {
			act.Part = w.ident(k)
		} else {
			act.Object, act.Name, act.On = "index", w.ident(k), qualified(t.table.Schema, t.table.Name)
		}
		t.a.add(i, act)
	default:
		t.a.rename(i, t.table.Schema, t.table.Name, w.skip(i+1, "TO", "AS", "="), false)
	}
}

// partition reads the clauses on partitions, which stand alone.
func (t myAlter) partition(i, j int) {
	w := t.a.w
	act := t.part(Alter, "partition")
	act.Definition = w.render(i, j)
	k := w.skip(w.skip(i+2, "NO_WRITE_TO_BINLOG"), "LOCAL")
	if w.has(k, "IF", "EXISTS") {
		act.IfExists, k = true, k+2
	} else if w.has(k, "IF", "NOT", "EXISTS") {
		act.IfNotExists, k = true, k+3
	}
	switch w.at(i) {
	case "ADD":
		act.Verb = Add
		if w.at(k) == "(" {
			for _, e := range w.slice(0, w.closing(k)).list(k + 1) {
				one := act
				one.Part, one.Definition = w.ident(e[0]+1), w.render(e[0], e[1])
				t.a.add(e[0], one)
			}
			return
		}
	case "DROP":
		act.Verb = Drop
	case "TRUNCATE":
		act.Verb = Truncate
	case "DISCARD":
		act.Verb = Truncate
	case "EXCHANGE":
		// The rows change places with those of another table.
		act.Part = w.ident(i + 2)
		t.a.add(i, act)
		if with := w.find(i, "TABLE"); with > 0 {
			other := Action{Verb: Alter, Object: "table", Definition: act.Definition}
			other.Schema, other.Name, _ = w.name(with + 1)
			t.a.add(with, other)
		}
		return
	case "CONVERT":
		act.Verb = Detach
		if w.at(i+1) == "TABLE" {
			act.Verb = Attach
			schema, name, next := w.name(i + 2)
			act.NewName = qualified(schema, name)
			k = w.find(next, "PARTITION") + 1
		} else if to := w.find(i, "TABLE"); to > 0 {
			schema, name, _ := w.name(to + 1)
			act.NewName = qualified(schema, name)
		}
		act.Part = w.ident(k)
		t.a.add(i, act)
		return
	case "COALESCE":
		t.a.add(i, act)
		return
	}
	if w.at(k) == "PARTITIONS" {
		k = j
	}
	found := false
	for _, e := range w.slice(0, j).list(k) {
		if !w.isName(e[0]) || w.at(e[0]) == "INTO" {
			break
		}
		one := act
		if one.Part = w.ident(e[0]); w.at(e[0]) == "ALL" && w.toks[e[0]].kind == tokWord {
			one.Part = ""
		}
		t.a.add(e[0], one)
		found = true
		if w.at(e[0]+1) == "INTO" {
			break
		}
	}
	if !found {
		t.a.add(i, act)
	}
}
