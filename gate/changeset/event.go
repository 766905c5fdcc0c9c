package changeset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/ci"
)

// eventBase takes the base from what the CI says of its event, as far as the
// checkout bears it out; ok is false where the branch is to be asked.
func (r *repo) eventBase(ctx context.Context, f *fetcher, named, head string) (b base, ok bool, err error) {
	c := f.ci
	if c.MergeOf != "" && c.Merge == head {
		parents, err := r.parents(ctx, head)
		if err != nil {
			return base{}, false, err
		}
		if len(parents) == 2 && parents[1] == c.MergeOf {
			f.twoCommits = true
			if _, err := f.commit(ctx, parents[0]); err != nil {
				return base{}, false, err
			}
			return base{id: parents[0], reason: because("first parent of the merge commit that is checked out", c.Reason)}, true, nil
		}
	}
	switch {
	case c.Commit == "" || c.Stale:
		return base{}, false, nil
	case c.Exact && named == "":
		if _, err := f.commit(ctx, c.Commit); err != nil {
			return base{}, false, err
		}
		return base{id: c.Commit, reason: because(short(c.Commit), c.Reason), branch: c.Branch}, true, nil
	}
	b, err = r.since(ctx, f, c.Commit, head)
	switch {
	case err == nil:
		b.branch = c.Branch
		return b, true, nil
	case ctx.Err() != nil:
		return base{}, false, ctx.Err()
	case c.Branch != "":
		r.log.Warn("take the branch's base, since the event's cannot be had", "branch", c.Branch, "event", c.Reason, "cause", err)
		f.ci.Reason = "since " + c.Reason + " " + short(c.Commit) + " cannot be had"
		return base{}, false, nil
	case errors.Is(err, errNoMergeBase):
		return base{}, false, fmt.Errorf("the head %s and %s, %s, share no history: pass --base REF", short(head), c.Reason, short(c.Commit))
	}
	return base{}, false, err
}

// since is where the head's history left a commit: the commit itself, unless
// history was rewritten.
func (r *repo) since(ctx context.Context, f *fetcher, commit, head string) (base, error) {
	tip, err := f.commit(ctx, commit)
	if err != nil {
		return base{}, err
	}
	id, err := f.mergeBase(ctx, tip, head)
	if err != nil {
		return base{}, err
	}
	if id == tip {
		return base{id: id, reason: because(short(id), f.ci.Reason)}, nil
	}
	return base{id: id, reason: because("merge base with "+short(tip), f.ci.Reason)}, nil
}

// newer returns the merge base that another commit of the same branch yields,
// if it is the later one: a clone may know an older tip of the branch than the
// event did.
func (r *repo) newer(ctx context.Context, id, commit, head string) string {
	if have, err := r.commit(ctx, commit); err != nil || have == id {
		return id
	}
	out, err := r.run(ctx, "merge-base", commit, head)
	if err != nil {
		return id
	}
	if other := strings.TrimSpace(string(out)); r.isAncestor(ctx, id, other) {
		return other
	}
	return id
}

func (r *repo) isAncestor(ctx context.Context, a, b string) bool {
	_, err := r.run(ctx, "merge-base", "--is-ancestor", a, b)
	return err == nil
}

// parents reads a commit's parents off the commit itself, which lists them in
// a shallow clone too, where the name HEAD^1 does not resolve.
func (r *repo) parents(ctx context.Context, commit string) ([]string, error) {
	out, err := r.run(ctx, "cat-file", "commit", commit)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", short(commit), err)
	}
	header, _, _ := strings.Cut(string(out), "\n\n")
	var ids []string
	for line := range strings.SplitSeq(header, "\n") {
		if id, ok := strings.CutPrefix(line, "parent "); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (r *repo) isParent(ctx context.Context, id, of string) bool {
	parents, err := r.parents(ctx, of)
	return err == nil && slices.Contains(parents, id)
}

// notCheckedOut is the error of an event whose own checkout is the branch that
// the change goes into: nothing of the change is there to look at.
func notCheckedOut(c ci.Base, head, ref string) error {
	return fmt.Errorf("the checkout %s is part of %s and holds nothing of the change that the event is about: check the change out (`ref: %s` of actions/checkout), or pass --base REF", short(head), shortRef(ref), c.Checkout)
}

// ahead finds the tip of the branch that the change goes into, where the event
// gave the base itself. Without it only collisions with what was merged since
// go unseen, so it is no error.
func (f *fetcher) ahead(ctx context.Context, b base) string {
	if b.tip != "" || b.branch == "" {
		return b.tip
	}
	tip, _, err := f.branch(ctx, b.branch)
	if err != nil {
		f.log.Warn("the branch that the change goes into cannot be had: versions merged there meanwhile are not compared", "branch", b.branch, "cause", err)
		return ""
	}
	if tip == b.id || f.isAncestor(ctx, tip, b.id) {
		return ""
	}
	return tip
}
