package command_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/migration-gate/migration-gate/gate/command"
	"github.com/migration-gate/migration-gate/gate/command/commandtest"
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
		Dir:   filepath.Join("testdata", "script"),
		Setup: commandtest.Setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":        commandtest.Exits,
			"repo":         commandtest.Repo,
			"pull-request": commandtest.PullRequest,
		},
		RequireUniqueNames: true,
	})
}
