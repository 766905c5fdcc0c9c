package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
)

// SQLSTATEs that this package speaks of.
const (
	invalidTransactionState = "25000"
	activeTransaction       = "25001"
	noActiveTransaction     = "25P01"
	transactionTimeout      = "25P04"
	badTermination          = "2D000" // COMMIT where it cannot be
	cancelled               = "57014"
)

// beginBlock opens a transaction block that the file does not spell.
func (s *Session) beginBlock(ctx context.Context, b block) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	if err := s.tell(ctx, "BEGIN"); err != nil {
		return err
	}
	s.block = b
	return nil
}

// inBlock runs a statement while a transaction block is open. In an implicit
// one, transaction control means something else than in the explicit one that
// stands for it (PostgreSQL manual, 55.2.2.1).
func (s *Session) inBlock(ctx context.Context, n int) (observe.Result, error) {
	st := &s.script.Statements[n]
	if s.block != implicit {
		return s.run(ctx, n, explicitly)
	}
	switch st.Facts.Control {
	case migration.Begin:
		return s.turnExplicit(ctx, n)
	case migration.Commit, migration.Rollback, migration.Prepare:
		return s.endImplicit(ctx, n)
	case migration.Savepoint, migration.Release, migration.RollbackTo:
		what := map[migration.Control]string{
			migration.Savepoint: "SAVEPOINT", migration.Release: "RELEASE SAVEPOINT", migration.RollbackTo: "ROLLBACK TO SAVEPOINT",
		}[st.Facts.Control]
		return s.refused(ctx, blockOnly(n, st, what), nil)
	}
	return s.run(ctx, n, implicitly)
}

// turnExplicit: BEGIN makes the implicit block, with all that ran in it, the
// explicit one. Ours is open already; what is left to send are its modes.
func (s *Session) turnExplicit(ctx context.Context, n int) (observe.Result, error) {
	s.block = explicit
	modes := transactionModes(s.script.Statements[n].SQL)
	if modes == "" {
		now := time.Now()
		return observe.Result{Sent: now, Received: now, How: explicitly, Tag: "BEGIN", InBlock: true}, nil
	}
	sent := time.Now()
	tag, err := s.exchange(ctx, "SET TRANSACTION "+modes, nil)
	if refusal, ok := refusalOf(err); ok {
		refusal.Position = 0
	}
	r, err := s.result(ctx, n, explicitly, sent, tag, err)
	r.Tag = "BEGIN"
	return r, err
}

// endImplicit: COMMIT, ROLLBACK and PREPARE TRANSACTION end an implicit block
// as they end another, but with a warning, and cannot chain.
func (s *Session) endImplicit(ctx context.Context, n int) (observe.Result, error) {
	st := &s.script.Statements[n]
	if chains(st.SQL) {
		command := "COMMIT"
		if st.Facts.Control == migration.Rollback {
			command = "ROLLBACK"
		}
		return s.refused(ctx, blockOnly(n, st, command+" AND CHAIN"), nil)
	}
	s.messages = append(s.messages, gate.Message{Severity: "WARNING", Code: noActiveTransaction, Text: "there is no transaction in progress"})
	return s.run(ctx, n, implicitly)
}

// blockOnly is what the server says of a command in an implicit block.
func blockOnly(n int, st *migration.Statement, what string) *gate.Failure {
	return &gate.Failure{
		Statement: n, File: st.File, Line: st.Line, Code: noActiveTransaction,
		Message: what + " can only be used in transaction blocks",
	}
}

// transactionModes is what follows BEGIN or START TRANSACTION.
func transactionModes(sql string) string {
	rest := sql
	for i, words := range [][]string{{"BEGIN", "START"}, {"WORK", "TRANSACTION"}} {
		word, after := firstWord(rest)
		found := false
		for _, w := range words {
			found = found || word == w
		}
		if !found {
			if i == 0 {
				return ""
			}
			break
		}
		rest = after
	}
	if word, _ := firstWord(rest); word == "" {
		return ""
	}
	return rest
}

// chains reports whether COMMIT or ROLLBACK opens the next transaction.
func chains(sql string) bool {
	and, no := false, false
	for rest := sql; ; {
		var word string
		word, rest = firstWord(rest)
		switch word {
		case "":
			return false
		case "AND":
			and = true
		case "NO":
			no = true
		case "CHAIN":
			return and && !no
		}
	}
}

// firstWord is the first word of sql in capitals, and what follows it. It
// steps over blanks and comments.
func firstWord(sql string) (word, rest string) {
	sql = skipBlank(sql)
	end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' })
	if end < 0 {
		end = len(sql)
	}
	return strings.ToUpper(sql[:end]), sql[end:]
}

func skipBlank(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			depth, i := 0, 0
			for i < len(sql) {
				switch {
				case strings.HasPrefix(sql[i:], "/*"):
					depth, i = depth+1, i+2
				case strings.HasPrefix(sql[i:], "*/"):
					depth, i = depth-1, i+2
				default:
					i++
				}
				if depth == 0 {
					break
				}
			}
			sql = sql[i:]
		default:
			return sql
		}
	}
}
