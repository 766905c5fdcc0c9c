// Package runnertest tells what the GitHub Actions runner would make of a
// step's output: which lines it takes for commands, which annotations it keeps,
// what it reads from the files that a step may write. It follows the code of
// actions/runner (ActionCommand.cs, ActionCommandManager.cs,
// FileCommandManager.cs) and, for ParseAct, that of nektos/act.
//
// It is for tests, and knows nothing of what the gate means to say.
package runnertest

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Command is a line that the runner obeys.
type Command struct {
	Name       string
	Properties map[string]string
	Data       string
	// Line is the number of the line, from 1; Raw is the line itself.
	Line int
	Raw  string
}

// Registered are the commands that the runner knows; other names are text.
func Registered() []string {
	return []string{"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
		"remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"}
}

// Parse lists the commands of a step's stream, in order. Where the runner's
// answer depends on its machine (marks are compared by the rules of a culture)
// a line counts that either reading takes for a command.
func Parse(stream []byte) []Command {
	known := map[string]bool{}
	for _, name := range Registered() {
		known[name] = true
	}
	var out []Command
	token := ""
	for i, line := range Lines(stream) {
		c, ok := parseLine(line, known)
		if !ok {
			continue
		}
		c.Line, c.Raw = i+1, line
		switch {
		case token != "" && strings.EqualFold(c.Name, token):
			delete(known, strings.ToLower(token))
			token = ""
		case token != "":
			continue // stopped
		case strings.EqualFold(c.Name, "stop-commands") && c.Data != "":
			token = c.Data
			known[strings.ToLower(token)] = true
		}
		out = append(out, c)
	}
	return out
}

// Lines parts a stream as the runner's reader does: at line feeds, carriage
// returns and pairs of them, with what is not UTF-8 replaced, and the encoding
// chosen by the first bytes.
func Lines(stream []byte) []string {
	s := decode(stream)
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.TrimSuffix(s, "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

func decode(b []byte) string {
	order := func(hi, lo int) string {
		var units []uint16
		for i := 2; i+1 < len(b); i += 2 {
			units = append(units, uint16(b[i+hi])<<8|uint16(b[i+lo]))
		}
		return string(utf16.Decode(units))
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return order(0, 1)
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return order(1, 0)
	case bytes.HasPrefix(b, []byte{0, 0, 0xfe, 0xff}):
		var rs []rune
		for i := 4; i+3 < len(b); i += 4 {
			rs = append(rs, rune(b[i])<<24|rune(b[i+1])<<16|rune(b[i+2])<<8|rune(b[i+3]))
		}
		return string(rs)
	}
	return string([]rune(string(bytes.TrimPrefix(b, []byte("\ufeff")))))
}

// parseLine tries the newer form before the older, each as an exact comparison
// and as a culture's.
func parseLine(line string, known map[string]bool) (Command, bool) {
	for _, c := range []culture{exact, invisible} {
		if cmd, ok := parseV2(line, known, c); ok {
			return cmd, true
		}
		if cmd, ok := parseV1(line, known, c); ok {
			return cmd, true
		}
	}
	return Command{}, false
}

// text is a string in .NET's units, which its offsets count.
type text []uint16

func (t text) String() string { return string(utf16.Decode(t)) }

// culture says which characters a comparison passes over.
type culture func(rune) bool

func exact(rune) bool { return false }

// invisible are characters that the Unicode collation gives no weight.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) ||
		r < 0x20 && !unicode.IsSpace(r) || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0x34f || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0
}

// matches reports whether mark is at i.
func (t text) matches(i int, mark string, skip culture) bool {
	for n := 0; n < len(mark); i++ {
		switch {
		case i >= len(t):
			return false
		case t[i] == uint16(mark[n]):
			n++
		case n == 0 || !skip(rune(t[i])):
			return false
		}
	}
	return true
}

func (t text) index(mark string, from int, skip culture) int {
	for i := from; i < len(t); i++ {
		if t.matches(i, mark, skip) {
			return i
		}
	}
	return -1
}

func parseV2(line string, known map[string]bool, skip culture) (Command, bool) {
	t := text(utf16.Encode([]rune(strings.TrimLeftFunc(line, unicode.IsSpace))))
	start := 0
	for start < len(t) && skip(rune(t[start])) {
		start++
	}
	if len(t) < 2 || !t.matches(start, "::", skip) {
		return Command{}, false
	}
	end := t.index("::", 2, skip)
	if end < 0 {
		return Command{}, false
	}
	return command(t[2:end], t[min(end+2, len(t)):], known, ",", "\r%0D\n%0A:%3A,%2C%%25", "\r%0D\n%0A%%25", true)
}

func parseV1(line string, known map[string]bool, skip culture) (Command, bool) {
	t := text(utf16.Encode([]rune(line)))
	start := t.index("##[", 0, skip)
	if start < 0 {
		return Command{}, false
	}
	end := t.index("]", start, exact)
	if end < start+3 {
		return Command{}, false
	}
	escapes := ";%3B\r%0D\n%0A]%5D%%25"
	return command(t[start+3:end], t[end+1:], known, ";", escapes, escapes, false)
}

func command(info, data text, known map[string]bool, separator, propertyEscapes, dataEscapes string, trim bool) (Command, bool) {
	name, rest, spaced := strings.Cut(info.String(), " ")
	if !known[strings.ToLower(name)] {
		return Command{}, false
	}
	c := Command{Name: name, Properties: map[string]string{}, Data: unescape(data.String(), dataEscapes)}
	if spaced && name != "" {
		if trim {
			rest = strings.TrimSpace(rest)
		}
		for _, pair := range strings.Split(rest, separator) {
			key, value, ok := strings.Cut(strings.TrimLeft(pair, "="), "=")
			if value = strings.TrimLeft(value, "="); ok && value != "" { // empty parts are dropped
				c.Properties[key] = unescape(value, propertyEscapes)
			}
		}
	}
	return c, true
}

// unescape replaces one escape after the other in the order that the runner
// does, "%25" last. A table is written as each character before its escape.
func unescape(s, table string) string {
	for i := 0; i < len(table); i += 4 {
		s = strings.ReplaceAll(s, table[i+1:i+4], table[i:i+1])
	}
	return s
}

var (
	actV2 = regexp.MustCompile(`^::([^ ]+)( (.+))?::([^\r\n]*)[\r\n]+$`)
	actV1 = regexp.MustCompile(`^##\[([^ ]+)( (.+))?]([^\r\n]*)[\r\n]+$`)
)

// ParseAct lists the lines that act takes for commands, of any name, without
// reading their properties.
func ParseAct(stream []byte) []Command {
	var out []Command
	for i, line := range strings.SplitAfter(string(stream), "\n") {
		m := actV2.FindStringSubmatch(line)
		if m == nil {
			m = actV1.FindStringSubmatch(line)
		}
		if m != nil {
			out = append(out, Command{Name: m[1], Data: m[4], Line: i + 1, Raw: strings.TrimRight(line, "\r\n")})
		}
	}
	return out
}
