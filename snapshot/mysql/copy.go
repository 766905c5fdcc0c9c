package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// copier makes a clone on a server where only schemas can be made: table by
// table, by the server's own SHOW CREATE and INSERT … SELECT. All of it
// belongs to the migrating account.
type copier struct {
	s        *Server
	instance string
	from, to string // schemas
	r        *restore
	// owner is a session of the migrating account, who alone may read all code.
	owner *sql.Conn
}

func (b *Baseline) copyEmpty(ctx context.Context, instance string, _ map[string]string) error {
	return b.copy(ctx, instance, false)
}

// copy makes a clone, with rows or without.
func (b *Baseline) copy(ctx context.Context, instance string, rows bool) (err error) {
	s := b.s
	c := &copier{
		s: s, instance: instance, from: s.guest.schema(snapshot.FirstInstance), to: s.guest.schema(instance),
		r: &restore{s: s, opt: RestoreOptions{Jobs: defaultJobs()}},
	}
	if err := c.make(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if drop := s.Drop(context.WithoutCancel(ctx), instance); drop != nil {
				err = fmt.Errorf("%w; and %w", err, drop)
			}
			err = b.Database().Names().err(Names{c.to, b.Name()}.err(err))
		}
	}()
	if err := c.tables(ctx, rows); err != nil {
		return err
	}
	err = c.both(ctx, func(conn *sql.Conn) error {
		for _, part := range []func(context.Context, *sql.Conn) error{c.routines, c.views, c.triggers, c.events, c.histograms} {
			if err := part(ctx, conn); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.on(ctx, instance, "", func(admin *sql.Conn) error { return c.note(ctx, admin) })
}

// make makes the schema, with the character set of the baseline's.
func (c *copier) make(ctx context.Context) error {
	var collation string
	err := c.s.on(ctx, c.instance, "", func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+literal(c.from)).Scan(&collation)
	})
	if err != nil {
		return err
	}
	return c.s.found(ctx, c.to, "COLLATE "+collation)
}

// on is a session of who loads that copies as it is.
func (c *copier) on(ctx context.Context, f func(*sql.Conn) error) error {
	params := map[string]string{
		"foreign_key_checks": "0", "unique_checks": "0", "sql_quote_show_create": "1",
		"sql_mode": "'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'", "time_zone": "'+00:00'",
	}
	if c.s.maria {
		params["tx_isolation"], params["max_statement_time"] = "'READ-COMMITTED'", "0"
	} else {
		params["transaction_isolation"], params["max_execution_time"] = "'READ-COMMITTED'", "0"
	}
	return c.s.onLoading(ctx, c.instance, c.to, params, f)
}

// both is on with a session of the migrating account beside it.
func (c *copier) both(ctx context.Context, f func(*sql.Conn) error) error {
	user, password := c.s.owner()
	return c.s.onAs(ctx, user, password, c.instance, c.from, map[string]string{"sql_quote_show_create": "1"}, func(owner *sql.Conn) error {
		c.owner = owner // in the baseline, so that what is there is spelled without its name
		return c.on(ctx, f)
	})
}

