package gitlabtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxNote is the most characters of a note (GitLab Docs, "Notes API").
const MaxNote = 1_000_000

// notesOf is all below /projects/:id/merge_requests/:iid/notes.
func (s *Server) notesOf(out *reply, r *http.Request, parts []string, raw json.RawMessage) {
	t, ok := s.who(out, r)
	if !ok {
		return
	}
	write := r.Method != http.MethodGet
	if t.Job && write {
		out.fail(http.StatusUnauthorized, message("401 Unauthorized"))
		return
	}
	scopes := []string{"api"}
	if !write {
		scopes = append(scopes, "read_api")
	}
	if !t.Job && !scoped(out, t, scopes...) {
		return
	}
	project, err := url.PathUnescape(parts[1])
	if err != nil || project != strconv.FormatInt(s.Project, 10) && project != s.Path {
		out.fail(http.StatusNotFound, message("404 Project Not Found"))
		return
	}
	if parts[3] != strconv.FormatInt(s.MergeRequest, 10) {
		out.fail(http.StatusNotFound, message("404 Not found"))
		return
	}
	if write && t.Guest {
		out.fail(http.StatusForbidden, message("403 Forbidden"))
		return
	}
	switch {
	case r.Method == http.MethodGet && len(parts) == 5:
		s.list(out, r)
	case r.Method == http.MethodPost && len(parts) == 5:
		s.create(out, t, raw)
	case r.Method == http.MethodPut && len(parts) == 6:
		s.update(out, t, parts[5], raw)
	default:
		out.fail(http.StatusMethodNotAllowed, map[string]any{"error": "405 Not Allowed"})
	}
}

// list pages the notes, newest first (GitLab Docs, "REST API: Offset-based pagination").
func (s *Server) list(out *reply, r *http.Request) {
	q := r.URL.Query()
	order, sort := cmp.Or(q.Get("order_by"), "created_at"), cmp.Or(q.Get("sort"), "desc")
	if order != "created_at" && order != "updated_at" {
		out.fail(http.StatusBadRequest, map[string]any{"error": "order_by does not have a valid value"})
		return
	}
	if sort != "asc" && sort != "desc" {
		out.fail(http.StatusBadRequest, map[string]any{"error": "sort does not have a valid value"})
		return
	}
	number := func(key string, otherwise int) int {
		n, err := strconv.Atoi(q.Get(key))
		if err != nil || n < 1 {
			return otherwise
		}
		return n
	}
	page, per := number("page", 1), min(number("per_page", 20), 100)
	notes := slices.Clone(s.notes)
	slices.SortStableFunc(notes, func(a, b Note) int {
		c := a.Created.Compare(b.Created)
		if order == "updated_at" {
			c = a.Updated.Compare(b.Updated)
		}
		if sort == "desc" {
			return -c
		}
		return c
	})
	from := min((page-1)*per, len(notes))
	to := min(from+per, len(notes))
	docs := []map[string]any{}
	for _, n := range notes[from:to] {
		docs = append(docs, s.doc(n))
	}
	next := ""
	if to < len(notes) {
		next = strconv.Itoa(page + 1)
	}
	h := out.header
	h.Set("X-Page", strconv.Itoa(page))
	h.Set("X-Per-Page", strconv.Itoa(per))
	h.Set("X-Next-Page", next)
	h.Set("X-Total", strconv.Itoa(len(notes)))
	h.Set("X-Total-Pages", strconv.Itoa((len(notes)+per-1)/per))
	h.Set("RateLimit-Limit", "6") // a minute: a client that paces itself by it takes forever
	out.status, out.json = http.StatusOK, docs
}

func (s *Server) doc(n Note) map[string]any {
	return map[string]any{
		"id": n.ID, "body": n.Body, "author": account(n.Author), "system": n.System, "created_at": n.Created, "updated_at": n.Updated,
		"noteable_type": "MergeRequest", "noteable_iid": s.MergeRequest, "project_id": s.Project, "internal": false,
	}
}

// text takes the body out of a request, and its quick actions out of that.
func (s *Server) text(out *reply, raw json.RawMessage) (string, bool) {
	var in struct {
		Body *string `json:"body"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &in) != nil || in.Body == nil {
		out.fail(http.StatusBadRequest, map[string]any{"error": "body is missing"})
		return "", false
	}
	if utf8.RuneCountInString(*in.Body) > MaxNote {
		out.fail(http.StatusBadRequest, message(map[string]any{"note": []string{fmt.Sprintf("is too long (maximum is %d characters)", MaxNote)}}))
		return "", false
	}
	left, actions := QuickActions(*in.Body)
	s.executed = append(s.executed, actions...)
	if strings.TrimSpace(left) != "" {
		return strings.TrimRight(left, " \n\t"), true
	}
	if len(actions) > 0 {
		out.status, out.json = http.StatusAccepted, map[string]any{"commands_changes": map[string]any{}, "summary": actions}
		return "", false
	}
	out.fail(http.StatusBadRequest, message(`400 Bad request - Note {:note=>["can't be blank"]}`))
	return "", false
}

func (s *Server) create(out *reply, t Token, raw json.RawMessage) {
	if body, ok := s.text(out, raw); ok {
		out.status, out.json = http.StatusCreated, s.doc(*s.add(t.User, body))
	}
}

func (s *Server) update(out *reply, t Token, id string, raw json.RawMessage) {
	i := slices.IndexFunc(s.notes, func(n Note) bool { return strconv.FormatInt(n.ID, 10) == id })
	if i < 0 {
		out.fail(http.StatusNotFound, message("404 Note Not Found"))
		return
	}
	if s.notes[i].Author != t.User {
		out.fail(http.StatusForbidden, message("403 Forbidden"))
		return
	}
	if body, ok := s.text(out, raw); ok {
		s.clock = s.clock.Add(time.Second)
		s.notes[i].Body, s.notes[i].Updated = body, s.clock
		out.status, out.json = http.StatusOK, s.doc(s.notes[i])
	}
}
