package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// Schema reads every object that a migration can make, in the spelling of the
// server's own deparsers with all names qualified. What belongs to an extension
// or to the server is left out.
//
// The order of columns, the last value of sequences and the names of NOT NULL
// constraints (PostgreSQL 18) do not count. A grant counts as an object of its
// own ("privileges"), and so does a comment.
func (d *Database) Schema(ctx context.Context) (snapshot.Schema, error) {
	var schema snapshot.Schema
	err := d.read(ctx, func(c *pgx.Conn) error {
		// One state for all queries; the deparsers look at the newest anyway.
		tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		for _, q := range schemaQueries {
			if d.s.major() < q.since {
				continue
			}
			rows, err := tx.Query(ctx, d.s.expand(q.sql))
			if err == nil {
				var more []snapshot.Object
				more, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (o snapshot.Object, err error) {
					err = row.Scan(&o.Kind, &o.Name, &o.Relation, &o.Definition, &o.OID)
					return o, err
				})
				schema = append(schema, more...)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", q.what, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", d.name, err)
	}
	slices.SortStableFunc(schema, func(a, b snapshot.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return schema, nil
}

var collationName = lazy.Compile(`([\w.]+|nullif\([^)]*\))::regcollation`)

// expand replaces what the queries have in common, and what differs by version.
func (s *Server) expand(sql string) string {
	pairs := []string{
		// Schemas of users. Temporary ones are pg_temp_N.
		"{user n}", `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
	}
	for _, of := range []struct{ alias, class string }{
		{"c", "pg_class"}, {"n", "pg_namespace"}, {"p", "pg_proc"}, {"t", "pg_type"}, {"o", "pg_operator"}, {"e", "pg_event_trigger"},
		{"l", "pg_language"}, {"f", "pg_foreign_data_wrapper"}, {"s", "pg_foreign_server"}, {"k", "pg_collation"}, {"v", "pg_conversion"},
		{"oc", "pg_opclass"}, {"of", "pg_opfamily"}, {"am", "pg_am"}, {"ca", "pg_cast"}, {"td", "pg_ts_dict"}, {"tc", "pg_ts_config"},
		{"st", "pg_statistic_ext"}, {"tr", "pg_transform"},
	} {
		pairs = append(pairs, "{own "+of.alias+"}", fmt.Sprintf(
			`NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '%s'::regclass AND d.objid = %s.oid AND d.deptype = 'e')`, of.class, of.alias))
	}
	if s.super {
		pairs = append(pairs, "{mappings}", "pg_user_mapping")
	} else { // the view shows to others what is theirs
		pairs = append(pairs, "{mappings}", "(SELECT umid AS oid, umuser, srvid AS umserver, umoptions FROM pg_user_mappings)")
	}
	if s.has().compression {
		pairs = append(pairs, "{compression}", `CASE a.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END`)
	} else {
		pairs = append(pairs, "{compression}", `NULL`)
	}
	if s.has().published {
		pairs = append(pairs, "{published}", `'WHERE ' || pg_get_expr(r.prqual, r.prrelid),
			(SELECT '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) || ')' FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))`)
	} else {
		pairs = append(pairs, "{published}", `NULL`)
	}
	if s.has().notNull {
		pairs = append(pairs, "{not null}", `CASE WHEN a.attnotnull THEN 'NOT NULL' || CASE WHEN EXISTS (SELECT FROM pg_constraint nn
			WHERE nn.conrelid = a.attrelid AND nn.contype = 'n' AND nn.conkey[1] = a.attnum AND NOT nn.convalidated) THEN ' NOT VALID' ELSE '' END END`,
			"{generated}", `CASE a.attgenerated WHEN 's' THEN ' STORED' WHEN 'v' THEN ' VIRTUAL' END`)
	} else {
		pairs = append(pairs, "{not null}", `CASE WHEN a.attnotnull THEN 'NOT NULL' END`, "{generated}", `' STORED'`)
	}
	if s.has().statisticsTarget {
		pairs = append(pairs, "{statistics target}", "st.stxstattarget")
	} else {
		pairs = append(pairs, "{statistics target}", "NULL::int")
	}
	sql = strings.NewReplacer(pairs...).Replace(sql)
	if !s.has().collationNames {
		sql = collationName.ReplaceAllString(sql, `(SELECT CASE nspname WHEN 'pg_catalog' THEN '' ELSE quote_ident(nspname) || '.' END || quote_ident(collname)
			FROM pg_collation cn JOIN pg_namespace nn ON nn.oid = cn.collnamespace WHERE cn.oid = $1)`)
	}
	return sql
}
