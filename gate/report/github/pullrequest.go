package github

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
)

// errNoPullRequest: there is none, or it has moved on since.
var errNoPullRequest = errors.New("no open pull request")

// find looks for the open pull request whose head the run's is, from the branch
// of its head repository: for a workflow_run that comments on what a fork's run
// found. The number must come from here and never from that run's files, which
// are the fork's to write.
func (a *API) find(ctx context.Context) (int, error) {
	run := a.opt.Run
	owner, _, ok := strings.Cut(run.HeadRepository, "/")
	if !ok || run.HeadBranch == "" || !objectName.MatchString(run.Head) {
		return 0, errors.New("the event names no head repository, branch or commit")
	}
	// The first page is enough: a branch can be proposed to several others, but
	// hardly to a hundred.
	prs, _, err := a.client.PullRequests.List(ctx, a.owner, a.repo, &gh.PullRequestListOptions{
		State: "open", Head: owner + ":" + run.HeadBranch, ListOptions: gh.ListOptions{PerPage: perPage},
	})
	if err != nil {
		return 0, err
	}
	var found []int
	for _, p := range prs {
		if p.GetHead().GetSHA() == run.Head && strings.EqualFold(p.GetHead().GetRepo().GetFullName(), run.HeadRepository) {
			found = append(found, p.GetNumber())
		}
	}
	where := fmt.Sprintf("%s at %s of %s", gate.Printable(run.HeadBranch), run.Head[:12], gate.Printable(run.HeadRepository))
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%w has the head %s; it may have moved on", errNoPullRequest, where)
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("%d open pull requests have the head %s", len(found), where)
}

// place finds out where to comment, where the event knows of a branch only. It
// reports false where there is none: after a push, for one.
func (a *API) place(ctx context.Context) (bool, error) {
	if a.opt.Run.PullRequest == 0 && a.opt.Run.HeadBranch != "" && a.opt.Run.HeadRepository != "" {
		n, err := a.find(ctx)
		if err != nil && !errors.Is(err, errNoPullRequest) {
			return false, fmt.Errorf("find the pull request: %w", err)
		}
		a.opt.Run.PullRequest = n
	}
	return a.opt.Run.PullRequest > 0, nil
}
