package snapshottest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Leftovers lists what a run's servers left on the machine: directories,
// processes, containers, networks. The suite wants it empty.
type Leftovers func(run string) []string

// Exercise is the conformance suite of provisioners: a server comes up as
// specified, is this machine's alone, its tools work, it outlives its maker
// only when asked to, and nothing of it stays behind on any way out. The
// spec's version must be one that the provisioner offers exactly.
//
// Some of it needs a process that dies: the suite runs its own test again in
// one, up to this call.
func Exercise(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	spec = complete(spec)
	if mode := os.Getenv(childMode); mode != "" {
		child(t, p, spec, mode)
		return
	}
	t.Run("serves", func(t *testing.T) { Serves(t, p, spec, left) })
	t.Run("kept", func(t *testing.T) { kept(t, p, spec) })
	t.Run("orphaned", func(t *testing.T) { orphaned(t, p, spec, left) })
	t.Run("expired", func(t *testing.T) { expired(t, p, spec, left) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, p, spec, left) })
}

func complete(spec snapshot.Spec) snapshot.Spec {
	spec.Run = "exercise-" + strconv.Itoa(os.Getpid())
	spec.Settings = Settings()
	if spec.Expires.IsZero() {
		spec.Expires = time.Now().Add(10 * time.Minute)
	}
	return spec
}

func provision(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec) *snapshot.Target {
	t.Helper()
	offer := p.Offer(t.Context(), spec)
	if !offer.OK || !offer.Exact || offer.Kind != p.Kind() {
		t.Fatalf("offer for PostgreSQL %s is %+v", spec.Version, offer)
	}
	begun := time.Now()
	target, err := p.Provision(t.Context(), spec, offer)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("PostgreSQL %s after %v: %s", target.Version, time.Since(begun).Round(time.Millisecond), target.Detail)
	return target
}

// dsn connects as the administrator.
func dsn(target *snapshot.Target, password string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/postgres?connect_timeout=5", target.User, password, net.JoinHostPort(target.Host, strconv.Itoa(target.Port)))
}

