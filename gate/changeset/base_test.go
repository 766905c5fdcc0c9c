package changeset

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBase(t *testing.T) {
	t.Run("merge base with a default branch that moved on", func(t *testing.T) {
		r := seed(t)
		fork := r.git("rev-parse", "main")
		r.write("migrations/3_mine.up.sql", "SELECT 3;")
		r.commit("mine")
		r.git("checkout", "-q", "main")
		r.write("migrations/4_theirs.up.sql", "SELECT 4;")
		r.remove("migrations/2_total.down.sql")
		r.commit("theirs")
		r.git("checkout", "-q", "change")
		want := "added migrations/3_mine.up.sql v3\n pending 3_mine: migrations/3_mine.up.sql"
		c := r.detect()
		expect(t, c, want)
		if c.Base != fork || c.BaseReason != "merge base with main" {
			t.Errorf("base %s (%s), want %s", c.Base, c.BaseReason, fork)
		}
		if len(c.Ahead) != 1 || c.Ahead[0].Up.File != "migrations/4_theirs.up.sql" || len(c.Merged) != 2 {
			t.Errorf("ahead %v, merged %v", c.Ahead, c.Merged)
		}
		// Named by flag it is the same, and so is a tag.
		r.git("tag", "release", "main")
		for _, ref := range []string{"main", "release", "refs/heads/main", r.git("rev-parse", "--short", "main")} {
			expect(t, r.detect(func(o *Options) { o.Base = ref }), want)
		}
		// As continuous integration checks a pull request out: merged, detached.
		r.git("checkout", "-q", "--detach", "main")
		r.git("merge", "-q", "--no-edit", "change")
		c = r.detect()
		expect(t, c, want)
		if c.Base != r.git("rev-parse", "HEAD^1") || len(c.Ahead) > 0 || len(c.Merged) != 3 {
			t.Errorf("base %s (%s), ahead %v, merged %v", c.Base, c.BaseReason, c.Ahead, c.Merged)
		}
	})

	t.Run("on the default branch itself", func(t *testing.T) {
		r := seed(t)
		r.git("checkout", "-q", "main")
		r.git("branch", "-D", "-q", "change")
		r.write("migrations/3_pushed.up.sql", "SELECT 3;")
		r.commit("pushed")
		pushed := "added migrations/3_pushed.up.sql v3\n pending 3_pushed: migrations/3_pushed.up.sql"
		c := r.detect()
		expect(t, c, pushed)
		if c.Base != r.git("rev-parse", "HEAD^1") || !strings.Contains(c.BaseReason, "first parent") || !strings.Contains(r.log.String(), "first parent") {
			t.Errorf("base %s (%s), log: %s", c.Base, c.BaseReason, r.log.String())
		}
		r.git("checkout", "-q", "--detach")
		expect(t, r.detect(), pushed)
		for _, head := range []string{"main", c.Head, c.Head[:10]} {
			expect(t, r.detect(func(o *Options) { o.Head = head }), pushed)
		}
		r.git("branch", "-q", "fresh")
		if c := r.detect(func(o *Options) { o.Head = "fresh" }); !c.Nothing() {
			t.Errorf("a branch without commits of its own: %s", describe(c))
		}
		r.git("checkout", "-q", "main")
		r.write("migrations/4_new.up.sql", "SELECT 4;")
		c = r.detect()
		expect(t, c, "added migrations/4_new.up.sql v4\n pending 4_new: migrations/4_new.up.sql")
		if !c.Dirty {
			t.Error("not dirty")
		}
	})

	t.Run("a branch without commits of its own", func(t *testing.T) {
		r := seed(t)
		if c := r.detect(); !c.Nothing() || c.Base != c.Head {
			t.Errorf("%+v", c)
		}
	})

	t.Run("the very first commit", func(t *testing.T) {
		r := newRepo(t)
		r.write("migrations/1_a.up.sql", "SELECT 1;")
		r.commit("first")
		c := r.detect()
		expect(t, c, "added migrations/1_a.up.sql v1\n pending 1_a: migrations/1_a.up.sql")
		if !strings.Contains(c.BaseReason, "first commit") || len(c.Merged) > 0 {
			t.Errorf("%+v", c)
		}
	})

	t.Run("a merge into the default branch counts from its first parent", func(t *testing.T) {
		r := seed(t)
		r.write("migrations/3_a.up.sql", "SELECT 3;")
		r.commit("a")
		r.write("migrations/4_b.up.sql", "SELECT 4;")
		r.commit("b")
		r.git("checkout", "-q", "main")
		r.git("merge", "-q", "--no-ff", "--no-edit", "change")
		c := r.detect()
		if len(c.Added) != 2 {
			t.Errorf("%s", describe(c))
		}
	})

	t.Run("names of default branches", func(t *testing.T) {
		for _, name := range []string{"main", "master", "trunk"} {
			r := seed(t)
			r.git("branch", "-q", "-m", "main", name)
			if name == "trunk" {
				if _, err := r.tryDetect(); err == nil {
					t.Error("took something for the default branch")
				} else {
					wantError(t, err, "no default branch", "--base")
				}
				r.git("config", "init.defaultBranch", "trunk")
			}
			r.write("migrations/3_x.up.sql", "SELECT 3;")
			r.commit("x")
			if c := r.detect(); len(c.Added) != 1 || c.BaseReason != name {
				t.Errorf("%s: %s", c.BaseReason, describe(c))
			}
		}
		r := newRepo(t)
		r.git("symbolic-ref", "HEAD", "refs/heads/devel")
		r.write("migrations/1_a.up.sql", "SELECT 1;")
		r.commit("first")
		if c := r.detect(); !strings.Contains(c.BaseReason, "devel") {
			t.Errorf("the only branch there is: %s", c.BaseReason)
		}
	})

	t.Run("no such reference", func(t *testing.T) {
		r := seed(t)
		for _, ref := range []string{"nope", "--upload-pack=/bin/true", "main:README.md", "0123456789012345678901234567890123456789"} {
			_, err := r.tryDetect(func(o *Options) { o.Base = ref })
			wantError(t, err, ref, "--base REF")
			_, err = r.tryDetect(func(o *Options) { o.Head = ref })
			wantError(t, err, ref)
		}
	})

	t.Run("unrelated histories", func(t *testing.T) {
		r := seed(t)
		r.git("checkout", "-q", "--orphan", "other")
		r.write("migrations/3_x.up.sql", "SELECT 3;")
		r.commit("other")
		_, err := r.tryDetect()
		wantError(t, err, "share no history", "--base")
		expect(t, r.detect(func(o *Options) { o.Base = "main" }), "added migrations/3_x.up.sql v3\n pending 3_x: migrations/3_x.up.sql")
	})
}

