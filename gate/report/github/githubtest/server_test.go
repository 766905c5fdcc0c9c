package githubtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

var head = strings.Repeat("a", 40)

func server(t *testing.T, opt githubtest.Options) (*githubtest.Server, *gh.Client) {
	opt.PullRequests = []githubtest.PullRequest{{Number: 7, Head: head, Branch: "b", Diff: map[string][][2]int{"a.sql": {{1, 5}, {20, 30}}}}}
	s := githubtest.New(t, opt)
	return s, client(t, s, s.Token)
}

func client(t *testing.T, s *githubtest.Server, token string) *gh.Client {
	c := gh.NewClient(nil)
	if token != "" {
		c = c.WithAuthToken(token)
	}
	u, err := url.Parse(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL = u
	return c
}

// refusal is the status and the text that a call was answered with, 0 for one
// that was carried out.
func refusal(t *testing.T, err error) (int, string) {
	t.Helper()
	var e *gh.ErrorResponse
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &e):
		s := e.Message
		for _, f := range e.Errors {
			s += "; " + f.Message
		}
		return e.Response.StatusCode, s
	}
	t.Fatalf("not an answer: %v", err)
	return 0, ""
}

func status(state, description string) *gh.RepoStatus {
	return &gh.RepoStatus{State: &state, Description: &description, Context: gh.String("ci/x")}
}

func annotations(n int, change func(*gh.CheckRunAnnotation)) *gh.CheckRunOutput {
	o := &gh.CheckRunOutput{Title: gh.String("t"), Summary: gh.String("s")}
	for range n {
		a := &gh.CheckRunAnnotation{Path: gh.String("a.sql"), StartLine: gh.Int(1), EndLine: gh.Int(1), AnnotationLevel: gh.String("failure"), Message: gh.String("m")}
		if change != nil {
			change(a)
		}
		o.Annotations = append(o.Annotations, a)
	}
	return o
}

func checkRun(o *gh.CheckRunOutput, change func(*gh.CreateCheckRunOptions)) gh.CreateCheckRunOptions {
	r := gh.CreateCheckRunOptions{Name: "x", HeadSHA: head, Status: gh.String("completed"), Conclusion: gh.String("success"), Output: o}
	if change != nil {
		change(&r)
	}
	return r
}

func review(path string, from, to int) *gh.PullRequestReviewRequest {
	c := &gh.DraftReviewComment{Path: &path, Body: gh.String("b"), Side: gh.String("RIGHT"), Line: &to}
	if from < to {
		c.StartLine, c.StartSide = &from, gh.String("RIGHT")
	}
	return &gh.PullRequestReviewRequest{Event: gh.String("COMMENT"), Body: gh.String("b"), CommitID: &head, Comments: []*gh.DraftReviewComment{c}}
}

