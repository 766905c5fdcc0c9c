package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Schema reads every object that a migration can make in the schemas of the
// migrating account, from information_schema where that is normalised, else
// from the server's own SHOW CREATE.
//
// Left out are the values of AUTO_INCREMENT (they are data), who defined an
// object, and what InnoDB does whether it is said or not (USING BTREE). A unique
// index is an index. The place of a column counts, seen from its neighbour.
func (d *Database) Schema(ctx context.Context) (snapshot.Schema, error) {
	var schema snapshot.Schema
	err := d.read(ctx, func(c *sql.Conn) error {
		r := &schemaReader{s: d.s, d: d, c: c, names: d.Names(), seen: map[string]bool{}}
		err := r.read(ctx)
		schema = r.out
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", d.instance, err)
	}
	slices.SortStableFunc(schema, func(a, b snapshot.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return schema, nil
}

type schemaReader struct {
	s       *Server
	d       *Database
	c       *sql.Conn
	names   Names
	schemas string // as a list for IN
	st      *storage
	seen    map[string]bool
	out     snapshot.Schema
}

func (r *schemaReader) read(ctx context.Context) error {
	schemas, err := r.d.schemas(ctx, r.c)
	if err != nil || len(schemas) == 0 {
		return err
	}
	r.schemas = literals(schemas)
	tables, err := r.d.baseTables(ctx, r.c)
	if err != nil {
		return err
	}
	if r.st, err = r.d.readStorage(ctx, r.c, tables); err != nil {
		return fmt.Errorf("numbers of tables: %w", err)
	}
	for _, part := range []struct {
		what string
		read func(context.Context) error
	}{
		{"schemas", r.readSchemas},
		{"tables", func(ctx context.Context) error { return r.readTables(ctx, tables) }},
		{"columns", r.readColumns},
		{"views", r.readViews},
		{"triggers", r.readTriggers},
		{"routines", r.readRoutines},
		{"events", r.readEvents},
		{"sequences", r.readSequences},
		{"histograms", r.readHistograms},
	} {
		if err := part.read(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.what, err)
		}
	}
	return nil
}

// add keeps names unique within their kind, or a difference would be hidden:
// MySQL lets a foreign key and a check have one name.
func (r *schemaReader) add(o snapshot.Object) {
	o.Name, o.Relation, o.Definition = r.names.Show(o.Name), r.names.Show(o.Relation), r.names.Show(o.Definition)
	for r.seen[o.Kind+" "+o.Name] {
		o.Name += " (2)"
	}
	r.seen[o.Kind+" "+o.Name] = true
	r.out = append(r.out, o)
}

// text runs a query and gives its rows as text, NULL as "".
func (r *schemaReader) text(ctx context.Context, query string) ([][]string, error) {
	return TextRows(ctx, r.c, strings.ReplaceAll(query, "{schemas}", r.schemas))
}

// TextRows runs a query and gives its rows as text, NULL as "".
func TextRows(ctx context.Context, c *sql.Conn, query string) ([][]string, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(names))
		for i, v := range values {
			row[i] = v.String
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// words joins those that are not empty.
func words(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}

// clause is "word value", or "" without a value.
func clause(word, value string) string {
	if value == "" {
		return ""
	}
	return word + " " + value
}

func (r *schemaReader) readSchemas(ctx context.Context) error {
	rows, err := r.text(ctx, `SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({schemas})`)
	for _, row := range rows {
		r.add(snapshot.Object{Kind: "schema", Name: row[0], Definition: words(clause("CHARACTER SET", row[1]), clause("COLLATE", row[2]))})
	}
	return err
}

// readTables reads tables with their keys and constraints.
func (r *schemaReader) readTables(ctx context.Context, tables []tableName) error {
	for _, t := range tables {
		rows, err := r.text(ctx, "SHOW CREATE TABLE "+ident(t.schema, t.name))
		if err != nil {
			return err
		}
		name, id := t.String(), r.st.id(t)
		elements, tail := splitCreate(rows[0][1])
		r.add(snapshot.Object{Kind: "table", Name: name, Definition: without(tail, "AUTO_INCREMENT="), OID: id})
		for _, text := range elements {
			e, ok := parseElement(text)
			if !ok {
				continue
			}
			oid := r.st.index(t, e.name)
			if oid == "" || e.kind != "index" {
				oid = within(id, e.name)
			}
			r.add(snapshot.Object{Kind: e.kind, Name: name + "." + e.name, Relation: name, Definition: e.definition, OID: oid})
		}
	}
	if !r.s.maria {
		return nil
	}
	// Checks that are written at their column are not among the elements.
	rows, err := r.text(ctx, `SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
		WHERE CONSTRAINT_SCHEMA IN ({schemas}) AND LEVEL = 'Column'`)
	for _, row := range rows {
		t := tableName{row[0], row[1]}
		r.add(snapshot.Object{Kind: "constraint", Name: t.String() + "." + row[2], Relation: t.String(),
			Definition: "CHECK (" + row[3] + ")", OID: within(r.st.id(t), row[2])})
	}
	return err
}

// within is the key of a part by its table's.
func within(id, name string) string {
	if id == "" {
		return ""
	}
	return id + "/" + name
}

func (t tableName) String() string { return t.schema + "." + t.name }

func (r *schemaReader) readColumns(ctx context.Context) error {
	srid := "''"
	if !r.s.maria {
		srid = "SRS_ID"
	}
	rows, err := r.text(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, `+srid+`,
			GENERATION_EXPRESSION, IS_NULLABLE, COLUMN_DEFAULT IS NOT NULL, COLUMN_DEFAULT, EXTRA, COLUMN_COMMENT
		FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME)
		WHERE TABLE_SCHEMA IN ({schemas}) AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
		ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`)
	if err != nil {
		return err
	}
	var last tableName
	place, n := "", 0
	for _, row := range rows {
		t := tableName{row[0], row[1]}
		if t != last {
			last, place, n = t, " FIRST", 0
		}
		n++
		r.add(snapshot.Object{Kind: "column", Name: t.String() + "." + row[2], Relation: t.String(),
			Definition: r.columnText(row[3:]) + place, OID: within(r.st.id(t), row[2]), Position: n})
		place = " AFTER " + ident(row[2])
	}
	return nil
}

// columnText spells a column: type, character set, collation, SRID, expression,
// nullable, has default, default, extra, comment.
func (r *schemaReader) columnText(v []string) string {
	null, def := "", ""
	if v[5] == "NO" {
		null = "NOT NULL"
	}
	extra := v[8]
	if v[6] == "1" {
		switch {
		case r.s.maria: // an expression already
			def = "DEFAULT " + v[7]
		case strings.Contains(extra, "DEFAULT_GENERATED"):
			def = "DEFAULT (" + v[7] + ")"
		default:
			def = "DEFAULT " + literal(v[7])
		}
		if def == "DEFAULT NULL" {
			def = "" // MariaDB says what goes without saying
		}
	}
	generated := ""
	if v[4] != "" {
		generated = "AS (" + v[4] + ")"
	}
	comment := ""
	if v[9] != "" {
		comment = "COMMENT " + literal(v[9])
	}
	extra = strings.TrimSpace(strings.Replace(extra, "DEFAULT_GENERATED", "", 1))
	return words(v[0], clause("CHARACTER SET", v[1]), clause("COLLATE", v[2]), clause("SRID", v[3]), generated, null, def, extra, comment)
}
