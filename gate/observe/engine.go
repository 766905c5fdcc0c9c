package observe

import (
	"context"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
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
	// PID identifies the backend in the lock table.
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
	Ended     bool
	How       string // see gate.StatementRun.How
	Tag       string
	Rows      int64
	TempBytes int64
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
}

// FileFact is a relation with a new file.
type FileFact struct {
	Object string // the engine's key (OID)
	Bytes  int64
}

// ScanFact is a table that was read whole.
type ScanFact struct {
	Object string
	Rows   int64
}

// Baseline is the restored snapshot: clones are made of it, and it is read,
// never written.
type Baseline interface {
	// Clone makes a fresh copy for one experiment.
	Clone(ctx context.Context, name string) (Clone, error)
	// Schema of the baseline.
	Schema(ctx context.Context) (snapshot.Schema, error)
}

// Clone is a copy of the baseline that an experiment may change.
type Clone interface {
	Schema(ctx context.Context) (snapshot.Schema, error)
}
