package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// send sends statement n as it stands in the file, with its data. A batch is
// in the encoding that held when its first statement was sent, whatever its
// own statements set.
func (s *Session) send(ctx context.Context, n int) (pgconn.CommandTag, error) {
	st := &s.script.Statements[n]
	if now := s.conn.ParameterStatus("client_encoding"); now != s.encoding && !ascii(st.SQL) {
		if err := s.tell(ctx, "SET client_encoding = '"+s.encoding+"'"); err != nil {
			return pgconn.CommandTag{}, err
		}
		tag, err := s.exchange(ctx, st.SQL, nil)
		if err == nil && s.conn.ParameterStatus("client_encoding") == s.encoding {
			err = s.tell(ctx, "SET client_encoding = '"+now+"'")
		}
		return tag, err
	}
	if st.Facts.CopyFromStdin {
		return s.exchange(ctx, st.SQL, append([]byte{}, st.CopyData...))
	}
	return s.exchange(ctx, st.SQL, nil)
}

// exchange is one simple query. With data that is not nil it is a COPY FROM
// stdin. Rows are read and forgotten.
func (s *Session) exchange(ctx context.Context, sql string, data []byte) (pgconn.CommandTag, error) {
	if data != nil {
		return s.conn.CopyFrom(ctx, bytes.NewReader(data), sql)
	}
	results := s.conn.Exec(ctx, sql)
	var tag pgconn.CommandTag
	for results.NextResult() {
		r := results.ResultReader()
		for r.NextRow() {
		}
		tag, _ = r.Close() // its error is the one of results.Close
	}
	return tag, results.Close()
}

// tell sends a command of the gate's own. A refusal is an error here.
func (s *Session) tell(ctx context.Context, sql string) error {
	if _, err := s.exchange(ctx, sql, nil); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// ask sends a query of the gate's own and returns the rows of its last result.
// What the server says meanwhile is not the migration's.
func (s *Session) ask(ctx context.Context, sql string) ([][][]byte, error) {
	results, err := s.askAll(ctx, sql)
	if err != nil {
		return nil, err
	}
	return results[len(results)-1].Rows, nil
}

func (s *Session) askAll(ctx context.Context, sql string) ([]*pgconn.Result, error) {
	kept := s.messages
	results, err := s.conn.Exec(ctx, sql).ReadAll()
	s.messages = kept
	return results, err
}

// flush makes the server take over the counters this session has not reported
// yet, so that those of the next transaction begin at zero. It is called
// outside transactions.
func (s *Session) flush(ctx context.Context) error {
	if s.version < 150000 {
		return nil
	}
	if _, err := s.ask(ctx, unlimited+`SELECT pg_catalog.pg_stat_force_next_flush()`); err != nil {
		return fmt.Errorf("flush statistics: %w", err)
	}
	return nil
}

// refusalOf tells a statement that the server refused, which is data, from a
// connection that was lost, which is not. A transaction_timeout (25P04) is the
// migration's own; an idle time-out strikes only because the gate pauses.
func refusalOf(err error) (*pgconn.PgError, bool) {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return nil, false
	}
	if s := refusal.SeverityUnlocalized; (s == "FATAL" || s == "PANIC") && refusal.Code != transactionTimeout {
		return nil, false
	}
	return refusal, true
}

// inTransactionOnly: the statement was refused because a block was open.
func inTransactionOnly(err error) bool {
	refusal, ok := refusalOf(err)
	return ok && (refusal.Code == activeTransaction || refusal.Code == badTermination)
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// valid makes text of the server printable where the session's client_encoding
// is not UTF-8 any more.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