func TestTheServerRefusesWhatGitHubRefuses(t *testing.T) {
	ctx := context.Background()
	long := strings.Repeat("é", 65_537)
	create := func(sha string, st *gh.RepoStatus) func(*gh.Client) error {
		return func(c *gh.Client) error {
			_, _, err := c.Repositories.CreateStatus(ctx, "octo", "shop", sha, st)
			return err
		}
	}
	check := func(o *gh.CheckRunOutput, change func(*gh.CreateCheckRunOptions)) func(*gh.Client) error {
		return func(c *gh.Client) error {
			_, _, err := c.Checks.CreateCheckRun(ctx, "octo", "shop", checkRun(o, change))
			return err
		}
	}
	comment := func(n int, body string) func(*gh.Client) error {
		return func(c *gh.Client) error {
			_, _, err := c.Issues.CreateComment(ctx, "octo", "shop", n, &gh.IssueComment{Body: &body})
			return err
		}
	}
	inline := func(r *gh.PullRequestReviewRequest) func(*gh.Client) error {
		return func(c *gh.Client) error {
			_, _, err := c.PullRequests.CreateReview(ctx, "octo", "shop", 7, r)
			return err
		}
	}
	for _, c := range []struct {
		name string
		call func(*gh.Client) error
		want int
		says string
	}{
		{"a status", create(head, status("success", strings.Repeat("é", 140))), 0, ""},
		{"a long description", create(head, status("success", strings.Repeat("x", 141))), 422, "description is too long (maximum is 140 characters)"},
		{"no state", create(head, status("", "x")), 422, "state is not included"},
		{"a conclusion as state", create(head, status("neutral", "x")), 422, "state is not included"},
		{"an unknown commit", create(strings.Repeat("b", 40), status("success", "x")), 422, "No commit found for SHA"},
		{"a branch for a commit", create("main", status("success", "x")), 422, "No commit found for SHA"},
		{"a target that is no page", create(head, &gh.RepoStatus{State: gh.String("success"), TargetURL: gh.String("javascript:x")}), 422, "http(s)"},
		{"50 annotations", check(annotations(50, nil), nil), 0, ""},
		{"51 annotations", check(annotations(51, nil), nil), 422, "No more than 50 items"},
		{"an annotation's level", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.AnnotationLevel = gh.String("error") }), nil), 422, "error is not a member"},
		{"an annotation without a line", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.StartLine = nil }), nil), 422, "weren't all supplied"},
		{"line 0", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.StartLine = gh.Int(0) }), nil), 422, "lines 0 to 1"},
		{"an absolute path", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.Path = gh.String("/a.sql") }), nil), 422, "not relative"},
		{"columns over two lines", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.EndLine, a.StartColumn = gh.Int(2), gh.Int(1) }), nil), 422, "columns"},
		{"a long title", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.Title = gh.String(strings.Repeat("x", 256)) }), nil), 422, "255"},
		{"a long message", check(annotations(1, func(a *gh.CheckRunAnnotation) { a.Message = gh.String(strings.Repeat("x", 64<<10+1)) }), nil), 422, "64 KB"},
		{"a long text", check(&gh.CheckRunOutput{Title: gh.String("t"), Summary: gh.String("s"), Text: &long}, nil), 422, "65535"},
		{"an output without a summary", check(&gh.CheckRunOutput{Title: gh.String("t")}, nil), 422, "summary"},
		{"completed without a conclusion", check(nil, func(r *gh.CreateCheckRunOptions) { r.Conclusion = nil }), 422, "conclusion is required"},
		{"an unknown conclusion", check(nil, func(r *gh.CreateCheckRunOptions) { r.Conclusion = gh.String("error") }), 422, "not a conclusion"},
		{"a check run without a name", check(nil, func(r *gh.CreateCheckRunOptions) { r.Name = "" }), 422, "name"},
		{"a check run of an unknown commit", check(nil, func(r *gh.CreateCheckRunOptions) { r.HeadSHA = strings.Repeat("b", 40) }), 422, "No commit found"},
		{"a comment", comment(7, long[:2*65_536]), 0, ""},
		{"a long comment", comment(7, long), 422, "65536"},
		{"an empty comment", comment(7, " "), 422, "blank"},
		{"a comment elsewhere", comment(8, "x"), 404, "Not Found"},
		{"a review", inline(review("a.sql", 2, 4)), 0, ""},
		{"a line outside the diff", inline(review("a.sql", 9, 9)), 422, "must be part of the diff"},
		{"lines of two hunks", inline(review("a.sql", 4, 21)), 422, "same hunk"},
		{"a file outside the diff", inline(review("b.sql", 1, 1)), 422, "must be part of the diff"},
		{"a stale commit", inline(&gh.PullRequestReviewRequest{Event: gh.String("COMMENT"), Body: gh.String("b"), CommitID: gh.String(strings.Repeat("b", 40))}), 422, "commit_id"},
		{"a review without an event", inline(&gh.PullRequestReviewRequest{Body: gh.String("b")}), 422, "event"},
		{"a comment that is not there", func(c *gh.Client) error {
			_, _, err := c.Issues.EditComment(ctx, "octo", "shop", 1, &gh.IssueComment{Body: gh.String("x")})
			return err
		}, 404, "Not Found"},
	} {
		_, cl := server(t, githubtest.Options{})
		if got, says := refusal(t, c.call(cl)); got != c.want || !strings.Contains(says, c.says) {
			t.Errorf("%s: %d %q, want %d %q", c.name, got, says, c.want, c.says)
		}
	}
}

