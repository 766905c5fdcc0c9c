package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

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
