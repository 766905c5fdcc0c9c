package rule_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

const fixSchema = `
CREATE SCHEMA "App";
CREATE TABLE users (id bigint PRIMARY KEY, name text);
INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 100) i;
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, total integer NOT NULL DEFAULT 0, code varchar(40), note text, placed timestamptz, "Odd Col" text);
INSERT INTO orders SELECT i, 1 + i % 100, i, 'c' || i, repeat('x', 100), now(), 'odd' FROM generate_series(1, 20000) i;
CREATE INDEX orders_total_idx ON orders (total);
CREATE TABLE "App"."Order Lines" (id bigint NOT NULL, "Order" bigint, price numeric(10,2));
INSERT INTO "App"."Order Lines" SELECT i, i, i FROM generate_series(1, 100) i;
CREATE TABLE parts (id bigint NOT NULL, user_id bigint, total integer) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (2000);
INSERT INTO parts SELECT i, 1 + i % 100, i FROM generate_series(1, 1999) i;
CREATE TABLE parts_3 (id bigint NOT NULL, user_id bigint, total integer);
CREATE MATERIALIZED VIEW daily AS SELECT id, total FROM orders;
CREATE UNIQUE INDEX ON daily (id);
CREATE DOMAIN email AS text;
`

// Fixes are pasted by somebody in a hurry: each must run as it stands, and do
// what the statement in its place would have done.
var fixCases = []struct {
	name string
	sql  string
	// proof is a condition that holds after the fix.
	proof string
	// metadata: nothing was written anew.
	metadata bool
	// contains is what the fix must say.
	contains string
	// comment: the fix has no statement to run.
	comment bool
}{
	{name: "index", sql: `CREATE INDEX orders_code_idx ON orders (code)`, contains: "CREATE INDEX CONCURRENTLY orders_code_idx ON orders",
		proof: `(SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_code_idx'::regclass)`},
	{name: "unique partial index in a quoted schema", sql: `CREATE UNIQUE INDEX IF NOT EXISTS "Line Idx" ON "App"."Order Lines" (id, lower("Order"::text)) WHERE price > 0`,
		proof: `(SELECT indisvalid AND indisunique AND indpred IS NOT NULL FROM pg_index WHERE indexrelid = '"App"."Line Idx"'::regclass)`},
	{name: "index without a name", sql: `CREATE INDEX ON orders (placed)`, proof: `EXISTS (SELECT FROM pg_indexes WHERE indexdef LIKE '%(placed)')`},
	{name: "index on a partitioned table", sql: `CREATE INDEX parts_user_idx ON parts (user_id)`,
		proof: `(SELECT indisvalid FROM pg_index WHERE indexrelid = 'parts_user_idx'::regclass)`},
	{name: "drop index", sql: `DROP INDEX IF EXISTS orders_total_idx`, proof: `to_regclass('orders_total_idx') IS NULL`, contains: "DROP INDEX CONCURRENTLY IF EXISTS"},
	{name: "reindex index", sql: `REINDEX INDEX orders_total_idx`, proof: `true`, contains: "REINDEX INDEX CONCURRENTLY orders_total_idx"},
	{name: "reindex table", sql: `REINDEX TABLE orders`, proof: `true`, contains: "REINDEX TABLE CONCURRENTLY orders"},
	{name: "refresh", sql: `REFRESH MATERIALIZED VIEW daily`, proof: `true`, contains: "REFRESH MATERIALIZED VIEW CONCURRENTLY daily"},
	{name: "vacuum full", sql: `VACUUM FULL orders`, proof: `true`, contains: "pg_repack"},
	{name: "cluster", sql: `CLUSTER orders USING orders_pkey`, proof: `true`, contains: "pg_repack"},

	{name: "check", sql: `ALTER TABLE orders ADD CHECK (total >= 0)`, contains: "NOT VALID", metadata: true,
		proof: `(SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'c')`},
	{name: "named check", sql: `ALTER TABLE orders ADD CONSTRAINT "Positive" CHECK (total >= 0)`, metadata: true,
		proof: `(SELECT convalidated FROM pg_constraint WHERE conname = 'Positive')`},
	{name: "foreign key", sql: `ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE`, contains: "orders_user_id_fkey", metadata: true,
		proof: `(SELECT convalidated AND confdeltype = 'c' FROM pg_constraint WHERE conname = 'orders_user_id_fkey')`},
	{name: "foreign key with a new column", sql: `ALTER TABLE orders ADD COLUMN owner bigint REFERENCES users (id)`, metadata: true,
		proof: `(SELECT convalidated FROM pg_constraint WHERE conname = 'orders_owner_fkey')`},
	{name: "foreign key of a partitioned table", sql: `ALTER TABLE parts ADD CONSTRAINT parts_user FOREIGN KEY (user_id) REFERENCES users (id)`,
		proof: `(SELECT bool_and(convalidated) AND count(*) >= 3 FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE 'parts%')`},
	{name: "unique", sql: `ALTER TABLE orders ADD UNIQUE (code)`, contains: "USING INDEX orders_code_key", metadata: true,
		proof: `(SELECT contype = 'u' FROM pg_constraint WHERE conname = 'orders_code_key')`},
	{name: "unique, deferrable and more", sql: `ALTER TABLE orders ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (code) INCLUDE (note) DEFERRABLE INITIALLY DEFERRED`,
		proof: `(SELECT condeferrable AND condeferred FROM pg_constraint WHERE conname = 'u') AND pg_get_indexdef('u'::regclass) LIKE '%INCLUDE (note)%NULLS NOT DISTINCT%'`},
	{name: "primary key", sql: `ALTER TABLE "App"."Order Lines" ADD PRIMARY KEY (id, "Order")`,
		proof: `(SELECT contype = 'p' FROM pg_constraint WHERE conname = 'Order Lines_pkey')`},
	{name: "key of a partitioned table", sql: `ALTER TABLE parts ADD PRIMARY KEY (id)`, proof: `true`, contains: "USING INDEX"},
	{name: "exclude", sql: `ALTER TABLE orders ADD EXCLUDE USING btree (code WITH =)`, comment: true, contains: "swap the names"},
	{name: "domain check", sql: `ALTER DOMAIN email ADD CHECK (VALUE LIKE '%@%')`,
		proof: `(SELECT convalidated FROM pg_constraint WHERE contypid = 'email'::regtype)`},
	{name: "not null", sql: `ALTER TABLE orders ALTER COLUMN "Odd Col" SET NOT NULL`,
		proof:    `(SELECT attnotnull FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'Odd Col')`,
		contains: `CHECK ("Odd Col" IS NOT NULL) NOT VALID`, metadata: true},

	{name: "type", sql: `ALTER TABLE orders ALTER COLUMN total TYPE bigint`, contains: "total_new bigint",
		proof: `pg_typeof((SELECT total FROM orders WHERE id = 7)) = 'bigint'::regtype AND (SELECT sum(total) FROM orders) = 200010000`},
	{name: "type with using", sql: `ALTER TABLE orders ALTER note TYPE integer USING length(orders.note) + total`,
		proof: `(SELECT bool_and(note = 100 + total) FROM orders)`},
	{name: "type in a quoted table", sql: `ALTER TABLE "App"."Order Lines" ALTER "Order" TYPE text`,
		proof: `(SELECT bool_and("Order" = id::text) FROM "App"."Order Lines")`},
	{name: "type of a partitioned table", sql: `ALTER TABLE parts ALTER total TYPE bigint`,
		proof: `(SELECT sum(total) FROM parts) = 1999000 AND pg_typeof((SELECT total FROM parts LIMIT 1)) = 'bigint'::regtype`},
	{name: "volatile default", sql: `ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()`,
		proof: `(SELECT count(DISTINCT token) FROM orders) = 20000 AND (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'token')`},
	{name: "stored generated", sql: `ALTER TABLE orders ADD COLUMN twice bigint GENERATED ALWAYS AS (total::bigint * 2) STORED`,
		proof: `(SELECT bool_and(twice = total * 2) FROM orders)`},
	{name: "serial", sql: `ALTER TABLE orders ADD COLUMN seq serial`,
		proof: `(SELECT count(DISTINCT seq) FROM orders) = 20000 AND pg_get_serial_sequence('orders', 'seq') IS NOT NULL`},
	{name: "identity", sql: `ALTER TABLE "App"."Order Lines" ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY`,
		proof: `(SELECT count(DISTINCT n) FROM "App"."Order Lines") = 100`},
	{name: "several in one", sql: `ALTER TABLE orders ADD COLUMN a int, ALTER COLUMN code TYPE varchar(20), ALTER COLUMN note SET NOT NULL`,
		proof: `(SELECT attnotnull FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'note')`, contains: "the other part of this statement can stay"},
	{name: "unlogged", sql: `ALTER TABLE orders SET UNLOGGED`, comment: true, contains: "SET UNLOGGED copies the table"},
	{name: "attach", sql: `ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES FROM (2000) TO (3000)`, contains: "CHECK (…) NOT VALID", metadata: true,
		proof: `(SELECT relispartition FROM pg_class WHERE oid = 'parts_3'::regclass)`},
	{name: "detach", sql: `ALTER TABLE parts DETACH PARTITION parts_2`, contains: "CONCURRENTLY", metadata: true,
		proof: `(SELECT NOT relispartition FROM pg_class WHERE oid = 'parts_2'::regclass)`},
	{name: "inside a block", sql: "DO $$ BEGIN CREATE INDEX orders_code_idx ON orders (code); END $$", contains: "-- outside of the block",
		proof: `(SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_code_idx'::regclass)`},
	{name: "nothing gentler", sql: `ALTER TABLE orders DROP COLUMN note`, contains: "lock_timeout", metadata: true, proof: `true`},
	{name: "update", sql: `UPDATE orders SET total = 1`, comment: true, contains: "batches", metadata: true},
}

