package changeset

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/ci"
)

// forge is a repository as GitHub and GitLab keep it, in the middle of things:
// a pull request made on an old base, and a main that moved on twice, once
// before the forge merged the two for testing, and once after.
type forge struct {
	*testRepo
	stale  string // main when the pull request was last touched: base.sha
	base   string // main when refs/pull/1/merge was made
	tip    string // main now
	head   string // refs/pull/1/head
	merged string // refs/pull/1/merge
}

// widened is what the pull request changes.
const widened = "added migrations/3_mine.up.sql v3\n pending 3_mine: migrations/3_mine.up.sql"

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{testRepo: newRepo(t)}
	f.write("migrations/1_a.up.sql", "SELECT 1;", ".migration-gate.yml", "max-exclusive-ms: 200\n")
	f.commit("seed")
	f.fill(60, "filler")
	f.stale = f.git("rev-parse", "main")
	f.git("checkout", "-q", "-b", "widen")
	f.write("migrations/3_mine.up.sql", "SELECT 3;")
	f.commit("mine")
	f.head = f.commit("mine, too")
	f.git("checkout", "-q", "main")
	f.write("migrations/2_theirs.up.sql", "SELECT 2;")
	f.base = f.commit("theirs")
	f.git("checkout", "-q", "--detach")
	f.git("merge", "-q", "--no-ff", "--no-edit", "widen")
	f.merged = f.git("rev-parse", "HEAD")
	f.git("checkout", "-q", "main")
	f.write("migrations/4_later.up.sql", "SELECT 4;")
	f.tip = f.commit("later")
	f.keep("pull/1/merge", f.merged)
	f.keep("pull/1/head", f.head)
	return f
}

// keep gives a commit a name on the forge.
func (f *forge) keep(ref, id string) { f.git("update-ref", "refs/"+ref, id) }

// checkout does what actions/checkout does: a fresh repository, one fetch of
// the commit under its ref, and its checkout, detached unless it is a branch.
// Depth 0 is the whole history with all branches.
func (f *forge) checkout(id, ref string, depth int) *testRepo {
	f.t.Helper()
	r := newRepo(f.t)
	local := strings.Replace(strings.Replace(ref, "refs/pull/", "refs/remotes/pull/", 1), "refs/heads/", "refs/remotes/origin/", 1)
	r.git("remote", "add", "origin", "file://"+f.dir)
	fetch := []string{"-c", "protocol.version=2", "fetch", "-q", "--no-tags", "--prune", "--no-recurse-submodules"}
	if depth > 0 {
		r.git(append(fetch, fmt.Sprintf("--depth=%d", depth), "origin", "+"+id+":"+local)...)
	} else {
		r.git(append(fetch, "origin", "+refs/heads/*:refs/remotes/origin/*")...)
		r.git(append(fetch, "origin", "+"+id+":"+local)...) // the branch may have moved on
	}
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		r.git("checkout", "-q", "--force", "-B", name, local)
	} else {
		r.git("checkout", "-q", "--force", "--detach", local)
	}
	return r
}

// runner is what GitLab's runner does: all of a depth at once, detached.
func (f *forge) runner(id string, depth int) *testRepo {
	f.t.Helper()
	r := newRepo(f.t)
	f.keep("pipelines/9", id)
	r.git("remote", "add", "origin", "file://"+f.dir)
	fetch := []string{"fetch", "-q", "origin", "+refs/pipelines/9:refs/pipelines/9", "--prune"}
	if depth > 0 {
		fetch = append(fetch, fmt.Sprintf("--depth=%d", depth))
	}
	r.git(fetch...)
	r.git("checkout", "-f", "-q", "--detach", id)
	return r
}

// object is a piece of a payload.
type object = map[string]any

