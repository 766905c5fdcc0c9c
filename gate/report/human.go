package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/migration-gate/migration-gate/gate"
)

// duration writes milliseconds for people: one decimal below 10 ms, whole
// milliseconds below 10 s, then seconds, then minutes.
func duration(v float64) string {
	switch {
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64) + " ms"
	case v < 9999.5:
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64) + " ms"
	case v < 119_950:
		return strconv.FormatFloat(v/1000, 'f', 1, 64) + " s"
	default:
		s := int64(math.Round(v / 1000))
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
}

// upTo is duration for an upper bound: never rounded down, so that a figure
// over its budget also reads so.
func upTo(v float64) string {
	switch {
	case v < 9.95:
		v = math.Ceil(v*10-1e-6) / 10
	case v < 9999:
		v = math.Ceil(v - 1e-6)
	}
	return duration(v)
}

// phaseTime writes a phase's length, in seconds as a rule.
func phaseTime(v float64) string {
	if v >= 99.5 && v < 119_950 {
		return strconv.FormatFloat(v/1000, 'f', 1, 64) + " s"
	}
	return duration(v)
}

// between writes both bounds of a length.
func between(lo, hi float64) string {
	l, h := duration(lo), duration(hi)
	switch {
	case l == h:
		return h
	case hi < 9999.5:
		return fmt.Sprintf("between %.1f and %.1f ms", lo, hi)
	default:
		return "between " + l + " and " + h
	}
}

// byteSize writes bytes in decimal units, as disks and networks count.
func byteSize(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n), 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 || math.Abs(v) >= 99.95 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + units[i]
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}

// number groups digits by thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := len(s) % 3
	if n < 0 {
		start = (len(s)-1)%3 + 1
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (i-start)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// plural writes a count with its noun: "1 error", "3 errors".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// and joins words for a sentence.
func and(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// maxLine is what of one text is ever shown on one line: a statement may
// carry megabytes.
const maxLine = 8 << 10

// oneLine folds white space, line feeds included, into single spaces.
func oneLine(s string) string {
	if len(s) > maxLine {
		s = cutRunes(s, maxLine) + "..."
	}
	return strings.Join(strings.Fields(gate.Printable(s)), " ")
}

// cutRunes shortens s to at most n bytes between runes.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cutText shortens s to about n bytes, for programs.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return cutRunes(s, n-3) + "..."
}

// clip shortens s to a display width, ending in mark where it cut.
func clip(s string, width int, mark string) string {
	if len(s) <= width {
		return s
	}
	s = cutRunes(s, 16*max(width, 64)) // measuring megabytes takes its time
	if columnsOf(s) <= width {
		return s
	}
	return runewidth.Truncate(s, max(width, columnsOf(mark)), mark)
}

// clipLeft is clip for paths, whose end says most.
func clipLeft(s string, width int, mark string) string {
	w := columnsOf(s)
	if w <= width {
		return s
	}
	return runewidth.TruncateLeft(s, w-width+columnsOf(mark), mark)
}

// columnsOf is the display width of s.
func columnsOf(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return runewidth.StringWidth(s)
		}
	}
	return len(s)
}

// pad fills s with blanks to a display width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columnsOf(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-columnsOf(s))) + s
}

// wrap breaks text at blanks so that no line is wider than width, unless a
// single word is.
func wrap(s string, width int) []string {
	var lines []string
	var line strings.Builder
	at := 0
	for _, word := range strings.Fields(s) {
		w := columnsOf(word)
		if at > 0 && at+1+w > width {
			lines = append(lines, line.String())
			line.Reset()
			at = 0
		}
		if at > 0 {
			line.WriteByte(' ')
			at++
		}
		line.WriteString(word)
		at += w
	}
	return append(lines, line.String())
}
