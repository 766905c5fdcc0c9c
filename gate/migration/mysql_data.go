package migration

import (
	"slices"
	"strings"
)

// known are kinds of statements that act on no object there is a word for.
var known = setOf(
	"SELECT", "SHOW", "EXPLAIN", "USE", "HELP", "BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE SAVEPOINT",
	"SET", "SET TRANSACTION", "SET PASSWORD", "SET ROLE", "SET DEFAULT ROLE", "SET NAMES", "SET RESOURCE", "GRANT", "REVOKE",
	"UNLOCK TABLES", "LOCK INSTANCE", "UNLOCK INSTANCE", "ANALYZE TABLE", "CHECK TABLE", "CHECKSUM TABLE", "CHECKSUM TABLES", "CACHE INDEX", "LOAD INDEX",
	"INSTALL PLUGIN", "INSTALL COMPONENT", "INSTALL SONAME", "UNINSTALL PLUGIN", "UNINSTALL COMPONENT", "UNINSTALL SONAME", "IMPORT TABLE", "KILL", "PURGE BINARY", "PURGE MASTER",
	"RESET BINARY", "RESET MASTER", "RESET PERSIST", "RESET REPLICA", "RESET SLAVE", "RESET QUERY", "CHANGE MASTER", "CHANGE REPLICATION", "START REPLICA", "STOP REPLICA", "START SLAVE", "STOP SLAVE",
	"XA START", "XA BEGIN", "XA END", "XA PREPARE", "XA COMMIT", "XA ROLLBACK", "XA RECOVER", "HANDLER", "SIGNAL", "RESIGNAL", "GET DIAGNOSTICS",
	"DEALLOCATE PREPARE", "CLONE", "BINLOG", "SHUTDOWN", "RESTART", "DELIMITER", "RETURN",
)

// data reads queries and what changes rows; false for other kinds.
func (a *myAnalyser) data(kind string) bool {
	main := a.w.mainQuery()
	switch kind {
	case "SELECT":
		a.intoVariables()
	case "INSERT", "REPLACE":
		a.insert(main)
	case "UPDATE":
		a.update(main)
	case "DELETE":
		a.delete(main)
	default:
		return false
	}
	a.noteCalls(0)
	return true
}

// mainQuery is the index of the verb behind a list of WITH queries.
func (w myWords) mainQuery() int {
	if w.at(0) != "WITH" {
		return 0
	}
	return max(w.find(1, "SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE"), 0)
}

// noteCalls notes the routines that are called from token i on.
func (a *myAnalyser) noteCalls(i int) {
	for w := a.w; i+1 < len(w.toks); i++ {
		if w.at(i+1) != "(" || !w.isName(i) || w.is(i-1, "INTO", "TABLE", "AS") {
			continue
		}
		name := w.ident(i)
		if w.at(i-1) == "." && w.isName(i-2) {
			name = w.ident(i-2) + "." + name
		}
		a.call(name)
	}
}

func (a *myAnalyser) call(name string) {
	if !slices.ContainsFunc(*a.calls, func(s string) bool { return strings.EqualFold(s, name) }) {
		*a.calls = append(*a.calls, name)
	}
}

// isConstantQuery: SELECT or DO of nothing but constants.
func isConstantQuery(w myWords) bool {
	if !w.is(0, "SELECT", "DO") || len(w.toks) < 2 {
		return false
	}
	for i := 1; i < len(w.toks); i++ {
		switch t := w.toks[i]; {
		case t.kind == tokString, t.kind == tokNumber, w.is(i, ",", "-", "+", "NULL", "TRUE", "FALSE", "AS"):
		case w.at(i-1) == "AS" && w.isName(i), w.has(i, "FROM", "DUAL") && i+2 == len(w.toks), w.has(i-1, "FROM", "DUAL"):
		default:
			return false
		}
	}
	return true
}

