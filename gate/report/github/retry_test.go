package github_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

// newOther is a server that is not the API's.
func newOther(t *testing.T, got *[]*http.Request) string {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { *got = append(*got, r) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestForbiddenEverywhereIsOneNotice(t *testing.T) {
	r := newRepo(t, githubtest.Options{Permissions: map[string]string{"statuses": "read", "checks": "none", "issues": "none", "pull_requests": "read"}})
	a := r.api(t)
	a.Begin(t.Context())
	n := one(t, a.Publish(t.Context(), suggested(findings(60), 3)))
	wants(t, "the notice", n, "commit status, the comment, the check run and the suggested changes", "HTTP 403", "Resource not accessible by integration",
		"permissions: statuses: write, pull-requests: write, checks: write", "the verdict stands")
	if len(r.clock.slept) != 0 {
		t.Errorf("slept %v", r.clock.slept)
	}
	seen := map[string]bool{}
	for _, q := range r.Requests() {
		if k := q.Method + " " + q.Path; seen[k] {
			t.Errorf("%s was tried again", k)
		} else {
			seen[k] = true
		}
	}

	// The answer of every call, reads included.
	r = newRepo(t, githubtest.Options{})
	r.Fail(githubtest.Fault{Status: 403, Body: `{"message":"no\u001b[2J\n::error::x ` + r.Token + `"}`})
	a = r.api(t, func(o *github.APIOptions) { o.Run.Fork = true })
	a.Begin(t.Context())
	n = one(t, a.Publish(t.Context(), suggested(findings(60), 3)))
	wants(t, "the notice", n, `no\x1b[2J`, "***", "the token of a pull request from a fork may only read")
	if strings.Contains(n, r.Token) {
		t.Error("the notice shows the token")
	}
}

func TestOnePermissionIsNamed(t *testing.T) {
	r := newRepo(t, githubtest.Options{Permissions: map[string]string{"statuses": "read"}})
	a := r.api(t)
	a.Begin(t.Context())
	n := one(t, a.Publish(t.Context(), findings(1)))
	wants(t, "the notice", n, "the commit status (HTTP 403", "permissions: statuses: write;")
	if strings.Contains(n, "checks") || len(r.Comments()) != 1 || len(r.CheckRuns()) != 1 {
		t.Errorf("the others were kept from theirs: %s", n)
	}
}

func TestABadTokenIsTriedOnce(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	a := r.api(t, func(o *github.APIOptions) { o.Token = "ghs_expired" })
	a.Begin(t.Context())
	wants(t, "the notice", one(t, a.Publish(t.Context(), findings(1))), "HTTP 401: Bad credentials", "valid and has not expired")
	if len(r.Requests()) != 1 {
		t.Errorf("%d requests", len(r.Requests()))
	}
}

func TestAnUnknownRepositoryIsNotRetried(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	a := r.api(t, func(o *github.APIOptions) { o.Run.Repository = "octo/secret" })
	a.Begin(t.Context())
	wants(t, "the notice", one(t, a.Publish(t.Context(), findings(1))), "HTTP 404: Not Found", "may see octo/secret")
	if len(r.clock.slept) != 0 {
		t.Errorf("slept %v", r.clock.slept)
	}
}

func TestABurstOfServerErrorsPasses(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504} {
		r := newRepo(t, githubtest.Options{})
		r.Fail(githubtest.Fault{Status: status, Times: 2, Body: "<html>Unicorn!</html>"})
		publish(t, r.api(t), findings(1))
		if st := r.Statuses(); len(st) != 2 || len(r.Comments()) != 1 || len(r.CheckRuns()) != 1 {
			t.Errorf("%d: %+v", status, st)
		}
		if got := r.clock.slept; len(got) != 2 || got[0] != time.Second || got[1] != 2*time.Second {
			t.Errorf("%d: slept %v", status, got)
		}
	}
}

// Begin gives up early, and Publish does not take that for an answer.
func TestAPendingStatusThatFailedDoesNotKeepTheFinalOne(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	r.Fail(githubtest.Fault{Status: 502})
	a := r.api(t, onlyStatus)
	a.Begin(t.Context())
	if r.clock.total() > 5*time.Second {
		t.Errorf("Begin slept %v", r.clock.slept)
	}
	r.Heal()
	if n := a.Publish(t.Context(), findings(1)); n != nil {
		t.Errorf("notices %q", n)
	}
	if st := r.Statuses(); len(st) != 1 || st[0].State != "failure" {
		t.Errorf("statuses %+v", st)
	}
}

func TestAServerThatIsDownIsOneNoticeWithinTwentySeconds(t *testing.T) {
	for _, f := range []githubtest.Fault{{Status: 500}, {Status: 503, Header: map[string]string{"Retry-After": "9"}}, {Status: 429, Header: map[string]string{"Retry-After": "4"}}} {
		r := newRepo(t, githubtest.Options{})
		r.Fail(f)
		a := r.api(t)
		a.Begin(t.Context())
		n := one(t, a.Publish(t.Context(), suggested(findings(60), 3)))
		if r.clock.total() > 20*time.Second || a.Calls() > 10 {
			t.Errorf("%d: slept %v, %d calls", f.Status, r.clock.total(), a.Calls())
		}
		wants(t, "the notice", n, "commit status", "comment", "check run", "the verdict stands")
	}
}

func TestNobodyListens(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	closed := httptest.NewServer(nil)
	closed.Close()
	a := r.api(t, func(o *github.APIOptions) { o.Run.APIURL = closed.URL })
	a.Begin(t.Context())
	n := one(t, a.Publish(t.Context(), findings(1)))
	wants(t, "the notice", n, "connection refused")
	if r.clock.total() > 20*time.Second {
		t.Errorf("slept %v", r.clock.slept)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	reset := func(r *repo, in time.Duration) map[string]string {
		return map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(r.clock.now.Add(in).Unix(), 10)}
	}
	for name, c := range map[string]struct {
		fault func(r *repo) githubtest.Fault
		slept time.Duration // 0: gives up
	}{
		"429": {func(*repo) githubtest.Fault {
			return githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "7"}}
		}, 7 * time.Second},
		"secondary": {func(*repo) githubtest.Fault {
			return githubtest.Fault{Status: 403, Header: map[string]string{"Retry-After": "3"}, Body: `{"message":"You have exceeded a secondary rate limit"}`}
		}, 3 * time.Second},
		"a date": {func(r *repo) githubtest.Fault {
			return githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": r.clock.now.Add(4 * time.Second).Format(http.TimeFormat)}}
		}, 4 * time.Second},
		"primary, soon over": {func(r *repo) githubtest.Fault { return githubtest.Fault{Status: 403, Header: reset(r, 5*time.Second)} }, 6 * time.Second},
		"primary, as 429":    {func(r *repo) githubtest.Fault { return githubtest.Fault{Status: 429, Header: reset(r, 5*time.Second)} }, 6 * time.Second},
		"primary, for long":  {func(r *repo) githubtest.Fault { return githubtest.Fault{Status: 403, Header: reset(r, 40*time.Minute)} }, 0},
		"secondary, for how long is not told": {func(*repo) githubtest.Fault {
			return githubtest.Fault{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes"}`}
		}, 0},
		"too long": {func(*repo) githubtest.Fault {
			return githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "30"}}
		}, 0},
	} {
		r := newRepo(t, githubtest.Options{})
		f := c.fault(r)
		f.Times = 1
		r.Fail(f)
		a := r.api(t)
		notices := a.Publish(t.Context(), findings(1))
		if c.slept > 0 {
			if len(notices) != 0 || r.clock.total() != c.slept || len(r.Comments()) != 1 {
				t.Errorf("%s: slept %v, notices %q", name, r.clock.slept, notices)
			}
			continue
		}
		wants(t, name, one(t, notices), "the rate limit lasts for another")
		if len(r.Requests()) != 1 || len(r.clock.slept) != 0 {
			t.Errorf("%s: asked on %d times during the limit, slept %v", name, len(r.Requests())-1, r.clock.slept)
		}
	}
}

