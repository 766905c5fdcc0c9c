package command

import (
	"context"

	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/snapshot"
)

// engine is one database product, as the wiring sees it.
type engine interface {
	// settings of a throw-away server that do not change what is measured.
	settings() map[string]string
	// connect uses a target of this run's own as its administrator.
	connect(ctx context.Context, t *snapshot.Target) (server, error)
}

// server is an ephemeral server in use.
type server interface {
	version() string
	restore(ctx context.Context, src snapshot.Source, name string, opt restoreOptions) (baseline, snapshot.Manifest, error)
	empty(ctx context.Context, name string, roles []string) (baseline, error)
	open(ctx context.Context, name string) (baseline, error)
	drop(ctx context.Context, name string) error
	close()
}

type restoreOptions struct {
	jobs     int
	roles    []string
	progress func(done, total int64)
}

// baseline is the restored snapshot on a server.
type baseline interface {
	// ledger returns the rows of the history table, found by its bare name,
	// and where it was found.
	ledger(ctx context.Context, table string) (l ledgerTable, found bool, err error)
	// session writes to the baseline before it is sealed.
	session(ctx context.Context) (observe.Session, error)
	seal(ctx context.Context) error
	// clone makes a database of that name for an experiment; lab is an
	// experiment on a clone made earlier.
	clone(ctx context.Context, name string) error
	lab(name string, compare compareOptions) observe.Lab
}

type ledgerTable struct {
	name    string // "schema.table"
	columns []string
	rows    [][]string
}

type compareOptions struct {
	prefix  string   // under which a down script may put things aside
	exclude []string // tables whose rows are nobody's data: the ledger
}

// newEngine is the one place that names the engines.
func newEngine(name string) (engine, error) {
	switch name {
	case "postgres":
		return postgresEngine{}, nil
	default:
		return nil, &usageError{"engine " + name + " is not supported", "use --engine postgres"}
	}
}
