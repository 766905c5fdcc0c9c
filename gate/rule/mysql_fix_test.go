package rule_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// 12,000 orders, so that a backfill takes several batches, with ids that have
// gaps.
const myFixSchema = `
CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(40));
INSERT INTO customers WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, 'x' FROM n;
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT, total INT NOT NULL DEFAULT 0, code VARCHAR(40), note TEXT, state ENUM('new','paid'), ` + "`odd col` INT" + `) CHARACTER SET latin1;
INSERT INTO orders SELECT (a.id * 100 + b.id) * 3, a.id, a.id, 'c', 'n', 'new', 1 FROM customers a, customers b;
INSERT INTO orders SELECT id + 1000000, customer_id, total, code, note, state, 1 FROM orders LIMIT 2000;
CREATE TABLE nokey (total INT, what INT);
INSERT INTO nokey SELECT total, total FROM orders;
CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));
INSERT INTO parts VALUES (1), (11);
`

// myFixCases are statements that copied or kept writers out, and what their
// fixes must have done.
var myFixCases = []struct {
	name     string
	sql      string
	ddl      gate.OnlineDDL
	contains string
	proof    string // a condition; "" where the fix is words alone
	only     migration.Dialect
}{
	{name: "type", sql: "ALTER TABLE orders MODIFY total BIGINT NOT NULL", contains: "gh-ost --database=",
		proof: "(SELECT COUNT(*) FROM orders WHERE total = _deprecated_total) = 12000 AND (SELECT DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'orders' AND COLUMN_NAME = 'total') = 'bigint'"},
	{name: "type and name", sql: "ALTER TABLE orders CHANGE `odd col` odd BIGINT", contains: "`odd col`",
		proof: "(SELECT COUNT(*) FROM orders WHERE odd = 1) = 12000"},
	{name: "type without a key", sql: "ALTER TABLE nokey MODIFY what VARCHAR(20)", contains: "REPEAT", proof: "(SELECT COUNT(*) FROM nokey WHERE what IS NOT NULL) = 12000"},
	{name: "fewer members", sql: "ALTER TABLE orders MODIFY state ENUM('new')", contains: "enum('new')", proof: "(SELECT COUNT(*) FROM orders WHERE state = 'new') = 12000"},
	{name: "foreign key", sql: "ALTER TABLE orders ADD CONSTRAINT placed_by FOREIGN KEY (customer_id) REFERENCES customers (id)", contains: "LEFT JOIN customers",
		proof: "(SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_NAME = 'placed_by') = 1"},
	{name: "stored column", sql: "ALTER TABLE orders ADD COLUMN twice INT GENERATED ALWAYS AS (total * 2) STORED", contains: "VIRTUAL",
		proof: "(SELECT COUNT(*) FROM orders WHERE twice = 2 * total) = 12000"},
	{name: "character set", sql: "ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4", contains: "DEFAULT CHARACTER SET utf8mb4", proof: "1"},
	{name: "asked for", sql: "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=COPY", ddl: gate.OnlineDDL{Best: &gate.BestDDL{Algorithm: "INSTANT"}}, contains: "ALGORITHM=INSTANT", proof: "(SELECT COUNT(*) FROM orders WHERE a IS NULL) = 12000"},
	{name: "lock asked for", sql: "CREATE INDEX i ON orders (total) LOCK=SHARED", ddl: gate.OnlineDDL{Algorithm: "INPLACE", Lock: "SHARED", Best: &gate.BestDDL{Algorithm: "INPLACE", Lock: "NONE"}},
		contains: "LOCK=NONE", proof: "(SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'i') = 1"},
	{name: "in place", sql: "ALTER TABLE orders FORCE", ddl: gate.OnlineDDL{Algorithm: "INPLACE", Rebuild: true, Lock: "NONE"}, contains: "FORCE, ALGORITHM=INPLACE, LOCK=NONE;", proof: "1"},
	{name: "optimize", sql: "OPTIMIZE TABLE orders", ddl: gate.OnlineDDL{Algorithm: "INPLACE", Rebuild: true, Lock: "NONE"}, contains: "ALTER TABLE orders FORCE, ALGORITHM=INPLACE, LOCK=NONE;", proof: "1"},
	{name: "null", sql: "ALTER TABLE orders MODIFY customer_id BIGINT NOT NULL", ddl: gate.OnlineDDL{Algorithm: "INPLACE", Rebuild: true, Lock: "NONE"}, contains: "MODIFY customer_id BIGINT NOT NULL, ALGORITHM=INPLACE, LOCK=NONE;",
		proof: "1"},
	{name: "key gone", sql: "ALTER TABLE orders DROP PRIMARY KEY", contains: "DROP PRIMARY KEY, ADD PRIMARY KEY"},
	{name: "check", sql: "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total >= 0)", contains: "SIGNAL"},
	{name: "partitioning", sql: "ALTER TABLE orders PARTITION BY HASH (id) PARTITIONS 4", contains: "gh-ost"},
	{name: "fulltext", sql: "ALTER TABLE orders ADD FULLTEXT INDEX f (note)", ddl: gate.OnlineDDL{Algorithm: "INPLACE", Rebuild: true, Lock: "SHARED"}, contains: "FULLTEXT"},
}

