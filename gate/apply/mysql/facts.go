package mysql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/gate/observe"
)

// facts is what is known of tables, to tell what a statement changed.
type facts struct {
	admin *admin
	// thread of the migration in performance_schema, 0 where that is off.
	thread int64
	// files as of the last boundary.
	files map[string][]file
	// existing tables were there when the session was opened, perhaps under
	// another name; created ones map to false.
	existing map[string]bool
	// renamed are those that go by another name now, with the name they had.
	renamed map[string]string
	// temporary tables of the session hide others of their name.
	temporary map[string]bool
	// unset is the lock_wait_timeout that the session began with.
	unset, timeout string

	// Of the statement under way:
	words  []token
	schema string // the default database before it
	// watched: it may change a table's definition.
	watched     bool
	before      seen
	transaction int64 // the event of the transaction open before it
	affected    int64
	failed      bool
}

// seen are counters that only grow.
type seen struct {
	stages  map[string]int64
	instant int64 // changes of columns, MariaDB
	event   int64 // of the last statement
}

// load reads the state that later statements are compared with.
func (f *facts) load(ctx context.Context, c *conn) (err error) {
	if f.thread, err = f.admin.thread(ctx, c.id); err != nil {
		return err
	}
	if f.existing, err = f.admin.tables(ctx); err != nil {
		return err
	}
	if f.files, err = f.admin.files(ctx); err != nil {
		return err
	}
	f.temporary = map[string]bool{}
	f.unset, err = f.sessionTimeout(ctx, c)
	return err
}

// sessionTimeout asks the session itself where the administrator cannot see.
func (f *facts) sessionTimeout(ctx context.Context, c *conn) (string, error) {
	seconds, err := f.admin.sessionTimeout(ctx, f.thread)
	if err != nil || seconds != "" {
		return seconds, err
	}
	rows, err := c.ask(ctx, "SELECT @@SESSION.lock_wait_timeout")
	if err != nil {
		return "", err
	}
	return rows[0][0], nil
}

// begin prepares for the next statement.
func (f *facts) begin(ctx context.Context, s *Session, words []token) (err error) {
	f.words, f.schema, f.failed, f.affected, f.transaction = words, s.schema, true, 0, 0
	if s.conn.inTransaction() && f.thread != 0 {
		if f.transaction, err = f.admin.openTransaction(ctx, f.thread); err != nil {
			return err
		}
	}
	if f.watched = !quiet(words); f.watched {
		f.before, err = f.look(ctx)
	}
	return err
}

func (f *facts) look(ctx context.Context) (s seen, err error) {
	if s.stages, err = f.admin.stages(ctx, f.thread); err != nil {
		return s, err
	}
	if s.instant, err = f.admin.instantColumns(ctx); err != nil {
		return s, err
	}
	s.event, err = f.admin.lastStatement(ctx, f.thread)
	return s, err
}

// ran notes a statement that went well.
func (f *facts) ran(rep reply) {
	f.failed, f.affected = false, int64(rep.affected)
	if starts(f.words, "CREATE", "TEMPORARY", "TABLE") || starts(f.words, "CREATE", "OR", "REPLACE", "TEMPORARY", "TABLE") {
		f.temporary[tableAfter(f.words, "TABLE", f.schema)] = true
	}
	if starts(f.words, "DROP") {
		for _, t := range tablesAfter(f.words, "TABLE", f.schema) {
			delete(f.temporary, t)
		}
	}
}

// committed tells how the transaction ended that was open before a statement
// that failed: by the commit that comes before DDL, or by a rollback.
func (f *facts) committed(ctx context.Context, refusal *mysql.MySQLError) (bool, error) {
	if f.transaction != 0 {
		state, err := f.admin.transactionState(ctx, f.thread, f.transaction)
		if err != nil {
			return false, err
		}
		if state != "" {
			return state == "COMMITTED", nil
		}
	}
	switch refusal.Number {
	case deadlock, lockTableFull, lockTimeout:
		return false, nil
	}
	return true, nil
}