func TestFixesRun(t *testing.T) {
	for _, major := range snapshottest.Majors(t) {
		t.Run(major, func(t *testing.T) {
			server := snapshottest.Server(t, major)
			template := database(t, server, "", "")
			run(t, server, template, fixSchema)
			for i, c := range fixCases {
				t.Run(c.name, func(t *testing.T) {
					layout := []string{"golang-migrate", "goose", "dbmate", "sql-migrate", "flyway", "plain"}[i%6]
					o := hazard(t, c.sql, major, layout, !c.metadata)
					findings := rule.Judge(o, only("lock-budget")).Findings
					if len(findings) != 1 {
						t.Fatalf("%d findings, want 1: %+v", len(findings), findings)
					}
					fix := findings[0].Fix
					if !strings.Contains(fix, c.contains) {
						t.Errorf("fix does not say %q:\n%s", c.contains, fix)
					}
					statements := checkSQL(t, fix)
					if c.comment != (len(statements) == 0) {
						t.Fatalf("%d statements:\n%s", len(statements), fix)
					}
					if c.comment {
						return
					}
					for _, layout := range []string{"golang-migrate", "goose", "dbmate", "sql-migrate", "flyway", "plain"} {
						o.Layout = layout
						checkPasted(t, layout, rule.Judge(o, only("lock-budget")).Findings[0].Fix)
					}
					db := database(t, server, template, fmt.Sprintf("fix_%d", i))
					for _, st := range statements {
						run(t, server, db, st.SQL)
					}
					prove(t, server, db, c.proof, fix)
				})
			}
		})
	}
}

