package migration

import (
	"fmt"
	"strings"
)

// tokenKind tells PostgreSQL's lexical classes apart, as far as splitting and
// classifying need it.
type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // unquoted identifier or keyword
	tokIdent            // "quoted identifier", also U&"…"
	tokString           // '…' in all its forms: E, B, X, N, U&
	tokDollar           // $tag$…$tag$
	tokNumber
	tokParam // $1
	tokPunct // one of ( ) [ ] , ; . :
	tokOp    // everything else, :: and := included
)

// token is a range of the text.
type token struct {
	kind       tokenKind
	start, end int
}

// lexError is a text that cannot be read further; off is where the trouble
// began, which for something unterminated is its opening.
type lexError struct {
	off             int
	message, remedy string
}

func (e *lexError) Error() string { return e.message }

// lexer yields the tokens of a text after the rules of the server's scan.l,
// comments left out.
type lexer struct {
	s   string
	pos int
	// escapes: backslashes count in plain strings (standard_conforming_strings=off).
	escapes bool
	// psql reads a command of psql's and returns where it ends; nil refuses all.
	psql func(start int) (end int, err error)
}

func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isWordByte(c byte) bool { return isWordStart(c) || isDigit(c) || c == '$' }
func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isNewline(c byte) bool { return c == '\n' || c == '\r' }
func isOperator(c byte) bool {
	return strings.IndexByte("~!@#^&|`?+-*/%<>=", c) >= 0
}

func (l *lexer) at(i int) byte {
	if i < len(l.s) {
		return l.s[i]
	}
	return 0
}

