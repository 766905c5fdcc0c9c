package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
)

// tryCmd stands in for a command that ends in the way under test.
type tryCmd struct {
	Timeout time.Duration `default:"1h"`
	do      func(ctx context.Context, a *app) (gate.Verdict, error)
}

func (c *tryCmd) Deadline() time.Duration { return c.Timeout }

func (c *tryCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) { return c.do(ctx, a) }

func try(t *testing.T, ctx context.Context, do func(context.Context, *app) (gate.Verdict, error), args ...string) (int, string) {
	t.Helper()
	var stderr bytes.Buffer
	g := struct {
		Try tryCmd `cmd:""`
	}{Try: tryCmd{do: do}}
	code := run(ctx, Env{Args: append([]string{"migration-gate", "try"}, args...), Dir: t.TempDir(), Stdout: new(bytes.Buffer), Stderr: &stderr}, &g)
	return code, stderr.String()
}

func TestExitCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		verdict gate.Verdict
		err     error
		code    int
		stderr  string
	}{
		"pass":    {gate.Pass, nil, 0, ""},
		"skipped": {gate.Skipped, nil, 0, ""},
		"fail":    {gate.Fail, nil, 1, ""},
		"error":   {gate.Error, nil, 2, ""},
		"fault":   {gate.Pass, errors.New("restore snapshot:\n  pg_restore: \x1b[31mbad\n"), 2, "migration-gate: restore snapshot:; pg_restore: \\x1b[31mbad\n"},
		"usage":   {gate.Pass, &usageError{"no such file", "name another"}, 2, "migration-gate: no such file; name another\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stderr := try(t, t.Context(), func(context.Context, *app) (gate.Verdict, error) { return tt.verdict, tt.err })
			if code != tt.code || stderr != tt.stderr {
				t.Errorf("exit code %d, stderr %q; want %d, %q", code, stderr, tt.code, tt.stderr)
			}
		})
	}
}

func TestPanicRunsCleanupAndIsReported(t *testing.T) {
	cleaned := false
	code, stderr := try(t, t.Context(), func(context.Context, *app) (gate.Verdict, error) {
		defer func() { cleaned = true }()
		panic("index out of range")
	})
	if code != 2 || !cleaned {
		t.Errorf("exit code %d, cleaned up %v; want 2, true", code, cleaned)
	}
	first, rest, _ := strings.Cut(stderr, "\n")
	if first != "migration-gate: internal error: index out of range; please report it with what follows" || !strings.Contains(rest, "run_test.go") {
		t.Errorf("stderr:\n%s", stderr)
	}
}

// brokenCmd is a command with a report that comes to no verdict.
type brokenCmd struct {
	config.Output
	config.Publishing
	do func(context.Context) (gate.Verdict, error)
}

func (c *brokenCmd) output() config.Output { return c.Output }
func (c *brokenCmd) directory() string     { return "" }
func (c *brokenCmd) publishes() (config.Publishing, config.Output, bool) {
	return c.Publishing, c.Output, c.Publish != "never"
}
func (c *brokenCmd) Run(ctx context.Context, _ *app) (gate.Verdict, error) { return c.do(ctx) }

// TestPanicIsTold: what waits for a verdict gets one, whatever broke.
func TestPanicIsTold(t *testing.T) {
	dir := t.TempDir()
	var g struct {
		Broken brokenCmd `cmd:""`
	}
	g.Broken.do = func(context.Context) (gate.Verdict, error) { panic("index out of range") }
	output := filepath.Join(dir, "output")
	var stderr bytes.Buffer
	code := run(t.Context(), Env{
		Args: []string{"migration-gate", "broken"}, Dir: dir, Stdout: new(bytes.Buffer), Stderr: &stderr,
		Environ: []string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_OUTPUT=" + output},
	}, &g)
	if code != 2 || !strings.Contains(stderr.String(), "run_test.go") {
		t.Errorf("exit code %d, want 2 and where it broke:\n%s", code, stderr.String())
	}
	for name, want := range map[string]string{output: "\nerror\n", filepath.Join(dir, "migration-gate-report", "report.json"): `"verdict": "error"`} {
		if content, err := os.ReadFile(name); err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s: %v, want %q in it:\n%s", name, err, want, content)
		}
	}
}

