package mysql

import "strings"

// A table's CREATE statement, as SHOW CREATE TABLE spells it, is the server's
// own normalised text: its parts are read from it where information_schema
// leaves something out (parsers of indexes, options, partitions).

// splitCreate cuts a CREATE TABLE into the elements between its parentheses
// and what follows them, each on one line.
func splitCreate(text string) (elements []string, tail string) {
	depth, from := 0, 0
	scan(text, func(i int) bool {
		switch text[i] {
		case '(':
			if depth++; depth == 1 {
				from = i + 1
			}
		case ')':
			if depth--; depth == 0 {
				elements = append(elements, flat(text[from:i]))
				tail = flat(text[i+1:])
				return false
			}
		case ',':
			if depth == 1 {
				elements = append(elements, flat(text[from:i]))
				from = i + 1
			}
		}
		return true
	})
	return elements, tail
}

// scan calls f for each byte that is outside of quotes, until it says no.
func scan(text string, f func(i int) bool) {
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0 // a doubled one opens it again
			}
		case c == '\'' || c == '`':
			quote = c
		default:
			if !f(i) {
				return
			}
		}
	}
}

// flat puts a text on one line: line ends are only laid out, but for those in
// quotes.
func flat(text string) string {
	b := []byte(text)
	scan(text, func(i int) bool {
		if b[i] == '\n' {
			b[i] = ' '
		}
		return true
	})
	return strings.TrimSpace(string(b))
}

// without removes a word that stands by itself outside of quotes; where it ends
// in "=", with its value.
func without(text, word string) string {
	cut, end := -1, -1
	scan(text, func(i int) bool {
		if !strings.HasPrefix(text[i:], " "+word) {
			return true
		}
		cut, end = i, i+1+len(word)
		if strings.HasSuffix(word, "=") {
			for end < len(text) && text[end] != ' ' {
				end++
			}
		}
		if end < len(text) && text[end] != ' ' {
			cut = -1 // another, longer word
			return true
		}
		return false
	})
	if cut < 0 {
		return text
	}
	return text[:cut] + text[end:]
}

// element is a part of a table that is no column.
type element struct{ kind, name, definition string }

// parseElement reads one element of a CREATE TABLE; false for columns.
func parseElement(text string) (element, bool) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "PRIMARY":
		return element{"constraint", "PRIMARY", unspoken(text)}, true
	case "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR":
		name, def := takeName(strings.TrimPrefix(rest, "KEY "))
		return element{"index", name, word + " " + unspoken(def)}, true
	case "KEY":
		name, def := takeName(rest)
		return element{"index", name, unspoken(def)}, true
	case "CONSTRAINT":
		name, def := takeName(rest)
		return element{"constraint", name, def}, true
	case "PERIOD":
		name := strings.Trim(strings.Fields(rest + " ?")[1], "`")
		return element{"period", name, text}, true
	}
	return element{}, false
}

// unspoken drops what InnoDB does whether it is said or not.
func unspoken(key string) string { return without(key, "USING BTREE") }

// takeName takes a quoted name off the front of a text.
func takeName(text string) (name, rest string) {
	if !strings.HasPrefix(text, "`") {
		return "", text
	}
	var b strings.Builder
	i := 1
	for ; i < len(text); i++ {
		if text[i] == '`' {
			if i+1 < len(text) && text[i+1] == '`' {
				i++
			} else {
				break
			}
		}
		b.WriteByte(text[i])
	}
	return b.String(), strings.TrimSpace(text[min(i+1, len(text)):])
}

// withoutDefiner drops the DEFINER clause of a CREATE: whoever restores or
// migrates makes objects under an account of the gate's.
func withoutDefiner(text string) string {
	at := strings.Index(text, "DEFINER=")
	if at < 0 || strings.Contains(text[:at], "(") {
		return text
	}
	_, rest := takeName(text[at+len("DEFINER="):])
	if after, ok := strings.CutPrefix(rest, "@"); ok {
		_, rest = takeName(after)
	}
	return text[:at] + rest
}
