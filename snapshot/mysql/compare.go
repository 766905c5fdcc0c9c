package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/migration-gate/migration-gate/snapshot"
)

// CompareOptions say which tables are compared, and how they may be named.
type CompareOptions struct {
	// Prefix under which a down script may put things aside.
	Prefix string
	// Exclude tables, as "schema.name" or by bare name: ledgers.
	Exclude []string
	// Only compares these tables of before ("schema.name"), where not nil.
	Only []string
}

// tablesAtOnce are compared at the same time, each with a connection to both
// sides.
const tablesAtOnce = 2

// Compare looks for the rows of a sealed baseline in a clone of it, read in the
// baseline's columns and types. It returns one diff for each table where rows
// or columns with values are missing, or rows were added; and the number of
// tables that were read, which is all of them: nothing that MySQL notes proves
// that a table is untouched. Its counters of rows written see neither the
// cascades of foreign keys nor a rebuild, and what time a table was last
// written is forgotten with its place in the cache.
//
// A table is found again by its name, by InnoDB's number for it, or by its name
// behind the prefix. A column is, by its name, plain or behind the prefix; one
// under another name is found if all its values are there. Generated columns
// and the values of AUTO_INCREMENT and sequences are nobody's data.
func Compare(ctx context.Context, before, after *Database, opt CompareOptions) (diffs []snapshot.DataDiff, compared int, err error) {
	c := &comparison{before: side{db: before}, after: side{db: after}, opt: opt, salt: rand.Text()}
	if diffs, compared, err = c.run(ctx); err != nil {
		return nil, compared, fmt.Errorf("compare the rows of %s with %s: %w", after.instance, before.instance, err)
	}
	return diffs, compared, nil
}

type comparison struct {
	before, after side
	opt           CompareOptions
	// salt goes into every row's fingerprint, so that nobody can prepare rows
	// that have the same.
	salt string
}

// side is the database in one of the two instances.
type side struct {
	db     *Database
	tables []*relation
	byName map[tableName]*relation
	byID   map[int64]*relation // by any of a table's numbers
}

// relation is one table with rows; its partitions count as the table.
type relation struct {
	tableName // as people know it
	physical  tableName
	IDs       []int64
	Key       []string // columns of the primary key
	Columns   []field
}

// field is a column with its value.
type field struct {
	Name      string
	Data      string // bare type: "varchar"
	Type      string // as the server spells it: "varchar(20)"
	Charset   string
	Scale     int // of decimals; digits of seconds
	Position  int
	Generated bool
}

func (s *side) load(ctx context.Context) error {
	return s.db.read(ctx, func(c *sql.Conn) error {
		names, err := s.db.baseTables(ctx, c)
		if err != nil || len(names) == 0 {
			return err
		}
		st, err := s.db.readStorage(ctx, c, names)
		if err != nil {
			return err
		}
		s.byName, s.byID = map[tableName]*relation{}, map[int64]*relation{}
		for _, n := range names {
			t := &relation{tableName: s.shown(n), physical: n, IDs: st.tables[n]}
			s.tables, s.byName[t.tableName] = append(s.tables, t), t
			for _, id := range t.IDs {
				s.byID[id] = t
			}
		}
		return s.loadColumns(ctx, c)
	})
}

// shown is a table as people know it.
func (s *side) shown(t tableName) tableName {
	return tableName{s.db.Names().Show(t.schema), t.name}
}

