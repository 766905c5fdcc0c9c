package migration

import (
	"errors"
	"strings"
)

// What goose and sql-migrate share: both take a file apart line by line, and end a
// statement at a line that ends with a semicolon.

// endsChunk: the last word before a comment ends in a semicolon.
func endsChunk(line string) bool {
	last := ""
	for _, word := range strings.Fields(line) {
		if strings.HasPrefix(word, "--") {
			break
		}
		last = word
	}
	return strings.HasSuffix(last, ";")
}

// chunkBuffer reassembles lines into the text that goose sends, and remembers
// where they stand in the file.
type chunkBuffer struct {
	text  strings.Builder
	marks []mark
	skip  int // the file's offset of its text: a byte order mark
}

func (b *chunkBuffer) empty() bool { return b.text.Len() == 0 }

func (b *chunkBuffer) reset() { *b = chunkBuffer{} }

// first returns where the first line that is not blank stands in the file's
// text, if there is one.
func (b *chunkBuffer) first() (int, bool) {
	text := b.text.String()
	trimmed := strings.TrimLeft(text, " \t\r\n\v\f")
	if trimmed == "" {
		return 0, false
	}
	s := source{text: text, marks: b.marks}
	off, _, _ := s.position(len(text) - len(trimmed))
	return off - b.skip, true
}

// add appends a line as it stands; a lone CR inside it starts a line for
// people and for the server.
func (b *chunkBuffer) add(src *source, off int, line string) {
	fileOff, no, col := src.position(off)
	b.skip = src.marks[0].fileOff
	end := fileOff + len(line)
	b.marks = append(b.marks, mark{b.text.Len(), fileOff, no, col, end})
	for i := 0; i < len(line)-1; i++ {
		if line[i] == '\r' {
			no++
			b.marks = append(b.marks, mark{b.text.Len() + i + 1, fileOff + i + 1, no, 1, end})
		}
	}
	b.text.WriteString(line + "\n")
}

// addExpanded appends a line whose variables were replaced: positions in it
// can be no more exact than the line.
func (b *chunkBuffer) addExpanded(src *source, off, length int, expanded string) {
	fileOff, no, col := src.position(off)
	b.skip = src.marks[0].fileOff
	b.marks = append(b.marks, mark{b.text.Len(), fileOff, no, col, fileOff + length})
	b.text.WriteString(expanded + "\n")
}

// whole is the chunk with all its white space; at is where it stands if it is
// empty.
func (b *chunkBuffer) whole(src *source, at int) *source {
	if b.empty() {
		return src.part(at, at)
	}
	return &source{file: src.file, text: b.text.String(), marks: b.marks}
}

// source is the chunk as goose sends it: white space at its ends is cut.
func (b *chunkBuffer) source(file string) *source {
	text := b.text.String()
	trimmed := strings.TrimLeft(text, " \t\r\n\v\f\u0085\u00a0")
	cut := len(text) - len(trimmed)
	s := &source{file: file, text: strings.TrimSpace(text)}
	whole := source{text: text, marks: b.marks}
	m := whole.markAt(cut)
	fileOff, line, col := whole.position(cut)
	s.marks = append(s.marks, mark{0, fileOff, line, col, m.end})
	for _, m := range b.marks {
		if m.off > cut {
			m.off -= cut
			s.marks = append(s.marks, m)
		}
	}
	return s
}

// annotatedRemedy explains what cuts a string or a body in two.
func annotatedRemedy(err error, tool, mark string) error {
	var e *InputError
	if errors.As(err, &e) && strings.Contains(e.Message, "never closed") {
		e.Remedy = tool + " ends a statement at each line that ends with a semicolon: " +
			"put it between " + mark + " StatementBegin and " + mark + " StatementEnd if it holds such a line, else " + e.Remedy
	}
	return err
}
