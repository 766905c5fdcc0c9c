package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

// Compare looks for the rows of a sealed baseline in a clone of it, read in the
// baseline's columns and types. It returns one diff for each table where rows
// or columns with values are missing, or rows were added; and the number of
// tables whose rows were read. The others are proven untouched: same file,
// same size, and a visibility map that no write has been noted in.
//
// A table is found again by its name, its OID, or its name behind the prefix;
// so are columns. A partitioned table counts as a whole, with partitions that
// were detached from it. Values of sequences and generated columns are nobody's
// data.
func Compare(ctx context.Context, before, after *Database, opt CompareOptions) (diffs []snapshot.DataDiff, compared int, err error) {
	err = before.read(ctx, func(b *pgx.Conn) error {
		return after.read(ctx, func(a *pgx.Conn) error {
			c := &comparison{before: side{conn: b}, after: side{conn: a}, opt: opt}
			diffs, compared, err = c.run(ctx)
			return err
		})
	})
	if err != nil {
		return nil, compared, fmt.Errorf("compare the rows of %s with %s: %w", after.name, before.name, err)
	}
	return diffs, compared, nil
}

type comparison struct {
	before, after side
	opt           CompareOptions
}

// side is one of the two databases.
type side struct {
	conn   *pgx.Conn
	tables []*table
	byOID  map[uint32]*table
	byName map[string]*table
}

// table is one relation with rows, or a partitioned one.
type table struct {
	OID         uint32
	Schema      string
	Name        string
	Partitioned bool
	Root        uint32 // of the partitioned table on top, 0 for none
	File        uint32
	Path        string // of the file, relative to the data directory
	Size        int64
	Persistent  bool
	// Frozen: every page is noted as visible to all in the visibility map,
	// as VACUUM left it.
	Frozen  bool
	Key     []string // columns of the primary key
	Columns []column `db:"-"`
}

func (t *table) name() string { return t.Schema + "." + t.Name }

type column struct {
	Table     uint32
	Num       int16
	Name      string
	TypeOID   uint32
	Typmod    int32
	Type      string // with its modifier, qualified
	Generated bool
}

func (c column) sameType(o column) bool { return c.TypeOID == o.TypeOID && c.Typmod == o.Typmod }

func (s *side) load(ctx context.Context) error {
	rows, err := s.conn.Query(ctx, `SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p',
			coalesce(nullif(pg_partition_root(c.oid)::oid, c.oid), 0::oid), c.relfilenode, coalesce(pg_relation_filepath(c.oid), ''),
			CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) ELSE 0 END, c.relpersistence = 'p',
			CASE WHEN c.relkind = 'r' THEN c.relallvisible::bigint * current_setting('block_size')::bigint = pg_relation_size(c.oid) ELSE false END,
			coalesce((SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum)) FROM pg_index i
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary), '{}')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		ORDER BY n.nspname, c.relname`)
	if err != nil {
		return err
	}
	if s.tables, err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[table]); err != nil {
		return err
	}
	s.byOID, s.byName = map[uint32]*table{}, map[string]*table{}
	for _, t := range s.tables {
		s.byOID[t.OID], s.byName[t.name()] = t, t
	}
	rows, err = s.conn.Query(ctx, `SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attgenerated <> ''
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND c.relnamespace <> 'pg_catalog'::regnamespace ORDER BY a.attrelid, a.attnum`)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	for _, c := range columns {
		if t := s.byOID[c.Table]; t != nil {
			t.Columns = append(t.Columns, c)
		}
	}
	return err
}

func (c *comparison) run(ctx context.Context) (diffs []snapshot.DataDiff, compared int, err error) {
	for _, s := range []*side{&c.before, &c.after} {
		if err := s.load(ctx); err != nil {
			return nil, 0, err
		}
	}
	same, err := c.unwritten(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("look which tables are untouched: %w", err)
	}
	for _, t := range c.before.tables {
		if t.Root != 0 || c.excluded(t) {
			continue // partitions are read with their root
		}
		u := c.unit(t)
		if c.untouched(u, same) {
			continue
		}
		compared++
		diff, err := c.rows(ctx, u)
		if err != nil {
			return nil, compared, fmt.Errorf("%s: %w", t.name(), err)
		}
		if diff != nil {
			diffs = append(diffs, *diff)
		}
	}
	return diffs, compared, nil
}

func (c *comparison) excluded(t *table) bool {
	if c.opt.Only != nil && !slices.Contains(c.opt.Only, t.name()) {
		return true
	}
	return slices.Contains(c.opt.Exclude, t.name()) || slices.Contains(c.opt.Exclude, t.Name)
}

