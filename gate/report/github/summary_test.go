package github_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/runnertest"
)

// However much there is to say, GitHub takes the summary, and it names every
// finding before it says anything else at length.
func TestHugeSummaryFits(t *testing.T) {
	const deep = "in a tree that is deep, so that links are long"
	for _, c := range []struct {
		statements int
		message    string
		want       []string
		all        bool
	}{
		{200, "short", []string{"<details>", "t199: short", "<code>ALTER TABLE t199</code>"}, true},
		{350, strings.Repeat("long & <hostile> ", 200), []string{"t349: long &#38; &#60;hostile&#62;", "<code>ALTER TABLE t349</code>"}, true},
		{600, strings.Repeat("$", 400), []string{"000002_many.up.sql:1799</code>]"}, true},
		{1_100, deep, []string{"more findings are left out: GitHub shows no more than 1 MiB for each step. All are in <code>gate-report/report.json</code> (<code>report-dir</code>)."}, false},
	} {
		s := newStep(t)
		r := many(c.statements)
		for i := range r.Findings {
			r.Findings[i].Message = strings.Replace(r.Findings[i].Message, "writes blocked", c.message, 1)
			if c.message == deep {
				r.Findings[i].File = strings.Repeat("folder/", 30) + r.Findings[i].File
			}
		}
		opt := s.options()
		opt.Paths = map[string]string{"report-json": "gate-report/report.json"}
		for _, err := range github.NewRunner(opt).Publish(r) {
			t.Error(err)
		}
		md := read(t, s.summary)
		if len(md) > 900<<10 {
			t.Errorf("%d statements: %d bytes", c.statements, len(md))
		}
		if !strings.HasPrefix(md, "❌ **migration gate: FAIL**") {
			t.Errorf("%d statements: begins with %.200q", c.statements, md)
		}
		for _, w := range c.want {
			if !strings.Contains(md, w) {
				t.Errorf("%d statements: the summary lacks %q", c.statements, w)
			}
		}
		_, list, _ := strings.Cut(md, "### All findings\n")
		rows := strings.Count(list[:strings.Index(list+"\n\n\n", "\n\n\n")], "| <code>lock-budget</code> | [")
		for line := range strings.Lines(md) {
			if strings.HasPrefix(line, "| 🔴") && strings.Count(line, " | ") != 4 {
				t.Errorf("a row is broken: %q", line)
				break
			}
		}
		if c.all && rows != len(r.Findings) || !c.all && rows < 1_500 {
			t.Errorf("%d statements: %d of %d findings are listed", c.statements, rows, len(r.Findings))
		}
	}
}

// Commands of one step share its file.
func TestSummariesOfOneStepShareItsLimit(t *testing.T) {
	s := newStep(t)
	before := "# hello\n" + strings.Repeat("x", 800<<10)
	if err := os.WriteFile(s.summary, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	s.publish(t, many(400))
	s.publish(t, many(1))
	md := read(t, s.summary)
	if len(md) > runnertest.SummarySize || !strings.HasPrefix(md, before+"\n\n---\n\n❌ **migration gate: FAIL**") {
		t.Errorf("%d bytes, of which the second part begins %.80q", len(md), md[len(before):])
	}
	if n := strings.Count(md, "| <code>lock-budget</code> | ["); n < 400 {
		t.Errorf("%d rows", n)
	}
	if err := os.WriteFile(s.summary, []byte(strings.Repeat("x", 899<<10)), 0o600); err != nil {
		t.Fatal(err)
	}
	errs := github.NewRunner(s.options()).Publish(many(1))
	if len(errs) != 1 || errs[0].Error() != "write job summary: other commands of this step have filled it: GitHub shows no more than 1 MiB for each step" {
		t.Errorf("notices: %v", errs)
	}
}

func TestLinksLeadToTheCommitThatWasLookedAt(t *testing.T) {
	head := strings.Repeat("0f", 20)
	for _, c := range []struct {
		name string
		edit func(r *gate.Report, env map[string]string)
		want string
	}{
		{"lines", func(r *gate.Report, _ map[string]string) { r.Findings[0].EndLine = 5 },
			"[<code>migrations/000002_many.up.sql:2</code>](https://github.example/acme/shop/blob/" + strings.Repeat("a1", 20) + "/migrations/000002_many.up.sql#L2-L5)"},
		{"the observation's commit", func(r *gate.Report, _ map[string]string) { r.Observation.Head = head }, "/blob/" + head + "/"},
		{"the file as a whole", func(r *gate.Report, _ map[string]string) { r.Findings[0].Line, r.Findings[0].EndLine = 0, 0 },
			"[<code>migrations/000002_many.up.sql</code>](https://github.example/acme/shop/blob/" + strings.Repeat("a1", 20) + "/migrations/000002_many.up.sql)"},
		{"odd names", func(r *gate.Report, _ map[string]string) { r.Findings[0].File = "a (b)|&c?d#é.sql" },
			"[<code>a (b)&#124;&#38;c?d&#35;é.sql:2</code>](https://github.example/acme/shop/blob/" + strings.Repeat("a1", 20) + "/a%20%28b%29%7C%26c%3Fd%23%C3%A9.sql#L2)"},
		{"a file that is gone", func(r *gate.Report, _ map[string]string) {
			r.Observation.Files = []gate.FileChange{{Path: r.Findings[0].File, Status: "deleted"}}
		}, "| <code>migrations/000002_many.up.sql:2</code> |"},
		{"a file renamed", func(r *gate.Report, _ map[string]string) {
			r.Observation.Files = []gate.FileChange{{Path: "b", Status: "renamed", From: r.Findings[0].File}}
		}, "| <code>migrations/000002_many.up.sql:2</code> |"},
		{"no commit", func(_ *gate.Report, env map[string]string) { env["GITHUB_SHA"] = "" }, "| <code>migrations/000002_many.up.sql:2</code> |"},
		{"no repository", func(_ *gate.Report, env map[string]string) { env["GITHUB_REPOSITORY"] = "a b) [x" }, "| <code>migrations/000002_many.up.sql:2</code> |"},
		{"no server", func(_ *gate.Report, env map[string]string) { env["GITHUB_SERVER_URL"] = "javascript:alert(1)" }, "| <code>migrations/000002_many.up.sql:2</code> |"},
	} {
		s := newStep(t)
		r := many(1)
		r.Findings = r.Findings[:1]
		c.edit(&r, s.env)
		s.publish(t, r)
		if md := read(t, s.summary); !strings.Contains(md, c.want) {
			_, list, _ := strings.Cut(md, "### All findings")
			t.Errorf("%s: lacks %s:\n%.600s", c.name, c.want, list)
		}
	}
}

func ExampleRunner_Group() {
	r := github.NewRunner(github.RunnerOptions{Stdout: os.Stdout})
	end := r.Group("restore snapshot")
	fmt.Println("restored 1,200,000 rows")
	end()
	// Output:
	// ::group::restore snapshot
	// restored 1,200,000 rows
	// ::endgroup::
}
