package snapshot

import (
	"fmt"
	"strings"
)

// SplitTable takes "table" or "schema.table" apart, as people name one: either
// part may stand in double quotes, backticks or brackets, which keep a dot in
// it from parting. schema is "" where none is named.
func SplitTable(name string) (schema, table string, err error) {
	var parts []string
	for rest := strings.TrimSpace(name); ; {
		part, after, ok := nextPart(rest)
		if !ok || part == "" {
			return "", "", fmt.Errorf("%q is no table's name: write TABLE or SCHEMA.TABLE", name)
		}
		parts = append(parts, part)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	switch len(parts) {
	case 1:
		return "", parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	}
	return "", "", fmt.Errorf("%q is no table's name: write TABLE or SCHEMA.TABLE", name)
}

// nextPart reads up to a dot outside of quotes, or to the end.
func nextPart(s string) (part, after string, ok bool) {
	if s == "" {
		return "", "", false
	}
	closing, quoted := map[byte]string{'"': `"`, '`': "`", '[': "]"}[s[0]]
	if !quoted {
		part, _, _ = strings.Cut(s, ".")
		return part, s[len(part):], true
	}
	for i := 1; i < len(s); i++ {
		if !strings.HasPrefix(s[i:], closing) {
			part += s[i : i+1]
			continue
		}
		if strings.HasPrefix(s[i+1:], closing) { // doubled: itself
			part += closing
			i++
			continue
		}
		after = s[i+1:]
		return part, after, after == "" || after[0] == '.' && len(after) > 1
	}
	return "", "", false
}

// ChooseLedger picks among the tables of a history table's name, "schema.table"
// each, that of the schema in which the tool looks by default, else the only
// one.
func ChooseLedger(table, home string, schemas []string) (schema string, err error) {
	for _, s := range schemas {
		if s == home {
			return s, nil
		}
	}
	if len(schemas) > 1 {
		return "", fmt.Errorf("the schemas %s each have a table %s: say which is the tool's with --ledger-table SCHEMA.%s", strings.Join(schemas, ", "), table, table)
	}
	return schemas[0], nil
}
