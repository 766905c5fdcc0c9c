package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

type object = map[string]any

const schemaFile = "migration-gate.schema.json"

// TestSchema renews docs/migration-gate.schema.json, which editors use for
// .migration-gate.yml.
func TestSchema(t *testing.T) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(schema(table(t))); err != nil {
		t.Fatal(err)
	}
	agree(t, docs(schemaFile), b.Bytes())
}

func schema(opts []config.Option) object {
	properties := object{}
	limits := object{}
	for _, o := range opts {
		if o.Key == "" {
			continue
		}
		properties[o.Key] = optionSchema(o)
		for _, l := range config.TableLimits {
			if o.Key == l {
				limits[l] = object{"type": "integer", "minimum": o.Min, "maximum": config.MaxNumber, "description": o.Help}
			}
		}
	}
	rules := object{}
	for _, r := range rule.Catalogue() {
		rules[r.ID] = object{"enum": config.Severities, "description": r.Title, "default": r.Severity}
	}
	properties[config.TablesKey] = object{
		"type": "object", "description": "Limits of tables by pattern; the first that matches counts.",
		"propertyNames":        object{"minLength": 1},
		"additionalProperties": object{"type": "object", "properties": limits, "additionalProperties": false},
	}
	properties[config.RulesKey] = object{
		"type": "object", "description": "Severities of rules by id.", "properties": rules, "additionalProperties": false,
	}
	return object{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Configuration of migration-gate (" + config.FileName + ")",
		"type":    []string{"object", "null"}, "properties": properties, "additionalProperties": false,
	}
}

func optionSchema(o config.Option) object {
	s := valueSchema(o)
	if o.Type == config.List {
		s = object{"anyOf": []any{s, object{"type": "array", "items": s}}}
	}
	s["description"] = o.Help
	switch o.Type {
	case config.Text, config.Duration:
		if o.Default != "" {
			s["default"] = o.Default
		}
	case config.Number:
		s["default"] = json.RawMessage(o.Default)
	case config.Switch:
		s["default"] = false
	}
	return s
}

func valueSchema(o config.Option) object {
	switch {
	case o.Type == config.Number:
		return object{"type": "integer", "minimum": o.Min, "maximum": config.MaxNumber}
	case o.Type == config.Switch:
		return object{"type": "boolean"}
	case o.Type == config.Duration: // some digit is not zero
		return object{"type": "string", "pattern": o.Pattern, "allOf": []any{object{"pattern": "[1-9]"}}}
	case o.WithPath:
		return object{"type": "string", "pattern": "^(" + strings.Join(o.Values, "|") + ")(=.+)?$"}
	case o.Values != nil:
		return object{"enum": o.Values}
	case o.BareNumber:
		return object{"type": []string{"string", "number"}, "pattern": o.Pattern, "minimum": 1}
	case o.Name == "snapshot":
		return object{"type": "string", "minLength": 1, "anyOf": []any{
			object{"not": object{"pattern": "#sha"}}, object{"pattern": ".#sha256=[0-9a-fA-F]{64}$"},
		}}
	}
	s := object{"type": "string", "minLength": 1}
	if o.Pattern != "" {
		s["pattern"] = o.Pattern
	}
	return s
}

