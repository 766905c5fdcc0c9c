package ci

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the payloads in testdata speak of.
const (
	staleSHA = "3f1c2a9be0d4475a8c6b1e2f9d7a0c4b5e6f7081"
	baseSHA  = "7b0e9d1c5a3f48268e1d4c6b9a0f2e3d4c5b6a79"
	headSHA  = "c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7"
	mergeSHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
)

// githubEnv is what a runner sets for an event, and variables that a case adds
// or, by "", takes away.
func githubEnv(event, file string, more map[string]string) func(string) string {
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": filepath.Join("testdata", "github", file+".json"),
		"GITHUB_REPOSITORY": "acme/shop", "GITHUB_SHA": mergeSHA, "GITHUB_API_URL": "https://api.github.com", "GITHUB_SERVER_URL": "https://github.com",
		"GITHUB_RUN_ID": "16200000002", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_WORKFLOW": "pull request", "GITHUB_JOB": "migration-gate", "GITHUB_ACTOR": "dana",
	}
	for name, value := range more {
		env[name] = value
	}
	return func(name string) string { return env[name] }
}

// set is a variable of a case.
type set = map[string]string

func TestGitHub(t *testing.T) {
	onPull := Base{Provider: GitHub, MergeOf: headSHA, Merge: mergeSHA, Commit: baseSHA, Stale: true, Branch: "main", Checkout: "refs/pull/12/merge", Reason: "the pull request's base"}
	onTarget := with(onPull, func(b *Base) { b.Merge = "" })
	for _, tc := range []struct {
		name, event, file string
		env               set
		want              Run // what every case has is filled in
		untrusted         bool
		restricted        bool
		plain             bool // not about a change request
	}{
		{name: "pull request", event: "pull_request", file: "pull_request",
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "acme/shop", Base: onPull}},
		{name: "its base moved on since", event: "pull_request", file: "pull_request_stale_base",
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "acme/shop", Base: with(onPull, func(b *Base) { b.Commit = staleSHA })}},
		{name: "from a fork", event: "pull_request", file: "pull_request_fork", restricted: true,
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "mallory/shop", Fork: true, Base: onPull}},
		{name: "from a fork that is gone", event: "pull_request", file: "pull_request_deleted_fork", restricted: true,
			want: Run{Head: headSHA, PullRequest: 12, Fork: true, Base: onPull}},
		{name: "from Dependabot", event: "pull_request", file: "pull_request_dependabot", env: set{"GITHUB_ACTOR": "dependabot[bot]"}, restricted: true,
			want: Run{Head: headSHA, PullRequest: 14, HeadRepository: "acme/shop", Actor: "dependabot[bot]", Base: with(onPull, func(b *Base) { b.Checkout = "refs/pull/14/merge" })}},
		{name: "Dependabot's, and a person ran it again", event: "pull_request", file: "pull_request_dependabot",
			want: Run{Head: headSHA, PullRequest: 14, HeadRepository: "acme/shop", Base: with(onPull, func(b *Base) { b.Checkout = "refs/pull/14/merge" })}},
		{name: "closed", event: "pull_request", file: "pull_request_closed",
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "acme/shop", Base: Base{Provider: GitHub, Branch: "main", Reason: "the pull request's base"}}},
		{name: "review of a fork's", event: "pull_request_review", file: "pull_request_review", restricted: true,
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "mallory/shop", Fork: true, Base: onPull}},
		{name: "pull_request_target", event: "pull_request_target", file: "pull_request_target", env: set{"GITHUB_SHA": baseSHA},
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "acme/shop", Base: onTarget}},
		{name: "pull_request_target of a fork", event: "pull_request_target", file: "pull_request_target_fork", env: set{"GITHUB_SHA": baseSHA}, untrusted: true,
			want: Run{Head: headSHA, PullRequest: 12, HeadRepository: "mallory/shop", Fork: true, Base: onTarget}},
		{name: "merge queue", event: "merge_group", file: "merge_group", env: set{"GITHUB_SHA": headSHA},
			want: Run{Head: headSHA, Base: Base{Provider: GitHub, Commit: baseSHA, Exact: true, Branch: "main", Reason: "the merge group's base"}}},
		{name: "push", event: "push", file: "push", env: set{"GITHUB_SHA": headSHA, "GITHUB_REF": "refs/heads/main"}, plain: true,
			want: Run{Head: headSHA, Base: Base{Provider: GitHub, Commit: baseSHA, HeadBranch: "main", Reason: "the push's previous head"}}},
		{name: "push to another branch", event: "push", file: "push_branch", env: set{"GITHUB_SHA": headSHA}, plain: true,
			want: Run{Head: headSHA, Base: Base{Provider: GitHub, Commit: baseSHA, Branch: "main", HeadBranch: "release/2.x", Reason: "the push's previous head"}}},
		{name: "push of a new branch", event: "push", file: "push_new_branch", env: set{"GITHUB_SHA": headSHA}, plain: true,
			want: Run{Head: headSHA, Base: Base{Provider: GitHub, Branch: "main", HeadBranch: "widen-total", Reason: "the default branch, since the push made widen-total"}}},
		{name: "forced push", event: "push", file: "push_forced", env: set{"GITHUB_SHA": headSHA}, plain: true,
			want: Run{Head: headSHA, Base: Base{Provider: GitHub, Commit: staleSHA, HeadBranch: "main", Reason: "the push's previous head"}}},
		{name: "push that deletes", event: "push", file: "push_deleted", env: set{"GITHUB_SHA": baseSHA}, plain: true,
			want: Run{Head: baseSHA, Base: Base{Provider: GitHub, Commit: baseSHA, Exact: true, Reason: "the head itself: the push deleted widen-total"}}},
		{name: "push of an annotated tag", event: "push", file: "push_tag", env: set{"GITHUB_SHA": headSHA}, plain: true,
			want: Run{Head: headSHA, Base: Base{Provider: GitHub, Branch: "main", Reason: "the default branch, since a tag was pushed"}}},
		{name: "workflow_run after a pull request", event: "workflow_run", file: "workflow_run", env: set{"GITHUB_SHA": baseSHA},
			want: Run{HeadBranch: "widen-total", Head: headSHA, PullRequest: 12, HeadRepository: "acme/shop", Base: with(onTarget, func(b *Base) { b.Commit, b.Checkout = staleSHA, headSHA })}},
		{name: "workflow_run after a fork's", event: "workflow_run", file: "workflow_run_fork", env: set{"GITHUB_SHA": baseSHA}, untrusted: true,
			want: Run{HeadBranch: "widen-total", Head: headSHA, HeadRepository: "mallory/shop", Fork: true, Base: Base{Provider: GitHub, MergeOf: headSHA, Branch: "main", Checkout: headSHA, Reason: "the default branch"}}},
		{name: "workflow_run after a fork's that is gone", event: "workflow_run", file: "workflow_run_deleted_fork", env: set{"GITHUB_SHA": baseSHA}, untrusted: true,
			want: Run{HeadBranch: "widen-total", Head: headSHA, Fork: true, Base: Base{Provider: GitHub, MergeOf: headSHA, Branch: "main", Checkout: headSHA, Reason: "the default branch"}}},
		{name: "workflow_run after pull_request_target, which names only our repository", event: "workflow_run", file: "workflow_run_target", env: set{"GITHUB_SHA": baseSHA}, untrusted: true,
			want: Run{HeadBranch: "widen-total", Head: headSHA, HeadRepository: "acme/shop", Fork: true, Base: Base{Provider: GitHub, MergeOf: headSHA, Branch: "main", Checkout: headSHA, Reason: "the default branch"}}},
		{name: "workflow_run after a push", event: "workflow_run", file: "workflow_run_push", env: set{"GITHUB_SHA": headSHA}, plain: true,
			want: Run{HeadBranch: "widen-total", Head: headSHA, HeadRepository: "acme/shop", Base: Base{Provider: GitHub, Branch: "main", Reason: "the default branch"}}},
		{name: "comment on a pull request, which may be a fork's", event: "issue_comment", file: "issue_comment", env: set{"GITHUB_SHA": baseSHA}, untrusted: true,
			want: Run{PullRequest: 12, Fork: true, Base: Base{Provider: GitHub, Branch: "main", Checkout: "refs/pull/12/merge", Reason: "the default branch"}}},
		{name: "comment on an issue", event: "issue_comment", file: "issue_comment_issue", plain: true,
			want: Run{Head: mergeSHA, Base: Base{Provider: GitHub, Branch: "main", Reason: "the default branch"}}},
		{name: "schedule", event: "schedule", file: "schedule", plain: true, want: Run{Head: mergeSHA, Base: Base{Provider: GitHub, Branch: "main"}}},
		{name: "by hand", event: "workflow_dispatch", file: "workflow_dispatch", env: set{"GITHUB_ACTOR": "dependabot[bot]"}, plain: true,
			want: Run{Head: mergeSHA, Actor: "dependabot[bot]", Base: Base{Provider: GitHub, Branch: "main"}}},
		{name: "an event that needs no payload, without", event: "schedule", file: "nowhere", plain: true, want: Run{Head: mergeSHA, Base: Base{Provider: GitHub}}},
		{name: "no event at all", event: "", file: "nowhere", plain: true, want: Run{Head: mergeSHA, Base: Base{Provider: GitHub}}},

		{name: "act without an event", event: "pull_request", file: "act_empty", env: set{"ACT": "true"}, want: Run{Act: true, Head: mergeSHA, Base: Base{Provider: GitHub}}},
		{name: "act without a file", event: "push", file: "nowhere", env: set{"ACT": "true"}, plain: true, want: Run{Act: true, Head: mergeSHA, Base: Base{Provider: GitHub, Reason: "the default branch"}}},
		{name: "act with a thin pull request", event: "pull_request", file: "act_pull_request", env: set{"ACT": "true"},
			want: Run{Act: true, Head: mergeSHA, Base: Base{Provider: GitHub, Branch: "main", Reason: "the pull request's base"}}},
		{name: "act with a thin push", event: "push", file: "act_push", env: set{"ACT": "true"}, plain: true,
			want: Run{Act: true, Head: mergeSHA, Base: Base{Provider: GitHub, Reason: "the default branch"}}},
		{name: "act with a recorded pull request", event: "pull_request", file: "pull_request", env: set{"ACT": "true"},
			want: Run{Act: true, Head: headSHA, PullRequest: 12, HeadRepository: "acme/shop", Base: with(onPull, func(b *Base) { b.Checkout = "" })}},
		{name: "act with a recorded fork", event: "pull_request", file: "pull_request_fork", env: set{"ACT": "true"}, restricted: true,
			want: Run{Act: true, Head: headSHA, PullRequest: 12, HeadRepository: "mallory/shop", Fork: true, Base: with(onPull, func(b *Base) { b.Checkout = "" })}},
		{name: "act cannot tell whose the code is", event: "pull_request_target", file: "act_empty", env: set{"ACT": "true"}, untrusted: true,
			want: Run{Act: true, Head: mergeSHA, Fork: true, Base: Base{Provider: GitHub}}},
		{name: "nor here", event: "workflow_run", file: "act_empty", env: set{"ACT": "true"}, untrusted: true,
			want: Run{Act: true, Head: mergeSHA, Fork: true, Base: Base{Provider: GitHub}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Read(githubEnv(tc.event, tc.file, tc.env), os.ReadFile)
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want
			want.Provider, want.Event, want.Repository, want.Attempt = GitHub, tc.event, "acme/shop", 1
			want.APIURL, want.ServerURL, want.Workflow, want.Job = "https://api.github.com", "https://github.com", "pull request", "migration-gate"
			if want.Actor == "" {
				want.Actor = "dana"
			}
			if !want.Act {
				want.RunURL = "https://github.com/acme/shop/actions/runs/16200000002"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want - got +\n%s", diff)
			}
			event, ok := got.Untrusted()
			if ok != tc.untrusted || ok && event != tc.event {
				t.Errorf("untrusted: %q, %v", event, ok)
			}
			if why, ok := got.Restricted(); ok != tc.restricted || ok == (why == "") {
				t.Errorf("restricted: %q, %v", why, ok)
			}
			if got.IsChangeRequest() == tc.plain {
				t.Errorf("is a change request: %v", got.IsChangeRequest())
			}
		})
	}
}

