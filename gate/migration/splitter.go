package migration

import (
	"errors"
	"strings"
)

// piece is one statement as the scanner found it.
type piece struct {
	start, end int // first byte of the first token, behind the last; no semicolon
	dataEnd    int // behind the terminator of COPY data, else end
	tokens     []token
	copyStdin  bool
	copyData   []byte
	// escapes: how plain strings were read.
	escapes bool
}

// ownTokens are the tokens with offsets within the statement.
func (p piece) ownTokens() []token {
	toks := make([]token, len(p.tokens))
	for i, t := range p.tokens {
		toks[i] = token{t.kind, t.start - p.start, t.end - p.start}
	}
	return toks
}

// splitter cuts a text into statements. It is the authority on where they
// begin and end; the grammar only ever sees one statement.
type splitter struct {
	src *source
	lex lexer
	// oneString: the server reads the whole text before it runs any of it, so
	// a SET in it changes nothing about how the rest is read.
	oneString bool

	depth []int // offsets of open parentheses and brackets
	// of the current statement:
	tokens   []token
	routine  bool // CREATE [OR REPLACE] FUNCTION or PROCEDURE
	bodyOpen int  // offset of BEGIN ATOMIC, -1 outside
	nesting  int  // BEGIN ATOMIC and CASE
}

// split returns the statements of a text. escapes is the state of
// standard_conforming_strings=off before it; the state after it is returned.
func split(src *source, escapes, oneString bool) ([]piece, bool, error) {
	sp := &splitter{src: src, oneString: oneString, bodyOpen: -1}
	sp.lex = lexer{s: src.text, escapes: escapes}
	return sp.split()
}

// splitPSQL returns the statements that psql makes of a file.
func splitPSQL(src *source) ([]piece, error) {
	sp := &splitter{src: src, bodyOpen: -1}
	sp.lex = lexer{s: src.text, psql: func(start int) (int, error) {
		return psqlCommand(src.text, start, len(sp.tokens) > 0)
	}}
	pieces, _, err := sp.split()
	return pieces, err
}

func (sp *splitter) split() ([]piece, bool, error) {
	src, escapes := sp.src, sp.lex.escapes
	var pieces []piece
	final := escapes
	for {
		p, more, err := sp.statement()
		if err != nil {
			var le *lexError
			if errors.As(err, &le) {
				return nil, escapes, src.errorAt(le.off, le.message, le.remedy)
			}
			return nil, escapes, err
		}
		if p != nil {
			if off, set := sp.setsEscapes(p); set {
				final = off
				if !sp.oneString {
					sp.lex.escapes = off
				}
			}
			pieces = append(pieces, *p)
		}
		if !more {
			return pieces, final, nil
		}
	}
}

func (sp *splitter) text(t token) string { return sp.src.text[t.start:t.end] }

func (sp *splitter) isPunct(t token, c byte) bool {
	return t.kind == tokPunct && sp.src.text[t.start] == c
}

func (sp *splitter) isWord(t token, word string) bool {
	return t.kind == tokWord && strings.EqualFold(sp.text(t), word)
}

// statement reads up to a semicolon that ends one, or to the end. It returns
// nil for an empty statement.
func (sp *splitter) statement() (*piece, bool, error) {
	sp.tokens, sp.routine, sp.bodyOpen, sp.nesting = nil, false, -1, 0
	escapes := sp.lex.escapes
	for {
		t, err := sp.lex.next()
		if err != nil {
			return nil, false, err
		}
		if t.kind == tokEnd {
			if err := sp.unclosed(); err != nil {
				return nil, false, err
			}
			return sp.piece(escapes), false, nil
		}
		if sp.isPunct(t, ';') && len(sp.depth) == 0 && sp.bodyOpen < 0 {
			p := sp.piece(escapes)
			if p != nil && p.copyStdin {
				if err := sp.readCopyData(p); err != nil {
					return nil, false, err
				}
			}
			return p, true, nil
		}
		if err := sp.track(t); err != nil {
			return nil, false, err
		}
		sp.tokens = append(sp.tokens, t)
	}
}

func (sp *splitter) unclosed() error {
	if n := len(sp.depth); n > 0 {
		off := sp.depth[n-1]
		return &lexError{off, "\"" + sp.src.text[off:off+1] + "\" is opened here and never closed", "close it before the end of the statement"}
	}
	if sp.bodyOpen >= 0 {
		return &lexError{sp.bodyOpen, "a body is opened here by BEGIN ATOMIC and never closed", "end it with END"}
	}
	return nil
}

// track keeps count of what hides semicolons: parentheses, and the body of an
// SQL-standard function.
func (sp *splitter) track(t token) error {
	switch t.kind {
	case tokPunct:
		switch c := sp.src.text[t.start]; c {
		case '(', '[':
			sp.depth = append(sp.depth, t.start)
		case ')', ']':
			if n := len(sp.depth); n > 0 {
				sp.depth = sp.depth[:n-1]
			}
		case ':':
			return sp.colon(t)
		}
	case tokWord:
		sp.trackWord(t)
	}
	return nil
}

