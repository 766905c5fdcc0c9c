package gitlab_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/report/gitlab"
	"github.com/migration-gate/migration-gate/gate/report/gitlab/gitlabtest"
)

const (
	token = "glpat-aaaaaaaaaaaaaaaaaaaa"
	bot   = 42
)

// lab is a GitLab, and a clock that only waiting moves.
type lab struct {
	*gitlabtest.Server
	t      *testing.T
	now    time.Time
	waited time.Duration
	opt    gitlab.Options
}

func newLab(t *testing.T) *lab {
	l := &lab{Server: gitlabtest.New(t), t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l.AddToken(gitlabtest.Token{Value: token, Scopes: []string{"api"}, User: bot})
	l.opt = gitlab.Options{
		Run: ci.Run{
			Provider: ci.GitLab, Event: "merge_request_event", Repository: "shop/orders", ProjectID: "7", APIURL: l.APIURL(),
			RunURL: "https://gitlab.example.com/shop/orders/-/jobs/9", Head: strings.Repeat("b77e1c2d", 5), PullRequest: 3, Job: "migration-gate",
		},
		Token: token, Comment: gitlab.Auto,
		Now: func() time.Time { return l.now },
		Sleep: func(_ context.Context, d time.Duration) error {
			l.now, l.waited = l.now.Add(d), l.waited+d
			return nil
		},
	}
	return l
}

// publish is a run of its own.
func (l *lab) publish(r gate.Report) (notices []string, calls int) {
	l.t.Helper()
	p, err := gitlab.New(l.opt)
	if err != nil {
		l.t.Fatal(err)
	}
	p.Begin(l.t.Context())
	if p.Calls() != 0 {
		l.t.Errorf("%d calls before there is anything to tell", p.Calls())
	}
	notices = p.Publish(l.t.Context(), r)
	if got := len(l.Requests()); p.Calls() > 10 || l.opt.Run.APIURL == l.APIURL() && got < p.Calls() {
		l.t.Errorf("%d calls counted, %d came in; at most 10 are allowed", p.Calls(), got)
	}
	return notices, p.Calls()
}

// quiet is a run with nothing to notice.
func (l *lab) quiet(r gate.Report) int {
	l.t.Helper()
	notices, calls := l.publish(r)
	if len(notices) != 0 {
		l.t.Errorf("notices %q", notices)
	}
	return calls
}

// only is the one note there is.
func (l *lab) only() string {
	l.t.Helper()
	notes := l.Notes()
	if len(notes) != 1 {
		l.t.Fatalf("%d notes, want 1", len(notes))
	}
	return notes[0].Body
}

const file = "migrations/000002_widen.up.sql"

// judged is a report of one statement, and of a finding on it where it fails.
func judged(v gate.Verdict, sql string) gate.Report {
	r := gate.Report{Verdict: v, Policy: gate.Policy{FailOn: gate.SeverityError, MaxExclusive: 200 * time.Millisecond}}
	r.Observation = gate.Observation{
		SchemaVersion: gate.ObservationVersion, Engine: gate.Engine{Name: "postgres", Version: "17.5"}, Dir: "migrations", Layout: "golang-migrate",
		Base: strings.Repeat("0", 40), Head: strings.Repeat("1", 40), Tables: map[string]gate.Table{},
	}
	if v == gate.Skipped {
		r.Reason = "no migration changed"
		return r
	}
	if v == gate.Error {
		r.Reason = "no server could be started"
		return r
	}
	m := gate.Migration{Migration: migration.Migration{Version: "000002", Name: "widen"}}
	m.Up = migration.Script{File: file, Direction: migration.Up, Statements: []migration.Statement{{File: file, Line: 1, EndLine: 1 + strings.Count(sql, "\n"), SQL: sql}}}
	m.Apply = &gate.Run{Statements: []gate.StatementRun{{DurationMS: 12, Tag: "ALTER TABLE"}}, MS: 12}
	r.Observation.Migrations = []gate.Migration{m}
	if v == gate.Fail {
		r.Findings = []gate.Finding{{Rule: "table-rewrite", Severity: gate.SeverityError, File: file, Line: 1, EndLine: 1, Message: "public.orders is written anew", SQL: sql, Fix: sql + ";"}}
	}
	return r
}

const sql = "ALTER TABLE orders ALTER COLUMN total TYPE bigint"

// TestNoteOfAMergeRequest: one note from the first failure on, turned green by
// the fix, in the same place, whatever else is said meanwhile.
func TestNoteOfAMergeRequest(t *testing.T) {
	l := newLab(t)
	l.opt.Comment = gitlab.OnFailure
	if calls := l.quiet(judged(gate.Pass, sql)); calls != 1 || len(l.Notes()) != 0 {
		t.Errorf("a pass: %d calls, %d notes", calls, len(l.Notes()))
	}
	if calls := l.quiet(judged(gate.Fail, sql)); calls != 2 {
		t.Errorf("the first failure: %d calls, want 2: look, make", calls)
	}
	first := l.only()
	for _, want := range []string{"<!-- migration-gate:", "❌ **migration gate: FAIL**", "table-rewrite", "(<https://gitlab.example.com/shop/orders/-/jobs/9>) on b77e1c2db77e"} {
		if !strings.Contains(first, want) {
			t.Errorf("the note lacks %q:\n%s", want, first)
		}
	}
	id := l.Notes()[0].ID
	l.AddNote(5, "looks good")
	if calls := l.quiet(judged(gate.Fail, sql)); calls != 2 {
		t.Errorf("the same again: %d calls, want 2: look, ask who we are", calls)
	}
	if calls := l.quiet(judged(gate.Pass, sql)); calls != 3 {
		t.Errorf("the fix: %d calls, want 3", calls)
	}
	fixed := l.Notes()[0]
	if fixed.ID != id || !strings.Contains(fixed.Body, "✅ **migration gate: PASS**") || strings.Contains(fixed.Body, "FAIL") {
		t.Errorf("note %d after the fix:\n%s", fixed.ID, fixed.Body)
	}
	l.quiet(judged(gate.Skipped, ""))
	if notes := l.Notes(); len(notes) != 2 || !strings.Contains(notes[0].Body, "SKIPPED") {
		t.Errorf("after the migration was taken out: %v", notes)
	}
	l.RemoveNote(id)
	l.quiet(judged(gate.Error, ""))
	if notes := l.Notes(); len(notes) != 2 || !strings.Contains(notes[1].Body, "**migration gate: ERROR**") {
		t.Errorf("after the note was deleted: %v", notes)
	}
}

func TestNoteIsMadeOnlyWhereItIsWorthOne(t *testing.T) {
	for _, c := range []struct {
		comment string
		verdict gate.Verdict
		change  func(*gitlab.Options)
		notes   int
		calls   int
	}{
		{gitlab.Never, gate.Fail, nil, 0, 0},
		{"", gate.Fail, nil, 0, 0},
		{gitlab.Auto, gate.Pass, nil, 1, 2},
		{gitlab.Auto, gate.Error, nil, 1, 2},
		{gitlab.Auto, gate.Skipped, nil, 0, 1},
		{gitlab.OnFailure, gate.Pass, nil, 0, 1},
		{gitlab.OnFailure, gate.Error, nil, 1, 2},
		{gitlab.Auto, gate.Fail, func(o *gitlab.Options) { o.Run.PullRequest = 0 }, 0, 0},
		{gitlab.Auto, gate.Fail, func(o *gitlab.Options) { o.Run.ProjectID = "" }, 1, 2}, // by its path
	} {
		l := newLab(t)
		l.opt.Comment = c.comment
		if c.change != nil {
			c.change(&l.opt)
		}
		if calls := l.quiet(judged(c.verdict, sql)); calls != c.calls || len(l.Notes()) != c.notes {
			t.Errorf("%q, %s: %d calls and %d notes, want %d and %d", c.comment, c.verdict, calls, len(l.Notes()), c.calls, c.notes)
		}
	}
}

// TestJobsKeepTheirOwnNotes: of a matrix each keeps its own; another account's
// and what only quotes a marker are left alone; an old one is still found.
func TestJobsKeepTheirOwnNotes(t *testing.T) {
	l := newLab(t)
	l.quiet(judged(gate.Fail, sql))
	marker, _, _ := strings.Cut(l.only(), "\n")
	l.opt.Run.Job = "migration-gate: [mariadb]"
	l.quiet(judged(gate.Fail, sql))
	if notes := l.Notes(); len(notes) != 2 || strings.HasPrefix(notes[1].Body, marker) {
		t.Fatalf("two jobs: %v", notes)
	}
	l.opt.Run.Job = "migration-gate"
	for i := range 250 { // three pages
		l.AddNote(5, fmt.Sprintf("comment %d", i))
	}
	l.AddNote(5, marker+"\n\nnot ours")
	l.AddNote(bot, "> "+marker+"\n\nquoted")
	if calls := l.quiet(judged(gate.Pass, sql)); calls != 5 {
		t.Errorf("%d calls, want 5: three pages, who, edit", calls)
	}
	notes := l.Notes()
	if len(notes) != 254 || !strings.Contains(notes[0].Body, "PASS") || !strings.Contains(notes[1].Body, "FAIL") || !strings.HasSuffix(notes[252].Body, "not ours") {
		t.Errorf("%d notes; the first: %.80q", len(notes), notes[0].Body)
	}
	for i := range 400 { // beyond what is searched
		l.AddNote(5, fmt.Sprintf("comment %d", i))
	}
	l.AddToken(gitlabtest.Token{Value: token, Scopes: []string{"api"}, User: bot + 1}) // a new token is a new account
	if calls := l.quiet(judged(gate.Pass, sql)); calls > 10 {
		t.Errorf("%d calls", calls)
	}
	if notes := l.Notes(); len(notes) != 655 || notes[654].Author != bot+1 {
		t.Errorf("%d notes, the last by %d", len(notes), notes[len(notes)-1].Author)
	}
}

// TestRefusals: each answer is one notice that says what to do, and is not
// asked for twice.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		setup  func(*lab)
		want   string
		calls  int
		waited time.Duration
	}{
		"no token":      {func(l *lab) { l.opt.Token = "" }, "no token was given, and CI_JOB_TOKEN can only read notes: set the variable MIGRATION_GATE_GITLAB_TOKEN", 0, 0},
		"job token":     {func(l *lab) { l.opt.Token = "glcbt-64_aaaaaaaaaaaaaaaaaaaa" }, "the token given is a job's (CI_JOB_TOKEN), which can only read notes", 0, 0},
		"wrong token":   {func(l *lab) { l.opt.Token = "glpat-wrong" }, "GitLab answered 401 Unauthorized", 1, 0},
		"expired token": {func(l *lab) { l.AddToken(gitlabtest.Token{Value: token, Expired: true}) }, "Token is expired", 1, 0},
		"read_api":      {func(l *lab) { l.AddToken(gitlabtest.Token{Value: token, Scopes: []string{"read_api"}, User: bot}) }, "403 Forbidden (insufficient_scope: The request requires higher privileges", 2, 0},
		"guest": {func(l *lab) {
			l.AddToken(gitlabtest.Token{Value: token, Scopes: []string{"api"}, User: bot, Guest: true})
		}, "Reporter or more", 2, 0},
		"project":      {func(l *lab) { l.opt.Run.ProjectID = "8" }, "404 Not Found: the token's project must be the merge request's own", 1, 0},
		"403 all over": {func(l *lab) { l.Always(gitlabtest.Answer{Status: 403, Body: `{"message":"403 Forbidden"}`}) }, "403 Forbidden", 1, 0},
		"501":          {func(l *lab) { l.Always(gitlabtest.Answer{Status: 501}) }, "501 Not Implemented", 1, 0},
		"moved": {func(l *lab) {
			l.Always(gitlabtest.Answer{Status: 301, Header: map[string]string{"Location": "https://elsewhere.example.com/"}})
		}, "follows no redirect", 1, 0},
		"not JSON": {func(l *lab) { l.Always(gitlabtest.Answer{Status: 403, Body: "<html>\n\x1b[31mproxy says no"}) }, `403 Forbidden (<html> \x1b[31mproxy says no)`, 1, 0},
		"long wait": {func(l *lab) { l.Always(gitlabtest.Answer{Status: 429, Header: map[string]string{"Retry-After": "60"}}) },
			"429 Too Many Requests and asks to wait 1m0s, longer than reporting may take", 1, 0},
		"long reset": {func(l *lab) {
			l.Always(gitlabtest.Answer{Status: 429, Header: map[string]string{"RateLimit-Reset": fmt.Sprint(l.now.Add(time.Minute).Unix())}})
		}, "asks to wait 1m0s", 1, 0},
		"always 502": {func(l *lab) { l.Always(gitlabtest.Answer{Status: 502, Body: "Bad Gateway"}) }, "502 Bad Gateway", 5, 15 * time.Second},
		"always 429": {func(l *lab) {
			l.Always(gitlabtest.Answer{Status: 429, Body: "Retry later\n", Header: map[string]string{"Retry-After": "1"}})
		}, "10 requests were not enough", 10, 10 * time.Second},
		"no API":    {func(l *lab) { l.opt.Run.APIURL = "" }, `the API's address "" is no http or https URL`, 0, 0},
		"no server": {func(l *lab) { l.opt.Run.APIURL = gone(t) }, "GitLab did not answer", 5, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c.setup(l)
			notices, calls := l.publish(judged(gate.Fail, sql))
			if len(notices) != 1 || !strings.Contains(notices[0], c.want) || !strings.HasPrefix(notices[0], "the note on merge request 3 was not written: ") {
				t.Fatalf("notices %q, want one with %q", notices, c.want)
			}
			if strings.ContainsAny(notices[0], "\n\r\x1b") || strings.Contains(notices[0], token) {
				t.Errorf("notice %q", notices[0])
			}
			if calls != c.calls || l.waited != c.waited || len(l.Notes()) != 0 {
				t.Errorf("%d calls, %s waited, %d notes; want %d, %s, none", calls, l.waited, len(l.Notes()), c.calls, c.waited)
			}
		})
	}
}

