package githubtest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Status of a commit, as it was set; the last of a context counts.
type Status struct {
	SHA, State, Context, Description, TargetURL string
	CreatedAt                                   time.Time
}

// Statuses lists all that were set, in their order.
func (s *Server) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.statuses)
}

var sha = regexp.MustCompile(`^[0-9a-f]{40}$`)

// commit reports whether the repository has it.
func (s *Server) commit(id string) bool {
	return slices.Contains(s.opt.Commits, id) || slices.ContainsFunc(s.opt.PullRequests, func(p PullRequest) bool { return p.Head == id })
}

func webAddress(a string) bool {
	u, err := url.Parse(a)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (s *Server) createStatus(c call, id string) answer {
	if a, ok := s.permit("write", "statuses"); !ok {
		return a
	}
	var raw struct {
		State       *string `json:"state"`
		Context     *string `json:"context"`
		Description *string `json:"description"`
		TargetURL   *string `json:"target_url"`
	}
	if a, ok := decode(c, &raw); !ok {
		return a
	}
	in := Status{SHA: id, State: text(raw.State), Context: text(raw.Context), Description: text(raw.Description), TargetURL: text(raw.TargetURL), CreatedAt: s.opt.Now()}
	if in.Context == "" {
		in.Context = "default"
	}
	if !sha.MatchString(id) || !s.commit(id) {
		return answer{status: http.StatusUnprocessableEntity, body: map[string]string{"message": "No commit found for SHA: " + id, "status": "422"}}
	}
	same := 0
	for _, o := range s.statuses {
		if o.SHA == id && strings.EqualFold(o.Context, in.Context) {
			same++
		}
	}
	switch {
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State):
		return invalid("Status", "state", "state is not included in the list")
	case utf8.RuneCountInString(in.Description) > 140:
		return invalid("Status", "description", "description is too long (maximum is 140 characters)")
	case utf8.RuneCountInString(in.Context) > 255:
		return invalid("Status", "context", "context is too long (maximum is 255 characters)")
	case in.TargetURL != "" && !webAddress(in.TargetURL):
		return invalid("Status", "target_url", "target_url must use http(s) scheme")
	case same >= 1000:
		return invalid("Status", "base", "This SHA and context has reached the maximum number of statuses.")
	}
	s.statuses = append(s.statuses, in)
	return answer{status: http.StatusCreated, body: map[string]any{"id": s.id(), "state": in.State, "context": in.Context, "description": in.Description, "target_url": in.TargetURL, "creator": s.account()}}
}

// text is a field's value, "" where it was not given.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
