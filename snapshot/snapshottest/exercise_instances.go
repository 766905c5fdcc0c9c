package snapshottest

import (
	"context"
	"sync"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

// second is the instance that a child process of the suite makes.
const second = "second"

func startSecond(t *testing.T, target *snapshot.Target) {
	t.Helper()
	do(t, target, "create database suite; create table suite.t (n int) as select 42 as n")
	if err := target.Instances.Stop(t.Context(), snapshot.FirstInstance); err != nil {
		t.Fatal(err)
	}
	if err := target.Instances.Copy(t.Context(), snapshot.FirstInstance, second); err != nil {
		t.Fatal(err)
	}
	_, port := startInstance(t, target, snapshot.FirstInstance, nil)
	target.Port, target.Handle.Port = port, port
	startInstance(t, target, second, nil)
}

// secondOf is the other server that the child started, found again by a target
// that another process attached to; nil where there is none.
func secondOf(t *testing.T, target *snapshot.Target) *snapshot.Target {
	t.Helper()
	if target.Instances == nil {
		return target
	}
	other := startTarget(t, target, second, nil)
	if got := query(t, other, "select n from suite.t"); got != "42" {
		t.Errorf("the second instance has n = %s", got)
	}
	return other
}

func startInstance(t *testing.T, target *snapshot.Target, name string, settings map[string]string) (string, int) {
	t.Helper()
	host, port, err := target.Instances.Start(t.Context(), name, settings)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// startTarget starts an instance and returns the target as if it were its only
// server.
func startTarget(t *testing.T, target *snapshot.Target, name string, settings map[string]string) *snapshot.Target {
	t.Helper()
	other := *target
	other.Host, other.Port = startInstance(t, target, name, settings)
	return &other
}

// exerciseInstances is the part of Exercise on targets with several servers.
func exerciseInstances(t *testing.T, p snapshot.Provisioner, spec snapshot.Spec, left Leftovers) {
	target := provision(t, p, spec)
	t.Cleanup(func() { _ = target.Close(context.Background()) })
	i, base := target.Instances, snapshot.FirstInstance
	ctx := t.Context()

	do(t, target, "create database shop; create table shop.orders (id int primary key, note varchar(20)); insert into shop.orders values (1, 'from the base')")
	if _, port := startInstance(t, target, base, nil); port != target.Port {
		t.Errorf("starting what runs moved it from port %d to %d", target.Port, port)
	}
	if err := i.Copy(ctx, base, "candidate"); err == nil {
		t.Error("copied the data of a running server")
	}
	stop := func(name string) {
		t.Helper()
		for range 2 { // stopped already is no error
			if err := i.Stop(ctx, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop(base)
	gone(t, target)
	for _, wrong := range [][2]string{{base, base}, {"nowhere", "other"}, {base, "../escape"}, {base, ""}, {"", "other"}, {base, "/tmp/x"}, {base, "Upper"}} {
		if err := i.Copy(ctx, wrong[0], wrong[1]); err == nil {
			t.Errorf("copied %q to %q", wrong[0], wrong[1])
		}
	}
	if _, _, err := i.Start(ctx, "nowhere", nil); err == nil {
		t.Error("started an instance that is not there")
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := i.Copy(done, base, "candidate"); err == nil {
		t.Error("copied after its context was done")
	}

	// Copies at once, and then all three servers beside each other.
	var wg sync.WaitGroup
	for _, name := range []string{"candidate", "probe"} {
		wg.Go(func() {
			if err := i.Copy(ctx, base, name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := i.Copy(ctx, base, "probe"); err == nil {
		t.Error("copied over an instance that is there")
	}
	first := startTarget(t, target, base, nil)
	candidate := startTarget(t, target, "candidate", map[string]string{"max_connections": "77"})
	probe := startTarget(t, target, "probe", nil)
	do(t, candidate, "insert into shop.orders values (2, 'candidate')")
	do(t, first, "insert into shop.orders values (3, 'base'), (4, 'base')")
	for name, want := range map[*snapshot.Target]string{first: "1 3 4", candidate: "1 2", probe: "1"} {
		if got := query(t, name, "select group_concat(id order by id separator ' ') from shop.orders"); got != want {
			t.Errorf("on port %d are the orders %s, want %s", name.Port, got, want)
		}
	}
	if got := query(t, candidate, "select @@max_connections"); got != "77" {
		t.Errorf("the instance's own setting is %s", got)
	}
	if got := query(t, probe, "select @@max_connections"); got == "77" {
		t.Error("one instance's setting is another's too")
	}
	if spec.Engine == snapshot.MySQL {
		if a, b := query(t, candidate, "select @@server_uuid"), query(t, probe, "select @@server_uuid"); a == b {
			t.Errorf("two servers are both %s", a)
		}
	}

	// What was committed survives a clean stop, under another port perhaps.
	stop("candidate")
	gone(t, candidate)
	candidate = startTarget(t, target, "candidate", nil)
	if got := query(t, candidate, "select note from shop.orders where id = 2"); got != "candidate" {
		t.Errorf("after a restart the note is %q", got)
	}
	if size, err := i.Size(ctx, "candidate"); err != nil || size < 10<<20 {
		t.Errorf("the candidate has %d bytes, error %v", size, err)
	}

	// Another process finds them, and sees one removed by this one.
	attached, err := p.Attach(ctx, target.Handle)
	if err != nil {
		t.Fatal(err)
	}
	if attached.Port != first.Port {
		t.Errorf("attached to port %d, the first instance is on %d", attached.Port, first.Port)
	}
	if again := startTarget(t, attached, "candidate", nil); again.Port != candidate.Port {
		t.Errorf("attached, the candidate is on port %d, it was on %d", again.Port, candidate.Port)
	}
	for range 2 { // gone already is no error
		if err := attached.Instances.Remove(ctx, "candidate"); err != nil {
			t.Fatal(err)
		}
	}
	gone(t, candidate)
	if _, err := i.Size(ctx, "candidate"); err == nil {
		t.Error("a removed instance has a size")
	}
	if _, _, err := i.Start(ctx, "candidate", nil); err == nil {
		t.Error("started a removed instance")
	}
	stop("probe")
	if err := i.Copy(ctx, "probe", "candidate"); err != nil {
		t.Errorf("its name cannot be used again: %v", err)
	}
	candidate = startTarget(t, target, "candidate", nil)

	if err := target.Close(ctx); err != nil {
		t.Error(err)
	}
	for _, server := range []*snapshot.Target{first, candidate, probe} {
		gone(t, server)
	}
	if l := left(spec.Run); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
	if err := i.Remove(ctx, "candidate"); err != nil {
		t.Errorf("removing what went with its target: %v", err)
	}
}