// What is split behind the first statement does the same in the end.
func TestHeldFixRuns(t *testing.T) {
	server := snapshottest.Server(t, "")
	db := database(t, server, "", "held")
	run(t, server, db, fixSchema)
	o := world(t, "ALTER TABLE orders ADD COLUMN channel text;\nUPDATE orders SET channel = 'web';\n"+
		"ALTER TABLE orders ALTER COLUMN channel SET NOT NULL;\nCREATE INDEX orders_channel_idx ON orders (channel);\n"+
		"ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();")
	run1(&o, 4).Rewrites = []gate.Rewrite{{Table: "public.orders", Part: "heap", Existing: true}}
	lock(&o, 0, 4, "public.orders", "ACCESS EXCLUSIVE", 35_000, 35_010, 2)
	fix := rule.Judge(o, only("lock-held-across-statements")).Findings[0].Fix
	for n := 1; n <= 7; n++ {
		if strings.Count(fix, fmt.Sprintf("\n-- %d. ", n)) != min(n-1, 1) {
			t.Errorf("step %d is not there once:\n%s", n, fix)
		}
	}
	checkPasted(t, o.Layout, fix)
	for _, st := range checkSQL(t, fix) {
		run(t, server, db, st.SQL)
	}
	prove(t, server, db, `(SELECT bool_and(attnotnull) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'channel')
		AND (SELECT count(DISTINCT token) = 20000 AND min(channel) = 'web' FROM orders)
		AND (SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_channel_idx'::regclass)`, fix)
}

