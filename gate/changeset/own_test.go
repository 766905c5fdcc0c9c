package changeset

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/ci"
)

func (r *testRepo) link(target, name string) {
	r.t.Helper()
	full := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink(target, full); err != nil {
		r.t.Fatal(err)
	}
}

// TestElsewhere: a change cannot lead the gate to a directory in which nothing
// changed.
func TestElsewhere(t *testing.T) {
	in := func(dir string) func(*Options) {
		return func(o *Options) { o.Dir = filepath.Join(o.Dir, dir) }
	}
	committed := func(o *Options) { o.Head = "change" }
	for _, tc := range []struct {
		name   string
		base   func(r *testRepo)
		change func(r *testRepo)
		opt    []func(*Options)
		want   string // in the error; "" for none
	}{
		{"the directory becomes a link", nil, func(r *testRepo) {
			r.git("mv", "migrations", "kept")
			r.link("decoy", "migrations")
		}, nil, "migrations is a symbolic link"},
		{"and is not checked out", nil, func(r *testRepo) {
			r.git("mv", "migrations", "kept")
			r.link("decoy", "migrations")
		}, []func(*Options){committed}, "migrations is a symbolic link"},
		{"the working directory becomes a link", func(r *testRepo) {
			r.write("svc/migrations/1_a.up.sql", "SELECT 1;\n", "old/migrations/1_a.up.sql", "SELECT 1;\n")
		}, func(r *testRepo) {
			r.git("mv", "svc", "kept")
			r.link("old", "svc")
		}, []func(*Options){in("svc")}, "svc is a symbolic link"},
		{"a link leads elsewhere", func(r *testRepo) {
			r.git("mv", "migrations", "real")
			r.link("real", "migrations")
		}, func(r *testRepo) {
			r.remove("migrations")
			r.link("decoy", "migrations")
		}, nil, "migrations is a symbolic link"},
		{"a link that the base has", func(r *testRepo) {
			r.git("mv", "migrations", "real")
			r.link("real", "migrations")
		}, func(r *testRepo) {
			r.write("real/2_b.up.sql", "SELECT 2;\n")
		}, nil, ""},
		{"a directory comes before that of the top", func(r *testRepo) {
			r.write("svc/x", "")
		}, func(r *testRepo) {
			r.write("migrations/2_b.up.sql", "DROP TABLE a;\n", "svc/migrations/.keep", "")
		}, []func(*Options){in("svc")}, "migrations/2_b.up.sql changed"},
		{"a service's first migrations", func(r *testRepo) {
			r.write("svc/x", "")
		}, func(r *testRepo) {
			r.write("svc/migrations/1_a.up.sql", "SELECT 1;\n")
		}, []func(*Options){in("svc")}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRepo(t)
			r.write("migrations/1_a.up.sql", "SELECT 1;\n", "decoy/1_a.up.sql", "SELECT 1;\n")
			r.commit("seed")
			if tc.base != nil {
				tc.base(r)
				r.commit("more")
			}
			r.git("checkout", "-q", "-b", "change")
			tc.change(r)
			r.commit("change")
			c, err := r.tryDetect(tc.opt...)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want == "" && len(c.Added) != 1:
				t.Errorf("added %v, want one", c.Added)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestLinkedContent: a merged migration is edited where what its link leads to is.
func TestLinkedContent(t *testing.T) {
	r := newRepo(t)
	r.write("sql/a.sql", "SELECT 1;\n", "migrations/2_b.up.sql", "SELECT 2;\n")
	r.link("../sql/a.sql", "migrations/1_a.up.sql")
	r.link("/nowhere/at/all.sql", "migrations/3_c.up.sql")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.commit("nothing")
	if c := r.detect(); !c.Nothing() {
		t.Errorf("unchanged: %s", describe(c))
	}
	r.write("sql/a.sql", "DROP TABLE a;\n")
	r.commit("change")
	for _, head := range []string{"", "change"} {
		c := r.detect(func(o *Options) { o.Head = head })
		if len(c.Files) != 1 || c.Files[0].Path != "migrations/1_a.up.sql" || c.Files[0].Status != "edited" || !c.Files[0].Merged {
			t.Errorf("head %q: %s", head, describe(c))
		}
	}
}

func TestHeld(t *testing.T) {
	r := newRepo(t)
	r.write("state/file", "x", "reports/old.txt", "x")
	r.link("../migrations", "out/there")
	r.commit("seed")
	r.write("mine/file", "x")
	r.link("mine", "byhand")
	for _, tc := range []struct {
		name  string
		files bool
		want  string
	}{
		{"state", true, "state/file"}, {"state", false, ""}, {"reports/old.txt", false, ""}, {"reports/old.txt", true, "reports/old.txt"},
		{"out/there/x.json", false, "out/there"}, {"mine", true, ""}, {"byhand/x", false, ""}, {"new/dir", true, ""}, {"../x", true, ""}, {r.dir + "/state", true, "state/file"},
	} {
		got, err := Held(context.Background(), r.dir, tc.name, tc.files)
		if err != nil || got != tc.want {
			t.Errorf("%s (files %t): %q, %v, want %q", tc.name, tc.files, got, err, tc.want)
		}
	}
	if got, err := Held(context.Background(), t.TempDir(), "x", true); got != "" || err != nil {
		t.Errorf("outside of a repository: %q, %v", got, err)
	}
}

func TestBrings(t *testing.T) {
	r := newRepo(t)
	r.write("migrations/1_a.up.sql", "SELECT 1;\n", "snap/old.dump", "old", "snap/edited.dump", "old", "kept/x.dump", "x")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write("snap/edited.dump", "new", "snap/new.dump", "new", "snap/over.dump", "new", "dir/a.sql", "a", "dir/b.sql", "b")
	r.link("kept", "linked")
	r.commit("change")
	r.write("snap/over.dump", "downloaded", "snap/fetched.dump", "downloaded")
	c := r.detect()
	for name, want := range map[string]string{
		"snap/old.dump": "", "snap/edited.dump": "snap/edited.dump", "snap/new.dump": "snap/new.dump", "snap/over.dump": "", "snap/fetched.dump": "",
		"dir": "dir/a.sql", "linked/x.dump": "linked", "../x": "", "kept/x.dump": "", "nowhere": "",
	} {
		if got, err := c.Brings(context.Background(), r.dir, name); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestRelKeepsLinks: the base's file is meant, wherever the change leads its path.
func TestRelKeepsLinks(t *testing.T) {
	r := newRepo(t)
	r.write("ci/gate.yml", "strict\n")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.git("mv", "ci", "evil")
	r.write("evil/gate.yml", "loose\n")
	r.link("evil", "ci")
	r.commit("change")
	e := r.ends()
	for _, path := range []string{"ci/gate.yml", filepath.Join(r.dir, "ci/gate.yml")} {
		name, inside := e.Rel(path)
		if b, h := sides(t, e, name); !inside || b != "strict\n" || h != "loose\n" {
			t.Errorf("%s: %q, %q and %q", path, name, b, h)
		}
	}
}

// TestReadTip: a change that left its branch long ago does not choose the old
// state of it.
func TestReadTip(t *testing.T) {
	r := newRepo(t)
	r.write("gate.yml", "loose\n")
	old := r.commit("seed")
	r.git("branch", "change")
	r.write("gate.yml", "strict\n")
	tip := r.commit("main moves on")
	r.git("checkout", "-q", "change")
	r.commit("change")
	for name, opt := range map[string]func(*Options){
		"by hand":          func(*Options) {},
		"a named base":     func(o *Options) { o.Base = "main" },
		"the event's":      func(o *Options) { o.CI = ci.Base{Commit: old, Branch: "main"} },
		"the event's, old": func(o *Options) { o.CI = ci.Base{Commit: old, Stale: true, Branch: "main"} },
	} {
		e := r.ends(opt)
		content, _, err := e.ReadTip(context.Background(), "gate.yml")
		if e.Base != old || e.Tip != tip || string(content) != "strict\n" || err != nil {
			t.Errorf("%s: base %s, tip %s, %q, %v", name, e.Base, e.Tip, content, err)
		}
	}
	e := r.ends(func(o *Options) { o.CI = ci.Base{Commit: old, Exact: true, Branch: "main"} })
	if content, _, err := e.ReadTip(context.Background(), "gate.yml"); e.Tip != "" || string(content) != "loose\n" || err != nil {
		t.Errorf("exact: tip %q, %q, %v", e.Tip, content, err)
	}
}
