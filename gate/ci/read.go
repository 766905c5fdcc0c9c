package ci

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Read tells from the environment which system runs the gate and what it says
// of the change. readFile reads the event's payload (GITHUB_EVENT_PATH), where
// the event has facts that no variable holds. An error means that such a fact
// cannot be had: to go on without would compare with another base, or trust
// somebody who is not.
func Read(getenv func(string) string, readFile func(string) ([]byte, error)) (Run, error) {
	env := func(name string) string { return strings.TrimSpace(getenv(name)) }
	switch {
	case env("GITHUB_ACTIONS") == "true":
		return readGitHub(env, readFile)
	case env("GITLAB_CI") == "true":
		return readGitLab(env)
	}
	return Run{}, nil
}

// byHand is the way out of every error here.
const byHand = "or leave out the CI's variables and pass --base REF, to run as by hand"

var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// sha takes a commit's id as the systems spell it; "" for none, which is also
// what a row of zeros means.
func sha(where, s string) (string, error) {
	if strings.Trim(s, "0") == "" && (s == "" || commitID.MatchString(s)) {
		return "", nil
	}
	if !commitID.MatchString(s) {
		return "", fmt.Errorf("%s is %q, which is no commit id: check what set it, %s", where, s, byHand)
	}
	return s, nil
}

// refName is what git takes in a name (git-check-ref-format), and nothing that
// could be an option or a range.
func refName(where, s string) (string, error) {
	bad := strings.HasPrefix(s, "-") || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.HasSuffix(s, ".") || strings.HasSuffix(s, ".lock") ||
		strings.Contains(s, "..") || strings.Contains(s, "//") || strings.Contains(s, "@{") || s == "@" || strings.ContainsAny(s, " ~^:?*[\\\x7f") ||
		strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 })
	if bad {
		return "", fmt.Errorf("%s is %q, which is no name of a branch: check what set it, %s", where, s, byHand)
	}
	return s, nil
}

// bareBranch takes "main" out of "refs/heads/main"; "" for another kind of ref.
func bareBranch(ref string) string {
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return name
	}
	if strings.HasPrefix(ref, "refs/") {
		return ""
	}
	return ref
}

// number reads a positive number; 0 for everything else.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
