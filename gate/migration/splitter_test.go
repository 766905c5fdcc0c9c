package migration

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func splitText(t testing.TB, text string, oneString bool) ([]string, error) {
	t.Helper()
	src, err := newSource("f.sql", []byte(text))
	if err != nil {
		return nil, err
	}
	pieces, _, err := split(src, false, oneString)
	var out []string
	for _, p := range pieces {
		s := src.text[p.start:p.end]
		if p.copyData != nil {
			s += " <" + string(p.copyData) + ">"
		}
		out = append(out, s)
	}
	return out, err
}

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", " ;; -- x\n/* y */;", nil},
		{"plain", "a; b ;c", []string{"a", "b", "c"}},
		{"byte order mark", "\ufeffa;b", []string{"a", "b"}},
		{"crlf", "a\r\nb;\r\n-- c;\r\nd", []string{"a\r\nb", "d"}},
		{"lone cr ends a comment", "-- c;\ra;b", []string{"a", "b"}},
		{"trailing comment", "a; -- b;", []string{"a"}},
		{"comment inside", "a /* ; */ b -- ;\n c;", []string{"a /* ; */ b -- ;\n c"}},
		{"nested comment", "a /* /* ; */ ; */ x;b", []string{"a /* /* ; */ ; */ x", "b"}},
		{"comment after an operator", "a +-- ;\nb; a */* ; */ c", []string{"a +-- ;\nb", "a */* ; */ c"}},
		{"string", "a 'x;''y;' b;c", []string{"a 'x;''y;' b", "c"}},
		{"backslash is no escape", `a '\';b`, []string{`a '\'`, "b"}},
		{"escape string", `a E'\';' e'\\';b`, []string{`a E'\';' e'\\'`, "b"}},
		{"escape string goes on", "a E'x'\n'\\';';b", []string{"a E'x'\n'\\';'", "b"}},
		{"escape string goes on after a comment", "a E'x' -- c\n  '\\';';b", []string{"a E'x' -- c\n  '\\';'", "b"}},
		{"no continuation on the same line", `a E'x' '\';b`, []string{`a E'x' '\'`, "b"}},
		{"name that ends in e", `a SOME'\';b`, []string{`a SOME'\'`, "b"}},
		{"unicode string", `a U&'\0041;' u&"x;y" UESCAPE '\';b`, []string{`a U&'\0041;' u&"x;y" UESCAPE '\'`, "b"}},
		{"bit, hex, national", `B';' X';' N';';b`, []string{`B';' X';' N';'`, "b"}},
		{"quoted identifier", `a "x;""y";b`, []string{`a "x;""y"`, "b"}},
		{"dollar", "a $$x;'\"$$ $t$;$$;$x$;$t$;b", []string{"a $$x;'\"$$ $t$;$$;$x$;$t$", "b"}},
		{"dollar tag beyond ascii", "a $tägé$;$tägé$;b", []string{"a $tägé$;$tägé$", "b"}},
		{"dollar in a name", "a$b$;c$b$", []string{"a$b$", "c$b$"}},
		{"parameter", "a $1;b$1$;c", []string{"a $1", "b$1$", "c"}},
		{"junk behind a number", "SELECT 1a$b$c;a$b$;SELECT 1$x$;$x$;1e5é$b$;b$b$", []string{"SELECT 1a$b$c", "a$b$", "SELECT 1$x$;$x$", "1e5é$b$", "b$b$"}},
		{"parentheses", "CREATE RULE r DO (a;b);c", []string{"CREATE RULE r DO (a;b)", "c"}},
		{"stray closing parenthesis", "a);b", []string{"a)", "b"}},
		{"slice", "SELECT a[1:n], a[lo:hi], x::int, f(p := 1);b", []string{"SELECT a[1:n], a[lo:hi], x::int, f(p := 1)", "b"}},
		{"json object", "SELECT json_object('a':b);c", []string{"SELECT json_object('a':b)", "c"}},
		{"transaction", "BEGIN;a;END;b", []string{"BEGIN", "a", "END", "b"}},
		{
			"body", "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END AS end; SELECT t.case; END; b",
			[]string{"CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END AS end; SELECT t.case; END", "b"},
		},
		{"procedure body", "create procedure p() begin atomic a; end; b", []string{"create procedure p() begin atomic a; end", "b"}},
		{"function with a string", "CREATE FUNCTION f() AS 'BEGIN ATOMIC;';b", []string{"CREATE FUNCTION f() AS 'BEGIN ATOMIC;'", "b"}},
		{"begin atomic elsewhere", "CREATE TABLE begin (atomic int); begin atomic; b", []string{"CREATE TABLE begin (atomic int)", "begin atomic", "b"}},
		{"copy", "COPY t (a) FROM stdin;\n1;'\n\\.\nb;", []string{"COPY t (a) FROM stdin <1;'\n>", "b"}},
		{"copy with crlf", "COPY t FROM STDIN WITH (FORMAT csv); -- x\r\n1\r\n\\.\r\nb;", []string{"COPY t FROM STDIN WITH (FORMAT csv) <1\r\n>", "b"}},
		{"copy of nothing", "COPY t FROM stdin;\n\\.\n", []string{"COPY t FROM stdin <>"}},
		{"copy at the end", "COPY t FROM stdin;\n\n", []string{"COPY t FROM stdin"}},
		{"copy from a file", "COPY t FROM 'stdin'; b", []string{"COPY t FROM 'stdin'", "b"}},
		{"numbers", "SELECT 1e-5,1..2,0x1F,1_000,.5e+3;b", []string{"SELECT 1e-5,1..2,0x1F,1_000,.5e+3", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := splitText(t, tt.text, true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A session that turned standard_conforming_strings off reads what it is sent
// afterwards otherwise, but not what stands in the same string.
func TestSplitConformingStrings(t *testing.T) {
	text := `SET standard_conforming_strings = off; a '\';';b`
	got, err := splitText(t, text, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"SET standard_conforming_strings = off", `a '\';'`, "b"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := splitText(t, text, true); err == nil {
		t.Error("the string after \\' is not closed when read at once, and nothing was said")
	}
}

func TestSplitErrors(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line, col  int
		message    string
	}{
		{"string", "a;\n  b 'x", 2, 5, "quoted string"},
		{"column in characters", "a;\n ü 'x", 2, 4, "quoted string"},
		{"identifier", "a \"x", 1, 3, "quoted identifier"},
		{"comment", "a\r\n/* /* */", 2, 1, "comment"},
		{"dollar", "a $x$ b $$", 1, 3, "$x$"},
		{"parenthesis", "a (b;\rc", 1, 3, `"("`},
		{"body", "CREATE FUNCTION f()\nBEGIN ATOMIC a;", 2, 1, "BEGIN ATOMIC"},
		{"copy", "a;\nCOPY t FROM stdin;\n1\n", 2, 1, "COPY"},
		{"copy with text behind", "COPY t FROM stdin; b\n\\.\n", 1, 20, "text follows"},
		{"meta-command", "a;\n\\connect db\n", 2, 1, `\connect`},
		{"end of data without copy", "a;\n\\.\n", 2, 1, `no such COPY`},
		{"variable", "SELECT :name", 1, 8, ":name"},
		{"quoted variable", "SELECT f(:'name')", 1, 10, ":'name"},
		{"schema variable", "DROP TABLE :s.t", 1, 12, ":s"},
		{"nul", "a;\nb\x00c", 2, 2, "NUL"},
		{"utf-16", "\xff\xfea\x00", 1, 4, "NUL"},
		{"broken utf-8", "a '\xc3\x28'", 1, 4, "0xC3"},
		{"broken utf-8 after a byte order mark", "\ufeffa\n'\xff'", 2, 2, "0xFF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := splitText(t, tt.text, true)
			var e *InputError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an InputError", err)
			}
			if e.Line != tt.line || e.Col != tt.col || !strings.Contains(e.Message, tt.message) || e.Remedy == "" || e.File != "f.sql" {
				t.Errorf("got %v (remedy %q), want %d:%d: …%s…", e, e.Remedy, tt.line, tt.col, tt.message)
			}
		})
	}
}

// Lines are people's lines, and offsets count every byte of the file.
func TestStatementPositions(t *testing.T) {
	text := "\ufeff-- a\r\nSELECT 1;\r\n\r\n  DROP\r\n TABLE x;\rCOPY t FROM stdin;\n1\n\\.\nSELECT 2"
	got, err := ParseScript("f.sql", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	type pos struct{ Line, End int }
	want := []pos{{2, 2}, {4, 5}, {6, 8}, {9, 9}}
	for i, s := range got {
		if p := (pos{s.Line, s.EndLine}); p != want[i] {
			t.Errorf("%q: got %v, want %v", s.SQL, p, want[i])
		}
		if !strings.HasPrefix(text[s.Offset:], s.SQL) {
			t.Errorf("%q is not at offset %d", s.SQL, s.Offset)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d statements", len(got))
	}
}
