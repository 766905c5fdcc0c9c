//go:build cgo

package migration

import (
	"path/filepath"
	"strings"
	"testing"

	pgquery "github.com/pganalyze/pg_query_go/v6"
)

// oracle returns the statements as the server's grammar cuts them; ok is
// false where it takes none of the text.
func oracle(text string) (statements []string, ok bool) {
	tree, err := pgquery.Parse(text)
	if err != nil {
		return nil, false
	}
	for _, s := range tree.Stmts {
		end := len(text)
		if s.StmtLen > 0 {
			end = int(s.StmtLocation + s.StmtLen)
		}
		statements = append(statements, strings.TrimSpace(text[s.StmtLocation:end]))
	}
	return statements, true
}

// holdAgainstOracle compares the splitter with the grammar. The grammar's
// ranges include leading comments, and trailing ones at the end of the text.
func holdAgainstOracle(t *testing.T, text string) int {
	t.Helper()
	want, ok := oracle(text)
	if !ok {
		return 0
	}
	src, err := newSource("f.sql", []byte(text))
	if err != nil {
		return 0
	}
	pieces, _, err := split(src, false, true)
	if err != nil {
		t.Fatalf("the grammar takes it, the splitter says %v:\n%s", err, text)
	}
	if len(pieces) != len(want) {
		t.Fatalf("got %d statements, the grammar has %d:\n%s", len(pieces), len(want), text)
	}
	for i, p := range pieces {
		sql := src.text[p.start:p.end]
		if at := strings.Index(want[i], sql); at < 0 || !onlyBlank(want[i][:at]) || !onlyBlank(want[i][at+len(sql):]) {
			t.Fatalf("statement %d:\n%s\nthe grammar has:\n%s", i, sql, want[i])
		}
	}
	return len(pieces)
}

func onlyBlank(s string) bool {
	l := lexer{s: s}
	return l.skipBlank() == nil && l.pos == len(s)
}

// psqlFree takes out the lines that only psql reads, as extension scripts
// have them.
func psqlFree(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, `\`) {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

func TestSplitAsTheGrammar(t *testing.T) {
	statements, files := 0, 0
	for name, text := range corpus(t) {
		text = psqlFree(text)
		t.Run(filepath.Base(name), func(t *testing.T) {
			n := holdAgainstOracle(t, text)
			if n > 0 {
				files++
			}
			statements += n
			// Each statement alone, for files the grammar does not take whole.
			pieces, err := splitText(t, text, false)
			if err != nil {
				return
			}
			for _, p := range pieces {
				statements += holdAgainstOracle(t, p)
			}
		})
	}
	t.Logf("%d files taken whole, %d statements compared", files, statements)
	if statements < 300 {
		t.Errorf("only %d statements compared", statements)
	}
}

func FuzzSplit(f *testing.F) {
	for _, text := range corpus(f) {
		if len(text) < 20_000 {
			f.Add(text)
		}
	}
	for _, s := range []string{
		"a$b$;$b$", "SELECT E'\\'';--", "/*/**/*/;", "U&'\\0041'", "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN 1 THEN 1 END; END;",
		"SELECT 1--\r;2", "SELECT 'a'\n'b;';", "SELECT $1;$x$;$x$", "SELECT a[1:b]", "SELECT 1.e5;", "\"a\"\"b;\"", "N'x'", "x'1'", "SELECT 1+-- ;\n2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, bom) || strings.ContainsRune(text, 0) {
			return
		}
		holdAgainstOracle(t, text)
	})
}

// FuzzFacts: no text makes the analysis fail or loop.
func FuzzFacts(f *testing.F) {
	for _, text := range corpus(f) {
		if len(text) < 20_000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		statements, err := ParseScript("f.sql", []byte(text))
		if err != nil {
			return
		}
		for _, s := range statements {
			if s.Line < 1 || s.EndLine < s.Line || s.Facts.Kind == "" {
				t.Fatalf("%+v", s)
			}
			for _, a := range s.Facts.Actions {
				if a.Line < s.Line || a.Line > s.EndLine {
					t.Fatalf("action outside of its statement (%d-%d): %+v\n%s", s.Line, s.EndLine, a, s.SQL)
				}
			}
		}
	})
}
