package mysql

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// piece is one statement of a dump.
type piece struct {
	// text is as it stands in the file, without comments before it and without
	// the delimiter after it. It is good until the next call of next.
	text []byte
	line int // of its first character, from 1
}

// splitter cuts a stream of SQL into statements, as the mysql client does:
// DELIMITER lines, quotes, comments and what escapes what in them, whatever the
// bytes between mean. Comments of a version (/*!50003 … */, /*M!100616 … */)
// are code, as they are to the client; the server knows which of them it reads.
// It holds one statement in memory.
type splitter struct {
	r         io.Reader
	buf       []byte
	start     int // of the statement in buf
	eof       error
	line      int // of buf[start]
	delimiter []byte
	// most bytes that a statement may have.
	most int

	// What the session's settings change, see follow.
	noBackslash bool // NO_BACKSLASH_ESCAPES
	ansiQuotes  bool // ANSI_QUOTES
	wide        bool // a character set whose second bytes may look like a quote or backslash

	// lineEnds: a statement ends where a line does that ends in a semicolon,
	// whatever is open there. It is how mydumper writes and myloader reads.
	lineEnds bool
}

func newSplitter(r io.Reader, most int) *splitter {
	return &splitter{r: r, line: 1, delimiter: []byte(";"), most: most, buf: make([]byte, 0, 256<<10)}
}

var errOpen = errors.New("the file ends inside it")

// follow takes over what the session's settings mean for reading on.
func (s *splitter) follow(sqlMode, charset string) {
	mode := "," + strings.ToUpper(sqlMode) + ","
	s.noBackslash = strings.Contains(mode, ",NO_BACKSLASH_ESCAPES,")
	s.ansiQuotes = strings.Contains(mode, ",ANSI_QUOTES,")
	switch strings.ToLower(charset) {
	case "sjis", "cp932", "gbk", "gb18030", "big5":
		s.wide = true
	default:
		s.wide = false
	}
}