func with(b Base, f func(*Base)) Base { f(&b); return b }

// Enterprise's server has addresses of its own, and an attempt its own page.
func TestGitHubAddresses(t *testing.T) {
	got, err := Read(githubEnv("schedule", "schedule", set{"GITHUB_API_URL": "https://git.example.com/api/v3/", "GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_RUN_ATTEMPT": "3"}), os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if got.APIURL != "https://git.example.com/api/v3" || got.RunURL != "https://git.example.com/acme/shop/actions/runs/16200000002/attempts/3" || got.Attempt != 3 {
		t.Errorf("%+v", got)
	}
}

// What cannot be known is an error that says what to do, and never a guess.
func TestGitHubRefusals(t *testing.T) {
	file := func(content string) func(string) ([]byte, error) {
		return func(string) ([]byte, error) { return []byte(content), nil }
	}
	for name, tc := range map[string]struct {
		event string
		env   set
		read  func(string) ([]byte, error)
		want  []string
	}{
		"no path":                    {"pull_request", set{"GITHUB_EVENT_PATH": ""}, file("{}"), []string{"GITHUB_EVENT_PATH is not set", "pull_request event"}},
		"no file":                    {"push", nil, os.ReadFile, []string{"payload of the push event", "mount the file", "missing.json"}},
		"an empty file":              {"pull_request", nil, file(""), []string{"no JSON object"}},
		"half a file":                {"merge_group", nil, file(`{"merge_group": {"base_sha": "`), []string{"no JSON object"}},
		"a list":                     {"push", nil, file(`[]`), []string{"array"}},
		"broken, where it was given": {"schedule", nil, file(`{"repository": 7}`), []string{"repository", "number"}},
		"broken, under act":          {"pull_request", set{"ACT": "true"}, file(`{"pull_request": "12"}`), []string{"pull_request", "string"}},
		"a number that is text":      {"pull_request", nil, file(`{"pull_request": {"number": "12"}}`), []string{"pull_request.number", "string"}},
		"no pull request":            {"pull_request", nil, file(`{"action": "opened"}`), []string{"has no pull_request:"}},
		"no pull request to target":  {"pull_request_target", nil, file(`{}`), []string{"has no pull_request:"}},
		"a pull request, no head":    {"pull_request", nil, file(`{"pull_request": {"number": 12, "base": {"ref": "main"}}}`), []string{"has no pull_request.head.sha"}},
		"a head that is no commit":   {"pull_request", nil, file(`{"pull_request": {"number": 12, "head": {"sha": "--upload-pack=x"}}}`), []string{"pull_request.head.sha", "no commit id"}},
		"a short commit":             {"pull_request", set{"ACT": "true"}, file(`{"pull_request": {"head": {"sha": "abc123"}}}`), []string{"pull_request.head.sha", "abc123"}},
		"a branch that is an option": {"pull_request", nil, file(`{"pull_request": {"number": 12, "head": {"sha": "` + headSHA + `"}, "base": {"ref": "--upload-pack=x"}}}`), []string{"pull_request.base.ref", "no name of a branch"}},
		"no merge group":             {"merge_group", nil, file(`{}`), []string{"has no merge_group:"}},
		"a merge group without base": {"merge_group", nil, file(`{"merge_group": {"head_sha": "` + headSHA + `"}}`), []string{"has no merge_group.base_sha"}},
		"a push without before":      {"push", nil, file(`{"ref": "refs/heads/main", "after": "` + headSHA + `"}`), []string{"has no before"}},
		"no workflow run":            {"workflow_run", nil, file(`{}`), []string{"has no workflow_run:"}},
		"no issue":                   {"issue_comment", nil, file(`{}`), []string{"has no issue:"}},
		"a GITHUB_SHA that is none":  {"schedule", set{"GITHUB_SHA": "HEAD"}, file(`{}`), []string{"GITHUB_SHA", "HEAD"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(githubEnv(tc.event, "missing", tc.env), tc.read)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range append(tc.want, "--base REF") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
	_, err := Read(githubEnv("push", "missing", nil), os.ReadFile)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cause is gone: %v", err)
	}
}

func TestNoCI(t *testing.T) {
	got, err := Read(func(name string) string { return set{"CI": "true", "GITHUB_EVENT_NAME": "pull_request"}[name] }, os.ReadFile)
	if err != nil || got != (Run{}) || got.IsChangeRequest() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, ok := got.Untrusted(); ok {
		t.Error("untrusted")
	}
	if _, ok := got.Restricted(); ok {
		t.Error("restricted")
	}
}

// FuzzPayload: whatever stands in the file, what comes out is fit for git's
// command line.
func FuzzPayload(f *testing.F) {
	files, err := filepath.Glob("testdata/github/*.json")
	if err != nil || len(files) < 20 {
		f.Fatal(err, files)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, event := range needsPayload {
			if strings.HasPrefix(filepath.Base(name), event) {
				f.Add(event, data, false)
			}
		}
		f.Add("pull_request", data, true)
	}
	f.Fuzz(func(t *testing.T, event string, data []byte, act bool) {
		env := set{}
		if act {
			env["ACT"] = "true"
		}
		r, err := Read(githubEnv(event, "fuzz", env), func(string) ([]byte, error) { return data, nil })
		if err != nil {
			if r != (Run{}) {
				t.Errorf("an error and a run: %+v", r)
			}
			return
		}
		for _, id := range []string{r.Head, r.Base.Commit, r.Base.MergeOf} {
			if id != "" && !commitID.MatchString(id) {
				t.Errorf("not a commit: %q", id)
			}
		}
		for _, name := range []string{r.Base.Branch, r.Base.HeadBranch, r.Base.Checkout} {
			if strings.HasPrefix(name, "-") || strings.ContainsAny(name, " \n\x00:^~") {
				t.Errorf("not a ref: %q", name)
			}
		}
		if !act && r.Base.Exact && r.Base.Commit == "" && event == "merge_group" {
			t.Error("exact, and no commit")
		}
		if r.PullRequest < 0 {
			t.Errorf("number %d", r.PullRequest)
		}
	})
}
