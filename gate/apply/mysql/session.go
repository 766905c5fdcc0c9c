// Package mysql is the migration's own connection to MySQL or MariaDB: it runs
// a script statement by statement, as the tool would send it, and tells what
// the server made of it.
//
// What lives here: Session, the reading of the server's replies (is a
// transaction open, how many warnings), the mapping of an error to file and
// line, the facts of a statement (new files, the algorithm of an online DDL
// statement), and Probe, which asks an empty clone for the best algorithm.
// What never will: the lock table, names of dumps or servers, judgement.
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
)

var _ observe.Session = (*Session)(nil)

// How a statement ran, in the words of gate.StatementRun.
const (
	explicitly  = "explicit transaction"
	autocommits = "autocommit"
	// implicitCommit: what was open was committed before the statement, and the
	// statement with it (MySQL manual, "Statements That Cause an Implicit Commit").
	implicitCommit = "implicit commit"
)

// Options of a session.
type Options struct {
	// SQLMode replaces the server's default sql_mode; "" leaves it alone.
	SQLMode string
	// MariaDB: the server is MariaDB.
	MariaDB bool
	// Guest is nil on a server of the gate's own.
	Guest *Guest
}

// Session is one connection, used by one goroutine. Each statement is sent
// alone and as it stands in the file, by the text protocol.
type Session struct {
	conn *conn
	opt  Options
	// facts are read by the administrator's connection.
	facts *facts
	// schema is the default database, as USE last set it.
	schema string

	script *migration.Script
	at     int // statement executed last
	// dropped is the statement that dropped the database that the tool is
	// connected to; nil for none.
	dropped *migration.Statement
	// locked: LOCK TABLES is in force.
	locked bool
	// xa: an XA transaction is under way or prepared, which no COMMIT, ROLLBACK
	// or end of the connection ends.
	xa bool
	// lost: the server has ended the connection.
	lost bool
}

