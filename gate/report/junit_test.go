package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/report"
)

// junitSchema is what Jenkins' junit-10.xsd (xunit plugin) allows of what we
// write: the children and attributes of each element, "!" where one must be
// there. One attribute is GitLab's alone: file of a testcase (GitLab Docs,
// "Unit test reports").
var junitSchema = map[string]struct{ children, attrs []string }{
	"testsuites": {[]string{"testsuite"}, []string{"name", "time", "tests", "failures", "errors"}},
	"testsuite":  {[]string{"testcase", "properties", "system-out", "system-err"}, []string{"name!", "tests!", "failures!", "errors!", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "group"}},
	"testcase":   {[]string{"skipped", "error", "failure", "system-out", "system-err"}, []string{"name!", "time", "classname", "group", "file"}},
	"failure":    {nil, []string{"type", "message"}},
	"error":      {nil, []string{"type", "message"}},
	"skipped":    {nil, []string{"type", "message"}},
	"system-out": {nil, nil},
}

// surefireTime is the type of times in that schema.
var surefireTime = regexp.MustCompile(`^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?$`)

// checkJUnit walks the document and reports what breaks the schema.
func checkJUnit(t *testing.T, name, out string) {
	t.Helper()
	var path []string
	dec := xml.NewDecoder(strings.NewReader(out))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s is no XML: %v\n%s", name, err, out)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			rules, known := junitSchema[e.Name.Local]
			if parent := strings.Join(path[max(0, len(path)-1):], ""); !known || parent == "" && e.Name.Local != "testsuites" || parent != "" && !slices.Contains(junitSchema[parent].children, e.Name.Local) {
				t.Errorf("%s: <%s> within <%s>", name, e.Name.Local, parent)
			}
			given := map[string]bool{}
			for _, a := range e.Attr {
				given[a.Name.Local] = true
				if !slices.Contains(rules.attrs, a.Name.Local) && !slices.Contains(rules.attrs, a.Name.Local+"!") {
					t.Errorf("%s: attribute %s of <%s>", name, a.Name.Local, e.Name.Local)
				}
				if a.Name.Local == "time" && !surefireTime.MatchString(a.Value) {
					t.Errorf("%s: time %q", name, a.Value)
				}
			}
			for _, a := range rules.attrs {
				if must, ok := strings.CutSuffix(a, "!"); ok && !given[must] {
					t.Errorf("%s: <%s> without %s", name, e.Name.Local, must)
				}
			}
			path = append(path, e.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			for _, c := range string(e) {
				if c < 0x20 && c != '\n' && c != '\t' || c == 0xfffe || c == 0xffff {
					t.Errorf("%s: character %U", name, c)
				}
			}
		}
	}
}

