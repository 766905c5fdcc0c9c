package migration

import (
	"math/rand"
	"os"
	"path/filepath"
	"testing"
)

// TestBrokenSQL analyses statements with pieces taken out, doubled and mixed
// in: whatever people write, the answer is facts or an InputError.
func TestBrokenSQL(t *testing.T) {
	var statements []string
	for _, pattern := range []string{"testdata/facts/*.sql", "testdata/corpus/*.sql"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			pieces, err := splitText(t, string(text), false)
			if err != nil {
				t.Fatal(err)
			}
			statements = append(statements, pieces...)
		}
	}
	runs := 20_000
	if testing.Short() {
		runs = 2_000
	}
	r := rand.New(rand.NewSource(1))
	pick := func() string { return statements[r.Intn(len(statements))] }
	for range runs {
		text := mutate(r, pick(), pick())
		parsed, err := ParseScript("f.sql", []byte(text))
		if err != nil {
			continue
		}
		for _, s := range parsed {
			if s.Line < 1 || s.EndLine < s.Line || s.Facts.Kind == "" {
				t.Fatalf("%d-%d %q of\n%s", s.Line, s.EndLine, s.Facts.Kind, text)
			}
			for _, a := range s.Facts.Actions {
				if a.Line < s.Line || a.Line > s.EndLine {
					t.Fatalf("action outside of its statement (%d-%d): %+v\n%s", s.Line, s.EndLine, a, s.SQL)
				}
			}
		}
	}
}

func mutate(r *rand.Rand, s, other string) string {
	b := []byte(s)
	for range 1 + r.Intn(3) {
		if len(b) < 2 {
			break
		}
		i := r.Intn(len(b))
		j := min(len(b), i+r.Intn(30))
		switch r.Intn(4) {
		case 0:
			b = append(b[:i:i], b[j:]...)
		case 1:
			b = append(append(b[:j:j], b[i:j]...), b[j:]...)
		case 2:
			const signs = "'\"$;()-/*\\:E\n\r .,"
			b[i] = signs[r.Intn(len(signs))]
		case 3:
			x := r.Intn(len(other))
			b = append(append(b[:i:i], other[x:min(len(other), x+r.Intn(60))]...), b[i:]...)
		}
	}
	return string(b)
}
