package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/migration-gate/migration-gate/snapshot"
)

// A row's fingerprint is two 64-bit hashes of its text, with different seeds.
// Sums of them do not depend on the order of rows and count duplicates.
const (
	fingerprintA = `hashtextextended("~row" COLLATE "C", 1)`
	fingerprintB = `hashtextextended("~row" COLLATE "C", 2)`
	fingerprints = fingerprintA + ", " + fingerprintB
)

// rows reads one table on both sides. nil: every row is there and none more.
func (c *comparison) rows(ctx context.Context, u unit) (*snapshot.DataDiff, error) {
	diff := &snapshot.DataDiff{Table: u.before.name()}
	if u.now != nil {
		diff.Now = u.now.name()
	} else if len(u.sources) > 0 {
		diff.Now = u.sources[0].table.name()
	}
	if len(u.sources) == 0 {
		return c.gone(ctx, u, diff)
	}
	cols, lost, err := c.columns(ctx, u)
	if err != nil {
		return nil, err
	}
	diff.GoneColumns = lost

	q := c.queries(u, cols, true)
	before, after, err := c.sums(ctx, q)
	if isCast(err) {
		// A value that the old type cannot hold: compare what both say.
		q = c.queries(u, cols, false)
		before, after, err = c.sums(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	diff.RowsBefore = before.Count
	if before == after {
		if len(lost) == 0 {
			return nil, nil
		}
		return diff, nil
	}
	missing, err := c.merge(ctx, q, diff)
	if err != nil {
		return nil, err
	}
	if diff.Missing == 0 && diff.Added == 0 && len(lost) == 0 {
		return nil, errors.New("the sums of rows differ and the rows do not: somebody is writing to the clone")
	}
	if len(missing) > 0 {
		diff.Examples, err = c.examples(ctx, u.before, q.before, missing)
	}
	return diff, err
}

// gone counts what was in a table that is not there any more.
func (c *comparison) gone(ctx context.Context, u unit, diff *snapshot.DataDiff) (*snapshot.DataDiff, error) {
	if err := c.before.conn.QueryRow(ctx, "SELECT count(*) FROM "+from(u.before)).Scan(&diff.RowsBefore); err != nil {
		return nil, err
	}
	if diff.RowsBefore == 0 {
		return nil, nil // the schema tells that it is gone
	}
	diff.Missing = diff.RowsBefore
	row := "ROW(" + exprs(u.before.values()) + ")::text"
	var err error
	diff.Examples, err = c.keys(ctx, u.before, "SELECT *, "+row+" AS \"~row\" FROM "+from(u.before))
	return diff, err
}

// columns splits before's columns into those that can still be read in every
// source, and those that cannot and held a value.
func (c *comparison) columns(ctx context.Context, u unit) (kept []column, lost []string, err error) {
	var probes []string
	var gone []string
	for _, col := range u.before.values() {
		missing := false
		for _, s := range u.sources {
			if c.columnIn(col, u, s) == nil {
				missing = true
			}
		}
		if !missing {
			kept = append(kept, col)
			continue
		}
		gone = append(gone, col.Name)
		probes = append(probes, "coalesce(bool_or("+ident(col.Name)+" IS NOT NULL), false)")
	}
	if len(gone) == 0 {
		return kept, nil, nil
	}
	var held []bool
	err = c.before.conn.QueryRow(ctx, "SELECT ARRAY["+strings.Join(probes, ", ")+"] FROM "+from(u.before)).Scan(&held)
	if err != nil {
		return nil, nil, err
	}
	for i, h := range held {
		if h {
			lost = append(lost, gone[i])
		}
	}
	return kept, lost, nil
}

// columnIn finds a column of the unit in one of its sources. A partition has
// its columns under the same names, at numbers of its own.
func (c *comparison) columnIn(col column, u unit, s source) *column {
	if s.from == u.before {
		return c.columnNow(col, s.from, s.table)
	}
	i := slices.IndexFunc(s.from.Columns, func(x column) bool { return x.Name == col.Name })
	if i < 0 {
		return nil
	}
	return c.columnNow(s.from.Columns[i], s.from, s.table)
}

// rowQueries yield the text of every row as "~row"; before's has its columns too.
type rowQueries struct{ before, after string }

// queries spell a row on both sides alike. Where a type changed, the new value
// is cast to the old type if that loses nothing, else it counts as changed.
func (c *comparison) queries(u unit, cols []column, cast bool) rowQueries {
	retyped := map[string]bool{}
	for _, col := range cols {
		for _, s := range u.sources {
			if now := c.columnIn(col, u, s); !now.sameType(col) {
				retyped[col.Name] = true
			}
		}
	}
	var q rowQueries
	var old []string
	for _, col := range cols {
		old = append(old, value(col, ident(col.Name), retyped[col.Name]))
	}
	q.before = "SELECT *, ROW(" + strings.Join(old, ", ") + ")::text AS \"~row\" FROM " + from(u.before)
	var parts []string
	for _, s := range u.sources {
		var list []string
		for _, col := range cols {
			now := c.columnIn(col, u, s)
			name := ident(now.Name)
			expr := value(*now, name, retyped[col.Name])
			if cast && !now.sameType(col) {
				back := "(" + name + "::" + col.Type + ")"
				expr = "CASE WHEN (" + back + "::" + now.Type + ")::text = " + name + "::text THEN " + back + "::text ELSE 'now ' || " + name + "::text END"
			}
			list = append(list, expr)
		}
		parts = append(parts, "SELECT ROW("+strings.Join(list, ", ")+")::text AS \"~row\" FROM "+from(s.table))
	}
	q.after = strings.Join(parts, " UNION ALL ")
	return q
}

// value is how one column goes into a row's text. The names behind regclass
// and its kin may change without the value changing.
func value(col column, name string, text bool) string {
	if strings.HasPrefix(col.Type, "reg") && col.TypeOID < 16384 {
		name += "::oid"
	}
	if text {
		name += "::text"
	}
	return name
}

func exprs(cols []column) string {
	var list []string
	for _, col := range cols {
		list = append(list, value(col, ident(col.Name), false))
	}
	return strings.Join(list, ", ")
}

type sums struct {
	Count        int64
	First, Other string
}

// sums reads both sides at once.
func (c *comparison) sums(ctx context.Context, q rowQueries) (before, after sums, err error) {
	var g errgroup.Group // a shared context would close the other connection
	read := func(s *side, sql string, into *sums) {
		g.Go(func() error {
			return s.conn.QueryRow(ctx, `SELECT count(*), coalesce(sum(a)::text, ''), coalesce(sum(b)::text, '')
				FROM (SELECT `+fingerprints+` FROM (`+sql+`) x) h(a, b)`).Scan(&into.Count, &into.First, &into.Other)
		})
	}
	read(&c.before, q.before, &before)
	read(&c.after, q.after, &after)
	return before, after, g.Wait()
}

// isCast tells errors of casting from others: no such cast, or not this value.
func isCast(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (strings.HasPrefix(pgErr.Code, "22") || strings.HasPrefix(pgErr.Code, "23") || strings.HasPrefix(pgErr.Code, "42") || strings.HasPrefix(pgErr.Code, "0A"))
}

type fingerprint struct{ a, b int64 }

func (f fingerprint) compare(o fingerprint) int {
	switch {
	case f.a < o.a || f.a == o.a && f.b < o.b:
		return -1
	case f == o:
		return 0
	}
	return 1
}

// enough missing rows to pick the examples with the smallest keys from.
const enough = 200

// merge streams both sides in the order of their fingerprints: the server
// sorts, on disk where need be, and nothing piles up here.
func (c *comparison) merge(ctx context.Context, q rowQueries, diff *snapshot.DataDiff) (missing []fingerprint, err error) {
	old, err := c.before.stream(ctx, q.before)
	if err != nil {
		return nil, err
	}
	defer old.rows.Close()
	now, err := c.after.stream(ctx, q.after)
	if err != nil {
		return nil, err
	}
	defer now.rows.Close()
	for old.ok || now.ok {
		order := 0
		switch {
		case !now.ok:
			order = -1
		case !old.ok:
			order = 1
		default:
			order = old.at.compare(now.at)
		}
		if order < 0 {
			diff.Missing++
			if len(missing) < enough {
				missing = append(missing, old.at)
			}
		}
		if order > 0 {
			diff.Added++
		}
		if order <= 0 {
			old.next()
		}
		if order >= 0 {
			now.next()
		}
	}
	return missing, errors.Join(old.err, now.err)
}

type stream struct {
	rows pgx.Rows
	at   fingerprint
	ok   bool
	err  error
}

func (s *side) stream(ctx context.Context, sql string) (*stream, error) {
	rows, err := s.conn.Query(ctx, `SELECT * FROM (SELECT `+fingerprints+` FROM (`+sql+`) x) h(a, b) ORDER BY a, b`)
	if err != nil {
		return nil, err
	}
	st := &stream{rows: rows}
	st.next()
	return st, nil
}

func (s *stream) next() {
	if s.ok = s.rows.Next(); s.ok {
		s.err = s.rows.Scan(&s.at.a, &s.at.b)
	} else {
		s.err = s.rows.Err()
	}
	s.ok = s.ok && s.err == nil
}

// examples names up to five missing rows.
func (c *comparison) examples(ctx context.Context, t *table, rowsOf string, missing []fingerprint) ([]string, error) {
	var values []string
	for _, f := range missing {
		values = append(values, fmt.Sprintf("(%d::int8, %d::int8)", f.a, f.b))
	}
	// OFFSET 0 keeps the fingerprints from being computed for each of the VALUES.
	return c.keys(ctx, t, `SELECT * FROM (SELECT *, `+fingerprintA+` AS "~a", `+fingerprintB+` AS "~b" FROM (`+rowsOf+`) y OFFSET 0) h
		WHERE ("~a", "~b") IN (VALUES `+strings.Join(values, ", ")+`)`)
}

// keys prints rows by their primary key, or by their text, cut short.
func (c *comparison) keys(ctx context.Context, t *table, rowsOf string) ([]string, error) {
	text, order := `"~row"`, `"~row"`
	if len(t.Key) > 0 {
		var parts []string
		for _, k := range t.Key {
			parts = append(parts, Literal(k+" = ")+" || "+ident(k)+"::text")
		}
		text, order = "concat_ws(', ', "+strings.Join(parts, ", ")+")", quoted(t.Key)
	}
	rows, err := c.before.conn.Query(ctx, "SELECT "+text+" FROM ("+rowsOf+") z ORDER BY "+order+" LIMIT 5")
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for i := range list {
		list[i] = oneLine(list[i], 120)
	}
	return slices.Compact(list), err // without a key, the same text once
}