// TestLogsAreGuarded: what a migration or a server says reaches neither stream
// of a CI system's log as a command, and by hand stays as it is.
func TestLogsAreGuarded(t *testing.T) {
	const gitHub, gitLab = "##[error]forged\n::error::forged\n", "section_end:1:report\rover"
	var g struct {
		Try tryCmd `cmd:""`
	}
	g.Try.do = func(_ context.Context, a *app) (gate.Verdict, error) {
		for _, w := range []io.Writer{a.env.Stdout, a.env.Stderr} {
			if _, err := io.WriteString(w, gitHub+gitLab+"\n"); err != nil {
				t.Error(err)
			}
		}
		return gate.Pass, nil
	}
	for system, commands := range map[string][]string{"GITHUB_ACTIONS": {"##[error]", "\n::error::"}, "GITLAB_CI": {"section_end:", "\r"}, "": nil} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), Env{
			Args: []string{"migration-gate", "try"}, Dir: t.TempDir(), Stdout: &stdout, Stderr: &stderr,
			Environ: []string{system + "=true", "GITHUB_EVENT_NAME=schedule"},
		}, &g)
		for stream, said := range map[string]string{"standard output": stdout.String(), "standard error": stderr.String()} {
			if code != 0 || !strings.Contains(said, "forged") || system == "" && !strings.Contains(said, gitHub+gitLab) {
				t.Errorf("%s: exit code %d, %s %q", system, code, stream, said)
			}
			for _, c := range commands {
				if strings.Contains(said, c) {
					t.Errorf("%s: %s holds the command %q: %q", system, stream, c, said)
				}
			}
		}
	}
}

func TestTimeoutNamesThePhase(t *testing.T) {
	code, stderr := try(t, t.Context(), func(ctx context.Context, a *app) (gate.Verdict, error) {
		a.phase(ctx, "provision")()
		defer a.phase(ctx, "restore")()
		defer a.phase(ctx, "unpack")()
		<-ctx.Done()
		return gate.Error, ctx.Err()
	}, "--timeout=20ms")
	if want := "migration-gate: --timeout 20ms is over during unpack; raise it where that may take longer\n"; code != 2 || stderr != want {
		t.Errorf("exit code %d, stderr %q; want 2, %q", code, stderr, want)
	}
}

// TestInterruptedRunIsTold: a status that was pending gets its end although the
// run's context is over, under the name that the job's matrix gives it.
func TestInterruptedRunIsTold(t *testing.T) {
	const head = "c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7"
	api := githubtest.New(t, githubtest.Options{Commits: []string{head}})
	ctx, interrupt := context.WithCancel(t.Context())
	var g struct {
		Broken brokenCmd `cmd:""`
	}
	g.Broken.do = func(ctx context.Context) (gate.Verdict, error) {
		interrupt()
		return gate.Error, ctx.Err()
	}
	code := run(ctx, Env{
		Args: []string{"migration-gate", "broken", "--commit-status"}, Dir: t.TempDir(), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer),
		Environ: []string{
			"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_SHA=" + head, "GITHUB_REPOSITORY=octo/shop",
			"GITHUB_API_URL=" + api.URL, "INPUT_GITHUB-TOKEN=" + api.Token, `INPUT_MATRIX={"service": "orders"}`,
		},
	}, &g)
	if s := api.Statuses(); code != 130 || len(s) != 1 || s[0].State != "error" || s[0].SHA != head || s[0].Context != "migration-gate/verdict (service=orders)" {
		t.Errorf("exit code %d, statuses %+v, want 130 and error on the head", code, s)
	}
}

// TestActCallsNoAPI: act hands over the token of whoever is logged in, who only
// tries a workflow.
func TestActCallsNoAPI(t *testing.T) {
	const head = "c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7"
	for publish, want := range map[string]int{"auto": 0, "never": 0, "always": 1} {
		api := githubtest.New(t, githubtest.Options{Commits: []string{head}})
		var g struct {
			Broken brokenCmd `cmd:""`
		}
		g.Broken.do = func(context.Context) (gate.Verdict, error) { return gate.Error, errors.New("no server") }
		code := run(t.Context(), Env{
			Args: []string{"migration-gate", "broken", "--commit-status", "--publish", publish}, Dir: t.TempDir(), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer),
			Environ: []string{
				"ACT=true", "GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_SHA=" + head, "GITHUB_REPOSITORY=octo/shop",
				"GITHUB_API_URL=" + api.URL, "INPUT_GITHUB-TOKEN=" + api.Token,
			},
		}, &g)
		if n := len(api.Statuses()); code != 2 || n != want || want == 0 && len(api.Requests()) > 0 {
			t.Errorf("--publish %s: exit code %d, %d statuses of %d calls, want %d", publish, code, n, len(api.Requests()), want)
		}
	}
}

