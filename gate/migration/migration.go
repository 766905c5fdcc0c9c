// Package migration reads a directory of migrations: which files a tool's
// layout makes of it, which statements each script holds, on which lines, and
// what can be said of a statement without a server (its static facts).
//
// It is a leaf: it imports nothing of ours, opens no connection, and never
// decides whether a statement is good or bad. Rules do that, from the facts
// gathered here.
package migration

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is the SQL that scripts are written in.
type Dialect string

// Dialects; an empty one means Postgres.
const (
	Postgres Dialect = "postgres"
	MySQL    Dialect = "mysql"
	MariaDB  Dialect = "mariadb"
)

// IsMySQL reports whether it is MySQL or its flavour MariaDB.
func (d Dialect) IsMySQL() bool { return d == MySQL || d == MariaDB }

// Direction tells an up script from its reversal.
type Direction string

// The two directions of a migration.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Migration is one step of a schema's history.
type Migration struct {
	// Version as the file spells it ("000002", "1.2"); what the tool's ledger
	// knows the migration by. A repeatable one has none.
	Version string `json:"version"`
	// Number is the version where it is a whole number, else 0.
	Number int64 `json:"number"`
	// Order sorts migrations, byte by byte, as their tool does. Two that are
	// equal have versions that the tool takes for the same ("2" and "000002").
	Order string `json:"order,omitempty"`
	Name  string `json:"name"`
	// Repeatable: run again whenever its content changes, after all versions
	// (Flyway's R). An edited one is a migration to run, and no drift.
	Repeatable bool `json:"repeatable,omitempty"`
	// Baseline: run on an empty database only, in the place of every version up
	// to its own (Flyway's B).
	Baseline bool   `json:"baseline,omitempty"`
	Up       Script `json:"up"`
	// Down is nil where the layout found no reversal at all.
	Down *Script `json:"down,omitempty"`
}

// Key is Order or, for facts written before there was one, that of Number.
func (m Migration) Key() string { return KeyOf(m.Order, m.Number) }

// KeyOf is Migration.Key for whoever keeps only these two of it.
func KeyOf(order string, number int64) string {
	if order != "" {
		return order
	}
	return orderOf(strconv.FormatInt(number, 10))
}

// orderOf makes an Order of runs of digits: 9 comes before 10, and 007 is 7.
func orderOf(digits ...string) string {
	parts := make([]string, len(digits))
	for i, d := range digits {
		d = strings.TrimLeft(d, "0")
		parts[i] = fmt.Sprintf("%03d%s", len(d), d)
	}
	return strings.Join(parts, ".")
}