type junitDoc struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Suites   []struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitCase struct {
	Class   string         `xml:"classname,attr"`
	Name    string         `xml:"name,attr"`
	File    string         `xml:"file,attr"`
	Time    string         `xml:"time,attr"`
	Failure []junitProblem `xml:"failure"`
	Error   []junitProblem `xml:"error"`
	Skipped []junitProblem `xml:"skipped"`
	Out     []string       `xml:"system-out"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func readJUnit(t *testing.T, r gate.Report) (junitDoc, []junitCase) {
	t.Helper()
	var d junitDoc
	if err := xml.Unmarshal([]byte(render(t, "junit", r, report.Options{})), &d); err != nil {
		t.Fatal(err)
	}
	var all []junitCase
	for _, s := range d.Suites {
		all = append(all, s.Cases...)
	}
	return d, all
}

func TestJUnitFitsItsSchema(t *testing.T) {
	reports := crafted()
	for name, r := range hostile() {
		reports["hostile "+name] = r
	}
	same := dangerous() // statements that read alike, on one line
	up := &same.Observation.Migrations[0].Up
	up.Statements = append(slices.Clone(up.Statements), up.Statements[1], up.Statements[1])
	reports["twins"] = same
	noncharacters := dangerous()
	noncharacters.Findings[1].Message, noncharacters.Findings[1].Fix = "a\ufffe\uffff\x00\x1bb", "\ufffe;"
	reports["noncharacters"] = noncharacters
	for name, r := range reports {
		checkJUnit(t, name, render(t, "junit", r, report.Options{}))
		d, all := readJUnit(t, r)
		keys := map[string]bool{}
		tests, failures, errs := 0, 0, 0
		for _, s := range d.Suites {
			f, e, sk := 0, 0, 0
			for _, c := range s.Cases {
				// GitLab's key of a test case.
				key := s.Name + "_" + c.Class + "_" + c.Name
				if keys[key] {
					t.Errorf("%s: two test cases %q", name, key)
				}
				keys[key] = true
				if len(c.Failure)+len(c.Error)+len(c.Skipped) > 1 || len(c.Out) > 1 {
					t.Errorf("%s: test case with more than one outcome or output: %+v", name, c)
				}
				f, e, sk = f+len(c.Failure), e+len(c.Error), sk+len(c.Skipped)
			}
			if s.Tests != len(s.Cases) || s.Failures != f || s.Errors != e || s.Skipped != sk {
				t.Errorf("%s: suite %s counts %d, %d, %d, %d", name, s.Name, s.Tests, s.Failures, s.Errors, s.Skipped)
			}
			tests, failures, errs = tests+s.Tests, failures+s.Failures, errs+s.Errors
		}
		if d.Tests != tests || d.Failures != failures || d.Errors != errs || len(all) == 0 {
			t.Errorf("%s: counts %d, %d, %d of %d, %d, %d", name, d.Tests, d.Failures, d.Errors, tests, failures, errs)
		}
	}
}

func TestJUnitOutcomes(t *testing.T) {
	find := func(cases []junitCase, part string) junitCase {
		t.Helper()
		i := slices.IndexFunc(cases, func(c junitCase) bool { return strings.Contains(c.Class+" "+c.Name, part) })
		if i < 0 {
			t.Fatalf("no test case with %q", part)
		}
		return cases[i]
	}
	_, all := readJUnit(t, dangerous())
	widen := find(all, "line 3: ALTER TABLE orders")
	if len(widen.Failure) != 1 || widen.Failure[0].Type != "lock-budget" || !strings.Contains(widen.Failure[0].Message, "blocked for up to 3384 ms, budget 200 ms (and 1 finding more)") || widen.File != widenFile {
		t.Errorf("the statement over budget: %+v", widen)
	}
	for _, want := range []string{widenFile + ":3:1", "ALTER COLUMN total TYPE bigint", "total_new_set", "error[table-rewrite]"} {
		if !strings.Contains(widen.Failure[0].Text, want) {
			t.Errorf("the failure's text lacks %q:\n%s", want, widen.Failure[0].Text)
		}
	}
	if s, err := strconv.ParseFloat(widen.Time, 64); err != nil || s != 3.3401 {
		t.Errorf("time %s, want seconds", widen.Time)
	}
	if quiet := find(all, "line 2: CREATE INDEX"); len(quiet.Failure) > 0 || len(quiet.Out) != 1 || !strings.Contains(quiet.Out[0], "warning[full-scan-under-lock]") {
		t.Errorf("a warning: %+v", quiet)
	}

	strict := dangerous()
	strict.Policy.FailOn = gate.Warning
	if d, _ := readJUnit(t, strict); d.Failures != 3 {
		t.Errorf("%d failures where warnings fail, want 3", d.Failures)
	}
	lax := dangerous()
	lax.Policy.FailOn = gate.Off
	if d, _ := readJUnit(t, lax); d.Failures != 0 {
		t.Errorf("%d failures where nothing fails", d.Failures)
	}

	d, all := readJUnit(t, migrationFailed())
	if c := find(all, "line 4: COMMENT"); len(c.Skipped) != 1 {
		t.Errorf("a statement that was not run: %+v", c)
	}
	if c := find(all, "line 2: ALTER TABLE customers"); len(c.Failure) != 1 || len(c.Skipped) != 0 {
		t.Errorf("the statement that failed: %+v", c)
	}
	if d.Failures != 1 || d.Errors != 0 {
		t.Errorf("%d failures, %d errors", d.Failures, d.Errors)
	}

	d, all = readJUnit(t, gateError())
	if c := find(all, "the gate could decide"); d.Errors != 1 || len(c.Error) != 1 || !strings.Contains(c.Error[0].Text, "fell behind") {
		t.Errorf("a run that could not decide: %+v", c)
	}
	d, all = readJUnit(t, skipped())
	if c := find(all, "the gate could decide"); d.Tests != 1 || len(c.Skipped) != 1 || !strings.Contains(c.Skipped[0].Message, "no migration changed") {
		t.Errorf("a run with nothing to decide: %+v", c)
	}
	goose := dangerous() // one file holds both scripts
	m := &goose.Observation.Migrations[0]
	m.Down = &migration.Script{File: widenFile, Direction: migration.Down, Statements: []migration.Statement{{File: widenFile, Line: 20, EndLine: 21, SQL: "DROP TABLE\norders"}}}
	goose.Findings = append(goose.Findings, gate.Finding{Rule: "unsafe-down", Severity: gate.SeverityError, File: widenFile, Line: 21, Message: "destroys"},
		gate.Finding{Rule: "version-order", Severity: gate.SeverityError, File: widenFile, Message: "too low"})
	_, all = readJUnit(t, goose)
	if c := find(all, "line 20: DROP TABLE orders"); len(c.Failure) != 1 || c.Failure[0].Type != "unsafe-down" {
		t.Errorf("a finding on a down script in the same file: %+v", c)
	}
	if c := find(all, "the file as a whole"); len(c.Failure) != 1 || c.Failure[0].Type != "version-order" {
		t.Errorf("a finding on the file: %+v", c)
	}
	_, all = readJUnit(t, forwardOnly())
	if c := find(all, "000003_index_lines.down.sql down-drift, line 1"); len(c.Failure) != 1 {
		t.Errorf("a finding on a file of no pending script: %+v", c)
	}
}

// GitLab links what looks like an attachment in system-out.
func TestJUnitOutputNamesNoAttachment(t *testing.T) {
	r := dangerous()
	r.Findings[0].Message = "[[ATTACHMENT|../../secret]]"
	r.Findings[0].Fix = "SELECT '[[ATTACHMENT|x]]';"
	_, all := readJUnit(t, r)
	for _, c := range all {
		if out := fmt.Sprint(c.Out); strings.Contains(out, "[[ATTACHMENT|") {
			t.Errorf("output %s", out)
		}
	}
}
