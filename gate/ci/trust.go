package ci

import "slices"

// changeRequests are the events that are about a change on its way into a
// branch, in both providers' spelling.
var changeRequests = []string{
	"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "merge_group",
	"merge_request_event", "external_pull_request_event",
}

// IsChangeRequest reports whether the run is about a change that is not part
// of its branch yet: a pull or merge request, a merge group or train, or an
// event about one. Such a change must not choose the rules it is judged by.
func (r Run) IsChangeRequest() bool {
	return r.PullRequest > 0 || r.Fork || r.Base.Checkout != "" || slices.Contains(changeRequests, r.Event)
}

// untrusted are the events that GitHub runs with the base repository's secrets
// whoever wrote the change (GitHub Docs, "Events that trigger workflows").
var untrusted = []string{"pull_request_target", "workflow_run", "issue_comment"}

// Untrusted names the event where it would run a fork's migrations with the
// repository's own secrets and token. Events of which the payload cannot tell
// whose code they are about count as a fork's.
func (r Run) Untrusted() (event string, ok bool) {
	if r.Provider == GitHub && r.Fork && slices.Contains(untrusted, r.Event) {
		return r.Event, true
	}
	return "", false
}

// dependabot lists the events that get a token to read with and Dependabot's
// own secrets when Dependabot caused them (GitHub Docs, "Dependabot on GitHub
// Actions").
var dependabot = []string{"pull_request", "pull_request_review", "pull_request_review_comment", "push", "create", "deployment", "deployment_status"}

// Restricted says why the run has no secrets and a token that may only read,
// unless somebody set the repository up otherwise: what it lacks is then no
// mistake of the workflow.
func (r Run) Restricted() (why string, ok bool) {
	switch {
	case r.Provider == GitHub && r.Fork && !slices.Contains(untrusted, r.Event):
		return "a pull request from a fork", true
	case r.Provider == GitHub && r.Actor == "dependabot[bot]" && slices.Contains(dependabot, r.Event):
		return "a run for Dependabot", true
	case r.Provider == GitLab && r.InFork:
		// A pipeline that a member started in the project itself has them, fork
		// or not; GitLab warned that member.
		return "a merge request from a fork", true
	}
	return "", false
}
