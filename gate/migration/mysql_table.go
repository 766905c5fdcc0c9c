package migration

// tableQuery returns the index of the query that fills a table that is
// created, or -1.
func (a *myAnalyser) tableQuery() int {
	w := a.w
	i := w.find(0, "TABLE")
	if i < 0 {
		return -1
	}
	if w.has(i+1, "IF", "NOT", "EXISTS") {
		i += 3
	}
	_, _, i = w.name(i + 1)
	if w.is(i, "(") && w.is(i+1, "SELECT", "WITH", "VALUES", "TABLE", "(") {
		return i
	}
	for depth := 0; i < len(w.toks); i++ {
		switch s := w.at(i); s {
		case "(":
			if depth == 0 && w.is(i+1, "SELECT", "WITH", "VALUES") && w.is(i-1, "AS", "IGNORE", "REPLACE", ")") {
				return i
			}
			depth++
		case ")":
			depth--
		case "SELECT", "WITH", "VALUES", "TABLE":
			// WITH also begins MariaDB's WITH SYSTEM VERSIONING.
			if depth == 0 && (s != "WITH" || w.is(i+1, "RECURSIVE") || w.is(i+2, "AS", "(")) {
				return i
			}
		}
	}
	return -1
}

func (a *myAnalyser) createTable() {
	w := a.w
	act := Action{Verb: Create, Object: "table", Temporary: temporary(w)}
	i := w.find(0, "TABLE") + 1
	if w.has(i, "IF", "NOT", "EXISTS") {
		act.IfNotExists, i = true, i+3
	}
	at := i
	act.Schema, act.Name, i = w.name(i)
	if act.Name == "" {
		a.strange(at)
		return
	}
	if w.has(1, "OR", "REPLACE") {
		// MariaDB drops a table of that name, rows and all.
		gone := act
		gone.Verb, gone.IfExists = Drop, true
		a.add(at, gone)
	}
	a.add(at, act)
	query := a.tableQuery()
	t := myTable{a, act}
	if w.at(i) == "(" && w.at(i+1) != "LIKE" && i != query {
		end := w.closing(i)
		for _, e := range w.slice(0, end).list(i + 1) {
			t.element(e[0], e[1], false)
		}
		i = end + 1
	}
	if query > 0 {
		a.noteCalls(query)
		return
	}
	if !w.is(i, "LIKE", "(") {
		t.options(i, len(w.toks))
	}
}

// myTable reads the elements and clauses of one table.
type myTable struct {
	a     *myAnalyser
	table Action // its name, and whether it is temporary
}

// part is an action on a part of the table, or on the table.
func (t myTable) part(verb Verb, object string) Action {
	return Action{Verb: verb, Object: object, Schema: t.table.Schema, Name: t.table.Name, Temporary: t.table.Temporary}
}

// element reads a column, key or constraint at tokens i up to j, in a CREATE
// TABLE (whose columns are the table's own affair) or behind ADD.
func (t myTable) element(i, j int, added bool) {
	w := t.a.w
	if t.constraint(i, j) {
		return
	}
	if w.is(i, "PERIOD") && w.at(i+1) == "FOR" {
		return
	}
	t.column(i, j, added)
}

// constraint reads [CONSTRAINT [name]] PRIMARY KEY, UNIQUE, FOREIGN KEY, CHECK,
// INDEX, KEY, FULLTEXT, SPATIAL; false where it is none.
func (t myTable) constraint(i, j int) bool {
	w, at := t.a.w, i
	name := ""
	if w.at(i) == "CONSTRAINT" {
		i++
		if !w.is(i, "PRIMARY", "UNIQUE", "FOREIGN", "CHECK") {
			name = w.ident(i)
			i++
		}
	}
	switch {
	case w.has(i, "PRIMARY", "KEY"):
		t.key(at, i+2, j, "PRIMARY", "primary key", "PRIMARY KEY")
	case w.at(i) == "UNIQUE":
		t.key(at, w.skip(i+1, "INDEX", "KEY"), j, name, "unique", "UNIQUE")
	case w.has(i, "FOREIGN", "KEY"):
		t.foreignKey(at, i+2, j, name)
	case w.at(i) == "CHECK":
		act := t.part(Add, "constraint")
		act.Part, act.Constraint, act.Definition = name, "check", w.render(i, j)
		t.a.add(at, act)
	case w.is(i, "INDEX", "KEY"):
		t.index(at, i+1, j)
	case w.is(i, "FULLTEXT", "SPATIAL"), w.at(i) == "VECTOR" && (w.is(i+1, "INDEX", "KEY") || w.at(i+1) == "("):
		t.index(at, w.skip(i+1, "INDEX", "KEY"), j)
	default:
		return false
	}
	return true
}

