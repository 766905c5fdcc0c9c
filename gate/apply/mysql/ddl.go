package mysql

import "strings"

// onlineDDL is an ALTER TABLE, CREATE INDEX, DROP INDEX or OPTIMIZE TABLE, as
// its tokens tell, whatever a grammar made of it.
type onlineDDL struct {
	verb  string // "ALTER TABLE", …
	table string // "schema.name"
	// algorithm asked for, "" for none.
	algorithm string
	// clauses are the spans of its ALGORITHM and LOCK clauses.
	clauses [][2]int
	// insert is where clauses of our own go: behind the table's name of ALTER
	// TABLE, else at the end.
	insert int
	// index and on are the spans of the names in DROP INDEX … ON ….
	index, on [2]int
	// rest is what follows there.
	rest []token
}

// onlineOf reads a statement; nil for another kind. schema is the default
// database.
func onlineOf(words []token, schema string) *onlineDDL {
	if starts(words, "SET", "STATEMENT") { // MariaDB: SET STATEMENT … FOR …
		for i, t := range words {
			if t.word == "FOR" {
				return onlineOf(words[i+1:], schema)
			}
		}
	}
	i, d := 0, &onlineDDL{}
	switch {
	case starts(words, "ALTER"), starts(words, "OPTIMIZE"):
		d.verb = words[0].word + " TABLE"
		i = skip(words, 1, "ONLINE", "OFFLINE", "IGNORE", "LOCAL", "NO_WRITE_TO_BINLOG")
		if i >= len(words) || words[i].word != "TABLE" && words[i].word != "TABLES" {
			return nil
		}
		i++
	case starts(words, "CREATE"), starts(words, "DROP"):
		d.verb = words[0].word + " INDEX"
		i = skip(words, 1, "OR", "REPLACE", "ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR")
		if i >= len(words) || words[i].word != "INDEX" {
			return nil
		}
		from := i
		for i < len(words) && words[i].word != "ON" {
			i++
		}
		if d.index = [2]int{words[from].pos, words[i-1].end}; i+1 >= len(words) {
			return nil
		}
		i++
	default:
		return nil
	}
	if i = skip(words, i, "IF", "EXISTS"); i >= len(words) {
		return nil
	}
	name := words[i].pos
	d.table, i = nameAt(words, i, schema)
	d.on = [2]int{name, words[i-1].end}
	i = waits(words, i)
	d.clausesOf(words, i)
	if d.verb == "ALTER TABLE" {
		d.insert, d.rest = words[i-1].end, words[i:]
	} else {
		d.insert = words[len(words)-1].end
	}
	return d
}

