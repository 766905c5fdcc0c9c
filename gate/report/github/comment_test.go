package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

func TestTheCommentTurnsGreenInPlace(t *testing.T) {
	for _, mode := range []string{"auto", "on-failure"} {
		r := newRepo(t, githubtest.Options{})
		r.AddComment(7, "octocat", false, "hello")
		on := func(o *github.APIOptions) { o.Comment = mode }
		publish(t, r.api(t, on), decoded(t, "dangerous"))
		red := r.Comments()[1]
		wants(t, mode, red.Body, "❌ **migration gate: FAIL**")
		publish(t, r.api(t, on), decoded(t, "pass"))
		publish(t, r.api(t, on), gate.Report{Verdict: gate.Skipped})
		cs := r.Comments()
		if len(cs) != 2 || cs[1].ID != red.ID || cs[1].Edits != 2 {
			t.Fatalf("%s: %d comments, %+v", mode, len(cs), cs[1])
		}
		wants(t, mode, cs[1].Body, "migration gate: SKIPPED")
	}
}

func TestWhatOpensAComment(t *testing.T) {
	for _, c := range []struct {
		mode    string
		verdict gate.Verdict
		want    int
	}{
		{"never", gate.Fail, 0},
		{"on-failure", gate.Pass, 0}, {"on-failure", gate.Fail, 1}, {"on-failure", gate.Error, 1}, {"on-failure", gate.Skipped, 0},
		{"auto", gate.Pass, 1}, {"auto", gate.Fail, 1}, {"auto", gate.Error, 1}, {"auto", gate.Skipped, 0},
	} {
		r := newRepo(t, githubtest.Options{})
		publish(t, r.api(t, onlyComment, func(o *github.APIOptions) { o.Comment = c.mode }), gate.Report{Verdict: c.verdict, Reason: "x"})
		if n := len(r.Comments()); n != c.want {
			t.Errorf("%s, %s: %d comments", c.mode, c.verdict, n)
		}
	}
}

// Anybody can copy the marker; a report in somebody's own comment would be
// theirs to turn green.
func TestOnlyOurOwnCommentIsEdited(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	publish(t, r.api(t, onlyComment), findings(1))
	body := r.Comments()[0].Body
	r.DeleteComment(r.Comments()[0].ID)
	r.AddComment(7, "mallory", false, body)
	r.AddComment(7, "other-app[bot]", true, "> quoted\n"+body)
	publish(t, r.api(t, onlyComment), findings(1))
	cs := r.Comments()
	if len(cs) != 3 || cs[0].Edits+cs[1].Edits != 0 || cs[2].Author != "github-actions[bot]" {
		t.Errorf("comments: %+v", cs)
	}
}

func TestAPersonsTokenKnowsItsOwnComment(t *testing.T) {
	r := newRepo(t, githubtest.Options{Token: "ghp_0123456789"})
	publish(t, r.api(t, onlyComment), findings(1))
	r.AddComment(7, "mallory", false, r.Comments()[0].Body)
	publish(t, r.api(t, onlyComment), findings(2))
	if cs := r.Comments(); len(cs) != 2 || cs[0].Edits != 1 || cs[1].Edits != 0 {
		t.Errorf("comments: %+v", cs)
	}
	a := r.api(t)
	a.Begin(t.Context())
	wants(t, "the notice", one(t, a.Publish(t.Context(), findings(1))), "the check run (HTTP 403", "person's token cannot make check runs")
}

func TestTheCommentIsFoundInALongDiscussion(t *testing.T) {
	for _, before := range []int{0, 99, 150, 260, 420} {
		r := newRepo(t, githubtest.Options{})
		talk := func(n int) {
			for i := range n {
				r.AddComment(7, "reviewer", false, fmt.Sprint("comment ", i))
			}
		}
		talk(before)
		publish(t, r.api(t, onlyComment), findings(1))
		if before < 250 {
			talk(30)
		}
		publish(t, r.api(t, onlyComment), findings(2))
		ours := 0
		for _, c := range r.Comments() {
			if strings.HasPrefix(c.Body, "<!-- migration-gate:") {
				ours++
				if c.Edits != 1 {
					t.Errorf("after %d: edited %d times", before, c.Edits)
				}
			}
		}
		if ours != 1 {
			t.Errorf("after %d: %d comments of ours", before, ours)
		}
	}
}

func TestALaterRunHasTheLastWord(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	run := func(id string) func(*github.APIOptions) {
		return func(o *github.APIOptions) { o.Run.RunURL = "https://github.example/octo/shop/actions/runs/" + id }
	}
	publish(t, r.api(t, onlyComment, run("101/attempts/2")), findings(1))
	publish(t, r.api(t, onlyComment, run("99")), decoded(t, "pass"))
	if c := r.Comments()[0]; c.Edits != 0 {
		t.Error("an earlier run overwrote a later one's comment")
	}
	publish(t, r.api(t, onlyComment, run("101/attempts/3")), decoded(t, "pass"))
	if c := r.Comments()[0]; c.Edits != 1 {
		t.Error("the next attempt did not")
	}
}

func TestACommentDeletedMeanwhileIsMadeAgain(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	publish(t, r.api(t, onlyComment), findings(1))
	r.Fail(githubtest.Fault{Method: "PATCH", Status: 404, Times: 1})
	publish(t, r.api(t, onlyComment), findings(1))
	if cs := r.Comments(); len(cs) != 1 || cs[0].Edits != 1 {
		t.Errorf("comments %+v", cs)
	}
}

func TestAHugeReportFitsAComment(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	rep := findings(390)
	for i := range rep.Findings {
		rep.Findings[i].Message = strings.Repeat("sehr lang – 長い ", 40)
	}
	publish(t, r.api(t), rep)
	body := r.Comments()[0].Body
	if len(body) > 60_000 || len(body) < 30_000 {
		t.Errorf("%d bytes", len(body))
	}
	wants(t, "the comment", body, "more not shown", "</sub>")
	if n := len(r.CheckRuns()[0].Text); n > 65_000 || n < 30_000 {
		t.Errorf("check run's text: %d bytes", n)
	}
}
