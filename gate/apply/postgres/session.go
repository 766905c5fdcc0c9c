// Package postgres is the migration's own connection to PostgreSQL: it runs a
// script statement by statement, with the very transaction meaning that the
// tool gives to the file, and reads what only that connection can see.
//
// What lives here: Session, the emulation of implicit transaction blocks, the
// mapping of a server's error to file, line and column, and the facts of the
// own connection (new files, whole reads, settings, invalid indexes). What
// never will: the lock table as others see it, names of relations, judgement.
package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
)

var _ observe.Session = (*Session)(nil)

// How a statement ran, in the words of gate.StatementRun.
const (
	implicitly  = "implicit transaction"
	explicitly  = "explicit transaction"
	autocommits = "autocommit"
)

// block says what the open transaction means to the tool.
type block int

const (
	none block = iota
	// lone: opened by the gate around a single statement, for its boundary.
	lone
	// implicit: opened by the gate where the server would run the statements
	// of one string as one implicit transaction block.
	implicit
	// explicit: opened by BEGIN, the file's or the tool's.
	explicit
)

// Session is one connection, used by one goroutine. Everything goes by the
// simple protocol, as the tools send it: preparing a statement would take
// locks of its own.
type Session struct {
	conn     *pgconn.PgConn
	version  int // server_version_num
	messages []gate.Message

	script *migration.Script
	at     int // statement executed last
	begun  bool
	block  block
	// encoding is what the batch under way is written in.
	encoding string
	// syntax holds, by batch, the syntax errors of a wrapped script.
	syntax map[int]*gate.Failure

	facts facts
}

// Open connects as the migrating role.
func Open(ctx context.Context, connString string) (*Session, error) {
	config, err := pgconn.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("read the connection string: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "migration-gate"
	}
	config.RuntimeParams["client_encoding"] = "UTF8"
	s := &Session{}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		s.messages = append(s.messages, gate.Message{Severity: n.SeverityUnlocalized, Code: n.Code, Text: valid(n.Message)})
	}
	if s.conn, err = pgconn.ConnectConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := s.prepare(ctx); err != nil {
		_ = s.conn.Close(ctx)
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	return s, nil
}

func (s *Session) prepare(ctx context.Context) error {
	rows, err := s.ask(ctx, `SELECT pg_catalog.current_setting('server_version_num')`)
	if err != nil {
		return err
	}
	if s.version, err = strconv.Atoi(string(rows[0][0])); err != nil {
		return err
	}
	return s.facts.load(ctx, s)
}

// PID is the backend's process id.
func (s *Session) PID() int64 { return int64(s.conn.PID()) }

// Close ends the connection, and any transaction with it.
func (s *Session) Close(ctx context.Context) error {
	if err := s.conn.Close(ctx); err != nil {
		return fmt.Errorf("close the migration's connection: %w", err)
	}
	return nil
}

// Start begins a script. What an earlier one set for the session stays, as it
// does with a tool that uses one connection.
func (s *Session) Start(ctx context.Context, script *migration.Script) error {
	s.script, s.at, s.begun, s.block, s.syntax = script, -1, false, none, map[int]*gate.Failure{}
	if s.open() {
		if err := s.tell(ctx, "ROLLBACK"); err != nil {
			return fmt.Errorf("leave the transaction of the last script: %w", err)
		}
	}
	if err := s.restore(ctx, script); err != nil {
		return err
	}
	if !script.Wrapped {
		return nil
	}
	// Within the tool's transaction it will be too late to ask.
	for n := 0; n < len(script.Statements); n = s.batchEnd(n) + 1 {
		f, err := s.checkSyntax(ctx, n)
		if err != nil {
			return err
		}
		s.syntax[script.Statements[n].Batch] = f
	}
	return nil
}

// restore puts role and search path back where the tool does.
func (s *Session) restore(ctx context.Context, script *migration.Script) error {
	if !script.Restored {
		return nil
	}
	sql := "RESET ROLE; RESET search_path"
	if script.Schema != "" { // as Flyway does, where there is such a schema
		sql += "; SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(nspname) || ',' || pg_catalog.current_setting('search_path'), false)" +
			" FROM pg_catalog.pg_namespace WHERE nspname = " + literal(script.Schema)
	}
	if err := s.tell(ctx, sql); err != nil {
		return fmt.Errorf("put role and search path back, as the tool does: %w", err)
	}
	return nil
}

