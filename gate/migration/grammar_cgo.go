//go:build cgo

package migration

import pgquery "github.com/pganalyze/pg_query_go/v6"

// native is PostgreSQL's own grammar, linked in.
type native struct{}

func newGrammar() grammar { return native{} }

func (native) Parse(sql string) (*pgquery.ParseResult, error)    { return pgquery.Parse(sql) }
func (native) Deparse(tree *pgquery.ParseResult) (string, error) { return pgquery.Deparse(tree) }
func (native) ParsePlPgSQL(routine string) (string, error) {
	return pgquery.ParsePlPgSqlToJSON(routine)
}