// github is the base that an event of GitHub yields.
func github(t *testing.T, event string, payload object) ci.Base {
	t.Helper()
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": "event.json", "GITHUB_REPOSITORY": "acme/shop"}
	if id, ok := payload["GITHUB_SHA"].(string); ok {
		env["GITHUB_SHA"] = id
	}
	payload["repository"] = object{"full_name": "acme/shop", "default_branch": "main"}
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	run, err := ci.Read(func(n string) string { return env[n] }, func(string) ([]byte, error) { return data, nil })
	if err != nil {
		t.Fatal(err)
	}
	return run.Base
}

// pullRequest is the payload; merge is what the job checks out, unless told
// otherwise.
func pullRequest(head, base, merge string) object {
	shop := object{"full_name": "acme/shop"}
	return object{"GITHUB_SHA": merge, "pull_request": object{
		"number": 1, "head": object{"ref": "widen", "sha": head, "repo": shop}, "base": object{"ref": "main", "sha": base, "repo": shop},
	}}
}

// gitlab is the base that a pipeline of GitLab's yields.
func gitlab(t *testing.T, env map[string]string) ci.Base {
	t.Helper()
	all := map[string]string{"GITLAB_CI": "true", "CI_PROJECT_ID": "7", "CI_DEFAULT_BRANCH": "main"}
	for k, v := range env {
		all[k] = v
	}
	if all["CI_MERGE_REQUEST_IID"] != "" {
		for k, v := range map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_PROJECT_ID": "7", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"} {
			all[k] = v
		}
	}
	run, err := ci.Read(func(n string) string { return all[n] }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return run.Base
}

func event(b ci.Base) func(*Options) { return func(o *Options) { o.CI = b } }

// expectBase is expect, with the base and the words that say why.
func expectBase(t *testing.T, c *Change, base, reason, want string) {
	t.Helper()
	expect(t, c, want)
	if c.Base != base || c.BaseReason != reason {
		t.Errorf("base %s\n(%s), want %s\n(%s)", c.Base, c.BaseReason, base, reason)
	}
}

// depths are those of a checkout: the default, what suffices, and everything.
var depths = []int{1, 2, 0}

func TestPullRequest(t *testing.T) {
	f := newForge(t)
	stale := github(t, "pull_request", pullRequest(f.head, f.stale, f.merged))
	const first = "first parent of the merge commit that is checked out (the pull request's base)"
	for _, depth := range depths {
		t.Run(fmt.Sprintf("merge commit, depth %d", depth), func(t *testing.T) {
			r := f.in(t).checkout(f.merged, "refs/pull/1/merge", depth)
			c := r.detect(event(stale))
			expectBase(t, c, f.base, first, widened)
			if len(c.Ahead) > 0 {
				t.Errorf("ahead: %v", c.Ahead)
			}
			if fetched := strings.Contains(r.log.String(), "fetch"); fetched != (depth == 1) {
				t.Errorf("fetched: %v: %s", fetched, r.log.String())
			}
			// A base named by flag wins.
			expect(t, r.detect(event(stale), func(o *Options) { o.Base = f.stale }), "added migrations/2_theirs.up.sql v2\n"+widened[:strings.Index(widened, "\n")]+"\npending 2_theirs: migrations/2_theirs.up.sql\n pending 3_mine: migrations/3_mine.up.sql")
		})
		t.Run(fmt.Sprintf("its own head, depth %d", depth), func(t *testing.T) {
			r := f.in(t).checkout(f.head, "refs/pull/1/head", depth)
			c := r.detect(event(stale))
			expectBase(t, c, f.stale, "merge base with origin/main (the pull request's base)", widened)
			if len(c.Ahead) != 2 {
				t.Errorf("ahead: %v", c.Ahead)
			}
		})
	}

	// The author merged main meanwhile: counted from base.sha, what others
	// merged would be the author's.
	f.git("checkout", "-q", "widen")
	f.git("merge", "-q", "--no-edit", f.base)
	updated := f.git("rev-parse", "HEAD")
	f.git("checkout", "-q", "main")
	f.keep("pull/1/head", updated)
	for _, depth := range depths {
		t.Run(fmt.Sprintf("a head with main merged into it, depth %d", depth), func(t *testing.T) {
			r := f.in(t).checkout(updated, "refs/pull/1/head", depth)
			b := github(t, "pull_request", pullRequest(updated, f.stale, f.merged))
			expectBase(t, r.detect(event(b)), f.base, "merge base with origin/main (the pull request's base)", widened)
			// A push came after the event: HEAD is neither its head nor its merge.
			expectBase(t, r.detect(event(stale)), f.base, "merge base with origin/main (the pull request's base)", widened)
		})
	}
	t.Run("the clone's main is older than the event", func(t *testing.T) {
		r := f.in(t).checkout(updated, "refs/pull/1/head", 0)
		r.git("update-ref", "refs/remotes/origin/main", f.stale)
		b := github(t, "pull_request", pullRequest(updated, f.base, f.merged))
		if c := r.detect(event(b), func(o *Options) { o.Offline = true }); c.Base != f.base {
			t.Errorf("base %s (%s), want %s", c.Base, c.BaseReason, f.base)
		}
	})
	t.Run("the base branch is gone", func(t *testing.T) {
		r := f.in(t).checkout(f.head, "refs/pull/1/head", 1)
		p := pullRequest(f.head, f.stale, f.merged)
		p["pull_request"].(object)["base"].(object)["ref"] = "release"
		c := r.detect(event(github(t, "pull_request", p)))
		expectBase(t, c, f.stale, "release as the event had it (the pull request's base)", widened)
	})
}

