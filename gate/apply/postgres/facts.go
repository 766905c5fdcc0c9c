package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
)

// facts is what the session knows of relations, to tell what a statement
// changed. All its queries name pg_catalog in full, operators included: the
// search path is the migration's.
type facts struct {
	// files are relfilenodes by OID as of the last commit, pending those of
	// the open transaction.
	files, pending map[string]string
	// reads are the counters of this transaction so far, by OID.
	reads map[string]counters
	// invalid indexes that are known.
	invalid map[string]bool

	statement *migration.Statement
	// before is the inventory before a bare statement; nil for others.
	before map[string]relation
	// looked: a statement of the open transaction has taken a snapshot, so the
	// gate may take one too.
	looked bool
	// timeout is the statement_timeout of the last boundary.
	timeout string
	// failed: the statement's transaction is gone, and with it what it did.
	failed bool
}

// begin prepares for the next statement.
func (f *facts) begin(st *migration.Statement) {
	f.statement, f.before, f.failed = st, nil, false
}

// ran notes a statement that went well.
func (f *facts) ran(st *migration.Statement) {
	f.looked = f.looked || takesSnapshot(st)
}

// ended notes the end of a transaction.
func (f *facts) ended(committed bool) {
	if committed {
		for oid, file := range f.pending {
			f.files[oid] = file
		}
	}
	f.failed = f.failed || !committed
	f.timeout = "" // what was set may be undone
	f.pending, f.reads, f.looked = map[string]string{}, map[string]counters{}, false
}

// takesSnapshot: the statement makes the server take a snapshot, before which
// SET TRANSACTION must come, and which REPEATABLE READ keeps. The exceptions
// are those of PlannedStmtRequiresSnapshot.
func takesSnapshot(st *migration.Statement) bool {
	if st.Facts.Control != "" {
		return false
	}
	switch word, _ := firstWord(st.SQL); word {
	case "SET", "RESET", "SHOW", "LOCK", "FETCH", "MOVE", "LISTEN", "NOTIFY", "UNLISTEN", "CHECKPOINT":
		return false
	}
	return true
}

// load reads the state that later statements are compared with. It also warms
// the caches of the backend, so that the first boundary is no slower than others.
func (f *facts) load(ctx context.Context, s *Session) error {
	f.ended(true)
	all, err := inventory(ctx, s)
	if err != nil {
		return err
	}
	f.files = map[string]string{}
	for oid, r := range all {
		f.files[oid] = r.file
	}
	if f.invalid, err = invalidIndexes(ctx, s); err != nil {
		return err
	}
	_, err = s.ask(ctx, lockedQuery)
	return err
}

// beforeBare takes an inventory: after a statement that commits by itself no
// lock is left to tell which relations it touched.
func (f *facts) beforeBare(ctx context.Context, s *Session) (err error) {
	if err := s.flush(ctx); err != nil {
		return err
	}
	f.before, err = inventory(ctx, s)
	return err
}

// Boundary reads what the statement executed last has done. Scans need a
// server of version 15 or newer.
func (s *Session) Boundary(ctx context.Context) (observe.Facts, error) {
	if s.conn.IsClosed() || s.conn.TxStatus() == 'E' {
		return observe.Facts{}, nil
	}
	var out observe.Facts
	f := &s.facts
	locked := f.before == nil && s.open() && f.looked
	// One round trip where no time-out can strike: the transaction's locks are
	// held meanwhile.
	query, quick := "SHOW lock_timeout; SHOW statement_timeout", locked && f.unlimited()
	if quick {
		query += "; " + lockedQuery
	}
	results, err := s.askAll(ctx, query)
	if err != nil {
		return out, fmt.Errorf("read the facts of the connection: %w", err)
	}
	out.LockTimeout, out.StatementTimeout = string(results[0].Rows[0][0]), string(results[1].Rows[0][0])
	f.timeout = out.StatementTimeout
	restore := func(context.Context) error { return nil }
	if !quick {
		if restore, err = s.unlimit(ctx, out.StatementTimeout); err != nil {
			return out, err
		}
	}
	switch {
	case f.before != nil:
		err = f.afterBare(ctx, s, &out)
	case quick:
		err = f.inside(ctx, s, results[2].Rows, &out)
	case locked:
		var rows [][][]byte
		if rows, err = s.ask(ctx, lockedQuery); err == nil {
			err = f.inside(ctx, s, rows, &out)
		}
	}
	if err != nil {
		return out, fmt.Errorf("read the facts of the connection: %w", err)
	}
	return out, restore(ctx)
}

// unlimited: no statement_timeout was set at the last boundary, and the
// statement since then is none that sets one.
func (f *facts) unlimited() bool {
	if f.timeout != "0" {
		return false
	}
	switch word, _ := firstWord(f.statement.SQL); word {
	case "ALTER", "CREATE", "DROP", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "LOCK", "COPY", "REINDEX", "REFRESH":
		return true
	}
	return false
}

// unlimit keeps a statement_timeout that the file has set from striking the
// gate's own queries, which would abort the migration's transaction. SET LOCAL
// leaves alone what a SET in the same transaction will leave behind.
func (s *Session) unlimit(ctx context.Context, timeout string) (restore func(context.Context) error, err error) {
	if timeout == "0" || !s.open() {
		return func(context.Context) error { return nil }, nil
	}
	if err := s.tell(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return s.tell(ctx, "SET LOCAL statement_timeout = '"+timeout+"'")
	}, nil
}

