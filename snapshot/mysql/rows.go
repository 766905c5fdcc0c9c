package mysql

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/migration-gate/migration-gate/snapshot"
)

// unit is one table, on a connection to either side.
type unit struct {
	*comparison
	before, after *sql.Conn
	was           *relation
	now           *relation // nil if it is gone
}

// pair is a column of before and where it is now.
type pair struct {
	was field
	now *field
}

// compare reads the table on both sides. nil: every row is there and none more.
func (u *unit) compare(ctx context.Context) (*snapshot.DataDiff, error) {
	diff := &snapshot.DataDiff{Table: u.was.String()}
	if u.now == nil {
		return u.gone(ctx, diff)
	}
	diff.Now = u.now.String()
	pairs, missing := u.pairs()
	renamed, err := u.renamed(ctx, pairs, missing)
	if err != nil {
		return nil, err
	}
	if renamed != nil {
		pairs, missing = renamed, nil
	}
	if diff.GoneColumns, err = u.held(ctx, missing); err != nil {
		return nil, err
	}
	rows := u.rows(pairs)
	before, after, err := u.sums(ctx, rows)
	if err != nil {
		return nil, err
	}
	diff.RowsBefore = before.count
	if before == after {
		if len(diff.GoneColumns) == 0 {
			return nil, nil
		}
		return diff, nil
	}
	lost, err := u.merge(ctx, rows, diff)
	if err != nil {
		return nil, err
	}
	if diff.Missing == 0 && diff.Added == 0 && len(diff.GoneColumns) == 0 {
		return nil, errors.New("the sums of rows differ and the rows do not: somebody is writing to the clone")
	}
	if len(lost) > 0 {
		diff.Examples, err = u.examples(ctx, u.fingerprint(rows.before)+" IN ("+literals(lost)+")")
	}
	return diff, err
}

// gone counts what was in a table that is not there any more.
func (u *unit) gone(ctx context.Context, diff *snapshot.DataDiff) (*snapshot.DataDiff, error) {
	if err := u.before.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+u.was.from()).Scan(&diff.RowsBefore); err != nil {
		return nil, err
	}
	if diff.RowsBefore == 0 {
		return nil, nil // the schema tells that it is gone
	}
	diff.Missing = diff.RowsBefore
	var err error
	diff.Examples, err = u.examples(ctx, "TRUE")
	return diff, err
}

// pairs finds before's columns again by their names; missing are the others.
func (u *unit) pairs() (pairs []pair, missing []field) {
	for _, f := range u.was.values() {
		now := u.now.column(f.Name)
		if now == nil {
			now = u.now.column(u.aside(f.Name))
		}
		if now == nil {
			missing = append(missing, f)
		} else {
			pairs = append(pairs, pair{f, now})
		}
	}
	return pairs, missing
}

// renamed pairs columns that are missing with new ones of the table, in the
// order of both, where that accounts for every row: MySQL keeps no number for a
// column that would survive a new name. nil if it does not.
func (u *unit) renamed(ctx context.Context, pairs []pair, missing []field) ([]pair, error) {
	if len(missing) == 0 {
		return nil, nil
	}
	var free []*field
	for i := range u.now.Columns {
		f := &u.now.Columns[i]
		if !f.Generated && u.was.column(f.Name) == nil && !slices.ContainsFunc(pairs, func(p pair) bool { return p.now == f }) {
			free = append(free, f)
		}
	}
	if len(free) < len(missing) {
		return nil, nil
	}
	guess := slices.Clone(pairs)
	for _, f := range missing {
		i := slices.IndexFunc(free, func(n *field) bool { return n.Position == f.Position && n.Type == f.Type })
		if i < 0 {
			i = slices.IndexFunc(free, func(n *field) bool { return n.Type == f.Type })
		}
		if i < 0 {
			return nil, nil
		}
		guess = append(guess, pair{f, free[i]})
		free = slices.Delete(free, i, i+1)
	}
	before, after, err := u.sums(ctx, u.rows(guess))
	if err != nil || before != after {
		return nil, err
	}
	return guess, nil
}

// held picks the columns that hold a value in some row.
func (u *unit) held(ctx context.Context, columns []field) (list []string, err error) {
	for _, f := range columns {
		some, err := column(ctx, u.before, "SELECT 1 FROM "+u.was.from()+" WHERE "+ident(f.Name)+" IS NOT NULL LIMIT 1")
		if err != nil {
			return nil, err
		}
		if len(some) > 0 {
			list = append(list, f.Name)
		}
	}
	return list, nil
}

