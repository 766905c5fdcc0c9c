package gate

import (
	"path"
	"strings"
	"time"
)

// Limits returns how long reads and writes of a table ("schema.name") may be
// blocked: those of the first pattern that matches, each falling back to the
// policy's own where the pattern leaves it open.
func (p Policy) Limits(table string) (reads, writes time.Duration) {
	reads, writes = p.MaxExclusive, p.MaxWriteBlock
	for _, t := range p.Tables {
		if !t.Matches(table) {
			continue
		}
		if t.MaxExclusive != nil {
			reads = *t.MaxExclusive
		}
		if t.MaxWriteBlock != nil {
			writes = *t.MaxWriteBlock
		}
		break
	}
	return reads, writes
}

// Matches reports whether the pattern covers a table ("schema.name").
func (t TablePolicy) Matches(table string) bool {
	name := table
	if !strings.Contains(t.Pattern, ".") {
		name = table[strings.LastIndexByte(table, '.')+1:]
	}
	ok, err := path.Match(t.Pattern, name)
	return ok && err == nil
}
