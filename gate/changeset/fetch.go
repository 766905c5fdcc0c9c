package changeset

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate/ci"
)

var errNoMergeBase = errors.New("no merge base")

// fetcher gets what a shallow clone lacks, and only that.
type fetcher struct {
	*repo
	offline bool
	remote  string
	// ci is the event that the base comes from, zero for a base named by flag.
	// twoCommits: the checkout with its parents would have sufficed.
	ci         ci.Base
	twoCommits bool
}

// commit resolves a name, fetching it where the clone lacks it.
func (f *fetcher) commit(ctx context.Context, name string) (string, error) {
	id, err := f.repo.commit(ctx, name)
	if err == nil || !errors.Is(err, errNoCommit) {
		return id, err
	}
	// A branch of the remote may be named without the remote, as in a pull
	// request's base, and be here only under the remote's name. A branch that
	// is called like a commit's id is not that commit.
	remote := f.remoteName(ctx)
	if remote != "" && !fullID.MatchString(name) {
		if id, err := f.repo.commit(ctx, "refs/remotes/"+remote+"/"+name); err == nil {
			return id, nil
		}
	}
	if remote == "" || f.offline {
		return "", f.missing(name, nil)
	}
	id, err = f.fetchOne(ctx, remote, strings.TrimPrefix(strings.TrimPrefix(name, "refs/remotes/"+remote+"/"), remote+"/"))
	if err != nil {
		return "", f.missing(name, err)
	}
	return id, nil
}

// branch resolves a branch by its bare name: as the remote has it, else as
// this clone does. A shallow clone of a machine that keeps its directory may
// hold the branch as it was days ago, so where that matters the remote is asked.
func (f *fetcher) branch(ctx context.Context, name string) (id, ref string, err error) {
	remote := f.remoteName(ctx)
	ref = "refs/remotes/" + remote + "/" + name
	var have string
	if remote != "" {
		if have, err = f.repo.commit(ctx, ref); err == nil && !(f.shallow && f.ci.Stale) {
			return have, ref, nil
		}
		if !f.offline {
			if id, err = f.fetchOne(ctx, remote, "refs/heads/"+name); err == nil {
				return id, ref, nil
			}
		}
	}
	if have != "" {
		return have, ref, nil
	}
	if id, err := f.repo.commit(ctx, "refs/heads/"+name); err == nil {
		return id, "refs/heads/" + name, nil
	}
	if errors.Is(err, errNoCommit) {
		err = nil
	}
	return "", "", f.missing(name, err)
}

var fullID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// fetchOne gets a commit by its id, or what a branch or tag of the remote
// points to. The id is asked for first, because FETCH_HEAD is not written: in a
// container this is root, and the file would be closed to whoever fetches next.
func (f *fetcher) fetchOne(ctx context.Context, remote, wanted string) (string, error) {
	id := wanted
	if !fullID.MatchString(wanted) {
		var err error
		if id, err = f.remoteID(ctx, remote, wanted); err != nil {
			return "", err
		}
		if have, err := f.repo.commit(ctx, id); err == nil {
			return have, nil
		}
	}
	args := []string{"--end-of-options", remote, id}
	if f.shallow {
		args = append([]string{"--depth=1"}, args...)
	}
	if err := f.fetch(ctx, args...); err != nil {
		return "", err
	}
	return f.repo.commit(ctx, id)
}

// remoteID asks the remote what a name points to, by git's own order: as
// written, as a tag, as a branch.
func (f *fetcher) remoteID(ctx context.Context, remote, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	out, err := f.run(ctx, "ls-remote", "--end-of-options", remote, name)
	if err != nil {
		return "", err
	}
	ids := map[string]string{}
	for line := range strings.SplitSeq(string(out), "\n") {
		if id, ref, ok := strings.Cut(line, "\t"); ok {
			ids[ref] = id
		}
	}
	for _, ref := range []string{name, "refs/" + name, "refs/tags/" + name, "refs/heads/" + name} {
		if ids[ref] != "" {
			return ids[ref], nil
		}
	}
	return "", fmt.Errorf("the remote %s has no branch or tag %s", remote, name)
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
		if step == "" && (tip == head || f.isParent(ctx, tip, head)) {
			return tip, nil // told by the head alone, whatever else is here
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
	_, err := f.run(ctx, append([]string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"}, args...)...)
	return err
}

// missing says what to do about a commit that is not here.
func (f *fetcher) missing(name string, cause error) error {
	what := "the base " + shortRef(name)
	if f.ci.Reason != "" {
		what += " (" + f.ci.Reason + ")"
	}
	what += " is not in this clone"
	remedy := "check its name, or pass another --base REF"
	if f.shallow {
		what = strings.TrimSuffix(what, "clone") + "shallow clone"
		remedy = f.deeper()
	} else if f.ci != (ci.Base{}) {
		remedy = "pass --base REF"
	}
	if cause != nil {
		return fmt.Errorf("%s, and cannot be fetched: %s: %w", what, remedy, cause)
	}
	return fmt.Errorf("%s: %s", what, remedy)
}

// deeper says how to check out what is missing.
func (f *fetcher) deeper() string {
	switch {
	case f.ci.Provider == ci.GitHub && f.twoCommits:
		return "check out with `fetch-depth: 2` (actions/checkout)"
	case f.ci.Provider == ci.GitHub:
		return "check out with the whole history, `fetch-depth: 0` (actions/checkout), or pass --base REF"
	case f.ci.Provider == ci.GitLab:
		return "check out with the whole history, `GIT_DEPTH: 0` among the job's variables, or pass --base REF"
	}
	return "run `git fetch --unshallow`, or check out with the whole history (`fetch-depth: 0`, `GIT_DEPTH: 0`)"
}
