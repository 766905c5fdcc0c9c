package rule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// applied is the file with the finding's lines replaced by its suggestion.
func applied(text string, f gate.Finding) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.Concat(lines[:f.Line-1], []string{f.Suggestion}, lines[f.EndLine:]), "\n")
}

// suggested is the file with the only finding's suggestion, which must be want;
// not ok: "" was wanted, which stands for no suggestion.
func suggested(t *testing.T, findings []gate.Finding, text, want string) (got string, ok bool) {
	t.Helper()
	if len(findings) != 1 {
		t.Fatalf("%d findings", len(findings))
	}
	if want == "" {
		if s := findings[0].Suggestion; s != "" {
			t.Errorf("suggestion %q", s)
		}
		return "", false
	}
	if got = applied(text, findings[0]); got != want {
		t.Fatalf("the file is %q, want %q", got, want)
	}
	return got, true
}

// A suggestion is the whole fix: with it in the file the finding is gone, and
// nothing else of the file has changed.
func TestSuggestionSpellsTheClauseOut(t *testing.T) {
	instant := gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INSTANT"}
	index := gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Lock: "NONE"}
	copied := gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "COPY", Rebuild: true, Lock: "SHARED", Best: &gate.BestDDL{Algorithm: "INSTANT"}}
	for _, c := range []struct {
		name, engine, text string
		ddl                gate.OnlineDDL
		rule, want         string // want "": no suggestion
	}{
		{"alone", "mysql", "ALTER TABLE orders ADD COLUMN a INT;\n", instant, "online-ddl-not-explicit", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT;\n"},
		{"over lines, with comments", "mysql", "-- why\n\nALTER TABLE orders\n  ADD COLUMN a INT, -- one\n  ADD COLUMN b INT; -- two\n-- end\n", instant, "online-ddl-not-explicit",
			"-- why\n\nALTER TABLE orders\n  ADD COLUMN a INT, -- one\n  ADD COLUMN b INT, ALGORITHM=INSTANT; -- two\n-- end\n"},
		{"an index", "mysql", "CREATE INDEX i\n  ON orders (total);\n", index, "online-ddl-not-explicit", "CREATE INDEX i\n  ON orders (total) ALGORITHM=INPLACE LOCK=NONE;\n"},
		{"MariaDB", "mariadb", "DROP INDEX i ON orders;\n", index, "online-ddl-not-explicit", "ALTER TABLE orders DROP INDEX i, ALGORITHM=NOCOPY, LOCK=NONE;\n"},
		{"LOCK alone", "mysql", "ALTER TABLE orders ADD INDEX (total), ALGORITHM=INPLACE;\n", index, "online-ddl-not-explicit", "ALTER TABLE orders ADD INDEX (total), ALGORITHM=INPLACE, LOCK=NONE;\n"},
		{"DEFAULT is not said twice", "mysql", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=DEFAULT;\n", instant, "online-ddl-not-explicit", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT;\n"},
		{"a copy asked for", "mysql", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=COPY;\n", copied, "table-rewrite", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT;\n"},
		{"a copy that nothing asked for", "mysql", "ALTER TABLE orders ADD COLUMN a INT;\n", copied, "table-rewrite", ""},
		{"another statement on the line", "mysql", "ALTER TABLE orders ADD COLUMN a INT; SELECT 1;\n", instant, "online-ddl-not-explicit", ""},
		{"begins within a line", "mysql", "SELECT 1; ALTER TABLE orders ADD COLUMN a INT;\n", instant, "online-ddl-not-explicit", ""},
		{"no semicolon", "mysql", "ALTER TABLE orders ADD COLUMN a INT\n", instant, "online-ddl-not-explicit", ""},
		{"no place for the clause", "mysql", "ALTER TABLE orders ADD COLUMN a INT, ORDER BY id;\n", instant, "online-ddl-not-explicit", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := func(text string, ddl gate.OnlineDDL) []gate.Finding {
				o := myWorld(t, "SELECT 1;\n")
				o.Engine.Name = c.engine
				o.Migrations[0].Up = myScript(t, migration.Dialect(c.engine), upFile, text)
				runs := make([]gate.StatementRun, len(o.Migrations[0].Up.Statements))
				for i, st := range o.Migrations[0].Up.Statements {
					if st.Facts.Kind != "SELECT" {
						runs[i].DDL = &ddl
					}
				}
				o.Migrations[0].Apply = &gate.Run{Statements: runs}
				return rule.Judge(o, only(c.rule)).Findings
			}
			findings := judge(c.text, c.ddl)
			got, ok := suggested(t, findings, c.text, c.want)
			if !ok {
				return
			}
			then := c.ddl
			if c.ddl.Best != nil {
				then = instant // what the clause makes of it, or the server refuses
			}
			expect(t, judge(got, then))
		})
	}
}

// Alone in its file, which golang-migrate sends without a transaction, an index
// is built beside the traffic with one word more; elsewhere that is no whole fix.
func TestSuggestionBuildsConcurrently(t *testing.T) {
	for _, c := range []struct{ name, layout, text, want string }{
		{"alone", "golang-migrate", "-- lookups by user\ncreate unique index of_user\n  on orders (user_id); -- #12\n", "-- lookups by user\ncreate unique index CONCURRENTLY of_user\n  on orders (user_id); -- #12\n"},
		{"without a name", "golang-migrate", "CREATE INDEX ON orders (user_id);\n", "CREATE INDEX CONCURRENTLY ON orders (user_id);\n"},
		{"goose needs a marker", "goose", "CREATE INDEX of_user ON orders (user_id);\n", ""},
		{"not alone in its file", "golang-migrate", "CREATE INDEX of_user ON orders (user_id);\nSELECT 1;\n", ""},
		{"a partitioned table", "golang-migrate", "CREATE INDEX of_part ON parts (id);\n", ""},
		{"another statement", "golang-migrate", "ALTER TABLE orders ALTER total TYPE bigint;\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := hazard(t, c.text, "16", c.layout, false)
			findings := rule.Judge(o, only("lock-budget")).Findings
			got, ok := suggested(t, findings, c.text, c.want)
			if !ok {
				return
			}
			statements, err := migration.ParseScript(upFile, []byte(got))
			if err != nil || len(statements) != 1 || !statements[0].Facts.Concurrently {
				t.Errorf("%d statements, not concurrent: %v", len(statements), err)
			}
		})
	}
}

// The server takes what is suggested, sent as the tool sends the file.
func TestSuggestedIndexIsBuilt(t *testing.T) {
	server := snapshottest.Server(t, "")
	db := database(t, server, "", "suggested")
	run(t, server, db, "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)")
	text := "CREATE UNIQUE INDEX of_user ON orders (user_id, id);\n"
	findings := rule.Judge(hazard(t, text, "16", "golang-migrate", false), only("lock-budget")).Findings
	run(t, server, db, applied(text, findings[0]))
	prove(t, server, db, "indisvalid AND indisunique FROM pg_index WHERE indexrelid = 'of_user'::regclass", findings[0].Suggestion)
}
