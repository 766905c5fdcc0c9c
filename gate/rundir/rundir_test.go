package rundir

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestMain lets the test binary be the other process of TestLock.
func TestMain(m *testing.M) {
	if path := os.Getenv("RUNDIR_TEST_HOLD"); path != "" {
		d, err := Open(path)
		if err == nil {
			_, err = d.Lock("orders")
		}
		fmt.Println(err)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until killed
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func openDir(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), Name))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTargetSurvivesTheProcess(t *testing.T) {
	d := openDir(t)
	if _, err := os.Stat(d.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("opening made %s: %v", d.Path(), err)
	}
	want := TargetState{
		Name: "orders", Engine: "postgres", Baseline: "baseline", Database: "orders",
		Handle:   snapshot.Handle{Kind: "local", ID: "/tmp/x", Port: 5433, Password: "secret"},
		Created:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Expires:  time.Date(2026, 1, 2, 5, 4, 5, 0, time.UTC),
		Snapshot: &gate.SnapshotFacts{Source: snapshot.Source{Path: "orders.dump"}, CaughtUp: []string{"7"}},
	}
	if err := d.SaveTarget("orders", want); err != nil {
		t.Fatal(err)
	}
	again, err := Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Target("orders")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(d.file("targets", "orders"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a password lies in a file of mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.Path(), "targets", "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestGitIgnoresIt(t *testing.T) {
	top := t.TempDir()
	if out, err := exec.Command("git", "-C", top, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d, err := Open(filepath.Join(top, Name))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SaveObservation("orders", gate.Observation{Base: "b"}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("git", "-C", top, "status", "--porcelain", "-uall").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("git sees %s, %v", out, err)
	}
}

func TestNotThere(t *testing.T) {
	d := openDir(t)
	_, err := d.Target("shop")
	var nf *NotFoundError
	if !errors.As(err, &nf) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "restore-snapshot --into shop") {
		t.Errorf("target: %v", err)
	}
	if _, err = d.Observation("shop"); !strings.Contains(err.Error(), "restore-snapshot --into shop") {
		t.Errorf("observation without a target: %v", err)
	}
	if err := d.SaveTarget("orders", TargetState{}); err != nil {
		t.Fatal(err)
	}
	if _, err = d.Target("shop"); !strings.Contains(err.Error(), "(there: orders)") {
		t.Errorf("the ones that are there are not named: %v", err)
	}
	if _, err = d.Observation("orders"); !errors.As(err, &nf) || !strings.Contains(err.Error(), "migrate up --database orders") {
		t.Errorf("observation: %v", err)
	}
	if err := d.RemoveTarget("shop"); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestRemoveForgetsTheObservationToo(t *testing.T) {
	d := openDir(t)
	if err := errors.Join(d.SaveTarget("orders", TargetState{}), d.SaveObservation("orders", gate.Observation{Base: "old"})); err != nil {
		t.Fatal(err)
	}
	if o, err := d.Observation("orders"); err != nil || o.Base != "old" {
		t.Fatalf("%v, %v", o.Base, err)
	}
	if err := d.RemoveTarget("orders"); err != nil {
		t.Fatal(err)
	}
	if err := d.SaveTarget("orders", TargetState{}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Observation("orders"); err == nil {
		t.Error("a new target of the same name inherits what was observed on the old one")
	}
}

func TestNames(t *testing.T) {
	d := openDir(t)
	for _, name := range []string{"", "..", "../x", "a/b", "Orders", "a b", "ä", "-x", strings.Repeat("x", 41), "a\x00"} {
		if err := d.SaveTarget(name, TargetState{}); err == nil {
			t.Errorf("%q was taken for a name", name)
		}
		if _, err := d.Target(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Target(%q): %v", name, err)
		}
	}
	if err := d.SaveTarget(strings.Repeat("x", 40), TargetState{}); err != nil {
		t.Error(err)
	}
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "--run-dir") {
		t.Errorf("a directory of sources: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "main.go")); err == nil {
		t.Error("a file was opened as a run directory")
	}
}

func TestDamagedState(t *testing.T) {
	d := openDir(t)
	if err := d.SaveTarget("orders", TargetState{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.file("targets", "orders"), []byte(`{"name": "ord`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.Target("orders")
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "orders.json") {
		t.Errorf("%v", err)
	}
}

func TestExpired(t *testing.T) {
	d := openDir(t)
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for name, expires := range map[string]time.Time{"gone": now.Add(-time.Second), "just": now, "fresh": now.Add(time.Second), "kept": {}} {
		if err := d.SaveTarget(name, TargetState{Expires: expires}); err != nil {
			t.Fatal(err)
		}
	}
	old, err := d.Expired(now)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range old {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff([]string{"gone", "just"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestLock(t *testing.T) {
	d := openDir(t)
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "RUNDIR_TEST_HOLD="+d.Path())
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the other process: %s", line)
	}
	var busy *BusyError
	if _, err := d.Lock("orders"); !errors.As(err, &busy) || busy.PID != fmt.Sprint(other.Process.Pid) {
		t.Errorf("while process %d holds it: %v", other.Process.Pid, err)
	}
	if unlock, err := d.Lock("other"); err != nil {
		t.Errorf("another name: %v", err)
	} else {
		unlock()
	}
	_ = other.Process.Kill()
	_ = other.Wait()
	unlock, err := d.Lock("orders")
	if err != nil {
		t.Fatalf("after SIGKILL of the holder: %v", err)
	}
	if _, err := d.Lock("orders"); !errors.As(err, &busy) {
		t.Errorf("twice in one process: %v", err)
	}
	unlock()
	if unlock, err = d.Lock("orders"); err != nil {
		t.Errorf("after unlock: %v", err)
	} else {
		unlock()
	}
}

// A reader meets the old state or the new one, never half of either.
func TestSavingIsAtomic(t *testing.T) {
	d := openDir(t)
	long := strings.Repeat("x", 1<<16)
	var writers sync.WaitGroup
	for _, engine := range []string{"a" + long, "b" + long} {
		writers.Go(func() {
			for range 20 {
				if err := d.SaveTarget("orders", TargetState{Engine: engine}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if s, err := d.Target("orders"); err == nil && len(s.Engine) != 1+len(long) {
			t.Fatalf("read %d bytes", len(s.Engine))
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