func (a *myAnalyser) insert(i int) {
	w := a.w
	act := Action{Verb: Insert, Object: "table"}
	if w.at(i) == "REPLACE" {
		// The row that was there is gone, in all its columns.
		act.Verb = Upsert
	}
	for i++; w.is(i, "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"); i++ {
	}
	if on := w.find(i, "DUPLICATE"); on > 0 && w.at(on-1) == "ON" {
		act.Verb = Upsert
		for _, c := range w.assignments(on + 3) {
			act.Columns = append(act.Columns, c.column)
		}
	}
	a.named(i, act)
}

// assignment is one element of a SET list.
type assignment struct{ table, column string }

// assignments reads a SET list up to what ends it.
func (w myWords) assignments(i int) []assignment {
	end := w.find(i, "WHERE", "ORDER", "LIMIT", "RETURNING")
	if end < 0 {
		end = len(w.toks)
	}
	var out []assignment
	for _, e := range w.slice(0, end).list(i) {
		var parts []string
		k := e[0]
		for ; k < e[1] && w.at(k) != "=" && w.at(k) != ":="; k++ {
			if w.isName(k) {
				parts = append(parts, w.ident(k))
			}
		}
		if n := len(parts); n > 0 && k < e[1] {
			out = append(out, assignment{strings.Join(parts[:n-1], "."), parts[n-1]})
		}
	}
	return out
}

// source is a table that a statement reads or changes.
type myTableRef struct {
	schema, name, alias string
	at                  int
}

func (r myTableRef) goesBy(name string) bool {
	if r.alias != "" {
		return strings.EqualFold(name, r.alias)
	}
	return name == r.name || name == qualified(r.schema, r.name)
}

// tableRefs reads the tables of a list of references and joins.
func (w myWords) tableRefs(i, j int) []myTableRef {
	var refs []myTableRef
	expect := true
	for k := i; k < j; k++ {
		switch {
		case w.is(k, ",", "JOIN", "STRAIGHT_JOIN"):
			expect = true
		case w.is(k, "ON", "USING", "PARTITION"):
			expect = false
			if w.at(k+1) == "(" {
				k = w.closing(k + 1)
			}
		case w.at(k) == "(" && (w.is(k+1, "SELECT", "WITH", "VALUES", "TABLE") || !expect):
			k = w.closing(k)
			expect = false
		case w.is(k, "(", ")", "{", "}", "LATERAL", "OJ"):
		case expect && w.isName(k):
			r := myTableRef{at: k}
			r.schema, r.name, k = w.name(k)
			if w.at(k) == "PARTITION" && w.at(k+1) == "(" {
				k = w.closing(k+1) + 1
			}
			if w.at(k) == "(" { // JSON_TABLE and the like
				k, expect = w.closing(k), false
				continue
			}
			if w.at(k) == "AS" {
				k++
			}
			if k < j && w.isName(k) && !w.is(k, "JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "STRAIGHT_JOIN", "ON", "USING",
				"USE", "FORCE", "IGNORE", "SET", "WHERE", "FULL", "FOR") {
				r.alias = w.ident(k)
				k++
			}
			refs = append(refs, r)
			k, expect = k-1, false
		}
	}
	return refs
}

func (a *myAnalyser) update(i int) {
	w := a.w
	for i++; w.is(i, "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE"); i++ {
	}
	set := w.find(i, "SET")
	if set < 0 {
		a.strange(i)
		set = len(w.toks)
	}
	refs := w.tableRefs(i, set)
	if len(refs) == 0 {
		a.strange(i)
	}
	columns := map[int][]string{}
	for _, c := range w.assignments(set + 1) {
		for n, r := range refs {
			// Which table a bare name is of, only the catalogue knows.
			if c.table == "" || r.goesBy(c.table) {
				columns[n] = append(columns[n], c.column)
			}
		}
	}
	where := w.find(set, "WHERE") > 0
	for n, r := range refs {
		if cols := columns[n]; len(cols) > 0 || len(refs) == 1 {
			a.add(r.at, Action{Verb: Update, Object: "table", Schema: r.schema, Name: r.name, Columns: cols, HasWhere: where || len(refs) > 1})
		}
	}
}

