package command_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/migration-gate/migration-gate/gate/command"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the tool, under all names it answers to.
func TestMain(m *testing.M) {
	tool := func() {
		dir, err := os.Getwd()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(command.Run(context.Background(), command.Env{
			Args: os.Args, Environ: os.Environ(), Dir: dir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		}))
	}
	tools := map[string]func(){"migration-gate": tool}
	for _, name := range command.StepNames() {
		tools[name] = tool
	}
	testscript.Main(m, tools)
}

// TestScripts runs testdata/script. Each script has a repository of its own
// to work in once it called `repo`; `exits CODE program args…` runs a program
// and wants exactly that exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			// Nothing of the machine's git configuration, nor of a CI system's
			// variables, may reach a script.
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				e.Setenv("GIT_"+who+"_NAME", "A. Developer")
				e.Setenv("GIT_"+who+"_EMAIL", "dev@example.com")
				e.Setenv("GIT_"+who+"_DATE", "2026-01-02T03:04:05Z")
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"repo":  repo,
		},
		RequireUniqueNames: true,
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
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

// repo makes the current directory a git repository whose branch main holds
// what is there now, and switches to a branch for the change.
func repo(ts *testscript.TestScript, neg bool, args []string) {
	for _, git := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "--allow-empty", "-m", "merged"}, {"switch", "-q", "-c", "change"},
	} {
		ts.Check(ts.Exec("git", git...))
	}
}
