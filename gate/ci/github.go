package ci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// needsPayload are the events whose base or whose author no variable tells.
var needsPayload = slices.Concat([]string{"pull_request", "pull_request_review", "pull_request_review_comment", "merge_group", "push"}, untrusted)

// readGitHub reads GitHub's default variables (GitHub Docs, "Variables
// reference") and the payload. No variable tells the jobs of a matrix apart.
func readGitHub(env func(string) string, readFile func(string) ([]byte, error)) (Run, error) {
	g := github{
		env: env,
		run: Run{
			Provider: GitHub, Act: env("ACT") == "true", Event: env("GITHUB_EVENT_NAME"), Repository: env("GITHUB_REPOSITORY"),
			APIURL: strings.TrimRight(env("GITHUB_API_URL"), "/"), ServerURL: strings.TrimRight(env("GITHUB_SERVER_URL"), "/"),
			Workflow: env("GITHUB_WORKFLOW"), Job: env("GITHUB_JOB"), Attempt: max(1, number(env("GITHUB_RUN_ATTEMPT"))), Actor: env("GITHUB_ACTOR"),
			Base: Base{Provider: GitHub},
		},
	}
	r := &g.run
	if id := env("GITHUB_RUN_ID"); id != "" && r.ServerURL != "" && r.Repository != "" && !r.Act {
		r.RunURL = r.ServerURL + "/" + r.Repository + "/actions/runs/" + id
		if r.Attempt > 1 {
			r.RunURL += "/attempts/" + strconv.Itoa(r.Attempt)
		}
	}
	var err error
	if r.Head, err = sha("GITHUB_SHA", env("GITHUB_SHA")); err != nil {
		return Run{}, err
	}
	if err := g.load(readFile); err != nil {
		return Run{}, err
	}
	if err := g.event(); err != nil {
		return Run{}, err
	}
	return g.run, nil
}

// github is one reading: the payload, and the run that is made of it.
type github struct {
	env  func(string) string
	path string
	p    payload
	run  Run
}

// load reads the payload. Under act, and for an event that says nothing of a
// change, it may be absent; it may never be broken.
func (g *github) load(readFile func(string) ([]byte, error)) error {
	g.path = g.env("GITHUB_EVENT_PATH")
	optional := g.run.Act || !slices.Contains(needsPayload, g.run.Event)
	if g.path == "" {
		if optional {
			return nil
		}
		return fmt.Errorf("GITHUB_EVENT_PATH is not set, and what the %s event is about stands in the file it names: pass it on, and the file with it, %s", g.run.Event, byHand)
	}
	data, err := readFile(g.path)
	switch {
	case err != nil && optional:
		return nil
	case err != nil:
		return fmt.Errorf("read the payload of the %s event: mount the file that GITHUB_EVENT_PATH names, %s: %w", g.run.Event, byHand, err)
	case len(strings.TrimSpace(string(data))) == 0 && optional:
		return nil
	}
	g.p, err = decode(g.path, data)
	return err
}

// lacks is the error of a payload without what its event always has.
func (g *github) lacks(field string) error {
	return fmt.Errorf("the payload of the %s event, %s, has no %s: check that it is this event's, %s", g.run.Event, g.path, field, byHand)
}

func (g *github) event() error {
	switch g.run.Event {
	case "pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_target":
		return g.pullRequest()
	case "merge_group":
		return g.mergeGroup()
	case "push":
		return g.push()
	case "workflow_run":
		return g.workflowRun()
	case "issue_comment":
		return g.issueComment()
	}
	return g.anyBranch("")
}

// anyBranch leaves the search to git, with the default branch's name where the
// payload has it.
func (g *github) anyBranch(reason string) (err error) {
	if g.p.Repository != nil {
		g.run.Base.Branch, err = refName("repository.default_branch", g.p.Repository.DefaultBranch)
	}
	g.run.Base.Reason = reason
	return err
}