func (s *side) loadColumns(ctx context.Context, c *sql.Conn) error {
	schemas, err := s.db.schemas(ctx, c)
	if err != nil {
		return err
	}
	rows, err := c.QueryContext(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE), COLUMN_TYPE, COALESCE(CHARACTER_SET_NAME, ''),
			COALESCE(NUMERIC_SCALE, DATETIME_PRECISION, 0), ORDINAL_POSITION, REPLACE(EXTRA, 'DEFAULT_GENERATED', '') LIKE '%GENERATED%'
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN (`+literals(schemas)+`) ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var t tableName
		var f field
		if err := rows.Scan(&t.schema, &t.name, &f.Name, &f.Data, &f.Type, &f.Charset, &f.Scale, &f.Position, &f.Generated); err != nil {
			return err
		}
		if of := s.byName[s.shown(t)]; of != nil { // else of a view
			of.Columns = append(of.Columns, f)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	keys, err := TextRows(ctx, c, `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
		WHERE INDEX_NAME = 'PRIMARY' AND TABLE_SCHEMA IN (`+literals(schemas)+`) ORDER BY TABLE_SCHEMA, TABLE_NAME, SEQ_IN_INDEX`)
	for _, k := range keys {
		if of := s.byName[s.shown(tableName{k[0], k[1]})]; of != nil {
			of.Key = append(of.Key, k[2])
		}
	}
	return err
}

func (c *comparison) run(ctx context.Context) ([]snapshot.DataDiff, int, error) {
	for _, s := range []*side{&c.before, &c.after} {
		if err := s.load(ctx); err != nil {
			return nil, 0, err
		}
	}
	var tables []*relation
	for _, t := range c.before.tables {
		if !c.excluded(t) {
			tables = append(tables, t)
		}
	}
	found := make([]*snapshot.DataDiff, len(tables))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(tablesAtOnce)
	for i, t := range tables {
		g.Go(func() (err error) {
			if found[i], err = c.table(ctx, t); err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	var diffs []snapshot.DataDiff
	for _, d := range found {
		if d != nil {
			diffs = append(diffs, *d)
		}
	}
	return diffs, len(tables), nil
}

// table compares one table on connections of its own.
func (c *comparison) table(ctx context.Context, t *relation) (diff *snapshot.DataDiff, err error) {
	err = c.before.db.read(ctx, func(b *sql.Conn) error {
		return c.after.db.read(ctx, func(a *sql.Conn) error {
			u := &unit{comparison: c, before: b, after: a, was: t, now: c.find(t)}
			diff, err = u.compare(ctx)
			return err
		})
	})
	return diff, err
}

func (c *comparison) excluded(t *relation) bool {
	if c.opt.Only != nil && !slices.Contains(c.opt.Only, t.String()) {
		return true
	}
	return slices.Contains(c.opt.Exclude, t.String()) || slices.Contains(c.opt.Exclude, t.name)
}

// find gives the table that stands for t afterwards. A number counts only where
// it did not go to a table that stands for itself, as partitions that were
// exchanged do.
func (c *comparison) find(t *relation) *relation {
	if now := c.after.byName[t.tableName]; now != nil {
		return now
	}
	for _, id := range t.IDs {
		if now := c.after.byID[id]; now != nil && c.before.byName[now.tableName] == nil {
			return now
		}
	}
	if aside := c.aside(t.name); aside != "" {
		return c.after.byName[tableName{t.schema, aside}]
	}
	return nil
}

// aside is a name behind the prefix, cut to what a name may hold: 64
// characters.
func (c *comparison) aside(name string) string {
	if c.opt.Prefix == "" {
		return ""
	}
	r := []rune(c.opt.Prefix + name)
	return string(r[:min(len(r), 64)])
}

// values are the columns that hold data.
func (t *relation) values() []field {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(f field) bool { return f.Generated })
}

// column finds a column by its name.
func (t *relation) column(name string) *field {
	if i := slices.IndexFunc(t.Columns, func(f field) bool { return f.Name == name }); i >= 0 && name != "" {
		return &t.Columns[i]
	}
	return nil
}

func (t *relation) from() string { return ident(t.physical.schema, t.physical.name) }

// joined writes expressions as one text from which each can be told again.
func joined(first string, exprs []string) string {
	return "CONCAT(" + strings.Join(append([]string{first}, exprs...), ",',',") + ")"
}
