package ci

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// payload holds the few fields of GitHub's webhook payloads that are used
// (GitHub Docs, "Webhook events and payloads"). A missing field is its zero
// value; one of another type is an error.
type payload struct {
	Ref         string       `json:"ref"`
	Before      string       `json:"before"`
	After       string       `json:"after"`
	Deleted     bool         `json:"deleted"`
	Action      string       `json:"action"`
	PullRequest *pullRequest `json:"pull_request"`
	MergeGroup  *struct {
		HeadSHA string `json:"head_sha"`
		BaseSHA string `json:"base_sha"`
		BaseRef string `json:"base_ref"`
	} `json:"merge_group"`
	WorkflowRun *workflowRun `json:"workflow_run"`
	Issue       *struct {
		Number      int       `json:"number"`
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
	Repository *repository `json:"repository"`
}

type pullRequest struct {
	Number int    `json:"number"`
	Head   branch `json:"head"`
	Base   branch `json:"base"`
}

type branch struct {
	Ref string `json:"ref"`
	SHA string `json:"sha"`
	// Repo is JSON null where the fork was deleted.
	Repo nullable `json:"repo"`
}

type workflowRun struct {
	Event          string   `json:"event"`
	HeadSHA        string   `json:"head_sha"`
	HeadBranch     string   `json:"head_branch"`
	HeadRepository nullable `json:"head_repository"`
	// PullRequests is empty for a fork's.
	PullRequests []pullRequest `json:"pull_requests"`
}

type repository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

// nullable tells a repository that is gone (null) from one that was not
// mentioned.
type nullable struct {
	repository
	there, null bool
}

func (n *nullable) UnmarshalJSON(data []byte) error {
	n.there = true
	if string(data) == "null" {
		n.null = true
		return nil
	}
	return json.Unmarshal(data, &n.repository)
}

// is reports whether two repositories are the same; one that is gone or not
// named is none.
func (r repository) is(other repository) bool {
	if r.ID != 0 && other.ID != 0 {
		return r.ID == other.ID
	}
	return r.FullName != "" && strings.EqualFold(r.FullName, other.FullName)
}

func decode(path string, data []byte) (payload, error) {
	var p payload
	err := json.Unmarshal(data, &p)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return p, fmt.Errorf("read the event's payload %s: %s holds a %s, which is not what GitHub sends: check the file, %s: %w", path, wrong.Field, wrong.Value, byHand, err)
	case err != nil:
		return p, fmt.Errorf("read the event's payload %s: it is no JSON object: check the file, %s: %w", path, byHand, err)
	}
	return p, nil
}
