package migration

import (
	"errors"
	"strings"
)

// mySplitter cuts a text into the statements that a MySQL server runs when a
// driver sends it whole: the server cuts it by its grammar, counts the blocks
// of stored programs, and knows no DELIMITER (which is the mysql client's).
type mySplitter struct {
	src   *source
	lex   myLexer
	modes *modes

	// tail is where nothing but semicolons and blanks follows: the server cuts
	// those off the end of what it is sent.
	tail int

	start   int // of the current statement, a mark of a versioned comment included
	tokens  []token
	empty   bool // nothing but the semicolons of empty statements was read
	program *program
}

// myPiece is one statement as the scanner found it.
type myPiece struct {
	start, end int
	tokens     []token
	mode       sqlMode
	// refused says why the server takes none of it, where the text alone tells.
	refused string
}

func (p myPiece) words(text string) myWords {
	toks := make([]token, len(p.tokens))
	for i, t := range p.tokens {
		toks[i] = token{t.kind, t.start - p.start, t.end - p.start}
	}
	return myWords{words: words{text[p.start:p.end], toks}, mode: p.mode}.cached()
}

// splitMySQL returns the statements of a text as a driver's multi-statements
// run them; m holds sql_mode before it, and afterwards what the text left.
func splitMySQL(src *source, mariadb bool, m *modes) ([]myPiece, error) {
	return newMySplitter(src, mariadb, m).all()
}

func newMySplitter(src *source, mariadb bool, m *modes) *mySplitter {
	return &mySplitter{src: src, modes: m, tail: len(strings.TrimRight(src.text, "; \t\r\n\v\f")), lex: newMyLexer(src.text, m.now, mariadb)}
}

func (sp *mySplitter) all() ([]myPiece, error) {
	var pieces []myPiece
	for {
		p, more, err := sp.statement()
		if err != nil {
			var le *lexError
			if errors.As(err, &le) {
				return nil, sp.src.errorAt(le.off, le.message, le.remedy)
			}
			return nil, err
		}
		if p != nil {
			if first := p.tokens[0]; strings.EqualFold(sp.src.text[first.start:first.end], "SET") {
				sp.modes.follow(p.words(sp.src.text))
			}
			pieces = append(pieces, *p)
		}
		if !more {
			return pieces, nil
		}
	}
}

func (sp *mySplitter) words() myWords {
	return myWords{words: words{sp.src.text, sp.tokens}, mode: sp.lex.mode}
}

func (sp *mySplitter) isPunct(t token, c byte) bool {
	return t.kind == tokPunct && sp.src.text[t.start] == c
}

// statement reads up to what ends one, or to the end. It returns nil where
// there is none.
func (sp *mySplitter) statement() (*myPiece, bool, error) {
	sp.tokens, sp.empty, sp.program = nil, true, nil
	sp.lex.mode = sp.modes.now
	for {
		t, err := sp.lex.next()
		if err != nil {
			return nil, false, err
		}
		if len(sp.tokens) == 0 {
			if sp.start = t.start; sp.lex.inCode {
				sp.start = sp.lex.codeOff
			}
		}
		switch {
		case t.kind == tokEnd:
			if len(sp.tokens) > 0 && sp.goesOn() {
				b := sp.program.blocks[0]
				return nil, false, &lexError{sp.tokens[b.at].start, "a block is opened here by " + b.word + " and never closed", "end it with END"}
			}
			return sp.piece(), false, nil
		case len(sp.tokens) == 0 && t.kind == tokWord && strings.EqualFold(sp.src.text[t.start:t.end], "DELIMITER"):
			return sp.delimited(t), true, nil
		case !sp.isPunct(t, ';') || sp.lex.inCode:
			sp.empty = false
		case sp.empty:
			// An empty statement is a syntax error, which the server reports at
			// the statement behind it.
			if sp.lex.pos > sp.tail {
				return nil, false, nil
			}
		case !sp.goesOn():
			return sp.piece(), true, nil
		}
		sp.tokens = append(sp.tokens, t)
	}
}

// goesOn reports whether a semicolon behind the tokens read so far stands
// inside the body of a stored program.
func (sp *mySplitter) goesOn() bool {
	w := sp.words()
	if sp.program == nil {
		sp.program = newProgram(w, sp.lex.mariadb)
	}
	sp.program.feed(w)
	return sp.program.open()
}

func (sp *mySplitter) piece() *myPiece {
	if len(sp.tokens) == 0 {
		return nil
	}
	p := &myPiece{start: sp.start, end: sp.tokens[len(sp.tokens)-1].end, tokens: sp.tokens, mode: sp.lex.mode}
	p.end = max(p.end, sp.lex.codeEnd)
	if sp.empty {
		p.end = sp.tail // with the comment behind it
	}
	if sp.isPunct(sp.tokens[0], ';') {
		p.refused = "an empty statement stands before it, which the server takes for a syntax error"
	}
	return p
}

// delimited takes a DELIMITER line, and with it all up to the line that sets
// the semicolon again: the server knows no DELIMITER and refuses it where it
// stands, and nothing behind it runs.
func (sp *mySplitter) delimited(t token) *myPiece {
	text := sp.src.text
	end := len(text)
	for off := t.start; off < len(text); {
		next := len(text)
		if i := strings.IndexByte(text[off:], '\n'); i >= 0 {
			next = off + i + 1
		}
		if f := strings.Fields(text[off:next]); off > t.start && len(f) == 2 && strings.EqualFold(f[0], "DELIMITER") && f[1] == ";" {
			end = next
			break
		}
		off = next
	}
	sp.lex.pos = end
	p := &myPiece{start: t.start, end: t.start + len(strings.TrimRight(text[t.start:end], "; \t\r\n\v\f")), tokens: []token{t}, mode: sp.lex.mode}
	p.refused = "DELIMITER is a command of the mysql client: a driver sends the text as it is, and the server knows no such statement"
	return p
}
