package migration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dialectOf is MySQL but for the files of MariaDB's own forms.
func dialectOf(file string) Dialect {
	if strings.Contains(filepath.Base(file), "mariadb") {
		return MariaDB
	}
	return MySQL
}

// TestMySQLFacts holds every statement of testdata/mysql/*.sql against the
// facts next to it. The files run on real servers, see TestMySQLFactsAreReal.
func TestMySQLFacts(t *testing.T) {
	files, err := filepath.Glob("testdata/mysql/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test SQL: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			statements, err := ParseScriptWith(filepath.Base(file), text, Options{Dialect: dialectOf(file)})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".sql")+".facts", showStatements(statements))
		})
	}
}
