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
// Where the target is databases on a server of somebody else, they are what
// comes and goes, and the server stays, as it was: left says what became of it.
//
// Some of it needs a process that dies: the suite runs its own test again in
// one, up to this call.
func Exercise(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	spec = complete(t, spec)
	if mode := os.Getenv(childMode); mode != "" {
		child(t, p, spec, mode)
		return
	}
	t.Run("serves", func(t *testing.T) { Serves(t, p, spec, left) })
	t.Run("kept", func(t *testing.T) { kept(t, p, spec) })
	t.Run("orphaned", func(t *testing.T) { orphaned(t, p, spec, left) })
	t.Run("expired", func(t *testing.T) { expired(t, p, spec, left) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, p, spec, left) })
	if productOf(spec).instances && p.Kind() != "server" {
		t.Run("instances", func(t *testing.T) { exerciseInstances(t, p, spec, left) })
	}
}

func complete(t *testing.T, spec snapshot.Spec) snapshot.Spec {
	t.Helper()
	if productOf(spec) == nil {
		t.Fatalf("the suite knows no engine %q", spec.Engine)
	}
	spec.Run = "exercise-" + strconv.Itoa(os.Getpid())
	spec.Settings = productOf(spec).settings()
	if spec.Expires.IsZero() {
		spec.Expires = time.Now().Add(10 * time.Minute)
	}
	return spec
}

func provision(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec) *snapshot.Target {
	t.Helper()
	offer := p.Offer(t.Context(), spec)
	if !offer.OK || !offer.Exact || offer.Kind != p.Kind() {
		t.Fatalf("offer for %s %s is %+v", productOf(spec).name, spec.Version, offer)
	}
	begun := time.Now()
	target, err := p.Provision(t.Context(), spec, offer)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s after %v: %s", productOf(spec).name, target.Version, time.Since(begun).Round(time.Millisecond), target.Detail)
	if target.Prefix != "" {
		if err := productOf(spec).exec(target, "create database "+target.Prefix+"suite"); err != nil {
			t.Fatal(err)
		}
	}
	return target
}

// databases counts a target's on the server of somebody else.
func databases(t *testing.T, target *snapshot.Target) string {
	t.Helper()
	return query(t, target, fmt.Sprintf(productOf(snapshot.Spec{Engine: target.Handle.Engine}).databases, target.Prefix))
}

func query(t *testing.T, target *snapshot.Target, sql string) string {
	t.Helper()
	s, err := ask(target, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// ask asks the server of a target for one value, as the administrator.
func ask(target *snapshot.Target, sql string) (string, error) {
	return productOf(snapshot.Spec{Engine: target.Handle.Engine}).ask(target, sql)
}

// with is the same server with another password.
func with(target *snapshot.Target, password string) *snapshot.Target {
	other := *target
	other.Password = password
	return &other
}

// Serves is the part of Exercise on one server's life, for provisioners that
// differ from an exercised one only in how the server is reached.
func Serves(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	spec = complete(t, spec)
	product := productOf(spec)
	target := provision(t, p, spec)
	t.Cleanup(func() { _ = target.Close(context.Background()) })

	t.Run("version", func(t *testing.T) {
		said := query(t, target, product.version)
		if got := product.release(said); got != target.Version || !strings.HasPrefix(got, spec.Version) {
			t.Errorf("server says %q, target says %q, wanted %q", said, target.Version, spec.Version)
		}
	})
	if target.Prefix == "" {
		t.Run("settings", func(t *testing.T) { product.configured(t, target, spec.Settings) })
	} else if got := databases(t, target); got != "2" {
		t.Errorf("%s databases, want the provisioner's and the suite's", got)
	}
	t.Run("password", func(t *testing.T) {
		for _, wrong := range []string{"", target.User, target.Password + "x"} {
			if said, err := product.ask(with(target, wrong), "select 'in'"); err == nil {
				t.Errorf("password %q was accepted: %s", wrong, said)
			}
		}
	})
	if target.Prefix == "" {
		product.more(t, target)
		t.Run("ours alone", func(t *testing.T) { oursAlone(t, target) })
	}
	t.Run("tools", func(t *testing.T) { runTools(t, target, product.tool) })
	t.Run("free", func(t *testing.T) {
		free, err := target.Tools.Free(t.Context())
		if target.Prefix != "" && errors.Is(err, errors.ErrUnsupported) {
			return // nobody can tell over a connection
		}
		if err != nil || free < 1<<20 {
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
	if got := query(t, target, productOf(spec).version); !strings.HasPrefix(got, target.Version) {
		t.Errorf("attached to a server of version %q, target says %q", got, target.Version)
	}
	if _, err := p.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	query(t, target, "select 'still here'")
	second := secondOf(t, target)
	if err := p.Destroy(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	gone(t, target)
	gone(t, second)
	if err := p.Destroy(t.Context(), h); err != nil {
		t.Errorf("destroying again: %v", err)
	}
	if _, err := p.Attach(t.Context(), h); err == nil {
		t.Error("attached to what was destroyed")
	}
}

func orphaned(t *testing.T, p snapshot.Provisioner, _ snapshot.Spec, left Leftovers) {
	h, wait := spawn(t, "hang")
	target, err := p.Attach(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	second := secondOf(t, target)
	if _, err := p.Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	query(t, target, "select 'a running owner''s server is left alone'")
	query(t, second, "select 'and so is its other one'")
	_ = wait() // kills it
	reaped, err := p.Reap(t.Context())
	if err != nil || len(reaped) == 0 {
		t.Fatalf("reaped %q, %v", reaped, err)
	}
	t.Logf("reaped %q", reaped)
	gone(t, target)
	gone(t, second)
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
	target := &snapshot.Target{Host: h.Host, Port: h.Port, User: mine.User, Password: h.Password, Prefix: h.Prefix, Handle: h}
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

// gone checks that nobody answers any more, or that the databases are gone.
func gone(t *testing.T, target *snapshot.Target) {
	t.Helper()
	if target.Prefix != "" {
		if got := databases(t, target); got != "0" {
			t.Errorf("%s databases %s… are still there", got, target.Prefix)
		}
		return
	}
	// What is not there at all need not be asked: the address of a container
	// that is gone leads nowhere, and drivers wait for it long and twice.
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(target.Host, strconv.Itoa(target.Port)), 2*time.Second)
	if err != nil {
		return
	}
	_ = conn.Close()
	if v, err := ask(target, "select 'still here'"); err == nil {
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
	if productOf(spec).instances && target.Prefix == "" { // one more server, which must not be forgotten
		startSecond(t, target)
	}
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
