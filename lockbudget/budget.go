package lockbudget

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Limit is the longest time one impact may last on relations that match.
type Limit struct {
	// Pattern in path.Match syntax on "schema.name"; one without a dot matches
	// the name in any schema; "" matches every relation.
	Pattern string
	Impact  Impact // exactly one bit
	Max     time.Duration
}

// Budget is an ordered list of limits: for each impact the first limit whose
// pattern matches a relation counts, so general ones go last.
type Budget struct {
	Limits []Limit
}

// Breach is one impact that lasted longer than its limit.
type Breach struct {
	Impact      Impact
	Max, AtMost time.Duration
}

// Validate reports the first limit that cannot be applied.
func (b Budget) Validate() error {
	for _, l := range b.Limits {
		if _, err := path.Match(l.Pattern, ""); err != nil {
			return fmt.Errorf("lock budget pattern %q: %w", l.Pattern, err)
		}
		if len(l.Impact.Strings()) != 1 || l.Max < 0 {
			return fmt.Errorf("lock budget for %q: want one impact and a limit that is not negative", l.Pattern)
		}
	}
	return nil
}

// Breaches judges the upper bound of a window on a relation ("schema.name")
// and returns its breaches in the order reads, writes, DDL.
func (b Budget) Breaches(relation string, impact Impact, atMost time.Duration) []Breach {
	var breaches []Breach
	for _, bit := range impacts {
		if impact&bit == 0 {
			continue
		}
		if limit, ok := b.limit(relation, bit); ok && atMost > limit {
			breaches = append(breaches, Breach{Impact: bit, Max: limit, AtMost: atMost})
		}
	}
	return breaches
}

func (b Budget) limit(relation string, bit Impact) (time.Duration, bool) {
	for _, l := range b.Limits {
		if l.Impact == bit && matches(l.Pattern, relation) {
			return l.Max, true
		}
	}
	return 0, false
}

func matches(pattern, relation string) bool {
	if pattern == "" {
		return true
	}
	if !strings.Contains(pattern, ".") {
		if _, name, ok := strings.Cut(relation, "."); ok {
			relation = name
		}
	}
	ok, err := path.Match(pattern, relation)
	return err == nil && ok
}