// Open connects as the migrating account, and as the administrator who reads
// the facts. The owner's DSN names the database that the tool would connect
// to; what else it sets for the session holds.
func Open(ctx context.Context, ownerDSN, adminDSN string, opt Options) (_ *Session, err error) {
	admin, err := openAdmin(ctx, adminDSN, opt)
	if err != nil {
		return nil, fmt.Errorf("connect as the administrator: %w", err)
	}
	s := &Session{opt: opt, at: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	s.facts = &facts{admin: admin}
	if s.conn, err = connect(ctx, ownerDSN, opt.SQLMode); err != nil {
		if refusal, ok := refusalOf(err); ok {
			err = connecting(refusal)
		}
		return s, err
	}
	if s.schema = s.conn.schema; opt.Guest != nil {
		s.schema = opt.Guest.Shown
		if opt.Guest.Follow != nil {
			opt.Guest.Follow(s.PID())
		}
	}
	if err = s.facts.load(ctx, s.conn); err != nil {
		return s, fmt.Errorf("prepare the connection: %w", err)
	}
	return s, nil
}

// PID is the connection's id, CONNECTION_ID().
func (s *Session) PID() int64 { return s.conn.id }

// Close ends both connections, and an open transaction with them.
func (s *Session) Close(context.Context) error {
	var err error
	if s.conn != nil {
		err = s.conn.close()
	}
	if s.facts != nil {
		err = errors.Join(err, s.facts.admin.close())
	}
	if err != nil {
		return fmt.Errorf("close the migration's connections: %w", err)
	}
	return nil
}

// Start begins a script. What an earlier one set for the session stays, as it
// does with a tool that uses one connection (golang-migrate pins one, goose's
// pool returns the one it used last).
func (s *Session) Start(ctx context.Context, script *migration.Script) error {
	if s.lost {
		return errors.New("the server has ended the migration's connection")
	}
	if g := s.opt.Guest; g != nil {
		if err := g.check(script); err != nil {
			return err
		}
	}
	s.script, s.at, s.dropped = script, -1, nil
	return s.leave(ctx)
}

// Exec runs statement n of the script.
func (s *Session) Exec(ctx context.Context, n int) (observe.Result, error) {
	if err := ctx.Err(); err != nil {
		return observe.Result{}, err
	}
	st := &s.script.Statements[n]
	words := scan(st.SQL)
	if s.script.Wrapped && s.at < 0 {
		if err := s.tell(ctx, "START TRANSACTION"); err != nil { // database/sql's BeginTx
			return observe.Result{}, err
		}
	}
	s.at = n
	if err := s.facts.begin(ctx, s, words); err != nil {
		return observe.Result{}, fmt.Errorf("read the facts before the statement: %w", err)
	}
	before := s.conn.inTransaction()
	sent := time.Now()
	var told []gate.Message
	rep, err := s.conn.exchangeEach(ctx, st.SQL, tells(words, &told))
	r := observe.Result{Sent: sent, Received: time.Now(), How: how(st, words, before, before), Messages: told}
	if refusal, ok := refusalOf(err); ok && refusal.Number == logsTriggers && s.opt.Guest != nil {
		if r, err = s.replaced(ctx, st, r, err); err == nil {
			rep = reply{}
		}
	}
	if err != nil {
		r, err = s.failed(ctx, n, r, before, err)
	} else {
		r, err = s.succeeded(ctx, n, words, r, before, rep)
	}
	s.opt.Guest.show(&r)
	return r, err
}

// replaced has somebody else run a statement that only an administrator may; if
// nobody can, the first refusal stays.
func (s *Session) replaced(ctx context.Context, st *migration.Statement, r observe.Result, refused error) (observe.Result, error) {
	sent, err := s.opt.Guest.standIn(ctx, s.conn, st.SQL)
	if errors.Is(err, errNobody) {
		return r, refused
	}
	if err == nil {
		r.Sent, r.Received = sent, time.Now()
		err = s.conn.ping(ctx) // a refusal does not tell whether a transaction is open
	}
	return r, err
}

// succeeded completes the Result of a statement that the server accepted.
func (s *Session) succeeded(ctx context.Context, n int, words []token, r observe.Result, before bool, rep reply) (observe.Result, error) {
	st := &s.script.Statements[n]
	after := s.conn.inTransaction()
	r.How = how(st, words, before, after)
	r.Rows = rep.rows
	r.Tag = tag(st, words, rep.rows)
	s.facts.ran(rep)
	held, locks := s.locked, starts(words, "LOCK", "TABLE") || starts(words, "LOCK", "TABLES")
	switch {
	case locks:
		s.locked = true
	case starts(words, "UNLOCK"), opens(st, words):
		s.locked = false
	case starts(words, "USE") && len(words) > 1:
		s.schema = words[1].name()
	case starts(words, "XA") && len(words) > 1 && words[1].word != "RECOVER":
		s.xa = !contains([]string{"COMMIT", "ROLLBACK"}, words[1].word)
	case drops(words, s.conn.schema):
		s.dropped, s.schema = st, ""
	}
	r.InBlock = after || s.locked
	switch {
	case !r.InBlock:
		r.Ended = true
	case held: // by LOCK TABLES, which COMMIT and DDL do not release
		r.Ended = locks || !s.locked
	case before:
		r.Ended = ends(st, words) || commits(st, words)
	}
	if rep.warnings > 0 {
		warnings, err := s.warnings(ctx, n, rep.warnings)
		if err != nil {
			return r, fmt.Errorf("read the warnings of %s: %w", kind(st, words), err)
		}
		r.Messages = append(r.Messages, warnings...)
	}
	return r, nil
}

// failed completes the Result of a statement that was refused, and leaves the
// transaction as the tool does, by ROLLBACK or by closing the connection.
func (s *Session) failed(ctx context.Context, n int, r observe.Result, before bool, err error) (observe.Result, error) {
	st := &s.script.Statements[n]
	refusal, ok := refusalOf(err)
	if !ok {
		if refusal, err = s.whyLost(ctx, err); err != nil {
			return r, fmt.Errorf("run %s: %w", kind(st, scan(st.SQL)), err)
		}
	}
	if err := lacking(refusal); err != nil {
		return r, err
	}
	if s.opt.Guest != nil && (refusal.Number == logsFunctions || refusal.Number == logsTriggers) {
		return r, fmt.Errorf("the server writes a binary log and does not trust who makes triggers and functions (%w): start it with --log-bin-trust-function-creators=1 or --skip-log-bin", refusal)
	}
	r.Failure, r.Ended = failure(n, st, refusal), true
	if !s.lost {
		// A reply that tells of an error does not tell whether the transaction
		// is still open; the next one does.
		if err := s.conn.ping(ctx); err != nil {
			if _, err = s.whyLost(ctx, err); err != nil {
				return r, fmt.Errorf("look after the failure of %s: %w", kind(st, scan(st.SQL)), err)
			}
		}
	}
	if s.lost {
		return r, nil
	}
	if before && !s.conn.inTransaction() {
		committed, err := s.facts.committed(ctx, refusal)
		if err != nil {
			return r, fmt.Errorf("look after the failure of %s: %w", kind(st, scan(st.SQL)), err)
		}
		r.Committed = committed
	}
	if !before && s.locked {
		r.Committed = true // under LOCK TABLES each statement had committed itself
	}
	return r, s.leave(ctx)
}

// whyLost tells a connection that the migration itself brought to its end
// (KILL, a packet too large), which is data, from a server that is gone.
func (s *Session) whyLost(ctx context.Context, err error) (*mysql.MySQLError, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !isLost(err) {
		return nil, err
	}
	s.lost = true
	if down := s.facts.admin.alive(ctx); down != nil {
		return nil, fmt.Errorf("the server ended meanwhile: %w", err)
	}
	return &mysql.MySQLError{Number: lostConnection, SQLState: [5]byte([]byte("HY000")), Message: "Lost connection to MySQL server during query"}, nil
}

func isLost(err error) bool {
	return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) || isNetwork(err)
}

