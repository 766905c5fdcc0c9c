package mysql

import (
	"context"
	"database/sql"
	"fmt"
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
		list, err := TextRows(ctx, conn, `SELECT TABLE_NAME, TABLE_TYPE, COALESCE(DATA_LENGTH, 0) > `+fmt.Sprint(bigTable)+` FROM information_schema.TABLES
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
	_, err := TextRows(ctx, conn, statement)
	return err
}

// moved makes a text of the baseline's speak of the clone.
func (c *copier) moved(text string) string { return strings.ReplaceAll(text, c.from, c.to) }

// histograms are MySQL's statistics of single columns.
func (c *copier) histograms(ctx context.Context, conn *sql.Conn) error {
	if c.s.maria {
		return nil
	}
	list, err := TextRows(ctx, conn, `SELECT TABLE_NAME, COLUMN_NAME, HISTOGRAM->>'$."number-of-buckets-specified"'
		FROM information_schema.COLUMN_STATISTICS WHERE SCHEMA_NAME = `+literal(c.from))
	for _, v := range list {
		if err := c.analyze(ctx, conn, "ANALYZE NO_WRITE_TO_BINLOG TABLE "+ident(c.to, v[0])+" UPDATE HISTOGRAM ON "+ident(v[1])+" WITH "+v[2]+" BUCKETS"); err != nil {
			return err
		}
	}
	return err
}
