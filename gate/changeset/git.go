package changeset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// repo is one repository, as git's command line sees it.
type repo struct {
	top     string // real path of the working tree
	cwd     string // real path of where the command runs
	named   string // the same as it was given, its links not followed
	shallow bool
	branch  string // the branch checked out, "" when detached
	log     *slog.Logger
	ctx     context.Context // for reads through fs.FS, which has no context of its own
}

// open finds the repository around dir.
func open(ctx context.Context, dir string, log *slog.Logger) (*repo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	asGiven := abs
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	r := &repo{cwd: abs, named: asGiven, log: log, ctx: ctx}
	// git refuses a repository of another owner before it tells where its top
	// is, so the top that safe.directory must name is looked for here.
	for d := abs; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			r.top = d
			break
		}
		if d == filepath.Dir(d) {
			return nil, &Unversioned{Dir: abs, message: abs + " is not in a git working tree: run migration-gate in your repository"}
		}
	}
	out, err := r.run(ctx, "rev-parse", "--is-shallow-repository", "--is-inside-work-tree")
	if err != nil {
		return nil, fmt.Errorf("open git repository %s: %w", r.top, err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != 2 || answers[1] != "true" {
		return nil, fmt.Errorf("%s has no working tree: run migration-gate in one", r.top)
	}
	r.shallow = answers[0] == "true"
	return r, nil
}

// head returns the commit of ref, or of the working tree's HEAD.
func (r *repo) head(ctx context.Context, ref string) (string, error) {
	if ref != "" {
		id, err := r.commit(ctx, ref)
		if err != nil {
			return "", fmt.Errorf("find head %s: %w", ref, err)
		}
		return id, nil
	}
	if out, err := r.run(ctx, "symbolic-ref", "--quiet", "--short", "HEAD"); err == nil {
		r.branch = strings.TrimSpace(string(out))
	}
	id, err := r.commit(ctx, "HEAD")
	if err != nil {
		return "", &Unversioned{Dir: r.top, message: "the repository " + r.top + " has no commit yet: commit your work, then run this again"}
	}
	return id, nil
}

// commit resolves a name to a commit that is present; errNoCommit if not.
func (r *repo) commit(ctx context.Context, name string) (string, error) {
	out, err := r.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", errNoCommit
	}
	return strings.TrimSpace(string(out)), nil
}

var errNoCommit = errors.New("no such commit in this clone")

// run calls git in the working tree and returns its output.
func (r *repo) run(ctx context.Context, args ...string) ([]byte, error) {
	return r.pipe(ctx, nil, args...)
}

// pipe is run with input.
func (r *repo) pipe(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	full := append([]string{
		"-C", r.top,
		"-c", "safe.directory=" + r.top, // the checkout may belong to another user; never set globally
		"-c", "core.fsmonitor=false", // would run a program that the checkout names
		"-c", "core.quotePath=false",
		"-c", "gc.auto=0", "-c", "maintenance.auto=false",
		// What is fetched stays a pack: as loose objects it would leave
		// directories of ours, perhaps root's, that the checkout's owner cannot
		// write to.
		"-c", "fetch.unpackLimit=1",
		"--no-optional-locks", // a reader must not fight the user's own git
		// git diff heeds no such lock: it would leave an index of ours, perhaps root's.
		"-c", "diff.autoRefreshIndex=false",
		"--literal-pathspecs", // a directory may be called ":(top)*"
	}, args...)
	cmd := exec.CommandContext(ctx, "git", full...)
	cmd.Env = cleanEnv(cmd.Environ())
	cmd.Stdin = stdin
	cmd.WaitDelay = 2 * time.Second // a transport helper may hold the pipes
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("git is not installed, or not on PATH: %w", err)
	}
	return out.Bytes(), fmt.Errorf("git %s: %w: %s", args[0], err, lastLines(errs.String()))
}

// misleading variables would make git look at another repository, index or
// object store than the one around the directory (a hook sets some of them),
// or change how paths are read. What carries credentials or configuration
// stays.
var misleading = map[string]bool{
	"GIT_DIR": true, "GIT_WORK_TREE": true, "GIT_COMMON_DIR": true, "GIT_INDEX_FILE": true,
	"GIT_OBJECT_DIRECTORY": true, "GIT_ALTERNATE_OBJECT_DIRECTORIES": true, "GIT_NAMESPACE": true,
	"GIT_PREFIX": true, "GIT_SHALLOW_FILE": true, "GIT_GRAFT_FILE": true, "GIT_REPLACE_REF_BASE": true,
	"GIT_IMPLICIT_WORK_TREE": true, "GIT_INTERNAL_SUPER_PREFIX": true, "GIT_CEILING_DIRECTORIES": true,
	"GIT_LITERAL_PATHSPECS": true, "GIT_GLOB_PATHSPECS": true, "GIT_NOGLOB_PATHSPECS": true, "GIT_ICASE_PATHSPECS": true,
	"GIT_EXTERNAL_DIFF": true, "GIT_DIFF_OPTS": true,
	"LC_ALL": true, "LANGUAGE": true, "GIT_TERMINAL_PROMPT": true, // set below
}

func cleanEnv(env []string) []string {
	kept := make([]string, 0, len(env)+2)
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); !misleading[name] {
			kept = append(kept, kv)
		}
	}
	return append(kept, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
}

// lastLines keeps what git said was wrong, or else the end of what it had to
// say, on one line.
func lastLines(s string) string {
	var lines, fatal []string
	for l := range strings.SplitSeq(s, "\n") {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		lines = append(lines, l)
		if strings.HasPrefix(l, "fatal: ") || strings.HasPrefix(l, "error: ") {
			fatal = append(fatal, l)
		}
	}
	if len(fatal) > 0 {
		lines = fatal
	}
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// treeish names a directory of a commit.
func treeish(commit, dir string) string {
	if dir == "." {
		return commit + "^{tree}"
	}
	return commit + ":" + dir
}