// origin makes a remote whose default branch has n commits, and a branch
// "change" off its middle with three more.
func origin(t *testing.T, n int) *testRepo {
	t.Helper()
	r := newRepo(t)
	r.write("migrations/1_a.up.sql", "SELECT 1;")
	r.commit("seed")
	for i := range n {
		r.commit("filler")
		if i == n/2 {
			r.git("branch", "-q", "change")
		}
	}
	r.write("migrations/2_b.up.sql", "SELECT 2;")
	r.commit("merged meanwhile")
	r.git("checkout", "-q", "change")
	r.write("migrations/3_c.up.sql", "SELECT 3;")
	r.commit("mine")
	r.commit("more")
	r.commit("and more")
	r.git("checkout", "-q", "main")
	return r
}

// clone clones over file://, which honours depths as a network does.
func clone(t *testing.T, from *testRepo, args ...string) *testRepo {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "clone")
	gitIn(t, from.dir, append(append([]string{"clone", "-q"}, args...), "file://"+from.dir, dir)...)
	return &testRepo{t: t, dir: dir}
}

const mine = "added migrations/3_c.up.sql v3\n pending 3_c: migrations/3_c.up.sql"

func TestClones(t *testing.T) {
	o := origin(t, 10)
	base := o.git("merge-base", "main", "change")
	tip := o.git("rev-parse", "main")

	t.Run("whole", func(t *testing.T) {
		r := clone(t, o, "-b", "change")
		c := r.detect()
		expect(t, c, mine)
		if c.Base != base || c.BaseReason != "merge base with origin/main" {
			t.Errorf("base %s (%s)", c.Base, c.BaseReason)
		}
		if strings.Contains(r.log.String(), "fetch") {
			t.Errorf("fetched: %s", r.log.String())
		}
	})

	for name, tc := range map[string]struct {
		clone []string
		base  string
	}{
		"one branch, one commit":                  {[]string{"--depth=1", "-b", "change"}, ""},
		"two commits":                             {[]string{"--depth=2", "-b", "change"}, ""},
		"all branches, one commit each":           {[]string{"--depth=1", "-b", "change", "--no-single-branch"}, ""},
		"base by commit":                          {[]string{"--depth=1", "-b", "change"}, tip},
		"base by commit, the merge base":          {[]string{"--depth=1", "-b", "change"}, base},
		"base by branch of the remote":            {[]string{"--depth=1", "-b", "change"}, "main"},
		"base by remote branch":                   {[]string{"--depth=1", "-b", "change"}, "origin/main"},
		"one branch with its whole history":       {[]string{"--single-branch", "-b", "change"}, ""},
		"one branch, whole, base by name":         {[]string{"--single-branch", "-b", "change"}, "main"},
		"one branch, whole, base by remote's":     {[]string{"--single-branch", "-b", "change"}, "origin/main"},
		"no blobs but those needed (partial)":     {[]string{"--filter=blob:none", "-b", "change"}, ""},
		"no blobs and one commit":                 {[]string{"--filter=blob:none", "--depth=1", "-b", "change"}, ""},
		"base by commit, one branch, all history": {[]string{"--single-branch", "-b", "change"}, tip},
	} {
		t.Run(name, func(t *testing.T) {
			o.git("config", "uploadpack.allowFilter", "true")
			r := clone(t, o, tc.clone...)
			c := r.detect(func(o *Options) { o.Base = tc.base })
			expect(t, c, mine)
			if c.Base != base {
				t.Errorf("base %s (%s), want %s", c.Base, c.BaseReason, base)
			}
			if len(c.Merged) != 1 {
				t.Errorf("merged: %v", c.Merged)
			}
		})
	}

	t.Run("a pull request's merge commit, alone", func(t *testing.T) {
		o := origin(t, 10)
		o.git("checkout", "-q", "--detach", "main")
		o.git("merge", "-q", "--no-edit", "change")
		o.git("update-ref", "refs/pull/7/merge", "HEAD")
		o.git("checkout", "-q", "main")
		r := newRepo(t)
		r.git("remote", "add", "origin", "file://"+o.dir)
		r.git("fetch", "-q", "--no-tags", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
		r.git("checkout", "-q", "--detach", "refs/remotes/pull/7/merge")
		c := r.detect()
		expect(t, c, mine)
		if c.Base != o.git("rev-parse", "main") {
			t.Errorf("base %s (%s)", c.Base, c.BaseReason)
		}
	})

	t.Run("the default branch's last commit, alone", func(t *testing.T) {
		r := clone(t, o, "--depth=1")
		expect(t, r.detect(), "added migrations/2_b.up.sql v2\n pending 2_b: migrations/2_b.up.sql")
	})

	t.Run("commits that were never pushed", func(t *testing.T) {
		r := clone(t, o, "--depth=1", "-b", "change")
		r.write("migrations/4_local.up.sql", "SELECT 4;")
		r.commit("local")
		c := r.detect()
		if len(c.Added) != 2 || c.Base != base {
			t.Errorf("base %s (%s): %s", c.Base, c.BaseReason, describe(c))
		}
	})

	t.Run("a remote of another name", func(t *testing.T) {
		r := clone(t, o, "--depth=1", "-b", "change", "-o", "upstream")
		expect(t, r.detect(), mine)
	})

	t.Run("offline", func(t *testing.T) {
		r := clone(t, o, "--depth=1", "-b", "change")
		_, err := r.tryDetect(func(o *Options) { o.Offline, o.Base = true, tip })
		wantError(t, err, "shallow clone", "git fetch --unshallow", "fetch-depth: 0")
		_, err = r.tryDetect(func(o *Options) { o.Offline = true })
		wantError(t, err, "--base")
	})

	t.Run("the remote is gone", func(t *testing.T) {
		r := clone(t, o, "--depth=1", "-b", "change")
		r.git("remote", "set-url", "origin", "file:///nonexistent/shop.git")
		_, err := r.tryDetect(func(o *Options) { o.Base = tip })
		wantError(t, err, "shallow clone", "cannot be fetched", "git fetch --unshallow", "fatal: ")
		if strings.Contains(err.Error(), "; ;") || strings.Contains(err.Error(), ": ;") {
			t.Errorf("holes in the message: %v", err)
		}
		r.git("remote", "remove", "origin")
		_, err = r.tryDetect(func(o *Options) { o.Base = tip })
		wantError(t, err, "git fetch --unshallow")
	})
}

// The steps of deepening: the fork is 700 commits back on both sides.
func TestDeepen(t *testing.T) {
	o := newRepo(t)
	o.write("migrations/1_a.up.sql", "SELECT 1;")
	base := o.commit("seed")
	o.git("checkout", "-q", "-b", "change")
	o.fill(700, "x")
	o.write("migrations/3_c.up.sql", "SELECT 3;")
	o.commit("mine")
	o.git("checkout", "-q", "main")
	o.fill(700, "y")
	r := clone(t, o, "--depth=1", "-b", "change")
	c := r.detect()
	expect(t, c, mine)
	if c.Base != base {
		t.Errorf("base %s (%s), want %s", c.Base, c.BaseReason, base)
	}
}

func TestWorktreeAndDetachedHead(t *testing.T) {
	r := seed(t)
	r.write("migrations/3_x.up.sql", "SELECT 3;")
	r.commit("x")
	want := "added migrations/3_x.up.sql v3\n pending 3_x: migrations/3_x.up.sql"
	r.git("checkout", "-q", "--detach")
	expect(t, r.detect(), want)

	tree := filepath.Join(r.dir, "..", "tree")
	r.git("worktree", "add", "-q", tree, "change")
	c, err := Detect(context.Background(), Options{Dir: tree, MigrationsDir: "migrations"})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, c, want)
}

