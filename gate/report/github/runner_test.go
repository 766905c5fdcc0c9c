package github_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/runnertest"
)

var ansi = regexp.MustCompile(`\x1b\[[^@-~\x00-\x1f\x7f-\x{10ffff}]*[@-~]?`)

// step is what a run of the gate leaves for the runner.
type step struct {
	env             map[string]string
	stdout          bytes.Buffer
	summary, output string // files
}

func newStep(t *testing.T) *step {
	dir := t.TempDir()
	s := &step{summary: filepath.Join(dir, "summary"), output: filepath.Join(dir, "output")}
	s.env = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": s.summary, "GITHUB_OUTPUT": s.output,
		"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_SHA": strings.Repeat("a1", 20),
	}
	return s
}

func (s *step) options() github.RunnerOptions {
	return github.RunnerOptions{Stdout: github.Guard(&s.stdout), Getenv: func(k string) string { return s.env[k] }}
}

func (s *step) publish(t *testing.T, r gate.Report) {
	t.Helper()
	for _, err := range github.NewRunner(s.options()).Publish(r) {
		t.Error(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// many is a change of n statements with a finding of each level for each.
func many(n int) gate.Report {
	r := gate.Report{Verdict: gate.Fail}
	m := gate.Migration{}
	m.Version, m.Up.File = "000002", "migrations/000002_many.up.sql"
	for i := range n {
		line := 1 + 3*i
		st := migration.Statement{File: m.Up.File, Line: line, EndLine: line + 1, SQL: fmt.Sprintf("ALTER TABLE t%d\n  ADD COLUMN c int", i)}
		m.Up.Statements = append(m.Up.Statements, st)
		for _, s := range []gate.Severity{gate.Notice, gate.SeverityError, gate.Warning} {
			r.Findings = append(r.Findings, gate.Finding{Rule: "lock-budget", Severity: s, File: st.File, Line: line + 1, EndLine: line + 1, Message: fmt.Sprintf("t%d: writes blocked", i)})
		}
	}
	r.Observation.Migrations = []gate.Migration{m}
	return r
}

func TestSixtyFindings(t *testing.T) {
	s := newStep(t)
	s.publish(t, many(60))
	shown, left := runnertest.Annotations(runnertest.Parse(s.stdout.Bytes()))
	if left != 0 || len(shown) != 30 {
		t.Errorf("GitHub shows %d annotations and drops %d", len(shown), left)
	}
	for i, level := range []string{"error", "warning", "notice"} {
		first, last := shown[10*i], shown[10*i+9]
		if d := cmp.Diff(runnertest.Annotation{Level: level, File: "migrations/000002_many.up.sql", Line: "2", EndLine: "2",
			Title:   "lock-budget: a lock blocked reads or writes for longer than allowed",
			Message: "t0: writes blocked\nlearn more: migration-gate explain lock-budget"}, first); d != "" {
			t.Error(d)
		}
		if last.Level != level || last.Title != "51 more of this level" || !strings.Contains(last.Message, "51 more findings of level "+level+" are listed in the job's summary") {
			t.Errorf("the last %s is %+v", level, last)
		}
	}
	md := read(t, s.summary)
	for i := range 60 {
		row := fmt.Sprintf("| <code>lock-budget</code> | [<code>migrations/000002_many.up.sql:%d</code>](https://github.example/acme/shop/blob/%s/migrations/000002_many.up.sql#L%d) | t%d: writes blocked | <code>ALTER TABLE t%d</code> |",
			3*i+2, s.env["GITHUB_SHA"], 3*i+2, i, i)
		if n := strings.Count(md, row); n != 3 {
			t.Fatalf("the summary has %d times, and not 3:\n%s", n, row)
		}
	}
	if strings.Contains(md, "### Findings\n") || !strings.HasPrefix(md, "❌ **migration gate: FAIL**") {
		t.Errorf("the summary begins with\n%.500s", md)
	}
}

func TestTenOfALevelAreAllShown(t *testing.T) {
	for n, want := range map[int]string{10: "t9: writes", 11: "2 more findings"} {
		s := newStep(t)
		s.publish(t, many(n))
		shown, _ := runnertest.Annotations(runnertest.Parse(s.stdout.Bytes()))
		if len(shown) != 30 || !strings.HasPrefix(shown[9].Message, want) {
			t.Errorf("%d findings: %d annotations, the tenth says %q", n, len(shown), shown[9].Message)
		}
	}
}

func TestVerdictOfErrorIsAnnotated(t *testing.T) {
	s := newStep(t)
	s.publish(t, gate.Report{Verdict: gate.Error, Reason: "read snapshot: no space left on device"})
	shown, _ := runnertest.Annotations(runnertest.Parse(s.stdout.Bytes()))
	if len(shown) != 1 || shown[0].Level != "error" || shown[0].File != "" || !strings.HasPrefix(shown[0].Message, "read snapshot: no space left on device\n") {
		t.Errorf("annotations: %+v", shown)
	}
	if md := read(t, s.summary); !strings.Contains(md, "no space left on device") {
		t.Errorf("summary: %s", md)
	}
}

func TestOutputs(t *testing.T) {
	s := newStep(t)
	// Another command of the step wrote before, and left its line open.
	if err := os.WriteFile(s.output, []byte("before=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	opt := s.options()
	paths := map[string]string{
		"report-json": "gate-report/report.json",
		"report-md":   "odd\nverdict=pass\n_GitHubActionsFileCommandDelimeter_\nverdict<<X\npass\nX\r",
		"sarif":       "a<<b=c",
		"junit":       "",
	}
	opt.Paths = paths
	if errs := github.NewRunner(opt).Publish(many(2)); errs != nil {
		t.Fatal(errs)
	}
	got, err := runnertest.ParseOutputs([]byte(read(t, s.output)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"before": "1"}
	for _, o := range report.Outputs(many(2)) {
		want[o.Name] = o.Value
	}
	for k, v := range paths {
		want[k] = v
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if want["verdict"] != "fail" || want["errors"] != "2" {
		t.Errorf("figures: %v", want)
	}
}

func TestAnOutputsNameIsRefused(t *testing.T) {
	s := newStep(t)
	opt := s.options()
	opt.Paths = map[string]string{"a=b": "x"}
	errs := github.NewRunner(opt).Publish(many(1))
	if len(errs) != 1 || errs[0].Error() != `write step outputs: name "a=b" is not one that outputs can have` {
		t.Errorf("notices: %v", errs)
	}
	if _, err := os.Stat(s.output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of the outputs were written: %v", err)
	}
}

// A runner that sets no files, streams and files that cannot be written:
// nothing breaks, and what failed is told.
func TestNothingBreaks(t *testing.T) {
	var out bytes.Buffer
	if errs := github.NewRunner(github.RunnerOptions{Stdout: &out}).Publish(many(1)); errs != nil {
		t.Errorf("no files: %v", errs)
	}
	if n := len(runnertest.Parse(out.Bytes())); n != 3 {
		t.Errorf("no files: %d commands", n)
	}
	if errs := github.NewRunner(github.RunnerOptions{}).Publish(gate.Report{}); errs != nil {
		t.Errorf("zero values: %v", errs)
	}
	full := errors.New("broken pipe")
	missing := filepath.Join(t.TempDir(), "not", "there")
	r := github.NewRunner(github.RunnerOptions{Stdout: failing{full}, Getenv: func(string) string { return missing }})
	r.Mask("secret")
	r.Group("title")()
	errs := r.Publish(many(1))
	if len(errs) != 3 || !errors.Is(errs[0], full) || !errors.Is(errs[1], os.ErrNotExist) || !errors.Is(errs[2], os.ErrNotExist) {
		t.Errorf("notices: %v", errs)
	}
	r = github.NewRunner(github.RunnerOptions{Source: func(string) ([]byte, bool) { panic("odd") }, Getenv: newStep(t).options().Getenv})
	rep := many(1)
	if errs := r.Publish(rep); len(errs) != 1 || errs[0].Error() != "write job summary: odd" {
		t.Errorf("notices: %v", errs)
	}
}

func TestMask(t *testing.T) {
	for secret, want := range map[string][]string{
		"":                         nil,
		" \n":                      nil,
		"token":                    {"token"},
		"p%s:w/d @x":               {"p%s:w/d @x", "p%25s%3Aw%2Fd+%40x", "p%25s:w%2Fd%20@x", "p%25s%3Aw%2Fd%20%40x"},
		"{\r\n  key: abc\r\n}\r\n": {"{\r\n  key: abc\r\n}\r\n", "key: abc", "%7B%0D%0A++key%3A+abc%0D%0A%7D%0D%0A", "%7B%0D%0A%20%20key:%20abc%0D%0A%7D%0D%0A", "%7B%0D%0A%20%20key%3A%20abc%0D%0A%7D%0D%0A", "key%3A+abc", "key:%20abc", "key%3A%20abc"},
		"::error::x":               {"::error::x", "%3A%3Aerror%3A%3Ax", "::error::x"},
	} {
		s := newStep(t)
		github.NewRunner(s.options()).Mask(secret)
		var got []string
		for _, c := range runnertest.Parse(s.stdout.Bytes()) {
			if c.Name != "add-mask" {
				t.Errorf("%q: command %q", secret, c.Raw)
			}
			got = append(got, c.Data)
		}
		if secret == "::error::x" {
			want = want[:2]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", secret, d)
		}
	}
}

// act would print a mask whose secret holds the mark, so it is not told of it.
func TestActPrintsNoSecret(t *testing.T) {
	s := newStep(t)
	s.env["ACT"] = "true"
	github.NewRunner(s.options()).Mask("my::secret")
	for _, c := range runnertest.ParseAct(s.stdout.Bytes()) {
		if c.Name != "add-mask" {
			t.Errorf("act prints %q", c.Raw)
		}
	}
}

// act prints the summary into its log, so it has the verdict alone, and once.
func TestActSeesTheVerdictOnce(t *testing.T) {
	for _, env := range []map[string]string{{"ACT": "true"}, {"ACT": "true", "GITHUB_STEP_SUMMARY": ""}} {
		s := newStep(t)
		for k, v := range env {
			s.env[k] = v
		}
		s.publish(t, many(1))
		shown, _ := os.ReadFile(s.summary) // not there where there is no such variable
		log := s.stdout.String() + string(shown)
		if n := strings.Count(log, "❌ **migration gate: FAIL**"); n != 1 {
			t.Errorf("the log has the verdict %d times:\n%s", n, log)
		}
		if strings.Contains(log, "All findings") || strings.Contains(log, "mermaid") {
			t.Errorf("the log has more than the verdict:\n%s", log)
		}
	}
	s := newStep(t)
	s.publish(t, many(1))
	if strings.Contains(s.stdout.String(), "**migration gate") {
		t.Error("GitHub shows the summary, and the log repeats it")
	}
}