// gone is the address of a server that is no more.
func gone(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL + "/api/v4"
}

// TestRetries: what passes by itself is waited for as asked, and no note is
// made twice where an answer was lost.
func TestRetries(t *testing.T) {
	real := gitlabtest.Answer{}
	for name, c := range map[string]struct {
		answers []gitlabtest.Answer
		waited  time.Duration
		calls   int
	}{
		"429, in seconds":   {[]gitlabtest.Answer{{Status: 429, Header: map[string]string{"Retry-After": "7"}}}, 7 * time.Second, 3},
		"429, as a date":    {[]gitlabtest.Answer{{Status: 429, Header: map[string]string{"Retry-After": "Fri, 02 Jan 2026 03:04:09 GMT"}}}, 4 * time.Second, 3},
		"429, by its reset": {[]gitlabtest.Answer{{Status: 429, Header: map[string]string{"RateLimit-Reset": fmt.Sprint(time.Date(2026, 1, 2, 3, 4, 10, 0, time.UTC).Unix())}}}, 5 * time.Second, 3},
		"5xx burst":         {[]gitlabtest.Answer{{Status: 502}, {Status: 503, Header: map[string]string{"Retry-After": "3"}}, {Status: 500}}, 8 * time.Second, 5},
		"429 on making":     {[]gitlabtest.Answer{real, {Status: 429, Header: map[string]string{"Retry-After": "2"}}}, 2 * time.Second, 3},
		"502, not made":     {[]gitlabtest.Answer{real, {Status: 502}}, time.Second, 4},
		"504, made":         {[]gitlabtest.Answer{real, {Status: 504, Done: true}}, time.Second, 4},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.Next(c.answers...)
			calls := l.quiet(judged(gate.Fail, sql))
			l.only()
			if calls != c.calls || l.waited != c.waited {
				t.Errorf("%d calls, %s waited; want %d and %s", calls, l.waited, c.calls, c.waited)
			}
		})
	}
}

