package report

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/migration-gate/migration-gate/gate"
)

// Markdown is shown by forges that turn text into structure on several
// levels: CommonMark, tables, HTML, autolinks, mentions and references, maths.
// Text from outside therefore never reaches them bare. In prose every mark
// that could be structure is a character reference (which CommonMark never
// takes for structure), and what forges look for after that (@name, #12, GH-12,
// www., ://, :emoji:) is parted by a zero-width space. Shown as code, it stands in
// <code> or in a fence longer than any run of backticks within. No line begins
// with it.

// mdText makes s safe as prose within one line.
func mdText(s string) string {
	var b strings.Builder
	rs := []rune(oneLine(s))
	for i, r := range rs {
		next := rune(0)
		if i+1 < len(rs) {
			next = rs[i+1]
		}
		switch {
		case r == '$':
			b.WriteString("<span>&#36;</span>")
		case strings.ContainsRune("@#!~%^&", r) && (isWord(next) || next == '"' || next == '['):
			fmt.Fprintf(&b, "&#%d;&#8203;", r)
		case r == ':' && (next == '/' || next == '+' || next == '-' || unicode.IsLetter(next)):
			b.WriteString(":&#8203;")
		case r == '.' && afterWWW(rs, i):
			b.WriteString(".&#8203;")
		case r == '-' && unicode.IsDigit(next) && i >= 2 && strings.EqualFold(string(rs[i-2:i]), "gh"):
			b.WriteString("-&#8203;") // GH-12 is #12
		case isStructure(rs, i):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mdCode makes s safe as code within one line, in a table cell too. Mentions,
// links and emoji are inert within the element; its content is still Markdown.
func mdCode(s string) string {
	rs := []rune(oneLine(s))
	if len(rs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<code>")
	for i, r := range rs {
		link := (r == ':' && i+1 < len(rs) && rs[i+1] == '/') || (r == '.' && afterWWW(rs, i))
		if link || r == '$' || isStructure(rs, i) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteString("</code>")
	return b.String()
}

// isStructure reports whether CommonMark, its table and strike-through
// extensions or a forge's templates could take the rune for their own. An
// underscore within a word is none, and common there.
func isStructure(rs []rune, i int) bool {
	if rs[i] == '_' {
		return i == 0 || i+1 == len(rs) || !isWord(rs[i-1]) || !isWord(rs[i+1])
	}
	return strings.ContainsRune("&<>`*[]\\|{}~#@^", rs[i])
}

func afterWWW(rs []rune, i int) bool {
	return i >= 3 && strings.EqualFold(string(rs[i-3:i]), "www")
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// mdFence makes a code block of s, language included.
func mdFence(language, s string) string {
	s = strings.TrimRight(gate.Printable(s), "\n\t ")
	longest, run := 2, 0
	for _, r := range s {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	fence := strings.Repeat("`", longest+1)
	return fence + language + "\n" + s + "\n" + fence + "\n"
}

// cutLines shortens s to about n bytes on a line's end, and says so.
func cutLines(s string, n int, comment string) string {
	if len(s) <= n {
		return s
	}
	cut := strings.LastIndexByte(s[:n], '\n')
	if cut <= 0 {
		cut = len(cutRunes(s, n))
	}
	rest := s[cut:]
	return s[:cut] + fmt.Sprintf("\n%s cut here: %s more\n", comment, plural(int64(len(rest)), "byte"))
}

// ganttLabel keeps what Mermaid's gantt syntax cannot take for its own.
func ganttLabel(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x80 && (isWord(r) || strings.ContainsRune("_.- /+()", r)):
			return r
		case r >= 0x80 && isWord(r):
			return r
		}
		return '_'
	}, oneLine(s))
}