// A limit met at the start is over at the end.
func TestALimitEnds(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	r.Fail(githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "60"}, Times: 1})
	a := r.api(t, onlyStatus)
	a.Begin(t.Context())
	r.clock.now = r.clock.now.Add(time.Minute)
	if n := a.Publish(t.Context(), findings(1)); n != nil || len(r.Statuses()) != 1 {
		t.Errorf("notices %q, statuses %+v", n, r.Statuses())
	}
}

// A runner's clock may be off: what counts is how long the server says it takes.
func TestTheResetIsReadByTheServersClock(t *testing.T) {
	server := time.Date(2026, 11, 24, 13, 17, 0, 0, time.UTC)
	r := newRepo(t, githubtest.Options{Now: func() time.Time { return server }})
	r.Fail(githubtest.Fault{Status: 403, Times: 1, Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(server.Add(3*time.Second).Unix(), 10)}})
	publish(t, r.api(t, onlyStatus), findings(1))
	if r.clock.total() != 4*time.Second {
		t.Errorf("slept %v", r.clock.slept)
	}
}

// The last call of an hour succeeded: the next is asked for, not refused here.
func TestTheLastCallOfAnHourIsNoFailure(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	r.Fail(githubtest.Fault{Late: true, Status: 201, Body: `{}`, Times: 1,
		Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)}})
	publish(t, r.api(t, onlyStatus), findings(1))
	if len(r.Statuses()) != 2 {
		t.Errorf("statuses %+v", r.Statuses())
	}
}

