package command

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/gate/rule"
)

var update = flag.Bool("update", false, "write generated documentation instead of comparing it")

// table is the option table of the real grammar.
func table(t *testing.T) []config.Option {
	t.Helper()
	p, err := config.New(&cli{}, description, ruleIDs())
	if err != nil {
		t.Fatal(err)
	}
	return p.Options()
}

// docs is a file of the documentation.
func docs(name string) string { return filepath.Join("..", "..", "docs", name) }

// agree compares a documentation file with what the code makes of it.
func agree(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	if !*update {
		t.Fatalf("%s does not agree with the code; run go test ./gate/command -update (-file +code):\n%s", path, cmp.Diff(string(got), string(want)))
	}
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

var generated = regexp.MustCompile(`(?s)(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end of generated -->)`)

// TestConfigurationDocs renews the generated parts of docs/configuration.md.
func TestConfigurationDocs(t *testing.T) {
	opts := table(t)
	renew(t, docs("configuration.md"), map[string]string{"options": optionTables(opts), "names": nameTable(opts), "rules": ruleTable()})
}

// renew compares the generated parts of a page with what the code makes of them.
func renew(t *testing.T, path string, parts map[string]string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	want := generated.ReplaceAllStringFunc(string(page), func(s string) string {
		m := generated.FindStringSubmatch(s)
		seen = append(seen, m[2])
		return m[1] + parts[m[2]] + m[3]
	})
	for part := range parts {
		if !slices.Contains(seen, part) {
			t.Errorf("%s has no part %q", path, part)
		}
	}
	agree(t, path, []byte(want))
}

// optionTables is one table per group, in the order of check's help.
func optionTables(opts []config.Option) string {
	var b strings.Builder
	var titles []string
	for _, o := range opts {
		if !slices.Contains(titles, o.Group) {
			titles = append(titles, o.Group)
		}
	}
	slices.SortStableFunc(titles, func(a, b string) int { return rank(a) - rank(b) })
	for _, title := range titles {
		heading := title
		if title == "" {
			heading = "Single commands"
		}
		fmt.Fprintf(&b, "\n### %s\n\n| Flag | Default | What it says | Commands |\n|---|---|---|---|\n", heading)
		for _, o := range opts {
			if o.Group != title {
				continue
			}
			name := "`--" + o.Name + "`"
			if o.EnvOnly {
				name = "`" + o.Env[0] + "` (no flag)"
			}
			if o.Short != "" {
				name = "`-" + o.Short + "`, " + name
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, cell(o.Default), describe(o), commands(o))
		}
	}
	return b.String() + "\n"
}

// rank puts what belongs to one or to every command last.
func rank(title string) int {
	switch title {
	case "":
		return 1
	case "Every command":
		return 2
	}
	return 0
}

func describe(o config.Option) string {
	text := o.Help
	if len(o.Values) > 1 {
		text += " One of `" + strings.Join(o.Values, "`, `") + "`."
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

func cell(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func commands(o config.Option) string {
	if o.Commands == nil {
		return "all"
	}
	return "`" + strings.Join(o.Commands, "`, `") + "`"
}

// nameTable lists each option's names everywhere.
func nameTable(opts []config.Option) string {
	var b strings.Builder
	b.WriteString("\n| Flag | Type | Variable | Input | Key in the file |\n|---|---|---|---|---|\n")
	for _, o := range opts {
		variable, input := "–", "–"
		if len(o.Env) > 0 {
			variable, input = cell(o.Env[0]), cell(o.Name)
		}
		if o.Action == "-" {
			input = "–"
		}
		key := "–"
		if o.Key != "" {
			key = cell(o.Key)
		}
		flag := "`--" + o.Name + "`"
		if o.EnvOnly {
			flag = "–"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", flag, o.Type, variable, input, key)
	}
	return b.String() + "\n"
}

func ruleTable() string {
	var b strings.Builder
	b.WriteString("\n| Rule | Default | Finds |\n|---|---|---|\n")
	for _, r := range rule.Catalogue() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.ID, r.Severity, strings.ReplaceAll(r.Title, "|", `\|`))
	}
	return b.String() + "\n"
}

// TestEveryOptionIsDescribed: help that is a sentence, and names that are
// unique in every source.
func TestEveryOptionIsDescribed(t *testing.T) {
	seen := map[string]string{}
	for _, o := range table(t) {
		if !strings.HasSuffix(o.Help, ".") {
			t.Errorf("--%s: help %q is no sentence", o.Name, o.Help)
		}
		for _, name := range append(slices.Clone(o.Env), "key "+o.Key) {
			if other := seen[name]; other != "" && name != "key " {
				t.Errorf("%s means both --%s and --%s", name, other, o.Name)
			}
			seen[name] = o.Name
		}
	}
}

// TestValuesAreTheStages: the table's closed lists are those of the packages
// that implement them.
func TestValuesAreTheStages(t *testing.T) {
	for _, o := range table(t) {
		if o.Name == "format" {
			if diff := cmp.Diff(report.Formats(), o.Values); diff != "" {
				t.Errorf("formats (-report +table):\n%s", diff)
			}
		}
	}
}