// A table that the change makes is waited for by nobody, and holds no row that a
// constraint would have to be checked against in a second step.
func TestFixesOfNewTables(t *testing.T) {
	const made = "CREATE TABLE kinds (id bigint PRIMARY KEY);\n"
	for name, c := range map[string]struct {
		up    string
		fix   string // of what the last statement locks, "" for one without an ADD CONSTRAINT
		lacks []string
	}{
		"a key to a busy table": {made + "CREATE TABLE visits (id bigint UNIQUE, kind bigint REFERENCES kinds, order_id bigint REFERENCES orders (id))",
			"ADD CONSTRAINT visits_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id);", []string{"NOT VALID", "VALIDATE", "visits_kind_fkey", "CONCURRENTLY"}},
		"added later": {"CREATE TABLE visits (order_id bigint);\nALTER TABLE visits ALTER order_id SET NOT NULL, ADD CHECK (order_id > 0), ADD FOREIGN KEY (order_id) REFERENCES orders (id)",
			"ADD CONSTRAINT visits_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id);", []string{"NOT VALID", "VALIDATE", "_is_set", "_check"}},
		"filled": {"CREATE TABLE visits (order_id bigint);\nINSERT INTO visits SELECT id FROM orders;\nALTER TABLE visits ADD FOREIGN KEY (order_id) REFERENCES orders (id)",
			"REFERENCES orders (id) NOT VALID;", nil},
		"filled as it is made": {"CREATE TABLE visits AS SELECT id AS order_id FROM orders;\nALTER TABLE visits ADD FOREIGN KEY (order_id) REFERENCES orders (id)",
			"REFERENCES orders (id) NOT VALID;", nil},
		"an old table's key to a new one": {made + "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES kinds", "REFERENCES kinds NOT VALID;", nil},
		"a table that is there":           {"CREATE TABLE IF NOT EXISTS orders (id bigint UNIQUE);\nALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users", "REFERENCES users NOT VALID;", nil},
		"a partition of a new table":      {"CREATE TABLE lots (id bigint) PARTITION BY RANGE (id);\nALTER TABLE lots ATTACH PARTITION orders FOR VALUES FROM (0) TO (9)", "ADD CONSTRAINT orders_bounds CHECK", nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := world(t, c.up)
			last := len(o.Migrations[0].Up.Statements) - 1
			lock(&o, last, last, "public.orders", "SHARE ROW EXCLUSIVE", 4990, 5000, 5000)
			findings := rule.Judge(o, only("lock-budget")).Findings
			if len(findings) != 1 {
				t.Fatalf("%d findings, want 1", len(findings))
			}
			fix := findings[0].Fix
			checkPasted(t, o.Layout, fix)
			if !strings.Contains(fix, c.fix) {
				t.Errorf("does not say %q:\n%s", c.fix, fix)
			}
			for _, s := range c.lacks {
				if strings.Contains(fix, s) {
					t.Errorf("says %q:\n%s", s, fix)
				}
			}
		})
	}

	// Of what ran under another's lock, what is about new tables can stay.
	o := world(t, "DROP VIEW daily;\n"+made+"CREATE TABLE visits (kind bigint REFERENCES kinds);\nCREATE INDEX visits_kind ON visits (kind);\nCREATE VIEW daily AS SELECT 1")
	lock(&o, 0, 4, "public.orders", "ACCESS EXCLUSIVE", 4990, 5000, 2)
	fix := rule.Judge(o, only("lock-budget")).Findings[0].Fix
	if want := "-- keep dropping and making the view in one migration, and nothing slow between the two"; fix != want {
		t.Errorf("got\n%s\nwant\n%s", fix, want)
	}
}

