package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// A sleeper is a run of check that has come to the phase it was wanted in.
type sleeper struct {
	*exec.Cmd
	engine     string
	repo, work string
	stderr     *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// asleep starts check in a new repository and waits until a phase begins,
// which does not end by itself where scripts run in it.
func asleep(t *testing.T, engine, phase string, args ...string) *sleeper {
	t.Helper()
	s := &sleeper{engine: engine, repo: t.TempDir(), work: scratch(t), stderr: new(lockedBuffer)}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.com"}, args...)...)
		cmd.Dir = s.repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("commit", "-q", "--allow-empty", "-m", "empty")
	if err := os.Mkdir(filepath.Join(s.repo, "migrations"), 0o755); err != nil {
		t.Fatal(err)
	}
	sleep := "SELECT pg_sleep(300);\n"
	if engine != "postgres" {
		sleep = "DO SLEEP(300);\n"
	}
	up, down := sleep, sleep
	if phase == "reverse" {
		up = "SELECT 1;\n"
	}
	for name, sql := range map[string]string{"1_sleep.up.sql": up, "1_sleep.down.sql": down} {
		if err := os.WriteFile(filepath.Join(s.repo, "migrations", name), []byte(sql), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.Cmd = s.tool(t, append([]string{"check", "--base", "main"}, args...)...)
	s.Stderr = s.stderr
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.stderr.String(), "\n"+phase+"\n"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("check did not come to the phase %q:\n%s", phase, s.stderr)
		}
	}
	return s
}

// tool is a command of ours in the sleeper's repository and scratch directory.
func (s *sleeper) tool(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = s.repo
	cmd.Env = append(os.Environ(), "MIGRATION_GATE_WORK_DIR="+s.work)
	for name, value := range target(t, s.engine) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// servers lists the processes that run in the scratch directory.
func (s *sleeper) servers(t *testing.T) []string {
	t.Helper()
	var found []string
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Skip("skipped: processes cannot be listed without /proc")
	}
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && bytes.Contains(b, []byte(s.work)) && !strings.Contains(l, "/proc/self/") {
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

// TestNothingIsLeft: an interrupted run takes its server with it, and says so
// by its exit code; what a killed run could not remove, the next start does.
func TestNothingIsLeft(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: needs /proc to see which processes are left")
	}
	mysql := snapshottest.MySQLFlavours(t)[0]
	for _, tt := range []struct {
		engine string
		signal syscall.Signal
		phase  string
	}{
		{"postgres", syscall.SIGTERM, "start server"}, {"postgres", syscall.SIGINT, "apply"}, {"postgres", syscall.SIGTERM, "apply"}, {"postgres", syscall.SIGINT, "reverse"},
		{mysql, syscall.SIGTERM, "start server"}, {mysql, syscall.SIGINT, "apply"}, {mysql, syscall.SIGTERM, "reverse"},
	} {
		t.Run(tt.engine+" "+tt.signal.String()+" in "+tt.phase, func(t *testing.T) {
			target(t, tt.engine) // which may skip
			t.Parallel()
			s := asleep(t, tt.engine, tt.phase, "--format", "json=report.json")
			if tt.phase != "start server" && len(s.servers(t)) == 0 {
				t.Fatal("no server runs where it was expected, so this test proves nothing")
			}
			_ = s.Process.Signal(tt.signal)
			_ = s.Wait()
			if code := s.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit code %d, want 130\n%s", code, s.stderr)
			}
			if left := s.servers(t); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
			empty(t, s.work)
			report, err := os.ReadFile(filepath.Join(s.repo, "report.json"))
			if err != nil || !bytes.Contains(report, []byte(`"verdict": "error"`)) || !bytes.Contains(report, []byte("during "+tt.phase)) {
				t.Errorf("the report of an interrupted run: %v\n%s", err, report)
			}
		})
	}
	for _, engine := range []string{"postgres", mysql} {
		t.Run(engine+" killed", func(t *testing.T) { killed(t, engine) })
	}
}

func killed(t *testing.T, engine string) {
	target(t, engine)
	t.Parallel()
	s := asleep(t, engine, "apply")
	_ = s.Process.Kill()
	_ = s.Wait()
	if len(s.servers(t)) == 0 {
		t.Fatal("the server went with its maker, so this test proves nothing")
	}
	// The next start has nothing to do but that.
	next := s.tool(t, "check", "--base", "HEAD", "--dir", "migrations", "--head", "HEAD")
	out, err := next.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "migrations") {
		t.Errorf("the next start: %v\n%s", err, out)
	}
	for deadline := time.Now().Add(10 * time.Second); len(s.servers(t)) > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
	}
	if left := s.servers(t); len(left) > 0 {
		t.Errorf("still running after the next start: %q", left)
	}
	empty(t, s.work)
}
