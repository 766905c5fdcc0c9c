package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/migration-gate/migration-gate/gate/command/commandtest"
	"github.com/migration-gate/migration-gate/gate/report/gitlab/gitlabtest"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// TestGitLab runs the jobs of templates/ as a runner does, by the very lines of
// their scripts: testdata/script/gitlab, on every engine.
func TestGitLab(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		snapshottest.Missing(t, "the jobs of templates/: a runner runs them in bash, and there is none", "install bash")
	}
	t.Run("postgres", func(t *testing.T) {
		server := snapshottest.Server(t, "")
		jobs(t, target(t, "postgres"), func(ts *testscript.TestScript, file, out string) { dumpPostgres(ts, server, file, out, nil) })
	})
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			server := snapshottest.MySQL(t, flavour)
			var one sync.Mutex
			jobs(t, target(t, flavour), func(ts *testscript.TestScript, file, out string) {
				one.Lock()
				defer one.Unlock()
				dumpMySQL(ts, server, file, out, nil)
			})
		})
	}
}

func jobs(t *testing.T, env map[string]string, dump func(ts *testscript.TestScript, file, out string)) {
	bin, work := links(t), scratch(t)
	t.Cleanup(func() { empty(t, work) })
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script", "gitlab"),
		Setup: func(e *testscript.Env) error {
			for name, value := range env {
				e.Setenv(name, value)
			}
			e.Setenv("MIGRATION_GATE_WORK_DIR", work)
			e.Setenv("PATH", bin+string(os.PathListSeparator)+env["PATH"])
			// Beside the script's directory, which is the developer's repository.
			dir, err := os.MkdirTemp("", "mg-gitlab-")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(dir) })
			f := &forge{api: gitlabtest.New(e.T().(testing.TB)), dir: dir, remote: filepath.Join(dir, "orders.git")}
			f.api.AddToken(gitlabtest.Token{Value: projectToken, Scopes: []string{"api"}, User: 42})
			e.Values["gitlab"] = f
			return commandtest.Setup(e)
		},
		Condition: func(cond string) (bool, error) {
			if cond == "mysql" {
				return env["SQL"] == "mysql", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": commandtest.Exits,
			"repo":  commandtest.Repo,
			"dump":  func(ts *testscript.TestScript, neg bool, args []string) { dump(ts, args[0], args[1]) },
			"pipeline": func(ts *testscript.TestScript, neg bool, args []string) {
				forgeOf(ts).pipeline(ts, args)
			},
			"job":   runJob,
			"notes": func(ts *testscript.TestScript, neg bool, args []string) { forgeOf(ts).printNotes(ts) },
		},
		RequireUniqueNames: true,
	})
}

const projectToken = "glpat-projecttoken000000"

// forge is the GitLab of one script: a bare repository and an API.
type forge struct {
	api         *gitlabtest.Server
	dir, remote string
	n           int
}

func forgeOf(ts *testscript.TestScript) *forge { return ts.Value("gitlab").(*forge) }

func (f *forge) printNotes(ts *testscript.TestScript) {
	for _, n := range f.api.Notes() {
		fmt.Fprintf(ts.Stdout(), "note %d\n%s\n", n.ID, n.Body)
	}
}

func git(ts *testscript.TestScript, args ...string) string {
	ts.Check(ts.Exec("git", args...))
	return strings.TrimSpace(ts.ReadFile("stdout"))
}

