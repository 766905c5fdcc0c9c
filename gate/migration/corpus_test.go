package migration

import (
	"os"
	"path/filepath"
	"testing"
)

// corpus is every SQL file at hand: this package's, and what a PostgreSQL on
// the machine brings along.
func corpus(t testing.TB) map[string]string {
	files := map[string]string{}
	for _, pattern := range []string{
		"testdata/facts/*.sql", "testdata/corpus/*.sql",
		"/usr/share/postgresql/*/*.sql", "/usr/share/postgresql/*/extension/*.sql",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(text)
		}
	}
	return files
}
