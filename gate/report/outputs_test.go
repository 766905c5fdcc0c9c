package report_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

func outputs(r gate.Report) map[string]string {
	m := map[string]string{}
	for _, o := range report.Outputs(r) {
		m[o.Name] = o.Value
	}
	return m
}

func TestOutputs(t *testing.T) {
	for _, c := range []struct {
		name string
		r    gate.Report
		want map[string]string
	}{
		{"a change that blocks", dangerous(), map[string]string{
			"verdict": "fail", "changed": "true", "changed-count": "2", "errors": "2", "warnings": "2", "notices": "0",
			"longest-block-ms": "3383.1", "total-ms": "11729", "statements": "4", "tier": "data",
		}},
		{"windows that touch are one", mysqlCopy(), map[string]string{"longest-block-ms": "8001", "changed-count": "1"}},
		{"an empty table measures nothing", noSnapshot(), map[string]string{"longest-block-ms": "", "verdict": "pass", "changed": "true", "tier": "schema"}},
		{"no migration changed", skipped(), map[string]string{"verdict": "skipped", "changed": "false", "changed-count": "0", "statements": "0"}},
		{"ended before anything was known", gate.Report{Verdict: gate.Error}, map[string]string{"verdict": "error", "changed": "", "changed-count": ""}},
	} {
		got := outputs(c.r)
		for name, want := range c.want {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s: %s is %q, want %q", c.name, name, v, want)
			}
		}
	}
}

// Names and help are knowledge without a report, and values can be written as
// NAME=VALUE wherever a line is one.
func TestOutputsOfEveryReport(t *testing.T) {
	type known struct{ Name, Help string }
	list := func(r gate.Report) (all []known) {
		for _, o := range report.Outputs(r) {
			all = append(all, known{o.Name, o.Help})
		}
		return all
	}
	want := list(gate.Report{})
	reports := crafted()
	for name, r := range hostile() {
		r.Verdict, r.Observation.Tier = "pass\nverdict=fail", "data\r\n::error::x"
		reports["hostile "+name] = r
	}
	kebab, value := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`), regexp.MustCompile(`^[a-z0-9.-]*$`)
	for name, r := range reports {
		if diff := cmp.Diff(want, list(r)); diff != "" {
			t.Errorf("%s has other names or help:\n%s", name, diff)
		}
		for _, o := range report.Outputs(r) {
			if !kebab.MatchString(o.Name) || !value.MatchString(o.Value) || o.Help == "" || strings.ContainsAny(o.Help, "\n|") {
				t.Errorf("%s: %+v", name, o)
			}
		}
		if strings.HasPrefix(name, "hostile") {
			continue
		}
		read, err := report.Decode(strings.NewReader(render(t, "json", r, report.Options{})))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(report.Outputs(r), report.Outputs(read)); diff != "" {
			t.Errorf("%s: other values from the stored report:\n%s", name, diff)
		}
	}
}
