package migration

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"orders": "orders", "Orders": `"Orders"`, "order": `"order"`, "name": "name", "a$1": "a$1", "1a": `"1a"`,
		`q"x`: `"q""x"`, "": `""`, "é": `"é"`, "between": `"between"`, "a b": `"a b"`,
	} {
		if got := QuoteIdent(in); got != want {
			t.Errorf("QuoteIdent(%q) = %s, want %s", in, got, want)
		}
	}
	if got := QuoteName("Shop", "user"); got != `"Shop"."user"` {
		t.Error(got)
	}
	if got := QuoteLiteral(`it's \n`); got != `E'it''s \\n'` {
		t.Error(got)
	}
}

func one(t *testing.T, sql string) Statement {
	t.Helper()
	s, err := ParseScript("f.sql", []byte(sql))
	if err != nil || len(s) == 0 {
		t.Fatalf("%v: %v", s, err)
	}
	return s[len(s)-1]
}

func TestConcurrentIndex(t *testing.T) {
	for sql, want := range map[string]string{
		"create unique index i on shop.orders (lower(a)) where b": "CREATE UNIQUE INDEX CONCURRENTLY i ON shop.orders USING btree (lower(a)) WHERE b",
		"CREATE INDEX ON orders (a)":                              "CREATE INDEX CONCURRENTLY ON orders USING btree (a)",
		"CREATE INDEX IF NOT EXISTS i ON orders (a)":              "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders USING btree (a)",
		"CREATE INDEX CONCURRENTLY i ON orders (a)":               "CREATE INDEX CONCURRENTLY i ON orders USING btree (a)",
	} {
		if got := one(t, sql).Facts.Actions[0].ConcurrentIndex(); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}

// A body that is only created destroys nothing yet; one that is called does.
func TestCallsOfOwnRoutines(t *testing.T) {
	create := "CREATE FUNCTION shop.f() RETURNS void LANGUAGE sql AS 'DELETE FROM t';"
	s := one(t, create)
	if a := s.Facts.Actions[1]; a.Verb != Delete || !a.Deferred() || a.Routine() != "shop.f" {
		t.Errorf("got %+v", a)
	}
	for _, call := range []string{"SELECT f()", "SELECT shop.f()", "DO $$ BEGIN PERFORM f(); END $$", "SELECT 1 FROM x WHERE shop.f() IS NULL"} {
		s := one(t, create+call)
		if len(s.Facts.Actions) != 1 || s.Facts.Actions[0].Verb != Delete || s.Facts.Actions[0].Deferred() {
			t.Errorf("%s: got %+v", call, s.Facts.Actions)
		}
	}
	if s := one(t, create+"SELECT g()"); len(s.Facts.Actions) != 0 {
		t.Errorf("got %+v", s.Facts.Actions)
	}
}

func TestFirstLine(t *testing.T) {
	if got := one(t, "SELECT 1,\r\n 2").FirstLine(); got != "SELECT 1, …" {
		t.Error(got)
	}
}

// BenchmarkLoad reads a directory of a thousand merged migrations.
func BenchmarkLoad(b *testing.B) {
	fsys := fstest.MapFS{}
	for i := range 1000 {
		sql := fmt.Sprintf("ALTER TABLE t%d ADD COLUMN a int NOT NULL DEFAULT 0;\nCREATE INDEX i%d ON t%d (a);\n", i, i, i)
		sql += "CREATE TABLE x (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id), " + strings.Repeat("c text, ", 20) + "d int);\n"
		fsys[fmt.Sprintf("m/%06d_x.up.sql", i+1)] = &fstest.MapFile{Data: []byte(sql)}
	}
	layout, _ := ByName("golang-migrate")
	for name, read := range map[string]func() (Set, error){
		"list": func() (Set, error) { return List(fsys, "m", layout, Options{}) },
		"load": func() (Set, error) { return Load(fsys, "m", layout, Options{}) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if set, err := read(); err != nil || len(set.Migrations) != 1000 {
					b.Fatal(err)
				}
			}
		})
	}
}

// A statement that is mostly data is classified without a tree of it.
func TestHugeStatement(t *testing.T) {
	row := "(1, 'DELETE FROM t'),\n"
	s := one(t, "INSERT INTO shop.t VALUES\n"+strings.Repeat(row, maxTree/len(row)+1)+"(2, '') ON CONFLICT (a) DO UPDATE SET b = 1, c = 2 WHERE true")
	f := s.Facts
	if f.Analysed || len(f.Actions) != 1 || f.Actions[0].Verb != Upsert || f.Actions[0].Schema != "shop" || strings.Join(f.Actions[0].Columns, " ") != "b c" {
		t.Errorf("got %+v", f)
	}
}
