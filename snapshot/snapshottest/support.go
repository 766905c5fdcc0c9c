package snapshottest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// SupportFile names the environment variable with the file to which Supported
// appends. `make test` sets it, and holds docs/support.md against the file.
const SupportFile = "MG_SUPPORT"

// SupportedTarget is Supported for a kind of server and an engine as
// snapshot.Spec names it.
func SupportedTarget(tb testing.TB, kind, engine string) {
	tb.Helper()
	product := map[string]string{"": "PostgreSQL", "postgres": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}[engine]
	Supported(tb, "targets", kind, product)
}

// Supported records, once the test has passed, that it proved one cell of
// docs/support.md: of a table ("layouts", "formats", "several", "majors", "flavours",
// "targets"), a row and a column. A test that fails or is skipped proves
// nothing.
func Supported(tb testing.TB, table, row, column string) {
	tb.Helper()
	path := os.Getenv(SupportFile)
	for _, s := range []string{table, row, column} {
		if s == "" || strings.ContainsAny(s, "\t\n|") {
			tb.Fatalf("%q cannot name a cell of docs/support.md", s)
		}
	}
	if path == "" {
		return
	}
	tb.Cleanup(func() {
		if tb.Failed() || tb.Skipped() {
			return
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			tb.Errorf("record what was proven: %v", err)
			return
		}
		// One write of one line: packages append at the same time.
		_, err = fmt.Fprintf(f, "%s\t%s\t%s\n", table, row, column)
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			tb.Errorf("record what was proven: %v", err)
		}
	})
}
