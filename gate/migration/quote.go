package migration

import "strings"

// QuoteIdent spells a name so that PostgreSQL reads it back as it is: in
// double quotes unless it is plain lower case and no keyword.
func QuoteIdent(name string) string {
	plain := name != ""
	for i := 0; i < len(name) && plain; i++ {
		c := name[i]
		plain = c >= 'a' && c <= 'z' || c == '_' || i > 0 && (isDigit(c) || c == '$')
	}
	if plain && !reserved[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteName spells a qualified name; schema may be empty.
func QuoteName(schema, name string) string {
	if schema == "" {
		return QuoteIdent(name)
	}
	return QuoteIdent(schema) + "." + QuoteIdent(name)
}

// QuoteLiteral spells a string constant.
func QuoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// QuoteIdent spells a name so that the dialect's servers read it back as it
// is: bare where that is sure, else in the quotes that no sql_mode changes.
func (d Dialect) QuoteIdent(name string) string {
	if !d.IsMySQL() {
		return QuoteIdent(name)
	}
	plain := name != "" && !allDigits(name) && !isDigit(name[0])
	for i := 0; i < len(name) && plain; i++ {
		c := name[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || isDigit(c)
	}
	if plain && !myReserved[strings.ToUpper(name)] {
		return name
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// QuoteName spells a qualified name; schema may be empty.
func (d Dialect) QuoteName(schema, name string) string {
	if schema == "" {
		return d.QuoteIdent(name)
	}
	return d.QuoteIdent(schema) + "." + d.QuoteIdent(name)
}

// QuoteLiteral spells a string constant. For MySQL it holds under any sql_mode
// unless the string holds a backslash: then NO_BACKSLASH_ESCAPES must be off,
// as it is by default.
func (d Dialect) QuoteLiteral(s string) string {
	if !d.IsMySQL() {
		return QuoteLiteral(s)
	}
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}
