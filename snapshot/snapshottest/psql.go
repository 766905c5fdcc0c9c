package snapshottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Piece is one statement as a splitter cut it, with the data that followed it.
type Piece struct {
	SQL  string
	Data []byte // of COPY FROM stdin; nil for none
}

// Splitter is a splitter under test: it reads a text piece by piece, as a
// session would run it, and stops where more is false.
type Splitter func(yield func(Piece) (more bool)) error

// Psql holds splitters against psql: what they cut out of a text, run piece by
// piece, must do what psql does with the file.
type Psql struct {
	tb     testing.TB
	server *snapshot.Target
	ours   string // databases
	theirs string
}

// NewPsql makes two fresh databases on the newest local server that has a psql.
func NewPsql(tb testing.TB) *Psql {
	tb.Helper()
	server := Server(tb, "")
	if err := server.Tools.Run(tb.Context(), "psql", []string{"--version"}, nil, io.Discard, io.Discard); errors.Is(err, snapshot.ErrNoTool) {
		Missing(tb, "that split files do what psql does with them", "install PostgreSQL's client programs")
	} else if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("psql_%08x", rand.Uint32())
	p := &Psql{tb: tb, server: server, ours: name + "_a", theirs: name + "_b"}
	p.Fresh()
	tb.Cleanup(func() {
		for _, db := range []string{p.ours, p.theirs} {
			p.admin(context.Background(), "DROP DATABASE IF EXISTS "+db+" WITH (FORCE)")
		}
	})
	return p
}

// Fresh empties both databases.
func (p *Psql) Fresh() {
	p.tb.Helper()
	for _, db := range []string{p.ours, p.theirs} {
		p.admin(p.tb.Context(), "DROP DATABASE IF EXISTS "+db+" WITH (FORCE)")
		p.admin(p.tb.Context(), "CREATE DATABASE "+db)
		// Files of the corpus were not written to be run: some loop for ever.
		p.admin(p.tb.Context(), "ALTER DATABASE "+db+" SET statement_timeout = '3s'")
	}
}

func (p *Psql) admin(ctx context.Context, sql string) {
	p.tb.Helper()
	conn := p.connect(ctx, "postgres")
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *Psql) connect(ctx context.Context, database string) *pgconn.PgConn {
	p.tb.Helper()
	conn, err := pgconn.Connect(ctx, strings.Replace(dsn(p.server), "/postgres?", "/"+database+"?", 1))
	if err != nil {
		p.tb.Fatal(err)
	}
	return conn
}

// Same runs a text both ways, one database each, and fails the test where the
// errors, their order, or what is there afterwards differ. It returns how many
// statements were run and how many of them were refused.
func (p *Psql) Same(name, text string, split Splitter) (statements, refused int) {
	p.tb.Helper()
	want := p.psql(text)
	var got []string
	conn := p.connect(p.tb.Context(), p.ours)
	err := split(func(piece Piece) bool {
		statements++
		got = append(got, run(p.tb.Context(), conn, piece)...)
		return !conn.IsClosed()
	})
	_ = conn.Close(p.tb.Context()) // what it left open is rolled back, as psql's was
	if err != nil {
		p.tb.Errorf("%s: split: %v\n%s", name, err, text)
		return statements, len(got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.tb.Errorf("%s: errors differ (-psql +pieces):\n%s\n%s", name, diff, text)
	}
	a, b := p.state(p.ours), p.state(p.theirs)
	if diff := cmp.Diff(b, a); diff != "" {
		p.tb.Errorf("%s: what is there afterwards differs (-psql +pieces):\n%s\n%s", name, diff, text)
	}
	return statements, len(got)
}

// run sends one piece by the simple protocol and returns the SQLSTATEs of what
// was refused.
func run(ctx context.Context, conn *pgconn.PgConn, piece Piece) []string {
	var err error
	if piece.Data != nil {
		_, err = conn.CopyFrom(ctx, bytes.NewReader(piece.Data), piece.SQL)
	} else {
		_, err = conn.Exec(ctx, piece.SQL).ReadAll()
	}
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return []string{refused.Code}
	case err != nil:
		return []string{err.Error()}
	}
	return nil
}

// sqlstate is how psql tells of an error under VERBOSITY=sqlstate.
var sqlstate = regexp.MustCompile(`(?m)^(?:psql:.*?: )?(?:ERROR|FATAL):  ([0-9A-Z]{5})$`)

// psql feeds the text to psql as a file, and returns the SQLSTATEs it told.
func (p *Psql) psql(text string) []string {
	p.tb.Helper()
	var errs bytes.Buffer
	args := []string{"-X", "-q", "-v", "VERBOSITY=sqlstate", "-d", p.theirs, "-f", "-"}
	err := p.server.Tools.Run(p.tb.Context(), "psql", args, strings.NewReader(text), io.Discard, &errs)
	var exit *snapshot.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.tb.Fatal(err)
	}
	var codes []string
	for _, m := range sqlstate.FindAllStringSubmatch(errs.String(), -1) {
		codes = append(codes, m[1])
	}
	if err != nil && len(codes) == 0 {
		p.tb.Fatalf("psql: %v: %s", err, errs.String())
	}
	return codes
}

// stateQuery is what a database holds, a line an object; function bodies and
// rules as the server spells them.
const stateQuery = `
SELECT format('%s %s %s', c.relkind, n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL SELECT format('column %s.%s %s %s %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid))
 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
 WHERE a.attnum > 0 AND n.nspname !~ '^pg_|^information_schema$'
UNION ALL SELECT CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE p.oid::regprocedure::text END
 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL SELECT pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL SELECT c.conname || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL SELECT format('comment %s %s', d.classoid::regclass, d.description) FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL SELECT format('schema %s', nspname) FROM pg_namespace WHERE nspname !~ '^pg_'
UNION ALL SELECT format('type %s', typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname !~ '^pg_|^information_schema$' AND t.typtype IN ('e', 'd')
`

// rowsQuery reads every ordinary table's rows, whatever its columns.
const rowsQuery = `SELECT format('rows of %s.%s: %s', n.nspname, c.relname,
 (xpath('string(/table)', query_to_xml(format('SELECT coalesce(string_agg(t::text, E''\n'' ORDER BY t::text), '''') AS r FROM %I.%I t', n.nspname, c.relname), true, false, '')))[1]::text)
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_|^information_schema$'`

func (p *Psql) state(database string) []string {
	p.tb.Helper()
	ctx := p.tb.Context()
	conn := p.connect(ctx, database)
	defer conn.Close(ctx)
	var lines []string
	for _, q := range []string{"SET statement_timeout = 0", stateQuery, rowsQuery} {
		results, err := conn.Exec(ctx, q).ReadAll()
		if err != nil {
			p.tb.Fatalf("read what %s holds: %v", database, err)
		}
		for _, r := range results {
			for _, row := range r.Rows {
				lines = append(lines, string(row[0]))
			}
		}
	}
	slices.Sort(lines)
	return lines
}
