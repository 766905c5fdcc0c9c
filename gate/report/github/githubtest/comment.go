package githubtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Comment on an issue or pull request.
type Comment struct {
	ID          int64
	PullRequest int
	// Author is a login; Bot: that of an app.
	Author string
	Bot    bool
	Body   string
	// Edits counts its changes.
	Edits                int
	CreatedAt, UpdatedAt time.Time
	userID               int
}

// Comments lists all, in the order they were made.
func (s *Server) Comments() []Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.comments)
}

// AddComment makes one by somebody, and returns its id.
func (s *Server) AddComment(pullRequest int, author string, bot bool, body string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addComment(pullRequest, author, bot, 7, body).ID
}

func (s *Server) addComment(pr int, author string, bot bool, userID int, body string) *Comment {
	s.comments = append(s.comments, Comment{ID: s.id(), PullRequest: pr, Author: author, Bot: bot, userID: userID, Body: body, CreatedAt: s.opt.Now(), UpdatedAt: s.opt.Now()})
	return &s.comments[len(s.comments)-1]
}

// DeleteComment removes one, as a reader with the right to may do any time.
func (s *Server) DeleteComment(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comments = slices.DeleteFunc(s.comments, func(c Comment) bool { return c.ID == id })
}

func account(login string, bot bool, id int) map[string]any {
	kind := "User"
	if bot {
		kind = "Bot"
	}
	return map[string]any{"login": login, "id": id, "type": kind}
}

func (c *Comment) json() map[string]any {
	return map[string]any{"id": c.ID, "body": c.Body, "user": account(c.Author, c.Bot, c.userID), "created_at": c.CreatedAt, "updated_at": c.UpdatedAt}
}

func (s *Server) pullRequest(n int) *PullRequest {
	for i := range s.opt.PullRequests {
		if s.opt.PullRequests[i].Number == n {
			return &s.opt.PullRequests[i]
		}
	}
	return nil
}

func (s *Server) listComments(c call, n int) answer {
	if a, ok := s.permit("read", "issues", "pull_requests"); !ok {
		return a
	}
	if s.pullRequest(n) == nil {
		return notFound()
	}
	all := []map[string]any{}
	for i := range s.comments {
		if s.comments[i].PullRequest == n {
			all = append(all, s.comments[i].json())
		}
	}
	part, links := page(s, c, all)
	return answer{status: http.StatusOK, body: part, header: links}
}

func (s *Server) getComment(id int64) answer {
	if a, ok := s.permit("read", "issues", "pull_requests"); !ok {
		return a
	}
	i := slices.IndexFunc(s.comments, func(o Comment) bool { return o.ID == id })
	if i < 0 {
		return notFound()
	}
	return answer{status: http.StatusOK, body: s.comments[i].json()}
}

// commentBody reads and checks a comment's text.
func commentBody(c call) (string, answer, bool) {
	var in struct {
		Body *string `json:"body"`
	}
	if a, ok := decode(c, &in); !ok {
		return "", a, false
	}
	switch {
	case in.Body == nil:
		return "", malformed("\"body\" wasn't supplied."), false
	case strings.TrimSpace(*in.Body) == "":
		return "", invalid("IssueComment", "body", "body can't be blank"), false
	case utf8.RuneCountInString(*in.Body) > 65536:
		return "", invalid("IssueComment", "body", "body is too long (maximum is 65536 characters)"), false
	}
	return *in.Body, answer{}, true
}

func (s *Server) createComment(c call, n int) answer {
	if a, ok := s.permit("write", "issues", "pull_requests"); !ok {
		return a
	}
	if s.pullRequest(n) == nil {
		return notFound()
	}
	body, a, ok := commentBody(c)
	if !ok {
		return a
	}
	me := s.account()
	return answer{status: http.StatusCreated, body: s.addComment(n, me["login"].(string), s.app(), me["id"].(int), body).json()}
}

// editComment lets a token with the right to write edit anybody's comment, as
// GitHub does.
func (s *Server) editComment(c call, id int64) answer {
	if a, ok := s.permit("write", "issues", "pull_requests"); !ok {
		return a
	}
	i := slices.IndexFunc(s.comments, func(o Comment) bool { return o.ID == id })
	if i < 0 {
		return notFound()
	}
	body, a, ok := commentBody(c)
	if !ok {
		return a
	}
	o := &s.comments[i]
	o.Body, o.UpdatedAt = body, s.opt.Now()
	o.Edits++
	return answer{status: http.StatusOK, body: o.json()}
}
