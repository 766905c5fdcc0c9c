package ci

import "fmt"

// readGitLab reads GitLab's predefined variables (GitLab Docs, "Predefined
// CI/CD variables reference"). A merge request's stand in its child pipelines
// too, whose source is another, so its number decides.
func readGitLab(env func(string) string) (Run, error) {
	r := Run{
		Provider: GitLab, Event: env("CI_PIPELINE_SOURCE"), Repository: env("CI_PROJECT_PATH"), ProjectID: env("CI_PROJECT_ID"),
		APIURL: env("CI_API_V4_URL"), ServerURL: env("CI_SERVER_URL"), RunURL: env("CI_JOB_URL"),
		Workflow: env("CI_PIPELINE_NAME"), Job: env("CI_JOB_NAME"), Attempt: 1, Actor: env("GITLAB_USER_LOGIN"),
		Base: Base{Provider: GitLab},
	}
	v := gitlabVars{env: env}
	r.Head = v.sha("CI_COMMIT_SHA")
	switch {
	case env("CI_MERGE_REQUEST_IID") != "":
		v.mergeRequest(&r)
	case env("CI_EXTERNAL_PULL_REQUEST_IID") != "":
		v.external(&r)
	default:
		v.branch(&r)
	}
	if v.err != nil {
		return Run{}, v.err
	}
	return r, nil
}

// gitlabVars keeps the first error of reading variables.
type gitlabVars struct {
	env func(string) string
	err error
}

func (v *gitlabVars) sha(name string) string   { return v.check(sha(name, v.env(name))) }
func (v *gitlabVars) branchOf(n string) string { return v.check(refName(n, v.env(n))) }
func (v *gitlabVars) check(s string, err error) string {
	if v.err == nil {
		v.err = err
	}
	return s
}

// mergeRequest: the checkout is the source branch's head; of merged results
// and in a merge train it is a merge of it into the target (and the train
// before it), and only then the two branches' commits are told.
func (v *gitlabVars) mergeRequest(r *Run) {
	env := v.env
	r.PullRequest = number(env("CI_MERGE_REQUEST_IID"))
	if r.PullRequest == 0 {
		v.check("", fmt.Errorf("CI_MERGE_REQUEST_IID is %q, which is no number of a merge request: check what set it, %s", env("CI_MERGE_REQUEST_IID"), byHand))
	}
	// The pipeline of a fork may run in the fork; the merge request belongs to
	// the project it goes into.
	project, source := env("CI_MERGE_REQUEST_PROJECT_ID"), env("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
	if project != "" {
		r.InFork = project != r.ProjectID
		r.ProjectID, r.Repository = project, env("CI_MERGE_REQUEST_PROJECT_PATH")
	}
	r.HeadRepository = env("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH")
	r.Fork = source != r.ProjectID // a deleted fork has none
	if s := v.sha("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"); s != "" {
		r.Head, r.Base.MergeOf, r.Base.Merge = s, s, r.Head
	}
	r.Base.Commit, r.Base.Reason = v.sha("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"), "the target branch"
	if r.Base.Commit == "" {
		r.Base.Commit, r.Base.Reason = v.sha("CI_MERGE_REQUEST_DIFF_BASE_SHA"), "the merge request's base"
	}
	if target := v.branchOf("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"); !r.InFork {
		r.Base.Branch = target // a fork's branch of that name is another
	}
	if r.Base.Commit == "" && r.Base.Branch == "" {
		v.check("", fmt.Errorf("CI_MERGE_REQUEST_DIFF_BASE_SHA is not set, so where merge request %d starts is not known: pass it on, %s", r.PullRequest, byHand))
	}
}

// external is a pull request of GitHub on a mirror; its number is GitHub's, and
// none of a merge request here.
func (v *gitlabVars) external(r *Run) {
	env := v.env
	if s := v.sha("CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA"); s != "" {
		r.Head = s
	}
	r.HeadRepository = env("CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY")
	r.Fork = r.HeadRepository != env("CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY")
	r.Base.Commit = v.sha("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA")
	r.Base.Branch = v.branchOf("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME")
	r.Base.Stale, r.Base.Reason = r.Base.Commit != "", "the pull request's base"
}

// branch pipelines: a push knows the branch's previous head, which is zeros for
// a new branch, a tag, and a pipeline that somebody or something else started.
func (v *gitlabVars) branch(r *Run) {
	env := v.env
	r.Base.Branch, r.Base.Reason = v.branchOf("CI_DEFAULT_BRANCH"), "the default branch"
	r.Base.HeadBranch = v.branchOf("CI_COMMIT_BRANCH")
	before := v.sha("CI_COMMIT_BEFORE_SHA")
	if r.Event != "push" || env("CI_COMMIT_TAG") != "" || before == "" {
		return
	}
	r.Base.Commit, r.Base.Reason = before, "the push's previous head"
	if r.Base.Branch == env("CI_COMMIT_BRANCH") {
		r.Base.Branch = ""
	}
}
