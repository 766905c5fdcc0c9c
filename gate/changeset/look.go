package changeset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
)

// ErrNoGit says that there is no git to run.
var ErrNoGit = errors.New("git is not installed, or not on PATH")

// GitVersion is the version of the git that is run: "2.47.3".
func GitVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "--version").Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", ErrNoGit
	case err != nil:
		return "", fmt.Errorf("ask git for its version: %w", err)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(out), "git version ")), nil
}

// Repository is what git says of the repository around a directory.
type Repository struct {
	Top     string `json:"top"`
	Shallow bool   `json:"shallow"`
	Branch  string `json:"branch"` // "" for a detached head
	Head    string `json:"head"`
}

// LookAt describes the repository around a directory; an *Unversioned error says
// that there is none, or none with a commit.
func LookAt(ctx context.Context, dir string) (Repository, error) {
	r, err := open(ctx, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return Repository{}, err
	}
	head, err := r.head(ctx, "")
	return Repository{Top: r.top, Shallow: r.shallow, Branch: r.branch, Head: head}, err
}
