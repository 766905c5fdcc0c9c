package mysql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/observe"
)

// Commit ends the transaction where the script's meaning ends it after the
// statement executed last, and what a script has left open at its end.
func (s *Session) Commit(ctx context.Context) (observe.Result, error) {
	if s.script == nil || s.at < 0 || s.at < len(s.script.Statements)-1 || s.lost {
		return observe.Result{}, nil
	}
	open := s.conn.inTransaction()
	switch {
	case s.dropped != nil:
		r, err := s.leftOpen(ctx, databaseDropped)
		r.Failure.Line = s.dropped.Line
		return r, err
	case s.xa:
		return s.leftOpen(ctx, xaLeft)
	case !open && !s.locked:
		return observe.Result{}, nil
	case s.locked && s.script.Wrapped:
		return s.leftOpen(ctx, tablesLocked)
	case s.locked && !open:
		// golang-migrate's START TRANSACTION around its ledger releases them.
		return s.end(ctx, "UNLOCK TABLES")
	case !s.script.Wrapped:
		return s.leftOpen(ctx, transactionOpen)
	}
	return s.end(ctx, "COMMIT")
}

// end sends what ends the transaction.
func (s *Session) end(ctx context.Context, sql string) (observe.Result, error) {
	r := observe.Result{How: explicitly, Ended: true, Tag: sql, Sent: time.Now()}
	_, err := s.conn.exchange(ctx, sql)
	r.Received = time.Now()
	s.locked = false
	if err == nil {
		return r, nil
	}
	refusal, ok := refusalOf(err)
	if !ok {
		return r, fmt.Errorf("%s: %w", strings.ToLower(sql), err)
	}
	r.Failure = failure(-1, &s.script.Statements[s.at], refusal)
	return r, s.leave(ctx)
}

// leftOpen ends a script that did not end what it began: the tool cannot write
// its ledger then, and all is undone when it closes the connection.
func (s *Session) leftOpen(ctx context.Context, why gate.Failure) (observe.Result, error) {
	st := &s.script.Statements[s.at]
	r := observe.Result{How: explicitly, Ended: true, Tag: "ROLLBACK", Sent: time.Now()}
	r.Committed = !s.conn.inTransaction() // under LOCK TABLES each statement committed itself
	err := s.leave(ctx)
	r.Received = time.Now()
	why.Statement, why.File, why.Line = -1, st.File, st.EndLine
	r.Failure = &why
	return r, err
}

// leave rolls back what is open, and releases LOCK TABLES.
func (s *Session) leave(ctx context.Context) error {
	if s.xa { // refuses ROLLBACK, and may refuse all else
		s.lost = true
		return nil
	}
	if s.conn.inTransaction() {
		if err := s.tell(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
	if s.locked {
		if err := s.tell(ctx, "UNLOCK TABLES"); err != nil {
			return err
		}
		s.locked = false
	}
	return nil
}
