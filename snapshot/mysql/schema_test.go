package mysql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func flavours(t *testing.T) []string { return snapshottest.MySQLFlavours(t) }

// describe lists the differences between a schema and a database, one line
// each.
func describe(t *testing.T, before snapshot.Schema, d *mysql.Database) []string {
	t.Helper()
	after, err := d.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range snapshot.Diff(before, after) {
		switch {
		case c.Before == nil:
			list = append(list, fmt.Sprintf("%s %s %s", c.What, c.After.Kind, c.After.Name))
		case c.What == "renamed":
			list = append(list, fmt.Sprintf("%s %s %s %s", c.What, c.Before.Kind, c.Before.Name, c.After.Name))
		default:
			list = append(list, fmt.Sprintf("%s %s %s", c.What, c.Before.Kind, c.Before.Name))
		}
	}
	return list
}

const rich = `CREATE TABLE parent (id int PRIMARY KEY, name varchar(40) NOT NULL, KEY by_name (name)) CHARACTER SET utf8mb4;;
	CREATE TABLE orders (id bigint unsigned PRIMARY KEY AUTO_INCREMENT, a int NOT NULL DEFAULT 5, b varchar(40) COLLATE utf8mb4_bin COMMENT 'it''s', c varchar(20) DEFAULT 'x,y(''\\',
		d datetime(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), e int AS (a + 1) VIRTUAL, f json, g enum('a','b'), h decimal(10,2), parent_id int,
		UNIQUE KEY uniq (b, a), KEY plain (a), KEY part (c(5)), FULLTEXT KEY words (c),
		CONSTRAINT positive CHECK (a > 0), CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE)
		CHARACTER SET utf8mb4 COMMENT='AUTO_INCREMENT=7, (all)';;
	CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));;
	CREATE VIEW v AS SELECT id, a FROM orders WHERE a > 1;;
	CREATE TRIGGER first_t BEFORE INSERT ON orders FOR EACH ROW SET NEW.a = NEW.a;;
	CREATE PROCEDURE p(IN x int, OUT y varchar(10)) SELECT x INTO y;;
	CREATE FUNCTION fn(x int) RETURNS varchar(20) DETERMINISTIC RETURN 'a';;
	CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO SELECT 1;;
	INSERT INTO parent VALUES (1, 'a');; INSERT INTO orders (b, h, parent_id) VALUES ('b', 1, 1)`