// rowTexts spell a row on either side, alike.
type rowTexts struct{ before, after string }

func (u *unit) rows(pairs []pair) rowTexts {
	var was, now []string
	for _, p := range pairs {
		w, n := p.texts()
		was, now = append(was, w), append(now, n)
	}
	// A binary string at the beginning keeps character sets apart: nothing is
	// converted that is the same on both sides.
	first := "_binary" + literal(u.salt)
	return rowTexts{joined(first, was), joined(first, now)}
}

// fingerprint of a row: half of a SHA-256, in hexadecimal. Neither CRC32, which
// is linear, nor MD5, which MySQL 9 has no more.
func (u *unit) fingerprint(row string) string { return "LEFT(SHA2(" + row + ", 256), 32)" }

type sums struct {
	count int64
	sum   string
}

// sums reads both sides at once. A sum does not depend on the order of rows
// and counts duplicates.
//
// A million rows of seven columns took 1.5 s of processor time on MySQL 9.7.4
// and 1.1 s on MariaDB 10.11.18, two thirds of that for spelling the values.
func (u *unit) sums(ctx context.Context, rows rowTexts) (before, after sums, err error) {
	g, ctx := errgroup.WithContext(ctx)
	read := func(c *sql.Conn, row, from string, into *sums) {
		g.Go(func() error {
			return c.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(SHA2("+row+", 256), 16), 16, 10) AS UNSIGNED)), 0) FROM "+from).Scan(&into.count, &into.sum)
		})
	}
	read(u.before, rows.before, u.was.from(), &before)
	read(u.after, rows.after, u.now.from(), &after)
	return before, after, g.Wait()
}

// enough missing rows to pick the examples with the smallest keys from.
const enough = 200

// merge streams both sides in the order of their fingerprints: the server
// sorts, on disk where need be, and nothing piles up here.
func (u *unit) merge(ctx context.Context, rows rowTexts, diff *snapshot.DataDiff) (missing []string, err error) {
	old, err := u.stream(ctx, u.before, rows.before, u.was)
	if err != nil {
		return nil, err
	}
	defer old.rows.Close()
	now, err := u.stream(ctx, u.after, rows.after, u.now)
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
			order = strings.Compare(string(old.at), string(now.at))
		}
		if order < 0 {
			diff.Missing++
			if len(missing) < enough {
				missing = append(missing, string(old.at))
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
	rows *sql.Rows
	at   sql.RawBytes
	ok   bool
	err  error
}

func (u *unit) stream(ctx context.Context, c *sql.Conn, row string, t *relation) (*stream, error) {
	rows, err := c.QueryContext(ctx, "SELECT "+u.fingerprint(row)+" AS f FROM "+t.from()+" ORDER BY f")
	if err != nil {
		return nil, err
	}
	st := &stream{rows: rows}
	st.next()
	return st, nil
}

func (s *stream) next() {
	if s.ok = s.rows.Next(); s.ok {
		s.err = s.rows.Scan(&s.at)
	} else {
		s.err = s.rows.Err()
	}
	s.ok = s.ok && s.err == nil
}

// examples names up to five rows of before by their primary key, or by their
// text, cut short.
func (u *unit) examples(ctx context.Context, where string) ([]string, error) {
	var text, order string
	if len(u.was.Key) > 0 {
		var parts []string
		for _, k := range u.was.Key {
			parts = append(parts, "CONCAT("+literal(k+" = ")+", "+u.was.column(k).shown()+")")
		}
		text, order = "CONCAT_WS(', ', "+strings.Join(parts, ", ")+")", quoted(u.was.Key)
	} else {
		var parts []string
		for _, f := range u.was.values() {
			parts = append(parts, "COALESCE("+f.shown()+", '')")
		}
		text, order = "CONCAT('(', CONCAT_WS(',', "+strings.Join(parts, ", ")+"), ')')", "1"
	}
	list, err := column(ctx, u.before, "SELECT "+text+" FROM "+u.was.from()+" WHERE "+where+" ORDER BY "+order+" LIMIT 5")
	for i := range list {
		list[i] = printable(list[i], 120)
	}
	return slices.Compact(list), err // without a key, the same text once
}

func quoted(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, ident(n))
	}
	return strings.Join(q, ", ")
}

// printable is a value on one line, cut short, without what a terminal obeys.
func printable(s string, most int) string {
	return oneLine(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s), most)
}
