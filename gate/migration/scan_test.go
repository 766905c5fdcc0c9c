//go:build cgo

package migration

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	pgquery "github.com/pganalyze/pg_query_go/v6"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// holdAgainstScanner compares the lexer with the server's own: semicolons,
// parentheses and brackets must stand in the same places, all others being in
// quotes or comments. It says more than the grammar, which takes few texts.
func holdAgainstScanner(t *testing.T, text string) {
	t.Helper()
	if behindComment.MatchString(text) {
		return
	}
	scan, err := pgquery.Scan(text)
	var own []int
	l := lexer{s: text}
	for {
		tok, lexErr := l.next()
		if lexErr != nil {
			if err == nil && !psqlOnly(lexErr) {
				t.Fatalf("the scanner takes it, the lexer says %v:\n%s", lexErr, text)
			}
			return
		}
		if tok.kind == tokEnd {
			break
		}
		if strings.IndexByte(";()[]", text[tok.start]) >= 0 {
			own = append(own, tok.start)
		}
	}
	if err != nil {
		if strings.Contains(err.Error(), "unterminated") {
			t.Fatalf("the scanner says %v, the lexer takes it:\n%s", err, text)
		}
		return // an escape that is none: the server's to refuse
	}
	var want []int
	for _, tok := range scan.Tokens {
		switch tok.Token {
		case pgquery.Token_ASCII_59, pgquery.Token_ASCII_40, pgquery.Token_ASCII_41, pgquery.Token_ASCII_91, pgquery.Token_ASCII_93:
			want = append(want, int(tok.Start))
		}
	}
	if diff := cmp.Diff(want, own, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("semicolons and parentheses (-scanner +lexer):\n%s\nin\n%s", diff, text)
	}
}

// behindComment: the library's build of the scanner, other than the server's,
// lets no string go on behind a comment.
var behindComment = regexp.MustCompile(`'[ \t\f\v]*--[^\r\n]*[\r\n]`)

// psqlOnly: what is refused since only psql would take it.
func psqlOnly(err error) bool {
	return strings.Contains(err.Error(), "psql") || strings.Contains(err.Error(), "COPY")
}

// FuzzLexer: no text is read otherwise than by the server's own scanner.
func FuzzLexer(f *testing.F) {
	for _, text := range corpus(f) {
		if len(text) < 20_000 {
			f.Add(text)
		}
	}
	for seed := range uint64(60) {
		f.Add(snapshottest.RandomSQL(seed))
	}
	for _, s := range []string{"U&'x' uescape '!'", "a$1$b$1$", "$1$2;$", "1$a$;$a$", "'a'\r\n'b'", "E'a'--;\n'\\'", `"a""b"`, "x'1'';'", "+-- ;\n", "@-- ;\n-", "/*+*/", "*/*;*/", "+/**/-", "$é$;$é$", "a\u00a0$;$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, bom) || strings.ContainsRune(text, 0) || newSourceFails(text) {
			return
		}
		holdAgainstScanner(t, text)
	})
}

func newSourceFails(text string) bool {
	_, err := newSource("f.sql", []byte(text))
	return err != nil
}
