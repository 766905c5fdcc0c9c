package toolstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// step is a migration, told without any tool's marks.
type step struct {
	name, up, down string
	// outside: without a transaction of the tool's.
	outside bool
}

// history is a schema's, of the sort that tools trip over.
var history = []step{
	{name: "orders", up: `CREATE TABLE orders (id bigint PRIMARY KEY, total int NOT NULL, note text DEFAULT 'a;b''c');
INSERT INTO orders SELECT i, i FROM generate_series(1, 50) i;`, down: `DROP TABLE orders;`},
	{name: "touch", up: `CREATE TABLE log (at timestamptz, what text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  INSERT INTO log VALUES (now(), 'touched; again');
  RETURN NEW; -- not the end;
END;
$fn$;
CREATE TRIGGER touch AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();`,
		down: `DROP TRIGGER touch ON orders;
DROP FUNCTION touch();
DROP TABLE log;`},
	{name: "channel", up: `ALTER TABLE orders ADD COLUMN channel text;
UPDATE orders SET channel = 'web' WHERE id % 2 = 0;`, down: `ALTER TABLE orders DROP COLUMN channel;`},
	{name: "index", outside: true, up: `CREATE INDEX CONCURRENTLY orders_channel ON orders (channel);`,
		down: `DROP INDEX CONCURRENTLY orders_channel;`},
	{name: "state", up: `CREATE TYPE state AS ENUM ('new', 'paid');
ALTER TABLE orders ADD COLUMN state state NOT NULL DEFAULT 'new';
DO $$ BEGIN PERFORM 1; UPDATE orders SET state = 'paid' WHERE total > 10; END $$;
CREATE VIEW paid AS SELECT id, total FROM orders WHERE state = 'paid';`,
		down: `DROP VIEW paid;
ALTER TABLE orders DROP COLUMN state;
DROP TYPE state;`},
}

// write writes the first n steps of a history into a new directory, as a
// layout has them, and returns the names of the files that hold them.
func write(t *testing.T, layout, dir string, steps []step) (files []string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, s := range steps {
		for j, f := range render(layout, i+1, s) {
			if j == 0 {
				files = append(files, f.name)
			}
			if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}

type file struct{ name, text string }

// render writes a step as a layout's users do; the first file is the up
// script's.
func render(layout string, n int, s step) []file {
	numbered := fmt.Sprintf("%04d_%s", n, s.name)
	mark := func(yes string) string {
		if s.outside {
			return yes
		}
		return ""
	}
	switch layout {
	case "golang-migrate":
		return []file{{numbered + ".up.sql", s.up + "\n"}, {numbered + ".down.sql", s.down + "\n"}}
	case "plain":
		return []file{{numbered + ".sql", s.up + "\n"}, {numbered + ".down.sql", s.down + "\n"}}
	case "goose":
		return []file{{numbered + ".sql", mark("-- +goose NO TRANSACTION\n") + "-- +goose Up\n" + blocks("goose", s.up) +
			"\n-- +goose Down\n" + blocks("goose", s.down) + "\n"}}
	case "sql-migrate":
		return []file{{numbered + ".sql", "-- +migrate Up" + mark(" notransaction") + "\n" + blocks("migrate", s.up) +
			"\n\n-- +migrate Down" + mark(" notransaction") + "\n" + blocks("migrate", s.down) + "\n"}}
	case "dbmate":
		return []file{{fmt.Sprintf("2024010100%04d_%s.sql", n, s.name), "-- migrate:up" + mark(" transaction:false") + "\n" + s.up +
			"\n\n-- migrate:down" + mark(" transaction:false") + "\n" + s.down + "\n"}}
	case "flyway":
		name := fmt.Sprintf("V%d_%d__%s.sql", 1+n/3, n%3, s.name)
		files := []file{{name, s.up + "\n"}}
		if s.outside {
			files = append(files, file{name + ".conf", "executeInTransaction=false\n"})
		}
		return files
	}
	panic("no layout " + layout)
}

// blocks puts what has semicolons within, up to a line that is a statement's
// end, between a tool's marks.
func blocks(tool, sql string) string {
	if !strings.Contains(sql, "$fn$") && !strings.Contains(sql, "$$") {
		return sql
	}
	var out []string
	for _, st := range split(sql) {
		if strings.Contains(st, "$fn$") || strings.Contains(st, "$$") {
			st = "-- +" + tool + " StatementBegin\n" + st + "\n-- +" + tool + " StatementEnd"
		}
		out = append(out, st)
	}
	return strings.Join(out, "\n")
}

// split cuts at lines that end a statement outside of a dollar quote.
func split(sql string) (statements []string) {
	var lines []string
	open := false
	for line := range strings.SplitSeq(sql, "\n") {
		lines = append(lines, line)
		if (strings.Count(line, "$fn$")+strings.Count(line, "$$"))%2 == 1 {
			open = !open
		}
		if !open && strings.HasSuffix(line, ";") {
			statements = append(statements, strings.Join(lines, "\n"))
			lines = nil
		}
	}
	return statements
}