// TestSchemaAndParserAgree: what an editor underlines is what the gate
// refuses. Duplicate keys and unclosed brackets in patterns are beyond JSON
// Schema; gate/config tests those.
func TestSchemaAndParserAgree(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	good := []string{
		"", "# only a comment\n", "---\n", "{}",
		"dir: db/migrations\nlayout: goose\nbase: origin/main\nhead: HEAD\nignore: [\"*.md\", seed.sql]\n",
		"ignore: \"*.md\"\n", "ignore: []\n",
		"engine: postgres\nserver-version: 16\ntarget: local\nimage: \"postgres:16\"\nroles: [app, readonly]\n",
		"server-version: '16.4'\n", "server-version: 16.4\n",
		"snapshot: dumps/orders.dump\n", "snapshot: \"dumps/orders.dump#sha256=" + digest + "\"\njobs: 4\n", "snapshot: 'a#1.dump'\n",
		"embedded-url: https://repo.example/maven2\nembedded-cache: /var/cache/pg\nembedded-sha256: " + digest + "\n",
		"max-exclusive-ms: 200\nmax-write-block-ms: 0\nsample-every: 1ms\n", "max-exclusive-ms: 1e3\n", "max-exclusive-ms: 200.0\n", "max-exclusive-ms: 0x10\n",
		"reversal: exact\ndeprecation-prefix: old_\nstrict: true\nfail-on: warning\n",
		"format: json=report.json\n", "format: [text, markdown=a/b.md, json=r.json]\n",
		"timeout: 1h30m\nttl: 90s\nkeep: false\nrun-dir: .gate\nwork-dir: /scratch\n", "timeout: 1.5h\n",
		"verbose: true\nlog-format: json\nprogress: plain\n",
		"tables:\n  orders: {max-exclusive-ms: 50}\n  \"audit.*\": {max-write-block-ms: 5000, max-exclusive-ms: 1000}\n  x: {}\n",
		"tables: {}\nrules: {}\n", "rules:\n  lock-budget: off\n  table-rewrite: notice\n  down-missing: error\n  unsafe-down: warning\n",
		"tables:\n  a: &limits {max-exclusive-ms: 50}\n  b: *limits\n",
	}
	bad := []string{
		"max-exlusive-ms: 5\n", "Dir: x\n", "config: x\n", "json: true\n", "into: x\n", "database: x\n", "role: [a]\n",
		"- dir\n", "dir\n", "5\n",
		"dir:\n", "dir: ''\n", "dir: [a]\n", "dir: {a: b}\n", "base: 1234567\n", "base: true\n", "base: 2026-01-01\n",
		"layout: liquibase\n", "layout: [goose]\n", "engine: oracle\n", "target: docker\n",
		"ignore: {a: b}\n", "ignore: [1]\n", "ignore: ['']\n", "ignore: [[a]]\n", "ignore:\n",
		"server-version: newest\n", "server-version: -1\n", "server-version: '0'\n", "server-version: [16]\n",
		"snapshot: 'a.dump#sha256=abc'\n", "snapshot: 'a.dump#sha512=00'\n", "snapshot: '#sha256=" + digest + "'\n",
		"embedded-url: ftp://x\n", "embedded-sha256: abc\n",
		"max-exclusive-ms: '5'\n", "max-exclusive-ms: fast\n", "max-exclusive-ms: 1.5\n", "max-exclusive-ms: -1\n", "max-exclusive-ms: 2000000000\n", "max-exclusive-ms: true\n", "max-exclusive-ms: null\n", "jobs: -1\n",
		"sample-every: 2\n", "timeout: 30\n", "timeout: 30 m\n", "timeout: 0s\n", "timeout: -5m\n", "timeout: soon\n", "ttl: .5h\n",
		"keep: 'true'\n", "keep: 1\n", "keep: yes\n", "verbose: maybe\n",
		"format: yaml\n", "format: json=\n", "format: [text, jsn=x]\n",
		"reversal: none\n", "fail-on: off\n", "deprecation-prefix: ''\n",
		"tables: [a]\n", "tables:\n", "tables:\n  orders:\n", "tables:\n  orders: 50\n", "tables:\n  orders: {max-exclusive: 5}\n", "tables:\n  orders: {max-exclusive-ms: x}\n", "tables:\n  '': {}\n",
		"rules: [lock-budget]\n", "rules:\n  lock-bugdet: off\n", "rules:\n  lock-budget: warn\n", "rules:\n  lock-budget: false\n", "rules:\n  lock-budget:\n",
	}
	compiled := compileSchema(t)
	good = append(good, documented(t)...)
	for _, text := range good {
		judge(t, compiled, text, true)
	}
	for _, text := range bad {
		judge(t, compiled, text, false)
	}
}

// documented are the files that the pages show.
func documented(t *testing.T) []string {
	t.Helper()
	var shown []string
	for _, path := range []string{docs("configuration.md"), docs("rules.md"), filepath.Join("..", "..", "README.md")} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n := len(shown)
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllSubmatch(page, -1) {
			var keys map[string]any
			if yaml.Unmarshal(m[1], &keys) != nil || keys["jobs"] == nil { // no workflow
				shown = append(shown, string(m[1]))
			}
		}
		if n == len(shown) {
			t.Errorf("%s shows no file", path)
		}
	}
	return shown
}

func judge(t *testing.T, compiled *jsonschema.Schema, text string, want bool) {
	t.Helper()
	err := parseFile(t, text)
	if (err == nil) != want {
		t.Errorf("parser on %q: %v, want accepted %v", text, err, want)
	}
	if err != nil && !position.MatchString(err.Error()) {
		t.Errorf("parser on %q: %v names no line and column", text, err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if err := compiled.Validate(value); (err == nil) != want {
		t.Errorf("schema on %q: %v, want accepted %v", text, err, want)
	}
}

var position = regexp.MustCompile(`^\.migration-gate\.yml:[1-9][0-9]*:[1-9][0-9]*: `)

func parseFile(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, ".git"), 0o755),
		os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := config.New(&cli{}, description, ruleIDs())
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse([]string{"check"}, nil, dir)
	return err
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(docs(schemaFile))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