// Script is the part of a file that runs in one direction.
type Script struct {
	// File is slash-separated and relative to the root of the fs.FS it was
	// loaded from, which is the repository's top.
	File      string    `json:"file"`
	Direction Direction `json:"direction"`
	// Wrapped says that the tool opens a transaction around the whole script
	// and commits at its end (goose's default). Otherwise each batch is sent
	// as it stands, and a batch of several statements is one implicit
	// transaction (PostgreSQL manual, 55.2.2.1 "Multiple Statements in a
	// Simple Query").
	Wrapped bool `json:"wrapped"`
	// Reopens says of a wrapped script that the tool's driver opens another
	// transaction behind a COMMIT in it (JDBC without autocommit).
	Reopens bool `json:"reopens,omitempty"`
	// Restored says that the tool puts role and search path back to the
	// session's own before the script; Schema then comes first in the path.
	Restored bool   `json:"restored,omitempty"`
	Schema   string `json:"schema,omitempty"`
	// Before and Behind are files whose statements the tool runs around the
	// script's, in its transaction (Flyway's beforeEachMigrate); parsed, they are
	// among Statements.
	Before []string `json:"before,omitempty"`
	Behind []string `json:"behind,omitempty"`
	// Caveat is what the tool itself would do with the script that to run it as
	// it says cannot show; a clause, and Remedy the way out.
	Caveat string `json:"caveat,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// Unrun is why the tool leaves the script out, by what stands beside it
	// (Flyway's shouldExecute); a clause. Elsewhere it may run: Remedy tells how to
	// have it run here as well, and is "" where no database has another answer.
	Unrun string `json:"unrun,omitempty"`

	Statements []Statement `json:"statements"`
}

func (s *Script) file() string {
	if s == nil {
		return ""
	}
	return s.File
}

// IsEmpty reports whether the script does nothing: no statement, or only
// statements like SELECT 1 that read no relation and call nothing, perhaps
// between BEGIN and COMMIT. Such a down script declares its migration
// forward-only.
func (s *Script) IsEmpty() bool {
	if s == nil {
		return true
	}
	for _, st := range s.Statements {
		if !st.Facts.NoOp && st.Facts.Control == "" {
			return false
		}
	}
	return true
}

// Statement is one SQL statement of a script.
type Statement struct {
	File string `json:"file"`
	// Line and EndLine are 1-based lines in File: of the statement's first
	// token, and of its last (its data's terminator for COPY FROM stdin).
	Line    int `json:"line"`
	EndLine int `json:"end_line"`
	// Column of the first token in its line, 1-based, in characters; 0 where it
	// is not known.
	Column int `json:"column,omitempty"`
	// Offset is the byte offset of the first token in File.
	Offset int `json:"offset"`
	// SQL runs from the first token to the last, without the ending semicolon.
	// It is the text as the tool would send it (after goose's ENVSUB).
	SQL string `json:"sql"`
	// After is what follows it on its last line, from the semicolon on, where
	// its lines hold nothing else, and File has it word for word: then SQL and
	// After are those lines. "" elsewhere.
	After string `json:"after,omitempty"`
	// Batch numbers the strings the tool sends: statements with the same
	// number reach the server as one simple query.
	Batch int `json:"batch"`
	// CopyData is what follows COPY … FROM stdin, up to and without "\.".
	CopyData []byte `json:"copy_data,omitempty"`
	Facts    Facts  `json:"facts"`
}

// Facts are what the text alone tells about a statement.
type Facts struct {
	// Kind is the command's name as the manual spells it (PostgreSQL: as its
	// command tags do): "ALTER TABLE", "CREATE INDEX", "SELECT", …
	Kind string `json:"kind"`
	// Analysed is false where the grammar did not know the statement and Kind
	// and the flags below come from its tokens; Actions are then incomplete.
	Analysed bool `json:"analysed"`
	// NotAnalysed says why, in the grammar's words.
	NotAnalysed string `json:"not_analysed,omitempty"`
	// ErrorLine and ErrorColumn are where in File the grammar stopped, 1-based,
	// the column in characters; 0 where it is no syntax error.
	ErrorLine   int `json:"error_line,omitempty"`
	ErrorColumn int `json:"error_column,omitempty"`
	// NoOp: reads no relation, calls no function, changes nothing.
	NoOp bool `json:"no_op,omitempty"`
	// Control is set for transaction control statements.
	Control Control `json:"control,omitempty"`
	// NoBlock: the server refuses it inside a transaction block (25001):
	// CONCURRENTLY, VACUUM, CREATE DATABASE, ALTER SYSTEM, …
	NoBlock bool `json:"no_block,omitempty"`
	// MayCommit: CALL, or a DO whose body commits or rolls back. Wrapping it
	// in a transaction would change what it does (2D000).
	MayCommit bool `json:"may_commit,omitempty"`
	// NeedsBlock: LOCK TABLE, SET LOCAL, SAVEPOINT, DECLARE CURSOR. Alone they
	// fail or do nothing, and must keep doing so: never wrap them.
	NeedsBlock bool `json:"needs_block,omitempty"`
	// CopyFromStdin: the statement's data is in CopyData.
	CopyFromStdin bool `json:"copy_from_stdin,omitempty"`
	// Concurrently: CREATE/DROP/REINDEX INDEX CONCURRENTLY, DETACH … CONCURRENTLY,
	// REFRESH … CONCURRENTLY.
	Concurrently bool `json:"concurrently,omitempty"`
	// Algorithm and Lock are the clauses of an online DDL statement of MySQL,
	// upper case ("INPLACE", "NONE", "DEFAULT"); "" where they are left out.
	Algorithm string `json:"algorithm,omitempty"`
	Lock      string `json:"lock,omitempty"`
	// ImplicitCommit: the server commits the open transaction before it runs
	// the statement, and the statement itself afterwards (MySQL manual,
	// "Statements That Cause an Implicit Commit").
	ImplicitCommit bool `json:"implicit_commit,omitempty"`
	// Actions lists what the statement does to which object, in the order of
	// the text; also what is found inside DO blocks, function bodies and
	// assembled strings, where they can be read (Within says so).
	Actions []Action `json:"actions,omitempty"`
	// Unread lists what may hold SQL that could not be read: a body in another
	// language, an EXECUTE of a string known only at run time.
	Unread []Unread `json:"unread,omitempty"`
}

// Unread is a place whose SQL is not known before it runs.
type Unread struct {
	Within string `json:"within"` // as Action.Within
	Line   int    `json:"line"`
}

// Control is a transaction control verb.
type Control string

// Transaction control verbs.
const (
	Begin      Control = "begin"
	Commit     Control = "commit" // also END
	Rollback   Control = "rollback"
	Savepoint  Control = "savepoint"
	RollbackTo Control = "rollback to"
	Release    Control = "release"
	Prepare    Control = "prepare transaction"
	// SET autocommit of MySQL: off, every statement opens a transaction unless
	// one is open; on, the open one is committed.
	AutocommitOff Control = "autocommit off"
	AutocommitOn  Control = "autocommit on"
)

// Verb says what an Action does to its object.
type Verb string

// Verbs of actions.
const (
	Create      Verb = "create"
	Drop        Verb = "drop"   // of a whole object, or of a Part of a table
	Add         Verb = "add"    // a Part to a table or type
	Alter       Verb = "alter"  // anything not named otherwise
	Rename      Verb = "rename" // NewName; also of a Part
	SetType     Verb = "set type"
	SetNotNull  Verb = "set not null"
	DropNotNull Verb = "drop not null"
	SetDefault  Verb = "set default"
	DropDefault Verb = "drop default"
	Validate    Verb = "validate"
	Attach      Verb = "attach"
	Detach      Verb = "detach"
	Truncate    Verb = "truncate"
	Insert      Verb = "insert"
	Update      Verb = "update" // Columns: the columns set
	Delete      Verb = "delete"
	Upsert      Verb = "upsert" // INSERT … ON CONFLICT DO UPDATE, MERGE … UPDATE; Columns: the columns set
	Reindex     Verb = "reindex"
	Refresh     Verb = "refresh"
	Rewrite     Verb = "rewrite"    // CLUSTER, VACUUM FULL
	SetSchema   Verb = "set schema" // NewName: the schema
	Lock        Verb = "lock"
	Replace     Verb = "replace" // CREATE OR REPLACE
)

// Action is one effect of a statement on one object.
type Action struct {
	Verb Verb `json:"verb"`
	// Object is the kind of the object acted on, in the manual's words, lower
	// case: "table", "column", "index", "constraint", "sequence", "schema",
	// "type", "enum value", "view", "materialized view", "function",
	// "procedure", "trigger", "partition", "domain", "extension", "policy",
	// "rule", "statistics", "database", "default", …
	Object string `json:"object"`
	// Schema and Name as written, unquoted and case-folded; Schema is empty
	// where the search path decides. For parts (column, constraint, trigger,
	// partition) they name the table.
	Schema string `json:"schema,omitempty"`
	Name   string `json:"name,omitempty"`
	// Part is the column, constraint, trigger, enum value or partition.
	Part string `json:"part,omitempty"`
	// NewName after a rename, or the new schema.
	NewName string `json:"new_name,omitempty"`
	// Type of an added or changed column, deparsed ("numeric(12,2)"; MySQL:
	// as COLUMN_TYPE spells it, "int unsigned", "enum('a','b')").
	Type string `json:"type,omitempty"`
	// Columns set by an UPDATE, upsert or MERGE; keys of an index or key
	// constraint, in order, deparsed where they are expressions.
	Columns []string `json:"columns,omitempty"`
	// Refs is the table a foreign key points to ("schema.name" or "name").
	Refs string `json:"refs,omitempty"`
	// Constraint kind: "check", "foreign key", "unique", "primary key",
	// "exclude", "not null".
	Constraint string `json:"constraint,omitempty"`
	// Definition is the deparsed clause or statement, for building a rewrite:
	// of a column ("total bigint DEFAULT 0"), a constraint without its name
	// ("CHECK (total > 0)"), an index (the whole statement), a view's query.
	Definition string `json:"definition,omitempty"`
	// Using is the expression of ALTER COLUMN … TYPE … USING.
	Using string `json:"using,omitempty"`
	// Values of an enum that is created, or of MySQL's ENUM and SET columns, in
	// order.
	Values []string `json:"values,omitempty"`
	// On is the table an index or a statistics object is made on
	// ("schema.name" or "name"); Schema and Name are the object's own.
	On string `json:"on,omitempty"`
	// UsingIndex names the index that a unique or primary key constraint
	// takes over.
	UsingIndex string `json:"using_index,omitempty"`
	// Default is the expression of a column's default, added or set.
	Default string `json:"default,omitempty"`
	// Generated tells how an added or changed column gets its values: "stored",
	// "virtual", "identity", "auto_increment".
	Generated string `json:"generated,omitempty"`

	IfExists     bool `json:"if_exists,omitempty"`
	IfNotExists  bool `json:"if_not_exists,omitempty"`
	Concurrently bool `json:"concurrently,omitempty"`
	NotValid     bool `json:"not_valid,omitempty"`
	Cascade      bool `json:"cascade,omitempty"`
	Unique       bool `json:"unique,omitempty"`
	NotNull      bool `json:"not_null,omitempty"` // of an added column; MySQL: also of a changed one
	HasWhere     bool `json:"has_where,omitempty"`
	// Temporary: the object lives in the session only.
	Temporary bool `json:"temporary,omitempty"`

	// Line in the file where this action stands (the statement's first line
	// where the position is not known).
	Line int `json:"line"`
	// Within names where the action was found if not in the statement itself:
	// "DO block", "function f", "EXECUTE string", "trigger t", "event e".
	Within string `json:"within,omitempty"`
}
