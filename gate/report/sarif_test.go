package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// sarifLog is what the tests ask of a SARIF file.
type sarifLog struct {
	Version string
	Runs    []struct {
		Tool struct {
			Driver struct {
				Name, Version, InformationURI string
				Rules                         []struct {
					ID                                string
					ShortDescription, FullDescription struct{ Text string }
					Help                              struct{ Text, Markdown string }
					HelpURI                           string
					DefaultConfiguration              struct{ Level string }
					Properties                        struct{ Tags []string }
				}
			}
		}
		Invocations []struct {
			ExecutionSuccessful        bool
			ExitCode                   int
			ToolExecutionNotifications []struct {
				Level   string
				Message struct{ Text string }
			}
		}
		Results []sarifResult
	}
}

type sarifResult struct {
	RuleID              string
	RuleIndex           int
	Level               string
	Message             struct{ Text string }
	PartialFingerprints map[string]string
	Locations           []struct {
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
		}
	}
	Fixes []struct {
		ArtifactChanges []struct {
			ArtifactLocation struct{ URI string }
			Replacements     []struct {
				DeletedRegion   struct{ StartLine, StartColumn, EndLine, EndColumn int }
				InsertedContent struct{ Text string }
			}
		}
	}
}

func readSARIF(t *testing.T, r gate.Report, opt report.Options) sarifLog {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(render(t, "sarif", r, opt)), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

// catalogue is the documentation as the commands hand it over.
func catalogue() []report.Rule {
	var rules []report.Rule
	for _, i := range rule.Catalogue() {
		rules = append(rules, report.Rule{ID: i.ID, Severity: i.Severity, Title: i.Title, Doc: i.Doc})
	}
	return rules
}

func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join("testdata", "schema", "sarif-schema-2.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSARIFFitsTheOfficialSchema(t *testing.T) {
	s := sarifSchema(t)
	for name, r := range crafted() {
		validate(t, s, name, render(t, "sarif", r, report.Options{}))
		validate(t, s, name+" with the catalogue", render(t, "sarif", r, report.Options{Rules: catalogue(), Version: "1.2.3"}))
	}
	for name, r := range hostile() {
		r.Findings[0].Suggestion, r.Findings[0].EndLine = r.Findings[0].SQL, 9
		validate(t, s, "hostile "+name, render(t, "sarif", r, report.Options{Rules: catalogue()}))
	}
	validate(t, s, "the zero report", render(t, "sarif", gate.Report{Verdict: gate.Error}, report.Options{}))

	good := render(t, "sarif", dangerous(), report.Options{})
	for _, c := range [][2]string{{`"level": "warning"`, `"level": "shrug"`}, {`"startLine": 3`, `"startLine": 0`}, {`"ruleId"`, `"ruleID"`}, {`"version": "2.1.0"`, `"version": "3"`}} {
		bad, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(good, c[0], c[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(bad) == nil {
			t.Errorf("the schema accepts %s", c[1])
		}
	}
}

// What GitHub asks beyond the schema: relative URIs, a line for every result,
// rules that results point to, and not too many tags.
func TestSARIFForCodeScanning(t *testing.T) {
	reports := crafted()
	for name, r := range hostile() {
		reports["hostile "+name] = r
	}
	odd := dangerous()
	for i, file := range []string{"/etc/passwd", "./a b/ü#?%.sql", `dir\x:y.sql`, "//evil.example/x.sql"} {
		odd.Findings[i].File = file
	}
	reports["odd file names"] = odd
	nowhere := skipped()
	nowhere.Findings = []gate.Finding{{Rule: "not-measured", Severity: gate.SeverityError, Message: "locks"}}
	reports["a finding without a file"] = nowhere
	for name, r := range reports {
		run := readSARIF(t, r, report.Options{Rules: catalogue()}).Runs[0]
		for _, d := range run.Tool.Driver.Rules {
			if len(d.Properties.Tags) == 0 || len(d.Properties.Tags) > report.SARIFMaxTags || d.ShortDescription.Text == "" || d.FullDescription.Text == "" || d.Help.Text == "" {
				t.Errorf("%s: rule %+v", name, d)
			}
		}
		for _, res := range run.Results {
			if len(res.Locations) != 1 {
				t.Fatalf("%s: %d locations", name, len(res.Locations))
			}
			place := res.Locations[0].PhysicalLocation
			u, err := url.Parse(place.ArtifactLocation.URI)
			if err != nil || u.IsAbs() || u.Host != "" || u.Path == "" || strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" || strings.Contains(place.ArtifactLocation.URI, `\`) {
				t.Errorf("%s: URI %q: %v", name, place.ArtifactLocation.URI, err)
			}
			g := place.Region
			if g.StartLine < 1 || g.EndLine < g.StartLine || g.StartColumn < 1 || g.EndColumn != 0 && g.EndLine == g.StartLine && g.EndColumn <= g.StartColumn {
				t.Errorf("%s: region %+v", name, g)
			}
			if run.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID {
				t.Errorf("%s: rule %q has the index of %q", name, res.RuleID, run.Tool.Driver.Rules[res.RuleIndex].ID)
			}
			if res.PartialFingerprints[report.SARIFFingerprint] == "" {
				t.Errorf("%s: no fingerprint", name)
			}
		}
	}
	var uris []string
	for _, res := range readSARIF(t, odd, report.Options{}).Runs[0].Results {
		uris = append(uris, res.Locations[0].PhysicalLocation.ArtifactLocation.URI)
	}
	slices.Sort(uris)
	if want := []string{"a%20b/%C3%BC%23%3F%25.sql", "dir%5Cx%3Ay.sql", "etc/passwd", "evil.example/x.sql"}; !slices.Equal(uris, want) {
		t.Errorf("URIs %v, want %v", uris, want)
	}
}

func TestSARIFTellsTheRules(t *testing.T) {
	driver := readSARIF(t, dangerous(), report.Options{Rules: catalogue(), Version: "1.2.3"}).Runs[0].Tool.Driver
	if driver.Name != "migration-gate" || driver.Version != "1.2.3" || !strings.HasPrefix(driver.InformationURI, "https://") {
		t.Errorf("driver %s %s %s", driver.Name, driver.Version, driver.InformationURI)
	}
	if len(driver.Rules) != len(rule.Catalogue()) {
		t.Fatalf("%d rules, the catalogue has %d", len(driver.Rules), len(rule.Catalogue()))
	}
	for i, info := range rule.Catalogue() {
		r := driver.Rules[i]
		level := map[gate.Severity]string{gate.SeverityError: "error", gate.Warning: "warning", gate.Notice: "note"}[info.Severity]
		if r.ID != info.ID || r.Help.Markdown != info.Doc || r.ShortDescription.Text != info.Title || r.DefaultConfiguration.Level != level || !strings.HasSuffix(r.HelpURI, "docs/rules.md#"+info.ID) {
			t.Errorf("rule %+v, the catalogue says %+v", r, info)
		}
	}
}

func TestSARIFVerdicts(t *testing.T) {
	broken := readSARIF(t, gateError(), report.Options{}).Runs[0].Invocations[0]
	if broken.ExecutionSuccessful || broken.ExitCode != 2 || len(broken.ToolExecutionNotifications) != 1 ||
		broken.ToolExecutionNotifications[0].Level != "error" || !strings.Contains(broken.ToolExecutionNotifications[0].Message.Text, "fell behind") {
		t.Errorf("a run that could not decide: %+v", broken)
	}
	failed := readSARIF(t, dangerous(), report.Options{}).Runs[0].Invocations[0]
	if !failed.ExecutionSuccessful || failed.ExitCode != 1 {
		t.Errorf("a run that failed went well: %+v", failed)
	}
	if out := render(t, "sarif", skipped(), report.Options{}); !strings.Contains(out, `"results": []`) {
		t.Errorf("a skipped run has no empty list of results:\n%s", out)
	}
	told := readSARIF(t, ownGate(), report.Options{}).Runs[0].Invocations[0].ToolExecutionNotifications
	if len(told) != 2 || told[0].Level != "warning" || !strings.Contains(told[0].Message.Text, "not measured: waits for locks") {
		t.Errorf("what was not measured: %+v", told)
	}
}

// Beyond what is shown, the worst stay, and the file stays small.
func TestSARIFKeepsTheWorst(t *testing.T) {
	r := dangerous()
	r.Findings = nil
	for i := range report.SARIFMaxResults + 700 {
		f := gate.Finding{Rule: "lock-budget", Severity: gate.Notice, File: widenFile, Line: i + 1, EndLine: i + 1, Message: fmt.Sprintf("%d %s", i, strings.Repeat("x", 4000))}
		if i >= report.SARIFMaxResults {
			f.Severity = gate.SeverityError
		}
		r.Findings = append(r.Findings, f)
	}
	out := render(t, "sarif", r, report.Options{Rules: catalogue()})
	run := readSARIF(t, r, report.Options{}).Runs[0]
	if len(run.Results) != report.SARIFMaxResults {
		t.Errorf("%d results", len(run.Results))
	}
	errors := 0
	for _, res := range run.Results {
		if res.Level == "error" {
			errors++
		}
	}
	if errors != 700 || run.Results[0].Level != "error" {
		t.Errorf("%d errors of 700, the first result is %s", errors, run.Results[0].Level)
	}
	if ns := run.Invocations[0].ToolExecutionNotifications; len(ns) != 1 || !strings.Contains(ns[0].Message.Text, "700 findings more not listed") {
		t.Errorf("the cut is not told: %+v", ns)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(out)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil || b.Len() > report.SARIFMaxBytes {
		t.Errorf("%d bytes compressed: %v", b.Len(), err)
	}
}

// A suggestion becomes a fix that yields the wanted file.
func TestSARIFFix(t *testing.T) {
	r := dangerous()
	r.Findings[1].Suggestion = "ALTER TABLE orders\n    ADD COLUMN total_new bigint;"
	var fixed []sarifResult
	for _, res := range readSARIF(t, r, report.Options{}).Runs[0].Results {
		if len(res.Fixes) > 0 {
			fixed = append(fixed, res)
		}
	}
	if len(fixed) != 1 {
		t.Fatalf("%d results with a fix", len(fixed))
	}
	change := fixed[0].Fixes[0].ArtifactChanges[0]
	rep := change.Replacements[0]
	if change.ArtifactLocation.URI != widenFile || rep.DeletedRegion.StartColumn != 1 || rep.DeletedRegion.EndColumn != 0 {
		t.Errorf("change %+v", change)
	}
	lines := strings.Split("-- widen\n\nALTER TABLE orders\n  a,\n  b;\n-- end\n", "\n")
	got := strings.Join(slices.Concat(lines[:rep.DeletedRegion.StartLine-1], []string{rep.InsertedContent.Text}, lines[rep.DeletedRegion.EndLine:]), "\n")
	if want := "-- widen\n\nALTER TABLE orders\n    ADD COLUMN total_new bigint;\n-- end\n"; got != want {
		t.Errorf("the fixed file is %q", got)
	}
}

// SARIF's plain text knows links and placeholders; a migration's must not be.
func TestSARIFTextIsInert(t *testing.T) {
	r := dangerous()
	r.Findings[0].Message = "see [click](javascript:alert(1)) and {0} {12}"
	for _, res := range readSARIF(t, r, report.Options{}).Runs[0].Results {
		if strings.Contains(res.Message.Text, "](") || strings.Contains(strings.ReplaceAll(strings.ReplaceAll(res.Message.Text, "{{", ""), "}}", ""), "{0}") {
			t.Errorf("message %q", res.Message.Text)
		}
	}
}
