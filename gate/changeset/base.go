package changeset

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// base is what the head is compared with.
type base struct {
	id     string
	reason string
	// tip is where the reference stands now, "" where that is the base itself.
	tip string
}

// base finds the commit to compare with: the merge base of the head and the
// reference named (or the default branch). Comparing with the reference's tip
// would report what others merged meanwhile as deleted by this change.
func (r *repo) base(ctx context.Context, opt Options, head string, dirty bool) (base, error) {
	f := fetcher{repo: r, offline: opt.Offline}
	ref := opt.Base
	if ref == "" {
		var err error
		if ref, err = r.defaultBranch(ctx, &f); err != nil {
			return base{}, err
		}
	}
	tip, err := f.commit(ctx, ref)
	if err != nil {
		return base{}, err
	}
	if opt.Base == "" && tip == head && r.isBranch(ref, opt.Head, head) {
		if dirty {
			return base{id: head, reason: "the last commit of " + shortRef(ref) + ", against what is not committed yet"}, nil
		}
		return r.parent(ctx, &f, head, ref)
	}
	id, err := f.mergeBase(ctx, tip, head)
	switch {
	case err == nil && id == tip:
		return base{id: id, reason: shortRef(ref)}, nil
	case err == nil:
		return base{id: id, reason: "merge base with " + shortRef(ref), tip: tip}, nil
	case errors.Is(err, errNoMergeBase) && opt.Base != "":
		// Named in so many words, and no history to argue with.
		return base{id: tip, reason: shortRef(ref) + ", which shares no known history with the head"}, nil
	case errors.Is(err, errNoMergeBase):
		return base{}, fmt.Errorf("the head %s and the default branch %s share no history: pass --base REF", short(head), shortRef(ref))
	default:
		return base{}, err
	}
}

// isBranch tells whether the head is the default branch itself, and not one
// that has no commit of its own yet. A detached head, or a commit by its id, at
// the branch's tip is taken for it: so continuous integration names a push.
func (r *repo) isBranch(ref, named, head string) bool {
	name := r.branch
	if named != "" && !strings.HasPrefix(head, named) {
		name = named
	}
	return name == "" || name == ref || name == shortRef(ref) || strings.HasSuffix(shortRef(ref), "/"+name)
}

