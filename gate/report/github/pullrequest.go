package github

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
)

// FindPullRequest finds the open pull request whose head is opt.Run.Head, from
// the branch of opt.Run.HeadRepository: for a workflow_run that comments on what
// a fork's run found. The number must come from here and never from the run's
// files, which are the fork's to write.
func FindPullRequest(ctx context.Context, opt APIOptions, branch string) (int, error) {
	a, err := NewAPI(opt)
	if err != nil {
		return 0, err
	}
	from, head := opt.Run.HeadRepository, opt.Run.Head
	owner, _, ok := strings.Cut(from, "/")
	switch {
	case opt.Token == "":
		return 0, fmt.Errorf("find the pull request: %w: give the action the input github-token", errNoToken)
	case !ok || branch == "" || !objectName.MatchString(head):
		return 0, errors.New("find the pull request: the event names no head repository, branch or commit")
	}
	// Not those of the first page alone: a branch can be proposed to several
	// others, but hardly to a hundred.
	prs, _, err := a.client.PullRequests.List(ctx, a.owner, a.repo, &gh.PullRequestListOptions{State: "open", Head: owner + ":" + branch, ListOptions: gh.ListOptions{PerPage: perPage}})
	if err != nil {
		return 0, fmt.Errorf("find the pull request: %w", a.told(failure{"pull request", "pull-requests", err}))
	}
	var found []int
	for _, p := range prs {
		if p.GetHead().GetSHA() == head && strings.EqualFold(p.GetHead().GetRepo().GetFullName(), from) {
			found = append(found, p.GetNumber())
		}
	}
	where := fmt.Sprintf("%s at %s of %s", gate.Printable(branch), head[:12], gate.Printable(from))
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("find the pull request: none that is open has the head %s; it may have moved on", where)
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("find the pull request: %d open ones have the head %s", len(found), where)
}
