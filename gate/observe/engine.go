package observe

import (
	"context"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
)

// Session is the migration's own connection, as the unprivileged owner. It
// gives each script the very transaction meaning its tool gives it.
//
// For a script: Start; then for each statement in order Exec, Boundary,
// Commit. Exec stops at a failure (Result.Failure), after which the session
// has rolled back what the server undid and the script is over. An error from
// any method is the gate's own fault and ends the run.
type Session interface {
	// Start begins a script. A syntax error that the server would find before
	// running anything is reported by the first Exec, as the server would.
	Start(ctx context.Context, s *migration.Script) error
	// Exec runs the next statement, n of the script.
	Exec(ctx context.Context, n int) (Result, error)
	// Boundary reads own-connection facts after a statement, inside its
	// transaction where one is open: rewrites, scans, settings.
	Boundary(ctx context.Context) (Facts, error)
	// Commit ends the transaction if the script's meaning ends it here, and
	// is a no-op (zero Result, Ended false) otherwise.
	Commit(ctx context.Context) (Result, error)
	// PID identifies the connection in the lock table (lockbudget.Lock.Session).
	PID() int64
	Close(ctx context.Context) error
}

// Result is one exchange with the server.
type Result struct {
	Sent, Received time.Time
	// InBlock: a transaction is open now, so a boundary sample is complete.
	InBlock bool
	// Ended: the exchange ended a transaction (or was one by itself), and its
	// locks are gone.
	Ended bool
	// Committed: the exchange failed, and what the transaction had done before
	// was kept all the same (MySQL commits before it tries DDL).
	Committed bool
	How       string // see gate.StatementRun.How
	Tag       string
	Rows      int64
	Messages  []gate.Message
	Failure   *gate.Failure
}

// Facts are what the migration's own connection can see at a boundary.
type Facts struct {
	// Files are relations whose file changed since the previous boundary.
	Files []FileFact
	// Scans by table key since the previous boundary.
	Scans                         []ScanFact
	LockTimeout, StatementTimeout string
	InvalidIndexes                []string
	// Renamed are the tables of the baseline that go by another name from here
	// on, and whose own name no other table has taken: name now to name then.
	// Only where names are what relations are booked by (MySQL).
	Renamed map[string]string
	// DDL is nil but after an online DDL statement of MySQL; its Lock is told
	// from the lock windows later.
	DDL *gate.OnlineDDL
}

// FileFact is a relation with a new file.
type FileFact struct {
	Object string // as snapshot.Relation has it
	Bytes  int64
}

// ScanFact is a table that was read whole.
type ScanFact struct {
	Object string
	Rows   int64
}

// Watcher is the observer's connection: it looks at the lock table and reads
// the server's own counters, and never holds a transaction open.
type Watcher interface {
	lockbudget.Sampler
	// WALPosition is the server's write position in its WAL or redo log, bytes.
	WALPosition(ctx context.Context) (uint64, error)
	// TempBytes is what was written to temporary files so far; false where
	// the server does not tell.
	TempBytes(ctx context.Context) (uint64, bool, error)
	Close(ctx context.Context) error
}

// blind is a Watcher that sees nothing.
type blind struct{}

func (blind) Sample(context.Context) ([]lockbudget.Lock, error)        { return nil, nil }
func (blind) WALPosition(context.Context) (uint64, error)              { return 0, nil }
func (blind) TempBytes(context.Context) (n uint64, ok bool, err error) { return 0, false, nil }
func (blind) Close(context.Context) error                              { return nil }

// NoDatabaseError is what Lab.Open returns where the clone's database is not
// there any more: a script has dropped it.
type NoDatabaseError struct{ Failure gate.Failure }

func (e *NoDatabaseError) Error() string {
	return e.Failure.Message + " (" + e.Failure.CodeText() + ")"
}

// Timer is a Watcher whose server keeps records of its own (MySQL's
// performance_schema): what it can add to the looks.
type Timer interface {
	// Phases returns the locks of the statement that was just exchanged, and
	// did not fail, as the server itself timed them, none where it did not.
	// tables are what the statement names, "schema.name" or "name". An error
	// also says that the records are incomplete, which voids the run.
	Phases(ctx context.Context, sent, received time.Time, tables []string) ([]lockbudget.TimedPhase, error)
}

// Database is read before and after the walks.
type Database interface {
	Schema(ctx context.Context) (snapshot.Schema, error)
	// Catalog lists relations by key.
	Catalog(ctx context.Context) (map[string]snapshot.Relation, error)
}

// Lab is what an engine brings to an experiment: the baseline, which is only
// read, one fresh clone of it, and the connections to the clone.
type Lab struct {
	Baseline, Clone Database
	Open            func(ctx context.Context) (Session, error)
	// Watch is nil where nobody can see the server's locks: the walk then has no
	// windows, and all else.
	Watch func(ctx context.Context) (Watcher, error)
	// Impact of a lock, once the relation's kind is known.
	Impact func(mode, kind string, existed bool) lockbudget.Impact
	// RowLocks reports whether a statement of a verb ("UPDATE") whose table lock
	// is mode holds row locks there that writers wait for.
	RowLocks func(mode, verb string) bool
	// Compare reads the rows of tables that differ; only those in only, if
	// it is not nil. The second result counts the tables that were compared.
	Compare func(ctx context.Context, only []string) ([]snapshot.DataDiff, int, error)
	// Probe asks an empty clone, statement by statement, for the best form
	// that the server accepts; the result is parallel to the scripts'
	// statements, nil where one is no online DDL. nil: the engine has none.
	Probe func(ctx context.Context, scripts []*migration.Script) ([][]*gate.BestDDL, error)
}

// Options of the walks.
type Options struct {
	// Every is the ticker's aim; zero looks at boundaries only.
	Every time.Duration
	// MaxGap voids the run where the ticker was the only witness and looked
	// away for longer.
	MaxGap time.Duration
	// Exact: the reversal has to leave nothing behind, so also what was added
	// is booked to a migration.
	Exact bool
	// OnStatement is called before each statement, for progress. May be nil.
	OnStatement func(s migration.Statement)
}