// tables copies sequences first, which defaults of tables may use.
func (c *copier) tables(ctx context.Context, rows bool) error {
	type entry struct {
		name string
		big  bool
	}
	var sequences []string
	var tables []entry
	err := c.on(ctx, func(conn *sql.Conn) error {
		list, err := textRows(ctx, conn, `SELECT TABLE_NAME, TABLE_TYPE, COALESCE(DATA_LENGTH, 0) > `+fmt.Sprint(bigTable)+` FROM information_schema.TABLES
			WHERE TABLE_SCHEMA = `+literal(c.from)+` AND TABLE_TYPE NOT LIKE '%VIEW' ORDER BY DATA_LENGTH DESC`)
		for _, t := range list {
			if t[1] == "SEQUENCE" {
				sequences = append(sequences, t[0])
			} else {
				tables = append(tables, entry{t[0], t[2] == "1"})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := c.on(ctx, func(conn *sql.Conn) error { return c.sequences(ctx, conn, sequences) }); err != nil {
		return err
	}
	return c.parallel(ctx, len(tables), func(conn *sql.Conn, i int) error {
		t := tables[i]
		if err := c.table(ctx, conn, t.name, rows, t.big); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		return nil
	})
}

// parallel runs f for 0 to n-1 on several connections.
func (c *copier) parallel(ctx context.Context, n int, f func(conn *sql.Conn, i int) error) error {
	return c.r.parallelOn(ctx, n, c.on, func(_ context.Context, conn *sql.Conn, i int) error { return f(conn, i) })
}

func (c *copier) sequences(ctx context.Context, conn *sql.Conn, names []string) error {
	for _, name := range names {
		show, err := shown(ctx, conn, "SHOW CREATE SEQUENCE "+ident(c.from, name))
		if err != nil {
			return fmt.Errorf("sequence %s: %w", name, err)
		}
		var next string
		if err := conn.QueryRowContext(ctx, "SELECT next_not_cached_value FROM "+ident(c.from, name)).Scan(&next); err != nil {
			return fmt.Errorf("sequence %s: %w", name, err)
		}
		for _, q := range []string{c.moved(show["create table"]), "DO SETVAL(" + ident(c.to, name) + ", " + next + ", 0)"} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("sequence %s: %w", name, err)
			}
		}
	}
	return nil
}

// table makes one table and fills it. Secondary indexes of a big one are built
// when its rows are in.
func (c *copier) table(ctx context.Context, conn *sql.Conn, name string, rows, big bool) error {
	show, err := showCreate(ctx, conn, c.from, name)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, c.moved(show)); err != nil {
		return err
	}
	if !rows {
		return nil
	}
	var late *indexes
	if big {
		if late, err = c.r.takeIndexes(ctx, c.to, name); err != nil {
			return err
		}
	}
	list, err := column(ctx, conn, `SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = `+literal(c.from)+` AND TABLE_NAME = `+literal(name)+`
		AND REPLACE(EXTRA, 'DEFAULT_GENERATED', '') NOT LIKE '%GENERATED%' ORDER BY ORDINAL_POSITION`)
	if err != nil {
		return err
	}
	from := ident(c.from, name)
	if strings.Contains(show, "\n  PRIMARY KEY ") { // in its order, whatever index would do
		from += " FORCE INDEX (PRIMARY)"
	}
	if _, err := conn.ExecContext(ctx, "INSERT INTO "+ident(c.to, name)+" ("+quoted(list)+") SELECT "+quoted(list)+" FROM "+from); err != nil {
		return err
	}
	if late != nil {
		if err := late.build(ctx, c.r); err != nil {
			return err
		}
	}
	return c.analyze(ctx, conn, "ANALYZE NO_WRITE_TO_BINLOG TABLE "+ident(c.to, name))
}

// analyze runs what answers with rows that are of no consequence.
func (c *copier) analyze(ctx context.Context, conn *sql.Conn, statement string) error {
	_, err := textRows(ctx, conn, statement)
	return err
}

// moved makes a text of the baseline's speak of the clone.
func (c *copier) moved(text string) string { return strings.ReplaceAll(text, c.from, c.to) }

// shown runs a SHOW CREATE and gives its one row by the columns' names, in lower
// case.
func shown(ctx context.Context, conn *sql.Conn, query string) (map[string]string, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if !rows.Next() {
		return nil, cmp.Or(rows.Err(), fmt.Errorf("%s has no answer", brief(query)))
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	by := map[string]string{}
	for i, n := range names {
		by[strings.ToLower(n)] = values[i].String
	}
	return by, rows.Close()
}

// code makes what has a body once more, in the very session that it remembers.
func (c *copier) code(ctx context.Context, conn *sql.Conn, kind, name string) error {
	by, err := shown(ctx, c.owner, "SHOW CREATE "+kind+" "+ident(c.from, name))
	if err != nil {
		return err
	}
	text := by["create "+strings.ToLower(kind)]
	if kind == "TRIGGER" {
		text = by["sql original statement"]
	}
	if text == "" {
		return errors.New("the account may not read its body")
	}
	// A view remembers no sql_mode, and is spelled for any but those that change
	// how text is read.
	set := []string{"character_set_client = " + by["character_set_client"], "collation_connection = " + by["collation_connection"]}
	if mode, ok := by["sql_mode"]; ok {
		set = append(set, "sql_mode = "+literal(mode))
	}
	if zone, ok := by["time_zone"]; ok {
		set = append(set, "time_zone = "+literal(zone))
	}
	before, during, differs := "", by["database collation"], false
	if during != "" {
		if err := conn.QueryRowContext(ctx, "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+literal(c.to)).Scan(&before); err != nil {
			return err
		}
		differs = before != during
	}
	collate := func(name string) error {
		if !differs {
			return nil
		}
		_, err := conn.ExecContext(ctx, "ALTER DATABASE "+ident(c.to)+" COLLATE "+name)
		return err
	}
	if err := collate(during); err != nil {
		return err
	}
	mine, _ := withOwner([]byte(text), c.s.guest.definer)
	defer func() { _, _ = conn.ExecContext(ctx, "SET NAMES utf8mb4, sql_mode = '', time_zone = '+00:00'") }()
	for _, q := range []string{"SET " + strings.Join(set, ", "), c.moved(string(mine))} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return collate(before)
}

func (c *copier) routines(ctx context.Context, conn *sql.Conn) error {
	list, err := textRows(ctx, c.owner, "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = "+literal(c.from)+" ORDER BY 1, 2")
	for _, v := range list {
		if err := c.code(ctx, conn, v[0], v[1]); err != nil {
			return fmt.Errorf("%s %s: %w", strings.ToLower(v[0]), v[1], err)
		}
	}
	return err
}

// views are made in rounds, for one may need another.
func (c *copier) views(ctx context.Context, conn *sql.Conn) error {
	left, err := column(ctx, c.owner, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'VIEW' AND TABLE_SCHEMA = "+literal(c.from)+" ORDER BY 1")
	if err != nil {
		return err
	}
	for len(left) > 0 {
		var again []string
		var why error
		for _, name := range left {
			if err := c.code(ctx, conn, "VIEW", name); err != nil {
				again, why = append(again, name), fmt.Errorf("view %s: %w", name, err)
			}
		}
		if len(again) == len(left) {
			return why
		}
		left = again
	}
	return nil
}

func (c *copier) triggers(ctx context.Context, conn *sql.Conn) error {
	list, err := column(ctx, c.owner, `SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = `+literal(c.from)+`
		ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`)
	for _, name := range list {
		if err := c.code(ctx, conn, "TRIGGER", name); err != nil {
			return fmt.Errorf("trigger %s: %w", name, err)
		}
	}
	return err
}

func (c *copier) events(ctx context.Context, conn *sql.Conn) error {
	list, err := column(ctx, c.owner, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = "+literal(c.from)+" ORDER BY 1")
	for _, name := range list {
		if err := c.code(ctx, conn, "EVENT", name); err != nil {
			return fmt.Errorf("event %s: %w", name, err)
		}
	}
	return err
}

// histograms are MySQL's statistics of single columns.
func (c *copier) histograms(ctx context.Context, conn *sql.Conn) error {
	if c.s.maria {
		return nil
	}
	list, err := textRows(ctx, conn, `SELECT TABLE_NAME, COLUMN_NAME, HISTOGRAM->>'$."number-of-buckets-specified"'
		FROM information_schema.COLUMN_STATISTICS WHERE SCHEMA_NAME = `+literal(c.from))
	for _, v := range list {
		if err := c.analyze(ctx, conn, "ANALYZE NO_WRITE_TO_BINLOG TABLE "+ident(c.to, v[0])+" UPDATE HISTOGRAM ON "+ident(v[1])+" WITH "+v[2]+" BUCKETS"); err != nil {
			return err
		}
	}
	return err
}

// note writes down which of the clone's numbers stand for which of the
// baseline's, where the account may read them.
func (c *copier) note(ctx context.Context, admin *sql.Conn) error {
	tables := map[string]bool{}
	list, err := column(ctx, admin, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE NOT LIKE '%VIEW' AND TABLE_SCHEMA = "+literal(c.to))
	if err != nil {
		return err
	}
	var both []tableName
	for _, name := range list {
		tables[name] = true
		both = append(both, tableName{c.from, name}, tableName{c.to, name})
	}
	st, err := c.s.readStorage(ctx, admin, both)
	if isNumber(err, 1227) {
		return nil
	}
	if err != nil {
		return err
	}
	var values []string
	add := func(kind string, id, base int64) {
		values = append(values, fmt.Sprintf("(%s, '%s', %d, %d)", literal(c.instance), kind, id, base))
	}
	for name := range tables {
		was, now := st.tables[tableName{c.from, name}], st.tables[tableName{c.to, name}]
		if len(was) != len(now) || len(was) == 0 {
			continue
		}
		for i := range now {
			add("table", now[i], was[i])
		}
		for key, id := range st.indexes {
			if i := slices.Index(now, key.table); i >= 0 {
				if base := st.indexes[indexKey{was[i], key.name}]; base != 0 {
					add("index", id, base)
				}
			}
		}
	}
	for some := range slices.Chunk(values, 1000) {
		if _, err := admin.ExecContext(ctx, "INSERT INTO "+ident(c.s.guest.home(), "origins")+" (instance, kind, id, base) VALUES "+strings.Join(some, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// origins puts the baseline's numbers in the place of a clone's.
func (d *Database) origins(ctx context.Context, admin *sql.Conn, st *storage) error {
	rows, err := admin.QueryContext(ctx, "SELECT kind, id, base FROM "+ident(d.s.guest.home(), "origins")+" WHERE instance = "+literal(d.instance))
	if err != nil {
		return err
	}
	defer rows.Close()
	table, index := map[int64]int64{}, map[int64]int64{}
	for rows.Next() {
		var kind string
		var id, base int64
		if err := rows.Scan(&kind, &id, &base); err != nil {
			return err
		}
		if kind == "index" {
			index[id] = base
		} else {
			table[id] = base
		}
	}
	or := func(m map[int64]int64, id int64) int64 {
		if base, ok := m[id]; ok {
			return base
		}
		return id
	}
	for _, ids := range st.tables {
		for i := range ids {
			ids[i] = or(table, ids[i])
		}
		slices.Sort(ids)
	}
	moved := make(map[indexKey]int64, len(st.indexes))
	for key, id := range st.indexes {
		moved[indexKey{or(table, key.table), key.name}] = or(index, id)
	}
	st.indexes = moved
	return rows.Err()
}
