package mysql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// tableOf is "schema.name" of InnoDB's name for a table or partition
// ("shop/order@002ditems#p#p0"), which is spelled as its files are: what is no
// letter, digit or underscore of ASCII is "@" and four hexadecimal digits, or
// "@" and two signs of a table that only the server has. Those are left as
// they are, and false is returned.
func tableOf(name string) (key string, ok bool) {
	schema, table, _ := strings.Cut(name, "/")
	if i := strings.IndexByte(table, '#'); i > 0 { // "#p#p0", "#P#p0": a literal one is spelled @0023
		table = table[:i]
	}
	schema, one := fromFile(schema)
	table, two := fromFile(table)
	return schema + "." + table, one && two
}

func fromFile(s string) (string, bool) {
	if !strings.Contains(s, "@") {
		return s, true
	}
	var b strings.Builder
	ok := true
	for i := 0; i < len(s); {
		if s[i] != '@' || i+3 > len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		if i+5 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
				b.WriteRune(rune(n))
				i += 5
				continue
			}
		}
		b.WriteString(s[i : i+3])
		ok = false
		i += 3
	}
	return b.String(), ok
}

// spells reports whether name is what a partly decoded key may stand for: "@"
// and two signs are one character beyond ASCII.
func spells(key, name string) bool {
	for key != "" {
		r, size := utf8.DecodeRuneInString(name)
		switch {
		case name == "":
			return false
		case key[0] == '@' && len(key) >= 3 && r >= utf8.RuneSelf:
			key, name = key[3:], name[size:]
		case strings.HasPrefix(key, name[:size]):
			key, name = key[size:], name[size:]
		default:
			return false
		}
	}
	return name == ""
}
