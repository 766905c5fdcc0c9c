package migration

import "strings"

// words are a statement's tokens as upper-case keywords; quoted identifiers,
// strings and punctuation stand as themselves and match no keyword.
type words struct {
	text string
	toks []token
}

func (w words) at(i int) string {
	if i < 0 || i >= len(w.toks) {
		return ""
	}
	t := w.toks[i]
	if t.kind == tokWord {
		return strings.ToUpper(w.text[t.start:t.end])
	}
	return w.text[t.start:t.end]
}

// has reports whether the tokens from i on are these.
func (w words) has(i int, want ...string) bool {
	for j, s := range want {
		if w.at(i+j) != s {
			return false
		}
	}
	return true
}

// objectWords are kinds of objects that take more than one word.
var objectWords = [][]string{
	{"MATERIALIZED", "VIEW"}, {"FOREIGN", "TABLE"}, {"FOREIGN", "DATA", "WRAPPER"},
	{"TEXT", "SEARCH", "CONFIGURATION"}, {"TEXT", "SEARCH", "DICTIONARY"},
	{"TEXT", "SEARCH", "PARSER"}, {"TEXT", "SEARCH", "TEMPLATE"},
	{"EVENT", "TRIGGER"}, {"OPERATOR", "CLASS"}, {"OPERATOR", "FAMILY"}, {"USER", "MAPPING"},
	{"ACCESS", "METHOD"}, {"DEFAULT", "PRIVILEGES"}, {"LARGE", "OBJECT"},
}

// object returns the object's kind at token i, and the index behind it.
func (w words) object(i int) (string, int) {
	for _, o := range objectWords {
		if w.has(i, o...) {
			return strings.Join(o, " "), i + len(o)
		}
	}
	switch s := w.at(i); s {
	case "USER", "GROUP":
		return "ROLE", i + 1
	default:
		return s, i + 1
	}
}

// modifiers stand between CREATE and the kind of object.
func (w words) skipModifiers(i int) int {
	for {
		switch w.at(i) {
		case "OR":
			i += 2 // OR REPLACE
		case "GLOBAL", "LOCAL", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "RECURSIVE", "TRUSTED", "PROCEDURAL":
			i++
		case "CONSTRAINT", "DEFAULT":
			if w.at(i+1) != "TRIGGER" && w.at(i+1) != "CONVERSION" {
				return i
			}
			i++
		default:
			return i
		}
	}
}

// kind names the statement as the server's command tag does.
func (w words) kind() string {
	switch first := w.at(0); first {
	case "CREATE":
		o, _ := w.object(w.skipModifiers(1))
		return "CREATE " + o
	case "ALTER", "DROP":
		o, _ := w.object(w.skipModifiers(1))
		return first + " " + o
	case "WITH":
		return w.mainVerb()
	case "(", "VALUES", "TABLE":
		return "SELECT"
	case "END":
		return w.suffix("COMMIT")
	case "ABORT":
		return "ROLLBACK"
	case "COMMIT", "ROLLBACK":
		return w.suffix(first)
	case "START", "PREPARE":
		if w.at(1) == "TRANSACTION" {
			return first + " TRANSACTION"
		}
		return first
	case "TRUNCATE", "LOCK":
		return first + " TABLE"
	case "ANALYSE":
		return "ANALYZE"
	case "REFRESH":
		return "REFRESH MATERIALIZED VIEW"
	case "IMPORT":
		return "IMPORT FOREIGN SCHEMA"
	case "SECURITY":
		return "SECURITY LABEL"
	case "REASSIGN":
		return "REASSIGN OWNED"
	case "DECLARE":
		return "DECLARE CURSOR"
	case "SET":
		if w.at(1) == "CONSTRAINTS" {
			return "SET CONSTRAINTS"
		}
		return first
	default:
		return first
	}
}

func (w words) suffix(verb string) string {
	if w.at(1) == "PREPARED" {
		return verb + " PREPARED"
	}
	return verb
}

// mainVerb finds what follows the list of WITH queries.
func (w words) mainVerb() string {
	depth := 0
	for i := range w.toks {
		switch s := w.at(i); s {
		case "(":
			depth++
		case ")":
			depth--
		case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE":
			if depth != 0 {
				continue
			}
			if s == "VALUES" || s == "TABLE" {
				s = "SELECT"
			}
			return s
		}
	}
	return "SELECT"
}
