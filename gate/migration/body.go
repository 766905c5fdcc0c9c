package migration

import (
	"encoding/json"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// body is the text of a routine or DO block: a string constant, decoded.
type body struct {
	text string
	// start is the offset of its first byte in the statement, end that behind its last.
	start, end int
	// exact: every byte of text stands at start + its offset.
	exact bool
}

// bodyOf decodes a string constant.
func bodyOf(text string, t token) body {
	s := text[t.start:t.end]
	if t.kind == tokDollar {
		tag := strings.IndexByte(s[1:], '$') + 2
		return body{s[tag : len(s)-tag], t.start + tag, t.end - tag, true}
	}
	open := strings.IndexByte(s, '\'')
	inner := s[open+1 : len(s)-1]
	b := body{start: t.start + open + 1, end: t.end - 1, exact: true}
	if open > 0 && s[0]|0x20 == 'e' {
		inner, b.exact = unescape(inner), false
	}
	if strings.Contains(inner, "''") {
		inner, b.exact = strings.ReplaceAll(inner, "''", "'"), false
	}
	b.text = inner
	return b
}

// unescape resolves the escapes of E'…' that a body is likely to hold.
func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\'`, `''`, `\n`, "\n", `\r`, "\r", `\t`, "\t").Replace(s)
}

// bodyLines maps offsets in a body to lines of the file: to the byte where the
// body stands as it is written, else by counting its lines.
func (a *analyser) bodyLines(b body) func(off int) int {
	return func(off int) int {
		if b.exact {
			return a.lineOf(b.start + off)
		}
		// Escapes may stand for line breaks that the file does not have.
		return min(a.lineOf(b.start)+countLines(b.text[:min(off, len(b.text))]), a.lineOf(b.end))
	}
}

func countLines(s string) int {
	n := strings.Count(s, "\n")
	for i := 0; i < len(s); i++ {
		if s[i] == '\r' && (i+1 == len(s) || s[i+1] != '\n') {
			n++
		}
	}
	return n
}

// lineStart is the offset of the nth line (1-based) of a text, by LF alone, as
// PL/pgSQL counts.
func lineStart(s string, n int) int {
	off := 0
	for ; n > 1; n-- {
		i := strings.IndexByte(s[off:], '\n')
		if i < 0 {
			return off
		}
		off += i + 1
	}
	return off
}

// findBody finds the string constant outside parentheses that reads want.
func (a *analyser) findBody(want string) (body, bool) {
	depth := 0
	for _, t := range a.toks {
		switch t.kind {
		case tokPunct:
			switch a.text[t.start] {
			case '(':
				depth++
			case ')':
				depth--
			}
		case tokString, tokDollar:
			if b := bodyOf(a.text, t); depth == 0 && (b.text == want || strings.ReplaceAll(b.text, "\r\n", "\n") == want) {
				return b, true
			}
		}
	}
	return body{text: want, end: len(a.text)}, false
}

func (a *analyser) doBlock(s *pg.DoStmt) {
	language, text := "plpgsql", ""
	for _, n := range s.Args {
		switch d := n.GetDefElem(); d.GetDefname() {
		case "language":
			language = strings.ToLower(d.Arg.GetString_().GetSval())
		case "as":
			text = d.Arg.GetString_().GetSval()
		}
	}
	b, found := a.findBody(text)
	if !found && text == "" {
		return
	}
	within := a.inside("DO block")
	if language != "plpgsql" {
		a.facts.MayCommit = a.facts.MayCommit || mentionsCommit(text)
		a.unread(within, a.lineOf(b.start))
		return
	}
	a.plpgsql(b, within, true)
}

func mentionsCommit(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "commit") || strings.Contains(s, "rollback") || strings.Contains(s, "call")
}

func (a *analyser) createRoutine(s *pg.CreateFunctionStmt) {
	object := "function"
	if s.IsProcedure {
		object = "procedure"
	}
	act := Action{Verb: createVerb(s.Replace), Object: object}
	act.Schema, act.Name = schemaAndName(names(s.Funcname))
	a.add(0, act)

	within := a.inside(object + " " + qualified(act.Schema, act.Name))
	if s.SqlBody != nil {
		a.atomicBody(s.SqlBody, within)
		return
	}
	language, text := "sql", ""
	for _, n := range s.Options {
		switch d := n.GetDefElem(); d.GetDefname() {
		case "language":
			language = strings.ToLower(d.Arg.GetString_().GetSval())
		case "as":
			if l := d.Arg.GetList(); l != nil && len(l.Items) == 1 {
				text = l.Items[0].GetString_().GetSval()
			}
		}
	}
	b, found := a.findBody(text)
	if !found && text == "" {
		return
	}
	switch language {
	case "sql":
		a.nested(b.text, within, a.bodyLines(b))
	case "plpgsql":
		a.plpgsql(b, within, false)
	case "c", "internal":
	default:
		a.unread(within, a.lineOf(b.start))
	}
}

