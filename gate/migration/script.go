package migration

import "strings"

// ParseScript reads a bare SQL text, sent as one string: every statement is of
// batch 0.
func ParseScript(file string, text []byte) ([]Statement, error) {
	src, err := newSource(file, text)
	if err != nil {
		return nil, err
	}
	p := newParser()
	if err := p.batch(src, 0); err != nil {
		return nil, err
	}
	return p.done(), nil
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
	return nil
}

// done joins calls to the bodies that the script itself created before: what
// such a routine does, the statement that calls it does.
func (p *parser) done() []Statement {
	bodies := map[string][]Action{}
	for i := range p.statements {
		f := &p.statements[i].Facts
		if strings.HasPrefix(f.Kind, "CREATE ") {
			for _, act := range f.Actions {
				if r := act.Routine(); r != "" {
					bodies[r] = append(bodies[r], act)
				}
			}
			continue
		}
		for _, name := range p.calls[i] {
			for _, act := range called(bodies, name) {
				act.Within = "call of " + strings.TrimPrefix(strings.TrimPrefix(act.Within, "function "), "procedure ")
				act.Line = p.statements[i].Line
				f.Actions = append(f.Actions, act)
			}
		}
	}
	return p.statements
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
// routine or a rewrite rule) and something later may run it.
func (act Action) Deferred() bool {
	if act.Routine() != "" {
		return true
	}
	for _, part := range strings.Split(act.Within, ", ") {
		if strings.HasPrefix(part, "rule ") {
			return true
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
