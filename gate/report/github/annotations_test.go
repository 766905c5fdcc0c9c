package github_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report/github"
)

func TestAnnotationsComeWorstFirst(t *testing.T) {
	r := gate.Report{Verdict: gate.Error, Reason: "open snapshot: no such file", Findings: []gate.Finding{
		{Rule: "down-missing", Severity: gate.Notice, File: "m/1.sql", Message: "no down"},
		{Rule: "full-scan-under-lock", Severity: gate.Warning, File: "m/2.sql", Line: 7, EndLine: 7, Column: 3, Message: "all rows read"},
		{Rule: "lock-budget", Severity: gate.SeverityError, File: "m/3.sql", Line: 9, EndLine: 12, Column: 5, Message: "writes blocked"},
		{Rule: "lock-budget", Severity: gate.SeverityError, Message: "locks were not measured"},
		{Rule: "lock-budget", Severity: gate.SeverityError, File: "m/3.sql", Line: 2, Message: "reads blocked"},
		{Rule: "table-rewrite", Severity: gate.Off, File: "m/3.sql", Line: 2, Message: "switched off"},
	}}
	var got []string
	for _, a := range github.Annotations(r) {
		got = append(got, fmt.Sprintf("%s %s %d-%d:%d #%d %s", a.Level, a.File, a.StartLine, a.EndLine, a.Column, a.Finding, a.Title))
	}
	want := []string{
		"error  0-0:0 #-1 the gate could not decide",
		// As the report has them: what runs first comes first, and GitHub knows no
		// column of several lines.
		"error m/3.sql 9-12:0 #2 lock-budget: a lock blocked reads or writes for longer than allowed",
		"error  0-0:0 #3 lock-budget: a lock blocked reads or writes for longer than allowed",
		"error m/3.sql 2-2:0 #4 lock-budget: a lock blocked reads or writes for longer than allowed",
		"warning m/2.sql 7-7:3 #1 full-scan-under-lock: an existing table was read whole while locked",
		// The file as a whole is shown on its first line.
		"notice m/1.sql 1-1:0 #0 down-missing: a migration cannot be reversed",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAnnotationSaysWhatToDo(t *testing.T) {
	long := "-- 1. a column beside it\nALTER TABLE a ADD COLUMN b int;\n-- 2. the rows\nUPDATE 1;\nUPDATE 2;\nUPDATE 3;\nUPDATE 4;\nUPDATE 5;\nUPDATE 6;"
	settings := "SET lock_timeout = '1s';\n-- then\nALTER TABLE a\n  ADD COLUMN b int;\n" + strings.Repeat("SELECT 1;\n", 9)
	for fix, want := range map[string]string{
		"":                     "m\nlearn more: migration-gate explain lock-budget",
		"move it elsewhere":    "m\nfix: move it elsewhere\nlearn more: migration-gate explain lock-budget",
		"SELECT 1;\nSELECT 2;": "m\nfix:\nSELECT 1;\nSELECT 2;\nlearn more: migration-gate explain lock-budget",
		long:                   "m\nfix, first step:\n-- 1. a column beside it\nALTER TABLE a ADD COLUMN b int;\n… 7 more lines, in the job's summary and the report\nlearn more: migration-gate explain lock-budget",
		settings:               "m\nfix, first step:\nSET lock_timeout = '1s';\n-- then\nALTER TABLE a\n  ADD COLUMN b int;\n… 9 more lines, in the job's summary and the report\nlearn more: migration-gate explain lock-budget",
	} {
		r := gate.Report{Findings: []gate.Finding{{Rule: "lock-budget", Severity: gate.SeverityError, Message: "m", Fix: fix}}}
		if d := cmp.Diff(want, github.Annotations(r)[0].Message); d != "" {
			t.Error(d)
		}
	}
}

// 4,096 characters are counted as UTF-16 does, and the way to learn more is
// never what is cut.
func TestMessagesAreCut(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 9000), strings.Repeat("é", 9000), strings.Repeat("🔒", 9000), strings.Repeat("\x1b", 9000)} {
		for _, shift := range []string{"", "x"} {
			r := gate.Report{Verdict: gate.Error, Reason: shift + text, Findings: []gate.Finding{{Rule: "lock-budget", Severity: gate.SeverityError, Message: shift + text, Fix: text}}}
			for _, a := range github.Annotations(r) {
				n := len(utf16.Encode([]rune(a.Message)))
				if n > 4096 || n < 4080 {
					t.Errorf("%.8q: %d characters", text, n)
				}
				if !strings.Contains(a.Message, "…") {
					t.Errorf("%.8q: cut, and does not say so", text)
				}
				if a.Finding == 0 && !strings.HasSuffix(a.Message, "…\nlearn more: migration-gate explain lock-budget") {
					t.Errorf("%.8q: ends with %q", text, a.Message[len(a.Message)-60:])
				}
			}
		}
	}
}