func (a *myAnalyser) delete(i int) {
	w := a.w
	for i++; w.is(i, "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK", "IGNORE", "HISTORY"); i++ {
	}
	where := w.find(i, "WHERE", "ORDER", "LIMIT", "RETURNING")
	end := where
	if end < 0 {
		end = len(w.toks)
	}
	from, using := w.find(i, "FROM"), w.find(i, "USING")
	if from < 0 || from >= end {
		a.strange(i)
		return
	}
	// The targets and where the tables stand: DELETE a, b FROM …,
	// DELETE FROM a, b USING …, DELETE FROM a.
	first, last, refsAt := i, from, from+1
	switch {
	case from == i && using > 0 && using < end && w.at(using+1) != "(":
		first, last, refsAt = from+1, using, using+1
	case from == i:
		for _, r := range w.tableRefs(from+1, end) {
			a.add(r.at, Action{Verb: Delete, Object: "table", Schema: r.schema, Name: r.name, HasWhere: where > 0})
			return
		}
		a.strange(from + 1)
		return
	}
	refs := w.tableRefs(refsAt, end)
	for _, e := range w.slice(0, last).list(first) {
		target := w.slice(0, e[1])
		if w.at(e[1]-1) == "*" {
			target = w.slice(0, e[1]-2) // t.*
		}
		schema, name, _ := target.name(e[0])
		act := Action{Verb: Delete, Object: "table", Schema: schema, Name: name, HasWhere: true}
		for _, r := range refs {
			if r.goesBy(qualified(schema, name)) {
				act.Schema, act.Name = r.schema, r.name
				break
			}
		}
		a.add(e[0], act)
	}
}

// utility reads what is neither DDL nor a query; false where nothing is known
// of the kind.
func (a *myAnalyser) utility(kind string) bool {
	w := a.w
	switch kind {
	case "LOCK TABLES":
		for _, e := range w.list(2) {
			act := Action{Verb: Lock, Object: "table", Definition: "READ"}
			if w.slice(e[0], e[1]).find(0, "WRITE") >= 0 {
				act.Definition = "WRITE"
			}
			a.named(e[0], act)
		}
	case "FLUSH":
		i := w.skip(1, "NO_WRITE_TO_BINLOG", "LOCAL")
		if !w.is(i, "TABLE", "TABLES") || w.find(i, "LOCK", "EXPORT") < 0 {
			break
		}
		act := Action{Verb: Lock, Object: "table", Definition: "READ"}
		if w.is(i+1, "WITH", "FOR") {
			a.add(i, act) // every table
			break
		}
		end := w.find(i, "WITH", "FOR")
		for _, e := range w.slice(0, end).list(i + 1) {
			a.named(e[0], act)
		}
	case "OPTIMIZE TABLE", "REPAIR TABLE":
		i := w.skip(1, "NO_WRITE_TO_BINLOG", "LOCAL") + 1
		for _, e := range w.list(i) {
			a.named(e[0], Action{Verb: Rewrite, Object: "table"})
		}
	case "LOAD DATA", "LOAD XML":
		act := Action{Verb: Insert, Object: "table"}
		i := w.find(0, "INTO")
		if w.at(i-1) == "REPLACE" {
			act.Verb = Upsert
		}
		a.named(w.skip(i+1, "TABLE"), act)
	case "ANALYZE":
		// MariaDB runs the statement it analyses.
		i := 1
		if w.at(i) == "FORMAT" {
			i += 3
		}
		a.sub(i, len(w.toks), a.within)
	case "CALL":
		schema, name, next := w.name(1)
		if name == "" {
			a.strange(1)
		}
		a.call(qualified(schema, name))
		a.noteCalls(next)
	case "SET":
		a.set()
	case "DO":
		a.noteCalls(1)
	case "PREPARE":
		a.prepare()
	case "EXECUTE":
		a.execute()
	case "EXECUTE IMMEDIATE":
		a.immediate()
	default:
		return false
	}
	return true
}

func setOf(words ...string) map[string]bool {
	m := map[string]bool{}
	for _, w := range words {
		m[w] = true
	}
	return m
}
