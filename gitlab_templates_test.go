package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// input is one of a component's.
type input struct {
	Default     *string  `yaml:"default"`
	Options     []string `yaml:"options"`
	Regex       string   `yaml:"regex"`
	Description string   `yaml:"description"`
}

var placeholder = regexp.MustCompile(`\$\[\[\s*inputs\.([A-Za-z0-9_-]+)\s*\]\]`)

// interpolate does what GitLab does with a configuration that has a header
// (GitLab Docs, "CI/CD inputs"); one without stays as it is.
func interpolate(raw []byte, given map[string]string) ([]byte, error) {
	head, body, found := bytes.Cut(raw, []byte("\n---\n"))
	if !found {
		return raw, nil
	}
	var header struct {
		Spec struct {
			Inputs map[string]input `yaml:"inputs"`
		} `yaml:"spec"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(head))
	dec.KnownFields(true)
	if err := dec.Decode(&header); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for name, in := range header.Spec.Inputs {
		value, ok := given[name]
		switch {
		case !ok && in.Default == nil:
			return nil, fmt.Errorf("input %s: required value has not been provided", name)
		case !ok:
			value = *in.Default
		}
		if in.Options != nil && !slices.Contains(in.Options, value) {
			return nil, fmt.Errorf("input %s: %q cannot be used because it is not in the list of allowed options", name, value)
		}
		if in.Regex != "" && !regexp.MustCompile(in.Regex).MatchString(value) {
			return nil, fmt.Errorf("input %s: provided value does not match required RegEx pattern", name)
		}
		values[name] = value
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return nil, fmt.Errorf("unknown input arguments: %s", name)
		}
	}
	var err error
	out := placeholder.ReplaceAllFunc(body, func(m []byte) []byte {
		name := string(placeholder.FindSubmatch(m)[1])
		v, ok := values[name]
		if !ok {
			err = fmt.Errorf("unknown interpolation key: `%s`", name)
		}
		return []byte(v)
	})
	return out, err
}

// TestGitLabTemplates: what GitLab's own schema says of them, and the rules of
// components that it does not know.
func TestGitLabTemplates(t *testing.T) {
	schema := gitlabSchema(t)
	files, err := filepath.Glob(filepath.Join("templates", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, ".gitlab-ci.yml") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if head, _, found := bytes.Cut(raw, []byte("\n---\n")); found {
			if err := conform(schema, head); err != nil {
				t.Errorf("%s, its header: %v", file, err)
			}
			component(t, file, head)
		}
		config, err := interpolate(raw, nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		// The schema lets a hidden job be anything.
		config = bytes.ReplaceAll(config, []byte("\n.migration-gate:"), []byte("\nmigration-gate:"))
		if err := conform(schema, config); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for old, new := range map[string]string{"script:": "scripts:", "rules:": "rules: [on_merge]\n  x:", "interruptible: true": "interruptible: maybe"} {
			if bad := strings.Replace(string(config), old, new, 1); conform(schema, []byte(bad)) == nil {
				t.Errorf("%s with %q for %q conforms to the schema, which then says nothing", file, new, old)
			}
		}
	}
}

func gitlabSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(filepath.Join("templates", "testdata", "gitlab-ci.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("gitlab-ci.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("gitlab-ci.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func conform(schema *jsonschema.Schema, raw []byte) error {
	var doc any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return err
	}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	inst, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return err
	}
	return schema.Validate(inst)
}

var (
	update    = flag.Bool("update-docs", false, "write the generated parts of docs/gitlab.md")
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	inputsOf  = regexp.MustCompile(`(?s)<!-- inputs: (\S+) -->\n.*?<!-- end of inputs -->`)
	contentOf = regexp.MustCompile(`(?s)<!-- file: (\S+) -->\n.*?<!-- end of file -->`)
	variable  = regexp.MustCompile(`MIGRATION_GATE_[A-Z0-9_]+`)
)

// TestGitLabDocumentation: docs/gitlab.md shows the templates as they are, its
// other YAML is what GitLab takes, and every variable is an option's or an
// output's.
func TestGitLabDocumentation(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	doc := read("docs/gitlab.md")
	want := inputsOf.ReplaceAllStringFunc(doc, func(s string) string {
		name := inputsOf.FindStringSubmatch(s)[1]
		return "<!-- inputs: " + name + " -->\n\n" + inputsTable(t, read(name)) + "\n<!-- end of inputs -->"
	})
	want = contentOf.ReplaceAllStringFunc(want, func(s string) string {
		name := contentOf.FindStringSubmatch(s)[1]
		_, job, _ := strings.Cut(read(name), "\nmigration-gate:") // without the comment above
		return "<!-- file: " + name + " -->\n\n```yaml\nmigration-gate:" + job + "```\n\n<!-- end of file -->"
	})
	if want != doc {
		if !*update {
			t.Error("docs/gitlab.md is not of today's templates; run this test with -update-docs")
		} else if err := os.WriteFile(filepath.Join("docs", "gitlab.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	schema := gitlabSchema(t)
	for _, m := range yamlBlock.FindAllStringSubmatch(doc, -1) {
		var config map[string]any
		if err := yaml.Unmarshal([]byte(m[1]), &config); err != nil {
			t.Errorf("docs/gitlab.md: %v in\n%s", err, m[1])
		}
		// What adds to an included job leaves the script to that.
		if j, ok := config["migration-gate"].(map[string]any); ok && j["script"] == nil && j["extends"] == nil {
			j["script"] = []string{"migration-gate check"}
		}
		whole, err := yaml.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := conform(schema, whole); err != nil {
			t.Errorf("docs/gitlab.md: %v in\n%s", err, m[1])
		}
	}
	names, outputs := read("docs/configuration.md"), ""
	for _, o := range report.Outputs(gate.Report{}) {
		outputs += report.DotenvName(o.Name) + "\n"
	}
	texts := map[string]string{"docs/gitlab.md": doc}
	for _, name := range []string{"templates/migration-gate.yml", "templates/include.gitlab-ci.yml", "templates/steps.gitlab-ci.yml"} {
		texts[name] = read(name)
	}
	for file, text := range texts {
		for _, name := range variable.FindAllString(text, -1) {
			if !strings.Contains(names, "`"+name+"`") && !strings.Contains(outputs, name+"\n") {
				t.Errorf("%s: %s is neither an option's variable nor an output's", file, name)
			}
		}
	}
}

// inputsTable lists a component's inputs in the order of its file.
func inputsTable(t *testing.T, raw string) string {
	t.Helper()
	head, _, _ := strings.Cut(raw, "\n---\n")
	var doc struct {
		Spec struct {
			Inputs yaml.Node `yaml:"inputs"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal([]byte(head), &doc); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| input | default | |\n|---|---|---|\n")
	for i := 0; i+1 < len(doc.Spec.Inputs.Content); i += 2 {
		var in input
		if err := doc.Spec.Inputs.Content[i+1].Decode(&in); err != nil {
			t.Fatal(err)
		}
		value := ""
		if *in.Default != "" {
			value = "`" + *in.Default + "`"
		}
		text := in.Description
		if len(in.Options) > 0 {
			text += " One of `" + strings.Join(in.Options[1:], "`, `") + "`."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", doc.Spec.Inputs.Content[i].Value, value, text)
	}
	return b.String()
}

// component: each input has a description and a default that its own rules take.
func component(t *testing.T, file string, head []byte) {
	t.Helper()
	var header struct {
		Spec struct {
			Inputs map[string]input `yaml:"inputs"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(head, &header); err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile(file)
	for name, in := range header.Spec.Inputs {
		if in.Default == nil || in.Description == "" {
			t.Errorf("%s: input %s has no default or no description", file, name)
		}
		if !strings.Contains(string(raw), "inputs."+name+" ") {
			t.Errorf("%s: nothing uses input %s", file, name)
		}
	}
	for input, bad := range map[string]string{"comment": "always", "timeout": "soon", "nothing": "x"} {
		if _, err := interpolate(raw, map[string]string{input: bad}); err == nil {
			t.Errorf("%s: %s=%s was taken", file, input, bad)
		}
	}
}
