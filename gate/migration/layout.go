package migration

import "fmt"

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
	// Name as the --layout option spells it: "golang-migrate", "goose".
	Name string
	// Ledger is the tool's history table.
	Ledger Ledger
}

// Ledger describes a tool's history table, as data for whoever reads it.
type Ledger struct {
	// Table is the default name, unqualified ("schema_migrations").
	Table string
	// Kind tells how rows are read: "last" (golang-migrate: one row with the
	// newest version and a dirty flag) or "log" (goose: version_id and
	// is_applied, the newest row of each version counts).
	Kind string
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