// pipeline commits what is there to the branch change, pushes it and main, and
// goes where a runner has checked it out, shallow and detached: `pipeline
// mr|merged|fork|push [token]`: of the merge request's head, of merged results,
// of a fork's, or of the branch main with the change on it.
func (f *forge) pipeline(ts *testscript.TestScript, args []string) {
	dev := ts.MkAbs(".")
	if f.n++; f.n == 1 {
		git(ts, "init", "-q", "--bare", "-b", "main", f.remote)
		git(ts, "remote", "add", "gitlab", "file://"+f.remote)
		ts.Setenv("DEV", dev)
	}
	git(ts, "add", "-A")
	git(ts, "commit", "-q", "--allow-empty", "-m", "the change")
	fork, head := git(ts, "merge-base", "main", "change"), git(ts, "rev-parse", "change")
	// The target has gone on, as targets do.
	git(ts, "switch", "-q", "main")
	git(ts, "commit", "-q", "--allow-empty", "-m", "somebody else's")
	targetTip := git(ts, "rev-parse", "main")
	sha, vars := head, map[string]string{
		"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_ID": "300",
		"CI_MERGE_REQUEST_PROJECT_ID": "7", "CI_MERGE_REQUEST_PROJECT_PATH": "shop/orders",
		"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "shop/orders", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "change",
		"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": fork,
		"CI_MERGE_REQUEST_EVENT_TYPE": "detached", "CI_COMMIT_REF_NAME": "change",
	}
	ref := "refs/merge-requests/3/head"
	switch args[0] {
	case "mr":
	case "merged":
		git(ts, "checkout", "-q", "--detach")
		git(ts, "merge", "-q", "--no-ff", "-m", "Merge change into main", "change")
		sha, ref = git(ts, "rev-parse", "HEAD"), "refs/merge-requests/3/merge"
		vars["CI_MERGE_REQUEST_EVENT_TYPE"] = "merged_result"
		vars["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"], vars["CI_MERGE_REQUEST_TARGET_BRANCH_SHA"] = head, targetTip
	case "fork": // its pipeline runs in the fork, with the fork's variables
		vars["CI_PROJECT_ID"], vars["CI_PROJECT_PATH"] = "8", "mallory/orders"
		vars["CI_MERGE_REQUEST_SOURCE_PROJECT_ID"], vars["CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"] = "8", "mallory/orders"
	case "push":
		git(ts, "merge", "-q", "--no-ff", "-m", "Merge change into main", "change")
		sha, ref = git(ts, "rev-parse", "HEAD"), "refs/heads/main"
		vars = map[string]string{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_BEFORE_SHA": targetTip}
	default:
		ts.Fatalf("usage: pipeline mr|merged|fork|push [token]")
	}
	if ref != "refs/heads/main" {
		git(ts, "push", "-q", "-f", f.remote, sha+":"+ref)
	}
	git(ts, "push", "-q", "-f", f.remote, sha+fmt.Sprintf(":refs/pipelines/%d", f.n), "main:refs/heads/main", "change:refs/heads/change")
	git(ts, "switch", "-q", "change")

	dir := filepath.Join(f.dir, fmt.Sprint(f.n), "shop", "orders")
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(ts.Chdir(dir))
	for name, value := range map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_SERVER": "yes", "CI_SERVER_URL": "https://gitlab.example.com", "CI_API_V4_URL": f.api.APIURL(),
		"CI_PROJECT_ID": "7", "CI_PROJECT_PATH": "shop/orders", "CI_PROJECT_NAME": "orders", "CI_PROJECT_DIR": dir, "CI_BUILDS_DIR": filepath.Dir(filepath.Dir(dir)),
		"CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": sha, "CI_COMMIT_SHORT_SHA": sha[:8], "CI_COMMIT_BEFORE_SHA": strings.Repeat("0", 40),
		"CI_JOB_ID": "9", "CI_JOB_TOKEN": "glcbt-64_jobtoken", "CI_JOB_URL": "https://gitlab.example.com/shop/orders/-/jobs/9", "CI_PIPELINE_ID": fmt.Sprint(f.n),
		"CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_IID": "", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "",
		"MIGRATION_GATE_GITLAB_TOKEN": "",
	} {
		ts.Setenv(name, value)
	}
	for name, value := range vars {
		ts.Setenv(name, value)
	}
	if slices.Contains(args, "token") {
		ts.Setenv("MIGRATION_GATE_GITLAB_TOKEN", projectToken)
	}
}

// checkout is what a runner does before a job, with the job's GIT_DEPTH.
func (f *forge) checkout(ts *testscript.TestScript, depth string) {
	pipeline := "refs/pipelines/" + ts.Getenv("CI_PIPELINE_ID")
	fetch := []string{"fetch", "-q", "--no-tags", "--prune", "origin", "+" + pipeline + ":" + pipeline}
	if depth != "0" {
		fetch = slices.Insert(fetch, 1, "--depth", depth)
	}
	if _, err := os.Stat(ts.MkAbs(".git")); err != nil {
		git(ts, "init", "-q")
		git(ts, "remote", "add", "origin", "file://"+f.remote)
	}
	git(ts, fetch...)
	git(ts, "checkout", "-q", "-f", "--detach", ts.Getenv("CI_COMMIT_SHA"))
}

// job is what of a job's keywords these tests run, with templates' inputs put in.
type gitlabJob struct {
	Variables    map[string]string `yaml:"variables"`
	Extends      string            `yaml:"extends"`
	Script       []string          `yaml:"script"`
	AfterScript  []string          `yaml:"after_script"`
	AllowFailure bool              `yaml:"allow_failure"`
	Artifacts    struct {
		When    string            `yaml:"when"`
		Paths   []string          `yaml:"paths"`
		Reports map[string]string `yaml:"reports"`
	} `yaml:"artifacts"`
}

