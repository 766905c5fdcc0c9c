package report_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/report"
)

// The documentation shows real output: blocks after a golden marker are what the
// golden files hold ("head": up to the first empty line).
func TestDocumentationShowsRealOutput(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "report.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out := render(t, "dotenv", dangerous(), report.Options{}); !strings.Contains(string(raw), "```\n"+out+"```\n") {
		t.Errorf("%s does not show the dotenv report as it is:\n%s", path, out)
	}
	n := 0
	block := regexp.MustCompile("(?s)<!-- golden: (\\S+?)( head)? -->\n```text\n.*?```\n")
	want := block.ReplaceAllStringFunc(string(raw), func(old string) string {
		n++
		m := block.FindStringSubmatch(old)
		r, ok := crafted()[strings.TrimSuffix(m[1], ".txt")]
		if !ok {
			t.Fatalf("%s: no golden file %s", path, m[1])
		}
		content := render(t, "text", r, report.Options{Unicode: true})
		if m[2] != "" {
			content = content[:strings.Index(content, "\n\n")+1]
		}
		return "<!-- golden: " + m[1] + m[2] + " -->\n```text\n" + content + "```\n"
	})
	if n == 0 {
		t.Fatalf("%s has no golden marker", path)
	}
	if want == string(raw) {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s shows output that is no more; run this package's tests with -update", path)
}
