package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

// failure is something that could not be posted.
type failure struct {
	what       string // "commit status"
	permission string // that it takes, as workflows spell it
	err        error
}

// statusOf is the status that an error answers with, 0 for none.
func statusOf(err error) int {
	var answer *gh.ErrorResponse
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.Response.StatusCode
	}
	return 0
}

// final reports whether trying again later would fail as well.
func final(err error) bool {
	s := statusOf(err)
	return s >= 400 && s < 500 && s != http.StatusRequestTimeout
}

// notice tells on one line what was not posted, why, and what to do about it.
func (a *API) notice(failed []failure) string {
	var causes []string
	by := map[string][]string{}
	for _, f := range failed {
		c := a.cause(f.err)
		if by[c] == nil {
			causes = append(causes, c)
		}
		by[c] = append(by[c], "the "+f.what)
	}
	var parts []string
	for _, c := range causes {
		parts = append(parts, fmt.Sprintf("%s (%s)", list(by[c], "and"), c))
	}
	s := "not posted to GitHub: " + strings.Join(parts, "; ")
	if todo := a.remedy(failed); todo != "" {
		s += "; " + todo
	}
	return s + "; the verdict stands"
}

// cause is an error's reason without addresses, in text that may be printed.
func (a *API) cause(err error) string {
	var answer *gh.ErrorResponse
	var limit *limitError
	s := ""
	switch {
	case errors.As(err, &answer) && answer.Response != nil:
		s = fmt.Sprintf("HTTP %d", answer.Response.StatusCode)
		said := []string{oneLine(answer.Message)}
		for _, e := range answer.Errors {
			said = append(said, oneLine(e.Message))
		}
		said = slices.DeleteFunc(said, func(m string) bool { return m == "" })
		if len(said) > 0 {
			s += ": " + strings.Join(said, ", ")
		}
	case errors.As(err, &limit):
		s = limit.Error()
	case errors.Is(err, context.DeadlineExceeded):
		s = "no answer in time"
	case errors.Is(err, context.Canceled):
		s = "interrupted"
	default:
		for _, plain := range []error{errTime, errCalls, errRedirect, errRefused, errNoToken, errNoHead} {
			if errors.Is(err, plain) {
				return plain.Error()
			}
		}
		s = oneLine(err.Error())
	}
	if a.opt.Token != "" {
		s = strings.ReplaceAll(s, a.opt.Token, "***")
	}
	return cut(s, 200)
}

// remedy is the next step, where there is one that GitHub's answer names.
func (a *API) remedy(failed []failure) string {
	var permissions, todo []string
	add := func(s string) {
		if !slices.Contains(todo, s) {
			todo = append(todo, s)
		}
	}
	for _, f := range failed {
		var answer *gh.ErrorResponse
		errors.As(f.err, &answer)
		switch status := statusOf(f.err); {
		case errors.Is(f.err, errNoToken):
			add("give the action the input github-token")
		case status == http.StatusUnauthorized:
			add("give a github-token that is valid and has not expired")
		case status == http.StatusNotFound:
			add("give a github-token that may see " + a.opt.Run.Repository)
		case status != http.StatusForbidden:
		case strings.Contains(answer.Message, "authenticate via a GitHub App"):
			add("a person's token cannot make check runs, GITHUB_TOKEN can")
		case a.readOnly():
			add("the token of a pull request from a fork may only read")
		default:
			for _, p := range needed(answer.Response.Header.Get("X-Accepted-GitHub-Permissions"), f.permission) {
				if !slices.Contains(permissions, p) {
					permissions = append(permissions, p)
				}
			}
		}
	}
	if len(permissions) > 0 {
		add("give the job permissions: " + strings.Join(permissions, ", "))
	}
	return strings.Join(todo, "; ")
}

// readOnly: GitHub lets the token of a fork's pull request read, whatever
// permissions the job has. The events that carry secrets are another matter.
func (a *API) readOnly() bool {
	run := a.opt.Run
	return run.Fork && strings.HasPrefix(run.Event, "pull_request") && run.Event != "pull_request_target"
}

var grant = regexp.MustCompile(`^([a-z_]{1,40})=(read|write|admin)$`)

// needed reads X-Accepted-GitHub-Permissions ("a=write,b=read; c=write": sets
// of which one is enough) as a workflow spells them, preferring the set with
// the permission that we document.
func needed(header, permission string) []string {
	var best []string
	for set := range strings.SplitSeq(header, ";") {
		var these []string
		known := false
		for one := range strings.SplitSeq(set, ",") {
			m := grant.FindStringSubmatch(strings.TrimSpace(one))
			if m == nil {
				these = nil
				break
			}
			name := strings.ReplaceAll(m[1], "_", "-")
			known = known || name == permission
			these = append(these, name+": "+m[2])
		}
		if these != nil && (best == nil || known) {
			best = these
		}
		if known {
			break
		}
	}
	if best == nil {
		return []string{permission + ": write"}
	}
	return best
}

// list joins words: "a, b and c".
func list(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}