// checkPasted puts each step of a fix into a file of its own, as somebody in a
// hurry would, and reads it as the layout does: what refuses a transaction
// block must not be in one.
func checkPasted(t *testing.T, layoutName, fix string) {
	t.Helper()
	layout, _ := migration.ByName(layoutName)
	files := []string{""}
	for line := range strings.Lines(fix) {
		if numbered.MatchString(line) {
			files = append(files, "")
		}
		files[len(files)-1] += line
	}
	for _, text := range files {
		name, text := pasted(layoutName, text)
		up, _, err := layout.Parse(name, []byte(text), migration.Options{})
		if err != nil {
			t.Errorf("%s: %v\n%s", layoutName, err, text)
			continue
		}
		// What tools send in one string, or wrap, is one transaction.
		whole := up.Wrapped && !strings.Contains(text, "executeInTransaction=false") || len(up.Statements) > 1 && (layoutName == "golang-migrate" || layoutName == "dbmate")
		for _, st := range up.Statements {
			if (st.Facts.NoBlock || st.Facts.MayCommit) && whole {
				t.Errorf("%s: in a transaction: %s\n%s", layoutName, st.Facts.Kind, text)
			}
		}
	}
}

// pasted is a step in a file of its own, with the least that its tool demands.
func pasted(layout, text string) (name, file string) {
	mark := map[string]string{"goose": "-- +goose Up", "dbmate": "-- migrate:up", "sql-migrate": "-- +migrate Up"}[layout]
	if mark != "" && (layout == "goose" || !strings.Contains(text, mark)) {
		text = mark + "\n" + text
	}
	switch layout {
	case "golang-migrate":
		return "3_x.up.sql", text
	case "flyway":
		return "V3__x.sql", text
	case "dbmate":
		text += "\n-- migrate:down"
	}
	return "3_x.sql", text + "\n"
}

var numbered = regexp.MustCompile(`^-- \d+\. `)

func only(ids ...string) gate.Policy {
	p := rule.DefaultPolicy()
	p.Only = ids
	return p
}

