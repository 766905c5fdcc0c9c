package migration

import "strings"

// myColumn is a column's definition, as an action without a verb, and the
// constraints in it.
type myColumn struct {
	Action
	constraints []myConstraint
	end         int // behind the definition: FIRST, AFTER, or its end
}

type myConstraint struct {
	at int
	Action
}

// definition reads a column's type and attributes from tokens i up to j.
func (t myTable) definition(name string, i, j int) myColumn {
	c := myColumn{Action: t.part("", "column"), end: j}
	c.Part = name
	i = t.dataType(&c, i, j)
	for i < j {
		next := t.attribute(&c, i, j)
		if next <= i {
			t.a.strange(i)
			break
		}
		i = next
	}
	return c
}

// typeWords may follow a type's first word or its length.
var typeWords = map[string]bool{
	"UNSIGNED": true, "SIGNED": true, "ZEROFILL": true, "PRECISION": true, "VARYING": true, "VARCHAR": true, "VARCHARACTER": true, "VARBINARY": true,
	"CHAR": true, "CHARACTER": true, "TEXT": true,
}

// dataType reads the type at token i and spells it as the catalogue would.
func (t myTable) dataType(c *myColumn, i, j int) int {
	w := t.a.w
	if i >= j || !w.isName(i) {
		// A generated column of MariaDB may leave its type out.
		t.a.strange(i)
		return i
	}
	var b strings.Builder
	word := strings.ToLower(w.ident(i))
	if w.at(i+1) == "." {
		i += 2 // MariaDB's mariadb_schema.date
		word = strings.ToLower(w.ident(i))
	}
	b.WriteString(word)
	for i++; i < j; {
		switch s := w.at(i); {
		case s == "(":
			end := w.closing(i)
			b.WriteByte('(')
			for k := i + 1; k < end; k++ {
				b.WriteString(w.text[w.toks[k].start:w.toks[k].end])
				if w.toks[k].kind == tokString {
					c.Values = append(c.Values, w.ident(k))
				}
			}
			b.WriteByte(')')
			i = end + 1
			continue
		case (s == "CHARACTER" || s == "CHAR") && w.at(i+1) == "SET":
		case s == "BYTE", s == "ASCII", s == "UNICODE", s == "BINARY" && word != "binary":
			i++
			continue
		case typeWords[s]:
			b.WriteString(" " + strings.ToLower(s))
			i++
			continue
		}
		break
	}
	c.Type = canonicalType(b.String())
	if word == "serial" {
		t.serial(c, i-1)
	}
	return i
}

// typeNames are the catalogue's names of types that have several.
var typeNames = map[string]string{
	"integer": "int", "int4": "int", "middleint": "mediumint", "int3": "mediumint", "int8": "bigint", "int2": "smallint", "int1": "tinyint",
	"dec": "decimal", "numeric": "decimal", "fixed": "decimal", "double precision": "double", "real": "double", "float8": "double", "float4": "float",
	"bool": "tinyint(1)", "boolean": "tinyint(1)", "char": "char(1)", "character": "char", "nchar": "char", "national char": "char", "national character": "char",
	"char varying": "varchar", "character varying": "varchar", "varcharacter": "varchar", "nvarchar": "varchar", "national varchar": "varchar", "national char varying": "varchar",
	"long": "mediumtext", "long varchar": "mediumtext", "long text": "mediumtext", "long varbinary": "mediumblob", "bit": "bit(1)", "binary": "binary(1)",
	"decimal": "decimal(10,0)", "serial": "bigint unsigned",
}

// canonicalType spells a type as COLUMN_TYPE does: one name for each, the
// lengths that go without saying, and no display width of whole numbers (which
// MySQL dropped in 8.0.19, but for tinyint(1)).
func canonicalType(s string) string {
	name, rest := s, ""
	if i := strings.IndexByte(s, '('); i >= 0 {
		name, rest = s[:i], s[i:]
	} else {
		for _, word := range []string{" unsigned", " signed", " zerofill"} {
			if i := strings.Index(name, word); i >= 0 {
				name, rest = name[:i], name[i:]+rest
			}
		}
	}
	if other, ok := typeNames[name]; ok && !(strings.HasPrefix(rest, "(") && strings.HasSuffix(other, ")")) {
		name = other
	}
	if _, again := typeNames[name]; again && !strings.HasPrefix(rest, "(") {
		name = typeNames[name]
	}
	rest = strings.ReplaceAll(rest, " signed", "")
	if strings.HasSuffix(name, "int") && strings.HasPrefix(rest, "(") && !strings.Contains(rest, "zerofill") && name+rest != "tinyint(1)" {
		rest = rest[strings.IndexByte(rest, ')')+1:]
	}
	if strings.HasSuffix(rest, "zerofill") && !strings.Contains(rest, "unsigned") {
		rest = strings.Replace(rest, " zerofill", " unsigned zerofill", 1)
	}
	if name == "decimal" && strings.HasPrefix(rest, "(") && !strings.Contains(rest, ",") {
		rest = strings.Replace(rest, ")", ",0)", 1)
	}
	return name + rest
}

// serial is short for NOT NULL AUTO_INCREMENT UNIQUE.
func (t myTable) serial(c *myColumn, at int) {
	c.NotNull, c.Generated = true, "auto_increment"
	u := t.part(Add, "constraint")
	u.Constraint, u.Unique, u.Columns, u.Definition = "unique", true, []string{c.Part}, "UNIQUE ("+MySQL.QuoteIdent(c.Part)+")"
	c.constraints = append(c.constraints, myConstraint{at, u})
}

