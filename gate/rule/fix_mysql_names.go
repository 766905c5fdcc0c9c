package rule

import "strings"

// mysqlNames quotes as MySQL reads it.
type mysqlNames struct{}

func (mysqlNames) QuoteIdent(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

func (q mysqlNames) QuoteName(schema, name string) string {
	if schema == "" {
		return q.QuoteIdent(name)
	}
	return q.QuoteIdent(schema) + "." + q.QuoteIdent(name)
}

func (mysqlNames) QuoteLiteral(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}
