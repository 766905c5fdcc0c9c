package github

import (
	"io"
	"sync"
)

// The runner reads both streams line by line and obeys two forms of commands
// (actions/runner, ActionCommand.cs):
//
//	::name key=value,key=value::data    first in the line, blanks aside
//	##[name key=value;key=value]data    anywhere in the line
//
// A carriage return ends a line as well. It looks for the marks by the rules of
// a culture, where characters that nobody sees do not count, and other readers
// of such logs drop colour codes first; so what is invisible never parts marks
// here. Only a mark that would complete a command is touched: a
// backslash goes before it, which whoever copies the text will see. So a line
// that begins with "::numeric" stays as it is, for no second "::" follows.

// GuardWriter keeps what is written to it from being taken for a workflow
// command. It writes whole lines, so that what several writers say does not mix
// within one. It is safe for concurrent use.
type GuardWriter struct {
	mu   sync.Mutex
	w    io.Writer
	line []byte // made harmless, not yet written
	last byte   // that went to w; 0 at the start of the stream
	scan scanner
}

// Guard returns a writer in front of w for everything that is not meant as a
// command: reports, progress, what child programs say. Bytes are kept but for
// the backslashes. Flush it at the end.
func Guard(w io.Writer) *GuardWriter { return &GuardWriter{w: w} }

// heldLine is the longest part of a line that is held back for its end.
const heldLine = 64 << 10

// Write takes p over: the lines that it completes are written, the rest waits
// for its end. An error is that of the writer behind; the lines are lost then.
func (g *GuardWriter) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	whole := 0 // bytes held that are whole lines
	for _, c := range p {
		if g.scan.completes(c) {
			g.line = append(g.line, '\\')
		}
		g.line = append(g.line, c)
		if c == '\n' || c == '\r' {
			whole = len(g.line)
		}
	}
	if len(g.line)-whole > heldLine {
		whole = len(g.line)
	}
	if err := g.emit(whole); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes the beginning of a line whose end has not come.
func (g *GuardWriter) Flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.emit(len(g.line))
}

// emit writes the first n bytes of what is held.
func (g *GuardWriter) emit(n int) error {
	if n == 0 {
		return nil
	}
	g.last = g.line[n-1]
	_, err := g.w.Write(g.line[:n])
	g.line = append(g.line[:0], g.line[n:]...)
	return err
}

// commands writes lines that are meant as commands, past the guard and never
// in the middle of another line.
func (g *GuardWriter) commands(p []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.scan.begun = true
	if len(g.line) > 0 || g.last != 0 && g.last != '\n' {
		g.line = append(g.line, '\n')
		g.scan.completes('\n')
	}
	g.line = append(g.line, p...)
	return g.emit(len(g.line))
}

// scanner finds the marks that complete a command, as three readers see them:
// the runner; act, which does not end lines at carriage returns; and one that
// takes colour codes out first.
type scanner struct {
	begun          bool
	raw, act, bare marks
	ansi           byte // 0, or the last byte of a colour code that has begun
}

// completes reports whether c would complete a command, and goes on as if it
// had been parted from what is before it.
func (s *scanner) completes(c byte) bool {
	// At its very start the stream's encoding is told by its first bytes.
	odd := !s.begun && (c == 0 || c >= 0xfe)
	s.begun = true
	hit := s.raw.completes(c, c == '\n' || c == '\r')
	hit = s.act.completes(c, c == '\n') || hit
	if !s.inCode(c) {
		hit = s.bare.completes(c, c == '\n' || c == '\r') || hit
	}
	if hit || odd {
		s.raw.part(c)
		s.act.part(c)
		s.bare.part(c)
		s.ansi = 0
		return true
	}
	return false
}

// inCode follows colour codes and their like: ESC, "[", parameters, one last
// byte from "@" to "~".
func (s *scanner) inCode(c byte) bool {
	switch {
	case c == 0x1b:
		s.ansi = c
		return true
	case c < 0x20 || s.ansi == 0:
		s.ansi = 0
		return false
	case s.ansi == 0x1b && c == '[':
		s.ansi = c
		return true
	case s.ansi == 0x1b || c >= '@' && c <= '~':
		s.ansi = 0
	}
	return true
}

// marks is how far a line has come on its way to a command of either form.
type marks struct {
	place  place
	colon  bool // the last visible byte after "::" was a colon
	hashes int
}

type place byte

const (
	lineStart place = iota
	oneColon        // first in the line
	twoColons
	plainText
)

func (m *marks) completes(c byte, end bool) bool {
	switch {
	case end:
		*m = marks{}
		return false
	case c < ' ' || c >= 0x7f:
		return false // invisible, or part of what may be
	}
	hit := c == '[' && m.hashes >= 2 || c == ':' && m.place == twoColons && m.colon
	if c == '#' {
		m.hashes++
	} else {
		m.hashes = 0
	}
	m.colon = c == ':' && m.place == twoColons
	switch {
	case c == ':' && m.place < twoColons:
		m.place++
	case c == ' ' && m.place == lineStart, m.place == twoColons:
	default:
		m.place = plainText
	}
	return hit
}

// part is what a backslash before c makes of the marks.
func (m *marks) part(c byte) {
	m.hashes = 0
	if m.place < twoColons {
		m.place = plainText
	}
	m.colon = c == ':' && m.place == twoColons
}
