package migration

import (
	"fmt"
	"io/fs"
	"path"
)

// Layout is how a migration tool names and annotates files, where its ledger
// is, and how it sends a script.
//
// On MySQL golang-migrate sends a file whole, with multiStatements=true (its
// Open sets it, its documentation demands it of others), and opens no
// transaction; an empty file fails with 1065. goose sends one statement at a
// time, for which multiStatements is left off: two in one piece fail with
// 1064. It opens a transaction unless told NO TRANSACTION, which the first DDL
// commits. Neither knows DELIMITER. Names and ledgers are the same on every
// engine.
type Layout struct {
	// Name as the --layout option spells it: "golang-migrate", "goose", …
	Name string
	// Ledger is the tool's history table.
	Ledger Ledger
	// OutOfOrder: the project lets the tool run versions below one that a
	// database has, where it refuses them by itself (flyway.outOfOrder).
	OutOfOrder bool
}

// Ledger describes a tool's history table, as data for whoever reads it.
type Ledger struct {
	// Table is the default name, unqualified ("schema_migrations"); "" for a
	// tool that keeps none.
	Table string
	// Kind tells how rows are read: "last" (golang-migrate: one row with the
	// newest version and a dirty flag), "log" (goose: version_id and
	// is_applied, the newest row of each version counts), "versions" (dbmate: a
	// row for each version applied), "files" (sql-migrate: a row for each file
	// applied, by its name) or "flyway" (its schema history); or a tool's name
	// (PlainLedgers).
	Kind string
}

// tool is all that this package knows of one migration tool; each has a file
// of its own that implements it. TestTools holds every one to what is said
// here.
type tool interface {
	layout() Layout
	// name reads a file's path, slash-separated and relative to the directory
	// of migrations. ok is false for a file that is none of the tool's; the
	// error is of one that is, and cannot be right.
	name(rel string) (f fileName, ok bool, err error)
	// bothInOne reports whether a file may hold both directions, so that its
	// text tells which.
	bothInOne() bool
	// deep reports whether the tool looks into directories below the
	// directory of migrations.
	deep() bool
	// foreign says of a file that the tool runs and this program cannot (a step
	// in Go or Java) what it is, or "".
	foreign(rel string) string
	// claim says how a file shows that it is the tool's, by its name and its
	// text; see the constants.
	claim(rel string, text []byte) (strength int, why string)
	// outline tells which scripts a file holds, without parsing SQL. Wrapped may
	// be left to parse where statements decide it.
	outline(in input) (up, down *Script, err error)
	// parse reads a file's scripts; one that it does not hold is nil.
	parse(in input) (up, down *Script, err error)
	// remedy tells how a file must be named, in the imperative.
	remedy() string
}

// How strongly a file claims to be a tool's.
const (
	noClaim   = iota
	couldBe   // a name that several tools take
	named     // a name as only this tool has it
	annotated // the tool's own marks in the text
)

// fileName is what a tool reads out of a file's name.
type fileName struct {
	version              string
	number               int64
	order                string
	name                 string
	direction            Direction // "" where the file holds both
	repeatable, baseline bool
}

// input is one file to be read.
type input struct {
	fsys fs.FS // nil where there is nothing but the text
	// file is relative to fsys, rel to the directory of migrations.
	file, rel string
	text      []byte
	// direction of the script that the file holds; "" for both.
	direction Direction
	opt       Options
	// outlined is what outline said of the up script; nil where it was not asked.
	outlined *Script
}

// beside reads a file that stands beside this one, by its base name.
func (in input) beside(base string) (text []byte, ok bool, err error) {
	if in.fsys == nil {
		return nil, false, nil
	}
	return readIfThere(in.fsys, path.Join(path.Dir(in.file), base))
}

// An InputError is a mistake in the migrations as files: an unknown name, a
// broken encoding, an unterminated quote. It says where and what to do.
type InputError struct {
	File      string
	Line, Col int // 1-based; 0 where the file as a whole is meant
	Message   string
	Remedy    string
}

func (e *InputError) Error() string {
	pos := e.File
	if e.Line > 0 {
		pos = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Col)
	}
	if e.Remedy == "" {
		return pos + ": " + e.Message
	}
	return pos + ": " + e.Message + "; " + e.Remedy
}
