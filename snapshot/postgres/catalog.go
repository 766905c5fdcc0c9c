package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Catalog lists the relations of the database by OID, toast included and the
// server's own left out. A partitioned table has no rows and no file of its
// own; its leaves name it as their Root.
func (d *Database) Catalog(ctx context.Context) (map[string]snapshot.Relation, error) {
	all := map[string]snapshot.Relation{}
	err := d.read(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, catalogSQL)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[snapshot.Relation]) // References are other engines'
		for _, r := range list {
			all[r.Object] = r
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalogue of %s: %w", d.name, err)
	}
	return all, nil
}

// ofExtension: the relation c belongs to an extension.
const ofExtension = `EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

const catalogSQL = `
WITH toast AS (SELECT reltoastrelid AS oid, oid AS of FROM pg_class WHERE reltoastrelid <> 0),
columns AS (
	SELECT attrelid, array_agg(attname::text ORDER BY attnum) AS names FROM pg_attribute
	WHERE attnum > 0 AND NOT attisdropped GROUP BY attrelid)
SELECT c.oid::text AS object, n.nspname::text AS schema, c.relname::text AS name,
	CASE WHEN t.of IS NOT NULL THEN 'toast' WHEN ti.of IS NOT NULL THEN 'toast index' ELSE CASE c.relkind
		WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence'
		WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite' ELSE c.relkind::text END END AS kind,
	coalesce(t.of, ti.of, i.indrelid, c.oid)::text AS "table",
	coalesce(nullif(pg_partition_root(coalesce(t.of, ti.of, i.indrelid, c.oid))::oid, coalesce(t.of, ti.of, i.indrelid, c.oid))::text, '') AS root,
	CASE WHEN c.relfilenode = 0 THEN '' ELSE c.relfilenode::text END AS file,
	greatest(c.reltuples, 0)::bigint * (c.relkind <> 'p')::int AS rows,
	CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) WHEN c.relkind IN ('i', 't', 'S') THEN pg_relation_size(c.oid) ELSE 0 END AS bytes,
	CASE WHEN c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') THEN k.names END AS columns,
	` + ofExtension + ` AS extension
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN toast t ON t.oid = c.oid LEFT JOIN toast ti ON ti.oid = i.indrelid
LEFT JOIN columns k ON k.attrelid = c.oid
WHERE c.oid >= 16384 AND n.nspname NOT IN ('pg_catalog', 'information_schema')`

// Ledger reads a tool's history table, named "table" or "schema.table" in any
// case; without a schema it is public's or, where public has none, the only one
// of that name. name is where it was found. Values are as text, NULL as "",
// rows in the order of their id where they have one.
func (d *Database) Ledger(ctx context.Context, named string) (columns []string, rows [][]string, found bool, name string, err error) {
	within, bare, err := snapshot.SplitTable(named)
	if err != nil {
		return nil, nil, false, "", err
	}
	err = d.read(ctx, func(c *pgx.Conn) error {
		schema, table, err := findLedger(ctx, c, within, bare)
		if err != nil || table == "" {
			return err
		}
		name = schema + "." + table
		if err := c.QueryRow(ctx, `SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
			WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped`, ident(schema, table)).Scan(&columns); err != nil {
			return err
		}
		found = true
		sql := "SELECT "
		for i, col := range columns {
			if i > 0 {
				sql += ", "
			}
			sql += "coalesce(" + ident(col) + "::text, '')"
		}
		if len(columns) == 0 {
			return nil
		}
		sql += " FROM " + ident(schema, table)
		if slices.Contains(columns, "id") {
			sql += " ORDER BY id"
		}
		r, err := c.Query(ctx, sql)
		if err != nil {
			return err
		}
		defer r.Close()
		for r.Next() {
			row := make([]string, len(columns))
			into := make([]any, len(columns))
			for i := range row {
				into[i] = &row[i]
			}
			if err := r.Scan(into...); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return r.Err()
	})
	if err != nil {
		return nil, nil, false, "", fmt.Errorf("read the ledger %s: %w", named, err)
	}
	return columns, rows, found, name, nil
}

// findLedger returns "" where no table has that name.
func findLedger(ctx context.Context, c *pgx.Conn, within, bare string) (schema, table string, err error) {
	r, err := c.Query(ctx, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE lower(c.relname) = lower($1) AND c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		AND ($2 = '' OR lower(n.nspname) = lower($2))
		ORDER BY n.nspname = $2 DESC, n.nspname, c.relname = $1 DESC, c.relname`, bare, within)
	if err != nil {
		return "", "", err
	}
	tables := map[string]string{}
	var schemas []string
	if _, err := pgx.ForEachRow(r, []any{&schema, &table}, func() error {
		if tables[schema] == "" {
			tables[schema] = table
			schemas = append(schemas, schema)
		}
		return nil
	}); err != nil || len(schemas) == 0 {
		return "", "", err
	}
	home := "public"
	if within != "" {
		home = schemas[0]
	}
	if schema, err = snapshot.ChooseLedger(bare, home, schemas); err != nil {
		return "", "", err
	}
	return schema, tables[schema], nil
}
