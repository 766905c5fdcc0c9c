// Package githubtest is a GitHub REST API for tests: as much of it as a
// publisher of results needs, held to what the real one enforces. It checks
// authorization and permissions, required fields, enumerations and lengths,
// knows commits, diffs and pages, keeps what was posted, and can be told to
// fail: limits, bursts of 5xx, answers that never come or get lost.
//
// Sources: GitHub Docs, REST API version 2022-11-28, and errors as reported in
// public issues. It is imported by tests only, of any package; no other part
// of GitHub (Actions, git, GraphQL) will ever live here.
package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options of a server; the zero value is one repository in which an Actions
// token may write everything.
type Options struct {
	// Repository as "owner/name", "octo/shop" if empty. All others are unknown.
	Repository string
	// Token that is accepted. Its prefix says what it is: "ghs_" an app's
	// installation, as GITHUB_TOKEN is one (the default), else a person's.
	Token string
	// Permissions by the API's own names ("statuses", "checks", "issues",
	// "pull_requests"): "write", "read" or "none". Those not named are "write".
	Permissions map[string]string
	// Commits that exist besides the heads of PullRequests.
	Commits      []string
	PullRequests []PullRequest
	// Enterprise puts the API below /api/v3, as GitHub Enterprise Server does.
	Enterprise bool
	// Now is the server's clock; nil: the real one.
	Now func() time.Time
}

// PullRequest that exists from the start.
type PullRequest struct {
	Number int
	Head   string // SHA
	// HeadRepository is "owner/name" of where it comes from; empty: the same.
	HeadRepository, Branch string
	Closed                 bool
	// Diff holds the lines that it shows on the right side, by path, each
	// {first, last} of a hunk.
	Diff map[string][][2]int
}

// Request as it arrived, and what was answered; Status 0: nothing was.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Body                string
	Status              int
}

// Fault makes the server fail.
type Fault struct {
	Method string // "": any
	Path   string // a part of the path; "": any
	Times  int    // how often; 0: from now on
	// Status, Header and Body of the answer. Hang: there is none.
	Status int
	Header map[string]string
	Body   string
	Hang   bool
	// Late: the request is carried out, and only its answer is replaced.
	Late bool
}

// Server is a running one. It is closed when its test ends.
type Server struct {
	// URL is the root of the API, without a slash at its end.
	URL string
	// Token that it accepts.
	Token string

	tb    testing.TB
	opt   Options
	owner string
	repo  string
	stop  chan struct{}

	mu       sync.Mutex
	faults   []*Fault
	requests []Request
	statuses []Status
	checks   []CheckRun
	comments []Comment
	reviews  []Review
	inline   []ReviewComment
	nextID   int64
	used     int
}

// New starts a server for the test.
func New(tb testing.TB, opt Options) *Server {
	tb.Helper()
	if opt.Repository == "" {
		opt.Repository = "octo/shop"
	}
	if opt.Token == "" {
		opt.Token = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	s := &Server{tb: tb, opt: opt, Token: opt.Token, stop: make(chan struct{}), nextID: 1000}
	var ok bool
	if s.owner, s.repo, ok = strings.Cut(opt.Repository, "/"); !ok {
		tb.Fatalf("githubtest: repository %q is not owner/name", opt.Repository)
	}
	h := httptest.NewServer(s)
	tb.Cleanup(func() {
		close(s.stop)
		h.Close()
	})
	s.URL = h.URL
	if opt.Enterprise {
		s.URL += "/api/v3"
	}
	return s
}

// Fail adds a fault; the first that fits a request counts.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Allow changes a permission: "statuses", "write".
func (s *Server) Allow(permission, level string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := map[string]string{permission: level}
	for k, v := range s.opt.Permissions {
		if k != permission {
			p[k] = v
		}
	}
	s.opt.Permissions = p
}

// Requests lists everything that arrived, the failed included.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

type call struct {
	*http.Request
	body []byte
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	if strings.Contains(r.URL.String(), s.Token) {
		s.tb.Errorf("githubtest: the token is in the URL %s", r.URL.Path)
	}
	i := len(s.requests)
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: string(body)})
	f := s.fault(r)
	var a answer
	if f == nil || f.Late {
		a = s.route(call{r, body})
	}
	hang := f != nil && f.Hang
	if f != nil && !hang {
		a = answer{status: f.Status, body: json.RawMessage(f.body()), header: f.Header}
	}
	if !hang {
		s.requests[i].Status = a.status
	}
	now := s.opt.Now()
	s.used++
	used := s.used
	s.mu.Unlock()

	if hang {
		select {
		case <-s.stop:
		case <-r.Context().Done():
		}
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Request-Id", fmt.Sprintf("TEST:%d", i))
	h.Set("X-RateLimit-Limit", "1000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, 1000-used)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(time.Hour).Unix(), 10))
	for k, v := range a.header {
		h.Set(k, v)
	}
	w.WriteHeader(a.status)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if raw, ok := a.body.(json.RawMessage); ok {
		out.Write(raw) // not always JSON
	} else if err := enc.Encode(a.body); err != nil {
		s.tb.Errorf("githubtest: encode the answer: %v", err)
	}
	_, _ = w.Write(out.Bytes())
}

func (f *Fault) body() string {
	if f.Body != "" {
		return f.Body
	}
	return fmt.Sprintf(`{"message":%q,"documentation_url":"https://docs.github.com/rest","status":"%d"}`, http.StatusText(f.Status), f.Status)
}

func (s *Server) fault(r *http.Request) *Fault {
	for i, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// route authenticates a request and finds its endpoint.
func (s *Server) route(c call) answer {
	path := c.URL.Path
	if s.opt.Enterprise {
		rest, ok := strings.CutPrefix(path, "/api/v3")
		if !ok {
			return answer{status: http.StatusNotAcceptable, body: map[string]string{"message": "Not Acceptable"}}
		}
		path = rest
	}
	if a, ok := s.authenticate(c); !ok {
		return a
	}
	if c.Method == http.MethodGet && path == "/user" {
		return s.user()
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) < 4 || parts[0] != "repos" || !strings.EqualFold(parts[1], s.owner) || !strings.EqualFold(parts[2], s.repo) {
		return notFound()
	}
	parts = parts[3:]
	id := 0
	if len(parts) > 1 {
		id, _ = strconv.Atoi(parts[len(parts)-1])
		if n, err := strconv.Atoi(parts[1]); err == nil {
			id = n
		}
	}
	is := func(method string, shape ...string) bool {
		if c.Method != method || len(parts) != len(shape) {
			return false
		}
		for i, p := range shape {
			if p != "*" && p != parts[i] {
				return false
			}
		}
		return true
	}
	switch {
	case is("POST", "statuses", "*"):
		return s.createStatus(c, parts[1])
	case is("POST", "check-runs"):
		return s.createCheckRun(c)
	case is("PATCH", "check-runs", "*"):
		return s.updateCheckRun(c, int64(id))
	case is("GET", "issues", "*", "comments"):
		return s.listComments(c, id)
	case is("POST", "issues", "*", "comments"):
		return s.createComment(c, id)
	case is("PATCH", "issues", "comments", "*"):
		return s.editComment(c, int64(id))
	case is("GET", "issues", "comments", "*"):
		return s.getComment(int64(id))
	case is("GET", "pulls"):
		return s.listPullRequests(c)
	case is("GET", "pulls", "*", "comments"):
		return s.listReviewComments(c, id)
	case is("POST", "pulls", "*", "reviews"):
		return s.createReview(c, id)
	}
	return notFound()
}

func (s *Server) id() int64 {
	s.nextID++
	return s.nextID
}
