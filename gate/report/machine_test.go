package report_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// The rules of GitLab's documentation ("Code Quality", "Implement a custom
// tool") and of its parser, which stops at the first entry that lacks a field
// and merges those whose fingerprints agree.
func TestCodeQualityFollowsItsRules(t *testing.T) {
	severities := []string{"info", "minor", "major", "critical", "blocker"}
	reports := crafted()
	for name, r := range hostile() {
		reports["hostile "+name] = r
	}
	nowhere := skipped()
	nowhere.Findings = []gate.Finding{{Rule: "not-measured", Severity: gate.SeverityError, Message: "locks"}}
	reports["a finding without a file"] = nowhere
	for name, r := range reports {
		out := render(t, "code-quality", r, report.Options{})
		if !strings.HasPrefix(out, "[") {
			t.Errorf("%s: does not begin with the array: %.20q", name, out)
		}
		var entries []map[string]any
		if err := json.Unmarshal([]byte(out), &entries); err != nil || entries == nil {
			t.Fatalf("%s: no array: %v", name, err)
		}
		if len(entries) != len(r.Findings) {
			t.Errorf("%s: %d entries for %d findings", name, len(entries), len(r.Findings))
		}
		seen := map[string]bool{}
		for _, e := range entries {
			text := func(k string) string { s, _ := e[k].(string); return s }
			loc, _ := e["location"].(map[string]any)
			lines, _ := loc["lines"].(map[string]any)
			path, _ := loc["path"].(string)
			begin, _ := lines["begin"].(float64)
			if text("description") == "" || text("check_name") == "" || text("fingerprint") == "" || !slices.Contains(severities, text("severity")) ||
				path == "" || strings.HasPrefix(path, "/") || strings.HasPrefix(path, "./") || begin < 1 || begin != float64(int(begin)) {
				t.Errorf("%s: entry %v", name, e)
			}
			if seen[text("fingerprint")] {
				t.Errorf("%s: fingerprint %s twice", name, text("fingerprint"))
			}
			seen[text("fingerprint")] = true
		}
	}
	if out := render(t, "code-quality", skipped(), report.Options{}); out != "[]\n" {
		t.Errorf("nothing found: %q", out)
	}
	var bySeverity []string
	r := dangerous()
	r.Findings[0].Severity = gate.Notice
	var entries []struct{ Severity string }
	if err := json.Unmarshal([]byte(render(t, "code-quality", r, report.Options{})), &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		bySeverity = append(bySeverity, e.Severity)
	}
	if want := []string{"critical", "critical", "minor", "info"}; !slices.Equal(bySeverity, want) {
		t.Errorf("severities %v, want %v", bySeverity, want)
	}
}

// GitLab's parser takes NAME=value and nothing else, no empty line either.
func TestDotenvFollowsItsRules(t *testing.T) {
	line := regexp.MustCompile(`^MIGRATION_GATE_[A-Z]+(_[A-Z]+)*=[a-z0-9.-]*$`)
	reports := crafted()
	for name, r := range hostile() {
		r.Verdict = "fail"
		r.Observation.Tier = gate.Tier(r.Reason)
		reports["hostile "+name] = r
	}
	for name, r := range reports {
		out := render(t, "dotenv", r, report.Options{})
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(out) >= report.DotenvMaxBytes || len(lines) > report.DotenvMaxVariables || len(lines) != len(report.Outputs(r)) {
			t.Errorf("%s: %d bytes, %d lines", name, len(out), len(lines))
		}
		for _, l := range lines {
			if !line.MatchString(l) {
				t.Errorf("%s: line %q", name, l)
			}
		}
	}
	if out := render(t, "dotenv", dangerous(), report.Options{}); !strings.HasPrefix(out, "MIGRATION_GATE_VERDICT=fail\n") {
		t.Errorf("no verdict first:\n%s", out)
	}
}

// What goes to a job's log is read by the runner, line by line: "::name::"
// after blanks, and the older "##[name]" anywhere.
func TestNoFormatForProgramsHoldsAWorkflowCommand(t *testing.T) {
	commands := []string{"::error::x\n  ::warning file=a::y\n\u00a0::add-mask::z\n##[error]y ###[group]\n::stop-commands::t\r\n::set-output name=verdict::pass", "##[error]", "::debug::"}
	reports := hostile()
	for _, a := range commands {
		r := dangerous()
		r.Reason, r.Verdict = a, gate.Error
		r.Observation.Migrations[0].Up.Statements[0].SQL = a
		r.Observation.Unmeasured = []gate.Unmeasured{{What: a, Why: a, Remedy: a}}
		r.Observation.ConfigChanges = []gate.ConfigChange{{File: a, Key: a, Before: a, After: a}}
		for i := range r.Findings {
			f := &r.Findings[i]
			f.Message, f.Fix, f.SQL, f.Suggestion, f.File = a, a+"\n;", a, a, a
		}
		reports["command "+a] = r
	}
	for name, r := range reports {
		for _, format := range report.Formats() {
			if format == "text" || format == "markdown" || format == "line" {
				continue // those are guarded where they are printed
			}
			for _, l := range strings.Split(render(t, format, r, report.Options{Rules: catalogue()}), "\n") {
				if strings.HasPrefix(strings.TrimLeftFunc(l, unicode.IsSpace), "::") || strings.Contains(l, "##[") {
					t.Errorf("%s as %s: line %q", name, format, l)
				}
			}
		}
	}
	r := dangerous()
	r.Findings[0].Message = "a ##[error] b ###[x]"
	read, err := report.Decode(strings.NewReader(render(t, "json", r, report.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(read.Findings, func(f gate.Finding) bool { return f.Message == r.Findings[0].Message }); i < 0 {
		t.Error("escaping changed a message")
	}
}