// keyName reads [IF NOT EXISTS] [name] [USING type] before the key's columns.
func (t myTable) keyName(i int) (name string, ifNotExists bool, next int) {
	w := t.a.w
	if w.has(i, "IF", "NOT", "EXISTS") {
		ifNotExists, i = true, i+3
	}
	if w.isName(i) && !(w.is(i, "USING", "TYPE") && w.is(i+1, "BTREE", "HASH", "RTREE")) {
		name = w.ident(i)
		i++
	}
	if w.is(i, "USING", "TYPE") {
		i += 2
	}
	if w.at(i) != "(" {
		t.a.strange(i)
	}
	return name, ifNotExists, i
}

// columns reads the columns of a key, expressions as they are written, and
// returns the index behind them.
func (t myTable) columns(i int) ([]string, int) {
	w := t.a.w
	end := w.closing(i)
	var cols []string
	for _, e := range w.slice(0, end).list(i + 1) {
		if w.isName(e[0]) && (e[0]+1 == e[1] || w.is(e[0]+1, "(", "ASC", "DESC", "WITHOUT")) {
			cols = append(cols, w.ident(e[0]))
			continue
		}
		last := e[1]
		if w.is(last-1, "ASC", "DESC") {
			last--
		}
		cols = append(cols, w.render(e[0], last))
	}
	return cols, end + 1
}

func (t myTable) key(at, i, j int, name, constraint, words string) {
	own, ifNotExists, i := t.keyName(i)
	if name == "" || constraint == "unique" && own != "" {
		name = own
	}
	act := t.part(Add, "constraint")
	act.Part, act.Constraint, act.Unique, act.IfNotExists = name, constraint, true, ifNotExists
	act.Columns, _ = t.columns(i)
	act.Definition = words + " " + t.a.w.render(i, j)
	t.a.add(at, act)
}

func (t myTable) index(at, i, j int) {
	w := t.a.w
	act := t.part(Create, "index")
	act.On = qualified(t.table.Schema, t.table.Name)
	var open int
	act.Name, act.IfNotExists, open = t.keyName(i)
	act.Columns, _ = t.columns(open)
	act.Definition = w.render(at, j)
	t.a.add(at, act)
}

func (t myTable) foreignKey(at, i, j int, name string) {
	w := t.a.w
	own, ifNotExists, i := t.keyName(i)
	if name == "" {
		name = own
	}
	act := t.part(Add, "constraint")
	act.Part, act.Constraint, act.IfNotExists = name, "foreign key", ifNotExists
	open := i
	act.Columns, i = t.columns(i)
	if w.at(i) != "REFERENCES" {
		t.a.strange(i)
	}
	schema, table, _ := w.name(i + 1)
	if schema == "" && t.table.Schema != "" {
		schema = t.table.Schema // where the table itself is
	}
	act.Refs = qualified(schema, table)
	act.Definition = "FOREIGN KEY " + w.render(open, j)
	t.a.add(at, act)
}

// column reads a column's name and definition, and what it constrains.
func (t myTable) column(i, j int, added bool) {
	w := t.a.w
	if !w.isName(i) {
		t.a.strange(i)
		return
	}
	c := t.definition(w.ident(i), i+1, j)
	if added {
		act := c.Action
		act.Verb, act.Definition = Add, w.render(i, j)
		t.a.add(i, act)
	}
	t.implied(c)
}

// implied records the constraints that a column's definition makes.
func (t myTable) implied(c myColumn) {
	for _, k := range c.constraints {
		t.a.add(k.at, k.Action)
	}
}

