package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/report/github/githubtest"
	"github.com/migration-gate/migration-gate/gate/report/github/runnertest"
)

// pullRequest is a job of a pull request on a GitHub that the test made up:
// the repository is real, and so are git, the database and the tool.
type pullRequest struct {
	t       *testing.T
	dir     string
	runner  string // directory of what the runner hands to a step
	env     []string
	head    string
	payload string
}

func (p *pullRequest) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "core.hooksPath=/dev/null"}, args...)...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (p *pullRequest) write(name, content string) {
	p.t.Helper()
	name = filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// push commits what is there to the branch change and checks out the merge
// commit, as the runner does.
func (p *pullRequest) push() {
	p.git("checkout", "-q", "-B", "change")
	p.git("add", "-A")
	p.git("commit", "-q", "--allow-empty", "-m", "change")
	p.head = p.git("rev-parse", "HEAD")
	p.git("checkout", "-q", "--detach", "main")
	p.git("merge", "-q", "--no-ff", "-m", "merge", "change")
	p.payload = fmt.Sprintf(`{"number": 7, "pull_request": {"number": 7,
		"base": {"ref": "main", "sha": %q, "repo": {"full_name": "octo/shop"}},
		"head": {"ref": "change", "sha": %q, "repo": {"full_name": "octo/shop"}}},
		"repository": {"full_name": "octo/shop", "default_branch": "main"}}`, p.git("rev-parse", "main"), p.head)
}

// job is what a step leaves behind.
type job struct {
	code            int
	commands        []runnertest.Command
	outputs         map[string]string
	summary, stderr string
}

func (j job) annotations(level string) (n int) {
	for _, c := range j.commands {
		if c.Name == level {
			n++
		}
	}
	return n
}

// run runs the action as a step of the job does.
func (p *pullRequest) run(api *githubtest.Server, inputs ...string) job {
	p.t.Helper()
	files := map[string]string{"event.json": p.payload, "output": "", "summary": ""}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(p.runner, name), []byte(content), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(self)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &stdout, &stderr
	cmd.Env = append(append([]string{
		"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=pull_request", "GITHUB_EVENT_PATH=" + filepath.Join(p.runner, "event.json"),
		"GITHUB_OUTPUT=" + filepath.Join(p.runner, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(p.runner, "summary"),
		"GITHUB_REPOSITORY=octo/shop", "GITHUB_SHA=" + p.git("rev-parse", "HEAD"), "GITHUB_WORKSPACE=" + p.dir,
		"GITHUB_API_URL=" + api.URL, "GITHUB_SERVER_URL=https://github.example", "GITHUB_RUN_ID=1", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_WORKFLOW=migrations", "GITHUB_JOB=migration-gate", "INPUT_GITHUB-TOKEN=" + api.Token,
	}, p.env...), inputs...)
	j := job{}
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		j.code = exit.ExitCode()
	} else if err != nil {
		p.t.Fatal(err)
	}
	j.commands, j.stderr = runnertest.Parse(stdout.Bytes()), stderr.String()
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(p.runner, name))
		if err != nil {
			p.t.Fatal(err)
		}
		return content
	}
	if j.outputs, err = runnertest.ParseOutputs(read("output")); err != nil {
		p.t.Fatal(err)
	}
	j.summary = string(read("summary"))
	if len(j.commands) == 0 || j.commands[0].Name != "add-mask" || j.commands[0].Data != api.Token {
		p.t.Error("the runner is not told first to hide the token")
	}
	if said := strings.Replace(stdout.String(), "::add-mask::"+api.Token, "", 1) + j.stderr; strings.Contains(said, api.Token) {
		p.t.Error("the token is in the log")
	}
	return j
}

