package postgres

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// piece is one thing of a plain dump: a statement, or a psql command.
type piece struct {
	text string // without leading comments and without the semicolon
	meta bool   // a psql command, without its backslash
	line int    // of its first character, from 1
}

// splitter cuts a stream of SQL into statements, as psql does: quotes, dollar
// quotes, nested comments, parentheses (CREATE RULE) and BEGIN ATOMIC bodies
// keep a semicolon from ending one. It holds one statement in memory.
type splitter struct {
	r    *bufio.Reader
	line int
	// escapes: backslashes escape in plain quotes too (standard_conforming_strings off).
	escapes bool
}

func newSplitter(r *bufio.Reader) *splitter {
	if b, _ := r.Peek(3); string(b) == "\xef\xbb\xbf" {
		r.Discard(3)
	}
	return &splitter{r: r, line: 1}
}

// longest statement taken: the server refuses more than 1 GiB anyway.
const longest = 1 << 30

var errOpen = errors.New("the file ends inside it")

// next returns the next piece, or io.EOF.
func (s *splitter) next() (piece, error) {
	var (
		p      = piece{}
		b      bytes.Buffer
		depth  int
		word   []byte // the word just read
		words  []string
		last   string // the word before this one, "" where anything else stands between
		body   int    // depth of BEGIN ATOMIC and CASE
		atomic bool
	)
	endWord := func() {
		if len(word) == 0 {
			return
		}
		w := strings.ToUpper(string(word))
		word = word[:0]
		if len(words) < 6 {
			words = append(words, w)
		}
		before := last
		last = w
		if !createsRoutine(words) {
			return
		}
		switch {
		case w == "ATOMIC" && before == "BEGIN" && depth == 0 && !atomic: // it may be a parameter's name, too
			atomic, body = true, 1
		case atomic && w == "CASE":
			body++
		case atomic && w == "END" && body > 0:
			body--
		}
	}
	for {
		c, err := s.r.ReadByte()
		if err == io.EOF {
			endWord()
			if text := bytes.TrimSpace(b.Bytes()); len(text) > 0 {
				p.text = string(text)
				return p, nil
			}
			return piece{}, io.EOF
		}
		if err != nil {
			return p, err
		}
		if b.Len() > longest {
			return p, fmt.Errorf("line %d: a statement of over 1 GiB", p.line)
		}
		if b.Len() == 0 {
			switch {
			case c == '\n':
				s.line++
				continue
			case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == ';' || c == 0:
				continue
			case c == '\\':
				p.line, p.meta = s.line, true
				rest, err := s.r.ReadString('\n')
				if err != nil && err != io.EOF {
					return p, err
				}
				s.line++
				p.text = strings.TrimSpace(rest)
				return p, nil
			}
		}
		start := s.line
		if isWord(c) && !(len(word) == 0 && (c == '$' || c >= '0' && c <= '9')) {
			if b.Len() == 0 {
				p.line = s.line
			}
			word = append(word, c)
			b.WriteByte(c)
			continue
		}
		prefix := byte(0) // E'' and the like: the quote directly after a one-letter word
		if len(word) == 1 {
			prefix = word[0] | 0x20
		}
		endWord()
		comment := false
		if !(c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '-' && s.peek() == '-' || c == '/' && s.peek() == '*') {
			last = ""
		}
		switch c {
		case '\n':
			s.line++
			b.WriteByte(c)
		case '\'':
			b.WriteByte(c)
			err = s.quoted(&b, c, s.escapes || prefix == 'e')
		case '"':
			b.WriteByte(c)
			err = s.quoted(&b, c, false)
		case '$':
			b.WriteByte(c)
			err = s.dollar(&b)
		case '-':
			if comment = s.peek() == '-'; comment {
				err = s.lineComment(&b)
			} else {
				b.WriteByte(c)
			}
		case '/':
			if comment = s.peek() == '*'; comment {
				err = s.blockComment(&b)
			} else {
				b.WriteByte(c)
			}
		case '(', '[':
			depth++
			b.WriteByte(c)
		case ')', ']':
			depth--
			b.WriteByte(c)
		case ';':
			if depth <= 0 && body == 0 {
				p.text = string(bytes.TrimSpace(b.Bytes()))
				return p, nil
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
		if err != nil {
			if err == io.EOF {
				err = errOpen
			}
			return p, fmt.Errorf("line %d: quote or comment: %w", start, err)
		}
		if p.line == 0 && b.Len() > 0 {
			p.line = start
		}
	}
}

// conforming is a statement that sets how backslashes in plain quotes are read.
var conforming = lazy.Compile(`(?i)^SET\s+(?:SESSION\s+|LOCAL\s+)?standard_conforming_strings\s*(?:=|TO)\s*'?(\w+)`)

// heed keeps what a statement that runs means for those behind it.
func (s *splitter) heed(sql string) {
	if m := conforming.FindStringSubmatch(sql); m != nil {
		switch strings.ToLower(m[1]) {
		case "off", "false", "no", "0":
			s.escapes = true
		default:
			s.escapes = false
		}
	}
}

func createsRoutine(words []string) bool {
	if len(words) < 2 || words[0] != "CREATE" {
		return false
	}
	i := 1
	if len(words) > 3 && words[1] == "OR" && words[2] == "REPLACE" {
		i = 3
	}
	return words[i] == "FUNCTION" || words[i] == "PROCEDURE"
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

func (s *splitter) peek() byte {
	b, _ := s.r.Peek(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (s *splitter) quoted(b *bytes.Buffer, q byte, escapes bool) error {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		b.WriteByte(c)
		switch {
		case c == '\n':
			s.line++
		case c == '\\' && escapes:
			if c, err = s.r.ReadByte(); err != nil {
				return err
			}
			if c == '\n' {
				s.line++
			}
			b.WriteByte(c)
		case c == q:
			if s.peek() != q {
				return nil
			}
			s.r.ReadByte()
			b.WriteByte(q)
		}
	}
}

// dollar reads a dollar-quoted string; its first $ is written already. $1 is
// none.
func (s *splitter) dollar(b *bytes.Buffer) error {
	tag := []byte{'$'}
	for {
		c := s.peek()
		if c == '$' {
			break
		}
		if !isWord(c) || len(tag) == 1 && c >= '0' && c <= '9' {
			b.Write(tag[1:])
			return nil
		}
		s.r.ReadByte()
		tag = append(tag, c)
	}
	s.r.ReadByte()
	tag = append(tag, '$')
	b.Write(tag[1:])
	from := b.Len()
	for {
		chunk, err := s.r.ReadSlice('$')
		s.line += bytes.Count(chunk, []byte{'\n'})
		b.Write(chunk)
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		if b.Len()-from >= len(tag) && bytes.HasSuffix(b.Bytes(), tag) {
			return nil
		}
		if b.Len() > longest {
			return errors.New("a dollar-quoted string of over 1 GiB")
		}
	}
}

// lineComment drops it; a comment before a statement belongs to none, and one
// inside is of no use to a server.
func (s *splitter) lineComment(b *bytes.Buffer) error {
	for {
		_, err := s.r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF {
			return nil
		}
		if err == nil {
			s.line++
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
		}
		return err
	}
}

func (s *splitter) blockComment(b *bytes.Buffer) error {
	s.r.ReadByte()
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	for depth := 1; depth > 0; {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		switch {
		case c == '\n':
			s.line++
		case c == '*' && s.peek() == '/':
			s.r.ReadByte()
			depth--
		case c == '/' && s.peek() == '*':
			s.r.ReadByte()
			depth++
		}
	}
	return nil
}

// copyData reads the lines after COPY … FROM stdin up to the line \. (or the
// end of the file, which is an error: the dump is cut off).
func (s *splitter) copyData() io.Reader {
	// The rest of the line that ended the statement.
	if _, err := s.r.ReadString('\n'); err == nil {
		s.line++
	}
	return &copyReader{s: s, fresh: true}
}

type copyReader struct {
	s     *splitter
	left  []byte
	fresh bool // at the beginning of a line
	err   error
}

func (c *copyReader) Read(p []byte) (int, error) {
	for len(c.left) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		chunk, err := c.s.r.ReadSlice('\n')
		if c.fresh && (string(chunk) == "\\.\n" || string(chunk) == "\\.\r\n" || string(chunk) == "\\.") {
			c.s.line++
			c.err = io.EOF
			continue
		}
		c.fresh = err == nil
		switch err {
		case nil:
			c.s.line++
		case bufio.ErrBufferFull:
		case io.EOF:
			c.err = fmt.Errorf("line %d: the file ends inside the data of COPY: it was cut off", c.s.line)
			continue
		default:
			c.err = err
			continue
		}
		c.left = chunk
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}