func skip(words []token, i int, what ...string) int {
	for i < len(words) && words[i].word != "" && contains(what, words[i].word) {
		i++
	}
	return i
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// nameAt reads "name" or "schema.name", and returns what follows it.
func nameAt(words []token, i int, schema string) (name string, next int) {
	name = words[i].name()
	if i+2 < len(words) && words[i+1].text == "." {
		return name + "." + words[i+2].name(), i + 3
	}
	return schema + "." + name, i + 1
}

// waits steps over MariaDB's WAIT n and NOWAIT.
func waits(words []token, i int) int {
	switch {
	case i < len(words) && words[i].word == "NOWAIT":
		return i + 1
	case i+1 < len(words) && words[i].word == "WAIT" && strings.Trim(words[i+1].text, "0123456789") == "":
		return i + 2
	}
	return i
}

var clauseValues = map[string][]string{
	"ALGORITHM": {"DEFAULT", "INSTANT", "INPLACE", "COPY", "NOCOPY"},
	"LOCK":      {"DEFAULT", "NONE", "SHARED", "EXCLUSIVE"},
}

// clausesOf finds ALGORITHM and LOCK outside of parentheses, where a clause may
// begin, each with the comma that has to go with it.
func (d *onlineDDL) clausesOf(words []token, from int) {
	depth := 0
	for i := from; i < len(words); i++ {
		switch words[i].text {
		case "(":
			depth++
		case ")":
			depth--
		}
		values := clauseValues[words[i].word]
		if depth > 0 || values == nil {
			continue
		}
		if d.verb == "ALTER TABLE" && i > from && words[i-1].text != "," {
			continue
		}
		v := i + 1
		if v < len(words) && words[v].text == "=" {
			v++
		}
		if v >= len(words) || !contains(values, words[v].word) {
			continue
		}
		if words[i].word == "ALGORITHM" {
			d.algorithm = words[v].word
		}
		span := [2]int{words[i].pos, words[v].end}
		taken := len(d.clauses) > 0 && i > 0 && d.clauses[len(d.clauses)-1][1] >= words[i-1].end
		switch {
		case i > from && words[i-1].text == "," && !taken:
			span[0] = words[i-1].pos
		case v+1 < len(words) && words[v+1].text == ",":
			span[1] = words[v+1].end
		}
		d.clauses = append(d.clauses, span)
		i = v
	}
}

// with is the statement with the given clauses in place of its own.
func (d *onlineDDL) with(sql, algorithm, lock string) string {
	options := []string{"ALGORITHM=" + algorithm}
	if lock != "" {
		options = append(options, "LOCK="+lock)
	}
	var b strings.Builder
	if d.verb == "DROP INDEX" { // MariaDB takes no clauses there, and both run it as this ALTER TABLE
		return "ALTER TABLE " + sql[d.on[0]:d.on[1]] + " " + strings.Join(options, ", ") + ", DROP " + sql[d.index[0]:d.index[1]]
	}
	if d.verb != "ALTER TABLE" {
		b.WriteString(d.without(sql, 0, d.insert))
		b.WriteString(" " + strings.Join(options, " "))
		b.WriteString(sql[d.insert:])
		return b.String()
	}
	// In front, where they are allowed before every action, partitions included.
	b.WriteString(sql[:d.insert])
	b.WriteString(" " + strings.Join(options, ", "))
	if d.more() {
		b.WriteString(",")
	}
	b.WriteString(" " + d.without(sql, d.insert, len(sql)))
	return b.String()
}

// more reports whether an action follows that a comma has to part: PARTITION
// BY and REMOVE PARTITIONING stand without one.
func (d *onlineDDL) more() bool {
	for _, t := range d.rest {
		if t.text == "," || d.inClause(t) {
			continue
		}
		return t.word != "PARTITION" && !(t.word == "REMOVE")
	}
	return false
}

func (d *onlineDDL) inClause(t token) bool {
	for _, c := range d.clauses {
		if t.pos >= c[0] && t.end <= c[1] {
			return true
		}
	}
	return false
}

// without is a part of the statement less its own clauses.
func (d *onlineDDL) without(sql string, from, to int) string {
	var b strings.Builder
	for _, c := range d.clauses {
		if c[0] < from || c[1] > to {
			continue
		}
		b.WriteString(sql[from:c[0]])
		from = c[1]
	}
	b.WriteString(sql[from:to])
	return b.String()
}

// tableAfter is the table named behind a word, past IF [NOT] EXISTS.
func tableAfter(words []token, after, schema string) string {
	if all := tablesAfter(words, after, schema); len(all) > 0 {
		return all[0]
	}
	return ""
}

// tablesAfter lists the tables named behind a word, parted by commas.
func tablesAfter(words []token, after, schema string) []string {
	for i, t := range words {
		if t.word != after {
			continue
		}
		i = skip(words, i+1, "IF", "NOT", "EXISTS")
		var names []string
		for i < len(words) {
			var name string
			name, i = nameAt(words, i, schema)
			names = append(names, name)
			if i >= len(words) || words[i].text != "," {
				return names
			}
			i++
		}
		return names
	}
	return nil
}
