package gitlab

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/migration-gate/migration-gate/gate"
)

// Section opens a section of the job's log that folds, and returns what ends
// it, once (GitLab Docs, "CI/CD job logs: Custom collapsible sections").
// Sections may be nested. The name is written in lower case, of letters,
// digits, "_", "." and "-".
func (p *Publisher) Section(name, title string, collapsed bool) (end func()) {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	if name == "" {
		name = "section"
	}
	options := ""
	if collapsed {
		options = "[collapsed=true]"
	}
	write := func(s string) { _, _ = io.WriteString(p.opt.Stdout, s) } // a log that is gone is told elsewhere
	write(fmt.Sprintf("\x1b[0Ksection_start:%d:%s%s\r\x1b[0K%s\n", p.opt.Now().Unix(), name, options, unmarked(oneLine(title))))
	var once sync.Once
	return func() {
		once.Do(func() { write(fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", p.opt.Now().Unix(), name)) })
	}
}

// Guard returns a writer to w through which no text can open or close a
// section, wipe a line that was written, or steer a terminal: the colon of
// section_start: and section_end:, a carriage return that ends no line, and
// every control character but line feed, tab and what sets a colour are
// written as their codes. All else goes through byte by byte, split between
// writes as it may be. It may be used by several at once, each of whose writes
// stays whole.
//
// A carriage return or an escape sequence waits for what follows it, or for
// Flush, which the writer has.
func Guard(w io.Writer) io.Writer { return &guard{w: w} }

type guard struct {
	mu   sync.Mutex
	w    io.Writer
	held []byte // "\r", or an escape sequence not yet at its end
	tail string // what was just written, as far as a marker may begin with it
	buf  []byte
}

// What begins and ends a section's marker.
const (
	markStart = "section_start:"
	markEnd   = "section_end:"
)

func (g *guard) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.buf = g.buf[:0]
	for _, c := range b {
		g.take(c)
	}
	if len(g.buf) > 0 {
		if _, err := g.w.Write(g.buf); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Flush writes what still waits for its end, as its codes.
func (g *guard) Flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) == 0 {
		return nil
	}
	rest := string(g.held[1:])
	g.buf = fmt.Appendf(g.buf[:0], `\x%02x%s`, g.held[0], rest)
	g.held, g.tail = g.held[:0], ""
	_, err := g.w.Write(g.buf)
	return err
}

// take is one byte.
func (g *guard) take(c byte) {
	switch {
	case len(g.held) == 0:
		g.fresh(c)
	case g.held[0] == '\r':
		g.held = g.held[:0]
		if c == '\n' {
			g.put("\r\n")
			return
		}
		g.put(`\x0d`)
		g.fresh(c)
	default:
		g.sequence(c)
	}
}

func (g *guard) fresh(c byte) {
	switch {
	case c == '\r' || c == 0x1b:
		g.held = append(g.held, c)
	case c < 0x20 && c != '\n' && c != '\t' || c == 0x7f:
		g.put(fmt.Sprintf(`\x%02x`, c))
	default:
		g.plain(c)
	}
}

// plain writes a byte, or its code where it would complete a marker.
func (g *guard) plain(c byte) {
	tail := g.tail + string(rune(c))
	if c >= 0x80 {
		tail = ""
	}
	for tail != "" && !strings.HasPrefix(markStart, tail) && !strings.HasPrefix(markEnd, tail) {
		tail = tail[1:]
	}
	if tail == markStart || tail == markEnd {
		g.put(`\x3a`)
		return
	}
	g.buf = append(g.buf, c)
	g.tail = tail
}

// put writes what completes no marker.
func (g *guard) put(s string) {
	g.buf = append(g.buf, s...)
	g.tail = ""
}

// maxSequence is longer than any sequence of colours that we write.
const maxSequence = 24

// sequence goes on with an escape sequence, to pass where it is ESC [ … m of
// harmless numbers.
func (g *guard) sequence(c byte) {
	bracket := len(g.held) == 1
	switch {
	case bracket && c == '[', !bracket && len(g.held) < maxSequence && (c >= '0' && c <= '9' || c == ';'):
		g.held = append(g.held, c)
		return
	case !bracket && c == 'm' && visible(string(g.held[2:])):
		g.put(string(append(g.held, 'm')))
		g.held = g.held[:0]
		return
	}
	rest := append([]byte{}, g.held[1:]...)
	g.held = g.held[:0]
	g.put(`\x1b`)
	for _, r := range append(rest, c) {
		g.take(r)
	}
}

// visible reports whether a style shows its text: not 8, which conceals.
func visible(params string) bool {
	for n := range strings.SplitSeq(params, ";") {
		if strings.TrimLeft(n, "0") == "8" {
			return false
		}
	}
	return true
}

// unmarked breaks the markers in a text.
func unmarked(s string) string {
	return strings.NewReplacer(markStart, `section_start\x3a`, markEnd, `section_end\x3a`).Replace(gate.Printable(s))
}