// TestGitHub: sixty findings, everything that can be told GitHub is told within
// its limits and ten calls; an API that refuses everything changes nothing; and
// once the change is mended, so is what stands on the pull request.
func TestGitHub(t *testing.T) {
	const tables = 60
	p := &pullRequest{t: t, dir: t.TempDir(), runner: t.TempDir()}
	for name, value := range target(t, "postgres") {
		p.env = append(p.env, name+"="+value)
	}
	work := scratch(t)
	defer empty(t, work)
	p.env = append(p.env, "MIGRATION_GATE_WORK_DIR="+work, "HOME="+p.runner, "GIT_CONFIG_NOSYSTEM=1")

	var create, drop strings.Builder
	for i := range tables {
		fmt.Fprintf(&create, "CREATE TABLE old_%d (id bigint PRIMARY KEY);\n", i)
		fmt.Fprintf(&drop, "DROP TABLE old_%d;\n", i)
	}
	p.git("init", "-q", "-b", "main")
	p.write(".gitignore", "/.migration-gate/\n/migration-gate-report/\n")
	p.write("migrations/000001_old.up.sql", create.String())
	p.write("migrations/000001_old.down.sql", "SELECT 1;\n")
	p.git("add", "-A")
	p.git("commit", "-q", "-m", "main")
	p.write("migrations/000002_note.up.sql", "ALTER TABLE old_0 ADD COLUMN note text;\n")
	p.write("migrations/000002_note.down.sql", drop.String())
	p.push()
	first := p.head
	api := githubtest.New(t, githubtest.Options{Commits: []string{p.head}, PullRequests: []githubtest.PullRequest{{Number: 7, Head: p.head, Branch: "change"}}})
	all := []string{"INPUT_COMMIT-STATUS=true", "INPUT_CHECK-RUN=true", "INPUT_COMMENT=auto"}

	j := p.run(api, all...)
	if j.code != 1 || j.outputs["verdict"] != "fail" {
		t.Fatalf("exit code %d, verdict %q, want 1 and fail\n%s", j.code, j.outputs["verdict"], j.stderr)
	}
	if n := j.annotations("error"); n != 10 {
		t.Errorf("%d annotations of level error, want 10", n)
	}
	for i := range tables {
		if line := fmt.Sprintf("DROP TABLE old_%d", i); !strings.Contains(j.summary, line) {
			t.Errorf("the summary does not list %s", line)
		}
	}
	calls := api.Requests()
	if len(calls) > 10 {
		t.Errorf("%d calls of the API, want 10 at most", len(calls))
	}
	t.Logf("%d calls of the API", len(calls))
	for _, c := range calls {
		if c.Status >= 400 {
			t.Errorf("%s %s: %d", c.Method, c.Path, c.Status)
		}
	}
	statuses := api.Statuses()
	if len(statuses) != 2 || statuses[0].State != "pending" || statuses[1].State != "failure" || statuses[1].SHA != first {
		t.Errorf("statuses are %+v, want pending and failure on %s", statuses, first)
	}
	if checks := api.CheckRuns(); len(checks) != 1 || checks[0].Conclusion != "failure" || len(checks[0].Annotations) < tables {
		t.Errorf("check runs are %+v, want one with all annotations", checks)
	}
	if comments := api.Comments(); len(comments) != 1 || !strings.Contains(comments[0].Body, "FAIL") {
		t.Errorf("comments are %+v, want one that says FAIL", comments)
	}

	// An API that answers 403 whatever is asked changes nothing.
	api.Fail(githubtest.Fault{Status: 403, Body: `{"message": "Resource not accessible by integration"}`})
	j = p.run(api, all...)
	if j.code != 1 || j.outputs["verdict"] != "fail" || j.annotations("error") != 10 {
		t.Errorf("with 403 everywhere: exit code %d, verdict %q, %d annotations", j.code, j.outputs["verdict"], j.annotations("error"))
	}
	if n := strings.Count(j.stderr, "403"); n != 1 {
		t.Errorf("403 is told %d times, want one notice:\n%s", n, j.stderr)
	}
	api.Heal()

	// A run that cannot decide leaves nothing pending.
	j = p.run(api, append(all, "INPUT_SNAPSHOT=nowhere.dump")...)
	if statuses = api.Statuses(); j.code != 2 || statuses[len(statuses)-1].State != "error" {
		t.Errorf("exit code %d, last status %+v, want 2 and error", j.code, statuses[len(statuses)-1])
	}

	// Mended.
	p.git("checkout", "-q", "-f", "change")
	p.write("migrations/000002_note.down.sql", "ALTER TABLE old_0 RENAME COLUMN note TO _deprecated_note;\n")
	p.push()
	api.Push(7, p.head)
	j = p.run(api, all...)
	if j.code != 0 || j.outputs["verdict"] != "pass" || j.annotations("error") != 0 {
		t.Errorf("mended: exit code %d, verdict %q, %d annotations\n%s", j.code, j.outputs["verdict"], j.annotations("error"), j.stderr)
	}
	statuses = api.Statuses()
	if last := statuses[len(statuses)-1]; last.State != "success" || last.SHA != p.head {
		t.Errorf("last status is %+v, want success on %s", last, p.head)
	}
	if comments := api.Comments(); len(comments) != 1 || !strings.Contains(comments[0].Body, "PASS") {
		t.Errorf("comments are %+v, want the one from before, with PASS", comments)
	}
}