func (a *myAnalyser) createIndex() {
	w := a.w
	act := Action{Verb: Create, Object: "index"}
	i := w.find(1, "INDEX")
	for k := 1; k < i; k++ {
		switch w.at(k) {
		case "UNIQUE":
			act.Unique = true
		case "REPLACE":
			act.Verb = Replace
		}
	}
	i++
	if w.has(i, "IF", "NOT", "EXISTS") {
		act.IfNotExists, i = true, i+3
	}
	act.Name = w.ident(i)
	on := w.find(i+1, "ON")
	if on < 0 || !w.isName(i) {
		a.strange(i)
		return
	}
	schema, table, open := w.name(on + 1)
	act.Schema, act.On, act.Definition = schema, qualified(schema, table), w.render(0, len(w.toks))
	for w.is(open, "USING", "WAIT", "NOWAIT") || open < len(w.toks) && w.at(open) != "(" {
		open++
	}
	var next int
	act.Columns, next = myTable{a: a}.columns(open)
	a.add(0, act)
	myTable{a, Action{}}.options(next, len(w.toks))
}

// tableOptions are the words that options of tables, indexes and partitions
// begin with.
var tableOptions = map[string]bool{
	"ENGINE": true, "TYPE": true, "AUTO_INCREMENT": true, "AVG_ROW_LENGTH": true, "CHARACTER": true, "CHARSET": true, "DEFAULT": true, "COLLATE": true,
	"CHECKSUM": true, "TABLE_CHECKSUM": true, "COMMENT": true, "COMPRESSION": true, "CONNECTION": true, "DATA": true, "INDEX": true,
	"DELAY_KEY_WRITE": true, "ENCRYPTION": true, "ENGINE_ATTRIBUTE": true, "SECONDARY_ENGINE_ATTRIBUTE": true, "SECONDARY_ENGINE": true, "INSERT_METHOD": true, "KEY_BLOCK_SIZE": true,
	"MAX_ROWS": true, "MIN_ROWS": true, "PACK_KEYS": true, "PASSWORD": true, "ROW_FORMAT": true, "START": true, "STATS_AUTO_RECALC": true,
	"STATS_PERSISTENT": true, "STATS_SAMPLE_PAGES": true, "TABLESPACE": true, "STORAGE": true, "UNION": true, "AUTOEXTEND_SIZE": true,
	"PAGE_COMPRESSED": true, "PAGE_COMPRESSION_LEVEL": true, "PAGE_CHECKSUM": true, "TRANSACTIONAL": true, "ENCRYPTED": true, "ENCRYPTION_KEY_ID": true, "SEQUENCE": true,
	"IETF_QUOTES": true, "WITH": true, "WITHOUT": true, "PARTITION": true, "ALGORITHM": true, "LOCK": true, "FORCE": true, "SET": true, "BY": true, "SYSTEM": true, "VERSIONING": true,
	"USING": true, "VISIBLE": true, "INVISIBLE": true, "PARSER": true, "BTREE": true, "HASH": true, "RTREE": true, "IGNORED": true, "NOT": true, "CLUSTERING": true,
	"DIRECTORY": true, "DEFAULT_CHARSET": true, "NO": true, "LAST": true, "FIRST": true, "DISTANCE": true, "M": true, "WAIT": true, "NOWAIT": true,
}

// options looks whether only options stand between tokens i and j.
func (t myTable) options(i, j int) {
	w := t.a.w
	for i < j {
		if w.is(i, "PARTITION") {
			return // up to the end
		}
		if w.at(i) == "," {
			i++
			continue
		}
		if !tableOptions[w.at(i)] {
			t.a.strange(i)
			return
		}
		i++
		for w.is(i, "SET", "DIRECTORY", "CHARACTER", "CHARSET", "COLLATE", "PARSER", "SYSTEM", "VERSIONING", "TRANSACTION") && i < j {
			i++
		}
		if w.at(i) == "=" {
			i++
		}
		if w.at(i) == "(" {
			i = w.closing(i) + 1
			continue
		}
		if i < j && (w.toks[i].kind != tokWord || !tableOptions[w.at(i)] || w.at(i-1) == "=") && w.at(i) != "," {
			i++ // the value
		}
	}
}