// pullRequest: the checkout is refs/pull/N/merge, whose parents are the base
// as it is now and the pull request's head; for pull_request_target it is the
// base branch.
func (g *github) pullRequest() error {
	r, pr := &g.run, g.p.PullRequest
	checkout := r.Head // GITHUB_SHA: the merge, or the base branch's head
	target := r.Event == "pull_request_target"
	r.PullRequest = refNumber(g.env("GITHUB_REF"))
	if pr == nil {
		if !r.Act {
			return g.lacks("pull_request")
		}
		r.Fork = target
		return g.anyBranch("")
	}
	if pr.Number > 0 {
		r.PullRequest = pr.Number
	}
	head, err := sha("pull_request.head.sha", pr.Head.SHA)
	if err != nil {
		return err
	}
	if head == "" && !r.Act {
		return g.lacks("pull_request.head.sha")
	}
	if head != "" {
		r.Head = head
	}
	if err := g.goesInto("pull_request.base", pr.Base, "the pull request's base"); err != nil {
		return err
	}
	g.comesFrom(pr)
	if g.p.Action == "closed" {
		// The checkout may be the commit it was merged as.
		r.Base.Commit, r.Base.Stale = "", false
		return nil
	}
	r.Base.MergeOf = head
	if !target && head != "" {
		r.Base.Merge = checkout
	}
	if target || !r.Act { // under act the tree at hand is the change, whatever the event says
		r.Base.Checkout = mergeRef(r.PullRequest)
	}
	return nil
}

// goesInto takes the branch that a pull request is made for. Its sha is where
// the branch was when the pull request was last touched, not where it is.
func (g *github) goesInto(field string, b branch, reason string) (err error) {
	base := &g.run.Base
	if base.Commit, err = sha(field+".sha", b.SHA); err != nil {
		return err
	}
	base.Stale = base.Commit != ""
	if base.Branch, err = refName(field+".ref", b.Ref); err != nil {
		return err
	}
	if base.Branch == "" {
		base.Branch, err = refName("GITHUB_BASE_REF", g.env("GITHUB_BASE_REF"))
	}
	base.Reason = reason
	return err
}

// comesFrom compares the two repositories: one that is gone was a fork.
func (g *github) comesFrom(pr *pullRequest) {
	r := &g.run
	r.HeadRepository = pr.Head.Repo.FullName
	home := pr.Base.Repo.repository
	if home == (repository{}) {
		home.FullName = r.Repository
	}
	if r.Act && r.Event != "pull_request_target" && !pr.Head.Repo.there {
		return // written by hand, about the tree at hand
	}
	r.Fork = !pr.Head.Repo.is(home)
}

// mergeGroup: base_sha is what the queue put this group on, earlier groups
// included; they are judged by runs of their own.
func (g *github) mergeGroup() error {
	r, m := &g.run, g.p.MergeGroup
	if m == nil {
		if !r.Act {
			return g.lacks("merge_group")
		}
		return g.anyBranch("")
	}
	base, err := sha("merge_group.base_sha", m.BaseSHA)
	if err != nil {
		return err
	}
	head, err := sha("merge_group.head_sha", m.HeadSHA)
	if err != nil {
		return err
	}
	if head != "" {
		r.Head = head
	}
	if base == "" && !r.Act {
		return g.lacks("merge_group.base_sha")
	}
	r.Base.Branch, err = refName("merge_group.base_ref", bareBranch(m.BaseRef))
	r.Base.Commit, r.Base.Exact, r.Base.Reason = base, base != "", "the merge group's base"
	return err
}

