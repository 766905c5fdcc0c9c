package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report"
	"go.yaml.in/yaml/v3"
)

// TestAction renews action.yml: its inputs are check's options, its outputs the
// report's figures and files. A release replaces the image by a digest, which
// is all that may differ.
func TestAction(t *testing.T) {
	path, want := filepath.Join("..", "..", "action.yml"), actionYML(t, table(t))
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if image := regexp.MustCompile(`(?m)^  image: docker://ghcr\.io/[a-z0-9./_-]+@sha256:[0-9a-f]{64}$`).Find(got); image != nil {
		want = bytes.Replace(want, []byte("  image: Dockerfile"), image, 1)
	}
	agree(t, path, want)
}

// TestGitHubDocs renews the table of outputs in docs/github.md.
func TestGitHubDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString("\n| output | is |\n|---|---|\n")
	for _, o := range report.Outputs(gate.Report{}) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.Name, o.Help)
	}
	for _, f := range reportFiles() {
		fmt.Fprintf(&b, "| `%s` | path of `%s` |\n", f.output, f.name)
	}
	renew(t, docs("github.md"), map[string]string{"outputs": b.String() + "\n"})
}

func actionYML(t *testing.T, opts []config.Option) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# Written by `go test ./gate/command -update` from the table of options (gate/config)\n" +
		"# and the report's outputs (gate/report); change them there.\n" +
		"name: migration-gate\n" +
		"description: Prove a pull request's database migrations before they merge, by running them on a restored snapshot and measuring every lock.\n" +
		"author: migration-gate\n" +
		"branding:\n  icon: database\n  color: orange\n\ninputs:\n")
	for _, o := range inputs(opts) {
		help := o.Help
		if len(o.Values) > 1 && !o.WithPath {
			help += " One of " + strings.Join(o.Values, ", ") + "."
		}
		if o.Type == config.List {
			help += " One per line."
		}
		if o.Default != "" && o.Action == "" {
			help += " Default: " + o.Default + "."
		}
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", o.Name, scalar(t, help))
		if o.Action != "" {
			fmt.Fprintf(&b, "    default: %s\n", o.Action)
		}
	}
	b.WriteString("\noutputs:\n")
	for _, o := range report.Outputs(gate.Report{}) {
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", o.Name, scalar(t, o.Help))
	}
	for _, f := range reportFiles() {
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", f.output, scalar(t, "Path of the report as "+f.format+", from the workspace's top."))
	}
	b.WriteString("\nruns:\n  using: docker\n  image: Dockerfile\n")
	return b.Bytes()
}

// inputs are the options of check that a runner's variables reach.
func inputs(opts []config.Option) []config.Option {
	return slices.DeleteFunc(slices.Clone(opts), func(o config.Option) bool {
		return !o.On("check") || o.Action == "-" || !slices.Contains(o.Env, "INPUT_"+strings.ToUpper(o.Name))
	})
}

func scalar(t *testing.T, s string) string {
	t.Helper()
	out, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Every input of action.yml reaches the option of its name, as the runner and
// act spell it, and an empty one counts as not given.
func TestInputsReachTheirOptions(t *testing.T) {
	parser, err := config.New(&cli{}, description, ruleIDs())
	if err != nil {
		t.Fatal(err)
	}
	value := func(o config.Option) string {
		switch {
		case o.Name == "config":
			return ""
		case len(o.Values) > 0:
			return o.Values[len(o.Values)-1]
		case o.Type == config.Number:
			return "7"
		case o.Type == config.Switch:
			return "true"
		case o.Type == config.Duration:
			return "7s"
		case o.Name == "embedded-sha256":
			return strings.Repeat("a", 64)
		case o.Name == "embedded-url":
			return "https://example.com/maven"
		case o.Name == "database-url":
			return "postgres://ci@localhost:5432/postgres"
		case o.Name == "placeholder":
			return "schema=shop"
		case o.Name == "working-directory":
			return "."
		case o.Name == "server-version":
			return "16"
		}
		return "seven"
	}
	for _, o := range inputs(parser.Options()) {
		want := value(o)
		if want == "" {
			continue
		}
		for _, spelling := range []string{strings.ToUpper(o.Name), strings.ReplaceAll(strings.ToUpper(o.Name), "-", "_")} {
			env := config.Env{"GITHUB_ACTIONS": "true", "INPUT_" + spelling: " " + want + " "}
			for _, other := range inputs(parser.Options()) {
				if other.Name != o.Name {
					env["INPUT_"+strings.ToUpper(other.Name)] = ""
				}
			}
			parsed, err := parser.Parse([]string{"check"}, env, t.TempDir())
			if err != nil {
				t.Errorf("%s: %v", spelling, err)
				continue
			}
			if got := parsed.Origin(o.Name); got != "INPUT_"+spelling {
				t.Errorf("%s comes from %s, want INPUT_%s", o.Name, got, spelling)
			}
			if len(parsed.Given) != 1 {
				t.Errorf("%s: %d options are given, want this one alone: %v", spelling, len(parsed.Given), parsed.Given)
			}
		}
	}
}