func TestMySQLFixesRun(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			server := snapshottest.MySQL(t, flavour)
			engine, _, _ := strings.Cut(flavour, ":")
			dialect := migration.Dialect(engine)
			for i, c := range myFixCases {
				t.Run(c.name, func(t *testing.T) {
					if c.only != "" && c.only != dialect {
						t.Skipf("only on %s", c.only)
					}
					schema := fmt.Sprintf("fix_%d", i)
					o := copiedBy(t, dialect, schema, c.sql, c.ddl)
					findings := rule.Judge(o, only("table-rewrite", "lock-budget")).Findings
					if len(findings) == 0 {
						t.Fatal("no finding")
					}
					fix := findings[0].Fix
					noPostgres(t, fix)
					if !strings.Contains(fix, c.contains) {
						t.Errorf("fix does not say %q:\n%s", c.contains, fix)
					}
					statements := checkMySQL(t, dialect, fix)
					if c.proof == "" {
						if len(statements) != 0 {
							t.Errorf("%d statements:\n%s", len(statements), fix)
						}
						return
					}
					db := myDatabase(t, server, schema)
					for _, st := range statements {
						myRun(t, db, st.SQL)
					}
					myProve(t, db, c.proof, fix)
				})
			}
		})
	}
}

// copiedBy is an observation of one statement that kept writers out.
func copiedBy(t *testing.T, dialect migration.Dialect, schema, text string, d gate.OnlineDDL) gate.Observation {
	t.Helper()
	up := myScript(t, dialect, upFile, text)
	o := myWorld(t, "SELECT 1")
	o.Engine.Name = string(dialect)
	o.Migrations[0].Up = up
	table := "orders"
	if strings.Contains(text, "nokey") {
		table = "nokey"
	}
	full := schema + "." + table
	big := o.Tables["shop.orders"]
	big.References = nil
	o.Tables = map[string]gate.Table{full: big}
	o.BaselineColumns = map[string][]string{schema + ".orders": {"id", "total"}, schema + ".nokey": {"total", "what"}}
	d.Table, d.Existing = full, true
	if d.Algorithm == "" {
		d.Algorithm, d.Rebuild, d.Lock = "COPY", true, "SHARED"
	}
	run1(&o, 0).DDL, run1(&o, 0).DurationMS = &d, 8000
	mdl(&o, 0, full, "SHARED_NO_WRITE", 0, 8000, 2)
	return o
}

// myDatabase makes one with the fixes' tables, on a connection of its own: a
// fix sets what is its session's.
func myDatabase(t *testing.T, server *snapshot.Target, schema string) *sql.Conn {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = server.User, server.Password, "tcp", net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	t.Cleanup(func() { pool.Close() })
	conn, err := pool.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	myRun(t, conn, "CREATE DATABASE "+schema)
	t.Cleanup(func() {
		myRun(t, conn, "DROP DATABASE "+schema)
		conn.Close()
	})
	myRun(t, conn, "USE "+schema)
	for _, st := range myScript(t, "mysql", "schema.sql", myFixSchema).Statements {
		myRun(t, conn, st.SQL)
	}
	return conn
}

func myRun(t *testing.T, conn *sql.Conn, text string) {
	t.Helper()
	if _, err := conn.ExecContext(context.Background(), text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

func myProve(t *testing.T, conn *sql.Conn, condition, fix string) {
	t.Helper()
	var ok bool
	if err := conn.QueryRowContext(context.Background(), "SELECT "+condition).Scan(&ok); err != nil || !ok {
		t.Errorf("not so after the fix (%v): %s\n%s", err, condition, fix)
	}
}

// A statement with the clause spelled out is taken by the server that went
// that way by itself.
func TestSpelledOutRuns(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			server := snapshottest.MySQL(t, flavour)
			engine, _, _ := strings.Cut(flavour, ":")
			db := myDatabase(t, server, "spelled")
			for _, c := range []struct {
				sql string
				ddl gate.OnlineDDL
			}{
				{"ALTER TABLE orders ADD COLUMN a INT", gate.OnlineDDL{Algorithm: "INSTANT"}},
				{"ALTER TABLE orders ADD COLUMN b INT, ALGORITHM=DEFAULT, LOCK=DEFAULT", gate.OnlineDDL{Algorithm: "INSTANT"}},
				{"CREATE INDEX i ON orders (total)", gate.OnlineDDL{Algorithm: "INPLACE", Lock: "NONE"}},
				{"CREATE UNIQUE INDEX u ON orders (id, total) COMMENT 'ends in a word'", gate.OnlineDDL{Algorithm: "INPLACE", Lock: "NONE"}},
				{"ALTER TABLE orders ADD INDEX k (code), COMMENT = 'new'", gate.OnlineDDL{Algorithm: "INPLACE", Lock: "NONE"}},
				{"DROP INDEX i ON orders", gate.OnlineDDL{Algorithm: "INPLACE"}},
				{"ALTER TABLE orders ALTER COLUMN total SET DEFAULT 5", gate.OnlineDDL{Algorithm: "INSTANT"}},
			} {
				o := copiedBy(t, migration.Dialect(engine), "spelled", c.sql+";\n", c.ddl)
				findings := rule.Judge(o, only("online-ddl-not-explicit")).Findings
				if len(findings) != 1 {
					t.Errorf("%d findings: %s", len(findings), c.sql)
					continue
				}
				if findings[0].Suggestion != findings[0].Fix {
					t.Errorf("suggestion %q is not the fix %q", findings[0].Suggestion, findings[0].Fix)
				}
				for _, st := range checkMySQL(t, migration.Dialect(engine), findings[0].Fix) {
					myRun(t, db, st.SQL)
				}
			}
		})
	}
}