func (sp *splitter) trackWord(t token) {
	n := len(sp.tokens)
	if n == 1 || n == 3 {
		if sp.isWord(t, "FUNCTION") || sp.isWord(t, "PROCEDURE") {
			sp.routine = sp.isWord(sp.tokens[0], "CREATE") &&
				(n == 1 || sp.isWord(sp.tokens[1], "OR") && sp.isWord(sp.tokens[2], "REPLACE"))
		}
	}
	if !sp.routine || n == 0 {
		return
	}
	last := sp.tokens[n-1]
	if sp.bodyOpen < 0 {
		if len(sp.depth) == 0 && sp.isWord(t, "ATOMIC") && sp.isWord(last, "BEGIN") {
			sp.bodyOpen, sp.nesting = last.start, 1
		}
		return
	}
	if sp.isWord(last, "AS") || sp.isPunct(last, '.') {
		return // a label may be spelled like a keyword
	}
	switch {
	case sp.isWord(t, "CASE"):
		sp.nesting++
	case sp.isWord(t, "END"):
		sp.nesting--
		if sp.nesting == 0 {
			sp.bodyOpen = -1
			sp.routine = false
		}
	}
}

// colon refuses :variables of psql. In SQL a single colon stands only in
// array slices and in JSON_OBJECT(key : value).
func (sp *splitter) colon(t token) error {
	next := sp.lex.at(t.end)
	if !isWordStart(next) && next != '\'' && next != '"' && next != '{' {
		return nil
	}
	if n := len(sp.depth); n > 0 {
		if sp.src.text[sp.depth[n-1]] == '[' || sp.inJSON(sp.depth[n-1]) {
			return nil
		}
	}
	end := t.end + 1
	for end < len(sp.src.text) && isWordByte(sp.src.text[end]) {
		end++
	}
	return &lexError{t.start, sp.src.text[t.start:end] + " is a variable of psql, which migration tools do not replace",
		"write its value"}
}

func (sp *splitter) inJSON(open int) bool {
	for i := len(sp.tokens) - 1; i > 0; i-- {
		if sp.tokens[i].start == open {
			w := strings.ToUpper(sp.text(sp.tokens[i-1]))
			return w == "JSON_OBJECT" || w == "JSON_OBJECTAGG"
		}
	}
	return false
}

func (sp *splitter) piece(escapes bool) *piece {
	if len(sp.tokens) == 0 {
		return nil
	}
	end := sp.tokens[len(sp.tokens)-1].end
	p := &piece{start: sp.tokens[0].start, end: end, dataEnd: end, tokens: sp.tokens, escapes: escapes}
	p.copyStdin = sp.isCopyStdin()
	return p
}

func (sp *splitter) isCopyStdin() bool {
	if !sp.isWord(sp.tokens[0], "COPY") {
		return false
	}
	depth := 0
	for i, t := range sp.tokens[1:] {
		switch {
		case sp.isPunct(t, '('):
			depth++
		case sp.isPunct(t, ')'):
			depth--
		case depth == 0 && sp.isWord(t, "STDIN") && sp.isWord(sp.tokens[i], "FROM"):
			return true
		}
	}
	return false
}

// readCopyData takes the lines after COPY … FROM stdin; up to "\." alone on
// its line. No data at all is fine at the end of the text.
func (sp *splitter) readCopyData(p *piece) error {
	text := sp.src.text
	i := sp.lex.pos
	for i < len(text) && !isNewline(text[i]) && isSpace(text[i]) {
		i++
	}
	if strings.HasPrefix(text[i:], "--") {
		for i < len(text) && !isNewline(text[i]) {
			i++
		}
	}
	if i == len(text) {
		sp.lex.pos = i
		return nil
	}
	if !isNewline(text[i]) {
		return &lexError{i, "text follows COPY … FROM stdin on its line, where the data should begin", "put it on a line of its own after the data"}
	}
	if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
		i++
	}
	start := i + 1
	for line := start; line < len(text); {
		end := line + strings.IndexAny(text[line:]+"\n", "\n")
		if strings.TrimRight(text[line:end], "\r") == `\.` {
			p.copyData = []byte(text[start:line])
			p.dataEnd = line + 2
			sp.lex.pos = end
			return nil
		}
		line = end + 1
	}
	if strings.TrimSpace(text[start:]) == "" {
		sp.lex.pos = len(text)
		return nil
	}
	return &lexError{p.start, `the data of COPY … FROM stdin begins here and is not ended by a line with only \.`,
		`end it with \. or load the rows with INSERT`}
}

// setsEscapes reports whether the statement sets standard_conforming_strings,
// and if it turns backslash escapes on.
func (sp *splitter) setsEscapes(p *piece) (on, set bool) {
	var words []string
	for _, t := range p.tokens {
		if len(words) > 5 {
			return false, false
		}
		words = append(words, strings.ToLower(strings.Trim(sp.text(t), `'"`)))
	}
	if len(words) > 0 && words[0] == "reset" {
		return false, len(words) == 2 && (words[1] == "standard_conforming_strings" || words[1] == "all")
	}
	if len(words) > 0 && words[0] == "set" {
		words = words[1:]
		if len(words) > 0 && (words[0] == "local" || words[0] == "session") {
			words = words[1:]
		}
		if len(words) == 3 && words[0] == "standard_conforming_strings" {
			switch words[2] {
			case "off", "false", "no", "0", "f", "n":
				return true, true
			}
			return false, true
		}
	}
	return false, false
}
