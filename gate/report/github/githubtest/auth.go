package githubtest

import (
	"net/http"
	"strings"
)

// authenticate checks what every request must bring.
func (s *Server) authenticate(c call) (answer, bool) {
	refuse := func(status int, message string) (answer, bool) {
		return answer{status: status, body: map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"}}, false
	}
	if c.Header.Get("User-Agent") == "" {
		return refuse(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	}
	if v := c.Header.Get("X-GitHub-Api-Version"); v != "" && v != "2022-11-28" {
		return refuse(http.StatusBadRequest, "API version "+v+" is not supported")
	}
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	switch {
	case token == "":
		return refuse(http.StatusUnauthorized, "Requires authentication")
	case !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token"), token != s.Token:
		return refuse(http.StatusUnauthorized, "Bad credentials")
	}
	return answer{}, true
}

// app tells an app's token from a person's.
func (s *Server) app() bool { return strings.HasPrefix(s.Token, "ghs_") }

var rank = map[string]int{"none": 0, "read": 1, "write": 2, "": 2}

// permit requires one of several permissions.
func (s *Server) permit(level string, anyOf ...string) (answer, bool) {
	var accepted []string
	for _, p := range anyOf {
		if rank[s.opt.Permissions[p]] >= rank[level] {
			return answer{}, true
		}
		accepted = append(accepted, p+"="+level)
	}
	by := "integration"
	if !s.app() {
		by = "personal access token"
	}
	return answer{status: http.StatusForbidden, header: map[string]string{"X-Accepted-GitHub-Permissions": strings.Join(accepted, "; ")},
		body: map[string]string{"message": "Resource not accessible by " + by, "documentation_url": "https://docs.github.com/rest", "status": "403"}}, false
}

// account is who the token belongs to.
func (s *Server) account() map[string]any {
	if s.app() {
		return map[string]any{"login": "github-actions[bot]", "id": 41898282, "type": "Bot"}
	}
	return map[string]any{"login": "release-engineer", "id": 583231, "type": "User"}
}

func (s *Server) user() answer {
	if s.app() {
		return answer{status: http.StatusForbidden, body: map[string]string{"message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com/rest/users/users#get-the-authenticated-user", "status": "403"}}
	}
	return answer{status: http.StatusOK, body: s.account()}
}
