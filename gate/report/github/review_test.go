package github_test

import (
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

func TestSuggestedChangesAreNotRepeated(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	rep := suggested(findings(3), 2)
	publish(t, r.api(t, onlyComment), rep)
	publish(t, r.api(t, onlyComment), rep)
	for i := range rep.Findings {
		rep.Findings[i].Line, rep.Findings[i].EndLine = i+11, i+11 // moved
	}
	publish(t, r.api(t, onlyComment), rep)
	if len(r.Reviews()) != 1 || len(r.ReviewComments()) != 2 {
		t.Fatalf("%d reviews, %d comments", len(r.Reviews()), len(r.ReviewComments()))
	}
	c := r.ReviewComments()[0]
	if c.Path != upFile || c.Line != 1 || c.StartLine != 0 {
		t.Errorf("place: %+v", c)
	}
	wants(t, "the suggestion", c.Body, "\n```suggestion\nCREATE INDEX CONCURRENTLY i0 ON t0 (a);\n```\n")
	publish(t, r.api(t, onlyComment), suggested(rep, 3))
	if len(r.Reviews()) != 2 || len(r.ReviewComments()) != 3 {
		t.Errorf("a new one: %d reviews, %d comments", len(r.Reviews()), len(r.ReviewComments()))
	}
	// Another job speaks for itself.
	publish(t, r.api(t, onlyComment, func(o *github.APIOptions) { o.Run.Matrix = "engine=mysql" }), rep)
	if len(r.ReviewComments()) != 6 {
		t.Errorf("another job: %d comments", len(r.ReviewComments()))
	}
}

func TestSomebodyElsesMarkerSuppressesNothing(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	publish(t, r.api(t, onlyComment), suggested(findings(1), 1))
	copied := r.ReviewComments()[0].Body
	r = newRepo(t, githubtest.Options{})
	r.AddReviewComment(7, "mallory", false, copied)
	publish(t, r.api(t, onlyComment), suggested(findings(1), 1))
	if len(r.Reviews()) != 1 {
		t.Error("a copied marker kept the suggestion back")
	}
}

func TestSuggestionsOverSeveralLines(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	rep := suggested(findings(1), 1)
	rep.Findings[0].Line, rep.Findings[0].EndLine = 4, 7
	rep.Findings[0].Suggestion = "SET lock_timeout = '2s';\n\nCREATE INDEX CONCURRENTLY i ON t (\n  a\n);"
	publish(t, r.api(t, onlyComment), rep)
	c := r.ReviewComments()[0]
	if c.StartLine != 4 || c.Line != 7 || !strings.Contains(c.Body, "```suggestion\nSET lock_timeout = '2s';\n\nCREATE") {
		t.Errorf("%+v", c)
	}
}

// GitHub refuses the whole review for one line that the diff does not show.
func TestLinesOutsideTheDiff(t *testing.T) {
	for name, c := range map[string]struct {
		edited, added string // the files of the two findings
		diff          map[string][][2]int
		want          int
	}{
		"one is outside":  {"migrations/1.up.sql", upFile, map[string][][2]int{upFile: {{1, 9}}, "migrations/1.up.sql": {{30, 40}}}, 1},
		"both are inside": {"migrations/1.up.sql", upFile, map[string][][2]int{upFile: {{1, 9}}, "migrations/1.up.sql": {{1, 9}}}, 2},
		"none is inside":  {"migrations/1.up.sql", "migrations/1.up.sql", map[string][][2]int{}, 0},
		"a stale head":    {upFile, upFile, map[string][][2]int{}, 0},
	} {
		r := newRepo(t, githubtest.Options{PullRequests: []githubtest.PullRequest{{Number: 7, Head: headSHA, Diff: c.diff}}})
		rep := suggested(findings(2), 2)
		rep.Findings[0].File, rep.Findings[1].File = c.edited, c.added
		a := r.api(t)
		publish(t, a, rep)
		if n := len(r.ReviewComments()); n != c.want {
			t.Errorf("%s: %d comments", name, n)
		}
	}
}

func TestWhatIsNotSuggested(t *testing.T) {
	for name, change := range map[string]func(*gate.Report){
		"no line":             func(r *gate.Report) { r.Findings[0].Line = 0 },
		"no file":             func(r *gate.Report) { r.Findings[0].File = "" },
		"outside":             func(r *gate.Report) { r.Findings[0].File = "../x.sql" },
		"what cannot be seen": func(r *gate.Report) { r.Findings[0].Suggestion = "SELECT 1 \u202e-- x" },
		"a silent finding":    func(r *gate.Report) { r.Findings[0].Severity = gate.Off },
	} {
		r := newRepo(t, githubtest.Options{})
		rep := suggested(findings(1), 1)
		change(&rep)
		a := r.api(t, onlyComment)
		publish(t, a, rep)
		if len(r.Reviews()) != 0 || a.Calls() != 2 {
			t.Errorf("%s: %d reviews, %d calls", name, len(r.Reviews()), a.Calls())
		}
	}
	r := newRepo(t, githubtest.Options{})
	publish(t, r.api(t, onlyStatus), suggested(findings(1), 1))
	if len(r.Reviews()) != 0 {
		t.Error("a review without comments switched on")
	}
	warned := suggested(findings(1), 1)
	warned.Verdict, warned.Findings[0].Severity = gate.Pass, gate.Warning
	publish(t, r.api(t, onlyComment, func(o *github.APIOptions) { o.Comment = "on-failure" }), warned)
	if len(r.Reviews()) != 0 {
		t.Error("a review of what passed, where only failures are told")
	}
	publish(t, r.api(t, onlyComment), suggested(findings(60), 60))
	if n := len(r.ReviewComments()); n != 20 {
		t.Errorf("%d suggestions at once", n)
	}
}
