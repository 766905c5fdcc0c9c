//go:build unix

package changeset

import (
	"encoding/base64"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// serve offers a repository over HTTP, by git's own server, to who has the
// token. It counts who came without.
func serve(t *testing.T, dir, token string) (url string, refused *atomic.Int32) {
	t.Helper()
	refused = new(atomic.Int32)
	backend := &cgi.Handler{
		Path: filepath.Join(gitIn(t, dir, "--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"},
	}
	if _, err := os.Stat(backend.Path); err != nil {
		snapshottest.Missing(t, "fetching with the checkout's token: this git cannot serve HTTP ("+err.Error()+")", "install a git with git-http-backend")
	}
	want := "basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != want {
			refused.Add(1)
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
			http.Error(w, "Repository not found.", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, req)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/" + filepath.Base(dir), refused
}

// A container of an action: root, on a checkout of the runner's user, with
// another HOME, and the token where actions/checkout v6 keeps it: in a file
// beside the runner's, included for this repository alone.
func TestContainer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not tested: a checkout of another user, which only root can make; to have it tested: run as root")
	}
	f := newForge(t)
	url, refused := serve(t, f.dir, "ghs_token")
	r := f.checkout(f.merged, "refs/pull/1/merge", 1)
	r.git("remote", "set-url", "origin", url)
	credentials := filepath.Join(t.TempDir(), "git-credentials-4f1c.config")
	header := "AUTHORIZATION: basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:ghs_token"))
	gitIn(t, r.dir, "config", "--file", credentials, "http."+url[:strings.LastIndex(url, "/")]+"/.extraheader", header)
	r.git("config", "includeIf.gitdir:"+r.dir+"/.git.path", credentials)
	t.Setenv("HOME", filepath.Join(t.TempDir(), "elsewhere"))
	if err := os.Chmod(filepath.Dir(r.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	r.remove(".git/FETCH_HEAD") // not every checkout leaves one
	const runner = 12345
	if err := filepath.WalkDir(r.dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, runner, runner)
	}); err != nil {
		t.Fatal(err)
	}

	b := github(t, "pull_request", pullRequest(f.head, f.stale, f.merged))
	c := r.detect(event(b))
	expectBase(t, c, f.base, "first parent of the merge commit that is checked out (the pull request's base)", widened)
	if !strings.Contains(r.log.String(), "fetch") || refused.Load() > 0 {
		t.Errorf("fetched without the token %d times; log: %s", refused.Load(), r.log.String())
	}
	if strings.Contains(r.log.String(), "ghs_token") || strings.Contains(r.log.String(), header) {
		t.Errorf("the log has the token: %s", r.log.String())
	}

	// What would be closed to the runner's user: our directories, and FETCH_HEAD.
	if err := filepath.WalkDir(filepath.Join(r.dir, ".git"), func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != runner && (d.IsDir() || d.Name() == "FETCH_HEAD") {
			t.Errorf("%s is root's now", p)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	// The job's next steps are the runner's own again, and go on with its files.
	if err := os.Chmod(credentials, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(credentials)), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"fetch", "-q", "--deepen=5", "origin"}, {"commit", "-q", "--allow-empty", "-m", "by the runner"}, {"gc", "-q"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = r.dir
		cmd.Env = cleanEnv(os.Environ())
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: runner, Gid: runner}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("git %v as the checkout's owner, after us: %v: %s", args, err, out)
		}
	}

	// Without the token it is an error that says so, not a prompt.
	if err := os.Remove(credentials); err != nil {
		t.Fatal(err)
	}
	r2 := f.checkout(f.merged, "refs/pull/1/merge", 1)
	r2.git("remote", "set-url", "origin", url)
	_, err := r2.tryDetect(event(b))
	wantError(t, err, "fetch-depth: 2", "fatal: ")
}
