package githubtest

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Review of a pull request; its comments are ReviewComments.
type Review struct {
	ID                  int64
	PullRequest         int
	Event, Body, Commit string
}

// ReviewComment stands on lines of the diff's right side; StartLine is 0 where
// it is one line.
type ReviewComment struct {
	ID, Review      int64
	PullRequest     int
	Author          string
	Bot             bool
	Path, Body      string
	StartLine, Line int
	userID          int
}

// Reviews lists all, in the order they were made.
func (s *Server) Reviews() []Review {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reviews)
}

// ReviewComments lists all, in the order they were made.
func (s *Server) ReviewComments() []ReviewComment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.inline)
}

// AddReviewComment makes one by somebody.
func (s *Server) AddReviewComment(pullRequest int, author string, bot bool, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inline = append(s.inline, ReviewComment{ID: s.id(), PullRequest: pullRequest, Author: author, Bot: bot, userID: 7, Path: "README.md", Line: 1, Body: body})
}

func (s *Server) listPullRequests(c call) answer {
	if a, ok := s.permit("read", "pull_requests"); !ok {
		return a
	}
	q := c.URL.Query()
	owner, branch, filtered := strings.Cut(q.Get("head"), ":")
	all := []map[string]any{}
	for i := range s.opt.PullRequests {
		p := &s.opt.PullRequests[i]
		from := p.HeadRepository
		if from == "" {
			from = s.opt.Repository
		}
		fromOwner, name, _ := strings.Cut(from, "/")
		state := "open"
		if p.Closed {
			state = "closed"
		}
		if want := q.Get("state"); want != "all" && (want == "" && p.Closed || want != "" && want != state) {
			continue
		}
		// A filter that is not owner:branch is ignored.
		if filtered && (!strings.EqualFold(owner, fromOwner) || branch != p.Branch) {
			continue
		}
		all = append(all, map[string]any{"number": p.Number, "state": state, "head": map[string]any{
			"ref": p.Branch, "sha": p.Head, "label": fromOwner + ":" + p.Branch, "repo": map[string]any{"name": name, "full_name": from}}})
	}
	part, links := page(s, c, all)
	return answer{status: http.StatusOK, body: part, header: links}
}

func (s *Server) listReviewComments(c call, n int) answer {
	if a, ok := s.permit("read", "pull_requests"); !ok {
		return a
	}
	if s.pullRequest(n) == nil {
		return notFound()
	}
	all := []map[string]any{}
	for _, r := range s.inline {
		if r.PullRequest == n {
			all = append(all, map[string]any{"id": r.ID, "pull_request_review_id": r.Review, "path": r.Path, "line": r.Line, "body": r.Body, "user": account(r.Author, r.Bot, r.userID)})
		}
	}
	// The order counts only with sort (GitHub Docs).
	if q := c.URL.Query(); q.Get("sort") != "" && q.Get("direction") == "desc" {
		slices.Reverse(all)
	}
	part, links := page(s, c, all)
	return answer{status: http.StatusOK, body: part, header: links}
}

type reviewRequest struct {
	CommitID *string `json:"commit_id"`
	Body     *string `json:"body"`
	Event    *string `json:"event"`
	Comments []struct {
		Path      *string `json:"path"`
		Body      *string `json:"body"`
		Position  *int    `json:"position"`
		Side      *string `json:"side"`
		StartSide *string `json:"start_side"`
		Line      *int    `json:"line"`
		StartLine *int    `json:"start_line"`
	} `json:"comments"`
}

func (s *Server) createReview(c call, n int) answer {
	if a, ok := s.permit("write", "pull_requests"); !ok {
		return a
	}
	pr := s.pullRequest(n)
	if pr == nil {
		return notFound()
	}
	var in reviewRequest
	if a, ok := decode(c, &in); !ok {
		return a
	}
	unprocessable := func(why ...string) answer {
		return answer{status: http.StatusUnprocessableEntity, body: map[string]any{"message": "Unprocessable Entity", "errors": why,
			"documentation_url": "https://docs.github.com/rest/pulls/reviews#create-a-review-for-a-pull-request", "status": "422"}}
	}
	switch {
	case !slices.Contains([]string{"APPROVE", "REQUEST_CHANGES", "COMMENT"}, text(in.Event)):
		return malformed("Variable $event is invalid")
	case *in.Event != "APPROVE" && text(in.Body) == "" && len(in.Comments) == 0:
		return unprocessable("Review body can't be blank")
	case utf8.RuneCountInString(text(in.Body)) > 65536:
		return unprocessable("Body is too long (maximum is 65536 characters)")
	case in.CommitID != nil && *in.CommitID != pr.Head:
		return unprocessable("The commit_id is not part of the pull request")
	}
	review := Review{ID: s.id(), PullRequest: n, Event: *in.Event, Body: text(in.Body), Commit: pr.Head}
	me := s.account()
	var made []ReviewComment
	for i, o := range in.Comments {
		switch {
		case text(o.Path) == "" || text(o.Body) == "":
			return malformed("For 'comments/%d', \"path\" and \"body\" weren't both supplied.", i)
		case utf8.RuneCountInString(*o.Body) > 65536:
			return unprocessable("Body is too long (maximum is 65536 characters)")
		case o.Line == nil || o.Position != nil || text(o.Side) != "RIGHT":
			return malformed("For 'comments/%d', this server knows only \"line\" on the RIGHT side.", i)
		case o.StartLine != nil && (*o.StartLine >= *o.Line || text(o.StartSide) != "RIGHT"):
			return unprocessable("Pull request review thread start line must precede the end line.")
		}
		first := *o.Line
		if o.StartLine != nil {
			first = *o.StartLine
		}
		if !slices.ContainsFunc(pr.Diff[*o.Path], func(h [2]int) bool { return h[0] <= first && *o.Line <= h[1] }) {
			return unprocessable("Pull request review thread line must be part of the diff, Pull request review thread start line must be part of the same hunk as the line., and Pull request review thread diff hunk can't be blank")
		}
		made = append(made, ReviewComment{ID: s.id(), Review: review.ID, PullRequest: n, Author: me["login"].(string), Bot: s.app(), userID: me["id"].(int), Path: *o.Path, Body: *o.Body, StartLine: number(o.StartLine), Line: *o.Line})
	}
	s.reviews = append(s.reviews, review)
	s.inline = append(s.inline, made...)
	return answer{status: http.StatusOK, body: map[string]any{"id": review.ID, "state": "COMMENTED", "body": review.Body, "user": me}}
}