// schemaChanges have what undoes them; down "" cannot be undone. Some are one
// flavour's alone.
var schemaChanges = []struct {
	up, down string
	want     []string
	only     string
}{
	// InnoDB's number for a table is what finds it under another name, and a
	// rebuild ends that: these come first.
	{"ALTER TABLE orders RENAME INDEX plain TO pl", "ALTER TABLE orders RENAME INDEX pl TO plain", []string{"renamed index app.orders.plain app.orders.pl"}, ""},
	{"RENAME TABLE parent TO elder", "RENAME TABLE elder TO parent", []string{"changed constraint app.orders.fk_parent", "renamed table app.parent app.elder"}, ""},
	{"ALTER TABLE orders RENAME TO purchases", "ALTER TABLE purchases RENAME TO orders", []string{"renamed table app.orders app.purchases", "changed view app.v"}, ""},
	{up: "SELECT 1"},
	{up: "ALTER TABLE orders ENGINE=InnoDB"},
	{up: "ALTER TABLE orders FORCE"},
	{up: "OPTIMIZE TABLE orders"},
	{up: "INSERT INTO orders (b, h) VALUES ('z', 1);; ALTER TABLE orders AUTO_INCREMENT = 500"},
	{up: "ANALYZE TABLE orders"},
	{up: "TRUNCATE TABLE parts"},
	{"ALTER TABLE orders ADD COLUMN x int NOT NULL DEFAULT 5", "ALTER TABLE orders DROP COLUMN x", []string{"added column app.orders.x"}, ""},
	{"ALTER TABLE orders ADD COLUMN x int AFTER a", "ALTER TABLE orders DROP COLUMN x", []string{"added column app.orders.x"}, ""},
	{"ALTER TABLE orders ADD COLUMN x int FIRST", "ALTER TABLE orders DROP COLUMN x", []string{"added column app.orders.x"}, ""},
	{"ALTER TABLE orders DROP COLUMN f", "ALTER TABLE orders ADD COLUMN f json AFTER e", []string{"removed column app.orders.f"}, "mysql"},
	{"ALTER TABLE orders DROP COLUMN f", "ALTER TABLE orders ADD COLUMN f json AFTER e", []string{"removed column app.orders.f", "removed constraint app.orders.f"}, "mariadb"},
	{"ALTER TABLE orders DROP COLUMN h;; ALTER TABLE orders ADD COLUMN h decimal(10,2)", "ALTER TABLE orders MODIFY h decimal(10,2) AFTER g", []string{"changed column app.orders.h", "changed column app.orders.parent_id"}, ""},
	{"ALTER TABLE orders RENAME COLUMN h TO hh", "ALTER TABLE orders RENAME COLUMN hh TO h", []string{"removed column app.orders.h", "added column app.orders.hh"}, ""},
	{"ALTER TABLE orders MODIFY h decimal(12,2)", "ALTER TABLE orders MODIFY h decimal(10,2)", []string{"changed column app.orders.h"}, ""},
	{"ALTER TABLE orders MODIFY a int DEFAULT 5", "ALTER TABLE orders MODIFY a int NOT NULL DEFAULT 5", []string{"changed column app.orders.a"}, ""},
	{"ALTER TABLE orders ALTER COLUMN a SET DEFAULT 6", "ALTER TABLE orders ALTER COLUMN a SET DEFAULT 5", []string{"changed column app.orders.a"}, ""},
	{"ALTER TABLE orders ALTER COLUMN a DROP DEFAULT", "ALTER TABLE orders ALTER COLUMN a SET DEFAULT 5", []string{"changed column app.orders.a"}, ""},
	{"ALTER TABLE orders MODIFY h decimal(10,2) DEFAULT NULL", "", nil, ""},
	{"ALTER TABLE orders MODIFY c varchar(20) DEFAULT 'current_timestamp'", "ALTER TABLE orders MODIFY c varchar(20) DEFAULT 'x,y(''\\\\'", []string{"changed column app.orders.c"}, ""},
	{"ALTER TABLE orders MODIFY d datetime(3) DEFAULT CURRENT_TIMESTAMP(3)", "ALTER TABLE orders MODIFY d datetime(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)", []string{"changed column app.orders.d"}, ""},
	{"ALTER TABLE orders MODIFY g enum('a','b','c')", "ALTER TABLE orders MODIFY g enum('a','b')", []string{"changed column app.orders.g"}, ""},
	{"ALTER TABLE orders MODIFY b varchar(40) COLLATE utf8mb4_general_ci COMMENT 'it''s'", "ALTER TABLE orders MODIFY b varchar(40) COLLATE utf8mb4_bin COMMENT 'it''s'", []string{"changed column app.orders.b"}, ""},
	{"ALTER TABLE orders MODIFY b varchar(40) COLLATE utf8mb4_bin", "ALTER TABLE orders MODIFY b varchar(40) COLLATE utf8mb4_bin COMMENT 'it''s'", []string{"changed column app.orders.b"}, ""},
	{"ALTER TABLE orders MODIFY e int AS (a + 2) VIRTUAL", "ALTER TABLE orders MODIFY e int AS (a + 1) VIRTUAL", []string{"changed column app.orders.e"}, ""},
	{"ALTER TABLE orders MODIFY h decimal(10,2) INVISIBLE", "ALTER TABLE orders MODIFY h decimal(10,2)", []string{"changed column app.orders.h"}, ""},
	{"ALTER TABLE orders DEFAULT CHARACTER SET latin1", "ALTER TABLE orders DEFAULT CHARACTER SET utf8mb4", []string{"changed table app.orders"}, ""},
	{"ALTER TABLE orders COMMENT 'AUTO_INCREMENT=8, (all)'", "ALTER TABLE orders COMMENT 'AUTO_INCREMENT=7, (all)'", []string{"changed table app.orders"}, ""},
	{"ALTER TABLE orders ROW_FORMAT=COMPACT", "ALTER TABLE orders ROW_FORMAT=DEFAULT", []string{"changed table app.orders"}, ""},
	{"ALTER TABLE parts STATS_PERSISTENT=0", "ALTER TABLE parts STATS_PERSISTENT=DEFAULT", []string{"changed table app.parts"}, ""},
	{"ALTER TABLE parts ENGINE=MyISAM", "", []string{"changed table app.parts"}, "mariadb"},
	{"ALTER TABLE parts ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))", "ALTER TABLE parts DROP PARTITION p2", []string{"changed table app.parts"}, ""},
	{"ALTER TABLE parts REMOVE PARTITIONING", "ALTER TABLE parts PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))", []string{"changed table app.parts"}, ""},
	{"ALTER TABLE parent ENGINE=InnoDB, ALGORITHM=COPY", "", nil, ""},
	{"CREATE INDEX i ON orders (h)", "DROP INDEX i ON orders", []string{"added index app.orders.i"}, ""},
	{"ALTER TABLE orders DROP KEY plain, ADD KEY plain (a) USING BTREE", "", nil, ""},
	{"ALTER TABLE orders DROP KEY plain, ADD KEY plain (a, h)", "ALTER TABLE orders DROP KEY plain, ADD KEY plain (a)", []string{"changed index app.orders.plain"}, ""},
	{"ALTER TABLE orders DROP KEY part, ADD KEY part (c(6))", "ALTER TABLE orders DROP KEY part, ADD KEY part (c(5))", []string{"changed index app.orders.part"}, ""},
	{"ALTER TABLE orders DROP KEY plain, ADD KEY plain (a DESC)", "ALTER TABLE orders DROP KEY plain, ADD KEY plain (a)", []string{"changed index app.orders.plain"}, ""},
	{"ALTER TABLE orders DROP KEY plain, ADD KEY plain (a) COMMENT 'USING BTREE'", "ALTER TABLE orders DROP KEY plain, ADD KEY plain (a)", []string{"changed index app.orders.plain"}, ""},
	{"ALTER TABLE orders ALTER INDEX plain INVISIBLE", "ALTER TABLE orders ALTER INDEX plain VISIBLE", []string{"changed index app.orders.plain"}, "mysql"},
	{"ALTER TABLE orders ALTER INDEX plain IGNORED", "ALTER TABLE orders ALTER INDEX plain NOT IGNORED", []string{"changed index app.orders.plain"}, "mariadb"},
	{"ALTER TABLE orders ADD KEY ex ((a * 2))", "ALTER TABLE orders DROP KEY ex", []string{"added index app.orders.ex"}, "mysql"},
	{"ALTER TABLE orders DROP KEY words;; ALTER TABLE orders ADD FULLTEXT KEY words (c) WITH PARSER ngram", "ALTER TABLE orders DROP KEY words;; ALTER TABLE orders ADD FULLTEXT KEY words (c)", []string{"changed index app.orders.words"}, "mysql"},
	{"ALTER TABLE orders DROP KEY uniq, ADD KEY uniq (b, a)", "ALTER TABLE orders DROP KEY uniq, ADD UNIQUE KEY uniq (b, a)", []string{"changed index app.orders.uniq"}, ""},
	{"ALTER TABLE parts DROP PRIMARY KEY", "ALTER TABLE parts ADD PRIMARY KEY (id)", []string{"removed constraint app.parts.PRIMARY"}, ""},
	{"ALTER TABLE orders ADD CONSTRAINT low CHECK (a < 900)", "ALTER TABLE orders DROP CONSTRAINT low", []string{"added constraint app.orders.low"}, ""},
	{"ALTER TABLE orders ALTER CHECK positive NOT ENFORCED", "ALTER TABLE orders ALTER CHECK positive ENFORCED", []string{"changed constraint app.orders.positive"}, "mysql"},
	{"ALTER TABLE orders DROP FOREIGN KEY fk_parent", "ALTER TABLE orders ADD CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE", []string{"removed constraint app.orders.fk_parent"}, ""},
	{"ALTER TABLE orders DROP FOREIGN KEY fk_parent;; ALTER TABLE orders ADD CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES parent (id)", "ALTER TABLE orders DROP FOREIGN KEY fk_parent;; ALTER TABLE orders ADD CONSTRAINT fk_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE", []string{"changed constraint app.orders.fk_parent"}, ""},
	{"ALTER TABLE parts ADD COLUMN p int, ADD CONSTRAINT both_fk FOREIGN KEY (p) REFERENCES parent (id)", "", nil, "none"}, // partitioned tables have none
	{"CREATE TABLE n (id int PRIMARY KEY)", "DROP TABLE n", []string{"added table app.n", "added column app.n.id", "added constraint app.n.PRIMARY"}, ""},
	{"CREATE TEMPORARY TABLE tmp (id int)", "", nil, ""},
	{"CREATE OR REPLACE VIEW v AS SELECT id, a FROM orders WHERE a > 2", "CREATE OR REPLACE VIEW v AS SELECT id, a FROM orders WHERE a > 1", []string{"changed view app.v"}, ""},
	{"CREATE OR REPLACE SQL SECURITY INVOKER VIEW v AS SELECT id, a FROM orders WHERE a > 1", "CREATE OR REPLACE VIEW v AS SELECT id, a FROM orders WHERE a > 1", []string{"changed view app.v"}, ""},
	{"DROP VIEW v", "CREATE VIEW v AS SELECT id, a FROM orders WHERE a > 1", []string{"removed view app.v"}, ""},
	{"CREATE TRIGGER second_t BEFORE INSERT ON orders FOR EACH ROW SET NEW.a = 1", "DROP TRIGGER second_t", []string{"added trigger app.orders.second_t"}, ""},
	{"DROP TRIGGER first_t;; CREATE TRIGGER first_t BEFORE INSERT ON orders FOR EACH ROW SET NEW.a = 2", "DROP TRIGGER first_t;; CREATE TRIGGER first_t BEFORE INSERT ON orders FOR EACH ROW SET NEW.a = NEW.a", []string{"changed trigger app.orders.first_t"}, ""},
	{"DROP TRIGGER first_t;; CREATE TRIGGER first_t AFTER INSERT ON orders FOR EACH ROW SET @a = NEW.a", "DROP TRIGGER first_t;; CREATE TRIGGER first_t BEFORE INSERT ON orders FOR EACH ROW SET NEW.a = NEW.a", []string{"changed trigger app.orders.first_t"}, ""},
	{"DROP FUNCTION fn;; CREATE FUNCTION fn(x bigint) RETURNS varchar(20) DETERMINISTIC RETURN 'a'", "DROP FUNCTION fn;; CREATE FUNCTION fn(x int) RETURNS varchar(20) DETERMINISTIC RETURN 'a'", []string{"changed function app.fn"}, ""},
	{"DROP FUNCTION fn;; CREATE FUNCTION fn(x int) RETURNS varchar(20) NO SQL RETURN 'a'", "DROP FUNCTION fn;; CREATE FUNCTION fn(x int) RETURNS varchar(20) DETERMINISTIC RETURN 'a'", []string{"changed function app.fn"}, ""},
	{"ALTER PROCEDURE p COMMENT 'c'", "DROP PROCEDURE p;; CREATE PROCEDURE p(IN x int, OUT y varchar(10)) SELECT x INTO y", []string{"changed procedure app.p"}, ""},
	{"ALTER PROCEDURE p SQL SECURITY INVOKER", "ALTER PROCEDURE p SQL SECURITY DEFINER", []string{"changed procedure app.p"}, ""},
	{"SET sql_mode = 'ANSI_QUOTES';; DROP PROCEDURE p;; CREATE PROCEDURE p(IN x int, OUT y varchar(10)) SELECT x INTO y;; SET sql_mode = DEFAULT", "DROP PROCEDURE p;; CREATE PROCEDURE p(IN x int, OUT y varchar(10)) SELECT x INTO y", []string{"changed procedure app.p"}, ""},
	{"DROP EVENT ev", "CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO SELECT 1", []string{"removed event app.ev"}, ""},
	{"ALTER EVENT ev DISABLE", "ALTER EVENT ev ENABLE", []string{"changed event app.ev"}, ""},
	{"ALTER EVENT ev ON SCHEDULE EVERY 2 DAY STARTS '2030-01-01 00:00:00'", "ALTER EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00'", []string{"changed event app.ev"}, ""},
	{"ALTER DATABASE CHARACTER SET latin2", "ALTER DATABASE CHARACTER SET utf8mb4", []string{"changed schema app"}, ""},
	{"ANALYZE TABLE orders UPDATE HISTOGRAM ON a WITH 8 BUCKETS", "ANALYZE TABLE orders DROP HISTOGRAM ON a", []string{"added histogram app.orders.a"}, "mysql"},
	{"CREATE SEQUENCE sq START WITH 5", "DROP SEQUENCE sq", []string{"added sequence app.sq"}, "mariadb"},
	{"ALTER TABLE parent ADD SYSTEM VERSIONING", "ALTER TABLE parent DROP SYSTEM VERSIONING", []string{"changed table app.parent"}, "mariadb"},
}

