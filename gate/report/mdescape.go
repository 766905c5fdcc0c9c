package report

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/migration-gate/migration-gate/gate"
)

// Markdown is shown by forges that turn text into structure on several
// levels: CommonMark, tables, HTML, autolinks, mentions and references, maths.
// Text from outside therefore never reaches them bare: in prose every
// punctuation mark is a character reference (which CommonMark never takes for
// structure), and what forges look for after that (@name, #12, www., ://) is
// parted by a zero-width space. Shown as code, it stands in <code> or in a
// fence longer than any run of backticks within.

// mdText makes s safe as prose within one line.
func mdText(s string) string {
	var b strings.Builder
	rs := []rune(oneLine(s))
	for i, r := range rs {
		next := rune(0)
		if i+1 < len(rs) {
			next = rs[i+1]
		}
		joins := next == '"' || next == '[' || unicode.IsLetter(next) || unicode.IsDigit(next)
		switch {
		case r == '$':
			b.WriteString("<span>&#36;</span>")
		case strings.ContainsRune("@#!~%^&", r) && joins:
			fmt.Fprintf(&b, "&#%d;&#8203;", r)
		case r == ':' && next == '/':
			b.WriteString("&#58;&#8203;")
		case r == '.' && i >= 3 && strings.EqualFold(string(rs[i-3:i]), "www"):
			b.WriteString(".&#8203;")
		case r == '_' || r == '-':
			// Harmless within a word, and there they are common. A line
			// never begins with text from outside.
			if i > 0 && next != 0 && isWord(rs[i-1]) && isWord(next) {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, "&#%d;", r)
			}
		case strings.ContainsRune("&<>\"'`*[]()\\|{}~#!@:^+=", r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// mdCode makes s safe as code within one line, in a table cell too. Mentions
// and links are inert within the element; its content is still Markdown, so
// punctuation is written as character references.
func mdCode(s string) string {
	s = oneLine(s)
	if s == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("<code>")
	for i, r := range s {
		switch {
		case r == '_' && i > 0:
			b.WriteString("&#95;")
		case r < 0x80 && unicode.In(r, unicode.P, unicode.S) && !strings.ContainsRune(".,/-;", r):
			fmt.Fprintf(&b, "&#%d;", r)
		case r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www"), r == '/' && i > 0 && s[i-1] == ':':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString("</code>")
	return b.String()
}

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