// runJob runs a job of a template: `job CODE FILE NAME [INPUT=VALUE…]`, and
// wants its script to end with that exit code, and its artifacts to be there.
func runJob(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: job CODE FILE NAME [INPUT=VALUE…]")
	}
	self, err := os.Getwd() // the tests', that of the module
	ts.Check(err)
	raw, err := os.ReadFile(filepath.Join(self, "templates", args[1]))
	ts.Check(err)
	inputs := map[string]string{}
	for _, a := range args[3:] {
		name, value, _ := strings.Cut(a, "=")
		inputs[name] = value
	}
	config, err := interpolate(raw, inputs)
	ts.Check(err)
	var all map[string]gitlabJob
	ts.Check(yaml.Unmarshal(config, &all))
	j, ok := all[args[2]]
	if !ok || len(j.Script) == 0 {
		ts.Fatalf("%s has no job %s", args[1], args[2])
	}
	ts.Setenv("CI_JOB_NAME", args[2])
	ts.Setenv("GIT_DEPTH", cmp.Or(ts.Getenv("GIT_DEPTH"), "20")) // the project's, by default
	for name, value := range j.Variables {
		ts.Setenv(name, os.Expand(value, ts.Getenv))
	}
	forgeOf(ts).checkout(ts, ts.Getenv("GIT_DEPTH"))
	code := 0
	var exit *exec.ExitError
	// One shell for all lines, which ends with the first that fails.
	if err := ts.Exec("bash", "-eo", "pipefail", "-c", strings.Join(j.Script, "\n")); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if len(j.AfterScript) > 0 { // in a shell of its own, whatever came before; its exit code is ignored
		_ = ts.Exec("bash", "-eo", "pipefail", "-c", strings.Join(j.AfterScript, "\n"))
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, args[0], stdout, stderr)
	}
	if err := artifacts(j, ts.MkAbs(".")); err != nil {
		ts.Fatalf("artifacts: %v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("../job.log"), []byte(stdout), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("../job.err"), []byte(stderr), 0o644))
}

// artifacts checks that what a job uploads is there, and what GitLab can read.
func artifacts(j gitlabJob, dir string) error {
	for _, p := range j.Artifacts.Paths {
		if !strings.HasSuffix(p, "/") {
			return fmt.Errorf("path %s: only a directory with a slash is shown by expose_as", p)
		}
		if entries, err := os.ReadDir(filepath.Join(dir, p)); err != nil || len(entries) == 0 {
			return fmt.Errorf("path %s: nothing to upload (%v)", p, err)
		}
	}
	for kind, p := range j.Artifacts.Reports {
		raw, err := os.ReadFile(filepath.Join(dir, p))
		if err != nil {
			return err
		}
		check := map[string]func([]byte) error{"codequality": codeQuality, "junit": junit, "dotenv": dotenv}[kind]
		if check == nil {
			return fmt.Errorf("no check for reports of kind %s", kind)
		}
		if err := check(raw); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

func codeQuality(raw []byte) error {
	var entries []struct {
		Description string `json:"description"`
		CheckName   string `json:"check_name"`
		Fingerprint string `json:"fingerprint"`
		Severity    string `json:"severity"`
		Location    struct {
			Path  string `json:"path"`
			Lines struct {
				Begin int `json:"begin"`
			} `json:"lines"`
		} `json:"location"`
	}
	if err := json.Unmarshal(raw, &entries); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if e.Description == "" || e.CheckName == "" || e.Fingerprint == "" || seen[e.Fingerprint] || e.Location.Path == "" || e.Location.Lines.Begin < 1 ||
			!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, e.Severity) {
			return fmt.Errorf("an entry GitLab does not take: %+v", e)
		}
		seen[e.Fingerprint] = true
	}
	return nil
}

func junit(raw []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(raw))
	suites := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if suites == 0 {
				return errors.New("no testsuites element")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if el, ok := tok.(xml.StartElement); ok && el.Name.Local == "testsuites" {
			suites++
		}
	}
}

func dotenv(raw []byte) error {
	if len(raw) > 5*1024 {
		return fmt.Errorf("%d bytes", len(raw))
	}
	line := regexp.MustCompile(`^[A-Za-z0-9_]+=[^\r\n]*\n$`)
	for l := range strings.Lines(string(raw)) {
		if !line.MatchString(l) {
			return fmt.Errorf("line %q", l)
		}
	}
	return nil
}