// What is put aside leaves its names free: the up script works again.
func TestMySQLPutAsideRuns(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			server := snapshottest.MySQL(t, flavour)
			engine, _, _ := strings.Cut(flavour, ":")
			dialect := migration.Dialect(engine)
			for i, c := range []struct{ name, up, down, old, proof string }{
				{"column", "ALTER TABLE customers ADD COLUMN nick VARCHAR(40) NOT NULL", "ALTER TABLE customers DROP COLUMN nick", "INSERT INTO customers (id, name) VALUES (101, 'new')", "(SELECT COUNT(_deprecated_nick) FROM customers) = 101"},
				{"column in another case", "ALTER TABLE customers ADD COLUMN Nick TEXT NOT NULL", "ALTER TABLE customers DROP COLUMN nick", "INSERT INTO customers (id, name) VALUES (101, 'new')", "(SELECT COUNT(_deprecated_nick) FROM customers) = 101"},
				{"demanded enum", "ALTER TABLE customers ADD COLUMN tier ENUM('gold','it''s') NOT NULL", "ALTER TABLE customers DROP COLUMN tier", "INSERT INTO customers (id, name) VALUES (101, 'new')", "1"},
				{"demanded json", "ALTER TABLE customers ADD COLUMN doc JSON NOT NULL", "ALTER TABLE customers DROP COLUMN doc", "INSERT INTO customers (id, name) VALUES (101, 'new')", "1"},
				{"indexed column", "ALTER TABLE customers ADD COLUMN age INT, ADD INDEX ages (age); CREATE UNIQUE INDEX age_id ON customers (age, id)", "ALTER TABLE customers DROP COLUMN age", "INSERT INTO customers (id, name) VALUES (101, 'new')",
					"(SELECT COUNT(_deprecated_age) FROM customers) = 0"},
				{"table with names of its own", "CREATE TABLE notes (id INT PRIMARY KEY, customer_id BIGINT, CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id), CONSTRAINT id_ok CHECK (id > 0))", "DROP TABLE notes", "SELECT 1",
					"(SELECT COUNT(*) FROM _deprecated_notes) = 0"},
				{"partition", "ALTER TABLE parts ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))", "ALTER TABLE parts DROP PARTITION p1", "SELECT 1", "(SELECT COUNT(*) FROM _deprecated_parts_p1) = 1"},
			} {
				t.Run(c.name, func(t *testing.T) {
					schema := fmt.Sprintf("aside_%d", i)
					down := myScript(t, dialect, downFile, c.down)
					up := myScript(t, dialect, upFile, c.up)
					o := gate.Observation{Engine: gate.Engine{Name: engine}, Migrations: []gate.Migration{{Migration: migration.Migration{Up: up, Down: &down}}}}
					findings := rule.Judge(o, only("unsafe-down")).Findings
					if len(findings) != 1 {
						t.Fatalf("%d findings", len(findings))
					}
					noPostgres(t, findings[0].Fix)
					db := myDatabase(t, server, schema)
					for _, st := range up.Statements {
						myRun(t, db, st.SQL)
					}
					for _, st := range checkMySQL(t, dialect, findings[0].Fix) {
						myRun(t, db, st.SQL)
					}
					myRun(t, db, c.old)
					myProve(t, db, c.proof, findings[0].Fix)
					put := myScript(t, dialect, downFile, findings[0].Fix)
					o.Migrations[0].Down = &put
					if again := rule.Judge(o, only("unsafe-down")).Findings; len(again) != 0 {
						t.Errorf("the fix is refused: %s", again[0].Message)
					}
					if c.name == "partition" {
						return // it stays where it is
					}
					for _, st := range up.Statements {
						myRun(t, db, st.SQL)
					}
				})
			}
		})
	}
}