// hazard is an observation of one statement that blocked orders for 5 s.
func hazard(t *testing.T, sql, major, layout string, rewrote bool) gate.Observation {
	t.Helper()
	statements, err := migration.ParseScript("migrations/000002_x.up.sql", []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	run := gate.StatementRun{DurationMS: 5000}
	if rewrote {
		run.Rewrites = []gate.Rewrite{{Relation: "public.orders", Table: "public.orders", Part: "heap", Existing: true}}
	}
	o := gate.Observation{
		Layout: layout, Engine: gate.Engine{Name: "postgres", Version: major + ".1"}, Snapshot: &gate.SnapshotFacts{},
		Tables: map[string]gate.Table{
			"public.orders": {Rows: 1_000_000, Bytes: 1 << 30, RootRows: 1_000_000, RootBytes: 1 << 30},
			"public.parts":  {RootRows: 1_000_000, RootBytes: 1 << 30},
		},
	}
	for _, p := range []string{"public.parts_1", "public.parts_2"} {
		o.Tables[p] = gate.Table{Root: "public.parts", Rows: 500_000, RootRows: 1_000_000, RootBytes: 1 << 30}
	}
	o.Migrations = []gate.Migration{{
		Migration: migration.Migration{Version: "000002", Number: 2, Up: migration.Script{File: statements[0].File, Statements: statements}},
		Apply:     &gate.Run{Statements: []gate.StatementRun{run}},
	}}
	st := statements[0]
	o.Locks = []gate.LockWindow{{
		Relation: "public.orders", Table: "public.orders", Kind: "table", Mode: "ACCESS EXCLUSIVE",
		Blocks: []string{"reads", "writes", "ddl"}, AtLeastMS: 4990, AtMostMS: 5000, AtMostAloneMS: 5000,
		File: st.File, Line: st.Line, EndLine: st.EndLine, Existing: true, Witness: "boundary",
	}}
	return o
}

// database makes one from a template ("" the server's own), and returns its name.
func database(t *testing.T, server *snapshot.Target, template, name string) string {
	t.Helper()
	if name == "" {
		name = "fixes"
	}
	sql := "CREATE DATABASE " + name
	if template != "" {
		sql += " TEMPLATE " + template
	}
	run(t, server, "postgres", sql)
	t.Cleanup(func() { run(t, server, "postgres", "DROP DATABASE "+name) })
	return name
}

func connect(t *testing.T, server *snapshot.Target, db string) *pgx.Conn {
	t.Helper()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(server.User, server.Password),
		Host: net.JoinHostPort(server.Host, strconv.Itoa(server.Port)), Path: db, RawQuery: "default_query_exec_mode=simple_protocol"}
	conn, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func run(t *testing.T, server *snapshot.Target, db, sql string) {
	t.Helper()
	conn := connect(t, server, db)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

func prove(t *testing.T, server *snapshot.Target, db, condition, fix string) {
	t.Helper()
	conn := connect(t, server, db)
	defer conn.Close(context.Background())
	var ok bool
	if err := conn.QueryRow(context.Background(), "SELECT "+condition).Scan(&ok); err != nil || !ok {
		t.Errorf("not so after the fix (%v): %s\n%s", err, condition, fix)
	}
}

// Putting aside is the fix of every DROP: the old path works without the
// thing, and its data is still there.
func TestPutAsideRuns(t *testing.T) {
	server := snapshottest.Server(t, "")
	template := database(t, server, "", "aside")
	run(t, server, template, fixSchema)
	for i, c := range []struct{ name, up, down, old, proof string }{
		{"column", `ALTER TABLE users ADD COLUMN nick text NOT NULL DEFAULT 'x'`, `ALTER TABLE users DROP COLUMN nick`,
			`INSERT INTO users VALUES (101, 'new')`, `(SELECT count(_deprecated_nick) FROM users) = 101`},
		{"demanded column", `ALTER TABLE "App"."Order Lines" ADD COLUMN "Nick" text; UPDATE "App"."Order Lines" SET "Nick" = 'x'; ALTER TABLE "App"."Order Lines" ALTER "Nick" SET NOT NULL`,
			`ALTER TABLE "App"."Order Lines" DROP COLUMN "Nick"`,
			`INSERT INTO "App"."Order Lines" VALUES (101, 1, 1)`, `(SELECT count("_deprecated_Nick") FROM "App"."Order Lines") = 100`},
		{"table", `CREATE TABLE "App".notes AS SELECT 1`, `DROP TABLE "App".notes`, `SELECT 1`, `to_regclass('"App"._deprecated_notes') IS NOT NULL`},
		{"schema", `CREATE SCHEMA shop`, `DROP SCHEMA shop CASCADE`, `SELECT 1`, `to_regnamespace('_deprecated_shop') IS NOT NULL`},
		{"sequence", `CREATE SEQUENCE n`, `DROP SEQUENCE n`, `SELECT 1`, `to_regclass('_deprecated_n') IS NOT NULL`},
		{"type", `CREATE TYPE colour AS ENUM ('red')`, `DROP TYPE colour`, `SELECT 1`, `to_regtype('_deprecated_colour') IS NOT NULL`},
		{"domain", `CREATE DOMAIN d AS int`, `DROP DOMAIN d`, `SELECT 1`, `to_regtype('_deprecated_d') IS NOT NULL`},
		{"attribute", `CREATE TYPE pair AS (a int, b int)`, `ALTER TYPE pair DROP ATTRIBUTE b`, `SELECT 1`,
			`EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'pair'::regclass AND attname = '_deprecated_b')`},
		{"table with names of its own", `CREATE TABLE notes (id int CONSTRAINT notes_key PRIMARY KEY, order_id bigint); CREATE INDEX notes_order ON notes (order_id)`,
			`DROP TABLE notes`, `SELECT 1`, `to_regclass('_deprecated_notes_order') IS NOT NULL`},
		{"column with names of its own", `ALTER TABLE users ADD COLUMN age int CONSTRAINT of_age CHECK (age > 17); CREATE INDEX users_age ON users (age)`,
			`ALTER TABLE users DROP COLUMN age`, `INSERT INTO users VALUES (101, 'new')`, `to_regclass('users_age') IS NULL`},
		{"column whose index is dropped already", `ALTER TABLE users ADD COLUMN age int; CREATE INDEX users_age ON users (age)`,
			`DROP INDEX users_age; ALTER TABLE users DROP COLUMN age`, `DROP INDEX users_age`, `true`},
		{"partition", `CREATE TABLE parts_9 PARTITION OF parts FOR VALUES FROM (9000) TO (9999)`, `DROP TABLE parts_9`, `SELECT 1`,
			`(SELECT NOT relispartition FROM pg_class WHERE relname = '_deprecated_parts_9')`},
		{"indexed materialized view", `CREATE MATERIALIZED VIEW m AS SELECT 1 AS id; CREATE UNIQUE INDEX m_id ON m (id)`, `DROP MATERIALIZED VIEW m`, `SELECT 1`,
			`to_regclass('_deprecated_m') IS NOT NULL`},
		{"materialized view", `CREATE MATERIALIZED VIEW m AS SELECT 1`, `DROP MATERIALIZED VIEW m`, `SELECT 1`, `to_regclass('_deprecated_m') IS NOT NULL`},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := func(file, sql string) migration.Script {
				statements, err := migration.ParseScript(file, []byte(sql))
				if err != nil {
					t.Fatal(err)
				}
				return migration.Script{File: file, Statements: statements}
			}
			down := script(downFile, c.down)
			o := gate.Observation{Migrations: []gate.Migration{{Migration: migration.Migration{Up: script(upFile, c.up), Down: &down}}}}
			findings := rule.Judge(o, only("unsafe-down")).Findings
			if len(findings) != 1 {
				t.Fatalf("%d findings", len(findings))
			}
			db := database(t, server, template, fmt.Sprintf("aside_%d", i))
			run(t, server, db, c.up)
			for _, st := range checkSQL(t, findings[0].Fix) {
				run(t, server, db, st.SQL)
			}
			run(t, server, db, c.old)
			prove(t, server, db, c.proof, findings[0].Fix)
			// As a down script it is accepted, and the up script works again.
			put := script(downFile, findings[0].Fix)
			o.Migrations[0].Down = &put
			if again := rule.Judge(o, only("unsafe-down")).Findings; len(again) != 0 {
				t.Errorf("the fix is refused: %s", again[0].Message)
			}
			if c.name != "attribute" {
				run(t, server, db, c.up)
			}
		})
	}
}