// A merge commit is believed only in the shape that a forge gives it.
func TestStrangeMerges(t *testing.T) {
	f := newForge(t)
	madeOf := func(t *testing.T, merge string) func(*Options) {
		return event(github(t, "pull_request", pullRequest(f.head, f.stale, merge)))
	}
	tree := f.git("rev-parse", f.merged+"^{tree}")
	t.Run("octopus", func(t *testing.T) {
		f := f.in(t)
		id := f.git("commit-tree", "-m", "octopus", "-p", f.base, "-p", f.head, "-p", f.stale, tree)
		f.keep("pull/1/merge", id)
		expectBase(t, f.checkout(id, "refs/pull/1/merge", 1).detect(madeOf(t, id)), f.base, "merge base with origin/main (the pull request's base)", widened)
	})
	t.Run("parents in the other order", func(t *testing.T) {
		f := f.in(t)
		id := f.git("commit-tree", "-m", "swapped", "-p", f.head, "-p", f.base, tree)
		f.keep("pull/1/merge", id)
		expectBase(t, f.checkout(id, "refs/pull/1/merge", 1).detect(madeOf(t, id)), f.base, "merge base with origin/main (the pull request's base)", widened)
	})
	t.Run("evil: with a migration that neither side has", func(t *testing.T) {
		f := f.in(t)
		f.git("checkout", "-q", "--detach", f.merged)
		f.write("migrations/9_evil.up.sql", "SELECT 9;")
		f.git("add", "-A")
		f.git("commit", "-q", "--amend", "--no-edit")
		id := f.git("rev-parse", "HEAD")
		f.git("checkout", "-q", "main")
		f.keep("pull/1/merge", id)
		c := f.checkout(id, "refs/pull/1/merge", 1).detect(madeOf(t, id))
		if c.Base != f.base || len(c.Added) != 2 {
			t.Errorf("base %s (%s): %s", c.Base, c.BaseReason, describe(c))
		}
	})
	t.Run("the author's own, pushed after the event", func(t *testing.T) {
		f := f.in(t)
		f.git("checkout", "-q", "--detach", f.stale)
		f.write("migrations/6_hidden.up.sql", "SELECT 6;")
		hidden := f.commit("to pass for merged")
		f.git("merge", "-q", "--no-ff", "--no-edit", f.head)
		id := f.git("rev-parse", "HEAD")
		f.git("checkout", "-q", "main")
		f.keep("pull/1/head", id)
		c := f.checkout(id, "refs/pull/1/head", 2).detect(madeOf(t, f.merged))
		if c.Base == hidden || c.Base != f.stale || len(c.Added) != 2 {
			t.Errorf("base %s (%s): %s", c.Base, c.BaseReason, describe(c))
		}
	})
}

