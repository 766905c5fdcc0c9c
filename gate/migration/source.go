package migration

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// source is a text that is scanned, and where each of its bytes stands in the
// file it came from. The two differ where a tool reassembles lines (goose).
type source struct {
	file  string
	text  string
	marks []mark // ascending by off; the first has off 0
}

// mark is the start of a stretch that maps byte by byte to the file.
type mark struct {
	off     int // in source.text
	fileOff int
	line    int // 1-based
	col     int // 1-based, in characters
	end     int // no position of this stretch lies behind this offset in the file
}

const bom = "\ufeff"

// newSource checks the encoding and lays the line table. A byte order mark is
// not part of the text, but counts in offsets; MySQL fails at it.
func newSource(file string, text []byte) (*source, error) {
	return newDialectSource(Postgres, file, text)
}

func newDialectSource(d Dialect, file string, text []byte) (*source, error) {
	s := string(text)
	skip := 0
	if strings.HasPrefix(s, bom) {
		skip = len(bom)
	}
	src := &source{file: file, text: s[skip:]}
	src.marks = lineMarks(src.text, skip)
	if skip > 0 && d.IsMySQL() {
		return nil, src.errorAt(0, "a byte order mark, which MySQL takes for a part of the first word", "save the file as UTF-8 without one")
	}
	if err := src.checkEncoding(d); err != nil {
		return nil, err
	}
	return src, nil
}

// lineMarks finds the line starts; lines end with LF, CRLF or a lone CR.
func lineMarks(text string, fileOff int) []mark {
	end := fileOff + len(text)
	marks := []mark{{0, fileOff, 1, 1, end}}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
		case '\n':
		default:
			continue
		}
		marks = append(marks, mark{i + 1, fileOff + i + 1, len(marks) + 1, 1, end})
	}
	return marks
}

// checkEncoding refuses what would be misread in silence: the grammar takes a
// NUL for the end of the text, and loses a tree that holds broken UTF-8. MySQL
// takes both inside strings and comments, but a NUL ends a line comment there,
// so that what looks like a comment runs.
func (s *source) checkEncoding(d Dialect) error {
	if i := strings.IndexByte(s.text, 0); i >= 0 {
		message := "a NUL byte, which PostgreSQL cannot receive"
		if d.IsMySQL() {
			message = "a NUL byte, at which MySQL may end a comment or the statement"
		}
		return s.errorAt(i, message, "remove it; if the file is UTF-16, save it as UTF-8")
	}
	if utf8.ValidString(s.text) {
		return nil
	}
	for i, r := range s.text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s.text[i:]); n == 1 {
				return s.errorAt(i, fmt.Sprintf("byte 0x%02X is not valid UTF-8", s.text[i]), "save the file as UTF-8")
			}
		}
	}
	return nil
}

func (s *source) markAt(off int) mark {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].off > off })
	return s.marks[max(i-1, 0)]
}

// position of an offset in the file: line and column 1-based, the column in
// characters.
func (s *source) position(off int) (fileOff, line, col int) {
	m := s.markAt(off)
	off = min(max(off, 0), len(s.text))
	return min(m.fileOff+off-m.off, m.end), m.line, m.col + utf8.RuneCountInString(s.text[m.off:off])
}

// part is a stretch of the text as a source of its own.
func (s *source) part(from, to int) *source {
	fileOff, line, col := s.position(from)
	end, _, _ := s.position(to)
	p := &source{file: s.file, text: s.text[from:to], marks: []mark{{0, fileOff, line, col, end}}}
	for i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].off > from }); i < len(s.marks) && s.marks[i].off < to; i++ {
		m := s.marks[i]
		p.marks = append(p.marks, mark{m.off - from, m.fileOff, m.line, m.col, min(m.end, end)})
	}
	return p
}

func (s *source) line(off int) int { return s.markAt(off).line }

func (s *source) errorAt(off int, message, remedy string) *InputError {
	_, line, col := s.position(off)
	return &InputError{File: s.file, Line: line, Col: col, Message: message, Remedy: remedy}
}