// skipBlank moves over white space and comments.
func (l *lexer) skipBlank() error {
	for l.pos < len(l.s) {
		switch c := l.s[l.pos]; {
		case isSpace(c):
			l.pos++
		case c == '-' && l.at(l.pos+1) == '-':
			l.skipLine()
		case c == '/' && l.at(l.pos+1) == '*':
			if err := l.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) skipLine() {
	for l.pos < len(l.s) && !isNewline(l.s[l.pos]) {
		l.pos++
	}
}

// skipComment moves over a block comment; PostgreSQL nests them.
func (l *lexer) skipComment() error {
	open, depth := l.pos, 0
	for l.pos < len(l.s) {
		switch {
		case l.s[l.pos] == '/' && l.at(l.pos+1) == '*':
			depth++
			l.pos += 2
		case l.s[l.pos] == '*' && l.at(l.pos+1) == '/':
			depth--
			l.pos += 2
			if depth == 0 {
				return nil
			}
		default:
			l.pos++
		}
	}
	return &lexError{open, "a comment is opened here and never closed", "end it with */ (comments nest in PostgreSQL: each /* wants its own */)"}
}

// next returns the next token, of kind tokEnd at the end of the text.
func (l *lexer) next() (token, error) {
	if err := l.skipBlank(); err != nil {
		return token{}, err
	}
	if l.pos >= len(l.s) {
		return token{tokEnd, len(l.s), len(l.s)}, nil
	}
	start := l.pos
	c := l.s[start]
	switch {
	case isWordStart(c):
		return l.word(start)
	case isDigit(c), c == '.' && isDigit(l.at(start+1)):
		return l.number(start), nil
	case c == '\'':
		return l.quoted(start, start, '\'', l.escapes, tokString)
	case c == '"':
		return l.quoted(start, start, '"', false, tokIdent)
	case c == '$':
		return l.dollar(start)
	case c == '\\' && l.psql != nil:
		end, err := l.psql(start)
		if err != nil {
			return token{}, err
		}
		l.pos = end
		return l.next()
	case c == '\\':
		return token{}, l.metaCommand(start)
	case c == ':' && (l.at(start+1) == ':' || l.at(start+1) == '='):
		l.pos += 2
		return token{tokOp, start, l.pos}, nil
	case strings.IndexByte("()[],;.:", c) >= 0:
		l.pos++
		return token{tokPunct, start, l.pos}, nil
	case isOperator(c):
		l.pos++
		for l.pos < len(l.s) && isOperator(l.s[l.pos]) && !l.commentAt(l.pos) {
			l.pos++
		}
		return token{tokOp, start, l.pos}, nil
	}
	l.pos++
	return token{tokOp, start, l.pos}, nil
}

// commentAt: an operator ends where a comment begins.
func (l *lexer) commentAt(i int) bool {
	return l.s[i] == '-' && l.at(i+1) == '-' || l.s[i] == '/' && l.at(i+1) == '*'
}

// word reads an identifier, or the string whose prefix it turns out to be.
func (l *lexer) word(start int) (token, error) {
	for l.pos < len(l.s) && isWordByte(l.s[l.pos]) {
		l.pos++
	}
	if l.pos-start != 1 {
		return token{tokWord, start, l.pos}, nil
	}
	quote := l.at(l.pos)
	switch l.s[start] | 0x20 {
	case 'e':
		if quote == '\'' {
			return l.quoted(start, l.pos, '\'', true, tokString)
		}
	case 'b', 'x':
		if quote == '\'' {
			return l.quoted(start, l.pos, '\'', false, tokString)
		}
	case 'n':
		if quote == '\'' {
			return l.quoted(start, l.pos, '\'', l.escapes, tokString)
		}
	case 'u':
		if quote == '&' {
			switch l.at(l.pos + 1) {
			case '\'':
				return l.quoted(start, l.pos+1, '\'', false, tokString)
			case '"':
				return l.quoted(start, l.pos+1, '"', false, tokIdent)
			}
		}
	}
	return token{tokWord, start, l.pos}, nil
}

func (l *lexer) number(start int) token {
	junk := false // a word runs on behind the digits, which takes dollars along
	for l.pos < len(l.s) {
		c := l.s[l.pos]
		switch {
		case isDigit(c), c == '$' && junk:
		case isWordStart(c):
			junk = true
		case c == '.' && l.at(l.pos+1) != '.':
			junk = false
		case (c == '+' || c == '-') && l.s[l.pos-1]|0x20 == 'e' && isDigit(l.at(l.pos+1)) && !strings.ContainsAny(l.s[start:l.pos], "xX"):
			junk = false
		default:
			return token{tokNumber, start, l.pos}
		}
		l.pos++
	}
	return token{tokNumber, start, l.pos}
}

// quoted reads from the opening quote at open; a doubled quote stands for
// itself. An escaped string goes on after a line break (quotecontinue in
// scan.l), and there its backslashes still count.
func (l *lexer) quoted(start, open int, quote byte, escapes bool, kind tokenKind) (token, error) {
	l.pos = open + 1
	for l.pos < len(l.s) {
		switch c := l.s[l.pos]; {
		case c == '\\' && escapes:
			l.pos += 2
		case c == quote && l.at(l.pos+1) == quote:
			l.pos += 2
		case c == quote:
			l.pos++
			if next := l.continued(); escapes && next > 0 {
				l.pos = next
				continue
			}
			return token{kind, start, l.pos}, nil
		default:
			l.pos++
		}
	}
	if kind == tokIdent {
		return token{}, &lexError{start, "a quoted identifier is opened here and never closed", `end it with "`}
	}
	return token{}, &lexError{start, "a quoted string is opened here and never closed", "end it with ' (and write '' for a quote inside it)"}
}

// continued returns the offset behind the quote that continues a string after
// at least one line break, or 0.
func (l *lexer) continued() int {
	i, broken := l.pos, false
	for i < len(l.s) {
		switch c := l.s[i]; {
		case isSpace(c):
			broken = broken || isNewline(c)
			i++
		case c == '-' && l.at(i+1) == '-':
			for i < len(l.s) && !isNewline(l.s[i]) {
				i++
			}
		case c == '\'' && broken:
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// dollar reads a dollar-quoted string or a parameter.
func (l *lexer) dollar(start int) (token, error) {
	i := start + 1
	if isDigit(l.at(i)) {
		for isDigit(l.at(i)) {
			i++
		}
		l.pos = i
		return token{tokParam, start, i}, nil
	}
	if isWordStart(l.at(i)) {
		for i < len(l.s) && l.s[i] != '$' && isWordByte(l.s[i]) {
			i++
		}
	}
	if l.at(i) != '$' {
		l.pos = start + 1
		return token{tokOp, start, l.pos}, nil
	}
	tag := l.s[start : i+1]
	n := strings.Index(l.s[i+1:], tag)
	if n < 0 {
		return token{}, &lexError{start, fmt.Sprintf("a string quoted by %s is opened here and never closed", tag), "end it with " + tag}
	}
	l.pos = i + 1 + n + len(tag)
	return token{tokDollar, start, l.pos}, nil
}

func (l *lexer) metaCommand(start int) error {
	end := start + 1
	for end < len(l.s) && !isSpace(l.s[end]) && end-start < 20 {
		end++
	}
	cmd := l.s[start:end]
	if strings.HasPrefix(cmd, `\.`) {
		return &lexError{start, `\. ends the data of COPY … FROM stdin, and no such COPY is open here`,
			"load the rows with INSERT: migration tools send SQL only"}
	}
	return &lexError{start, fmt.Sprintf("%s is a command of psql, which the server does not know", cmd),
		"write it as SQL: migration tools send the text to the server as it is"}
}