func query(t *testing.T, target *snapshot.Target, sql string) string {
	t.Helper()
	s, err := ask(target, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

func ask(target *snapshot.Target, sql string) (s string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn(target, target.Password))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	return s, conn.QueryRow(ctx, sql).Scan(&s)
}

// Serves is the part of Exercise on one server's life, for provisioners that
// differ from an exercised one only in how the server is reached.
func Serves(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	spec = complete(spec)
	target := provision(t, p, spec)
	t.Cleanup(func() { _ = target.Close(context.Background()) })

	t.Run("version", func(t *testing.T) {
		said := query(t, target, "show server_version")
		if got, _, _ := strings.Cut(said, " "); got != target.Version || !strings.HasPrefix(got, spec.Version) {
			t.Errorf("server says %q, target says %q, wanted %q", said, target.Version, spec.Version)
		}
	})
	t.Run("settings", func(t *testing.T) {
		for k, want := range spec.Settings {
			if got := query(t, target, "select current_setting('"+k+"')"); got != want {
				t.Errorf("%s is %q, want %q", k, got, want)
			}
		}
		for k, want := range map[string]string{"server_encoding": "UTF8", "lc_messages": "C"} {
			if got := query(t, target, "select current_setting('"+k+"')"); got != want {
				t.Errorf("%s is %q, want %q", k, got, want)
			}
		}
		if got := query(t, target, "select upper('àéŝ')"); got != "ÀÉŜ" {
			t.Errorf("upper('àéŝ') is %q: the locale knows ASCII only", got)
		}
	})
	t.Run("shared memory", func(t *testing.T) { sharedMemory(t, target) })
	t.Run("password", func(t *testing.T) {
		for _, wrong := range []string{"", "postgres", target.Password + "x"} {
			conn, err := pgx.Connect(t.Context(), dsn(target, wrong))
			if err == nil {
				_ = conn.Close(t.Context())
				t.Errorf("password %q was accepted", wrong)
			}
		}
	})
	t.Run("ours alone", func(t *testing.T) { oursAlone(t, target) })
	t.Run("tools", func(t *testing.T) { runTools(t, target) })
	t.Run("free", func(t *testing.T) {
		if free, err := target.Tools.Free(t.Context()); err != nil || free < 1<<20 {
			t.Errorf("free space is %d bytes, error %v", free, err)
		}
	})
	t.Run("close", func(t *testing.T) {
		done, cancel := context.WithCancel(t.Context())
		cancel() // a caller that is interrupted still cleans up
		if err := target.Close(done); err != nil {
			t.Error(err)
		}
		if err := target.Close(t.Context()); err != nil {
			t.Errorf("closing again: %v", err)
		}
		gone(t, target)
		if l := left(spec.Run); len(l) > 0 {
			t.Errorf("left behind: %q", l)
		}
	})
}

// sharedMemory has parallel workers build a hash table together that does not
// fit into the 64 MB of /dev/shm that a container has by default.
func sharedMemory(t *testing.T, target *snapshot.Target) {
	conn, err := pgx.Connect(t.Context(), dsn(target, target.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{
		"create table big as select i, md5(i::text) as s from generate_series(1, 1000000) i",
		"analyze big",
		"set work_mem = '512MB'", "set parallel_setup_cost = 0", "set parallel_tuple_cost = 0",
		"set min_parallel_table_scan_size = 0", "set enable_mergejoin = off", "set enable_nestloop = off",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const join = "select count(a.s || b.s)::text from big a join big b using (i)"
	rows, _ := conn.Query(t.Context(), "explain "+join)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !strings.Contains(strings.Join(plan, "\n"), "Parallel Hash") {
		t.Fatalf("the plan has no parallel hash: %v\n%s", err, strings.Join(plan, "\n"))
	}
	var n string
	if err := conn.QueryRow(t.Context(), join).Scan(&n); err != nil || n != "1000000" {
		t.Errorf("parallel hash join: %s rows, %v", n, err)
	}
}

// oursAlone dials the server at this machine's other addresses.
func oursAlone(t *testing.T, target *snapshot.Target) {
	if !net.ParseIP(target.Host).IsLoopback() {
		t.Skipf("the server is not on this machine's own address, but on %s", target.Host)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		addr := net.JoinHostPort(ip.String(), strconv.Itoa(target.Port))
		if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			_ = conn.Close()
			t.Errorf("the server answers on %s", addr)
		}
	}
}

func runTools(t *testing.T, target *snapshot.Target) {
	run := func(ctx context.Context, stdin string, args ...string) (string, string, error) {
		var out, errs bytes.Buffer
		err := target.Tools.Run(ctx, "psql", append([]string{"-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres"}, args...), strings.NewReader(stdin), &out, &errs)
		return strings.TrimSpace(out.String()), errs.String(), err
	}
	if err := target.Tools.Run(t.Context(), "no-such-program", nil, nil, nil, nil); !errors.Is(err, snapshot.ErrNoTool) {
		t.Errorf("a program that is nowhere: error %v, want ErrNoTool", err)
	}
	if _, _, err := run(t.Context(), "select 1;"); errors.Is(err, snapshot.ErrNoTool) {
		t.Skipf("no client programs for this server here: %v", err)
	}
	if out, errs, err := run(t.Context(), "select 6*7;\n"); out != "42" || err != nil {
		t.Errorf("psql from its input: %q, %q, %v", out, errs, err)
	}
	var exit *snapshot.ExitError
	if _, errs, err := run(t.Context(), "select 1/0;\n"); !errors.As(err, &exit) || exit.Code != 3 || !strings.Contains(errs, "division by zero") {
		t.Errorf("psql that fails: error %v, standard error %q", err, errs)
	}

	// A lot through both pipes at once.
	big := "select repeat('x', 100000) from generate_series(1, 100);" + strings.Repeat(" -- filler\n", 100000)
	if out, errs, err := run(t.Context(), big); len(out) < 100*100000 || err != nil {
		t.Errorf("10 MB of output: got %d bytes, %q, %v", len(out), errs, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, _, err := run(ctx, "select pg_sleep(30);\n"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
		t.Errorf("psql out of time: after %v, error %v", time.Since(begun), err)
	}

	// Readable to this process alone, as dumps in a home directory are.
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "it's a dump.sql")
	if err := os.WriteFile(file, []byte("select 'shared';\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, remove, err := target.Tools.Share(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, err := run(t.Context(), "", "-f", path); out != "shared" || err != nil {
		t.Errorf("psql -f of a shared file: %q, %q, %v", out, errs, err)
	}
	remove()
	remove()
	if path != file {
		if out, _, err := run(t.Context(), "", "-f", path); err == nil {
			t.Errorf("the shared file is still there after it was taken away: %q", out)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the original: %v", err)
	}
	if _, _, err := target.Tools.Share(t.Context(), file+".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sharing a missing file: %v", err)
	}
}

func kept(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec) {
	h, wait := spawn(t, "keep")
	if err := wait(); err != nil {
		t.Fatalf("the process that made it: %v", err)
	}
	t.Cleanup(func() { _ = p.Destroy(context.Background(), h) })
	target, err := p.Attach(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, target, "show server_version"); !strings.HasPrefix(got, target.Version) {
		t.Errorf("attached to a server of version %q, target says %q", got, target.Version)
	}
	if _, err := p.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	query(t, target, "select 'still here'")
	if err := p.Destroy(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	gone(t, target)
	if err := p.Destroy(t.Context(), h); err != nil {
		t.Errorf("destroying again: %v", err)
	}
	if _, err := p.Attach(t.Context(), h); err == nil {
		t.Error("attached to what was destroyed")
	}
}

func orphaned(t *testing.T, p snapshot.Provisioner, _ snapshot.Spec, left Leftovers) {
	h, wait := spawn(t, "hang")
	target := &snapshot.Target{Host: h.Host, Port: h.Port, User: "postgres", Password: h.Password}
	if _, err := p.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	query(t, target, "select 'a running owner''s server is left alone'")
	_ = wait() // kills it
	reaped, err := p.Reap(t.Context())
	if err != nil || len(reaped) == 0 {
		t.Fatalf("reaped %q, %v", reaped, err)
	}
	t.Logf("reaped %q", reaped)
	gone(t, target)
	if l := left(h.Run); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
}

func expired(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	spec.Keep = true
	spec.Expires = time.Now().Add(-time.Second)
	mine := provision(t, p, spec)
	if _, err := p.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	query(t, mine, "select 'expired, but its maker still works with it'")
	if err := mine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	h, wait := spawn(t, "expire")
	if err := wait(); err != nil {
		t.Fatalf("the process that made it: %v", err)
	}
	target := &snapshot.Target{Host: h.Host, Port: h.Port, User: "postgres", Password: h.Password}
	query(t, target, "select 'nobody started anything since'")
	if _, err := p.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone(t, target)
	if l := left(h.Run); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
	if err := p.Destroy(t.Context(), h); err != nil {
		t.Errorf("destroying what was reaped: %v", err)
	}
}

func cancelled(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	offer := p.Offer(t.Context(), spec)
	for _, after := range []time.Duration{0, 30, 100, 250, 400, 700} {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(after*time.Millisecond, cancel)
		target, err := p.Provision(ctx, spec, offer)
		timer.Stop()
		cancel()
		if err == nil { // quicker than we are
			err = target.Close(ctx)
			if err != nil {
				t.Error(err)
			}
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d ms: %v", after, err)
		}
		if l := left(spec.Run); len(l) > 0 {
			t.Fatalf("cancelled after %d ms, left behind: %q", after, l)
		}
	}
}

// gone checks that nobody answers any more.
func gone(t *testing.T, target *snapshot.Target) {
	t.Helper()
	if v, err := ask(target, "show server_version"); err == nil {
		t.Errorf("a server (%s) still answers on %s:%d", v, target.Host, target.Port)
	}
}

const (
	childMode = "MG_EXERCISE_CHILD"
	childFile = "MG_EXERCISE_HANDLE"
)

// child makes a server in a process of its own: one that ends and keeps it
// (past its expiry, for "expire"), or one that hangs until it is killed.
func child(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, mode string) {
	spec.Keep = mode != "hang"
	if mode == "expire" {
		spec.Expires = time.Now().Add(-time.Second)
	}
	target := provision(t, p, spec)
	data, err := json.Marshal(target.Handle)
	if err != nil {
		t.Fatal(err)
	}
	file := os.Getenv(childFile)
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	if mode == "hang" {
		time.Sleep(5 * time.Minute)
	}
}

// spawn runs the calling test again as a child and returns the handle of the
// server it made. The function kills a child that hangs, and waits.
func spawn(t *testing.T, mode string) (snapshot.Handle, func() error) {
	t.Helper()
	top, _, _ := strings.Cut(t.Name(), "/")
	sub := strings.TrimSuffix(strings.TrimPrefix(t.Name(), top), t.Name()[strings.LastIndex(t.Name(), "/"):])
	file := filepath.Join(t.TempDir(), "handle.json")
	cmd := exec.Command(os.Args[0], "-test.run=^"+top+"$"+strings.ReplaceAll(sub, "/", "/^")+"", "-test.v")
	cmd.Env = append(os.Environ(), childMode+"="+mode, childFile+"="+file)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var h snapshot.Handle
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		data, err := os.ReadFile(file)
		if err == nil {
			if err := json.Unmarshal(data, &h); err != nil {
				t.Fatal(err)
			}
			break
		}
		select {
		case err := <-ended:
			if _, e := os.Stat(file); e == nil {
				ended <- err
				continue
			}
			t.Fatalf("the child ended without a server: %v\n%s", err, out.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("the child made no server within two minutes")
		}
	}
	return h, func() error {
		if mode == "hang" {
			_ = cmd.Process.Kill()
		}
		return <-ended
	}
}
