package migration

import "strings"

// ParseScript reads a bare SQL text, sent as one string: every statement is of
// batch 0.
// The dialect is PostgreSQL's.
func ParseScript(file string, text []byte) ([]Statement, error) {
	return ParseScriptWith(file, text, Options{})
}

// ParseScriptWith reads a bare SQL text in the dialect that the options name,
// under their SQLMode; the other options play no part. For MySQL the text is
// cut as the server cuts what a driver sends with multiStatements=true.
func ParseScriptWith(file string, text []byte, opt Options) ([]Statement, error) {
	src, err := newDialectSource(opt.Dialect, file, text)
	if err != nil {
		return nil, err
	}
	p := newScriptReader(opt, false)
	if err := p.batch(src, 0); err != nil {
		return nil, err
	}
	statements := p.done()
	standAlone(text, statements)
	return statements, nil
}

// scriptReader gathers the statements of one script, batch by batch: each is
// what the tool sends as one string.
type scriptReader interface {
	batch(src *source, n int) error
	done() []Statement
}

// newScriptReader returns the dialect's. single says that the tool sends each
// batch as one statement, where that makes a difference (MySQL's drivers).
func newScriptReader(opt Options, single bool) scriptReader {
	if opt.Dialect.IsMySQL() {
		return newMyParser(opt, single)
	}
	return newParser()
}

// parser gathers the statements of one script, batch by batch.
type parser struct {
	g          *dialect
	escapes    bool
	statements []Statement
	calls      [][]string
}

func newParser() *parser { return &parser{g: newDialect()} }

// batch adds what the tool sends as one string.
func (p *parser) batch(src *source, n int) error {
	pieces, escapes, err := split(src, p.escapes, true)
	if err != nil {
		return err
	}
	p.escapes = escapes
	p.add(src, pieces, n)
	return nil
}

// psql adds a file as psql sends it: each statement by itself.
func (p *parser) psql(src *source) error {
	pieces, err := splitPSQL(src)
	if err != nil {
		return err
	}
	for i, pc := range pieces {
		p.add(src, []piece{pc}, i)
	}
	return nil
}

func (p *parser) add(src *source, pieces []piece, n int) {
	for _, pc := range pieces {
		off, line, col := src.position(pc.start)
		st := Statement{
			File: src.file, Line: line, EndLine: src.line(pc.dataEnd - 1), Column: col, Offset: off,
			SQL: src.text[pc.start:pc.end], Batch: n, CopyData: pc.copyData,
		}
		var calls []string
		st.Facts, calls = analyse(p.g, src, pc)
		p.statements = append(p.statements, st)
		p.calls = append(p.calls, calls)
	}
}

// done joins calls to the bodies that the script itself created before: what
// such a routine does, the statement that calls it does.
func (p *parser) done() []Statement {
	joinCalls(p.statements, p.calls, func(name string) string { return name })
	return p.statements
}

// joinCalls adds to each statement what the routines that it calls do, if the
// statements before it create them. fold makes names comparable.
func joinCalls(statements []Statement, calls [][]string, fold func(string) string) {
	bodies := map[string][]Action{}
	for i := range statements {
		f := &statements[i].Facts
		if strings.HasPrefix(f.Kind, "CREATE ") {
			for _, act := range f.Actions {
				if r := act.Routine(); r != "" {
					bodies[fold(r)] = append(bodies[fold(r)], act)
				}
			}
			continue
		}
		for _, name := range calls[i] {
			for _, act := range called(bodies, fold(name)) {
				act.Within = "call of " + strings.TrimPrefix(strings.TrimPrefix(act.Within, "function "), "procedure ")
				act.Line = statements[i].Line
				f.Actions = append(f.Actions, act)
			}
		}
	}
}

// called finds a body by the name it is called by; with a schema on one side
// only, the search path decides, and the bare names are compared.
func called(bodies map[string][]Action, name string) []Action {
	if acts := bodies[name]; acts != nil {
		return acts
	}
	_, bare, hasSchema := strings.Cut(name, ".")
	if hasSchema {
		return bodies[bare]
	}
	for key, acts := range bodies {
		if _, bare, ok := strings.Cut(key, "."); ok && bare == name {
			return acts
		}
	}
	return nil
}

// Routine names the function or procedure in whose body the action was found,
// or is empty. Such a body is created by the statement, not executed.
func (act Action) Routine() string {
	for _, part := range strings.Split(act.Within, ", ") {
		for _, kind := range []string{"function ", "procedure "} {
			if name, ok := strings.CutPrefix(part, kind); ok {
				return name
			}
		}
	}
	return ""
}

// Deferred reports whether the statement only lays the action down (in a
// routine, a rewrite rule, or a trigger or event of MySQL) and something later
// may run it.
func (act Action) Deferred() bool {
	if act.Routine() != "" {
		return true
	}
	for _, part := range strings.Split(act.Within, ", ") {
		for _, kind := range []string{"rule ", "trigger ", "event "} {
			if strings.HasPrefix(part, kind) {
				return true
			}
		}
	}
	return false
}

// ConcurrentIndex spells an index's Definition as CREATE INDEX CONCURRENTLY,
// with the name given where it has none.
func (act Action) ConcurrentIndex() string {
	def := act.Definition
	for _, head := range []string{"CREATE UNIQUE INDEX ", "CREATE INDEX "} {
		if rest, ok := strings.CutPrefix(def, head); ok && !strings.HasPrefix(rest, "CONCURRENTLY ") {
			return head + "CONCURRENTLY " + rest
		}
	}
	return def
}

// FirstLine is the statement's first line, for showing.
func (s Statement) FirstLine() string {
	line, _, more := strings.Cut(strings.ReplaceAll(s.SQL, "\r", "\n"), "\n")
	if more {
		return strings.TrimSpace(line) + " …"
	}
	return line
}
