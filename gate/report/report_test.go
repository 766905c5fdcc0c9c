package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// render fails the test where rendering does.
func render(tb testing.TB, format string, r gate.Report, opt report.Options) string {
	tb.Helper()
	var b bytes.Buffer
	if err := report.Render(&b, format, r, opt); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-golden +got), rewrite with -update if that is meant:\n%s", path, diff)
	}
}

func TestGolden(t *testing.T) {
	for name, r := range crafted() {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", render(t, "text", r, report.Options{Unicode: true}))
			if name != "huge" {
				// The observation, last of all fields, is no contract and grows
				// with every new fact.
				contract, _, _ := strings.Cut(render(t, "json", r, report.Options{}), ",\n  \"observation\":")
				golden(t, name+".json", contract+"\n}\n")
			}
			golden(t, name+".md", render(t, "markdown", r, report.Options{Unicode: true}))
			golden(t, filepath.Join("dotenv", name+".env"), render(t, "dotenv", r, report.Options{}))
			golden(t, filepath.Join("line", name+".txt"), render(t, "line", r, report.Options{From: "migrations"}))
			if name != "huge" {
				golden(t, filepath.Join("sarif", name+".sarif"), render(t, "sarif", r, report.Options{Version: "1.2.3"}))
				golden(t, filepath.Join("junit", name+".xml"), render(t, "junit", r, report.Options{}))
				golden(t, filepath.Join("code-quality", name+".json"), render(t, "code-quality", r, report.Options{}))
			}
		})
	}
}