// atomicBody analyses BEGIN ATOMIC … END, or RETURN expression, which the
// grammar has read already.
func (a *analyser) atomicBody(n *pg.Node, within string) {
	outer := a.within
	a.within = within
	defer func() { a.within = outer }()
	if l := n.GetList(); l != nil {
		for _, item := range l.Items {
			a.atomicBody(item, within)
		}
		return
	}
	a.dml(n)
}

// plBody walks the statements of a PL/pgSQL body.
type plBody struct {
	a      *analyser
	body   body
	within string
	lines  func(off int) int
	// strings that were assigned to each variable, for EXECUTE of it.
	assigned map[string][]assembled
	commits  bool
}

// plpgsql reads a PL/pgSQL body. Whatever it executes is recorded; where the
// grammar does not know it, a rough reading by tokens takes over.
func (a *analyser) plpgsql(b body, within string, executed bool) {
	lines := a.bodyLines(b)
	executed = executed && !Action{Within: within}.Deferred()
	out, err := a.g.ParsePlPgSQL(a.text)
	var funcs []map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(out), &funcs)
	}
	if err != nil || len(funcs) == 0 {
		if executed && mentionsCommit(b.text) {
			a.facts.MayCommit = true
		}
		a.roughBody(b.text, within, lines)
		return
	}
	p := &plBody{a: a, body: b, within: within, lines: lines, assigned: map[string][]assembled{}}
	for _, f := range funcs {
		p.assignments(f, 1)
	}
	for _, f := range funcs {
		p.visit(f, 1)
	}
	if executed && p.commits {
		a.facts.MayCommit = true
	}
}

// children calls f for every object inside v, with the line that holds there.
func children(v any, line int, f func(key string, obj map[string]any, line int)) {
	switch v := v.(type) {
	case map[string]any:
		if n, ok := v["lineno"].(float64); ok {
			line = int(n)
		}
		for _, key := range sortedKeys(v) {
			switch c := v[key].(type) {
			case map[string]any:
				f(key, c, line)
			case []any:
				for _, e := range c {
					if m, ok := e.(map[string]any); ok {
						f(key, m, line)
					}
				}
			}
		}
	}
}

// query returns the text of an expression node.
func query(v any) string {
	m, _ := v.(map[string]any)
	e, _ := m["PLpgSQL_expr"].(map[string]any)
	s, _ := e["query"].(string)
	return s
}

func lineOfNode(m map[string]any, line int) int {
	if n, ok := m["lineno"].(float64); ok {
		return int(n)
	}
	return line
}

// assignments collects the strings that variables get, before anything is
// executed: a loop may run them in any order.
func (p *plBody) assignments(v map[string]any, line int) {
	children(v, line, func(key string, obj map[string]any, line int) {
		at := lineOfNode(obj, line)
		switch key {
		case "PLpgSQL_var":
			if q := query(obj["default_val"]); q != "" {
				name, _ := obj["refname"].(string)
				p.assign(name, q, at)
			}
		case "PLpgSQL_stmt_assign":
			if name, expr, ok := strings.Cut(query(obj["expr"]), ":="); ok {
				p.assign(name, expr, at)
			} else if name, expr, ok := strings.Cut(query(obj["expr"]), "="); ok {
				p.assign(name, expr, at)
			}
		case "PLpgSQL_stmt_fors":
			p.assignRow(obj, at)
		}
		p.assignments(obj, at)
	})
}

func (p *plBody) assign(name, expr string, line int) {
	name = strings.ToLower(strings.TrimSpace(name))
	for _, s := range p.a.assemble(expr) {
		s.line = line
		p.assigned[name] = append(p.assigned[name], s)
	}
}

// assignRow: FOR r IN SELECT 'DROP …' || x AS stmt makes r.stmt executable.
func (p *plBody) assignRow(obj map[string]any, line int) {
	q := query(obj["query"])
	tree, err := p.a.g.Parse(q)
	if err != nil || len(tree.Stmts) != 1 {
		return
	}
	for _, t := range tree.Stmts[0].Stmt.GetSelectStmt().GetTargetList() {
		s, ok := p.a.read(t.GetResTarget().GetVal())
		if !ok {
			continue
		}
		name := strings.ToLower(t.GetResTarget().GetName())
		for _, key := range []string{"row." + name, "row"} {
			p.assigned[key] = append(p.assigned[key], assembled{text: s, line: line})
		}
	}
}

