// Package commandtest holds the commands that test scripts share. Code that is
// not a test never imports it.
package commandtest

import (
	"errors"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// Setup keeps the machine's git configuration and a CI system's variables from
// reaching a script.
func Setup(e *testscript.Env) error {
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		e.Setenv("GIT_"+who+"_NAME", "A. Developer")
		e.Setenv("GIT_"+who+"_EMAIL", "dev@example.com")
		e.Setenv("GIT_"+who+"_DATE", "2026-01-02T03:04:05Z")
	}
	return nil
}

// Exits runs a program and wants exactly that exit code: `exits CODE program
// args…`.
func Exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// Repo makes the current directory a git repository whose branch main holds
// what is there now, and switches to a branch for the change.
func Repo(ts *testscript.TestScript, neg bool, args []string) {
	for _, git := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", "merged"}, {"switch", "-q", "-c", "change"},
	} {
		ts.Check(ts.Exec("git", git...))
	}
}
