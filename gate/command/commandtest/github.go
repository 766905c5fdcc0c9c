package commandtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// PullRequest puts the script where a job on GitHub is: `pull-request [EVENT]
// [fork]` commits what is there to the branch change, checks out the merge
// commit of it and main, detached, and sets what the runner sets. The event is
// pull_request unless named.
func PullRequest(ts *testscript.TestScript, neg bool, args []string) {
	event, headRepo := "pull_request", "acme/shop"
	for _, a := range args {
		if a == "fork" {
			headRepo = "mallory/shop"
			continue
		}
		event = a
	}
	for _, git := range [][]string{
		{"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", "the change"},
		{"checkout", "-q", "--detach", "main"}, {"merge", "-q", "--no-ff", "-m", "Merge change into main", "change"},
	} {
		ts.Check(ts.Exec("git", git...))
	}
	sha := func(ref string) string {
		ts.Check(ts.Exec("git", "rev-parse", ref))
		return strings.TrimSpace(ts.ReadFile("stdout"))
	}
	payload := fmt.Sprintf(`{"action": "synchronize", "number": 7,
 "pull_request": {"number": 7,
  "base": {"ref": "main", "sha": %q, "repo": {"full_name": "acme/shop", "fork": false}},
  "head": {"ref": "change", "sha": %q, "repo": {"full_name": %q, "fork": %t}}},
 "repository": {"full_name": "acme/shop", "default_branch": "main"}}
`, sha("main"), sha("change"), headRepo, headRepo != "acme/shop")
	dir := filepath.Join(ts.MkAbs("."), ".git", "runner")
	ts.Check(os.MkdirAll(dir, 0o755))
	for name, content := range map[string]string{"event.json": payload, "output": "", "summary.md": ""} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	for name, value := range map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": filepath.Join(dir, "event.json"),
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary.md"),
		"GITHUB_REPOSITORY": "acme/shop", "GITHUB_SHA": sha("HEAD"), "GITHUB_REF": "refs/pull/7/merge", "GITHUB_BASE_REF": "main", "GITHUB_HEAD_REF": "change",
		"GITHUB_WORKSPACE": ts.MkAbs("."), "GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_WORKFLOW": "migrations", "GITHUB_JOB": "migration-gate",
		"GITHUB_SERVER_URL": "https://github.example", "OUTPUT": filepath.Join(dir, "output"), "SUMMARY": filepath.Join(dir, "summary.md"),
	} {
		ts.Setenv(name, value)
	}
}