// parent takes what the last push to the default branch was made on.
func (r *repo) parent(ctx context.Context, f *fetcher, head, ref string) (base, error) {
	// The commit object lists its parents in a shallow clone too, where the
	// name HEAD^1 does not resolve.
	out, err := r.run(ctx, "cat-file", "-p", head)
	if err != nil {
		return base{}, fmt.Errorf("read commit %s: %w", short(head), err)
	}
	header, _, _ := strings.Cut(string(out), "\n\n")
	for line := range strings.SplitSeq(header, "\n") {
		if id, ok := strings.CutPrefix(line, "parent "); ok {
			if _, err := f.commit(ctx, id); err != nil {
				return base{}, err
			}
			return base{id: id, reason: "first parent of the last commit of " + shortRef(ref) + ", which is checked out"}, nil
		}
	}
	out, err = r.pipe(ctx, strings.NewReader(""), "hash-object", "-t", "tree", "--stdin")
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

var errNoMergeBase = errors.New("no merge base")

// fetcher gets what a shallow clone lacks, and only that.
type fetcher struct {
	*repo
	offline bool
	remote  string
}

// commit resolves a name, fetching it where the clone lacks it.
func (f *fetcher) commit(ctx context.Context, name string) (string, error) {
	id, err := f.repo.commit(ctx, name)
	if err == nil || !errors.Is(err, errNoCommit) {
		return id, err
	}
	// A branch of the remote may be named without the remote, as in a pull
	// request's base, and be here only under the remote's name.
	remote := f.remoteName(ctx)
	if remote != "" {
		if id, err := f.repo.commit(ctx, "refs/remotes/"+remote+"/"+name); err == nil {
			return id, nil
		}
	}
	if remote == "" || f.offline {
		return "", f.missing(name, nil)
	}
	wanted := strings.TrimPrefix(strings.TrimPrefix(name, "refs/remotes/"+remote+"/"), remote+"/")
	depth := []string{}
	if f.shallow {
		depth = append(depth, "--depth=1")
	}
	if err := f.fetch(ctx, append(depth, "--end-of-options", remote, wanted)...); err != nil {
		return "", f.missing(name, err)
	}
	if id, err = f.repo.commit(ctx, "FETCH_HEAD"); err != nil {
		return "", f.missing(name, err)
	}
	return id, nil
}

// mergeBase finds where two commits part, deepening a shallow clone in steps
// until their histories meet.
func (f *fetcher) mergeBase(ctx context.Context, tip, head string) (string, error) {
	for _, step := range []string{"", "--deepen=50", "--deepen=500", "--unshallow"} {
		if step != "" {
			if !f.shallow {
				return "", errNoMergeBase
			}
			remote := f.remoteName(ctx)
			if remote == "" || f.offline {
				return "", f.missing(tip, nil)
			}
			// The two commits by name keep the fetch small; a head that was
			// never pushed is unknown there, and then the branches go.
			err := f.fetch(ctx, step, "--end-of-options", remote, tip, head)
			if err != nil {
				err = f.fetch(ctx, step, "--end-of-options", remote)
			}
			if err != nil {
				return "", f.missing(tip, err)
			}
			if out, err := f.run(ctx, "rev-parse", "--is-shallow-repository"); err == nil {
				f.shallow = strings.TrimSpace(string(out)) == "true"
			}
		}
		out, err := f.run(ctx, "merge-base", tip, head)
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", errNoMergeBase
}

// remoteHead asks the remote for its default branch and fetches its tip.
func (f *fetcher) remoteHead(ctx context.Context) (string, error) {
	remote := f.remoteName(ctx)
	if remote == "" || f.offline {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	out, err := f.run(ctx, "ls-remote", "--symref", "--end-of-options", remote, "HEAD")
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if name, ok := strings.CutPrefix(line, "ref: refs/heads/"); ok {
			name, _, _ = strings.Cut(name, "\t")
			return "refs/remotes/" + remote + "/" + name, nil
		}
	}
	return "", nil
}

// remoteName is origin, or the only remote there is.
func (f *fetcher) remoteName(ctx context.Context) string {
	if f.remote != "" {
		return f.remote
	}
	out, err := f.run(ctx, "remote")
	if err != nil {
		return ""
	}
	names := strings.Fields(string(out))
	for _, n := range names {
		if n == "origin" {
			f.remote = n
		}
	}
	if f.remote == "" && len(names) == 1 {
		f.remote = names[0]
	}
	return f.remote
}

// fetchTimeout bounds one exchange with the remote: longer than a slow network
// takes for a commit, shorter than a job's patience.
const fetchTimeout = 2 * time.Minute

func (f *fetcher) fetch(ctx context.Context, args ...string) error {
	f.log.Info("fetch what this clone lacks", "git", "fetch "+strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	_, err := f.run(ctx, append([]string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules"}, args...)...)
	return err
}

// missing says what to do about a commit that is not here.
func (f *fetcher) missing(name string, cause error) error {
	what := "the base " + shortRef(name) + " is not in this clone"
	remedy := "check its name, or pass another --base REF"
	if f.shallow {
		what = "the base " + shortRef(name) + " is not in this shallow clone"
		remedy = "run `git fetch --unshallow`, or check out with the whole history (`fetch-depth: 0`, `GIT_DEPTH: 0`)"
	}
	if cause != nil {
		return fmt.Errorf("%s, and cannot be fetched: %s: %w", what, remedy, cause)
	}
	return fmt.Errorf("%s: %s", what, remedy)
}
