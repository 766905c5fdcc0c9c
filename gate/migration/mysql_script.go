package migration

import (
	"maps"
	"slices"
	"strings"
)

// myParser gathers the statements of one script for MySQL, batch by batch.
type myParser struct {
	dialect Dialect
	// single: each batch is sent as one statement (goose). The server refuses
	// whatever follows a semicolon, and then runs nothing of it.
	single bool

	modes *modes
	// autocommitOff: a statement before turned autocommit off.
	autocommitOff bool
	variables     map[string][]assembled
	prepared      map[string]*prepared
	statements    []Statement
	calls         [][]string
}

func newMyParser(opt Options, single bool) *myParser {
	return &myParser{
		dialect: opt.Dialect, single: single, modes: newModes(opt.SQLMode),
		variables: map[string][]assembled{}, prepared: map[string]*prepared{},
	}
}

func (p *myParser) batch(src *source, n int) error {
	pieces, err := splitMySQL(src, p.dialect == MariaDB, p.modes)
	if err != nil {
		return err
	}
	if len(pieces) == 0 && strings.Trim(src.text, "; \t\r\n\v\f") == "" {
		p.empty(src, n)
	}
	if p.single && len(pieces) > 1 {
		pieces = []myPiece{joined(pieces)}
	}
	for _, pc := range pieces {
		off, line, col := src.position(pc.start)
		st := Statement{
			File: src.file, Line: line, EndLine: src.line(pc.end - 1), Column: col, Offset: off,
			SQL: src.text[pc.start:pc.end], Batch: n,
		}
		var calls []string
		st.Facts, calls = p.analyse(src, pc)
		p.statements = append(p.statements, st)
		p.calls = append(p.calls, calls)
	}
	return nil
}

// empty adds the statement that a text without any is: the server answers
// "query was empty" (1065), and the tool that sends it fails. A comment alone
// is taken.
func (p *myParser) empty(src *source, n int) {
	off, line, col := src.position(0)
	p.statements = append(p.statements, Statement{
		File: src.file, Line: line, EndLine: line, Column: col, Offset: off, Batch: n,
		Facts: Facts{Kind: "EMPTY", Analysed: true, NoOp: true},
	})
	p.calls = append(p.calls, nil)
}

// joined makes one piece of several that are sent as one statement.
func joined(pieces []myPiece) myPiece {
	p := pieces[0]
	for _, next := range pieces[1:] {
		p.end = next.end
		p.tokens = append(p.tokens, next.tokens...)
	}
	p.refused = "several statements are sent as one, which the server refuses"
	return p
}

func (p *myParser) done() []Statement {
	p.unused()
	joinCalls(p.statements, p.calls, strings.ToLower)
	return p.statements
}

func sortedNames(m map[string]*prepared) []string {
	return slices.Sorted(maps.Keys(m))
}
