package rule

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// createIndex: CONCURRENTLY, by the statement as it was meant. A partitioned
// table refuses that, so its partitions get theirs one by one.
func (f fixer) createIndex(a migration.Action) string {
	head, tail, ok := cutIndex(a.Definition)
	if !ok {
		return ""
	}
	schema, bare := splitName(a.On)
	name := a.Name
	if parts := f.partitionsOf(migration.Action{Schema: schema, Name: bare}); len(parts) > 0 {
		if name == "" {
			name = named(bare, "idx")
		}
		text := "-- 1. reads no row; the index is invalid until every partition has its own\n" +
			head + quote(name) + " ON ONLY " + quoteQualified(a.On) + tail + ";\n"
		for i, p := range parts {
			pschema, pbare := splitName(p)
			pname := named(pbare, name)
			text += f.step(2*i+2, "builds beside the traffic") +
				head + "CONCURRENTLY " + quote(pname) + " ON " + quoteQualified(p) + tail + ";\n" +
				fmt.Sprintf("-- %d. reads no row\nALTER INDEX ", 2*i+3) + migration.QuoteName(schema, name) + " ATTACH PARTITION " + migration.QuoteName(pschema, pname) + ";\n"
		}
		return strings.TrimRight(text, "\n")
	}
	if name != "" {
		name = quote(name) + " "
	}
	return f.alone("builds beside the traffic; if it fails, drop the invalid index and try again") +
		head + "CONCURRENTLY " + name + "ON " + quoteQualified(a.On) + tail + ";"
}

// plainIndex is the head of a CREATE INDEX that locks writers out.
var plainIndex = regexp.MustCompile(`(?i)^(CREATE\s+(?:UNIQUE\s+)?INDEX)\s`)

// replacement: CREATE INDEX needs no more than a word where it is alone in its
// file already and the tool then opens no transaction.
func (c postgresFixes) replacement(m, s int) string {
	st, ok := c.up(m, s)
	if !ok || st.After == "" || !c.tool().unwraps || len(c.Migrations[m].Up.Statements) != 1 ||
		st.Facts.Concurrently || len(st.Facts.Actions) != 1 || !plainIndex.MatchString(st.SQL) {
		return ""
	}
	schema, bare := splitName(st.Facts.Actions[0].On)
	f := fixer{change: c.change, st: st}
	if bare == "" || len(f.partitionsOf(migration.Action{Schema: schema, Name: bare})) > 0 {
		return ""
	}
	return plainIndex.ReplaceAllString(st.SQL, "$1 CONCURRENTLY ") + st.After
}

// cutIndex takes a deparsed CREATE INDEX apart: "CREATE [UNIQUE] INDEX " and
// what follows the table's name.
func cutIndex(definition string) (head, tail string, ok bool) {
	head = "CREATE INDEX "
	if strings.HasPrefix(definition, "CREATE UNIQUE INDEX ") {
		head = "CREATE UNIQUE INDEX "
	}
	rest, ok := strings.CutPrefix(definition, head)
	if !ok {
		return "", "", false
	}
	rest = strings.TrimPrefix(rest, "CONCURRENTLY ")
	rest = strings.TrimPrefix(rest, "IF NOT EXISTS ")
	if !strings.HasPrefix(rest, "ON ") {
		rest = strings.TrimPrefix(skipIdent(rest), " ")
	}
	rest, ok = strings.CutPrefix(rest, "ON ")
	if !ok {
		return "", "", false
	}
	rest = skipIdent(strings.TrimPrefix(rest, "ONLY "))
	for strings.HasPrefix(rest, ".") {
		rest = skipIdent(rest[1:])
	}
	return head, rest, true
}

// skipIdent returns what follows one identifier.
func skipIdent(s string) string {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexAny(s, " .("); i >= 0 {
			return s[i:]
		}
		return ""
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		return s[i+1:]
	}
	return ""
}
