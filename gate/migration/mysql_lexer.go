package migration

import "strings"

// myLexer yields the tokens of a text after the rules of MySQL's sql_lex.cc,
// plain comments left out. The text of a versioned comment that the server
// reads (/*!50100 … */) comes as ordinary tokens.
type myLexer struct {
	s       string
	pos     int
	mode    sqlMode
	mariadb bool
	// inCode: between the mark of a versioned comment and its end.
	inCode  bool
	codeOff int // where the last one was opened
	codeEnd int // where the last one ended
	after   int // the end of the last token if that was a dot, else -1
}

func newMyLexer(s string, mode sqlMode, mariadb bool) myLexer {
	return myLexer{s: s, mode: mode, mariadb: mariadb, after: -1}
}

func (l *myLexer) at(i int) byte {
	if i < len(l.s) {
		return l.s[i]
	}
	return 0
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// skipBlank moves over white space, comments, and the marks around the code of
// versioned comments.
func (l *myLexer) skipBlank() error {
	for l.pos < len(l.s) {
		c, next := l.s[l.pos], l.at(l.pos+1)
		switch {
		case isSpace(c):
			l.pos++
		case c == '#', c == '-' && next == '-' && (l.pos+2 >= len(l.s) || isSpace(l.s[l.pos+2]) || isControl(l.s[l.pos+2])):
			l.skipLine()
		case c == '/' && next == '*':
			if n := l.versioned(); n > 0 && !l.inCode {
				l.inCode, l.codeOff = true, l.pos
				l.pos += n
				continue
			}
			if err := l.skipComment(); err != nil {
				return err
			}
		case c == '*' && next == '/' && l.inCode:
			l.pos += 2
			l.inCode, l.codeEnd = false, l.pos
		default:
			return nil
		}
	}
	if l.inCode {
		return &lexError{l.codeOff, "a versioned comment is opened here and never closed", "end it with */"}
	}
	return nil
}

// skipLine: only a line feed ends a comment; the server runs over a lone
// carriage return.
func (l *myLexer) skipLine() {
	if i := strings.IndexByte(l.s[l.pos:], '\n'); i >= 0 {
		l.pos += i + 1
		return
	}
	l.pos = len(l.s)
}

// skipComment moves over a comment. They do not nest, but for one level in a
// versioned comment that is meant for a newer server.
func (l *myLexer) skipComment() error {
	open := l.pos
	nests := l.at(open+2) == '!'
	for l.pos += 2; l.pos < len(l.s); l.pos++ {
		switch two := l.s[l.pos:min(l.pos+2, len(l.s))]; {
		case two == "*/":
			l.pos += 2
			return nil
		case two == "/*" && nests:
			if i := strings.Index(l.s[l.pos:], "*/"); i > 0 {
				l.pos += i + 1
			}
		}
	}
	return &lexError{open, "a comment is opened here and never closed", "end it with */"}
}

// versioned returns the length of the mark that opens code at pos: "/*!",
// MariaDB's "/*M!", and the version behind it. It is 0 for a plain comment and
// for versions that the dialect's servers do not reach.
func (l *myLexer) versioned() int {
	n := 3
	switch {
	case strings.HasPrefix(l.s[l.pos:], "/*!"):
	case l.mariadb && strings.HasPrefix(l.s[l.pos:], "/*M!"):
		n = 4
	default:
		return 0
	}
	version, digits := 0, 0
	for digits < 6 && isDigit(l.at(l.pos+n+digits)) {
		version = version*10 + int(l.s[l.pos+n+digits]-'0')
		digits++
	}
	if digits < 5 {
		return n
	}
	switch {
	case l.mariadb && (version >= 990000 || n == 3 && version >= 50700 && version < 100000):
		return 0 // MariaDB leaves out what is meant for MySQL from 5.7 on
	case !l.mariadb && version >= 99000:
		return 0
	}
	return n + digits
}

// next returns the next token, of kind tokEnd at the end of the text.
func (l *myLexer) next() (token, error) {
	dot := l.after
	l.after = -1
	if err := l.skipBlank(); err != nil {
		return token{}, err
	}
	start := l.pos
	if start >= len(l.s) {
		return token{tokEnd, len(l.s), len(l.s)}, nil
	}
	c := l.s[start]
	switch {
	case (c == 'n' || c == 'N' || c == 'x' || c == 'X' || c == 'b' || c == 'B') && l.at(start+1) == '\'':
		l.pos++
		return l.quoted(start, '\'', c|0x20 == 'n' && l.mode&noBackslashEscapes == 0, tokString)
	case c == '$' && !l.mariadb:
		if t, ok := l.dollar(start); ok {
			return t, nil
		}
		return l.word(start), nil
	case isWordByte(c) && (dot == start || !isDigit(c)):
		return l.word(start), nil
	case isDigit(c), c == '.' && isDigit(l.at(start+1)) && (start == 0 || !isWordByte(l.s[start-1]) && l.s[start-1] != '`'):
		return l.number(start), nil
	case c == '\'':
		return l.quoted(start, c, l.mode&noBackslashEscapes == 0, tokString)
	case c == '"' && l.mode&ansiQuotes != 0:
		return l.quoted(start, c, false, tokIdent)
	case c == '"':
		return l.quoted(start, c, l.mode&noBackslashEscapes == 0, tokString)
	case c == '`':
		return l.quoted(start, c, false, tokIdent)
	case c == '@':
		return l.variable(start)
	case c == ':' && l.at(start+1) == '=':
		l.pos += 2
		return token{tokOp, start, l.pos}, nil
	case strings.IndexByte("()[],;.:", c) >= 0:
		l.pos++
		if c == '.' {
			l.after = l.pos
		}
		return token{tokPunct, start, l.pos}, nil
	}
	l.pos++
	for l.pos < len(l.s) && strings.IndexByte("<>=!&|", c) >= 0 && strings.IndexByte("<>=&|", l.s[l.pos]) >= 0 {
		l.pos++
	}
	if c == '-' && l.at(start+1) == '>' {
		l.pos++
		if l.at(l.pos) == '>' {
			l.pos++
		}
	}
	return token{tokOp, start, l.pos}, nil
}

func (l *myLexer) word(start int) token {
	for l.pos < len(l.s) && isWordByte(l.s[l.pos]) {
		l.pos++
	}
	return token{tokWord, start, l.pos}
}

// number reads a number, or the name that begins with digits.
func (l *myLexer) number(start int) token {
	for l.pos < len(l.s) && isWordByte(l.s[l.pos]) {
		l.pos++
	}
	s := l.s[start:l.pos]
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' && isHex(s[2:]) || s[1] == 'b' && strings.Trim(s[2:], "01") == "") {
		return token{tokNumber, start, l.pos}
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	if s != "" && !allDigits(mantissa) || hasExponent && exponent != "" && !allDigits(exponent) {
		return token{tokWord, start, l.pos}
	}
	if l.at(l.pos) == '.' && !hasExponent {
		l.pos++
		from := l.pos
		for l.pos < len(l.s) && isWordByte(l.s[l.pos]) {
			l.pos++
		}
		fraction := strings.ToLower(l.s[from:l.pos])
		mantissa, exponent, hasExponent = strings.Cut(fraction, "e")
		if mantissa != "" && !allDigits(mantissa) {
			l.pos = from
			for isDigit(l.at(l.pos)) {
				l.pos++
			}
			return token{tokNumber, start, l.pos}
		}
	}
	if hasExponent && exponent == "" {
		if c := l.at(l.pos); (c == '+' || c == '-') && isDigit(l.at(l.pos+1)) {
			for l.pos++; isDigit(l.at(l.pos)); l.pos++ {
			}
			return token{tokNumber, start, l.pos}
		}
		if l.s[start] != '.' && !strings.Contains(l.s[start:l.pos], ".") {
			return token{tokWord, start, l.pos} // 1e is a name
		}
	}
	return token{tokNumber, start, l.pos}
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; !isDigit(s[i]) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// quoted reads from the opening quote at pos; a doubled quote stands for
// itself.
func (l *myLexer) quoted(start int, quote byte, escapes bool, kind tokenKind) (token, error) {
	for l.pos++; l.pos < len(l.s); l.pos++ {
		switch c := l.s[l.pos]; {
		case c == '\\' && escapes:
			l.pos++
		case c == quote && l.at(l.pos+1) == quote:
			l.pos++
		case c == quote:
			l.pos++
			return token{kind, start, l.pos}, nil
		}
	}
	l.pos = len(l.s)
	if kind == tokIdent {
		return token{}, &lexError{start, "a quoted identifier is opened here and never closed", "end it with " + string(quote)}
	}
	return token{}, &lexError{start, "a quoted string is opened here and never closed", "end it with " + string(quote) + ", and double a quote inside it"}
}

// dollar reads $tag$…$tag$, in which MySQL 9 takes the body of a routine in
// another language. Without its end it is a name.
func (l *myLexer) dollar(start int) (token, bool) {
	end := start + 1
	for end < len(l.s) && isWordByte(l.s[end]) && l.s[end] != '$' {
		end++
	}
	if l.at(end) != '$' {
		return token{}, false
	}
	tag := l.s[start : end+1]
	i := strings.Index(l.s[end+1:], tag)
	if i < 0 {
		return token{}, false
	}
	l.pos = end + 1 + i + len(tag)
	return token{tokDollar, start, l.pos}, true
}

// variable reads @name, @'name', @@scope.name; also the host of an account.
func (l *myLexer) variable(start int) (token, error) {
	l.pos++
	if l.at(l.pos) == '@' {
		l.pos++
	}
	switch c := l.at(l.pos); c {
	case '\'', '"', '`':
		return l.quoted(start, c, c != '`' && l.mode&noBackslashEscapes == 0, tokParam)
	}
	for l.pos < len(l.s) && (isWordByte(l.s[l.pos]) || l.s[l.pos] == '.') {
		l.pos++
	}
	return token{tokParam, start, l.pos}, nil
}
