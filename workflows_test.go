package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
	"go.yaml.in/yaml/v3"
)

// yamlBlocks are the blocks of a page of the documentation, with the lines that
// they begin at.
func yamlBlocks(t *testing.T, page string) map[int]string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[int]string{}
	for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllSubmatchIndex(content, -1) {
		blocks[2+bytes.Count(content[:m[0]], []byte("\n"))] = string(content[m[2]:m[3]])
	}
	return blocks
}

// workflow completes what a page shows of one: its steps, or its jobs. "" for
// what belongs to no workflow.
func workflow(block string) string {
	const on = "on: pull_request\n"
	var keys map[string]any
	if yaml.Unmarshal([]byte(block), &keys) == nil {
		switch {
		case keys["on"] != nil:
			return block
		case keys["jobs"] != nil:
			return on + block
		}
		return ""
	}
	var steps []any
	if yaml.Unmarshal([]byte(block), &steps) == nil {
		return on + "jobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n" + block
	}
	return block // and the linter says what is wrong with it
}

// The page and the README begin with the workflow that `make act` runs.
func TestDocumentedWorkflowIsTheOneThatRuns(t *testing.T) {
	want, err := os.ReadFile("testdata/act/migrations.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"README.md", "docs/github.md"} {
		blocks := yamlBlocks(t, page)
		first := ""
		for line := 1; first == "" && line < 100; line++ {
			first = blocks[line]
		}
		if first != "# .github/workflows/migrations.yml\n"+string(want) {
			t.Errorf("%s shows another workflow than testdata/act/migrations.yml:\n%s", page, first)
		}
	}
}

// Every workflow that is shown passes actionlint, with the action of this
// repository in its place: its inputs and outputs are those of action.yml.
func TestDocumentedWorkflowsAreValid(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	linter := regexp.MustCompile(`(?m)^ACTIONLINT\s*:=\s*(\S+)`).FindSubmatch(makefile)
	if linter == nil {
		t.Fatal("the Makefile names no ACTIONLINT")
	}
	bin := filepath.Join(t.TempDir(), "bin")
	install := exec.Command("go", "install", string(linter[1]))
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		snapshottest.Missing(t, "the documentation's workflows, for actionlint cannot be built: "+string(out), "a network, or a module cache that has it")
	}
	lint := func(t *testing.T, workflows map[string]string) string {
		t.Helper()
		top := t.TempDir()
		dir := filepath.Join(top, ".github", "workflows")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"action.yml", "Dockerfile"} {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(top, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command("git", "init", "-q", top).CombinedOutput(); err != nil {
			t.Fatalf("git init: %s", out)
		}
		for name, w := range workflows {
			// It looks into actions of the repository's own only.
			w = strings.ReplaceAll(w, "migration-gate/migration-gate@v1", "./")
			if err := os.WriteFile(filepath.Join(dir, name), []byte(w), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(filepath.Join(bin, "actionlint"), "-no-color", "-shellcheck=", "-pyflakes=")
		cmd.Dir = top
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	shown := map[string]string{}
	for _, page := range []string{"README.md", "docs/github.md", "docs/local.md"} {
		for line, block := range yamlBlocks(t, page) {
			if w := workflow(block); w != "" {
				shown[fmt.Sprintf("%s-line-%d.yml", filepath.Base(page), line)] = w
			}
		}
	}
	if len(shown) < 9 {
		t.Errorf("only %d workflows are found in the documentation", len(shown))
	}
	if out := lint(t, shown); out != "" {
		t.Error(out)
	}
	wrong := lint(t, map[string]string{"wrong.yml": workflow(`
      - uses: migration-gate/migration-gate@v1
        id: gate
        with: {snapshots: orders.dump}
      - run: echo ${{ steps.gate.outputs.vredict }}
`)})
	for _, want := range []string{`"snapshots" is not defined`, `"vredict" is not defined`} {
		if !strings.Contains(wrong, want) {
			t.Errorf("a workflow with a wrong name passes; want %q:\n%s", want, wrong)
		}
	}
}
