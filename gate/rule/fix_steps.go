package rule

import (
	"strconv"
	"strings"
)

// A line "-- N. …" opens a migration of its own in a fix.

// renumbered moves the numbers of a recipe's migrations up.
func renumbered(recipe string, by int) string {
	lines := strings.Split(recipe, "\n")
	for i, line := range lines {
		if n, rest, ok := step(line); ok {
			lines[i] = "-- " + strconv.Itoa(n+by) + ". " + rest
		}
	}
	return strings.Join(lines, "\n")
}

// lastStep is the highest number in a recipe, 0 for none.
func lastStep(recipe string) int {
	last := 0
	for line := range strings.SplitSeq(recipe, "\n") {
		if n, _, ok := step(line); ok {
			last = max(last, n)
		}
	}
	return last
}

// step reads the number of a line that opens a migration.
func step(line string) (n int, rest string, ok bool) {
	text, ok := strings.CutPrefix(line, "-- ")
	if !ok || text == "" || text[0] < '0' || text[0] > '9' {
		return 0, "", false
	}
	digits, rest, ok := strings.Cut(text, ". ")
	if !ok {
		return 0, "", false
	}
	n, err := strconv.Atoi(digits)
	return n, rest, err == nil
}
