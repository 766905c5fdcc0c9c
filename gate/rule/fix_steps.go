package rule

import (
	"fmt"
	"regexp"
	"strconv"
)

// step opens a migration of its own in a fix.
var step = regexp.MustCompile(`(?m)^-- (\d+)\. `)

// renumbered moves the numbers of a recipe's migrations up.
func renumbered(recipe string, by int) string {
	return step.ReplaceAllStringFunc(recipe, func(s string) string {
		return fmt.Sprintf("-- %d. ", number(s)+by)
	})
}

// lastStep is the highest number in a recipe, 0 for none.
func lastStep(recipe string) int {
	last := 0
	for _, s := range step.FindAllString(recipe, -1) {
		last = max(last, number(s))
	}
	return last
}

func number(s string) int {
	n, _ := strconv.Atoi(step.FindStringSubmatch(s)[1]) // digits by the expression
	return n
}