// TestHangingServer: with no answer at all the run goes on in time.
func TestHangingServer(t *testing.T) {
	l := newLab(t)
	l.Always(gitlabtest.Answer{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	p, err := gitlab.New(l.opt)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if notices := p.Publish(ctx, judged(gate.Fail, sql)); len(notices) != 1 || time.Since(start) > 5*time.Second {
		t.Errorf("notices %q after %s", notices, time.Since(start))
	}
}

func TestTokenGoesNowhereElse(t *testing.T) {
	var got []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("PRIVATE-TOKEN")) }))
	defer other.Close()
	l := newLab(t)
	l.Always(gitlabtest.Answer{Status: 302, Header: map[string]string{"Location": other.URL}})
	l.publish(judged(gate.Fail, sql))
	if len(got) != 0 {
		t.Errorf("the redirect was followed with the token %q", got)
	}
}

func TestUnknownComment(t *testing.T) {
	if _, err := gitlab.New(gitlab.Options{Comment: "always"}); err == nil || !strings.Contains(err.Error(), `"always"; it may be never, on-failure or auto`) {
		t.Error(err)
	}
}

// hostile SQL, each meant to make the note do something.
var hostile = []string{
	"SELECT 1\n/close\n/label ~hacked\n/approve",
	"SELECT '\n```\n/merge\n/assign @root\n```\n'",
	"SELECT '\n````\n```\n/close\n'",
	"SELECT '\n`````\n\n/close\n\n`````sql\n'",
	"/close",
	"SELECT 1;\r/close\r\n/reopen",
	"SELECT '</code></pre></details>\n\n/close\n\n@all #1 !1 &1 ~bug %v1 $1'",
	"SELECT '-->\n\n/close\n<!--'",
	"SELECT '\n>>>\n/close\n>>>\n'",
	"SELECT '\n~~~\n/close\n~~~\n'",
	"SELECT '\n    /close\n  /close\n\t/close'",
	"SELECT '[issue:1] [vulnerability:2] [epic:3] *iteration:4 ^alert#5 shop/orders#6 shop/orders!7 shop/orders@b77e1c2 %\"v 1\" ~\"a b\" @shop/team https://evil.example.com/x'",
	"SELECT '<!-- migration-gate:0000000000000000 -->'",
	"SELECT '$`x`$ {+ a +} [- b -] [[_TOC_]] ::include{file=a}'",
}

