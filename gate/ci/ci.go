// Package ci tells which continuous integration system runs the gate, for
// which event, and what that says about the change: its base, its head, and
// whether its author is trusted with secrets.
//
// It reads variables and the event's payload, and is otherwise pure: no git,
// no network, nothing printed. What the facts mean for the run (refusing an
// event, the fork policy, publishing) is decided by who asks.
package ci

// Provider is a system that runs the gate.
type Provider string

// Providers. None is a laptop, or a system that is not known.
const (
	None   Provider = ""
	GitHub Provider = "github"
	GitLab Provider = "gitlab"
)

// Run is what the system says of this run. The zero value is a run by hand.
type Run struct {
	Provider Provider
	// Act: nektos/act pretends to be GitHub on somebody's machine.
	Act bool
	// Event in the provider's own spelling: "pull_request", "merge_group",
	// "push", "schedule", …; on GitLab CI_PIPELINE_SOURCE.
	Event string
	// Repository is "owner/name"; on GitLab the project's path.
	Repository string
	// ProjectID is GitLab's number of the project, "" on GitHub.
	ProjectID string
	// APIURL is the root of the REST API ("https://api.github.com",
	// "https://gitlab.example.com/api/v4"), ServerURL that of pages for people.
	APIURL, ServerURL string
	// RunURL is the page of this very run, "" unknown.
	RunURL string
	// Head is the commit that a status belongs to: on pull_request the pull
	// request's head, not the merge commit that is checked out. "" where the
	// event does not say (a comment on a pull request names its number only).
	Head string
	// Base is where the change starts.
	Base Base
	// PullRequest is the number of the pull or merge request; 0: none.
	PullRequest int
	// HeadRepository is where the change comes from, "" unknown. Fork: it is not
	// Repository, or the event cannot tell and could be about a fork.
	HeadRepository string
	Fork           bool
	// HeadBranch of HeadRepository, where a workflow_run names it, whose pull
	// request has to be looked for; else "".
	HeadBranch string
	// InFork: the run belongs to the fork (GitLab), with its variables and not
	// the project's own.
	InFork bool
	// Actor is the account whose doing the event is: "dependabot[bot]".
	Actor string
	// Workflow and Job name what runs, Attempt counts its tries from 1. Matrix
	// tells apart what a job runs several times, "" where nothing does.
	Workflow, Job, Matrix string
	Attempt               int
}

// Base is what the event knows of the change's base. The zero value leaves the
// search to git: the merge base with the default branch.
type Base struct {
	// Provider whose checkout it is, for the advice when a commit is missing.
	Provider Provider
	// MergeOf is the change's own head, where the checkout may be a merge of it
	// into its base that the forge made. Merge is that merge: where HEAD is it,
	// and its second parent MergeOf, the first parent is the base. No other merge
	// is believed, since whoever wrote the change chooses its parents.
	MergeOf, Merge string
	// Commit is the base, or a commit to take the merge base with; "" unknown.
	Commit string
	// Exact: Commit is the base itself, not to be replaced by a merge base.
	Exact bool
	// Stale: Commit is where Branch was once (GitHub does not keep a pull
	// request's base.sha up to date), so Branch is asked first.
	Stale bool
	// Branch the change goes into, by its bare name, for where Commit cannot be
	// had or is stale; "" unknown.
	Branch string
	// HeadBranch is the branch that is checked out, where HEAD may be detached;
	// "" unknown, or none. On Branch itself the last commit is the change; on
	// another branch without commits of its own nothing is.
	HeadBranch string
	// Checkout is the ref that holds the change, "" where any checkout does. A
	// HEAD that is part of Branch is then an error: the change is not there, and
	// "nothing changed" would be untrue.
	Checkout string
	// Reason in a few words, for the report: "the push's previous head".
	Reason string
}
