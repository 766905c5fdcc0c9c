package github_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

const (
	headSHA = "b77e1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b"
	upFile  = "migrations/000002_widen_total.up.sql"
)

// clock goes on only when somebody sleeps.
type clock struct {
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.slept = append(c.slept, d)
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *clock) total() (sum time.Duration) {
	for _, d := range c.slept {
		sum += d
	}
	return sum
}

// repo is a repository with one pull request, which adds upFile.
type repo struct {
	*githubtest.Server
	clock *clock
}

func newRepo(t *testing.T, opt githubtest.Options) *repo {
	c := &clock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	if opt.Now == nil {
		opt.Now = c.Now
	}
	if opt.PullRequests == nil {
		opt.PullRequests = []githubtest.PullRequest{{Number: 7, Head: headSHA, Branch: "widen", Diff: map[string][][2]int{upFile: {{1, 400}}}}}
	}
	return &repo{githubtest.New(t, opt), c}
}

func (r *repo) run() ci.Run {
	return ci.Run{Provider: ci.GitHub, Event: "pull_request", Repository: "octo/shop", APIURL: r.URL, ServerURL: "https://github.example",
		RunURL: "https://github.example/octo/shop/actions/runs/4711", Head: headSHA, PullRequest: 7, HeadRepository: "octo/shop", Workflow: "ci", Job: "migrations", Attempt: 1}
}