func TestInterruption(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	code, stderr := try(t, ctx, func(ctx context.Context, a *app) (gate.Verdict, error) {
		defer a.phase(ctx, "apply")()
		interrupt()
		<-ctx.Done()
		return gate.Error, errors.New("read from connection: use of closed network connection")
	})
	if code != 130 || stderr != "migration-gate: interrupted during apply\n" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestWhatCouldNotBeRemovedIsTold(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	code, stderr := try(t, ctx, func(ctx context.Context, a *app) (verdict gate.Verdict, err error) {
		a.phase(ctx, "restore") // left open, as by an early return
		defer closing(ctx, &err, "remove the server", func(ctx context.Context) error {
			if ctx.Err() != nil {
				t.Error("cleanup runs on a context that is over")
			}
			return errors.New("permission denied")
		})
		interrupt()
		return gate.Error, ctx.Err()
	})
	if want := "migration-gate: interrupted during restore; remove the server: permission denied\n"; code != 130 || stderr != want {
		t.Errorf("exit code %d, stderr %q; want 130, %q", code, stderr, want)
	}
}

func TestVerdictReachedBeforeInterruptionStands(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	code, _ := try(t, ctx, func(context.Context, *app) (gate.Verdict, error) {
		interrupt()
		return gate.Fail, nil
	})
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

func TestPolicy(t *testing.T) {
	table := []gate.TablePolicy{{Pattern: "orders"}}
	a := newApp(Env{Stderr: new(bytes.Buffer)}, nil, &config.Parsed{Tables: table, Rules: map[string]gate.Severity{"down-missing": gate.Off}}, config.Global{})
	p := a.policy(config.Budget{MaxExclusiveMS: 5, MaxWriteBlockMS: 7}, config.Reversing{Reversal: "exact"}, config.Downs{DeprecationPrefix: "old_"}, config.Failing{FailOn: "never"})
	if p.MaxExclusive != 5*time.Millisecond || p.MaxWriteBlock != 7*time.Millisecond || p.Reversal != gate.Exact ||
		p.DeprecationPrefix != "old_" || p.FailOn != gate.Off || len(p.Tables) != 1 || p.Rules["down-missing"] != gate.Off {
		t.Errorf("policy %+v", p)
	}
}

// TestWhatRootWritesIsTheCheckouts: the runner's user has to be able to remove
// it, with the directories that were made for it.
func TestWhatRootWritesIsTheCheckouts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not tested: who owns what root writes; to have it tested: run as root")
	}
	const user, group = 1234, 5678
	dir := t.TempDir()
	if err := os.Chown(dir, user, group); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "out", "reports", "report.txt"), []byte("PASS")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"out", "out/reports", "out/reports/report.txt"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != user || st.Gid != group {
			t.Errorf("%s belongs to %d:%d, want %d:%d", name, st.Uid, st.Gid, user, group)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	read := func(p string) string {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	deep := filepath.Join(dir, "a", "b", "r.json")
	for _, content := range []string{"first", "second"} {
		if err := writeFile(deep, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got := read(deep); got != content {
			t.Errorf("content %q, want %q", got, content)
		}
	}
	if names, _ := os.ReadDir(filepath.Dir(deep)); len(names) != 1 {
		t.Errorf("left behind beside the report: %v", names)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if info, _ := os.Stat(deep); info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v: others cannot read the report", info.Mode())
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(deep, link); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, []byte("third")); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 || read(deep) != "third" {
		t.Error("the link was replaced instead of what it points to")
	}

	if err := writeFile(os.DevNull, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(os.DevNull); info.Mode()&os.ModeDevice == 0 {
		t.Fatal("the device was replaced by a file")
	}

	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(blocked, "r.json"), nil); err == nil {
		t.Error("no error for a directory that cannot be made")
	}
}

func TestSourceStaysInside(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "in")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Join(inside, "m.sql"), filepath.Join(dir, "secret")} {
		if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := readSource(inside)
	if _, ok := read("m.sql"); !ok {
		t.Error("a file inside is not read")
	}
	for _, p := range []string{"../secret", filepath.Join(dir, "secret"), ".", "none"} {
		if _, ok := read(p); ok {
			t.Errorf("%s is read", p)
		}
	}
}
