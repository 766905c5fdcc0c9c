package changeset

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testRepo is a real git repository in a temporary directory.
type testRepo struct {
	t   *testing.T
	dir string
	log bytes.Buffer // what Detect said, after detect
}

// newRepo makes an empty repository whose branch is main, apart from whatever
// configuration the machine's git has.
func newRepo(t *testing.T) *testRepo {
	t.Helper()
	isolate(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &testRepo{t: t, dir: dir}
	r.git("init", "-q", "-b", "main")
	return r
}

func isolate(t *testing.T) {
	t.Helper()
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "Test")
		t.Setenv("GIT_"+who+"_EMAIL", "test@example.org")
	}
}

func (r *testRepo) git(args ...string) string {
	r.t.Helper()
	return gitIn(r.t, r.dir, args...)
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	// The test's own calls must not be misled by what a case sets.
	cmd.Env = cleanEnv(os.Environ())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write writes files given as name, content, name, content, …
func (r *testRepo) write(pairs ...string) {
	r.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		full := filepath.Join(r.dir, pairs[i])
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(pairs[i+1]), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *testRepo) remove(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// commit commits everything, and returns the id.
func (r *testRepo) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// fill makes n empty commits on what is checked out, a millisecond each.
func (r *testRepo) fill(n int, message string) {
	r.t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "commit refs/heads/filler\ncommitter T <t@example.org> 1700000000 +0000\ndata %d\n%s\n", len(message), message)
		if i == 0 {
			b.WriteString("from " + r.git("rev-parse", "HEAD") + "\n")
		}
	}
	if _, err := (&repo{top: r.dir}).pipe(context.Background(), strings.NewReader(b.String()), "fast-import", "--quiet", "--force"); err != nil {
		r.t.Fatal(err)
	}
	r.git("reset", "-q", "--hard", "refs/heads/filler")
	r.git("branch", "-q", "-D", "filler")
}

func (r *testRepo) tryDetect(mutate ...func(*Options)) (*Change, error) {
	r.t.Helper()
	r.log.Reset()
	opt := Options{Dir: r.dir, MigrationsDir: "migrations", Layout: "auto", Log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, m := range mutate {
		m(&opt)
	}
	return Detect(context.Background(), opt)
}

func (r *testRepo) detect(mutate ...func(*Options)) *Change {
	r.t.Helper()
	c, err := r.tryDetect(mutate...)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// describe puts a change into lines a person can compare.
func describe(c *Change) string {
	var b strings.Builder
	for _, f := range c.Files {
		fmt.Fprintf(&b, "%s %s", f.Status, f.Path)
		if f.From != "" {
			fmt.Fprintf(&b, " from %s", f.From)
		}
		if f.FirstLine > 0 {
			fmt.Fprintf(&b, " line %d", f.FirstLine)
		}
		if f.Merged {
			b.WriteString(" merged")
		}
		fmt.Fprintf(&b, " v%s\n", f.Version)
	}
	for _, m := range c.Added {
		fmt.Fprintf(&b, "pending %s_%s: %s", m.Version, m.Name, m.Up.File)
		if m.Down != nil {
			fmt.Fprintf(&b, ", %s", m.Down.File)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func expect(t *testing.T, c *Change, want string) {
	t.Helper()
	var lines []string
	for line := range strings.SplitSeq(want, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line+"\n")
		}
	}
	if got, want := describe(c), strings.Join(lines, ""); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error lacks %q: %v", p, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
}