// TestForkComment runs what docs/github.md has a second workflow run to comment
// on a fork's pull request: in no checkout, with the environment that the page
// hands over and nothing else.
func TestForkComment(t *testing.T) {
	var recipe string
	for _, block := range yamlBlocks(t, "docs/github.md") {
		if strings.Contains(block, "workflow_run:") {
			recipe = strings.ReplaceAll(block, "\\\n", " ")
		}
	}
	_, run, found := strings.Cut(recipe, "docker run ")
	options, args, image := strings.Cut(run, "ghcr.io/migration-gate/migration-gate:1 ")
	if !found || !image {
		t.Fatalf("docs/github.md has no such recipe:\n%s", recipe)
	}
	const head = "c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7" // in the event
	api := githubtest.New(t, githubtest.Options{Repository: "acme/shop", PullRequests: []githubtest.PullRequest{
		{Number: 12, Head: head, Branch: "widen-total", HeadRepository: "mallory/shop"},
		{Number: 13, Head: head, Branch: "widen-total"},
	}})
	event, err := filepath.Abs("gate/ci/testdata/github/workflow_run_fork.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stored, err := os.ReadFile("gate/report/testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), stored, 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Of the runner's variables the container gets those that are named.
	runner := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": api.URL,
		"GITHUB_EVENT_PATH": event, "GITHUB_TOKEN": "not handed over", "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
	}
	cmd := exec.Command(self, strings.Fields(strings.SplitN(args, "\n", 2)[0])...)
	cmd.Dir = dir
	cmd.Env = []string{asTool + "=1", "HOME=" + dir}
	for _, m := range regexp.MustCompile(`-e (\w+)(?:=(\$\{\{ [^}]*\}\}|\S*))?`).FindAllStringSubmatch(options, -1) {
		value := runner[m[1]]
		switch m[2] {
		case "":
		case "/event.json":
			value = event
		case "${{ github.token }}":
			value = api.Token
		default:
			t.Fatalf("%s is given a value that is not known here: %s", m[1], m[2])
		}
		cmd.Env = append(cmd.Env, m[1]+"="+value)
	}
	for _, want := range []string{"a comment", "the same comment"} {
		again := exec.Command(cmd.Path, cmd.Args[1:]...)
		again.Dir, again.Env = cmd.Dir, cmd.Env
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if cs := api.Comments(); len(cs) != 1 || cs[0].PullRequest != 12 || !strings.Contains(cs[0].Body, "FAIL") {
			t.Fatalf("comments %+v, want %s on the fork's pull request", cs, want)
		}
	}
}