// visit records what the statements of a body do.
func (p *plBody) visit(v map[string]any, line int) {
	children(v, line, func(key string, obj map[string]any, line int) {
		at := lineOfNode(obj, line)
		switch key {
		case "PLpgSQL_stmt_commit", "PLpgSQL_stmt_rollback":
			p.commits = true
		case "PLpgSQL_stmt_call":
			// Also a DO, which says itself whether it commits.
			call := query(obj["expr"])
			p.commits = p.commits || !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(call)), "DO")
			p.static(call, at)
			return
		case "PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors":
			p.dynamic(query(obj["query"]), at)
		case "PLpgSQL_stmt_return_query", "PLpgSQL_stmt_open":
			if q := query(obj["dynquery"]); q != "" {
				p.dynamic(q, at)
			}
			if q := query(obj["query"]); q != "" {
				p.static(q, at)
			}
		case "PLpgSQL_stmt_execsql":
			p.static(query(obj["sqlstmt"]), at)
		case "PLpgSQL_stmt_perform", "PLpgSQL_stmt_fors":
			for _, k := range []string{"expr", "query"} {
				if q := query(obj[k]); q != "" {
					p.static(q, at)
				}
			}
		case "PLpgSQL_stmt_assign":
			// The right side may call a routine.
			if _, expr, ok := strings.Cut(query(obj["expr"]), "="); ok {
				p.static("SELECT "+expr, at)
			}
		}
		p.visit(obj, at)
	})
}

// lineFunc maps offsets of a statement's text, which begins on a line of the
// body, to lines of the file.
func (p *plBody) lineFunc(text string, line int) func(off int) int {
	start := lineStart(p.body.text, line)
	if head := strings.TrimSpace(text); head != "" {
		if i := strings.Index(p.body.text[start:], head); i >= 0 {
			base := start + i - strings.Index(text, head)
			return func(off int) int { return p.lines(base + off) }
		}
	}
	first := p.lines(start)
	return func(off int) int { return first + countLines(text[:min(max(off, 0), len(text))]) }
}

func (p *plBody) static(sql string, line int) {
	p.a.nestedAs(sql, p.within, p.lineFunc(sql, line))
}

// nestedAs is nested for a single statement whose place is known.
func (a *analyser) nestedAs(sql, within string, lineOf func(off int) int) {
	a.nested(sql, within, lineOf)
}

// dynamic records what EXECUTE runs, as far as its parts can be read.
func (p *plBody) dynamic(expr string, line int) {
	within := p.within + ", EXECUTE string"
	lineOf := p.lineFunc(expr, line)
	texts := p.a.assemble(expr)
	if len(texts) == 0 {
		texts = p.variable(expr)
	}
	if len(texts) == 0 {
		p.a.unread(within, lineOf(0))
		return
	}
	for _, s := range texts {
		at := lineOf
		if s.line > 0 {
			first := p.lines(lineStart(p.body.text, s.line))
			at = func(int) int { return first }
		}
		p.a.assembledSQL(s, within, at)
	}
}

// variable returns what was assigned to the variable or row field that expr
// names.
func (p *plBody) variable(expr string) []assembled {
	name := strings.ToLower(strings.TrimSpace(expr))
	if texts := p.assigned[name]; len(texts) > 0 {
		return texts
	}
	if _, field, ok := strings.Cut(name, "."); ok {
		return p.assigned["row."+field]
	}
	return nil
}

// roughBody reads a body the grammar does not know: whatever stands where a
// statement may begin and looks like one.
func (a *analyser) roughBody(text, within string, lineOf func(off int) int) {
	l := lexer{s: text}
	var toks []token
	for {
		t, err := l.next()
		if err != nil {
			a.unread(within, lineOf(0))
			return
		}
		if t.kind == tokEnd {
			break
		}
		toks = append(toks, t)
	}
	w := words{text, toks}
	for i := 0; i < len(toks); i++ {
		if i > 0 {
			switch w.at(i - 1) {
			case ";", "BEGIN", "THEN", "ELSE", "LOOP":
			default:
				continue
			}
		}
		switch w.at(i) {
		case "CREATE", "ALTER", "DROP", "TRUNCATE", "DELETE", "UPDATE", "INSERT", "MERGE", "WITH", "EXECUTE", "PERFORM", "CALL":
		default:
			continue
		}
		end := i
		for end < len(toks) && w.at(end) != ";" {
			end++
		}
		a.roughStatement(text, toks[i:end], within, lineOf)
		i = end - 1
	}
}

func (a *analyser) roughStatement(text string, toks []token, within string, lineOf func(off int) int) {
	start, end := toks[0].start, toks[len(toks)-1].end
	at := func(off int) int { return lineOf(start + off) }
	w := words{text, toks}
	if w.at(0) != "EXECUTE" {
		sql := text[start:end]
		if w.at(0) == "PERFORM" {
			sql = "SELECT " + strings.TrimSpace(sql[len("PERFORM"):])
		}
		a.nested(sql, within, at)
		return
	}
	for i := range toks {
		if s := w.at(i); s == "USING" || s == "INTO" {
			end = toks[i].start
			break
		}
	}
	within += ", EXECUTE string"
	texts := a.assemble(text[toks[0].end:end])
	if len(texts) == 0 {
		a.unread(within, at(0))
	}
	for _, s := range texts {
		a.assembledSQL(s, within, at)
	}
}
