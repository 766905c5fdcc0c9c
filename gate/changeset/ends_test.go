package changeset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func (r *testRepo) ends(mutate ...func(*Options)) *Ends {
	r.t.Helper()
	opt := Options{Dir: r.dir}
	for _, m := range mutate {
		m(&opt)
	}
	e, err := FindEnds(context.Background(), opt)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// sides reads a file of both: "-" where it is not.
func sides(t *testing.T, e *Ends, path string) (base, head string) {
	t.Helper()
	read := func(f func(context.Context, string) ([]byte, bool, error)) string {
		data, found, err := f(context.Background(), path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if !found {
			return "-"
		}
		return string(data)
	}
	return read(e.ReadBase), read(e.ReadHead)
}

func TestEnds(t *testing.T) {
	r := newRepo(t)
	r.write("migrations/1_a.up.sql", "SELECT 1;", ".migration-gate.yml", "max-exclusive-ms: 200\n", ".github/workflows/gate.yml", "on: pull_request\n", "ci/gate.yml", "old\n", "README.md", "hello\n")
	base := r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write(".migration-gate.yml", "max-exclusive-ms: 99999\n", ".github/workflows/other.yml", "on: push\n", "README.md", "bye\n", "new/gate.yml", "new\n")
	r.remove("ci/gate.yml")
	head := r.commit("loosen")
	r.git("checkout", "-q", "main")
	r.commit("main moves on")
	r.git("checkout", "-q", "change")
	r.write(".gitlab-ci.yml", "gate: {}\n", "ünïcode file.yml", "x\n")

	e := r.ends()
	if e.Base != base || e.Head != head || e.Top != r.dir || !e.Worktree || e.BaseReason != "merge base with main" {
		t.Errorf("%+v", e)
	}
	for path, want := range map[string][2]string{
		".migration-gate.yml": {"max-exclusive-ms: 200\n", "max-exclusive-ms: 99999\n"},
		"ci/gate.yml":         {"old\n", "-"},
		"new/gate.yml":        {"-", "new\n"},
		".gitlab-ci.yml":      {"-", "gate: {}\n"},
		"ünïcode file.yml":    {"-", "x\n"},
		"nowhere/at/all":      {"-", "-"},
	} {
		if b, h := sides(t, e, path); b != want[0] || h != want[1] {
			t.Errorf("%s: %q and %q, want %q", path, b, h, want)
		}
	}
	for _, tc := range []struct {
		globs []string
		want  []string
	}{
		{[]string{".github/workflows/*", ".gitlab-ci.yml", "action.yml"}, []string{".github/workflows/other.yml", ".gitlab-ci.yml"}},
		{[]string{".github/**"}, []string{".github/workflows/other.yml"}},
		{[]string{"**/gate.yml"}, []string{"ci/gate.yml", "new/gate.yml"}},
		{[]string{"*.{md,yml}"}, []string{".gitlab-ci.yml", ".migration-gate.yml", "README.md", "ünïcode file.yml"}},
		{[]string{"migrations/*"}, []string{}},
		{[]string{":(top)*"}, []string{}},
		{nil, []string{".github/workflows/other.yml", ".gitlab-ci.yml", ".migration-gate.yml", "README.md", "ci/gate.yml", "new/gate.yml", "ünïcode file.yml"}},
	} {
		got, err := e.Changed(context.Background(), tc.globs...)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, %v; want %q", tc.globs, got, err, tc.want)
		}
	}
	if _, err := e.Changed(context.Background(), "[a"); err == nil {
		t.Error("took a broken pattern")
	}

	// A head by name has nothing of the disk.
	e = r.ends(func(o *Options) { o.Head = "change" })
	if b, h := sides(t, e, ".gitlab-ci.yml"); e.Worktree || b != "-" || h != "-" {
		t.Errorf("%q, %q", b, h)
	}
	if got, err := e.Changed(context.Background(), "*"); err != nil || !slices.Equal(got, []string{".migration-gate.yml", "README.md"}) {
		t.Errorf("%q, %v", got, err)
	}
	// The first commit of all has an empty base.
	r.git("checkout", "-q", "-f", "--detach", base)
	r.git("branch", "-q", "-f", "main", base)
	e = r.ends(func(o *Options) { o.Head = "main" })
	if b, h := sides(t, e, "ci/gate.yml"); b != "-" || h != "old\n" {
		t.Errorf("%q, %q: %s", b, h, e.BaseReason)
	}
	if got, err := e.Changed(context.Background(), "ci/*"); err != nil || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

// The ends of a pull request are the same that its migrations are told by, at
// every depth.
func TestEndsOfPullRequest(t *testing.T) {
	f := newForge(t)
	b := github(t, "pull_request", pullRequest(f.head, f.stale, f.merged))
	for _, depth := range depths {
		t.Run(fmt.Sprintf("depth %d", depth), func(t *testing.T) {
			r := f.in(t).checkout(f.merged, "refs/pull/1/merge", depth)
			r.write(".migration-gate.yml", "max-exclusive-ms: 99999\n")
			e := r.ends(event(b))
			c := r.detect(event(b))
			if e.Base != f.base || c.Base != e.Base || c.BaseReason != e.BaseReason || c.Head != e.Head {
				t.Errorf("%+v and %s (%s)", e, c.Base, c.BaseReason)
			}
			if b, h := sides(t, e, ".migration-gate.yml"); b != "max-exclusive-ms: 200\n" || h != "max-exclusive-ms: 99999\n" {
				t.Errorf("%q, %q", b, h)
			}
		})
	}
	t.Run("no migrations' directory", func(t *testing.T) {
		r := f.in(t).checkout(f.merged, "refs/pull/1/merge", 1)
		if err := os.RemoveAll(filepath.Join(r.dir, "migrations")); err != nil {
			t.Fatal(err)
		}
		if e := r.ends(event(b)); e.Base != f.base {
			t.Errorf("%+v", e)
		}
	})
}

// Which file counts must not be up to a link that the change brings.
func TestEndsAndLinks(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t)
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.write("config/gate.yml", "a: 1\n", "dir/file", "x")
	link("config/gate.yml", "good.yml")
	link("config", "good")
	link(secret, "out.yml")
	link(filepath.Dir(secret), "outdir")
	link(".git/config", "git.yml")
	link("nowhere", "dangling.yml")
	r.commit("seed")
	for _, opt := range []func(*Options){func(o *Options) { o.Base = "main" }, func(o *Options) { o.Base, o.Head = "main", "main" }} {
		e := r.ends(opt)
		for _, path := range []string{"good.yml", "good/gate.yml"} {
			if b, h := sides(t, e, path); b != "a: 1\n" || h != b {
				t.Errorf("%s: %q, %q", path, b, h)
			}
		}
		for _, path := range []string{"out.yml", "outdir/secret", "git.yml", "../x", "/etc/passwd", "", ".", "dir", "a\nb"} {
			for side, read := range map[string]func(context.Context, string) ([]byte, bool, error){"base": e.ReadBase, "head": e.ReadHead} {
				if data, found, err := read(context.Background(), path); err == nil && found {
					t.Errorf("%s of the %s: read %q", path, side, data)
				} else if err == nil {
					t.Errorf("%s of the %s: as if it were not there", path, side)
				}
			}
		}
	}
}

// A file that the base has and this clone lacks is no file that never was.
func TestEndsOfPartialClone(t *testing.T) {
	f := newForge(t)
	f.git("config", "uploadpack.allowFilter", "true")
	f.git("config", "uploadpack.allowAnySHA1InWant", "true")
	r := clone(t, f.testRepo, "--filter=blob:none", "--no-checkout")
	r.git("checkout", "-q", "--detach", f.merged)
	f.write(".migration-gate.yml", "max-exclusive-ms: 300\n")
	changed := f.commit("another budget")
	r.git("fetch", "-q", "--filter=blob:none", "origin", "main")
	e := r.ends(func(o *Options) { o.Base = changed; o.Head = changed })
	if b, _ := sides(t, e, ".migration-gate.yml"); b != "max-exclusive-ms: 300\n" {
		t.Errorf("%q", b)
	}
	r = clone(t, f.testRepo, "--filter=blob:none", "--no-checkout")
	e = r.ends(func(o *Options) { o.Base = changed; o.Head = changed })
	r.git("remote", "set-url", "origin", "file:///nonexistent/shop.git")
	if _, found, err := e.ReadBase(context.Background(), ".migration-gate.yml"); err == nil {
		t.Errorf("found %v without its content", found)
	}
}

func TestRel(t *testing.T) {
	r := newRepo(t)
	r.write("sub/dir/x", "")
	r.commit("seed")
	e := r.ends(func(o *Options) { o.Dir = filepath.Join(r.dir, "sub") })
	for path, want := range map[string]string{
		"gate.yml": "sub/gate.yml", "../.migration-gate.yml": ".migration-gate.yml", filepath.Join(r.dir, "sub", "dir", "x"): "sub/dir/x", "./dir/../y": "sub/y",
		"../../x": "", "/etc/passwd": "", filepath.Dir(r.dir): "",
	} {
		if got, ok := e.Rel(path); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", path, got, ok, want)
		}
	}
}

func TestEndsSparse(t *testing.T) {
	r := newRepo(t)
	r.write("config/gate.yml", "a: 1\n", "src/x", "")
	r.commit("seed")
	r.git("sparse-checkout", "set", "--cone", "src")
	e := r.ends(func(o *Options) { o.Base = "main" })
	if b, h := sides(t, e, "config/gate.yml"); b != "a: 1\n" || h != b {
		t.Errorf("%q, %q", b, h)
	}
	if got, err := e.Changed(context.Background()); err != nil || len(got) > 0 {
		t.Errorf("changed %q, %v", got, err)
	}
	if _, err := FindEnds(context.Background(), Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "not in a git working tree") {
		t.Errorf("outside of a repository: %v", err)
	}
}
