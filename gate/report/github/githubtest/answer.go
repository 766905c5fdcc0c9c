package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// answer is what an endpoint says.
type answer struct {
	status int
	body   any
	header map[string]string
}

func notFound() answer {
	return answer{status: http.StatusNotFound, body: map[string]string{"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}}
}

// invalid is a 422 about one field.
func invalid(resource, field, message string) answer {
	return answer{status: http.StatusUnprocessableEntity, body: map[string]any{"message": "Validation Failed", "status": "422",
		"errors": []map[string]string{{"resource": resource, "field": field, "code": "custom", "message": message}}}}
}

// malformed is a 422 of the schema that requests are checked by first.
func malformed(format string, a ...any) answer {
	return answer{status: http.StatusUnprocessableEntity, body: map[string]string{"message": "Invalid request.\n\n" + fmt.Sprintf(format, a...), "status": "422"}}
}

// decode reads a request's JSON.
func decode(c call, v any) (answer, bool) {
	if err := json.Unmarshal(c.body, v); err != nil {
		if _, ok := err.(*json.UnmarshalTypeError); ok {
			return malformed("%v", err), false
		}
		return answer{status: http.StatusBadRequest, body: map[string]string{"message": "Problems parsing JSON"}}, false
	}
	return answer{}, true
}

// page cuts a list as asked for and links to the others.
func page[T any](s *Server, c call, all []T) ([]T, map[string]string) {
	q := c.URL.Query()
	per, _ := strconv.Atoi(q.Get("per_page"))
	if per < 1 {
		per = 30
	}
	per = min(per, 100)
	n, _ := strconv.Atoi(q.Get("page"))
	n = max(n, 1)
	last := max(1, (len(all)+per-1)/per)
	link := func(p int, rel string) string {
		q.Set("page", strconv.Itoa(p))
		return fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, c.Host, c.URL.Path, q.Encode(), rel)
	}
	var links []string
	if n > 1 {
		links = append(links, link(n-1, "prev"), link(1, "first"))
	}
	if n < last {
		links = append(links, link(n+1, "next"), link(last, "last"))
	}
	h := map[string]string{}
	if len(links) > 0 {
		h["Link"] = strings.Join(links, ", ")
	}
	from := min((n-1)*per, len(all))
	return all[from:min(from+per, len(all))], h
}

// Push moves a pull request's head to a new commit.
func (s *Server) Push(pullRequest int, sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Commits = append(s.opt.Commits, sha)
	for i := range s.opt.PullRequests {
		if s.opt.PullRequests[i].Number == pullRequest {
			s.opt.PullRequests[i].Head = sha
		}
	}
}