// A checkout without the change must not pass for a change without migrations.
func TestNothingCheckedOut(t *testing.T) {
	f := newForge(t)
	for name, b := range map[string]ci.Base{
		"pull_request_target": github(t, "pull_request_target", pullRequest(f.head, f.tip, f.tip)),
		"pull_request":        github(t, "pull_request", pullRequest(f.head, f.stale, f.merged)),
		"workflow_run":        github(t, "workflow_run", object{"workflow_run": object{"event": "pull_request", "head_sha": f.head}}),
		"issue_comment":       github(t, "issue_comment", object{"issue": object{"number": 1, "pull_request": object{}}}),
	} {
		t.Run(name, func(t *testing.T) {
			where := "ref: refs/pull/1/merge"
			if name == "workflow_run" {
				where = "ref: " + f.head
			}
			for _, depth := range []int{1, 0} {
				for _, id := range []string{f.tip, f.base} { // as the job was queued, main may have moved on
					_, err := f.in(t).checkout(id, "refs/heads/main", depth).tryDetect(event(b))
					wantError(t, err, "holds nothing of the change", where, "--base REF")
				}
				r := f.in(t).checkout(f.head, "refs/pull/1/head", depth)
				expect(t, r.detect(event(b)), widened)
				r = f.in(t).checkout(f.merged, "refs/pull/1/merge", depth)
				if c := r.detect(event(b)); c.Base != f.base {
					t.Errorf("base %s (%s), want %s", c.Base, c.BaseReason, f.base)
				}
			}
		})
	}
}

func TestMergeQueue(t *testing.T) {
	f := newForge(t)
	f.git("checkout", "-q", "-b", "other", f.stale)
	f.write("migrations/5_other.up.sql", "SELECT 5;")
	f.commit("other")
	f.git("checkout", "-q", "--detach", f.tip)
	f.git("merge", "-q", "--no-ff", "--no-edit", "widen")
	one := f.git("rev-parse", "HEAD")
	f.git("merge", "-q", "--no-ff", "--no-edit", "other")
	two := f.git("rev-parse", "HEAD")
	f.git("checkout", "-q", "main")
	queued := "refs/heads/gh-readonly-queue/main/pr-2-" + one
	f.git("update-ref", queued, two)
	other := "added migrations/5_other.up.sql v5\n pending 5_other: migrations/5_other.up.sql"
	for _, depth := range depths {
		group := func(base string) func(*Options) {
			return event(github(t, "merge_group", object{"merge_group": object{"base_sha": base, "head_sha": two, "base_ref": "refs/heads/main"}}))
		}
		t.Run(fmt.Sprintf("depth %d", depth), func(t *testing.T) {
			c := f.in(t).checkout(two, queued, depth).detect(group(one))
			expectBase(t, c, one, short(one)+" (the merge group's base)", other)
			if len(c.Ahead) > 0 {
				t.Errorf("ahead: %v", c.Ahead)
			}
			c = f.in(t).checkout(two, queued, depth).detect(group(f.tip))
			expectBase(t, c, f.tip, short(f.tip)+" (the merge group's base)", "added migrations/3_mine.up.sql v3\n added migrations/5_other.up.sql v5\n pending 3_mine: migrations/3_mine.up.sql\n pending 5_other: migrations/5_other.up.sql")
		})
	}
}

