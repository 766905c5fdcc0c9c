package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// schemaFile is what users get: it lives with the documentation.
const schemaFile = "../../docs/report.schema.json"

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, name, raw string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s does not fit %s: %v", name, schemaFile, err)
	}
}

func TestEveryReportFitsTheSchema(t *testing.T) {
	s := compileSchema(t)
	for name, r := range crafted() {
		validate(t, s, name, render(t, "json", r, report.Options{}))
	}
	for name, r := range hostile() {
		validate(t, s, "hostile "+name, render(t, "json", r, report.Options{}))
	}
	validate(t, s, "the zero report", render(t, "json", gate.Report{Verdict: gate.Error}, report.Options{}))
}

// testdata/contract.json is a report as others script against it.
func TestContractExample(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "contract.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := compileSchema(t)
	validate(t, s, "the contract's example", string(raw))
	r, err := report.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	again := render(t, "json", r, report.Options{})
	validate(t, s, "the contract's example, written again", again)
	text := render(t, "text", r, report.Options{})
	for _, want := range []string{
		"FAIL", "PostgreSQL 16.4", "orders.dump: 5,400,000 rows, 912 MB", "error[lock-budget]",
		"migrations/000002_widen_total.up.sql:3", "3336.2", "3341.0", "budget 200 ms", "restore 8.1 s, apply 3.4 s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the contract's example as text lacks %q:\n%s", want, text)
		}
	}
}

// A schema that accepts everything would pass the tests above.
func TestSchemaRefuses(t *testing.T) {
	s := compileSchema(t)
	good := render(t, "json", dangerous(), report.Options{})
	for _, c := range []struct{ name, old, new string }{
		{"a verdict nobody knows", `"verdict": "fail"`, `"verdict": "maybe"`},
		{"another version", `"schema_version": "1",` + "\n" + `  "verdict"`, `"schema_version": "2", "verdict"`},
		{"an impact nobody knows", `"writes",`, `"everything",`},
		{"a missing lock list", `"locks":`, `"lock":`},
		{"a window without bounds", `"at_most_ms": 3383.1,`, ``},
		{"a severity nobody knows", `"severity": "warning"`, `"severity": "shrug"`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s: nothing to replace", c.name)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if s.Validate(v) == nil {
			t.Errorf("the schema accepts %s", c.name)
		}
	}
}