func TestAnswersThatNeverCome(t *testing.T) {
	hanging := func(f githubtest.Fault) (*repo, []string) {
		r := newRepo(t, githubtest.Options{Now: time.Now})
		r.Fail(f)
		a := r.api(t, onlyComment, func(o *github.APIOptions) { o.Now = time.Now })
		a.Impatient(50 * time.Millisecond)
		return r, a.Publish(t.Context(), findings(1))
	}
	if r, n := hanging(githubtest.Fault{Hang: true, Times: 1}); n != nil || len(r.Comments()) != 1 {
		t.Errorf("one: notices %q, %d comments", n, len(r.Comments()))
	}
	r, n := hanging(githubtest.Fault{Hang: true})
	wants(t, "the notice", one(t, n), "no answer in time")
	if len(r.Requests()) > 10 {
		t.Errorf("%d requests", len(r.Requests()))
	}
	// Carried out, and then silence: there must be no second comment.
	if r, n := hanging(githubtest.Fault{Method: "POST", Hang: true, Late: true, Times: 1}); n != nil || len(r.Comments()) != 1 {
		t.Errorf("late: notices %q, %d comments", n, len(r.Comments()))
	}
}

func TestALostAnswerDoesNotPostTwice(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	for _, path := range []string{"/issues/", "/reviews"} {
		r.Fail(githubtest.Fault{Method: "POST", Path: path, Late: true, Status: 502, Times: 1})
	}
	publish(t, r.api(t, onlyComment), suggested(findings(2), 2))
	if len(r.Comments()) != 1 || len(r.Reviews()) != 1 {
		t.Errorf("%d comments, %d reviews", len(r.Comments()), len(r.Reviews()))
	}
}

func TestAnAnswerThatIsNotTheAPIs(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	r.Fail(githubtest.Fault{Status: 200, Body: "<html>log in to the \x1b[31mproxy</html>"})
	a := r.api(t)
	a.Begin(t.Context())
	n := one(t, a.Publish(t.Context(), findings(1)))
	wants(t, "the notice", n, "invalid character")
}

func TestAnInterruptedRunDoesNotStayPending(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	a := r.api(t, onlyStatus)
	publish(t, a, gate.Report{Verdict: gate.Error, Reason: "interrupted"})
	if st := r.Statuses(); st[len(st)-1].State != "error" || !strings.Contains(st[len(st)-1].Description, "interrupted") {
		t.Errorf("statuses %+v", st)
	}
}