// push: before..after on a branch. A new branch and a tag have no before, and
// a deleted branch leaves the default branch checked out.
func (g *github) push() error {
	r, p := &g.run, &g.p
	before, err := sha("before", p.Before)
	if err != nil {
		return err
	}
	after, err := sha("after", p.After)
	if err != nil {
		return err
	}
	if err := g.anyBranch("the default branch"); err != nil {
		return err
	}
	ref := p.Ref
	if ref == "" {
		ref = g.env("GITHUB_REF")
	}
	b := &r.Base
	switch {
	case r.Act && p.Before == "":
	case p.Before == "":
		return g.lacks("before")
	case p.Deleted || after == "" && p.After != "":
		*b = Base{Provider: GitHub, Commit: r.Head, Exact: true, Reason: "the head itself: the push deleted " + shortRef(ref)}
	case strings.HasPrefix(ref, "refs/tags/"):
		b.Reason = "the default branch, since a tag was pushed"
	case before == "":
		b.Reason = "the default branch, since the push made " + shortRef(ref)
		b.HeadBranch = bareBranch(ref)
	default:
		b.Commit, b.Reason = before, "the push's previous head"
		b.HeadBranch = bareBranch(ref)
		if b.Branch == bareBranch(ref) {
			b.Branch = "" // it is what was pushed, and no base
		}
	}
	return nil
}

func shortRef(ref string) string {
	for _, p := range []string{"refs/heads/", "refs/tags/"} {
		if s, ok := strings.CutPrefix(ref, p); ok {
			return s
		}
	}
	return ref
}

// ownEvents run the repository's own code: in a workflow_run after one of them,
// head_repository tells whose it was. After pull_request_target and the like it
// is always the base repository, whatever they checked out.
var ownEvents = []string{"push", "schedule", "workflow_dispatch", "merge_group", "release", "create", "pull_request", "pull_request_review", "pull_request_review_comment"}

// workflowRun: the checkout is the default branch; what the other workflow ran
// on is named by its head.
func (g *github) workflowRun() error {
	r, w := &g.run, g.p.WorkflowRun
	if w == nil {
		if !r.Act {
			return g.lacks("workflow_run")
		}
		r.Fork = true
		return g.anyBranch("")
	}
	head, err := sha("workflow_run.head_sha", w.HeadSHA)
	if err != nil {
		return err
	}
	if head == "" && !r.Act {
		return g.lacks("workflow_run.head_sha")
	}
	r.HeadRepository = w.HeadRepository.FullName
	if r.HeadBranch, err = refName("workflow_run.head_branch", w.HeadBranch); err != nil {
		return err
	}
	home := repository{FullName: r.Repository}
	if g.p.Repository != nil {
		home = *g.p.Repository
	}
	r.Fork = !slices.Contains(ownEvents, w.Event) || !w.HeadRepository.is(home)
	if head != "" {
		r.Head = head
	}
	if err := g.anyBranch("the default branch"); err != nil {
		return err
	}
	if len(w.PullRequests) == 1 {
		r.PullRequest = w.PullRequests[0].Number
		if err := g.goesInto("workflow_run.pull_requests[0].base", w.PullRequests[0].Base, "the pull request's base"); err != nil {
			return err
		}
	}
	if r.Fork || r.PullRequest > 0 || strings.HasPrefix(w.Event, "pull_request") {
		r.Base.MergeOf, r.Base.Checkout = head, head
	}
	return nil
}

// issueComment: the checkout is the default branch, and a comment on a pull
// request names no more of it than its number.
func (g *github) issueComment() error {
	r, i := &g.run, g.p.Issue
	if i == nil {
		if !r.Act {
			return g.lacks("issue")
		}
		r.Fork = true
		return g.anyBranch("")
	}
	if i.PullRequest == nil {
		return g.anyBranch("the default branch")
	}
	r.PullRequest, r.Fork, r.Head = i.Number, true, ""
	r.Base.Checkout = mergeRef(i.Number)
	return g.anyBranch("the default branch")
}

// mergeRef is where GitHub keeps the merge of a pull request into its base.
func mergeRef(number int) string { return "refs/pull/" + strconv.Itoa(number) + "/merge" }

// refNumber reads N out of "refs/pull/N/merge".
func refNumber(ref string) int {
	s, ok := strings.CutPrefix(ref, "refs/pull/")
	if !ok {
		return 0
	}
	s, _, _ = strings.Cut(s, "/")
	return number(s)
}
