package migration

import (
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mySQLStatements are the statements of this package's test SQL.
func mySQLStatements(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/mysql/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		statements, err := ParseScriptWith(f, text, Options{Dialect: dialectOf(f)})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			out = append(out, s.SQL)
		}
	}
	for _, s := range splitCases {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// checkMySQL holds what is true of every text: facts or an InputError; pieces
// that lie one behind the other in the text, hold all of it but blanks,
// comments and semicolons, and split to themselves.
func checkMySQL(t *testing.T, text string, d Dialect) {
	t.Helper()
	statements, err := ParseScriptWith("f.sql", []byte(text), Options{Dialect: d})
	if err != nil {
		return
	}
	end := 0
	for i, s := range statements {
		if s.Line < 1 || s.EndLine < s.Line || s.Facts.Kind == "" || s.Facts.Analysed == (s.Facts.NotAnalysed != "") {
			t.Fatalf("%d-%d %q (%v, %q) of\n%s", s.Line, s.EndLine, s.Facts.Kind, s.Facts.Analysed, s.Facts.NotAnalysed, text)
		}
		if s.Offset < end || !strings.HasPrefix(text[s.Offset:], s.SQL) {
			t.Fatalf("statement %d is not at offset %d: %q of\n%s", i, s.Offset, s.SQL, text)
		}
		if !nothingIn(text[end:s.Offset], d) {
			t.Fatalf("%q is in no statement of\n%s", text[end:s.Offset], text)
		}
		end = s.Offset + len(s.SQL)
		for _, a := range s.Facts.Actions {
			if a.Line < s.Line || a.Line > s.EndLine {
				t.Fatalf("action outside of its statement (%d-%d): %+v\n%s", s.Line, s.EndLine, a, s.SQL)
			}
		}
	}
	if !nothingIn(text[end:], d) {
		t.Fatalf("%q is in no statement of\n%s", text[end:], text)
	}
	if strings.Contains(strings.ToLower(text), "sql_mode") {
		return // what came before decides how a statement is read
	}
	for _, s := range statements {
		if strings.HasSuffix(s.SQL, "--") {
			continue // two signs before a semicolon, a comment at the end
		}
		again, err := ParseScriptWith("f.sql", []byte(s.SQL), Options{Dialect: d})
		if err != nil || len(again) != 1 || again[0].SQL != s.SQL {
			t.Fatalf("%q splits again into %d statements (%v), of\n%s", s.SQL, len(again), err, text)
		}
	}
}

func nothingIn(s string, d Dialect) bool {
	l := newMyLexer(s, 0, d == MariaDB)
	for {
		t, err := l.next()
		if err != nil || t.kind == tokEnd {
			return err == nil
		}
		if s[t.start:t.end] != ";" {
			return false
		}
	}
}

// TestBrokenMySQL analyses statements with pieces taken out, doubled and mixed
// in.
func TestBrokenMySQL(t *testing.T) {
	statements := mySQLStatements(t)
	runs := 60_000
	if testing.Short() {
		runs = 5_000
	}
	r := rand.New(rand.NewSource(1))
	pick := func() string { return statements[r.Intn(len(statements))] }
	for i := range runs {
		text := mutate(r, pick(), pick())
		if i%2 == 0 {
			text += "; " + mutate(r, pick(), pick())
		}
		checkMySQL(t, text, []Dialect{MySQL, MariaDB}[i/2%2])
	}
}

func FuzzMySQL(f *testing.F) {
	for _, s := range mySQLStatements(f) {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, mariadb bool) {
		d := MySQL
		if mariadb {
			d = MariaDB
		}
		checkMySQL(t, text, d)
	})
}
