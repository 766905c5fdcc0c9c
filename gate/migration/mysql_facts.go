package migration

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// myAnalyser gathers the facts of one MySQL statement. Statements within it
// (bodies, prepared texts) get an analyser of their own that shares the facts.
//
// What a statement does is read from its tokens, clause by clause: MySQL's
// clauses begin with their keyword, lines are exact, and a clause that is not
// known here hides none of the others. The grammar of TiDB, which knows more of
// expressions and less of MySQL, holds the result under test.
type myAnalyser struct {
	p     *myParser
	facts *Facts
	calls *[]string

	w      myWords
	lineOf func(off int) int
	within string
	depth  int
	// top: the statement is sent, so its kind and flags are the facts'.
	top bool
	// odd is the first token that no clause explains.
	odd string
}

// analyse returns the facts of one piece, and the names of what it calls.
func (p *myParser) analyse(src *source, pc myPiece) (Facts, []string) {
	var facts Facts
	var calls []string
	a := &myAnalyser{
		p: p, facts: &facts, calls: &calls, w: pc.words(src.text),
		lineOf: func(off int) int { return src.line(pc.start + off) }, top: true,
	}
	for a.w.at(0) == ";" {
		a.w = a.w.slice(1, len(a.w.toks))
	}
	a.statement()
	if pc.refused != "" {
		facts.Analysed, facts.NotAnalysed = false, pc.refused
	}
	for i := range facts.Actions {
		facts.Actions[i].clean()
	}
	slices.SortStableFunc(facts.Actions, func(x, y Action) int { return cmp.Compare(x.Line, y.Line) })
	return facts, calls
}

// statement analyses a.w.
func (a *myAnalyser) statement() {
	kind := a.w.kind()
	if kind == "CREATE TABLE" && a.tableQuery() > 0 {
		kind = "CREATE TABLE AS"
	}
	if a.p.dialect == MariaDB && outsideRoutine(a.w) {
		kind = compound
	}
	if a.top {
		a.flags(kind)
	}
	if !a.ddl(kind) && !a.data(kind) && !a.utility(kind) && !known[kind] && a.facts.NotAnalysed == "" {
		a.facts.NotAnalysed = strconv.Quote(brief(a.w.render(0, 1))) + " begins no statement that is known here"
	}
	if a.odd != "" && a.facts.NotAnalysed == "" {
		a.facts.NotAnalysed = strconv.Quote(brief(a.odd)) + " is in no form of " + kind + " that is known here"
	}
	a.facts.Analysed = a.facts.NotAnalysed == ""
}

// flags sets what decides how the statement may be sent.
func (a *myAnalyser) flags(kind string) {
	f := a.facts
	f.Kind = kind
	if f.Kind == "" {
		f.Kind = "EMPTY"
	}
	f.ImplicitCommit = commits(kind, temporary(a.w), a.p.dialect == MariaDB)
	a.control(a.w)
	a.online(a.w)
	f.MayCommit = kind == "CALL" || kind == compound
	f.NoOp = isConstantQuery(a.w)
}

func temporary(w myWords) bool {
	for i := 1; i < min(len(w.toks), 5); i++ {
		switch w.at(i) {
		case "TEMPORARY":
			return true
		case "TABLE":
			return false
		}
	}
	return false
}

// add records an action that stands at token i of a.w.
func (a *myAnalyser) add(i int, act Action) {
	act.Line = a.lineOf(a.w.offset(i))
	act.Within = a.within
	a.facts.Actions = append(a.facts.Actions, act)
}

func (a *myAnalyser) unread(within string, i int) {
	a.facts.Unread = append(a.facts.Unread, Unread{Within: within, Line: a.lineOf(a.w.offset(i))})
}