// literal quotes a text for the server, whatever its standard_conforming_strings.
func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}

// Exec runs statement n of the script.
func (s *Session) Exec(ctx context.Context, n int) (observe.Result, error) {
	st := &s.script.Statements[n]
	first := s.at < 0 || s.script.Statements[s.at].Batch != st.Batch
	s.at = n
	s.facts.begin(st)
	if s.script.Wrapped && (!s.begun || s.script.Reopens && !s.open()) {
		s.begun = true
		if err := s.beginBlock(ctx, explicit); err != nil {
			return observe.Result{}, err
		}
	}
	if first {
		s.encoding = s.conn.ParameterStatus("client_encoding")
		if f, err := s.syntaxOf(ctx, n); f != nil || err != nil {
			return s.refused(ctx, f, err)
		}
	}
	if s.open() {
		return s.inBlock(ctx, n)
	}
	return s.outside(ctx, n)
}

// syntaxOf is the syntax error of the batch that starts with statement n: the
// server parses a string whole before it runs any of it.
func (s *Session) syntaxOf(ctx context.Context, n int) (*gate.Failure, error) {
	if f := s.syntax[s.script.Statements[n].Batch]; f != nil || s.open() {
		return f, nil
	}
	return s.checkSyntax(ctx, n)
}

// outside runs a statement while no transaction is open.
func (s *Session) outside(ctx context.Context, n int) (observe.Result, error) {
	st := &s.script.Statements[n]
	several := s.batchEnd(n) > s.batchStart(n)
	switch {
	case st.Facts.Control == migration.Begin:
		if err := s.flush(ctx); err != nil {
			return observe.Result{}, err
		}
		return s.run(ctx, n, explicitly)
	case st.Facts.Control != "":
		return s.run(ctx, n, autocommits)
	case several:
		if err := s.beginBlock(ctx, implicit); err != nil {
			return observe.Result{}, err
		}
		return s.inBlock(ctx, n)
	case st.Facts.NeedsBlock: // alone it fails or does nothing, and must go on doing so
		return s.run(ctx, n, autocommits)
	case st.Facts.NoBlock, st.Facts.MayCommit:
		return s.bare(ctx, n, time.Time{})
	}
	return s.wrapped(ctx, n)
}

// wrapped runs a single statement in a transaction of the gate's, so that its
// locks can be seen at the boundary.
func (s *Session) wrapped(ctx context.Context, n int) (observe.Result, error) {
	if err := s.beginBlock(ctx, lone); err != nil {
		return observe.Result{}, err
	}
	sent := time.Now()
	tag, err := s.send(ctx, n)
	if err != nil && inTransactionOnly(err) {
		// Its text did not tell that it cannot be wrapped (REINDEX of a
		// partitioned index): nothing of it has happened, so do as the tool does.
		if err := s.tell(ctx, "ROLLBACK"); err != nil {
			return observe.Result{}, err
		}
		s.block = none
		return s.bare(ctx, n, sent)
	}
	return s.result(ctx, n, autocommits, sent, tag, err)
}

// bare runs a single statement outside any transaction. began is the time of
// a first attempt.
func (s *Session) bare(ctx context.Context, n int, began time.Time) (observe.Result, error) {
	if err := s.facts.beforeBare(ctx, s); err != nil {
		return observe.Result{}, err
	}
	if began.IsZero() {
		began = time.Now()
	}
	tag, err := s.send(ctx, n)
	return s.result(ctx, n, autocommits, began, tag, err)
}

// run sends a statement as it stands.
func (s *Session) run(ctx context.Context, n int, how string) (observe.Result, error) {
	sent := time.Now()
	tag, err := s.send(ctx, n)
	return s.result(ctx, n, how, sent, tag, err)
}

