//go:build !cgo

package migration

import (
	"errors"

	pgtree "github.com/pganalyze/pg_query_go/v6"
	pgquery "github.com/wasilibs/go-pgquery"
	pgparser "github.com/wasilibs/go-pgquery/parser"
)

// wasm is the same grammar compiled to WebAssembly. The module is compiled at
// the first call (more than a second), so nothing may call it that does not
// have SQL to read.
type wasm struct{}

func newGrammar() grammar { return wasm{} }

func (wasm) Parse(sql string) (*pgtree.ParseResult, error)    { return pgquery.Parse(sql) }
func (wasm) Deparse(tree *pgtree.ParseResult) (string, error) { return pgquery.Deparse(tree) }
func (wasm) ParsePlPgSQL(routine string) (string, error)      { return pgquery.ParsePlPgSqlToJSON(routine) }

// cursor is where the grammar stopped, in characters from 1; 0 for other errors.
func cursor(err error) int {
	var e *pgparser.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Cursorpos
}
