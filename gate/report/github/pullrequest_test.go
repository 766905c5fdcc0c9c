package github_test

import (
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

func TestFindPullRequest(t *testing.T) {
	other := strings.Repeat("c", 40)
	prs := []githubtest.PullRequest{
		{Number: 1, Head: headSHA, Branch: "widen", Closed: true, HeadRepository: "alice/shop"},
		{Number: 2, Head: headSHA, Branch: "widen", HeadRepository: "mallory/shop"},
		{Number: 3, Head: other, Branch: "widen", HeadRepository: "alice/shop"},
		{Number: 4, Head: headSHA, Branch: "widen", HeadRepository: "alice/shop"},
		{Number: 5, Head: other, Branch: "a&b #1", HeadRepository: "alice/shop"},
		{Number: 6, Head: other, Branch: "twice"}, {Number: 7, Head: other, Branch: "twice"},
	}
	r := newRepo(t, githubtest.Options{PullRequests: prs})
	for _, c := range []struct {
		from, branch, head string
		want               int
		err                string
	}{
		{"alice/shop", "widen", headSHA, 4, ""},
		{"Alice/Shop", "widen", headSHA, 4, ""},
		{"alice/shop", "a&b #1", other, 5, ""},
		{"alice/shop", "widen", strings.Repeat("d", 40), 0, "may have moved on"},
		{"bob/shop", "widen", headSHA, 0, "none that is open"},
		{"octo/shop", "twice", other, 0, "2 open ones"},
		{"alice/shop", "", headSHA, 0, "names no head"},
		{"alice/shop", "widen", "HEAD", 0, "names no head"},
	} {
		run := r.run()
		run.HeadRepository, run.Head = c.from, c.head
		n, err := github.FindPullRequest(t.Context(), github.APIOptions{Run: run, Token: r.Token, Now: r.clock.Now, Sleep: r.clock.Sleep}, c.branch)
		if n != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %s: %d, %v", c.from, c.branch, n, err)
		}
	}
	r.Allow("pull_requests", "none")
	run := r.run()
	run.HeadRepository = "alice/shop"
	if _, err := github.FindPullRequest(t.Context(), github.APIOptions{Run: run, Token: r.Token}, "widen"); err == nil || !strings.Contains(err.Error(), "HTTP 403") || !strings.Contains(err.Error(), "pull-requests: read") {
		t.Errorf("forbidden: %v", err)
	}
}