// attribute reads one attribute and returns the index behind it; i itself
// where it is none.
func (t myTable) attribute(c *myColumn, i, j int) int {
	w := t.a.w
	key := func(at, next int, kind, words string) int {
		u := t.part(Add, "constraint")
		u.Constraint, u.Unique, u.Columns = kind, true, []string{c.Part}
		u.Definition = words + " (" + MySQL.QuoteIdent(c.Part) + ")"
		if kind == "primary key" {
			c.NotNull, u.Part = true, "PRIMARY"
		}
		c.constraints = append(c.constraints, myConstraint{at, u})
		return next
	}
	switch w.at(i) {
	case "NOT":
		if w.at(i+1) == "NULL" {
			c.NotNull = true
		}
		return i + 2 // also NOT SECONDARY
	case "NULL", "VISIBLE", "INVISIBLE", "COMPRESSED", "PERSISTENT", "VIRTUAL", "STORED", "ZEROFILL", "UNSIGNED", "BINARY", "ASCII", "UNICODE":
		if w.is(i, "VIRTUAL", "STORED", "PERSISTENT") {
			if c.Generated = "stored"; w.at(i) == "VIRTUAL" {
				c.Generated = "virtual"
			}
		}
		return i + 1
	case "AUTO_INCREMENT":
		c.Generated = "auto_increment"
		return i + 1
	case "DEFAULT":
		end := t.expression(i+1, j)
		c.Default = w.render(i+1, end)
		return end
	case "UNIQUE":
		return key(i, w.skip(i+1, "KEY"), "unique", "UNIQUE")
	case "PRIMARY":
		return key(i, w.skip(i+1, "KEY"), "primary key", "PRIMARY KEY")
	case "KEY":
		return key(i, i+1, "primary key", "PRIMARY KEY")
	case "COMMENT", "COLLATE", "COLUMN_FORMAT", "STORAGE", "SRID", "REF_SYSTEM_ID", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE", "CHARSET", "AFTER":
		next := i + 1
		if w.at(next) == "=" {
			next++
		}
		return next + 1
	case "CHARACTER", "CHAR":
		if w.at(i+1) == "SET" {
			return i + 3
		}
	case "FIRST":
		return i + 1
	case "SERIAL":
		if w.has(i, "SERIAL", "DEFAULT", "VALUE") {
			t.serial(c, i)
			return i + 3
		}
	case "GENERATED":
		if w.has(i, "GENERATED", "ALWAYS", "AS") {
			return t.generated(c, i+3)
		}
	case "AS":
		return t.generated(c, i+1)
	case "ON":
		if w.at(i+1) == "UPDATE" {
			return t.expression(i+2, j)
		}
	case "WITH", "WITHOUT":
		if w.has(i+1, "SYSTEM", "VERSIONING") {
			return i + 3
		}
	case "CONSTRAINT", "CHECK", "REFERENCES":
		return t.columnConstraint(c, i, j)
	}
	return i
}

func (t myTable) generated(c *myColumn, i int) int {
	w := t.a.w
	if w.at(i) == "ROW" {
		return i + 2 // ROW START, ROW END of system versioning
	}
	if c.Generated = "virtual"; w.at(i) != "(" {
		return i
	}
	return w.closing(i) + 1
}

// columnConstraint reads CHECK and REFERENCES of a column.
func (t myTable) columnConstraint(c *myColumn, i, j int) int {
	w, at := t.a.w, i
	u := t.part(Add, "constraint")
	if w.at(i) == "CONSTRAINT" {
		if i++; w.at(i) != "CHECK" {
			u.Part = w.ident(i)
			i++
		}
	}
	u.Columns = []string{c.Part}
	switch w.at(i) {
	case "CHECK":
		end := w.closing(i+1) + 1
		u.Constraint, u.Definition = "check", w.render(i, end)
		i = w.skip(w.skip(end, "NOT"), "ENFORCED")
	case "REFERENCES":
		schema, table, next := w.name(i + 1)
		if schema == "" {
			schema = t.table.Schema
		}
		if w.at(next) == "(" {
			next = w.closing(next) + 1
		}
		for next < j && (w.at(next) == "MATCH" || w.at(next) == "ON" && w.is(next+1, "DELETE", "UPDATE")) {
			next = w.skip(next+1, "DELETE", "UPDATE")
			next = w.skip(next+1, "NULL", "DEFAULT", "ACTION")
		}
		u.Constraint, u.Refs = "foreign key", qualified(schema, table)
		u.Definition = "FOREIGN KEY (" + MySQL.QuoteIdent(c.Part) + ") " + w.render(i, next)
		i = next
	default:
		return at
	}
	c.constraints = append(c.constraints, myConstraint{at, u})
	return i
}

// expression moves over a default: a literal, a call, something in
// parentheses; in MariaDB also what operators make of them.
func (t myTable) expression(i, j int) int {
	w := t.a.w
	for {
		for i < j && (w.is(i, "-", "+", "~", "!", "NOT")) {
			i++
		}
		if i >= j {
			return i
		}
		if w.at(i) == "(" {
			i = w.closing(i) + 1
		} else {
			introducer := w.toks[i].kind == tokWord
			i++
			for w.at(i) == "." {
				i += 2
			}
			if introducer && w.at(i) == "(" {
				i = w.closing(i) + 1
			} else if i < j && (introducer || w.toks[i-1].kind == tokString) && w.toks[i].kind == tokString {
				i++
			}
		}
		if i < j && w.toks[i].kind == tokOp {
			i++
			continue
		}
		return min(i, j)
	}
}