// A checkout that belongs to somebody else, as in a job's container.
func TestForeignOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not tested: a checkout of another user, which only root can make; to have it tested: run as root")
	}
	r := seed(t)
	r.write("migrations/3_x.up.sql", "SELECT 3;")
	err := filepath.WalkDir(r.dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, 12345, 12345)
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, r.detect(), "added migrations/3_x.up.sql v3\n pending 3_x: migrations/3_x.up.sql")
}

func TestSubmodulesAndLinks(t *testing.T) {
	other := newRepo(t)
	other.write("1_a.up.sql", "SELECT 1;")
	other.commit("other")
	r := seed(t)
	r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.dir, "migrations/vendored")
	if err := os.Symlink("../shared.sql", filepath.Join(r.dir, "migrations/3_link.up.sql")); err != nil {
		t.Fatal(err)
	}
	r.write("shared.sql", "SELECT 33;")
	want := "added migrations/3_link.up.sql v3\n pending 3_link: migrations/3_link.up.sql"
	check := func(mutate ...func(*Options)) {
		t.Helper()
		c := r.detect(mutate...)
		expect(t, c, want)
		if sql := c.Added[0].Up.Statements[0].SQL; sql != "SELECT 33" {
			t.Errorf("through the link: %q", sql)
		}
	}
	check()
	r.commit("x")
	check()
	r.git("checkout", "-q", "main")
	check(func(o *Options) { o.Head = "change" })
	r.git("checkout", "-q", "change")

	// Run for the submodule from outside, and inside.
	_, err := r.tryDetect(func(o *Options) { o.MigrationsDir = "migrations/vendored" })
	wantError(t, err, "another git repository", "run in that one")
	if _, err = Detect(context.Background(), Options{Dir: filepath.Join(r.dir, "migrations/vendored"), MigrationsDir: "."}); err != nil {
		t.Error(err)
	}

	// A link must not carry the runner's files into a report.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("SELECT 'secret';"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out of the repository": secret, "into .git": "../.git/config", "dangling": "nowhere.sql"} {
		r.remove("migrations/3_link.up.sql")
		if err := os.Symlink(target, filepath.Join(r.dir, "migrations/3_link.up.sql")); err != nil {
			t.Fatal(err)
		}
		if c, err := r.tryDetect(); err == nil {
			t.Errorf("%s: read %v", name, c.Added[0].Up.Statements)
		}
		r.commit(name)
		if c, err := r.tryDetect(func(o *Options) { o.Head = "change" }); err == nil {
			t.Errorf("%s, committed: read %v", name, c.Added[0].Up.Statements)
		}
	}
}

func TestSparseCheckout(t *testing.T) {
	r := seed(t)
	r.write("migrations/3_x.up.sql", "SELECT 3;", "cmd/main.go", "")
	r.commit("x")
	r.git("sparse-checkout", "set", "--no-cone", "/cmd", "/migrations/1_*")
	expect(t, r.detect(), "added migrations/3_x.up.sql v3\n pending 3_x: migrations/3_x.up.sql")
}

func TestCancelled(t *testing.T) {
	r := seed(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Detect(ctx, Options{Dir: r.dir, MigrationsDir: "migrations", Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("%v", err)
	}
}
