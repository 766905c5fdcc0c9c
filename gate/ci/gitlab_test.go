package ci

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gitlabEnv is what every job has, and a case's own variables.
func gitlabEnv(more ...set) func(string) string {
	env := set{
		"GITLAB_CI": "true", "CI": "true", "CI_PIPELINE_SOURCE": "push", "CI_PROJECT_ID": "71", "CI_PROJECT_PATH": "acme/backend/shop",
		"CI_API_V4_URL": "https://gitlab.example.com/api/v4", "CI_SERVER_URL": "https://gitlab.example.com", "CI_JOB_URL": "https://gitlab.example.com/acme/backend/shop/-/jobs/5001",
		"CI_JOB_NAME": "migration-gate: [16]", "CI_COMMIT_SHA": headSHA, "CI_COMMIT_BEFORE_SHA": strings.Repeat("0", 40), "CI_DEFAULT_BRANCH": "main", "GITLAB_USER_LOGIN": "dana",
	}
	for _, m := range more {
		for name, value := range m {
			env[name] = value
		}
	}
	return func(name string) string { return env[name] }
}

// mergeRequest is what GitLab sets for a merge request from the same project.
var mergeRequest = set{
	"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_ID": "90012", "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
	"CI_MERGE_REQUEST_PROJECT_ID": "71", "CI_MERGE_REQUEST_PROJECT_PATH": "acme/backend/shop", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "71", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/backend/shop",
	"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "widen-total", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": baseSHA,
	"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "",
}