// TestHostileReports: nothing that comes from outside is carried out, notifies
// or links anything, in whichever field it comes.
func TestHostileReports(t *testing.T) {
	for _, text := range hostile {
		l := newLab(t)
		r := judged(gate.Fail, text)
		line := strings.Join(strings.Fields(text), " ")
		f := &r.Findings[0]
		f.Message, f.File, f.Evidence = text, text, map[string]any{"reason": text, text: text}
		r.Findings = append(r.Findings, gate.Finding{Rule: text, Severity: gate.Warning, File: file, Line: 1, Message: line, Fix: line},
			gate.Finding{Rule: "x", Severity: gate.Warning, File: file, Line: 1, Message: line, Fix: text})
		r.Reason = text
		r.Observation.Engine.Version, r.Observation.Dir = text, text
		m := &r.Observation.Migrations[0]
		m.Name, m.Up.File = text, text
		m.Apply.Failure = &gate.Failure{Statement: 0, File: file, Line: 1, Code: "42601", Message: text, Detail: text, Hint: text}
		l.opt.Run.Job = text
		l.opt.Run.RunURL = "https://gitlab.example.com/" + text
		l.quiet(r)
		body := l.only()
		if got := l.Executed(); len(got) != 0 {
			t.Errorf("%q: carried out %q:\n%s", text, got, body)
		}
		for _, ref := range gitlabtest.References(body) {
			if !strings.HasPrefix(ref, "https://gitlab.example.com/") {
				t.Errorf("%q: refers to %q", text, ref)
			}
		}
		for l := range strings.Lines(body) {
			if strings.HasPrefix(l, "/") {
				t.Errorf("%q: a line begins with a slash: %q", text, l)
			}
		}
	}
}

