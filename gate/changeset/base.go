package changeset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

// base is what the head is compared with.
type base struct {
	id     string
	reason string
	// tip is where the branch that the change goes into stands now, "" where
	// that is the base itself. branch is its name, where nobody looked yet.
	tip, branch string
}

// base finds the commit to compare with: the merge base of the head and the
// reference named, what the CI's event says, or the merge base with the default
// branch. Comparing with a branch's tip would report what others merged
// meanwhile as deleted by this change. dirty is asked only where it matters.
func (r *repo) base(ctx context.Context, opt Options, head string, dirty func() (bool, error)) (base, error) {
	f := &fetcher{repo: r, offline: opt.Offline}
	if opt.Base != "" {
		return r.namedBase(ctx, f, opt.Base, head)
	}
	f.ci = opt.CI
	if b, ok, err := r.eventBase(ctx, f, opt.Head, head); ok || err != nil {
		return b, err
	}
	tip, ref, err := r.goesInto(ctx, f)
	if err != nil {
		return base{}, err
	}
	onBranch := tip == head && r.isBranch(ref, cmp.Or(r.branch, f.ci.HeadBranch), opt.Head, head)
	id, err := tip, nil
	if !onBranch {
		id, err = f.mergeBase(ctx, tip, head)
	}
	switch {
	case errors.Is(err, errNoMergeBase) && f.ci.Branch == "":
		return base{}, fmt.Errorf("the head %s and the default branch %s share no history: pass --base REF", short(head), shortRef(ref))
	case errors.Is(err, errNoMergeBase):
		return base{}, fmt.Errorf("the head %s and the branch %s share no history: pass --base REF", short(head), shortRef(ref))
	case err != nil:
		return base{}, err
	case id == head && f.ci.Checkout != "" && head != f.ci.MergeOf:
		return base{}, notCheckedOut(f.ci, head, ref)
	case onBranch:
		if is, err := dirty(); err != nil {
			return base{}, err
		} else if is {
			return base{id: head, reason: "the last commit of " + shortRef(ref) + ", against what is not committed yet"}, nil
		}
		return r.parent(ctx, f, head, ref)
	}
	if f.ci.Stale {
		id = r.newer(ctx, id, f.ci.Commit, head)
	}
	if id == tip {
		return base{id: id, reason: because(shortRef(ref), f.ci.Reason)}, nil
	}
	return base{id: id, reason: because("merge base with "+shortRef(ref), f.ci.Reason), tip: tip}, nil
}

// namedBase takes the reference at its word.
func (r *repo) namedBase(ctx context.Context, f *fetcher, ref, head string) (base, error) {
	tip, err := f.commit(ctx, ref)
	if err != nil {
		return base{}, err
	}
	id, err := f.mergeBase(ctx, tip, head)
	switch {
	case err == nil && id == tip:
		return base{id: id, reason: shortRef(ref)}, nil
	case err == nil:
		return base{id: id, reason: "merge base with " + shortRef(ref), tip: tip}, nil
	case errors.Is(err, errNoMergeBase):
		// Named in so many words, and no history to argue with.
		return base{id: tip, reason: shortRef(ref) + ", which shares no known history with the head"}, nil
	}
	return base{}, err
}

// goesInto finds the branch the change goes into: the event's, else the
// default branch. It returns its tip and the name it was found by.
func (r *repo) goesInto(ctx context.Context, f *fetcher) (tip, ref string, err error) {
	if f.ci.Branch == "" {
		if ref, err = r.defaultBranch(ctx, f); err != nil {
			return "", "", err
		}
		tip, err = f.commit(ctx, ref)
		return tip, ref, err
	}
	tip, ref, err = f.branch(ctx, f.ci.Branch)
	if err != nil && f.ci.Stale {
		// The branch as the event had it: an older base, which can only show
		// more than the change.
		if id, err := f.commit(ctx, f.ci.Commit); err == nil {
			r.log.Warn("take the base branch as the event had it", "branch", f.ci.Branch, "commit", short(id))
			return id, f.ci.Branch + " as the event had it", nil
		}
	}
	return tip, ref, err
}

// because adds the event's words to a name that git knows.
func because(name, reason string) string {
	if reason == "" {
		return name
	}
	return name + " (" + reason + ")"
}

// isBranch tells whether the head is the default branch itself, and not one
// that has no commit of its own yet. A detached head, or a commit by its id, at
// the branch's tip is taken for it: so continuous integration names a push.
func (r *repo) isBranch(ref, name, named, head string) bool {
	if named != "" && !strings.HasPrefix(head, named) {
		name = named
	}
	return name == "" || name == ref || name == shortRef(ref) || strings.HasSuffix(shortRef(ref), "/"+name)
}

// parent takes what the last push to the default branch was made on.
func (r *repo) parent(ctx context.Context, f *fetcher, head, ref string) (base, error) {
	parents, err := r.parents(ctx, head)
	if err != nil {
		return base{}, err
	}
	if len(parents) > 0 {
		if _, err := f.commit(ctx, parents[0]); err != nil {
			return base{}, err
		}
		return base{id: parents[0], reason: "first parent of the last commit of " + shortRef(ref) + ", which is checked out"}, nil
	}
	out, err := r.pipe(ctx, strings.NewReader(""), "hash-object", "-t", "tree", "--stdin")
	if err != nil {
		return base{}, fmt.Errorf("make an empty tree: %w", err)
	}
	return base{id: strings.TrimSpace(string(out)), reason: "nothing: the first commit of " + shortRef(ref) + " is checked out"}, nil
}

// defaultBranch returns the full name of the default branch's reference.
func (r *repo) defaultBranch(ctx context.Context, f *fetcher) (string, error) {
	out, err := r.run(ctx, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")
	if err != nil {
		return "", fmt.Errorf("list branches: %w", err)
	}
	have := map[string]bool{}
	var locals []string
	remote := false
	for name := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		have[name] = true
		if strings.HasPrefix(name, "refs/heads/") {
			locals = append(locals, name)
		}
		remote = remote || strings.HasPrefix(name, "refs/remotes/")
	}
	// A dangling origin/HEAD (its branch was not fetched) is not listed.
	for _, name := range []string{"refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"} {
		if have[name] {
			return r.deref(ctx, name), nil
		}
	}
	// Continuous integration often fetches one branch only; the remote knows
	// better than the local name.
	if name, err := f.remoteHead(ctx); err == nil && name != "" {
		return name, nil
	}
	names := []string{"main", "master"}
	if out, err := r.run(ctx, "config", "--get", "init.defaultBranch"); err == nil {
		names = append(names, strings.TrimSpace(string(out)))
	}
	for _, name := range names {
		if have["refs/heads/"+name] {
			return "refs/heads/" + name, nil
		}
	}
	if len(locals) == 1 && !remote {
		return locals[0], nil
	}
	return "", fmt.Errorf("no default branch found (looked for origin/HEAD, main and master, there and here): pass --base REF")
}

// deref follows a symbolic reference by one name.
func (r *repo) deref(ctx context.Context, name string) string {
	out, err := r.run(ctx, "symbolic-ref", "--quiet", name)
	if err != nil {
		return name
	}
	return strings.TrimSpace(string(out))
}

func shortRef(ref string) string {
	for _, p := range []string{"refs/heads/", "refs/remotes/", "refs/tags/"} {
		if s, ok := strings.CutPrefix(ref, p); ok {
			return s
		}
	}
	return ref
}