func TestPush(t *testing.T) {
	f := newForge(t)
	zero := strings.Repeat("0", 40)
	push := func(ref, before, after string) func(*Options) {
		return event(github(t, "push", object{"ref": ref, "before": before, "after": after, "GITHUB_SHA": after}))
	}
	both := "added migrations/2_theirs.up.sql v2\n added migrations/4_later.up.sql v4\n pending 2_theirs: migrations/2_theirs.up.sql\n pending 4_later: migrations/4_later.up.sql"
	f.git("checkout", "-q", "-b", "rewritten", f.stale)
	f.write("migrations/7_again.up.sql", "SELECT 7;")
	rewritten := f.commit("again")
	f.git("checkout", "-q", "main")
	f.git("branch", "-q", "fresh", f.tip)
	for _, depth := range depths {
		t.Run(fmt.Sprintf("depth %d", depth), func(t *testing.T) {
			f := f.in(t)
			main := f.checkout(f.tip, "refs/heads/main", depth)
			expectBase(t, main.detect(push("refs/heads/main", f.stale, f.tip)), f.stale, short(f.stale)+" (the push's previous head)", both)
			expectBase(t, main.detect(push("refs/heads/main", f.base, f.tip)), f.base, short(f.base)+" (the push's previous head)", "added migrations/4_later.up.sql v4\n pending 4_later: migrations/4_later.up.sql")

			// A new branch, and one that has no commits of its own.
			r := f.checkout(f.head, "refs/heads/widen", depth)
			expectBase(t, r.detect(push("refs/heads/widen", zero, f.head)), f.stale, "merge base with origin/main (the default branch, since the push made widen)", widened)
			if c := f.checkout(f.tip, "refs/heads/fresh", depth).detect(push("refs/heads/fresh", zero, f.tip)); !c.Nothing() {
				t.Errorf("a branch without commits: %s: %s", c.BaseReason, describe(c))
			}

			// Rewritten history: from where the two part.
			r = f.checkout(rewritten, "refs/heads/rewritten", depth)
			expectBase(t, r.detect(push("refs/heads/rewritten", f.tip, rewritten)), f.stale, "merge base with "+short(f.tip)+" (the push's previous head)", "added migrations/7_again.up.sql v7\n pending 7_again: migrations/7_again.up.sql")
			// What it replaced is gone from the forge.
			gone := strings.Repeat("d", 40)
			expectBase(t, r.detect(push("refs/heads/rewritten", gone, rewritten)), f.stale, "merge base with origin/main (since the push's previous head dddddddddddd cannot be had)", "added migrations/7_again.up.sql v7\n pending 7_again: migrations/7_again.up.sql")
			_, err := main.tryDetect(push("refs/heads/main", gone, f.tip))
			wantError(t, err, gone, "the push's previous head", "--base REF")

			if c := main.detect(push("refs/heads/widen", f.head, zero), func(o *Options) { o.CI.Commit = f.tip }); !c.Nothing() || !strings.Contains(c.BaseReason, "the push deleted widen") {
				t.Errorf("deleted: %s: %s", c.BaseReason, describe(c))
			}
		})
	}
	t.Run("tag", func(t *testing.T) {
		r := f.in(t).checkout(f.base, "refs/tags/v1", 1)
		if c := r.detect(push("refs/tags/v1", zero, f.base)); !c.Nothing() {
			t.Errorf("%s: %s", c.BaseReason, describe(c))
		}
	})
	t.Run("schedule, on the default branch", func(t *testing.T) {
		r := f.in(t).checkout(f.tip, "refs/heads/main", 1)
		expect(t, r.detect(event(github(t, "schedule", object{}))), "added migrations/4_later.up.sql v4\n pending 4_later: migrations/4_later.up.sql")
	})
}