// Each change is seen as exactly these differences, and its reversal leaves
// none. What only rewrites a table is no difference.
func TestSchemaSeesChangesAndTheirReversal(t *testing.T) {
	setup := append([]string{"SET NAMES utf8mb4", "ALTER DATABASE CHARACTER SET utf8mb4"}, script(rich)...)
	onGuestsToo(t, func(t *testing.T, l *lab) {
		before, err := l.base.Database().Schema(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, o := range before {
			if o.Kind == "" || o.Name == "" || names[o.Kind+" "+o.Name] {
				t.Errorf("without a name of its own: %+v", o)
			}
			names[o.Kind+" "+o.Name] = true
			if strings.Contains(o.Definition, "migrator") || strings.Contains(o.Definition, "DEFINER=") {
				t.Errorf("whoever made it counts: %+v", o)
			}
		}
		d := l.clone(t)
		if left := describe(t, before, d); left != nil {
			t.Fatalf("a clone differs from its baseline: %q", left)
		}
		for _, test := range schemaChanges {
			if test.only != "" && test.only != l.server.Engine() {
				continue
			}
			c := dial(t, d.OwnerDSN())
			exec := func(text string) {
				for _, q := range script(text) {
					if q == "" {
						continue
					}
					if _, err := c.ExecContext(context.Background(), q); err != nil {
						t.Errorf("%s: %v", q, err)
					}
				}
			}
			exec(test.up)
			if diff := cmp.Diff(test.want, describe(t, before, d)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.up, diff)
			}
			exec(test.down)
			c.Close()
			switch left := describe(t, before, d); {
			case left == nil:
			case test.down == "": // what cannot be undone must not blur the next
				d = l.clone(t)
			default:
				t.Errorf("%s; then %s: left %q", test.up, test.down, left)
				d = l.clone(t)
			}
		}
	}, setup...)
}

