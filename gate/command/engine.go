package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/migration"
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
	// address of the database of a name that was restored or cloned.
	address(ctx context.Context, name string) (host string, port int, err error)
	close()
}

type restoreOptions struct {
	jobs     int
	roles    []string
	progress func(done, total int64)
	stage    func(name string) (end func())
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
	// schemaAlone: it has no rows, and no more have the tables beside it, of
	// which there are some. Looked for only where it has none.
	schemaAlone bool
}

// ledgerOf reads a history table, and whether it stands beside tables without
// rows where it has none itself.
func ledgerOf(ctx context.Context, db interface {
	Ledger(ctx context.Context, table string) (columns []string, rows [][]string, found bool, name string, err error)
	Catalog(ctx context.Context) (map[string]snapshot.Relation, error)
}, table string) (ledgerTable, bool, error) {
	columns, rows, found, name, err := db.Ledger(ctx, table)
	l := ledgerTable{name: name, columns: columns, rows: rows}
	if err == nil && found && len(rows) == 0 {
		var catalog map[string]snapshot.Relation
		catalog, err = db.Catalog(ctx)
		l.schemaAlone = schemaAlone(catalog, name)
	}
	return l, found, err
}

// schemaAlone reports whether the tables beside one are there, without a row.
func schemaAlone(catalog map[string]snapshot.Relation, beside string) bool {
	others := false
	for _, r := range catalog {
		if r.Kind != "table" && r.Kind != "partitioned table" || r.Extension || r.Schema+"."+r.Name == beside {
			continue
		}
		if r.Rows > 0 {
			return false
		}
		others = true
	}
	return others
}

type compareOptions struct {
	prefix  string   // under which a down script may put things aside
	exclude []string // tables whose rows are nobody's data: the ledger
}

// newEngine is the one place that names the engines.
func newEngine(m config.Migrations) (engine, error) {
	switch m.Engine {
	case snapshot.Postgres:
		return postgresEngine{}, nil
	case snapshot.MySQL, snapshot.MariaDB:
		return mysqlEngine{name: m.Engine, sqlMode: m.SQLMode}, nil
	default:
		return nil, &usageError{"engine " + m.Engine + " is not supported", "use --engine postgres, mysql or mariadb"}
	}
}

// dialect of an engine's scripts; "auto", with no snapshot to tell, is
// PostgreSQL's.
func dialect(engine string) migration.Dialect {
	if engine == "auto" {
		return migration.Postgres
	}
	return migration.Dialect(engine)
}

// settleEngine replaces "auto" by the engine that the snapshot was taken from,
// or without one by the server's, and refuses a snapshot of another engine.
func (a *app) settleEngine(m *config.Migrations, s config.Server, snap config.Snapshot) error {
	from := ""
	if snap.Snapshot != "" {
		// What is wrong with the file is told by whoever opens it, which a
		// change without migrations does not need.
		from, _ = snapshot.EngineOf(a.path(snap.Snapshot))
	}
	switch {
	case m.Engine != "auto" && from != "" && from != m.Engine:
		return &usageError{
			fmt.Sprintf("the snapshot %s was taken from %s, not from %s", snap.Snapshot, gate.Engine{Name: from}.Product(), gate.Engine{Name: m.Engine}.Product()),
			"give --engine " + from + ", or a snapshot of " + gate.Engine{Name: m.Engine}.Product(),
		}
	case m.Engine == "auto" && from != "":
		m.Engine = from
	case m.Engine == "auto" && strings.HasPrefix(s.DatabaseURL, "mysql"):
		m.Engine = snapshot.MySQL
	case m.Engine == "auto" && strings.HasPrefix(s.DatabaseURL, "mariadb"):
		m.Engine = snapshot.MariaDB
	case m.Engine == "auto":
		m.Engine = snapshot.Postgres
	}
	switch more := besides(snap); {
	case len(more) == 0:
	case snap.Snapshot == "":
		return &usageError{more[0] + " adds to a snapshot, and there is none", "give the schema's dump by --snapshot, or leave out " + more[0]}
	case m.Engine != snapshot.Postgres:
		return &usageError{fmt.Sprintf("%s is for dumps of PostgreSQL, and the engine is %s", more[0], gate.Engine{Name: m.Engine}.Product()), "give one dump of schema and rows by --snapshot"}
	}
	return nil
}
