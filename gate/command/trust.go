package command

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
)

// trust refuses events that run a fork's migrations with the repository's own
// secrets, unless they are allowed by name.
func (a *app) trust(t config.Events) error {
	if a.ciErr != nil {
		return a.ciErr
	}
	event, untrusted := a.ci.Untrusted()
	if !untrusted || slices.Contains(t.AllowEvent, event) {
		return nil
	}
	return &usageError{
		fmt.Sprintf("the event %s runs the code of %s with this repository's secrets, and migrations are code", event, cmp.Or(a.ci.HeadRepository, "a fork")),
		"run the gate on pull_request, or allow it with --allow-event " + event + " where nothing secret is within reach",
	}
}

// fork decides what becomes of a run without secrets (a fork's pull request)
// that comes without the snapshot: the change is tried on the schema alone, and
// the verdict says so, or it is refused.
//
// A snapshot that the change itself brings or alters proves what its author
// likes: from a fork it is none, and else everybody is told.
func (a *app) fork(ctx context.Context, t config.Trust, change *changeset.Change, snap *config.Snapshot) (*gate.Unmeasured, error) {
	path, own, err := a.snapshotOf(ctx, change, *snap)
	if err != nil {
		return nil, err
	}
	why, restricted := a.ci.Restricted()
	if !restricted {
		if own != "" {
			a.configChanges = append(a.configChanges, gate.ConfigChange{File: own, InForce: true})
		}
		return nil, nil
	}
	why += " gets no secrets, and so no snapshot"
	if path != "" {
		_, err := os.Stat(a.path(path))
		switch {
		case err == nil && own == "":
			return nil, nil
		case err == nil:
			why += " (" + own + " is of the change's own making)"
		default:
			why += " (" + path + " is not there)"
		}
	}
	const remedy = "have a maintainer push the branch to this repository, where the snapshot is within reach"
	if t.ForkPolicy == "fail" {
		return nil, &usageError{why + ", and fork-policy is fail", remedy}
	}
	snap.Snapshot, snap.SnapshotData, snap.Globals = "", "", ""
	return &gate.Unmeasured{What: "durations, and what depends on data", Why: why, Remedy: remedy, Accepted: true}, nil
}

// snapshotOf is the snapshot's path and, of a change on its way into a branch,
// the part of it that the change itself brings or alters, "" for none.
func (a *app) snapshotOf(ctx context.Context, change *changeset.Change, snap config.Snapshot) (path, own string, err error) {
	if snap.Snapshot == "" {
		return "", "", nil
	}
	if path, _, err = config.SplitSnapshot(snap.Snapshot); err != nil || !a.ci.IsChangeRequest() {
		return path, "", err
	}
	for _, spec := range []string{snap.Snapshot, snap.SnapshotData, snap.Globals} {
		if spec == "" || own != "" {
			continue
		}
		file, _, err := config.SplitSnapshot(spec)
		if err != nil {
			return path, "", err
		}
		if own, err = change.Brings(ctx, a.env.Dir, file); err != nil {
			return path, "", fmt.Errorf("look where the snapshot comes from: %w", err)
		}
	}
	return path, own, nil
}

// ownSnapshot is what a step makes of a snapshot that the change brings: a
// fork's is refused, since a step has no verdict to tell it in.
func (a *app) ownSnapshot(ctx context.Context, change *changeset.Change, snap config.Snapshot) error {
	_, own, err := a.snapshotOf(ctx, change, snap)
	if err != nil || own == "" {
		return err
	}
	why, restricted := a.ci.Restricted()
	if restricted {
		return &usageError{own + ", the snapshot, is of the change's own making, and this is " + why, "have a maintainer push the branch to this repository"}
	}
	a.log.Warn("the snapshot is of the change's own making", "file", own)
	return nil
}