// Databases of a thousand tables are read in seconds.
func TestManyTables(t *testing.T) {
	ctx := context.Background()
	const tables = 300
	var setup []string
	for i := range tables {
		setup = append(setup, fmt.Sprintf("CREATE TABLE t%d (id bigint PRIMARY KEY, a int NOT NULL DEFAULT 1, b text, c datetime DEFAULT now(), d decimal(10,2) CHECK (d > 0), KEY (a))", i),
			fmt.Sprintf("INSERT INTO t%d (id) VALUES (1)", i))
	}
	onBoth(t, func(t *testing.T, l *lab) {
		d := l.clone(t)
		timed := func(what string, f func() error) {
			began := time.Now()
			if err := f(); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			t.Logf("%s of %d tables: %v", what, tables, took.Round(time.Millisecond))
			if took > 20*time.Second {
				t.Errorf("%s took %v", what, took)
			}
		}
		timed("schema", func() error { _, err := d.Schema(ctx); return err })
		timed("catalogue", func() error { _, err := d.Catalog(ctx); return err })
		timed("comparison", func() error {
			diffs, n, err := mysql.Compare(ctx, l.base.Database(), d, mysql.CompareOptions{})
			if n != tables || diffs != nil {
				t.Errorf("%d tables were read, with %d differences", n, len(diffs))
			}
			return err
		})
	}, setup...)
}
