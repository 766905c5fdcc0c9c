package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// Names that branch protection may require. They differ from each other and
// from what jobs are called: GitHub takes a status and a check run of one name
// for two requirements.
const (
	statusContext = "migration-gate/verdict"
	checkRunName  = "migration-gate/report"
)

// named is a status context's or check run's name: one for each job of a
// matrix, or the last to end would speak for all.
func (a *API) named(name string) string {
	m := oneLine(a.opt.Run.Matrix)
	if m == "" {
		return name
	}
	if short := cut(m, 80); short != m { // contexts have 255 characters at most
		sum := sha256.Sum256([]byte(m))
		m = short + " " + hex.EncodeToString(sum[:4])
	}
	return name + " (" + m + ")"
}

// maxDescription of a commit status in characters; longer ones are refused.
const maxDescription = 140

// status sets the commit status: "pending", "success", "failure" or "error".
func (a *API) status(ctx context.Context, state, description string) error {
	if !objectName.MatchString(a.opt.Run.Head) {
		return errNoHead
	}
	_, _, err := a.client.Repositories.CreateStatus(ctx, a.owner, a.repo, a.opt.Run.Head, &gh.RepoStatus{
		State: &state, Context: gh.String(a.named(statusContext)), Description: gh.String(cut(description, maxDescription)), TargetURL: a.link(),
	})
	return err
}

// verdict sets the final status.
func (a *API) verdict(ctx context.Context, r gate.Report) error {
	if a.statusErr != nil {
		return a.statusErr
	}
	state := "error"
	switch r.Verdict {
	case gate.Pass, gate.Skipped:
		state = "success"
	case gate.Fail:
		state = "failure"
	}
	return a.status(ctx, state, report.Headline(r))
}

// link is the run's page, nil where it is not known.
func (a *API) link() *string {
	if a.opt.Run.RunURL == "" {
		return nil
	}
	return &a.opt.Run.RunURL
}