// brief cuts what may be a long string.
func brief(s string) string {
	const most = 40
	if r := []rune(s[:min(len(s), 4*most)]); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// strange notes a token that no clause explains.
func (a *myAnalyser) strange(i int) {
	if a.odd == "" {
		if a.odd = a.w.render(i, i+1); a.odd == "" {
			a.odd = "the end"
		}
	}
}

func (a *myAnalyser) inside(what string) string {
	if a.within == "" {
		return what
	}
	return a.within + ", " + what
}

// sub analyses tokens i up to j as a statement of their own.
func (a *myAnalyser) sub(i, j int, within string) {
	if a.depth >= maxDepth || i >= j {
		return
	}
	s := *a
	s.w, s.within, s.depth, s.odd = a.w.slice(i, j), within, a.depth+1, ""
	s.top = false
	s.statement()
}

// text analyses an SQL text that a statement holds as a string.
func (a *myAnalyser) text(text, within string, lineOf func(off int) int) {
	if a.depth >= maxDepth {
		return
	}
	src := &source{text: text, marks: lineMarks(text, 0)}
	pieces, err := splitMySQL(src, a.p.dialect == MariaDB, &modes{now: a.w.mode, saved: map[string]sqlMode{}})
	if err != nil {
		a.facts.Unread = append(a.facts.Unread, Unread{Within: within, Line: lineOf(0)})
		return
	}
	for _, pc := range pieces {
		s := *a
		s.w, s.within, s.depth, s.odd = pc.words(text), within, a.depth+1, ""
		s.top = false
		s.lineOf = func(off int) int { return lineOf(pc.start + off) }
		s.statement()
	}
}

// ddl reads what makes, changes and drops objects; false for other kinds.
func (a *myAnalyser) ddl(kind string) bool {
	w := a.w
	switch kind {
	case "CREATE TABLE", "CREATE TABLE AS":
		a.createTable()
	case "ALTER TABLE":
		a.alterTable()
	case "CREATE INDEX":
		a.createIndex()
	case "CREATE PROCEDURE", "CREATE FUNCTION", "CREATE TRIGGER", "CREATE EVENT", "ALTER EVENT":
		a.stored(kind)
	case compound:
		a.body("BLOCK", a.within)
	case "CREATE VIEW", "ALTER VIEW":
		a.view()
	case "DROP INDEX":
		a.dropIndex()
	case "RENAME TABLE", "RENAME USER":
		a.renames()
	case "TRUNCATE TABLE":
		i := w.skip(1, "TABLE")
		a.named(i, Action{Verb: Truncate, Object: "table"})
	default:
		verb, object, _ := strings.Cut(kind, " ")
		switch verb {
		case "CREATE", "DROP", "ALTER":
			a.other(verb, object)
		default:
			return false
		}
	}
	return true
}

// named records an action on the table whose name begins at token i and ends
// the statement, and returns the index behind it.
func (a *myAnalyser) named(i int, act Action) int {
	schema, name, next := a.w.name(i)
	act.Schema, act.Name = schema, name
	if name == "" {
		a.strange(i)
		return i
	}
	a.add(i, act)
	return next
}

// other handles objects whose name is all that matters: databases, users, …
func (a *myAnalyser) other(verb, object string) {
	w := a.w
	i := skipCreate(w, 1)
	if w.has(1, "SPATIAL", "REFERENCE") {
		i = 1
	}
	_, i = w.object(i)
	act := Action{Object: strings.ToLower(object), Temporary: temporary(w)}
	switch verb {
	case "CREATE":
		if act.Verb = Create; w.at(1) == "OR" {
			act.Verb = Replace
		}
		if w.has(i, "IF", "NOT", "EXISTS") {
			act.IfNotExists, i = true, i+3
		}
	case "DROP":
		act.Verb = Drop
		if w.has(i, "IF", "EXISTS") {
			act.IfExists, i = true, i+2
		}
	case "ALTER":
		act.Verb, act.Definition = Alter, w.render(0, len(w.toks))
		if w.has(i, "IF", "EXISTS") {
			act.IfExists, i = true, i+2
		}
	}
	if object == "" || i >= len(w.toks) && object != "INSTANCE" {
		a.strange(max(i-1, 0))
		return
	}
	list := [][2]int{{i, len(w.toks)}}
	if verb == "DROP" || object == "USER" || object == "ROLE" {
		list = w.list(i)
	}
	for _, e := range list {
		switch object {
		case "USER", "ROLE":
			end := w.account(e[0])
			act.Schema, act.Name = "", strings.ReplaceAll(w.render(e[0], end), "'", "")
		default:
			var end int
			act.Schema, act.Name, end = w.name(e[0])
			if verb == "DROP" && (object == "TABLE" || object == "VIEW") && w.skip(end, "RESTRICT", "CASCADE", "WAIT", "NOWAIT") < e[1] && w.at(end) != "WAIT" {
				a.strange(end)
			}
			if e[0] < len(w.toks) && w.toks[e[0]].kind == tokNumber {
				act.Name = w.at(e[0]) // of a spatial reference system
			}
		}
		if act.Name == "" && object != "INSTANCE" && !(verb == "ALTER" && object == "DATABASE") {
			a.strange(e[0])
			continue
		}
		a.add(e[0], act)
	}
}

func (a *myAnalyser) dropIndex() {
	w := a.w
	act := Action{Verb: Drop, Object: "index"}
	i := 2
	if w.at(1) != "INDEX" {
		i = skipCreate(w, 1) + 1
	}
	if w.has(i, "IF", "EXISTS") {
		act.IfExists, i = true, i+2
	}
	at := i
	_, act.Name, i = w.name(i)
	if w.at(i) != "ON" || act.Name == "" {
		a.strange(i)
	}
	schema, table, _ := w.name(i + 1)
	act.Schema, act.On = schema, qualified(schema, table)
	if act.Name == "PRIMARY" {
		act = Action{Verb: Drop, Object: "constraint", Schema: schema, Name: table, Part: "PRIMARY", Constraint: "primary key"}
	}
	a.add(at, act)
}

func (a *myAnalyser) renames() {
	w := a.w
	object := "table"
	if w.at(1) == "USER" {
		object = "user"
	}
	i := 2
	ifExists := w.has(i, "IF", "EXISTS")
	if ifExists {
		i += 2
	}
	for _, e := range w.list(i) {
		part := w.slice(0, e[1])
		to := part.find(e[0], "TO")
		if to < 0 {
			a.strange(e[0])
			continue
		}
		if object == "user" {
			a.add(e[0], Action{Verb: Rename, Object: object, Name: strings.ReplaceAll(w.render(e[0], to), "'", ""),
				NewName: strings.ReplaceAll(w.render(to+1, e[1]), "'", "")})
			continue
		}
		schema, name, _ := w.name(e[0])
		a.rename(e[0], schema, name, to+1, ifExists)
	}
}

// rename records the new name, at token i, of a table; it may lie in another
// schema.
func (a *myAnalyser) rename(at int, schema, name string, i int, ifExists bool) {
	newSchema, newName, _ := a.w.name(i)
	if newName == "" || name == "" {
		a.strange(i)
		return
	}
	if newName != name {
		a.add(at, Action{Verb: Rename, Object: "table", Schema: schema, Name: name, NewName: newName, IfExists: ifExists})
	}
	if newSchema != "" && newSchema != schema {
		a.add(at, Action{Verb: SetSchema, Object: "table", Schema: schema, Name: newName, NewName: newSchema, IfExists: ifExists})
	}
}

func (a *myAnalyser) view() {
	w := a.w
	act := Action{Verb: Create, Object: "view"}
	if w.at(0) == "ALTER" || w.has(1, "OR", "REPLACE") {
		act.Verb = Replace
	}
	i := skipCreate(w, 1) + 1
	if w.has(i, "IF", "NOT", "EXISTS") {
		act.IfNotExists, i = true, i+3
	}
	at := i
	act.Schema, act.Name, i = w.name(i)
	as := w.find(i, "AS")
	if act.Name == "" || as < 0 {
		a.strange(i)
		as = len(w.toks)
	}
	end := len(w.toks)
	for k := end - 1; k > as && k > end-5; k-- {
		if w.at(k) == "WITH" && w.is(k+1, "CHECK", "CASCADED", "LOCAL") {
			end = k
			break
		}
	}
	act.Definition = w.render(as+1, end)
	a.add(at, act)
}