// act runs on the tree at hand, whatever event it was told.
func TestAct(t *testing.T) {
	f := newForge(t)
	r := clone(t, f.testRepo)
	r.git("checkout", "-q", "widen")
	read := func(payload string) func(*Options) {
		env := map[string]string{"GITHUB_ACTIONS": "true", "ACT": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": "event.json", "GITHUB_REPOSITORY": "acme/shop"}
		run, err := ci.Read(func(n string) string { return env[n] }, func(string) ([]byte, error) { return []byte(payload), nil })
		if err != nil {
			t.Fatal(err)
		}
		return event(run.Base)
	}
	recorded, err := json.Marshal(pullRequest(strings.Repeat("a", 40), strings.Repeat("b", 40), ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{"empty": `{}`, "thin": `{"pull_request": {"head": {"ref": "widen"}, "base": {"ref": "main"}}}`, "recorded elsewhere": string(recorded)} {
		t.Run(name, func(t *testing.T) {
			c := r.detect(read(payload))
			expect(t, c, widened)
			if c.Base != f.stale {
				t.Errorf("base %s (%s)", c.Base, c.BaseReason)
			}
		})
	}
	t.Run("no remote", func(t *testing.T) {
		r.git("branch", "-q", "-f", "main", "origin/main")
		r.git("remote", "remove", "origin")
		expect(t, r.detect(read(`{"pull_request": {"base": {"ref": "main"}}}`)), widened)
	})
	t.Run("uncommitted work on main", func(t *testing.T) {
		r.git("checkout", "-q", "main")
		r.write("migrations/8_local.up.sql", "SELECT 8;")
		expect(t, r.detect(read(`{"pull_request": {"base": {"ref": "main"}}}`)), "added migrations/8_local.up.sql v8\n pending 8_local: migrations/8_local.up.sql")
	})
}

func TestGitLab(t *testing.T) {
	f := newForge(t)
	mr := map[string]string{"CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_SHA": f.head, "CI_MERGE_REQUEST_DIFF_BASE_SHA": f.stale}
	for _, depth := range []int{20, 1, 0} {
		t.Run(fmt.Sprintf("merge request, depth %d", depth), func(t *testing.T) {
			r := f.in(t).runner(f.head, depth)
			c := r.detect(event(gitlab(t, mr)))
			expectBase(t, c, f.stale, short(f.stale)+" (the merge request's base)", widened)
			if len(c.Ahead) != 2 {
				t.Errorf("ahead: %v", c.Ahead)
			}
		})
		t.Run(fmt.Sprintf("merged results, depth %d", depth), func(t *testing.T) {
			r := f.in(t).runner(f.merged, depth)
			c := r.detect(event(gitlab(t, map[string]string{"CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_SHA": f.merged, "CI_MERGE_REQUEST_DIFF_BASE_SHA": f.stale, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": f.head, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": f.base})))
			expectBase(t, c, f.base, "first parent of the merge commit that is checked out (the target branch)", widened)
		})
	}
	t.Run("merge train that squashes", func(t *testing.T) {
		f := f.in(t)
		squash := f.git("commit-tree", "-m", "squash", "-p", f.stale, f.head+"^{tree}")
		train := f.git("commit-tree", "-m", "train", "-p", f.base, "-p", squash, f.merged+"^{tree}")
		c := f.runner(train, 20).detect(event(gitlab(t, map[string]string{"CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_SHA": train, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": f.head, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": f.base})))
		expectBase(t, c, f.base, short(f.base)+" (the target branch)", widened)
	})
	t.Run("more commits than the depth", func(t *testing.T) {
		f := f.in(t)
		f.git("checkout", "-q", "--detach", f.head)
		f.fill(30, "review")
		long := f.git("rev-parse", "HEAD")
		f.git("checkout", "-q", "main")
		c := f.runner(long, 20).detect(event(gitlab(t, mr)))
		expectBase(t, c, f.stale, short(f.stale)+" (the merge request's base)", widened)
	})
	t.Run("in a fork, whose main is its own", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "fork")
		gitIn(t, f.dir, "clone", "-q", "--bare", "file://"+f.dir, dir)
		gitIn(t, dir, "update-ref", "refs/heads/main", f.head)
		fork := &forge{testRepo: &testRepo{t: t, dir: dir}}
		env := map[string]string{"CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_SHA": f.head, "CI_MERGE_REQUEST_DIFF_BASE_SHA": f.stale}
		b := gitlab(t, env)
		b.Branch = "" // as ci.Read leaves it where the pipeline is the fork's
		expectBase(t, fork.runner(f.head, 20).detect(event(b)), f.stale, short(f.stale)+" (the merge request's base)", widened)
	})
	t.Run("a retry after the merge request moved on", func(t *testing.T) {
		f := f.in(t)
		f.git("checkout", "-q", "--detach", f.head)
		f.git("merge", "-q", "--no-edit", f.base)
		f.git("checkout", "-q", "main")
		// The base is that of the new head, and no ancestor of the old one.
		c := f.runner(f.head, 20).detect(event(gitlab(t, map[string]string{"CI_MERGE_REQUEST_IID": "1", "CI_COMMIT_SHA": f.head, "CI_MERGE_REQUEST_DIFF_BASE_SHA": f.base})))
		expectBase(t, c, f.stale, "merge base with "+short(f.base)+" (the merge request's base)", widened)
	})
	t.Run("branches", func(t *testing.T) {
		zero := strings.Repeat("0", 40)
		r := f.in(t).runner(f.tip, 20)
		c := r.detect(event(gitlab(t, map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_BEFORE_SHA": f.base, "CI_COMMIT_SHA": f.tip})))
		expectBase(t, c, f.base, short(f.base)+" (the push's previous head)", "added migrations/4_later.up.sql v4\n pending 4_later: migrations/4_later.up.sql")
		if c := r.detect(event(gitlab(t, map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "fresh", "CI_COMMIT_BEFORE_SHA": zero, "CI_COMMIT_SHA": f.tip}))); !c.Nothing() {
			t.Errorf("a branch without commits: %s: %s", c.BaseReason, describe(c))
		}
		c = r.detect(event(gitlab(t, map[string]string{"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_BEFORE_SHA": zero, "CI_COMMIT_SHA": f.tip})))
		expect(t, c, "added migrations/4_later.up.sql v4\n pending 4_later: migrations/4_later.up.sql")
		r = f.in(t).runner(f.head, 20)
		c = r.detect(event(gitlab(t, map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "widen", "CI_COMMIT_BEFORE_SHA": zero, "CI_COMMIT_SHA": f.head})))
		expectBase(t, c, f.stale, "merge base with origin/main (the default branch)", widened)
	})
}

// Where the remote cannot be had, the error says what to check out.
func TestTooShallow(t *testing.T) {
	f := newForge(t)
	for name, tc := range map[string]struct {
		repo *testRepo
		b    ci.Base
		want string
	}{
		"pull request": {f.checkout(f.merged, "refs/pull/1/merge", 1), github(t, "pull_request", pullRequest(f.head, f.stale, f.merged)), "fetch-depth: 2"},
		"its own head": {f.checkout(f.head, "refs/pull/1/head", 1), github(t, "pull_request", pullRequest(f.head, f.stale, f.merged)), "fetch-depth: 0"},
		"merge queue":  {f.checkout(f.tip, "refs/heads/main", 1), github(t, "merge_group", object{"merge_group": object{"base_sha": f.base, "head_sha": f.tip}}), "fetch-depth: 0"},
		"push":         {f.checkout(f.tip, "refs/heads/main", 1), github(t, "push", object{"ref": "refs/heads/main", "before": f.base, "after": f.tip}), "fetch-depth: 0"},
		"GitLab":       {f.runner(f.head, 1), gitlab(t, map[string]string{"CI_MERGE_REQUEST_IID": "1", "CI_MERGE_REQUEST_DIFF_BASE_SHA": f.stale}), "GIT_DEPTH: 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.repo.tryDetect(event(tc.b), func(o *Options) { o.Offline = true })
			wantError(t, err, "shallow clone", tc.want)
			tc.repo.git("remote", "set-url", "origin", "file:///nonexistent/shop.git")
			_, err = tc.repo.tryDetect(event(tc.b))
			wantError(t, err, "shallow clone", tc.want, "fatal: ")
		})
	}
}

// in is the forge for a subtest.
func (f *forge) in(t *testing.T) *forge {
	t.Helper()
	g := *f
	g.testRepo = &testRepo{t: t, dir: f.dir}
	return &g
}
