package migration

import (
	"slices"
	"strings"
)

// sqlMode is what of sql_mode changes how a text is read.
type sqlMode uint8

const (
	ansiQuotes sqlMode = 1 << iota
	noBackslashEscapes
	pipesAsConcat
)

// modeNames are the modes that are kept, and those that stand for several
// (the last ones are MariaDB's).
var modeNames = map[string]sqlMode{
	"ANSI_QUOTES": ansiQuotes, "NO_BACKSLASH_ESCAPES": noBackslashEscapes, "PIPES_AS_CONCAT": pipesAsConcat,
	"ANSI": ansiQuotes | pipesAsConcat, "ORACLE": ansiQuotes | pipesAsConcat, "MSSQL": ansiQuotes | pipesAsConcat,
	"DB2": ansiQuotes | pipesAsConcat, "POSTGRESQL": ansiQuotes | pipesAsConcat, "MAXDB": ansiQuotes | pipesAsConcat,
}

func parseMode(s string) sqlMode {
	var m sqlMode
	for _, name := range strings.Split(s, ",") {
		m |= modeNames[strings.ToUpper(strings.TrimSpace(name))]
	}
	return m
}

// modes follows sql_mode through a script: the server reads each statement
// under the mode that the ones before left, also within one packet.
type modes struct {
	initial, now sqlMode
	saved        map[string]sqlMode // by user variable
}

func newModes(s string) *modes {
	m := parseMode(s)
	return &modes{m, m, map[string]sqlMode{}}
}

// follow takes note of a SET.
func (m *modes) follow(w myWords) {
	if w.at(0) != "SET" {
		return
	}
	for _, part := range w.list(1) {
		target, i := w.setTarget(part[0])
		value := w.slice(i, part[1])
		switch {
		case target == "sql_mode":
			if mode, ok := m.eval(value, 0); ok {
				m.now = mode
			}
		case strings.HasPrefix(target, "@"):
			if mode, ok := m.eval(value, 0); ok && slices.ContainsFunc(value.toks, func(t token) bool { return t.kind == tokParam }) {
				m.saved[target] = mode
			}
		}
	}
}

// eval reads the value of a mode; ok is false where it is not known.
func (m *modes) eval(w myWords, depth int) (sqlMode, bool) {
	if len(w.toks) == 0 || depth > maxNesting {
		return 0, false
	}
	switch first := w.at(0); {
	case len(w.toks) == 1 && first == "DEFAULT":
		return m.initial, true
	case len(w.toks) == 1 && w.toks[0].kind == tokString:
		return parseMode(unquoteString(first, false)), true
	case len(w.toks) == 1 && w.toks[0].kind == tokWord:
		return parseMode(first), true
	case len(w.toks) == 1 && w.toks[0].kind == tokParam:
		name := strings.ToLower(first)
		if variableName(name) == "sql_mode" {
			return m.now, true
		}
		mode, ok := m.saved[name]
		return mode, ok
	case (first == "CONCAT" || first == "CONCAT_WS") && w.at(1) == "(":
		mode := sqlMode(0)
		for _, arg := range w.slice(2, len(w.toks)-1).list(0) {
			one, ok := m.eval(w.slice(2, len(w.toks)-1).slice(arg[0], arg[1]), depth+1)
			if !ok {
				return 0, false
			}
			mode |= one
		}
		return mode, true
	case first == "REPLACE" && w.at(1) == "(":
		args := w.slice(2, len(w.toks)-1)
		list := args.list(0)
		if len(list) != 3 {
			return 0, false
		}
		mode, ok := m.eval(args.slice(list[0][0], list[0][1]), depth+1)
		without, known := m.eval(args.slice(list[1][0], list[1][1]), depth+1)
		with, given := m.eval(args.slice(list[2][0], list[2][1]), depth+1)
		return mode&^without | with, ok && known && given
	}
	return 0, false
}

// variableName is the name of a system variable without its marks and scope.
func variableName(s string) string {
	s = strings.TrimPrefix(strings.ToLower(s), "@@")
	for _, scope := range []string{"session.", "local."} {
		s = strings.TrimPrefix(s, scope)
	}
	return strings.Trim(s, "`")
}
