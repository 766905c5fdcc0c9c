package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

const asTool = "MIGRATION_GATE_TEST_MAIN"

// TestMain lets this test binary be the tool itself, signals included.
func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		main()
		return
	}
	snapshottest.Main(m)
}

// start runs the tool in an empty directory, with a standard input that stays
// open until the returned pipe is closed.
func start(t *testing.T, args ...string) (*exec.Cmd, io.Closer, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), asTool+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stdin, stderr
}

// TestSignalsInterrupt: a run that waits ends with exit code 130 and one line,
// by the signals of terminals and of CI systems.
func TestSignalsInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: no signal can be sent to another process on Windows")
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skip("skipped: this test runs with the signal ignored, as under nohup")
			}
			t.Parallel()
			cmd, stdin, stderr := start(t, "report", "-")
			defer stdin.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The signal may come before somebody listens, and kill; once
			// somebody does, it interrupts. Give the start time enough.
			time.Sleep(300 * time.Millisecond)
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 130 || stderr.String() != "migration-gate: interrupted\n" {
				t.Errorf("%v, stderr %q; want exit status 130 and one line", err, stderr)
			}
		})
	}
}

// TestGoneReaderIsAnError: with nobody to read the result, the run ends by
// itself with exit code 2, not by a signal that would skip all cleanup.
func TestGoneReaderIsAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: no SIGPIPE on Windows")
	}
	cmd, stdin, stderr := start(t, "explain")
	stdin.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd.Stdout = w
	err = cmd.Run()
	w.Close()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("%v, stderr %q; want exit status 2", err, stderr)
	}
}