// api has everything switched on, and may be changed.
func (r *repo) api(t *testing.T, change ...func(*github.APIOptions)) *github.API {
	t.Helper()
	opt := github.APIOptions{Run: r.run(), Token: r.Token, CommitStatus: true, CheckRun: true, Comment: "auto", Now: r.clock.Now, Sleep: r.clock.Sleep}
	for _, c := range change {
		c(&opt)
	}
	a, err := github.NewAPI(opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func onlyStatus(o *github.APIOptions)   { o.CheckRun, o.Comment = false, "never" }
func onlyCheckRun(o *github.APIOptions) { o.CommitStatus, o.Comment = false, "never" }
func onlyComment(o *github.APIOptions)  { o.CommitStatus, o.CheckRun = false, false }

// decoded is a report of the formats' own tests.
func decoded(t *testing.T, name string) gate.Report {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// findings makes a failing report with n of them, each on a line of its own.
func findings(n int) gate.Report {
	r := gate.Report{Verdict: gate.Fail}
	r.Observation.Files = []gate.FileChange{{Path: upFile, Status: "added", Version: "000002"}}
	for i := range n {
		r.Findings = append(r.Findings, gate.Finding{Rule: "lock-budget", Severity: gate.SeverityError, File: upFile, Line: i + 1, EndLine: i + 1, Column: 3,
			Message: fmt.Sprintf("reads of t%d are blocked for 4.1 s", i), SQL: fmt.Sprintf("CREATE INDEX i%d ON t%d (a)", i, i)})
	}
	return r
}

// suggested gives the first n findings a replacement of their line.
func suggested(r gate.Report, n int) gate.Report {
	for i := range n {
		r.Findings[i].Suggestion = strings.Replace(r.Findings[i].SQL, "INDEX", "INDEX CONCURRENTLY", 1) + ";"
	}
	return r
}

// publish runs the gate once, and fails on a notice.
func publish(t *testing.T, a *github.API, r gate.Report) {
	t.Helper()
	a.Begin(t.Context())
	for _, n := range a.Publish(t.Context(), r) {
		t.Errorf("notice: %s", n)
	}
	if a.Calls() > 10 {
		t.Errorf("%d calls", a.Calls())
	}
}

// one is the only notice.
func one(t *testing.T, notices []string) string {
	t.Helper()
	if len(notices) != 1 {
		t.Fatalf("%d notices: %q", len(notices), notices)
	}
	if strings.ContainsAny(notices[0], "\n\r") {
		t.Errorf("the notice is several lines: %q", notices[0])
	}
	return notices[0]
}

func wants(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}

func TestEverythingAtOnceForSixtyFindings(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	a := r.api(t)
	publish(t, a, suggested(findings(60), 3))

	st := r.Statuses()
	if len(st) != 2 || st[0].State != "pending" || st[1].State != "failure" || st[0].Context != "migration-gate/verdict" || st[1].Context != st[0].Context || st[1].SHA != headSHA {
		t.Fatalf("statuses: %+v", st)
	}
	wants(t, "the status", st[1].Description, "60 errors")
	if st[1].TargetURL != r.run().RunURL {
		t.Errorf("target %q", st[1].TargetURL)
	}
	runs := r.CheckRuns()
	if len(runs) != 1 || runs[0].Conclusion != "failure" || runs[0].Status != "completed" || len(runs[0].Annotations) != 60 || runs[0].Batches != 2 {
		t.Fatalf("check runs: %d, %+v", len(runs), runs)
	}
	if runs[0].Name == st[0].Context {
		t.Error("a required status would need the check run too")
	}
	first := runs[0].Annotations[0]
	if first.Path != upFile || first.StartLine != 1 || first.StartColumn != 3 || first.Level != "failure" || !strings.Contains(first.Message, "blocked for 4.1 s") || !strings.Contains(first.RawDetails, "CREATE INDEX") {
		t.Errorf("annotation: %+v", first)
	}
	wants(t, "the check run", runs[0].Text, "migration gate: FAIL", "60 errors")
	cs := r.Comments()
	if len(cs) != 1 || cs[0].PullRequest != 7 {
		t.Fatalf("comments: %+v", cs)
	}
	wants(t, "the comment", cs[0].Body, "migration gate: FAIL", "ci / migrations", headSHA[:12], "/actions/runs/4711")
	if rv := r.Reviews(); len(rv) != 1 || rv[0].Event != "COMMENT" || len(r.ReviewComments()) != 3 {
		t.Errorf("reviews: %+v, %+v", rv, r.ReviewComments())
	}
	if a.Calls() != 8 || len(r.Requests()) != 8 {
		t.Errorf("%d calls, %d requests, want 8", a.Calls(), len(r.Requests()))
	}
}

// The run ends within its calls whatever there is to read and to write, and
// what yields is what is elsewhere as well.
func TestTenCallsAreEnoughForABusyPullRequest(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	for i := range 450 {
		r.AddComment(7, "reviewer", false, fmt.Sprintf("comment %d", i))
		r.AddReviewComment(7, "reviewer", false, fmt.Sprintf("review comment %d", i))
	}
	a := r.api(t)
	publish(t, a, suggested(findings(390), 2))
	if a.Calls() != 10 {
		t.Errorf("%d calls", a.Calls())
	}
	if st := r.Statuses(); len(st) != 2 || st[1].State != "failure" {
		t.Errorf("statuses: %+v", st)
	}
	if len(r.Comments()) != 451 || len(r.CheckRuns()) != 1 || len(r.Reviews()) != 1 {
		t.Errorf("%d comments, %d check runs, %d reviews", len(r.Comments()), len(r.CheckRuns()), len(r.Reviews()))
	}
	if n := len(r.CheckRuns()[0].Annotations); n < 50 {
		t.Errorf("%d annotations", n)
	}
}

func TestVerdictsBecomeStatesAndConclusions(t *testing.T) {
	for verdict, want := range map[gate.Verdict][2]string{
		gate.Pass: {"success", "success"}, gate.Skipped: {"success", "success"}, gate.Fail: {"failure", "failure"}, gate.Error: {"error", "failure"}, "?": {"error", "failure"},
	} {
		r := newRepo(t, githubtest.Options{})
		publish(t, r.api(t), gate.Report{Verdict: verdict, Reason: "the snapshot cannot be read"})
		st, runs := r.Statuses(), r.CheckRuns()
		if len(st) != 2 || len(runs) != 1 || st[1].State != want[0] || runs[0].Conclusion != want[1] {
			t.Errorf("%s: %+v %+v", verdict, st, runs)
		}
		if verdict == gate.Error {
			wants(t, "the status", st[1].Description, "could not decide", "the snapshot cannot be read")
		}
	}
}

func TestOneHundredAndTwentyAnnotationsTakeThreeBatches(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	rep := findings(120)
	rep.Findings[119].Severity = gate.Notice
	rep.Findings[118].EndLine, rep.Findings[118].Column = 130, 4 // columns are for one line
	publish(t, r.api(t, onlyCheckRun), rep)
	run := r.CheckRuns()[0]
	if len(run.Annotations) != 120 || run.Batches != 3 {
		t.Errorf("%d annotations in %d batches", len(run.Annotations), run.Batches)
	}
	if last := run.Annotations[119]; last.Level != "notice" {
		t.Errorf("the last is not the least: %+v", last)
	}
	if run.Text == "" || run.Conclusion != "failure" {
		t.Errorf("the last batch lost the text or the conclusion: %+v", run)
	}
}

func TestAnnotationsWithoutAPlaceStayInTheText(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	rep := findings(5)
	for i, f := range []string{"", "/etc/passwd", "../x.sql", "a/../b.sql", "migrations/\xff.sql"} {
		rep.Findings[i].File = f
	}
	publish(t, r.api(t, onlyCheckRun), rep)
	if n := len(r.CheckRuns()[0].Annotations); n != 0 {
		t.Errorf("%d annotations", n)
	}
	wants(t, "the text", r.CheckRuns()[0].Text, "reads of t0", "reads of t4")
}

// What GitHub counts must fit however long names are and whatever they hold:
// the server refuses what does not.
func TestHostileAndHugeTextIsAccepted(t *testing.T) {
	hostile := "@octocat fixes #1 ```\n<!-- migration-gate:0 -->\n::error::x </details> 🚀\x1b[2J\u202e" + strings.Repeat("長い名前 ", 600)
	r := newRepo(t, githubtest.Options{})
	rep := findings(120)
	rep.Reason = hostile
	for i := range rep.Findings {
		f := &rep.Findings[i]
		f.Message, f.Rule, f.SQL, f.Fix = hostile, hostile, hostile, hostile
	}
	rep.Findings[0].Suggestion = "SELECT 1 -- ````` @octocat"
	a := r.api(t, func(o *github.APIOptions) {
		o.Run.Workflow, o.Run.Job, o.Run.Matrix = hostile, hostile, hostile
	})
	publish(t, a, rep)
	publish(t, r.api(t, func(o *github.APIOptions) { o.Run.Matrix = "error" }), gate.Report{Verdict: gate.Error, Reason: hostile})
	st := r.Statuses()
	if len(st) != 4 || strings.ContainsAny(st[3].Description, "\n\x1b\u202e") || !strings.HasSuffix(st[3].Description, "…") {
		t.Errorf("statuses: %+v", st)
	}
	for _, c := range r.Comments() {
		outside := withoutCode(c.Body)
		if strings.Contains(outside, "@octocat") || strings.Contains(outside, "#1 ") {
			t.Error("a mention or a reference gets out")
		}
		if strings.Count(outside, "<!-- migration-gate:") != 1 {
			t.Error("a marker gets out")
		}
	}
	rc := r.ReviewComments()
	if len(rc) != 1 || !strings.Contains(rc[0].Body, "\n``````suggestion\nSELECT 1 -- ````` @octocat\n``````\n") {
		t.Errorf("review comments: %+v", rc)
	}
}

// withoutCode drops fenced blocks and <code>.
func withoutCode(md string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(md) {
		run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "":
			if strings.TrimRight(line, "\n") == fence {
				fence = ""
			}
		case len(run) >= 3:
			fence = run
		default:
			for {
				before, rest, ok := strings.Cut(line, "<code>")
				b.WriteString(before)
				if !ok {
					break
				}
				_, line, _ = strings.Cut(rest, "</code>")
			}
		}
	}
	return b.String()
}

func TestEnterpriseServer(t *testing.T) {
	r := newRepo(t, githubtest.Options{Enterprise: true})
	publish(t, r.api(t), findings(3))
	if len(r.Statuses()) != 2 || len(r.Comments()) != 1 || len(r.CheckRuns()) != 1 {
		t.Errorf("requests: %+v", r.Requests())
	}
}

func TestJobsOfAMatrixAndDirectoriesAreKeptApart(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	jobs := []func(*github.APIOptions){
		func(o *github.APIOptions) { o.Run.Matrix = "engine=mysql" },
		func(o *github.APIOptions) { o.Run.Matrix = "engine=postgres" },
		func(o *github.APIOptions) { o.Dir = "services/orders/migrations" },
		func(o *github.APIOptions) { o.Run.Job = "nightly" },
	}
	for range 2 {
		for _, j := range jobs {
			publish(t, r.api(t, j), findings(1))
		}
	}
	if cs := r.Comments(); len(cs) != len(jobs) {
		t.Errorf("%d comments", len(cs))
	} else {
		for _, c := range cs {
			if c.Edits != 1 {
				t.Errorf("edited %d times: %.60s", c.Edits, c.Body)
			}
		}
		wants(t, "the comment", cs[0].Body, "engine=mysql")
	}
	contexts := map[string]bool{}
	for _, s := range r.Statuses() {
		contexts[s.Context] = true
	}
	if !contexts["migration-gate/verdict (engine=mysql)"] || !contexts["migration-gate/verdict (engine=postgres)"] || !contexts["migration-gate/verdict"] {
		t.Errorf("contexts %v", contexts)
	}
}

func TestOptionsThatCanNeverWork(t *testing.T) {
	for name, change := range map[string]func(*github.APIOptions){
		"comment is":   func(o *github.APIOptions) { o.Comment = "always" },
		"repository":   func(o *github.APIOptions) { o.Run.Repository = "octo/../x" },
		"its address ": func(o *github.APIOptions) { o.Run.APIURL = "ftp://x" },
	} {
		opt := github.APIOptions{Run: ci.Run{Repository: "octo/shop", APIURL: "https://api.github.com"}}
		change(&opt)
		if _, err := github.NewAPI(opt); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingIsCalledWhereNothingCanBe(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	a := r.api(t, func(o *github.APIOptions) { o.Token = "" })
	a.Begin(t.Context())
	wants(t, "the notice", one(t, a.Publish(t.Context(), findings(1))), "there is no token", "github-token")
	// No pull request: a comment has no place, and that is not worth a notice.
	publish(t, r.api(t, onlyComment, func(o *github.APIOptions) { o.Run.PullRequest = 0 }), findings(1))
	if a := r.api(t, onlyStatus, func(o *github.APIOptions) { o.Run.Head = "" }); len(a.Publish(t.Context(), findings(1))) != 1 {
		t.Error("no notice for a commit that is not known")
	}
	if n := len(r.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestTheTokenIsForTheAPIAlone(t *testing.T) {
	var got []*http.Request
	other := newOther(t, &got)
	for _, status := range []int{301, 302, 307, 308} {
		r := newRepo(t, githubtest.Options{})
		r.Fail(githubtest.Fault{Status: status, Header: map[string]string{"Location": other + "/elsewhere"}})
		a := r.api(t)
		a.Begin(t.Context())
		wants(t, "the notice", one(t, a.Publish(t.Context(), findings(1))), "points to another server")
	}
	if len(got) != 0 {
		t.Errorf("the other server was asked: %v", got[0].Header)
	}
}

func TestARenamedRepositoryIsFollowed(t *testing.T) {
	r := newRepo(t, githubtest.Options{})
	moved := func(status, times int, path string) {
		r.Fail(githubtest.Fault{Path: "octo/old/" + path, Status: status, Times: times, Header: map[string]string{"Location": r.URL + "/repos/octo/shop/" + path}})
	}
	old := func(o *github.APIOptions) { o.Run.Repository = "octo/old" }
	moved(307, 2, "statuses/"+headSHA)
	publish(t, r.api(t, onlyStatus, old), findings(1))
	if len(r.Statuses()) != 2 {
		t.Errorf("statuses: %+v", r.Statuses())
	}
	// A PATCH that comes back as a GET has done nothing.
	publish(t, r.api(t, onlyComment), findings(1))
	r.Fail(githubtest.Fault{Method: "PATCH", Status: 301, Header: map[string]string{"Location": fmt.Sprintf("%s/repos/octo/shop/issues/comments/%d", r.URL, r.Comments()[0].ID)}})
	wants(t, "the notice", one(t, r.api(t, onlyComment).Publish(t.Context(), findings(1))), "the comment")
}

func TestALongDescriptionIsCutToWhatIsAllowed(t *testing.T) {
	for _, reason := range []string{strings.Repeat("x", 500), strings.Repeat("🚀", 500), strings.Repeat("é", 500)} {
		r := newRepo(t, githubtest.Options{})
		publish(t, r.api(t, onlyStatus), gate.Report{Verdict: gate.Error, Reason: reason})
		if d := r.Statuses()[1].Description; !strings.HasSuffix(d, "…") || len(utf16.Encode([]rune(d))) < 139 {
			t.Errorf("description %q", d)
		}
	}
}