// more reads on; false at the end of the file, or where s.eof tells why.
func (s *splitter) more() bool {
	if s.eof != nil {
		return false
	}
	if s.start > 0 {
		s.buf = append(s.buf[:0], s.buf[s.start:]...)
		s.start = 0
	}
	if len(s.buf) == cap(s.buf) {
		bigger := make([]byte, len(s.buf), 2*cap(s.buf))
		copy(bigger, s.buf)
		s.buf = bigger
	}
	for range 100 {
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if err != nil {
			s.eof = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	s.eof = io.ErrNoProgress
	return false
}

// at gives the byte i places into the statement; 0, false at the end.
func (s *splitter) at(i int) (byte, bool) {
	for s.start+i >= len(s.buf) {
		if !s.more() {
			return 0, false
		}
	}
	return s.buf[s.start+i], true
}

// has reports whether the statement goes on with text at i.
func (s *splitter) has(i int, text string) bool {
	if _, ok := s.at(i + len(text) - 1); !ok {
		return false
	}
	return string(s.buf[s.start+i:s.start+i+len(text)]) == text
}

// drop forgets n bytes before the statement.
func (s *splitter) drop(n int) {
	n = min(n, len(s.buf)-s.start)
	s.line += bytes.Count(s.buf[s.start:s.start+n], []byte{'\n'})
	s.start += n
}

// next returns the next statement, or io.EOF.
func (s *splitter) next() (piece, error) {
	if err := s.toStatement(); err != nil {
		return piece{}, err
	}
	p := piece{line: s.line}
	i := 0
	for {
		c, ok := s.at(i)
		if !ok {
			break
		}
		if i > s.most {
			return p, fmt.Errorf("line %d: %s: a statement of over %d MiB, which is more than the server takes (max_allowed_packet); dump again with --max-allowed-packet=%dM or less, or with --net-buffer-length=1M",
				p.line, s.beginning(), s.most>>20, s.most>>20)
		}
		if s.lineEnds {
			if c == ';' && s.endOfLine(i+1) {
				return s.cut(p, i, 1), nil
			}
			i++
			continue
		}
		if c == s.delimiter[0] && s.has(i, string(s.delimiter)) {
			return s.cut(p, i, len(s.delimiter)), nil
		}
		end, err := s.token(c, i)
		if err != nil {
			return p, fmt.Errorf("line %d: %s: %w", p.line, s.beginning(), err)
		}
		i = end
	}
	if s.eof != io.EOF {
		return p, s.eof
	}
	return s.cut(p, len(s.buf)-s.start, 0), nil
}

// beginning of the statement, for messages.
func (s *splitter) beginning() string {
	return brief(string(s.buf[s.start:min(len(s.buf), s.start+500)]))
}

func (s *splitter) cut(p piece, n, delimiter int) piece {
	p.text = bytes.TrimRight(s.buf[s.start:s.start+n], " \t\r\n")
	s.drop(n + delimiter)
	return p
}

// endOfLine reports whether nothing but blanks is left of the line at i.
func (s *splitter) endOfLine(i int) bool {
	c, ok := s.at(i)
	return !ok || c == '\n' || c == '\r' && s.has(i+1, "\n")
}

// token gives the place after the token that begins at i with c.
func (s *splitter) token(c byte, i int) (int, error) {
	switch {
	case c == '\'':
		return s.quoted(i+1, c, !s.noBackslash)
	case c == '"':
		return s.quoted(i+1, c, !s.noBackslash && !s.ansiQuotes)
	case c == '`':
		return s.quoted(i+1, c, false)
	case c == '#', c == '-' && s.dashes(i):
		return s.lineComment(i), nil
	case c == '/' && s.has(i, "/*"):
		if s.has(i, "/*!") || s.has(i, "/*M!") && !s.has(i, sandbox) {
			return i + 3, nil
		}
		return s.blockComment(i + 2)
	case s.wide && c >= 0x81:
		return i + 2, nil
	}
	return i + 1, nil
}

// sandbox begins the first line of MariaDB's dumps since 2024. Its backslash
// is a command that only a client knows; to a server it is a comment.
const sandbox = `/*M!999999\-`

// toStatement goes past blanks, comments, delimiters that end nothing and
// DELIMITER lines to where a statement begins.
func (s *splitter) toStatement() error {
	if s.line == 1 && s.has(0, "\xef\xbb\xbf") {
		s.drop(3)
	}
	for {
		c, ok := s.at(0)
		if !ok {
			return s.eof
		}
		switch {
		case c == ' ' || c >= '\t' && c <= '\r' || c == 0:
			s.drop(1)
		case s.lineEnds && c == ';', !s.lineEnds && c == s.delimiter[0] && s.has(0, string(s.delimiter)):
			s.drop(max(1, len(s.delimiter)))
		case c == '#', c == '-' && s.dashes(0):
			s.drop(s.lineComment(0))
		case c == '/' && s.has(0, "/*") && !s.has(0, "/*!") && !s.has(0, "/*+") && (!s.has(0, "/*M!") || s.has(0, sandbox)):
			n, err := s.blockComment(2)
			if err != nil {
				return fmt.Errorf("line %d: comment: %w", s.line, err)
			}
			s.drop(n)
		case (c == 'd' || c == 'D') && s.isDelimiter():
			n := s.lineComment(0)
			word := bytes.TrimSpace(s.buf[s.start+len("delimiter") : s.start+n])
			if first := bytes.Fields(word); len(first) > 0 {
				s.delimiter = bytes.Clone(first[0])
			} else {
				return fmt.Errorf("line %d: DELIMITER without one", s.line)
			}
			s.drop(n)
		default:
			return nil
		}
	}
}

func (s *splitter) isDelimiter() bool {
	const word = "delimiter"
	if _, ok := s.at(len(word)); !ok {
		return false
	}
	after := s.buf[s.start+len(word)]
	return strings.EqualFold(string(s.buf[s.start:s.start+len(word)]), word) && (after == ' ' || after == '\t')
}

// dashes: "--" begins a comment where a blank, a control character or the end
// follows.
func (s *splitter) dashes(i int) bool {
	if !s.has(i, "--") {
		return false
	}
	c, ok := s.at(i + 2)
	return !ok || c <= ' ' || c == 0x7f
}

// lineComment gives the place of the line's end, which belongs to what follows.
func (s *splitter) lineComment(i int) int {
	for {
		if n := bytes.IndexByte(s.buf[min(s.start+i, len(s.buf)):], '\n'); n >= 0 {
			return i + n
		}
		i = max(i, len(s.buf)-s.start)
		if !s.more() {
			return len(s.buf) - s.start
		}
	}
}

func (s *splitter) blockComment(i int) (int, error) {
	for {
		from := min(s.start+i, len(s.buf))
		if n := bytes.Index(s.buf[from:], []byte("*/")); n >= 0 {
			return from - s.start + n + 2, nil
		}
		i = max(i, len(s.buf)-s.start-1)
		if !s.more() {
			return 0, s.open()
		}
	}
}

// quoted gives the place after the quote q that ends what begins at i. A
// doubled quote ends it and begins another, which comes to the same.
func (s *splitter) quoted(i int, q byte, escapes bool) (int, error) {
	for {
		b := s.buf[s.start:]
		for i < len(b) {
			c := b[i]
			i++
			switch {
			case c == q:
				return i, nil
			case c == '\\' && escapes, s.wide && c >= 0x81:
				i++
			}
		}
		if i > s.most+1 {
			return i, nil // next says that it is too long
		}
		if !s.more() {
			return 0, s.open()
		}
	}
}

func (s *splitter) open() error {
	if s.eof != io.EOF {
		return s.eof
	}
	return errOpen
}
