package rule_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
)

var update = flag.Bool("update", false, "write docs/rules.md out of the catalogue")

const rulesPage = "../../docs/rules.md"

// docs/rules.md is the catalogue, written out: one source for the page and
// for `migration-gate explain`.
func TestRulesPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Rules\n\n<!-- Written by `go test ./gate/rule -update` out of gate/rule/docs; edit there. -->\n\n" +
		"What the gate judges, in the order of its catalogue. Severities are defaults: each can be `off`, `notice`, `warning` or `error`, " +
		"under `rules:` in `.migration-gate.yml`. From `--fail-on` (default `error`) upwards a finding fails the run. " +
		"Rules on locks, rewrites and scans judge up scripts only. `migration-gate explain RULE` prints the same text.\n\n" +
		"| rule | severity | finds that |\n|---|---|---|\n")
	for _, r := range rule.Catalogue() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", r.ID, r.ID, r.Severity, r.Title)
	}
	for _, r := range rule.Catalogue() {
		fmt.Fprintf(&b, "\n## %s\n\n%s", r.ID, r.Doc)
	}
	if *update {
		if err := os.WriteFile(rulesPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(rulesPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), b.String()); diff != "" {
		t.Errorf("docs/rules.md is not what gate/rule/docs says; run go test ./gate/rule -update (-page +catalogue):\n%s", diff)
	}
}

var (
	sqlBlock  = regexp.MustCompile("(?s)```(my)?sql\n(.*?)```")
	sectioned = []string{"### Why it matters", "### Evidence", "### How to fix it", "### How to configure it"}
)

// Every rule is documented in full, by SQL that its engine's grammar knows.
func TestRuleDocs(t *testing.T) {
	if n := len(rule.Catalogue()); n != 18 {
		t.Errorf("%d rules, want 18", n)
	}
	for _, r := range rule.Catalogue() {
		last := -1
		for _, heading := range sectioned {
			at := strings.Index(r.Doc, heading)
			if at <= last {
				t.Errorf("%s: %q is missing or out of order", r.ID, heading)
			}
			last = at
		}
		blocks := sqlBlock.FindAllStringSubmatch(r.Doc, -1)
		if len(blocks) == 0 {
			t.Errorf("%s: no SQL", r.ID)
		}
		for _, block := range blocks {
			dialect := migration.Postgres
			if block[1] == "my" {
				dialect = migration.MySQL
			}
			statements, err := migration.ParseScriptWith(r.ID, []byte(block[2]), migration.Options{Dialect: dialect})
			if err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
			for _, st := range statements {
				if !st.Facts.Analysed {
					t.Errorf("%s: %s: %s", r.ID, st.Facts.NotAnalysed, st.SQL)
				}
			}
		}
	}
}

// checkDocumented: scripts read evidence by its keys, so each is in the rule's
// documentation.
func checkDocumented(t *testing.T, f gate.Finding) {
	t.Helper()
	for _, r := range rule.Catalogue() {
		if r.ID != f.Rule {
			continue
		}
		_, table, _ := strings.Cut(r.Doc, "### Evidence")
		for key := range f.Evidence {
			if r.ID == "lock-held-across-statements" { // it refers to lock-budget for the rest
				table += lockBudgetDoc()
			}
			if !strings.Contains(table, "`"+key+"`") {
				t.Errorf("%s: evidence %q is not documented", r.ID, key)
			}
		}
	}
}

func lockBudgetDoc() string {
	for _, r := range rule.Catalogue() {
		if r.ID == "lock-budget" {
			return r.Doc
		}
	}
	return ""
}
