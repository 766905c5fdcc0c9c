package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// upTo spells an upper bound in milliseconds: never rounded down, so that a
// figure over its budget also reads so.
func upTo(ms float64) string {
	if ms < 10 {
		return strconv.FormatFloat(math.Ceil(ms*10-1e-6)/10, 'f', -1, 64) + " ms"
	}
	return strconv.FormatFloat(math.Ceil(ms-1e-6), 'f', 0, 64) + " ms"
}

// limit spells a budget.
func limit(ms float64) string { return strconv.FormatFloat(ms, 'f', -1, 64) + " ms" }

// count spells a number with its thousands apart: 1,000,000.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// size spells bytes, in the units of the report.
func size(n int64) string {
	f, unit := float64(n), "bytes"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	if unit == "bytes" || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, unit)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

// list joins words as a sentence does: "a", "a and b", "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// some is list, cut to the first few of many.
func some(words []string, most int) string {
	if len(words) <= most {
		return list(words)
	}
	return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
}

// excerpt keeps a finding small where its statement carries megabytes of data.
func excerpt(sql string) string {
	const most = 4096
	if len(sql) <= most {
		return sql
	}
	cut := most
	for !utf8.RuneStart(sql[cut]) {
		cut--
	}
	return sql[:cut] + " …"
}