func TestAuthorization(t *testing.T) {
	ctx := context.Background()
	set := func(c *gh.Client, owner string) (*gh.Response, error) {
		_, resp, err := c.Repositories.CreateStatus(ctx, owner, "shop", head, status("success", "x"))
		return resp, err
	}
	s, ok := server(t, githubtest.Options{Permissions: map[string]string{"issues": "none", "pull_requests": "read"}})
	for _, c := range []struct {
		name, owner string
		client      *gh.Client
		want        int
		says        string
	}{
		{"no token", "octo", client(t, s, ""), 401, "Requires authentication"},
		{"another token", "octo", client(t, s, "ghs_other"), 401, "Bad credentials"},
		{"another repository", "other", ok, 404, "Not Found"},
		{"the same in capitals", "OCTO", ok, 0, ""},
	} {
		_, err := set(c.client, c.owner)
		if got, says := refusal(t, err); got != c.want || says != c.says {
			t.Errorf("%s: %d %q", c.name, got, says)
		}
	}
	_, resp, err := ok.Issues.CreateComment(ctx, "octo", "shop", 7, &gh.IssueComment{Body: gh.String("x")})
	if got, says := refusal(t, err); got != 403 || says != "Resource not accessible by integration" || resp.Header.Get("X-Accepted-GitHub-Permissions") != "issues=write; pull_requests=write" {
		t.Errorf("no permission: %d %q %v", got, says, resp.Header)
	}
	s.Allow("issues", "write")
	if _, _, err := ok.Issues.CreateComment(ctx, "octo", "shop", 7, &gh.IssueComment{Body: gh.String("x")}); err != nil {
		t.Error(err)
	}
	if _, _, err := ok.Users.Get(ctx, ""); err == nil {
		t.Error("an app's token knows its user")
	}
	_, person := server(t, githubtest.Options{Token: "ghp_1"})
	if _, _, err := person.Users.Get(ctx, ""); err != nil {
		t.Error(err)
	}
	_, _, err = person.Checks.CreateCheckRun(ctx, "octo", "shop", checkRun(nil, nil))
	if got, says := refusal(t, err); got != 403 || !strings.Contains(says, "GitHub App") {
		t.Errorf("a person's check run: %d %q", got, says)
	}
}

func TestPages(t *testing.T) {
	s, c := server(t, githubtest.Options{})
	for i := range 205 {
		s.AddComment(7, "somebody", false, fmt.Sprint(i))
	}
	seen := 0
	opt := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 1000}} // at most 100
	for {
		cs, resp, err := c.Issues.ListComments(context.Background(), "octo", "shop", 7, opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range cs {
			if o.GetBody() != fmt.Sprint(seen) {
				t.Fatalf("comment %d is %q", seen, o.GetBody())
			}
			seen++
		}
		if opt.Page == 0 && (len(cs) != 100 || resp.LastPage != 3) {
			t.Errorf("first page: %d, last %d", len(cs), resp.LastPage)
		}
		if opt.Page = resp.NextPage; opt.Page == 0 {
			break
		}
	}
	if seen != 205 {
		t.Errorf("%d seen", seen)
	}
}

func TestAnnotationsAddUp(t *testing.T) {
	s, c := server(t, githubtest.Options{})
	run, _, err := c.Checks.CreateCheckRun(context.Background(), "octo", "shop", checkRun(annotations(50, nil), nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Checks.UpdateCheckRun(context.Background(), "octo", "shop", run.GetID(), gh.UpdateCheckRunOptions{Name: "x", Output: annotations(7, nil)}); err != nil {
		t.Fatal(err)
	}
	if got := s.CheckRuns()[0]; len(got.Annotations) != 57 || got.Batches != 2 || got.Conclusion != "success" {
		t.Errorf("%d annotations, %d batches, %s", len(got.Annotations), got.Batches, got.Conclusion)
	}
}

func TestFaults(t *testing.T) {
	s, c := server(t, githubtest.Options{})
	set := func() int {
		_, _, err := c.Repositories.CreateStatus(context.Background(), "octo", "shop", head, status("success", "x"))
		n, _ := refusal(t, err)
		return n
	}
	s.Fail(githubtest.Fault{Method: "POST", Path: "/statuses/", Status: 502, Times: 2})
	s.Fail(githubtest.Fault{Status: 500, Late: true, Times: 1})
	for i, want := range []int{502, 502, 500, 0} {
		if got := set(); got != want {
			t.Errorf("call %d: %d, want %d", i, got, want)
		}
	}
	if n := len(s.Statuses()); n != 2 { // the late one was carried out
		t.Errorf("%d statuses", n)
	}
	if q := s.Requests(); len(q) != 4 || q[0].Status != 502 || q[3].Status != 201 {
		t.Errorf("requests %+v", q)
	}
}
