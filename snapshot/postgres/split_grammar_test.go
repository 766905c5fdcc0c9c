//go:build cgo

package postgres

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// spelled is each statement of a text as the server's grammar spells it; ok is
// false where it takes none of the text.
func spelled(text string) (statements []string, ok bool) {
	tree, err := pgquery.Parse(text)
	if err != nil {
		return nil, false
	}
	for _, s := range tree.Stmts {
		one, err := pgquery.Deparse(&pgquery.ParseResult{Version: tree.Version, Stmts: []*pgquery.RawStmt{{Stmt: s.Stmt}}})
		if err != nil {
			return nil, false
		}
		statements = append(statements, one)
	}
	return statements, true
}

var (
	// psqlsOwn is what psql reads otherwise than the server, or the server's
	// grammar in this build otherwise than a server: commands, data, strings that
	// go on on another line.
	psqlsOwn = regexp.MustCompile(`(?i)\\|'\s*[\r\n]|'\s*--|\bcopy\b|[\x00\v]`)
	// labelled: END and CASE as labels count as keywords in a body.
	labelled = regexp.MustCompile(`(?i)\batomic\b`)
)

// FuzzSplitAsTheGrammar: a text that the grammar takes is cut into the same
// statements, whatever the reader's buffer.
func FuzzSplitAsTheGrammar(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.sql")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range strings.SplitAfter(string(text), ";\n") {
			f.Add(s)
		}
	}
	for _, s := range []string{
		"SELECT 1; SELECT 'a;b', \"c;d\", $$;$$, $x$ $$; $x$, U&'\\0041;' /* ; /* ; */ */ -- ;\n, 1;", "CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2);SELECT 3",
		"SELECT a$b$, $1, a[1:2], 1a;", "CREATE FUNCTION f(atomic int) RETURNS int LANGUAGE sql AS 'x;'; SELECT 1", "SELECT E'x''y;', e'', B'1', N'z';",
		"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3;", "SELECT 1+--;\n2;", "SELECT 4*/*;*/5;;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if psqlsOwn.MatchString(text) || labelled.MatchString(text) && strings.Count(strings.ToLower(text), " as ") > 1 {
			return
		}
		want, ok := spelled(text)
		if !ok {
			return
		}
		for _, buffer := range []int{16, 4096} {
			var got []string
			err := SplitDump(text, buffer, func(sql string, _ []byte) bool {
				one, ok := spelled(sql)
				if !ok || len(one) != 1 {
					t.Fatalf("a piece that is no statement: %q\nof %q", sql, text)
				}
				got = append(got, one[0])
				return true
			})
			if err != nil {
				t.Fatalf("the grammar takes it, the splitter says %v: %q", err, text)
			}
			if strings.Join(want, "\n;\n") != strings.Join(got, "\n;\n") {
				t.Fatalf("of %q\ngot  %q\nwant %q", text, got, want)
			}
		}
	})
}