// inside compares within an open transaction.
func (f *facts) inside(ctx context.Context, s *Session, rows [][][]byte, out *observe.Facts) error {
	now, strong, err := relations(rows)
	if err != nil {
		return err
	}
	var changed []string
	for oid, r := range now {
		if strong[oid] {
			was, ok := f.pending[oid]
			if !ok {
				was, ok = f.files[oid]
			}
			// ROLLBACK TO brings old files back, which writes nothing.
			if ok && was != r.file && f.statement.Facts.Control != migration.RollbackTo {
				changed = append(changed, oid)
			}
			f.pending[oid] = r.file
		}
		f.read(oid, r, r.counters.minus(f.reads[oid]), s.version, out)
		f.reads[oid] = r.counters
	}
	if f.statement.Facts.Control == migration.RollbackTo {
		for oid := range f.pending {
			if _, ok := now[oid]; !ok { // its lock is gone, and so is its new file
				delete(f.pending, oid)
			}
		}
	}
	return f.sizes(ctx, s, changed, out)
}

// afterBare compares after a statement that was no part of a transaction, or
// was refused.
func (f *facts) afterBare(ctx context.Context, s *Session, out *observe.Facts) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	now, err := inventory(ctx, s)
	if err != nil {
		return err
	}
	var changed []string
	f.files = map[string]string{}
	for oid, r := range now {
		f.files[oid] = r.file
		if was, ok := f.before[oid]; ok {
			if was.file != r.file {
				changed = append(changed, oid)
			}
			f.read(oid, r, r.counters.minus(was.counters), s.version, out)
		}
	}
	if err := f.sizes(ctx, s, changed, out); err != nil {
		return err
	}
	return f.newlyInvalid(ctx, s, out)
}

// read notes a table that the statement read whole. A scan counts when it
// returned the rows the table is thought to have, or belongs to DDL, which
// never stops half-way and whose parallel workers count for themselves. A
// foreign key is checked by an ordinary join, often through an index: there
// the blocks of the heap tell.
func (f *facts) read(oid string, r relation, did counters, version int, out *observe.Facts) {
	if version < 150000 || f.failed || (r.kind != "r" && r.kind != "m") {
		return
	}
	ddl := isDDL(f.statement)
	switch {
	case did.scans > 0 && (ddl || did.tuples*10 >= r.rows*9):
	case did.scans == 0 && ddl && r.pages > 0 && did.blocks >= r.pages:
	default:
		return
	}
	rows := did.tuples / max(did.scans, 1) // a rewrite reads the new table again for each index
	if ddl {
		rows = max(rows, r.rows)
	}
	out.Scans = append(out.Scans, observe.ScanFact{Object: oid, Rows: rows})
	slices.SortFunc(out.Scans, func(a, b observe.ScanFact) int { return strings.Compare(a.Object, b.Object) })
}

// isDDL: what the statement reads, it reads whole. Queries may stop early or
// read one row a thousand times, also those inside CREATE TABLE AS.
func isDDL(st *migration.Statement) bool {
	switch word, _ := firstWord(st.SQL); word {
	case "ALTER", "CLUSTER", "REINDEX", "VACUUM":
		return true
	case "CREATE":
		return strings.HasPrefix(st.Facts.Kind, "CREATE INDEX")
	}
	return false
}

// sizes adds the relations whose file is new. It comes after the scans.
func (f *facts) sizes(ctx context.Context, s *Session, oids []string, out *observe.Facts) error {
	if len(oids) == 0 {
		return nil
	}
	slices.Sort(oids)
	columns := make([]string, len(oids))
	for i, oid := range oids {
		columns[i] = "pg_catalog.pg_relation_size(" + oid + "::pg_catalog.oid::pg_catalog.regclass)"
	}
	rows, err := s.ask(ctx, "SELECT "+strings.Join(columns, ", "))
	if err != nil {
		return err
	}
	for i, oid := range oids {
		n, _ := strconv.ParseInt(string(rows[0][i]), 10, 64) // null: gone already
		out.Files = append(out.Files, observe.FileFact{Object: oid, Bytes: n})
		if n == 0 { // TRUNCATE builds the indexes of nothing, which counts as scans
			out.Scans = slices.DeleteFunc(out.Scans, func(f observe.ScanFact) bool { return f.Object == oid })
		}
	}
	return nil
}

// newlyInvalid adds indexes that became invalid, and those that the statement
// found invalid and left so, because IF NOT EXISTS was content with their name.
func (f *facts) newlyInvalid(ctx context.Context, s *Session, out *observe.Facts) error {
	now, err := invalidIndexes(ctx, s)
	if err != nil {
		return err
	}
	for name := range now {
		if !f.invalid[name] || f.wanted(name) {
			out.InvalidIndexes = append(out.InvalidIndexes, name)
		}
	}
	slices.Sort(out.InvalidIndexes)
	f.invalid = now
	return nil
}

// wanted: the statement was to create the index.
func (f *facts) wanted(name string) bool {
	for _, a := range f.statement.Facts.Actions {
		if a.Verb == migration.Create && a.Object == "index" && a.Name != "" && strings.HasSuffix(name, "."+a.Name) {
			return true
		}
	}
	return false
}
