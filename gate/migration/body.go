package migration

import (
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