// result makes a Result of an exchange that is over, and leaves a transaction
// that the server has aborted.
func (s *Session) result(ctx context.Context, n int, how string, sent time.Time, tag pgconn.CommandTag, err error) (observe.Result, error) {
	st := &s.script.Statements[n]
	r := observe.Result{Sent: sent, Received: time.Now(), How: how, Tag: tag.String(), Rows: tag.RowsAffected()}
	r.Messages, s.messages = s.messages, nil
	if err != nil {
		refusal, ok := refusalOf(err)
		if !ok {
			return r, fmt.Errorf("run %s: %w", st.Facts.Kind, err)
		}
		if err := lacking(st, refusal); err != nil {
			return r, err
		}
		r.Failure, r.Ended = failure(n, st, refusal), true
		return r, s.leave(ctx)
	}
	control := st.Facts.Control
	r.InBlock = s.open()
	r.Ended = !r.InBlock || control == migration.Commit || control == migration.Rollback || control == migration.Prepare
	if r.Ended {
		s.facts.ended(tag.String() != "ROLLBACK")
	}
	if (control == migration.Commit || control == migration.Prepare) && tag.String() == "ROLLBACK" {
		r.Failure = commitRolledBack(n, st)
		return r, s.leave(ctx)
	}
	switch {
	case !r.InBlock:
		s.block = none
	case s.block == none:
		s.block = explicit
	}
	s.facts.ran(st)
	return r, nil
}

// refused is the Result of a statement that was never sent.
func (s *Session) refused(ctx context.Context, f *gate.Failure, err error) (observe.Result, error) {
	if err != nil {
		return observe.Result{}, err
	}
	now := time.Now()
	r := observe.Result{Sent: now, Received: now, How: s.how(), Ended: true, Failure: f}
	r.Messages, s.messages = s.messages, nil
	return r, s.leave(ctx)
}

// leave rolls back what is open after a failure.
func (s *Session) leave(ctx context.Context) error {
	s.block = none
	s.facts.ended(false)
	if s.conn.IsClosed() || s.conn.TxStatus() == 'I' {
		return nil
	}
	if err := s.tell(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// Commit ends the transaction where the script's meaning ends it after the
// statement executed last.
func (s *Session) Commit(ctx context.Context) (observe.Result, error) {
	if s.at < 0 || !s.open() {
		return observe.Result{}, nil
	}
	st := &s.script.Statements[s.at]
	last := s.at == len(s.script.Statements)-1
	switch {
	case s.block == lone, s.block == implicit && s.at == s.batchEnd(s.at), last && s.script.Wrapped:
	case last:
		return s.leftOpen(ctx, st)
	default:
		return observe.Result{}, nil
	}
	at := -1
	if s.block == lone {
		at = s.at // the tool would have seen it as the statement's own
	}
	r := observe.Result{How: s.how(), Ended: true, Sent: time.Now()}
	tag, err := s.exchange(ctx, "COMMIT", nil)
	r.Received, r.Tag = time.Now(), tag.String()
	r.Messages, s.messages = s.messages, nil
	if err != nil {
		refusal, ok := refusalOf(err)
		if !ok {
			return r, fmt.Errorf("commit: %w", err)
		}
		refusal.Position = 0 // it would be one in our COMMIT
		r.Failure = failure(at, st, refusal)
	} else if r.Tag == "ROLLBACK" {
		r.Failure = commitRolledBack(at, st)
	}
	s.block = none
	s.facts.ended(r.Failure == nil)
	return r, nil
}

// leftOpen ends a script that began a transaction and did not end it: what a
// tool makes of that depends on what it happens to send next.
func (s *Session) leftOpen(ctx context.Context, st *migration.Statement) (observe.Result, error) {
	r := observe.Result{How: explicitly, Ended: true, Sent: time.Now()}
	if err := s.leave(ctx); err != nil {
		return r, err
	}
	r.Received, r.Tag = time.Now(), "ROLLBACK"
	r.Messages, s.messages = s.messages, nil
	r.Failure = &gate.Failure{
		Statement: -1, File: st.File, Line: st.EndLine, Code: invalidTransactionState,
		Message: "the script ends in an open transaction: BEGIN has no COMMIT",
		Hint:    "end the script with COMMIT",
	}
	return r, nil
}

// open reports whether a transaction block is open and not aborted.
func (s *Session) open() bool { return !s.conn.IsClosed() && s.conn.TxStatus() == 'T' }

func (s *Session) how() string {
	switch s.block {
	case implicit:
		return implicitly
	case explicit:
		return explicitly
	}
	return autocommits
}

func (s *Session) batchStart(n int) int {
	for n > 0 && s.script.Statements[n-1].Batch == s.script.Statements[n].Batch {
		n--
	}
	return n
}

func (s *Session) batchEnd(n int) int {
	for n+1 < len(s.script.Statements) && s.script.Statements[n+1].Batch == s.script.Statements[n].Batch {
		n++
	}
	return n
}
