package rule

import (
	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// fixes are an engine's ways out: what stands in a finding's Fix. Each answers
// with SQL that runs as it stands on that engine (what is not SQL stands in
// comments, "-- N." opens a migration of its own), or with one sentence.
type fixes interface {
	// statement is the gentler form of a statement that blocks, or advice on
	// how to live with it.
	statement(m, s int) string
	// replacement is what the statement's own lines should hold instead, where
	// that is the whole of statement's answer; else "".
	replacement(m, s int) string
	// hold makes a lock over budget short, held one that is long only because
	// of what ran later.
	hold(h hold) string
	held(h hold) string
	// scan moves a statement away from under a lock that was there before.
	scan(m, s int, w gate.LockWindow) string
	// remedy is the next step after a failure, "" where none is known.
	remedy(f *gate.Failure) string
	// undo takes back statements of a migration, by index, from the last to the
	// first; in words what cannot be told from the text.
	undo(m *gate.Migration, statements []int) string
	// putAside is what a down script says in the place of a DROP.
	putAside(d *down, a migration.Action) string
	// fewerValues reports whether a type provably holds fewer values than
	// another, and which are lost.
	fewerValues(from, to string) (lost string, fewer bool)
}

// postgresFixes are those of PostgreSQL: CONCURRENTLY, NOT VALID, triggers and
// batches.
type postgresFixes struct{ *change }

func (postgresFixes) fewerValues(from, to string) (string, bool) { return fewerValues(from, to) }

func (c postgresFixes) undo(m *gate.Migration, statements []int) string {
	return undo(migration.Postgres, m, statements)
}
