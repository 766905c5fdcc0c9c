package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// failure puts a refusal at its place in the file.
func failure(n int, st *migration.Statement, e *pgconn.PgError) *gate.Failure {
	f := &gate.Failure{
		Statement: n, File: st.File, Line: st.Line, Code: e.Code,
		Message: valid(e.Message), Detail: valid(e.Detail), Hint: valid(e.Hint), Where: valid(e.Where),
	}
	if e.Position > 0 {
		f.Line, f.Column = place(st, int(e.Position)-1)
	} else if line := inlineLine(st.SQL, e.Where); line > 0 {
		f.Line = st.Line + line - 1
	}
	return f
}

// lacking tells refusals that say something of the gate's server and nothing of
// the migration: a healthier one would have run it.
func lacking(st *migration.Statement, e *pgconn.PgError) error {
	switch {
	// 58P01 before PostgreSQL 15
	case st.Facts.Kind == "CREATE EXTENSION" && (e.Code == "0A000" || e.Code == "58P01"):
		return fmt.Errorf("%w: the gate's own server lacks it: where production has it, install its package beside that server, "+
			"or name an image that has it with --image", e)
	case e.Code == "53100", e.Code == "58030":
		return fmt.Errorf("the gate's own server gave up: %w", e)
	}
	return nil
}

// place is the line and column, both from 1, of the character at an index into
// the statement. The server counts characters; a CR is one.
func place(st *migration.Statement, index int) (line, column int) {
	head := st.SQL
	for i := range st.SQL {
		if index == 0 {
			head = st.SQL[:i]
			break
		}
		index--
	}
	line = st.Line + strings.Count(head, "\n")
	if i := strings.LastIndexByte(head, '\n'); i >= 0 {
		return line, utf8.RuneCountInString(head[i+1:]) + 1
	}
	return line, utf8.RuneCountInString(head) + max(st.Column, 1)
}

var (
	inlineBlock = regexp.MustCompile(`(?m)^PL/pgSQL function inline_code_block line (\d+)`)
	dollarQuote = regexp.MustCompile(`\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$`)
)

// inlineLine is the line within a DO statement where its code failed, 0 if the
// server does not say. PL/pgSQL counts from the line of the opening quote.
func inlineLine(sql, where string) int {
	m := inlineBlock.FindAllStringSubmatch(where, -1)
	open := dollarQuote.FindStringIndex(sql)
	if m == nil || open == nil {
		return 0
	}
	line, err := strconv.Atoi(m[len(m)-1][1]) // the outermost
	if err != nil {
		return 0
	}
	return strings.Count(sql[:open[0]], "\n") + line
}

// commitRolledBack: the server answers COMMIT of an aborted transaction by
// ROLLBACK, without an error.
func commitRolledBack(n int, st *migration.Statement) *gate.Failure {
	return &gate.Failure{
		Statement: n, File: st.File, Line: st.Line, Code: "25P02", CommitRolledBack: true,
		Message: "COMMIT was answered by ROLLBACK: the transaction had failed before, and nothing of it was kept",
	}
}

// marker is the error that shows that a string was parsed: it is raised when
// the first statement of the string is analysed, after all of it was parsed
// and before any of it ran.
const marker = "migration-gate: checks the grammar of what follows, and runs none of it"

const markerStatement = "SELECT '" + marker + "'::pg_catalog.int4;\n"

// checkSyntax asks the server whether it can parse the batch that starts with
// statement n. A single statement needs no asking: it fails by itself.
func (s *Session) checkSyntax(ctx context.Context, n int) (*gate.Failure, error) {
	end := s.batchEnd(n)
	if end == n {
		return nil, nil
	}
	text := []string{markerStatement}
	starts := make([]int, 0, end-n+1) // in characters
	at := utf8.RuneCountInString(markerStatement)
	for i := n; i <= end; i++ {
		sql := s.script.Statements[i].SQL + "\n;\n"
		starts = append(starts, at)
		at += utf8.RuneCountInString(sql)
		text = append(text, sql)
	}
	kept := s.messages
	_, err := s.exchange(ctx, strings.Join(text, ""), nil)
	s.messages = kept
	refusal, ok := refusalOf(err)
	if !ok {
		return nil, fmt.Errorf("check the syntax of %s: %w", s.script.File, err)
	}
	if strings.Contains(refusal.Message, marker) || refusal.Code == cancelled { // not struck twice by one time-out
		return nil, nil
	}
	i := len(starts) - 1
	for i > 0 && int(refusal.Position) <= starts[i] {
		i--
	}
	if refusal.Position > 0 {
		refusal.Position -= int32(starts[i])
	}
	return failure(n+i, &s.script.Statements[n+i], refusal), nil
}
