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
		{"bob/shop", "widen", headSHA, 0, "no open pull request"},
		{"octo/shop", "twice", other, 0, "2 open pull requests"},
		{"alice/shop", "", headSHA, 0, "names no head"},
		{"alice/shop", "widen", "HEAD", 0, "names no head"},
	} {
		api := r.api(t, func(o *github.APIOptions) {
			o.Run.HeadRepository, o.Run.HeadBranch, o.Run.Head = c.from, c.branch, c.head
		})
		n, err := api.Find(t.Context())
		if n != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %s: %d, %v", c.from, c.branch, n, err)
		}
	}
}

// After a fork's run the number is looked for; after a push there is none.
func TestACommentAfterAForksRun(t *testing.T) {
	prs := []githubtest.PullRequest{{Number: 4, Head: headSHA, Branch: "widen", HeadRepository: "alice/shop"}}
	after := func(from, branch string) func(*github.APIOptions) {
		return func(o *github.APIOptions) {
			o.Run.Event, o.Run.PullRequest, o.Run.HeadRepository, o.Run.HeadBranch, o.Run.Fork = "workflow_run", 0, from, branch, true
		}
	}
	r := newRepo(t, githubtest.Options{PullRequests: prs})
	publish(t, r.api(t, after("octo/shop", "main")), findings(1))
	if n := len(r.Comments()); n != 0 {
		t.Errorf("%d comments", n)
	}
	publish(t, r.api(t, after("alice/shop", "widen")), findings(1))
	if cs := r.Comments(); len(cs) != 1 || cs[0].PullRequest != 4 {
		t.Errorf("comments %+v", cs)
	}
	r.Allow("pull_requests", "none")
	wants(t, "the notice", one(t, r.api(t, after("alice/shop", "widen")).Publish(t.Context(), findings(1))), "the comment (HTTP 403", "pull-requests: read")
}
