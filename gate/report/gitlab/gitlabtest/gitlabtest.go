// Package gitlabtest is a GitLab to test against: as much of the REST API as
// publishing needs, as strict about it as the real one. It checks tokens and
// their scopes, methods, escaped paths, required fields and limits, pages its
// lists, and carries out quick actions, the way of old versions and of new
// ones at once. Nothing that ships imports it.
package gitlabtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Token is one that the server knows.
type Token struct {
	Value string
	// Scopes: "api" reads and writes, "read_api" reads, "read_user" asks who it is.
	Scopes []string
	// User is the account behind it: for a project's token, a bot of its own.
	User int64
	// Job marks CI_JOB_TOKEN, which comes in a header of its own and reads notes only.
	Job bool
	// Expired tokens are known and refused.
	Expired bool
	// Guest may read and not comment.
	Guest bool
}

// Note is a comment on the merge request, or a system's note.
type Note struct {
	ID      int64
	Author  int64
	Body    string
	System  bool
	Created time.Time
	Updated time.Time
}

// Request is one that came in.
type Request struct {
	Method, Path string
	Query        url.Values
	Body         string
	Status       int
}

// Answer is one to give instead of the real one.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
	// Done: the request is carried out all the same, as where a proxy's time
	// is up and the server's is not.
	Done bool
	// Hang leaves the request without an answer until the client gives up.
	Hang bool
}

// Server is one project with one merge request.
type Server struct {
	// Project and Path name the project, MergeRequest is the number within it.
	// Set them before the first request.
	Project      int64
	Path         string
	MergeRequest int64

	http *httptest.Server

	mu       sync.Mutex
	tokens   map[string]Token
	notes    []Note
	last     int64
	clock    time.Time
	requests []Request
	answers  []Answer
	always   *Answer
	executed []string
}

// New starts a server that ends with the test: project 7, shop/orders, with
// merge request 3.
func New(tb testing.TB) *Server {
	s := &Server{Project: 7, Path: "shop/orders", MergeRequest: 3, tokens: map[string]Token{}, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(s.http.Close)
	return s
}

// APIURL is what CI_API_V4_URL would be.
func (s *Server) APIURL() string { return s.http.URL + "/api/v4" }

// AddToken makes a token known.
func (s *Server) AddToken(t Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t.Value] = t
}

// AddNote puts a note on the merge request, newer than all others.
func (s *Server) AddNote(author int64, body string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(author, body).ID
}

// RemoveNote deletes one.
func (s *Server) RemoveNote(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = slices.DeleteFunc(s.notes, func(n Note) bool { return n.ID == id })
}

// Notes lists the notes in the order they were made.
func (s *Server) Notes() []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notes)
}

// Requests lists what came in, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Executed lists the quick actions that notes made the server carry out.
func (s *Server) Executed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.executed)
}

// Next gives these answers to the next requests, one each. An Answer without
// a Status, and not to Hang, stands for the real one.
func (s *Server) Next(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answers...)
}

// Always gives this answer to every request from now on.
func (s *Server) Always(a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = &a
}

func (s *Server) add(author int64, body string) *Note {
	s.last++
	s.clock = s.clock.Add(time.Second)
	s.notes = append(s.notes, Note{ID: s.last, Author: author, Body: body, Created: s.clock, Updated: s.clock})
	return &s.notes[len(s.notes)-1]
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	if r.Header.Get("Content-Type") == "application/json" {
		_ = json.NewDecoder(r.Body).Decode(&raw)
	}
	s.mu.Lock()
	forced := Answer{}
	switch {
	case len(s.answers) > 0:
		forced, s.answers = s.answers[0], s.answers[1:]
	case s.always != nil:
		forced = *s.always
	}
	out := &reply{header: http.Header{}}
	if forced.Status == 0 && !forced.Hang || forced.Done {
		s.route(out, r, raw)
	}
	if forced.Status != 0 {
		out = &reply{status: forced.Status, header: http.Header{}, text: forced.Body}
		for k, v := range forced.Header {
			out.header.Set(k, v)
		}
	}
	s.requests = append(s.requests, Request{r.Method, r.URL.EscapedPath(), r.URL.Query(), string(raw), out.status})
	s.mu.Unlock()
	if forced.Hang {
		<-r.Context().Done()
		return
	}
	out.write(w)
}

// reply is an answer in the making.
type reply struct {
	status int
	header http.Header
	json   any
	text   string
}

func (o *reply) write(w http.ResponseWriter) {
	for k, v := range o.header {
		w.Header()[k] = v
	}
	if o.text != "" || o.json == nil {
		w.WriteHeader(o.status)
		_, _ = w.Write([]byte(o.text))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(o.status)
	_ = json.NewEncoder(w).Encode(o.json)
}

func (o *reply) fail(status int, body map[string]any) { o.status, o.json = status, body }

// message is how most refusals look.
func message(s any) map[string]any { return map[string]any{"message": s} }

// who finds the request's token. A job's comes as JOB-TOKEN, all others as
// PRIVATE-TOKEN or, as OAuth's, Authorization: Bearer.
func (s *Server) who(out *reply, r *http.Request) (Token, bool) {
	value, job := r.Header.Get("PRIVATE-TOKEN"), false
	if v, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		value = v
	}
	if v := r.Header.Get("JOB-TOKEN"); v != "" {
		value, job = v, true
	}
	t, ok := s.tokens[value]
	switch {
	case !ok || t.Job != job:
		out.fail(http.StatusUnauthorized, message("401 Unauthorized"))
	case t.Expired:
		out.fail(http.StatusUnauthorized, map[string]any{"error": "invalid_token", "error_description": "Token is expired. You can either do re-authorization or token refresh."})
	default:
		return t, true
	}
	return t, false
}

// scoped refuses a token that has none of the scopes.
func scoped(out *reply, t Token, scopes ...string) bool {
	for _, have := range t.Scopes {
		if slices.Contains(scopes, have) {
			return true
		}
	}
	out.fail(http.StatusForbidden, map[string]any{
		"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": strings.Join(scopes, " "),
	})
	return false
}

func (s *Server) route(out *reply, r *http.Request, raw json.RawMessage) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/v4/")
	if !ok {
		out.fail(http.StatusNotFound, map[string]any{"error": "404 Not Found"})
		return
	}
	parts := strings.Split(path, "/")
	switch {
	case path == "user" && r.Method == http.MethodGet:
		s.user(out, r)
	case len(parts) >= 5 && parts[0] == "projects" && parts[2] == "merge_requests" && parts[4] == "notes":
		s.notesOf(out, r, parts, raw)
	default: // so too a project's path whose slashes were not escaped
		out.fail(http.StatusNotFound, map[string]any{"error": "404 Not Found"})
	}
}

func (s *Server) user(out *reply, r *http.Request) {
	t, ok := s.who(out, r)
	switch {
	case !ok:
	case t.Job:
		out.fail(http.StatusUnauthorized, message("401 Unauthorized"))
	case scoped(out, t, "api", "read_api", "read_user"):
		out.status, out.json = http.StatusOK, account(t.User)
	}
}

func account(id int64) map[string]any {
	return map[string]any{"id": id, "username": fmt.Sprintf("project_7_bot_%d", id), "name": "gate", "state": "active", "bot": true}
}