// tell sends a command of the gate's own. A refusal is an error here.
func (s *Session) tell(ctx context.Context, sql string) error {
	if _, err := s.conn.exchange(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", strings.ToLower(sql), err)
	}
	return nil
}

// tells gathers what OPTIMIZE TABLE and its like say in rows of their own,
// where even an error is no failure of the statement. nil for others.
func tells(words []token, to *[]gate.Message) func([]driver.Value) {
	if len(words) == 0 || !contains([]string{"OPTIMIZE", "ANALYZE", "CHECK", "REPAIR"}, words[0].word) {
		return nil
	}
	return func(row []driver.Value) {
		text := texts(row) // Table, Op, Msg_type, Msg_text
		if len(text) == 4 && !strings.EqualFold(text[2], "status") {
			*to = append(*to, gate.Message{Severity: text[2], Text: text[0] + ": " + text[3]})
		}
	}
}

// warnings of the statement that has just run. SHOW WARNINGS keeps them, and
// FOUND_ROWS() and LAST_INSERT_ID(), but sets ROW_COUNT() to -1 (seen on 9.7
// and MariaDB 10.11): where the next statement may ask for that, only their
// number is told.
func (s *Session) warnings(ctx context.Context, n, count int) ([]gate.Message, error) {
	if n+1 < len(s.script.Statements) && asksRowCount(scan(s.script.Statements[n+1].SQL)) {
		return []gate.Message{{Severity: "Warning", Text: fmt.Sprintf("%d warnings, not read: the next statement may ask for ROW_COUNT()", count)}}, nil
	}
	rows, err := s.conn.ask(ctx, "SHOW WARNINGS")
	if err != nil {
		return nil, err
	}
	var out []gate.Message
	for _, r := range rows {
		out = append(out, gate.Message{Severity: r[0], Code: r[1], Text: r[2]})
	}
	return out, nil
}

// how a statement ran, by whether a transaction was open before and after it.
func how(st *migration.Statement, words []token, before, after bool) string {
	switch {
	case commits(st, words) && !opens(st, words):
		return implicitCommit
	case before || after:
		return explicitly
	}
	return autocommits
}