// quiet statements change no table's definition, nor the file it is in.
func quiet(words []token) bool {
	for _, t := range words {
		if t.text == "(" {
			continue
		}
		switch t.word {
		case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "TABLE", "VALUES", "SET", "DO", "BEGIN", "START", "COMMIT",
			"ROLLBACK", "SAVEPOINT", "RELEASE", "USE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LOCK", "UNLOCK", "PREPARE", "DEALLOCATE",
			"GRANT", "REVOKE", "KILL", "FLUSH", "HANDLER", "XA":
			return t.word != "SET" || !has(words, "STATEMENT") // MariaDB's SET STATEMENT … FOR ALTER TABLE
		}
		return false
	}
	return true
}

// Boundary reads what the statement executed last has done.
func (s *Session) Boundary(ctx context.Context) (observe.Facts, error) {
	f := s.facts
	if s.lost || s.at < 0 {
		return observe.Facts{}, nil
	}
	if has(f.words, "LOCK_WAIT_TIMEOUT", "CALL", "EXECUTE") && !f.failed {
		now, err := f.sessionTimeout(ctx, s.conn)
		if err != nil {
			return observe.Facts{}, fmt.Errorf("read lock_wait_timeout: %w", err)
		}
		if f.timeout = ""; now != f.unset {
			f.timeout = now + "s"
		}
	}
	out := observe.Facts{LockTimeout: f.timeout, Renamed: f.renamed}
	if !f.watched {
		return out, nil
	}
	now, err := f.admin.files(ctx)
	if err != nil {
		return out, fmt.Errorf("list the tables' files: %w", err)
	}
	changes := compare(f.files, now)
	for _, table := range changes.rewritten {
		bytes, err := f.admin.bytes(ctx, now[table])
		if err != nil {
			return out, fmt.Errorf("size the table's files: %w", err)
		}
		out.Files = append(out.Files, observe.FileFact{Object: table, Bytes: bytes})
	}
	if !f.failed {
		if err := f.online(ctx, changes, now, &out); err != nil {
			return out, fmt.Errorf("tell the algorithm: %w", err)
		}
	}
	f.follow(changes, now)
	out.Renamed = f.renamed
	return out, nil
}

// follow takes over the files of now, and with them which tables there were. A
// table whose first name another table has now is nobody's any more.
func (f *facts) follow(c changes, now map[string][]file) {
	was, renamed := map[string]bool{}, map[string]string{}
	for table := range now {
		first := f.renamed[table]
		if from, ok := c.from[table]; ok {
			was[table] = f.existing[from]
			first = cmp.Or(f.renamed[from], from)
		} else if _, before := f.files[table]; !before {
			was[table] = false
		}
		if _, replaced := now[first]; first != "" && !replaced && (was[table] || f.existing[table]) {
			renamed[table] = first
		}
	}
	for table, existed := range was {
		f.existing[table] = existed
	}
	f.files, f.renamed = now, renamed
}

// changes between two listings.
type changes struct {
	rewritten []string // tables whose rows are in another file now
	touched   map[string]bool
	// from maps a table to the name that its file had before.
	from map[string]string
}

// compare tells a new file from one that only has a new name: its TABLE_ID is
// known from before. A table was written anew where an old file of it is gone
// and a new one has come: a rebuild, a copy, TRUNCATE. Partitions that were
// only added or dropped are no rewrite.
func compare(before, now map[string][]file) changes {
	c := changes{touched: map[string]bool{}, from: map[string]string{}}
	owner, alive := map[int64]string{}, map[int64]bool{}
	for table, files := range before {
		for _, f := range files {
			owner[f.id] = table
		}
	}
	for _, files := range now {
		for _, f := range files {
			alive[f.id] = true
		}
	}
	for table, files := range now {
		fresh, gone := false, false
		for _, f := range files {
			was, known := owner[f.id]
			fresh = fresh || !known
			if known && was != table {
				c.from[table] = was
			}
		}
		for _, f := range before[table] {
			gone = gone || !alive[f.id]
		}
		if len(before[table]) > 0 && fresh && gone {
			c.rewritten = append(c.rewritten, table)
		}
		if len(before[table]) > 0 && (fresh || gone) {
			c.touched[table] = true
		}
	}
	slices.Sort(c.rewritten)
	return c
}

func versionsOf(files []file) (n int64) {
	for _, f := range files {
		n += f.versions
	}
	return n
}

// grew counts how often the stages whose name begins so were gone through
// since before.
func grew(before, now map[string]int64, prefix string) (n int64) {
	for name, count := range now {
		if strings.HasPrefix(name, prefix) {
			n += count - before[name]
		}
	}
	return n
}
