package gate

import (
	"time"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// ObservationVersion is the version of the Observation's JSON. It grows by
// additions only; a change of meaning raises it.
const ObservationVersion = "1"

// Observation is everything that was found out about a change: facts only, no
// judgement. It is kept as JSON and can be judged again.
type Observation struct {
	SchemaVersion string         `json:"schema_version"`
	Engine        Engine         `json:"engine"`
	Target        TargetFacts    `json:"target"`
	Snapshot      *SnapshotFacts `json:"snapshot"` // nil: none, the baseline was built from merged migrations
	Base          string         `json:"base"`
	Head          string         `json:"head"`
	// Dirty: Head is the working tree, with changes that are not committed.
	Dirty  bool   `json:"dirty,omitempty"`
	Dir    string `json:"dir"`
	Layout string `json:"layout"`
	// OutOfOrder: the project lets its tool run versions below one that a
	// database has.
	OutOfOrder bool         `json:"out_of_order,omitempty"`
	Files      []FileChange `json:"files"`
	// Migrations pending in this change, in the order they were applied.
	Migrations []Migration `json:"migrations"`
	// Merged migrations (of the base ref), without their scripts.
	Merged []MergedMigration `json:"merged,omitempty"`
	Locks  []LockWindow      `json:"lock_windows"`
	// Tables of the baseline by "schema.name": every table that a window,
	// rewrite, scan or reversal fact names, and their partition roots.
	Tables map[string]Table `json:"tables"`
	// BaselineColumns lists the columns of every table of the baseline.
	BaselineColumns map[string][]string `json:"baseline_columns,omitempty"`
	Resolution      Resolution          `json:"resolution"`
	Reverse         *Reverse            `json:"reverse,omitempty"` // nil: not walked
	// Tier says what the change was tried on, and so how much the verdict rests on.
	Tier Tier `json:"tier,omitempty"`
	// Unmeasured lists what a verdict would rest on and nothing could observe.
	Unmeasured []Unmeasured `json:"unmeasured,omitempty"`
	// Unreadable lists the files that nothing else is known of (lint).
	Unreadable []Unreadable `json:"unreadable,omitempty"`
	// ConfigChanges are what the change does to the gate's own settings.
	ConfigChanges []ConfigChange `json:"config_changes,omitempty"`
	Phases        []Phase        `json:"phases"`
}

// Tier is how much of a proof was made.
type Tier string

// Tiers, from the least to the most. A change without migrations has none.
const (
	TierStatic Tier = "static" // the files were read, nothing was run
	TierSchema Tier = "schema" // run on the schema alone: locks are seen, durations mean nothing
	TierData   Tier = "data"   // run on a restored snapshot, and measured
)

// Unmeasured is one thing that could not be observed.
type Unmeasured struct {
	// What, a few words, lower case: "locks", "durations", "everything but the files".
	What string `json:"what"`
	// File that it is about, relative to the repository's top; "" for the change as a whole.
	File string `json:"file,omitempty"`
	// Why, and the way out, each one clause without a full stop.
	Why    string `json:"why"`
	Remedy string `json:"remedy,omitempty"`
	// Accepted: the configuration provides for it (fork-policy), so that it is
	// told but does not by itself fail the run.
	Accepted bool `json:"accepted,omitempty"`
}

// ConfigChange is one setting of the gate that the change itself alters: a key
// of the configuration file, or the file of a workflow that runs the gate.
type ConfigChange struct {
	File string `json:"file"`           // relative to the repository's top
	Line int    `json:"line,omitempty"` // of the key in the head's file; 0: the file as a whole
	Key  string `json:"key,omitempty"`  // "" for the file as a whole
	// Before and After as text; "" where the key is not given.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// InForce: the head's value already counts in this run.
	InForce bool `json:"in_force"`
	// Problem says why the head's file could not be read if it counted; Key is
	// then "".
	Problem string `json:"problem,omitempty"`
}

// Engine names the product and the server's version.
type Engine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Product is the engine's name as its makers spell it; an unknown one stays as
// it is.
func (e Engine) Product() string {
	switch e.Name {
	case snapshot.Postgres:
		return "PostgreSQL"
	case snapshot.MySQL:
		return "MySQL"
	case snapshot.MariaDB:
		return "MariaDB"
	}
	return e.Name
}

// TargetFacts tell where it ran.
type TargetFacts struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

// SnapshotFacts tell what it ran on.
type SnapshotFacts struct {
	snapshot.Source
	snapshot.Manifest
	// CaughtUp lists merged migrations that the snapshot's ledger lacked and
	// that were applied to the baseline first.
	CaughtUp []string `json:"caught_up,omitempty"`
	Ledger   string   `json:"ledger,omitempty"` // the ledger table found
}

// FileChange is one file of the migration directory that differs from base.
type FileChange struct {
	Path   string `json:"path"`
	Status string `json:"status"`         // "added", "edited", "deleted", "renamed"
	From   string `json:"from,omitempty"` // old path, for renamed
	// FirstLine that differs, for edited; 1-based.
	FirstLine int `json:"first_line,omitempty"`
	// Merged: the file belongs to a migration of the base ref.
	Merged bool `json:"merged"`
	// Version of the migration the file belongs to.
	Version string `json:"version,omitempty"`
	// Repeatable: the file is a repeatable migration's, which may be edited: its
	// tool runs it again.
	Repeatable bool `json:"repeatable,omitempty"`
}

// MergedMigration is what rules on order need of one that is merged.
type MergedMigration struct {
	Version string `json:"version"`
	Number  int64  `json:"number"`
	// Order, Repeatable and Baseline as in migration.Migration.
	Order      string `json:"order,omitempty"`
	Repeatable bool   `json:"repeatable,omitempty"`
	Baseline   bool   `json:"baseline,omitempty"`
	Name       string `json:"name"`
	File       string `json:"file"`
}

// Key orders it among others, as migration.Migration.Key does.
func (m MergedMigration) Key() string { return migration.KeyOf(m.Order, m.Number) }

// Migration is a pending migration, what is known of it and what it did.
type Migration struct {
	migration.Migration
	// Apply is the measured run; its Statements are parallel to Up's up to
	// the one that failed. Down and ReUp are runs of the reverse walk.
	Apply    *Run `json:"apply,omitempty"`
	Reversed *Run `json:"reversed,omitempty"`
	ReUp     *Run `json:"re_up,omitempty"`
	// Rerun is the whole up script run once more, on a new connection, after
	// Apply failed and left some statements applied. nil: nothing was left.
	Rerun *Run `json:"rerun,omitempty"`
}

// Run is one execution of one script.
type Run struct {
	Statements []StatementRun `json:"statements"`
	Failure    *Failure       `json:"failure,omitempty"`
	// MS is the whole run's duration, the gate's own looks included.
	MS float64 `json:"ms"`
}

// StatementRun is what one statement did.
type StatementRun struct {
	// StartMS since the start of the walk, for drawing; 0 for all where it is
	// not known.
	StartMS    float64 `json:"start_ms,omitempty"`
	DurationMS float64 `json:"duration_ms"`
	// Tag is the server's command tag ("ALTER TABLE", "UPDATE 3").
	Tag       string `json:"tag"`
	Rows      int64  `json:"rows"`
	WALBytes  int64  `json:"wal_bytes"`
	TempBytes int64  `json:"temp_bytes"`
	// How it ran: "implicit transaction", "explicit transaction", "autocommit".
	How      string    `json:"how"`
	Rewrites []Rewrite `json:"rewrites,omitempty"`
	Scans    []Scan    `json:"scans,omitempty"`
	Messages []Message `json:"messages,omitempty"`
	// ToCommitMS is the time from the statement's start to the reply of the
	// COMMIT that ended its transaction: the upper bound of its row locks.
	ToCommitMS float64 `json:"to_commit_ms,omitempty"`
	// InvalidIndexes names indexes it left behind invalid.
	InvalidIndexes []string `json:"invalid_indexes,omitempty"`
	// TickerOnly: it may end transactions of its own (CALL, a DO that commits),
	// so no boundary sample saw their locks, and one that lasted less than the
	// ticker's gap may be missing.
	TickerOnly  bool   `json:"ticker_only,omitempty"`
	LockTimeout string `json:"lock_timeout,omitempty"`
	// RolledBack: a later failure of the script undid the statement. What ran
	// and was not rolled back stays applied.
	RolledBack bool `json:"rolled_back,omitempty"`
	// DDL tells how MySQL went about an ALTER TABLE, CREATE INDEX or DROP
	// INDEX; nil for other statements and engines.
	DDL *OnlineDDL `json:"online_ddl,omitempty"`
}

// OnlineDDL is how the server went about one online DDL statement (MySQL
// manual, "InnoDB and Online DDL"): what was seen, never what was predicted.
type OnlineDDL struct {
	Table    string `json:"table"` // "schema.name", as it was before the statement
	Existing bool   `json:"existing"`
	// Algorithm really used: "INSTANT", "INPLACE" or "COPY"; "" unknown.
	Algorithm string `json:"algorithm"`
	// Rebuild: the table was written anew (always so for COPY).
	Rebuild bool `json:"rebuild,omitempty"`
	// Lock is what others were let do meanwhile, but for the short exclusive
	// locks at either end: "NONE" (read and write), "SHARED" (read),
	// "EXCLUSIVE" (nothing); "" where the statement only touched metadata, or
	// was too short to be seen at work.
	Lock string `json:"lock,omitempty"`
	// Evidence says how Algorithm was told: "stage copy to tmp table", …
	Evidence string `json:"evidence,omitempty"`
	// RowVersions is how many INSTANT changes the table had been through before
	// the statement since it was last written anew (TOTAL_ROW_VERSIONS): at the
	// limit, 64 on MySQL 8.0 and 255 on 9.7, the server rebuilds it silently.
	RowVersions int64 `json:"row_versions,omitempty"`
	// Best is what the server accepts at best for the very statement; nil where
	// it was not asked.
	Best *BestDDL `json:"best,omitempty"`
}

// BestDDL is the best form of a statement that the server accepted on an
// empty clone.
type BestDDL struct {
	Algorithm string `json:"algorithm"`      // "INSTANT", "INPLACE", "COPY"; "" where none could be asked
	Lock      string `json:"lock,omitempty"` // "NONE", "SHARED", "EXCLUSIVE"
	// Reason is why nothing better was taken, in the server's words.
	Reason string `json:"reason,omitempty"`
	// Code of that refusal: "1846".
	Code string `json:"code,omitempty"`
	// Unasked says why it could not be asked.
	Unasked string `json:"unasked,omitempty"`
}

// Rewrite is a file of a relation that was written anew (PostgreSQL: a new
// relfilenode under the same OID; MySQL: a new TABLE_ID under the same name).
type Rewrite struct {
	Relation string `json:"relation"`
	// Part: "heap", "index", "toast", "sequence", "materialized view".
	Part string `json:"part"`
	// Table that the part belongs to (itself for "heap").
	Table string `json:"table"`
	// Existing: the table was in the baseline.
	Existing bool `json:"existing"`
	// Emptied: new file without the old rows (TRUNCATE).
	Emptied bool  `json:"emptied,omitempty"`
	Bytes   int64 `json:"bytes"` // of the new file
}

// Scan is a table read whole by one statement.
type Scan struct {
	Table    string `json:"table"`
	Rows     int64  `json:"rows"`
	Existing bool   `json:"existing"`
}

// Message is a warning or notice the server sent.
type Message struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Text     string `json:"text"`
}

