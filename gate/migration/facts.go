package migration

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// analyser gathers the facts of one statement. Nested texts (bodies, assembled
// strings) get an analyser of their own that shares the facts.
type analyser struct {
	g     *dialect
	facts *Facts
	// calls are the routines that are called, for joining them to bodies that
	// the same script creates.
	calls *[]string

	text   string
	toks   []token // of text, offsets within it
	lineOf func(off int) int
	// place is the line and column in the file; nil in nested texts.
	place  func(off int) (line, column int)
	within string
	depth  int
}

// maxDepth bounds texts within texts.
const maxDepth = 8

// analyse returns the facts of one piece, and the names of what it calls.
func analyse(g *dialect, src *source, p piece) (Facts, []string) {
	var facts Facts
	var calls []string
	a := &analyser{
		g: g, facts: &facts, calls: &calls,
		text: src.text[p.start:p.end], toks: p.ownTokens(),
		lineOf: func(off int) int { return src.line(p.start + off) },
		place: func(off int) (int, int) {
			_, line, column := src.position(p.start + off)
			return line, column
		},
	}
	facts.Kind = a.words().kind()
	facts.CopyFromStdin = p.copyStdin
	a.statement(p.escapes)
	slices.SortStableFunc(facts.Actions, func(x, y Action) int { return cmp.Compare(x.Line, y.Line) })
	for i := range facts.Actions {
		facts.Actions[i].clean()
	}
	return facts, calls
}

func (a *analyser) words() words { return words{a.text, a.toks} }

// statement analyses a.text by its tree, or by its tokens where the grammar
// does not know it.
func (a *analyser) statement(escapes bool) {
	text := a.text
	if escapes {
		text = a.conforming()
	}
	tree, err := a.parse(text)
	if err != nil {
		if bare := a.withoutComments(text); bare != text {
			if t, bareErr := a.parse(bare); bareErr == nil {
				tree, err = t, nil
			}
		}
	}
	if err != nil || len(tree.Stmts) == 0 {
		if a.depth == 0 {
			a.flagsByTokens()
			if err != nil {
				a.facts.NotAnalysed = err.Error()
				a.stopped(text, err)
			}
		}
		a.byTokens()
		return
	}
	if a.depth == 0 {
		a.facts.Analysed = true
		a.flags(tree.Stmts[0].Stmt)
	}
	for _, s := range tree.Stmts {
		a.node(s.Stmt)
	}
}

// stopped notes where a syntax error is. The grammar counts characters, from 1.
func (a *analyser) stopped(text string, err error) {
	at := cursor(err)
	if at < 1 || a.place == nil {
		return
	}
	off := len(text)
	for i := range text {
		if at--; at == 0 {
			off = i
			break
		}
	}
	a.facts.ErrorLine, a.facts.ErrorColumn = a.place(off)
}

// maxTree bounds what is parsed into a tree, which takes a hundred times the
// text's memory; larger statements are data, and their words say enough.
const maxTree = 4 << 20

var errTooLarge = errors.New("larger than 4 MiB")

func (a *analyser) parse(text string) (*pg.ParseResult, error) {
	if len(text) > maxTree {
		return nil, errTooLarge
	}
	return a.g.Parse(text)
}

// conforming rewrites \' to ” in plain strings: the grammar reads them as
// standard_conforming_strings=on would. Offsets stay.
func (a *analyser) conforming() string {
	b := []byte(a.text)
	for _, t := range a.toks {
		if t.kind != tokString || b[t.start] != '\'' {
			continue
		}
		for i := t.start + 1; i < t.end-1; i++ {
			if b[i] == '\\' {
				if b[i+1] == '\'' {
					b[i] = '\''
				}
				i++
			}
		}
	}
	return string(b)
}

// withoutComments blanks what stands between tokens: the grammar's build, other
// than the server, lets no string continue behind a comment. Offsets stay.
func (a *analyser) withoutComments(text string) string {
	b := []byte(text)
	end := 0
	for _, t := range append(a.toks, token{start: len(b), end: len(b)}) {
		for i := end; i < t.start; i++ {
			if !isNewline(b[i]) {
				b[i] = ' '
			}
		}
		end = t.end
	}
	return string(b)
}

// add records an action that stands at an offset of a.text (negative: unknown).
func (a *analyser) add(off int, act Action) {
	act.Line = a.lineOf(max(off, 0))
	act.Within = a.within
	a.facts.Actions = append(a.facts.Actions, act)
}

// nested analyses a text that holds statements of its own.
func (a *analyser) nested(text, within string, lineOf func(off int) int) {
	if a.depth >= maxDepth {
		return
	}
	src := &source{text: text, marks: lineMarks(text, 0)}
	pieces, _, err := split(src, false, false)
	if err != nil {
		a.unread(within, lineOf(0))
		return
	}
	for _, p := range pieces {
		sub := &analyser{
			g: a.g, facts: a.facts, calls: a.calls,
			text: text[p.start:p.end], toks: p.ownTokens(),
			lineOf: func(off int) int { return lineOf(p.start + off) },
			within: within, depth: a.depth + 1,
		}
		sub.statement(false)
	}
}

func (a *analyser) inside(what string) string {
	if a.within == "" {
		return what
	}
	return a.within + ", " + what
}

func (a *analyser) unread(within string, line int) {
	a.facts.Unread = append(a.facts.Unread, Unread{Within: within, Line: line})
}

// listOffsets returns where the elements of a comma-separated list stand that
// begins at token i, outside parentheses.
func (a *analyser) listOffsets(i int) []int {
	if i >= len(a.toks) {
		return nil
	}
	offs := []int{a.toks[i].start}
	depth := 0
	for ; i < len(a.toks); i++ {
		if a.toks[i].kind != tokPunct {
			continue
		}
		switch a.text[a.toks[i].start] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ',':
			if depth == 0 && i+1 < len(a.toks) {
				offs = append(offs, a.toks[i+1].start)
			}
		}
	}
	return offs
}

// offset is the nth of a list, or the statement's start.
func offset(offs []int, n int) int {
	if n < len(offs) {
		return offs[n]
	}
	return 0
}

// skipName moves over [IF [NOT] EXISTS] [ONLY] a.b.c [*].
func (w words) skipName(i int) int {
	if w.at(i) == "IF" && (w.at(i+1) == "EXISTS" || w.at(i+1) == "NOT") {
		i += 2
		if w.at(i) == "EXISTS" {
			i++
		}
	}
	if w.at(i) == "ONLY" {
		i++
	}
	i++
	for w.at(i) == "." {
		i += 2
	}
	if w.at(i) == "*" {
		i++
	}
	return i
}

// placeholder stands for what an assembled string leaves open; in facts it
// shows as "?".
const placeholder = "mg_unreadable"

func (act *Action) clean() {
	for _, s := range []*string{&act.Schema, &act.Name, &act.Part, &act.NewName, &act.Type, &act.Refs, &act.On, &act.Definition, &act.Using, &act.Default} {
		*s = strings.ReplaceAll(*s, placeholder, "?")
	}
	for i, c := range act.Columns {
		act.Columns[i] = strings.ReplaceAll(c, placeholder, "?")
	}
}

// node dispatches on the kind of statement. What only carries queries is left
// to dml, which finds data changes wherever they are nested.
func (a *analyser) node(n *pg.Node) {
	if a.tableNode(n) || a.objectNode(n) || a.utilityNode(n) {
		return
	}
	a.dml(n)
}