func TestGitLab(t *testing.T) {
	onMR := Base{Provider: GitLab, Commit: baseSHA, Branch: "main", Reason: "the merge request's base"}
	merged := set{"CI_COMMIT_SHA": mergeSHA, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": headSHA, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": staleSHA, "CI_MERGE_REQUEST_EVENT_TYPE": "merged_result"}
	fork := set{"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "902", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "mallory/shop"}
	for _, tc := range []struct {
		name       string
		env        []set
		want       Run
		restricted bool
		plain      bool
	}{
		{name: "merge request", env: []set{mergeRequest},
			want: Run{Event: "merge_request_event", Head: headSHA, PullRequest: 12, HeadRepository: "acme/backend/shop", Base: onMR}},
		{name: "merged results", env: []set{mergeRequest, merged},
			want: Run{Event: "merge_request_event", Head: headSHA, PullRequest: 12, HeadRepository: "acme/backend/shop", Base: Base{Provider: GitLab, MergeOf: headSHA, Merge: mergeSHA, Commit: staleSHA, Branch: "main", Reason: "the target branch"}}},
		{name: "merge train", env: []set{mergeRequest, merged, {"CI_MERGE_REQUEST_EVENT_TYPE": "merge_train"}},
			want: Run{Event: "merge_request_event", Head: headSHA, PullRequest: 12, HeadRepository: "acme/backend/shop", Base: Base{Provider: GitLab, MergeOf: headSHA, Merge: mergeSHA, Commit: staleSHA, Branch: "main", Reason: "the target branch"}}},
		{name: "a child pipeline of a merge request's", env: []set{mergeRequest, {"CI_PIPELINE_SOURCE": "parent_pipeline"}},
			want: Run{Event: "parent_pipeline", Head: headSHA, PullRequest: 12, HeadRepository: "acme/backend/shop", Base: onMR}},
		{name: "from a fork, run in the fork", env: []set{mergeRequest, fork, {"CI_PROJECT_ID": "902", "CI_PROJECT_PATH": "mallory/shop"}}, restricted: true,
			want: Run{Event: "merge_request_event", Head: headSHA, PullRequest: 12, HeadRepository: "mallory/shop", Fork: true, InFork: true, Base: with(onMR, func(b *Base) { b.Branch = "" })}},
		{name: "from a fork, started in the project by a member", env: []set{mergeRequest, fork},
			want: Run{Event: "merge_request_event", Head: headSHA, PullRequest: 12, HeadRepository: "mallory/shop", Fork: true, Base: onMR}},
		{name: "from a fork that is gone", env: []set{mergeRequest, {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": ""}},
			want: Run{Event: "merge_request_event", Head: headSHA, PullRequest: 12, Fork: true, Base: onMR}},
		{name: "push", env: []set{{"CI_COMMIT_BRANCH": "main", "CI_COMMIT_BEFORE_SHA": baseSHA}}, plain: true,
			want: Run{Event: "push", Head: headSHA, Base: Base{Provider: GitLab, Commit: baseSHA, HeadBranch: "main", Reason: "the push's previous head"}}},
		{name: "push to another branch", env: []set{{"CI_COMMIT_BRANCH": "release/2.x", "CI_COMMIT_BEFORE_SHA": baseSHA}}, plain: true,
			want: Run{Event: "push", Head: headSHA, Base: Base{Provider: GitLab, Commit: baseSHA, Branch: "main", HeadBranch: "release/2.x", Reason: "the push's previous head"}}},
		{name: "push of a new branch", env: []set{{"CI_COMMIT_BRANCH": "widen-total"}}, plain: true,
			want: Run{Event: "push", Head: headSHA, Base: Base{Provider: GitLab, Branch: "main", HeadBranch: "widen-total", Reason: "the default branch"}}},
		{name: "tag", env: []set{{"CI_COMMIT_TAG": "v1.4.0"}}, plain: true,
			want: Run{Event: "push", Head: headSHA, Base: Base{Provider: GitLab, Branch: "main", Reason: "the default branch"}}},
		{name: "schedule", env: []set{{"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"}}, plain: true,
			want: Run{Event: "schedule", Head: headSHA, Base: Base{Provider: GitLab, Branch: "main", HeadBranch: "main", Reason: "the default branch"}}},
		{name: "a pull request of GitHub on a mirror", env: []set{{"CI_PIPELINE_SOURCE": "external_pull_request_event", "CI_EXTERNAL_PULL_REQUEST_IID": "3", "CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY": "acme/shop", "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY": "acme/shop",
			"CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA": headSHA, "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA": baseSHA, "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME": "main"}},
			want: Run{Event: "external_pull_request_event", Head: headSHA, HeadRepository: "acme/shop", Base: Base{Provider: GitLab, Commit: baseSHA, Stale: true, Branch: "main", Reason: "the pull request's base"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Read(gitlabEnv(tc.env...), os.ReadFile)
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want
			want.Provider, want.Repository, want.ProjectID, want.Attempt, want.Job, want.Actor = GitLab, "acme/backend/shop", "71", 1, "migration-gate: [16]", "dana"
			want.APIURL, want.ServerURL, want.RunURL = "https://gitlab.example.com/api/v4", "https://gitlab.example.com", "https://gitlab.example.com/acme/backend/shop/-/jobs/5001"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want - got +\n%s", diff)
			}
			if _, ok := got.Untrusted(); ok {
				t.Error("untrusted")
			}
			if _, ok := got.Restricted(); ok != tc.restricted {
				t.Errorf("restricted: %v", ok)
			}
			if got.IsChangeRequest() == tc.plain {
				t.Errorf("is a change request: %v", got.IsChangeRequest())
			}
		})
	}
}

func TestGitLabRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		env  []set
		want []string
	}{
		"no base":                  {[]set{mergeRequest, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": ""}}, []string{"CI_MERGE_REQUEST_DIFF_BASE_SHA is not set", "merge request 12"}},
		"a base that is no commit": {[]set{mergeRequest, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "$BASE"}}, []string{"CI_MERGE_REQUEST_DIFF_BASE_SHA", "$BASE"}},
		"a number that is none":    {[]set{mergeRequest, {"CI_MERGE_REQUEST_IID": "twelve"}}, []string{"CI_MERGE_REQUEST_IID", "twelve"}},
		"an option for a branch":   {[]set{{"CI_DEFAULT_BRANCH": "--output=x"}}, []string{"CI_DEFAULT_BRANCH"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(gitlabEnv(tc.env...), os.ReadFile)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range append(tc.want, "--base REF") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
		})
	}
}