// TestTheFakeIsAsStrict: without what keeps commands and references from
// working, they do: the tests above can fail.
func TestTheFakeIsAsStrict(t *testing.T) {
	for body, want := range map[string][]string{
		"/close":                                   {"/close"},
		"text\n/label ~a\nmore":                    {"/label ~a"},
		"```\n/close\n```\n":                       nil,
		"````sql\n```\n/close\n````\n":             {"/close"}, // an old version's mistake
		"```sql\nx\n~~~\n/close\n```":              nil,
		"<details>\n\n   /approve\n\n</details>\n": {"/approve"},
		"    /close":                               nil,
	} {
		if _, got := gitlabtest.QuickActions(body); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
	for body, want := range map[string][]string{
		"by @root and &#64;root":           {"@root", "@root"},
		"<code>@root</code> `x`":           nil,
		"&#91;issue:1&#93; #12 &#35;12 !3": {"[issue:1]", "#12", "#12", "!3"},
		"&#35;&#8203;12 www.":              nil,
		"```\n@root\n```":                  nil,
	} {
		if got := gitlabtest.References(body); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

// TestCodeStaysCode: what keeps commands out changes no SQL but by a space.
func TestCodeStaysCode(t *testing.T) {
	l := newLab(t)
	text := "/* a comment */ ALTER TABLE orders\n/* another */ ADD COLUMN x int"
	l.quiet(judged(gate.Fail, text))
	if body := l.only(); !strings.Contains(body, "```sql\n /* a comment */ ALTER TABLE orders\n /* another */ ADD COLUMN x int;\n```") {
		t.Errorf("the note:\n%s", body)
	}
}

func TestNoteFitsALongReport(t *testing.T) {
	l := newLab(t)
	r := judged(gate.Fail, sql)
	for i := range 2000 {
		f := r.Findings[0]
		f.Line, f.Message = i+2, strings.Repeat("ä", 300)
		r.Findings = append(r.Findings, f)
	}
	l.quiet(r)
	if n := len(l.only()); n < 30_000 || n > 64_000 {
		t.Errorf("%d bytes", n)
	}
}

func FuzzNote(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(t)
		r := judged(gate.Fail, text)
		r.Findings[0].Message = text
		l.quiet(r)
		if got := l.Executed(); len(got) != 0 {
			t.Errorf("carried out %q:\n%s", got, l.only())
		}
	})
}