// Failure is a statement the server refused, as data.
type Failure struct {
	Statement int    `json:"statement"` // index in the script; -1: at COMMIT
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column,omitempty"`
	Code      string `json:"code"`               // SQLSTATE; MySQL: the error's number
	SQLState  string `json:"sqlstate,omitempty"` // MySQL: beside the number
	Message   string `json:"message"`
	Detail    string `json:"detail,omitempty"`
	Hint      string `json:"hint,omitempty"`
	Where     string `json:"where,omitempty"`
	// CommitRolledBack: COMMIT was answered by ROLLBACK.
	CommitRolledBack bool `json:"commit_rolled_back,omitempty"`
}

// LockWindow is a lockbudget.Window with its names resolved.
type LockWindow struct {
	Relation string `json:"relation"` // schema.name of what was locked
	Kind     string `json:"kind"`     // "table", "index", "toast", "sequence", "view", …
	// Table the lock counts for: an index's or toast's table, else Relation.
	Table         string   `json:"table"`
	Mode          string   `json:"mode"`
	Blocks        []string `json:"blocks"` // reads, writes, ddl
	AtLeastMS     float64  `json:"at_least_ms"`
	AtMostMS      float64  `json:"at_most_ms"`
	AtMostAloneMS float64  `json:"at_most_alone_ms"`
	// Migration and Statement index the statement that took it.
	Migration int    `json:"migration"`
	Statement int    `json:"statement"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	EndLine   int    `json:"end_line"`
	// HeldDuring lists the later statements that ran meanwhile.
	HeldDuring []StatementRef `json:"held_during,omitempty"`
	// Existing: the relation was in the baseline. Locks on what the change
	// itself created block nobody.
	Existing bool `json:"existing"`
	Waited   bool `json:"waited,omitempty"`
	// WaitedMS is for how long, at most, it was asked for and not given.
	WaitedMS float64 `json:"waited_ms,omitempty"`
	Witness  string  `json:"witness"`
	// OpenedMS and ClosedMS are the outer edges since the start of the apply
	// walk, for drawing.
	OpenedMS float64 `json:"opened_ms"`
	ClosedMS float64 `json:"closed_ms"`
	Session  int64   `json:"session"`
	// RowLocks marks the row locks of DML: an upper bound, not judged.
	RowLocks bool  `json:"row_locks,omitempty"`
	Rows     int64 `json:"rows,omitempty"`
}

// StatementRef points to a statement.
type StatementRef struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// Table is what the baseline says of one table.
type Table struct {
	Rows  int64 `json:"rows"` // counted or estimated after ANALYZE
	Bytes int64 `json:"bytes"`
	// Root is the partitioned table it belongs to, "" for none. RootRows and RootBytes sum
	// the whole tree (equal to Rows and Bytes without partitions).
	Root      string `json:"root,omitempty"`
	RootRows  int64  `json:"root_rows"`
	RootBytes int64  `json:"root_bytes"`
	// References are the tables ("schema.name") that its foreign keys refer to,
	// where they were read (MySQL).
	References []string `json:"references,omitempty"`
}

// Resolution is what the sampler achieved.
type Resolution struct {
	Every     time.Duration `json:"every"`
	Looks     int           `json:"looks"`
	MedianGap time.Duration `json:"median_gap"`
	MaxGap    time.Duration `json:"max_gap"`
}

// Reverse is what the reverse walk found.
type Reverse struct {
	// Changes between the baseline and the schema after all downs. Each says
	// which migration's up script touched the object (index into Migrations, -1 unknown).
	Changes []SchemaChange `json:"changes,omitempty"`
	// Losses are tables where rows of the baseline are gone or altered.
	Losses []DataChange `json:"losses,omitempty"`
	// Compared counts the tables whose rows were compared; the others were
	// proven untouched.
	Compared int `json:"compared"`
	// CompareMS is how long the reading of those rows took.
	CompareMS float64 `json:"compare_ms"`
}

// SchemaChange is one difference left after the reverse walk.
type SchemaChange struct {
	snapshot.Change
	Migration int `json:"migration"`
	// ForwardOnly: a migration that declares itself forward-only changed the
	// object, so the difference is listed and is no drift.
	ForwardOnly bool `json:"forward_only,omitempty"`
	// File and Line of the script to blame: the down script's statement that
	// touched the object last, else the down script's first line.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// DataChange tells how a table's rows differ from the baseline's, read in the
// baseline's columns.
type DataChange struct {
	Table string `json:"table"`
	// Now is the table's name after the walk ("" if it is gone).
	Now        string `json:"now"`
	RowsBefore int64  `json:"rows_before"`
	Missing    int64  `json:"missing"` // rows of before that are not there any more
	Added      int64  `json:"added"`
	// Columns that could not be read any more.
	GoneColumns []string `json:"gone_columns,omitempty"`
	// Examples of missing rows, by their key.
	Examples    []string `json:"examples,omitempty"`
	Migration   int      `json:"migration"`
	ForwardOnly bool     `json:"forward_only,omitempty"`
	// File and Line as in SchemaChange.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}
