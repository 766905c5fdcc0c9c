package migration

import (
	"encoding/json"
	"strings"
)

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
	p.a.nested(sql, p.within, p.lineFunc(sql, line))
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
