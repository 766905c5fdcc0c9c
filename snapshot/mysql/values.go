package mysql

import (
	"fmt"
	"strings"
)

// class is what a type's values have in common, and so how they are compared.
type class int

const (
	characters class = iota
	octets
	integer
	decimal
	approximate
	temporal
	other // json, geometry, vector
)

func (f field) class() class {
	switch f.Data {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit":
		return integer
	case "decimal", "numeric":
		return decimal
	case "float", "double":
		return approximate
	case "date", "datetime", "timestamp", "time":
		return temporal
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return octets
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		return characters
	}
	return other
}

// texts spell a column's value on either side so that they are equal if and
// only if the values are. Where the type changed, the new value is cast to the
// old type if that loses nothing, else it counts as changed.
func (p pair) texts() (was, now string) {
	name := ident(p.was.Name)
	was, now = p.was.canonical(name), p.now.canonical(ident(p.now.Name))
	recoded := p.was.class() == characters && p.now.class() == characters && p.was.Charset != p.now.Charset
	if recoded {
		was, now = "CONVERT("+was+" USING utf8mb4)", "CONVERT("+now+" USING utf8mb4)"
	}
	if back := p.back(); back != "" {
		now = back
	}
	return delimited(was, p.was.class()), delimited(now, p.was.class())
}

// canonical is the value's own text, whole: not as a width or a number of
// digits would print it.
func (f field) canonical(name string) string {
	switch {
	case f.Data == "bit" || strings.Contains(f.Type, "zerofill"):
		return "(" + name + "+0)"
	case f.class() == approximate:
		return "(" + name + "+0e0)" // all digits; FLOAT prints six
	case f.Data == "vector":
		return "HEX(" + name + ")"
	}
	return name
}

// shown is the value for people.
func (f field) shown() string {
	name := ident(f.Name)
	switch f.class() {
	case octets, other:
		if f.Data == "json" {
			return "CAST(" + name + " AS CHAR)"
		}
		return "CONCAT('0x', HEX(" + name + "))"
	case characters:
		return "CONVERT(" + name + " USING utf8mb4)"
	}
	return f.canonical(name)
}

// delimited makes a text that can be told from others behind it, and NULL from
// all of them. Numbers and times have no comma; of others, the length is told.
func delimited(expr string, c class) string {
	switch c {
	case integer, decimal, approximate, temporal:
		return "COALESCE(" + expr + ",'-')"
	}
	return "COALESCE(CONCAT(LENGTH(" + expr + "),':'," + expr + "),'-')"
}

// back casts the new value to the old type where both are numbers or both are
// times, and the types differ; "" where the texts can be compared as they are.
func (p pair) back() string {
	w, n := p.was.class(), p.now.class()
	name := ident(p.now.Name)
	value := p.now.canonical(name)
	isNumber := func(c class) bool { return c == integer || c == decimal || c == approximate }
	switch {
	case p.was.Type == p.now.Type, w == integer && n == integer:
		return ""
	case w == approximate && n == approximate:
		return ""
	case isNumber(w) && isNumber(n):
		back := "CAST(" + value + " AS " + p.was.castType() + ")"
		spelled := back
		if w == approximate {
			spelled = "(" + back + "+0e0)"
		}
		return lossless(name, "CAST("+back+" AS "+p.now.castType()+") = "+value, spelled, value)
	case w == temporal && n == temporal:
		back := "CAST(" + name + " AS " + p.was.castType() + ")"
		same := "CAST(" + back + " AS DATETIME(6)) = CAST(" + name + " AS DATETIME(6))"
		if p.was.Data == "time" || p.now.Data == "time" {
			same = "CAST(" + back + " AS TIME(6)) = CAST(" + name + " AS TIME(6))"
		}
		return lossless(name, same, back, name)
	}
	return ""
}

func lossless(name, same, back, value string) string {
	return "IF(" + name + " IS NULL, NULL, IF(" + same + ", CONCAT(" + back + "), CONCAT('now ', " + value + ")))"
}

// castType is the type as CAST knows it.
func (f field) castType() string {
	switch f.class() {
	case integer:
		if strings.Contains(f.Type, "unsigned") || f.Data == "bit" {
			return "UNSIGNED"
		}
		return "SIGNED"
	case decimal:
		return fmt.Sprintf("DECIMAL(65,%d)", f.Scale)
	case approximate:
		if f.Data == "float" {
			return "FLOAT"
		}
		return "DOUBLE"
	}
	if f.Data == "timestamp" || f.Data == "datetime" {
		return fmt.Sprintf("DATETIME(%d)", f.Scale)
	}
	if f.Data == "time" {
		return fmt.Sprintf("TIME(%d)", f.Scale)
	}
	return "DATE"
}
