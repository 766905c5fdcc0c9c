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
		p.together(src, pieces, n)
		return nil
	}
	for _, pc := range pieces {
		facts, calls := p.analyse(src, pc)
		p.add(src, pc.start, pc.end, n, facts, calls)
	}
	return nil
}

func (p *myParser) add(src *source, start, end, n int, facts Facts, calls []string) {
	off, line, col := src.position(start)
	p.statements = append(p.statements, Statement{
		File: src.file, Line: line, EndLine: src.line(max(end-1, start)), Column: col, Offset: off,
		SQL: src.text[start:end], Batch: n, Facts: facts,
	})
	p.calls = append(p.calls, calls)
}

// together adds what holds several statements and is sent as one. The server
// refuses it, but not where the project's connection has multiStatements=true,
// so what each would do is kept.
func (p *myParser) together(src *source, pieces []myPiece, n int) {
	facts, calls := p.analyse(src, pieces[0])
	for _, pc := range pieces[1:] {
		more, moreCalls := p.analyse(src, pc)
		facts.Actions, facts.Unread = append(facts.Actions, more.Actions...), append(facts.Unread, more.Unread...)
		facts.ImplicitCommit, facts.NoOp = facts.ImplicitCommit || more.ImplicitCommit, facts.NoOp && more.NoOp
		calls = append(calls, moreCalls...)
	}
	facts.Analysed, facts.NotAnalysed = false, "several statements are sent as one, which the server refuses"
	p.add(src, pieces[0].start, pieces[len(pieces)-1].end, n, facts, calls)
}

// empty adds the statement that a text without any is: the server answers
// "query was empty" (1065), and the tool that sends it fails. A comment alone
// is taken.
func (p *myParser) empty(src *source, n int) {
	p.add(src, 0, 0, n, Facts{Kind: "EMPTY", Analysed: true, NoOp: true}, nil)
}

func (p *myParser) done() []Statement {
	p.unused()
	joinCalls(p.statements, p.calls, strings.ToLower)
	return p.statements
}

func sortedNames(m map[string]*prepared) []string {
	return slices.Sorted(maps.Keys(m))
}
