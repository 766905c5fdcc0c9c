package migration

import (
	"sort"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// assembled is a string put together at run time, as far as it can be read:
// what stays open is the placeholder.
type assembled struct {
	text string
	// off is where its first constant stands in the expression, end the
	// expression's length.
	off, end int
	// line is set where the string was assembled elsewhere (PL/pgSQL's count).
	line int
}

// assemble evaluates an expression that yields SQL. It returns nothing where
// no part of it can be read.
func (a *analyser) assemble(expr string) []assembled {
	const head = "SELECT "
	tree, err := a.g.Parse(head + strings.TrimSpace(expr))
	if err != nil || len(tree.Stmts) != 1 {
		return nil
	}
	list := tree.Stmts[0].Stmt.GetSelectStmt().GetTargetList()
	if len(list) != 1 {
		return nil
	}
	val := list[0].GetResTarget().GetVal()
	var out []assembled
	for _, alt := range alternatives(val) {
		if text, ok := a.read(alt); ok {
			blank := len(expr) - len(strings.TrimLeft(expr, " \t\r\n"))
			out = append(out, assembled{text: text, off: max(firstConstant(alt)-len(head)+blank, 0), end: len(expr)})
		}
	}
	return out
}

// firstConstant is where the first string constant of an expression stands.
func firstConstant(n *pg.Node) int {
	first := -1
	walk(n.ProtoReflect(), func(m proto.Message) bool {
		if c, ok := m.(*pg.A_Const); ok && c.GetSval() != nil && (first < 0 || int(c.Location) < first) {
			first = int(c.Location)
		}
		return true
	})
	return first
}

// alternatives are the values a CASE or COALESCE may yield.
func alternatives(n *pg.Node) []*pg.Node {
	switch {
	case n.GetCaseExpr() != nil:
		var out []*pg.Node
		for _, w := range n.GetCaseExpr().Args {
			out = append(out, alternatives(w.GetCaseWhen().GetResult())...)
		}
		return append(out, alternatives(n.GetCaseExpr().Defresult)...)
	case n.GetCoalesceExpr() != nil:
		var out []*pg.Node
		for _, arg := range n.GetCoalesceExpr().Args {
			out = append(out, alternatives(arg)...)
		}
		return out
	case n == nil:
		return nil
	}
	return []*pg.Node{n}
}

// read returns the text of a string expression; ok means that some of it is
// constant.
func (a *analyser) read(n *pg.Node) (text string, ok bool) {
	switch {
	case n.GetAConst() != nil:
		switch c := n.GetAConst(); {
		case c.GetSval() != nil:
			return c.GetSval().Sval, true
		case c.GetIval() != nil, c.GetFval() != nil, c.GetBoolval() != nil:
			return deparseExpr(a.g, n), true
		}
	case n.GetTypeCast() != nil:
		return a.read(n.GetTypeCast().Arg)
	case n.GetAExpr() != nil:
		e := n.GetAExpr()
		if op := names(e.Name); len(op) == 1 && op[0] == "||" {
			l, lok := a.read(e.Lexpr)
			r, rok := a.read(e.Rexpr)
			return l + r, lok || rok
		}
	case n.GetFuncCall() != nil:
		return a.readCall(n.GetFuncCall())
	}
	return placeholder, false
}

func (a *analyser) readCall(f *pg.FuncCall) (string, bool) {
	parts := names(f.Funcname)
	if len(parts) == 0 {
		return placeholder, false
	}
	arg := func(i int) (string, bool) {
		if i < len(f.Args) {
			return a.read(f.Args[i])
		}
		return placeholder, false
	}
	switch parts[len(parts)-1] {
	case "format":
		if s, ok := arg(0); ok {
			return a.format(s, f.Args[1:], f.FuncVariadic), true
		}
	case "concat", "concat_ws":
		var texts []string
		any := false
		for i := range f.Args {
			s, ok := arg(i)
			texts, any = append(texts, s), any || ok
		}
		if parts[len(parts)-1] == "concat_ws" && len(texts) > 0 {
			return strings.Join(texts[1:], texts[0]), any
		}
		return strings.Join(texts, ""), any
	case "quote_ident":
		if s, ok := arg(0); ok {
			return QuoteIdent(s), true
		}
	case "quote_literal", "quote_nullable":
		if s, ok := arg(0); ok {
			return QuoteLiteral(s), true
		}
		return "'" + placeholder + "'", false
	case "replace":
		s, ok := arg(0)
		from, fromOK := arg(1)
		to, _ := arg(2)
		if ok && fromOK {
			return strings.ReplaceAll(s, from, to), true
		}
		return s, ok
	case "trim", "btrim", "ltrim", "rtrim":
		return arg(0)
	}
	return placeholder, false
}

// format does what format() does: %I, %L, %s, %%, with widths and positions.
func (a *analyser) format(s string, args []*pg.Node, variadic bool) string {
	var b strings.Builder
	next := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		num := 0
		for i < len(s)-1 && (isDigit(s[i]) || s[i] == '-' || s[i] == '$') {
			switch {
			case isDigit(s[i]):
				num = num*10 + int(s[i]-'0')
			case s[i] == '$':
				next, num = num-1, 0
			}
			i++
		}
		text, ok := placeholder, false
		if next >= 0 && next < len(args) && !variadic {
			text, ok = a.read(args[next])
		}
		next++
		switch s[i] {
		case 'I':
			if ok {
				text = QuoteIdent(text)
			}
		case 'L':
			text = QuoteLiteral(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

// assembledSQL analyses an assembled string, unless nothing of it tells what
// it does.
func (a *analyser) assembledSQL(s assembled, within string, lineOf func(off int) int) {
	if strings.HasPrefix(strings.TrimSpace(s.text), placeholder) {
		a.unread(within, lineOf(s.off))
		return
	}
	lineAt := func(off int) int {
		return min(lineOf(s.off)+countLines(s.text[:min(max(off, 0), len(s.text))]), max(lineOf(s.end), lineOf(s.off)))
	}
	a.nested(s.text, within, lineAt)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