// unwritten proves of tables that no row of theirs was written since the
// clone was made, by OID. The baseline was frozen, so every page of a table is
// marked in its visibility map; whoever writes to a page clears the mark, and
// only a VACUUM sets it again, which leaves a newer LSN in the map. So a map
// that is the same to the byte, once all buffers are on disk, means that
// nothing was written: also after a crash, and whatever the counters say.
func (c *comparison) unwritten(ctx context.Context) (map[uint32]bool, error) {
	type candidate struct {
		OID  uint32 `json:"oid"`
		File uint32 `json:"file"`
		Size int64  `json:"size"`
		Path string `json:"path"`
	}
	list := []candidate{}
	for _, t := range c.before.tables {
		now := c.after.byOID[t.OID]
		if !t.Partitioned && t.Persistent && (t.Frozen || t.Size == 0) && now != nil && now.Persistent && now.File == t.File && !c.excluded(t) {
			list = append(list, candidate{t.OID, t.File, t.Size, t.Path})
		}
	}
	same := map[uint32]bool{}
	if len(list) == 0 {
		return same, nil
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	if _, err := c.after.conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return same, unlessDenied(err)
	}
	const bytes = `pg_read_binary_file(%[1]s, 0, coalesce((pg_stat_file(%[1]s, true)).size, 0), true)`
	rows, err := c.after.conn.Query(ctx, `SELECT x.oid FROM jsonb_to_recordset($1::jsonb) AS x(oid oid, file oid, size bigint, path text)
		WHERE pg_relation_filenode(x.oid) = x.file AND pg_relation_size(x.oid) = x.size
		AND (x.size = 0 OR `+fmt.Sprintf(bytes, `(x.path || '_vm')`)+` = `+fmt.Sprintf(bytes, `(pg_relation_filepath(x.oid) || '_vm')`)+`)`, string(data))
	if err != nil {
		return nil, err
	}
	oids, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	for _, oid := range oids {
		same[oid] = true
	}
	return same, unlessDenied(err)
}

// unlessDenied: whoever may not look at the server's files has no proof, and
// reads all rows.
func unlessDenied(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42501" {
		return nil
	}
	return err
}

// unit is one table of before and where its rows are now.
type unit struct {
	before *table
	leaves []*table // of before, if partitioned
	now    *table   // nil if it is gone
	// sources are now and partitions that stand by themselves now.
	sources []source
}

// source is one table of after, with before's columns mapped to its own.
type source struct {
	table *table
	from  *table // the table of before whose columns are mapped
}

func (c *comparison) unit(t *table) unit {
	u := unit{before: t, now: c.find(t)}
	if u.now != nil {
		u.sources = append(u.sources, source{u.now, t})
	}
	if !t.Partitioned {
		return u
	}
	for _, leaf := range c.before.tables {
		if leaf.Root != t.OID || leaf.Partitioned {
			continue
		}
		u.leaves = append(u.leaves, leaf)
		now := c.after.byOID[leaf.OID]
		if now == nil || u.now != nil && (now.Root == u.now.OID || now == u.now) {
			continue
		}
		// Detached. If it went with a partitioned table of its own, all of
		// that is read leaf by leaf, which comes to the same.
		u.sources = append(u.sources, source{now, leaf})
	}
	return u
}

// find gives the table that stands for t afterwards.
func (c *comparison) find(t *table) *table {
	if now := c.after.byName[t.name()]; now != nil {
		return now
	}
	if now := c.after.byOID[t.OID]; now != nil {
		return now
	}
	return c.after.byName[t.Schema+"."+c.aside(t.Name)]
}

// aside is a name behind the prefix, cut to what a name may hold.
func (c *comparison) aside(name string) string {
	if c.opt.Prefix == "" {
		return ""
	}
	s := c.opt.Prefix + name
	for len(s) > 63 {
		r := []rune(s)
		s = string(r[:len(r)-1])
	}
	return s
}

// columnNow finds a column of before in a table of after.
func (c *comparison) columnNow(col column, from, now *table) *column {
	by := func(f func(column) bool) *column {
		if i := slices.IndexFunc(now.Columns, f); i >= 0 {
			return &now.Columns[i]
		}
		return nil
	}
	if found := by(func(n column) bool { return n.Name == col.Name }); found != nil {
		return found
	}
	if now.OID == from.OID {
		if found := by(func(n column) bool { return n.Num == col.Num }); found != nil {
			return found
		}
	}
	aside := c.aside(col.Name)
	return by(func(n column) bool { return n.Name == aside })
}

// untouched reports whether the rows need no reading: nothing was written, and
// every column is still what it was.
func (c *comparison) untouched(u unit, same map[uint32]bool) bool {
	parts := u.leaves
	if !u.before.Partitioned {
		parts = []*table{u.before}
	} else {
		n := 0
		for _, t := range c.after.tables {
			if u.now != nil && t.Root == u.now.OID && !t.Partitioned {
				n++
			}
		}
		if n != len(u.leaves) {
			return false
		}
	}
	if u.now == nil || u.now.OID != u.before.OID || len(u.sources) != 1 {
		return false
	}
	for _, t := range parts {
		now := c.after.byOID[t.OID]
		if !same[t.OID] || now == nil {
			return false
		}
		for _, col := range t.Columns {
			if col.Generated {
				continue
			}
			found := c.columnNow(col, t, now)
			if found == nil || found.Num != col.Num {
				return false
			}
		}
	}
	return true
}

func from(t *table) string {
	name := ident(t.Schema, t.Name)
	if t.Partitioned {
		return name
	}
	return "ONLY " + name
}

// values are the columns of before that hold data.
func (t *table) values() []column {
	var cols []column
	for _, col := range t.Columns {
		if !col.Generated {
			cols = append(cols, col)
		}
	}
	return cols
}

func quoted(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, ident(n))
	}
	return strings.Join(q, ", ")
}
