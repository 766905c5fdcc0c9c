//go:build cgo

package migration

import (
	"errors"
	"sync"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	pgparser "github.com/pganalyze/pg_query_go/v6/parser"
)

// stderr is held while the C code runs: each call points the process's
// standard error at a pipe and back again, and two at once would leave it at a
// closed one. The one piece of package state, because the resource is the
// process's.
var stderr sync.Mutex

// native is PostgreSQL's own grammar, linked in.
type native struct{}

func newGrammar() grammar { return native{} }

func (native) Parse(sql string) (*pgquery.ParseResult, error) {
	stderr.Lock()
	defer stderr.Unlock()
	return pgquery.Parse(sql)
}

func (native) Deparse(tree *pgquery.ParseResult) (string, error) {
	stderr.Lock()
	defer stderr.Unlock()
	return pgquery.Deparse(tree)
}

func (native) ParsePlPgSQL(routine string) (string, error) {
	stderr.Lock()
	defer stderr.Unlock()
	out, err := pgquery.ParsePlPgSqlToJSON(routine)
	if err != nil {
		// What others wrote to standard error meanwhile is taken for an error.
		out, err = pgquery.ParsePlPgSqlToJSON(routine)
	}
	return out, err
}

// cursor is where the grammar stopped, in characters from 1; 0 for other errors.
func cursor(err error) int {
	var e *pgparser.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Cursorpos
}
