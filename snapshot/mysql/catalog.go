package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// few rows are counted, for the server's estimate may be far off there; more
// than that are as the server estimates.
const few = 10000

// Catalog lists the tables and views of the migrating account, by
// "schema.name", with the schemas and the server ("*") as a whole. A
// partitioned table is one relation. File lists the numbers
// that InnoDB gives to a table's files: other numbers mean that it was written
// anew.
func (d *Database) Catalog(ctx context.Context) (map[string]snapshot.Relation, error) {
	var all map[string]snapshot.Relation
	err := d.read(ctx, func(c *sql.Conn) (err error) {
		all, err = d.catalog(ctx, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalogue of %s: %w", d.instance, err)
	}
	names := d.Names()
	if names.Physical == names.Shown {
		return all, nil
	}
	shown := make(map[string]snapshot.Relation, len(all))
	for _, r := range all {
		r.Object, r.Schema, r.Table, r.References = names.Show(r.Object), names.Show(r.Schema), names.Show(r.Table), names.showList(r.References)
		shown[r.Object] = r
	}
	return shown, nil
}

func (d *Database) catalog(ctx context.Context, c *sql.Conn) (map[string]snapshot.Relation, error) {
	all := map[string]snapshot.Relation{}
	schemas, err := d.schemas(ctx, c)
	if err != nil || len(schemas) == 0 {
		return all, err
	}
	in := literals(schemas)
	rows, err := TextRows(ctx, c, `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH,
		ENGINE IN (SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'NO') FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (`+in+`)`)
	if err != nil {
		return nil, err
	}
	// What is wider than a table can be locked, too: ALTER DATABASE, FLUSH TABLES
	// WITH READ LOCK.
	all["*"] = snapshot.Relation{Object: "*", Schema: "*", Name: "*", Table: "*", Kind: "server"}
	for _, name := range schemas {
		all[name] = snapshot.Relation{Object: name, Schema: name, Name: "*", Table: name, Kind: "schema"}
	}
	var tables []tableName
	for _, row := range rows {
		t := tableName{row[0], row[1]}
		r := snapshot.Relation{Object: t.String(), Schema: t.schema, Name: t.name, Table: t.String(), Kind: "table"}
		switch row[2] {
		case "VIEW", "SYSTEM VIEW":
			r.Kind = "view"
		case "SEQUENCE":
			r.Kind = "sequence"
		default:
			tables = append(tables, t)
			r.TableLocks = row[5] == "1"                 // no transactions, no row locks
			r.Rows, _ = strconv.ParseInt(row[3], 10, 64) // NULL where the engine does not say
			r.Bytes, _ = strconv.ParseInt(row[4], 10, 64)
			if r.Rows < few {
				n, err := TextRows(ctx, c, fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM %s LIMIT %d) x", ident(t.schema, t.name), few+1))
				if err != nil {
					return nil, err
				}
				if counted, _ := strconv.ParseInt(n[0][0], 10, 64); counted <= few {
					r.Rows = counted
				} else {
					r.Rows = max(r.Rows, counted)
				}
			}
		}
		all[r.Object] = r
	}
	st, err := d.readStorage(ctx, c, tables)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		r := all[t.String()]
		var files []string
		for _, id := range st.tables[t] {
			files = append(files, strconv.FormatInt(id, 10))
		}
		r.File = strings.Join(files, ",")
		all[r.Object] = r
	}
	rows, err = TextRows(ctx, c, `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN (`+in+`) ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`)
	for _, row := range rows {
		if r, ok := all[tableName{row[0], row[1]}.String()]; ok {
			r.Columns = append(r.Columns, row[2])
			all[r.Object] = r
		}
	}
	if err != nil {
		return nil, err
	}
	return all, references(ctx, c, in, all)
}

// references adds the tables that each one's foreign keys refer to.
func references(ctx context.Context, c *sql.Conn, in string, all map[string]snapshot.Relation) error {
	rows, err := TextRows(ctx, c, `SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME
FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_SCHEMA IN (`+in+`) ORDER BY 1, 2, 3, 4`)
	for _, row := range rows {
		if r, ok := all[tableName{row[0], row[1]}.String()]; ok {
			r.References = append(r.References, tableName{row[2], row[3]}.String())
			all[r.Object] = r
		}
	}
	return err
}

// Ledger reads a tool's history table, named "table" or "schema.table"; without
// a schema it is the database's own or, where that has none, the only one of
// that name that the migrating account sees. name is where it was found. Values
// are as text, NULL as "", rows in the order of their id where they have one.
func (d *Database) Ledger(ctx context.Context, named string) (columns []string, rows [][]string, found bool, name string, err error) {
	within, table, err := snapshot.SplitTable(named)
	if err != nil {
		return nil, nil, false, "", err
	}
	err = d.read(ctx, func(c *sql.Conn) error {
		schemas, err := d.schemas(ctx, c)
		if err != nil || len(schemas) == 0 {
			return err
		}
		names, err := TextRows(ctx, c, `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
			WHERE TABLE_NAME = `+literal(table)+` AND TABLE_SCHEMA IN (`+literals(schemas)+`)
			ORDER BY TABLE_SCHEMA <> `+literal(d.Names().Physical)+`, TABLE_SCHEMA, ORDINAL_POSITION`)
		if err != nil {
			return err
		}
		var shown []string
		physical := map[string]string{}
		for _, n := range names {
			as := d.Names().Show(n[0])
			if _, seen := physical[as]; !seen && (within == "" || strings.EqualFold(within, as)) {
				shown = append(shown, as)
				physical[as] = n[0]
			}
		}
		if len(shown) == 0 {
			return nil
		}
		at, err := snapshot.ChooseLedger(table, d.Names().Show(d.Names().Physical), shown)
		if err != nil {
			return err
		}
		found, name = true, at+"."+table
		schema := physical[at]
		sql := "SELECT "
		for _, n := range names {
			if n[0] != schema || n[1] != table {
				continue
			}
			if len(columns) > 0 {
				sql += ", "
			}
			columns = append(columns, n[2])
			sql += ident(n[2])
		}
		sql += " FROM " + ident(schema, table)
		if slices.Contains(columns, "id") {
			sql += " ORDER BY id"
		}
		rows, err = TextRows(ctx, c, sql)
		return err
	})
	if err != nil {
		return nil, nil, false, "", fmt.Errorf("read the ledger %s: %w", named, err)
	}
	return columns, rows, found, name, nil
}
