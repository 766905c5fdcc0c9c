package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

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
	list, err := TextRows(ctx, c.owner, "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = "+literal(c.from)+" ORDER BY 1, 2")
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
