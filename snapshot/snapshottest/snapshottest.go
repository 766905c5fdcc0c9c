// Package snapshottest gives tests real, throw-away servers, and holds the
// conformance suite that every provisioner passes. Code that is not a test
// never imports it.
package snapshottest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// defaultMajors are the majors that every suite runs on; MG_TEST_MAJORS
// ("15 17 18") names others.
const defaultMajors = "15 18"

// servers are shared by the tests of one process, one of each major or
// flavour: the charter against package state is for what ships.
var servers = struct {
	sync.Mutex
	byName map[string]*entry
}{byName: map[string]*entry{}}

type entry struct {
	once   sync.Once
	target *snapshot.Target
	err    error
}

// Main runs a package's tests and then stops and removes the servers they
// started. Call it from TestMain; it does not return.
func Main(m *testing.M) {
	// What an earlier, killed run of tests left behind.
	if reaped, err := local.New(local.Options{}).Reap(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "snapshottest:", err)
	} else {
		for _, r := range reaped {
			fmt.Fprintln(os.Stderr, "snapshottest: reaped", r)
		}
	}
	code := m.Run()
	servers.Lock()
	defer servers.Unlock()
	for name, e := range servers.byName {
		if e.target == nil {
			continue
		}
		if err := e.target.Close(context.Background()); err != nil {
			fmt.Fprintf(os.Stderr, "snapshottest: stop %s: %v\n", name, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Majors are the major versions to run a suite on.
func Majors(tb testing.TB) []string {
	tb.Helper()
	list := os.Getenv("MG_TEST_MAJORS")
	if list == "" {
		list = defaultMajors
	}
	return strings.Fields(strings.ReplaceAll(list, ",", " "))
}

// Server returns the shared server of a major version ("" for the first of
// Majors), starting it on first use. Tests make databases of their own in it.
// Without installed binaries of that very major, prebuilt ones are downloaded
// once.
func Server(tb testing.TB, major string) *snapshot.Target {
	tb.Helper()
	if major == "" {
		major = Majors(tb)[0]
	}
	target, err := shared("PostgreSQL "+major, func() (*snapshot.Target, error) {
		t, err := start(tb.Logf, major, Settings())
		if err == nil {
			t.Restart = nil // others are at work on it
		}
		return t, err
	})
	if err != nil {
		tb.Fatalf("no PostgreSQL %s for this test: %v\n(MG_TEST_MAJORS chooses the majors to test on, now %q)", major, err, Majors(tb))
	}
	return target
}

// shared starts a server at the first call of a name.
func shared(name string, start func() (*snapshot.Target, error)) (*snapshot.Target, error) {
	servers.Lock()
	e := servers.byName[name]
	if e == nil {
		e = &entry{}
		servers.byName[name] = e
	}
	servers.Unlock()
	e.once.Do(func() { e.target, e.err = start() })
	return e.target, e.err
}

// ServerWith starts a server of the first of Majors for one test, with settings
// that the shared ones must not have.
func ServerWith(tb testing.TB, settings map[string]string) *snapshot.Target {
	tb.Helper()
	return ServerAlone(tb, Majors(tb)[0], settings)
}

// ServerAlone starts a server of a major for one test, as ServerWith does.
func ServerAlone(tb testing.TB, major string, settings map[string]string) *snapshot.Target {
	tb.Helper()
	all := Settings()
	maps.Copy(all, settings)
	target, err := start(tb.Logf, major, all)
	if err != nil {
		tb.Fatalf("no PostgreSQL %s for this test: %v", major, err)
	}
	tb.Cleanup(func() {
		if err := target.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return target
}

func start(logf func(string, ...any), major string, settings map[string]string) (*snapshot.Target, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	spec := snapshot.Spec{Run: "test", Version: major, Settings: settings}
	for _, p := range Provisioners() {
		offer := p.Offer(ctx, spec)
		if !offer.OK || !offer.Exact {
			continue
		}
		logf("starting PostgreSQL %s: %s", offer.Version, offer.Detail)
		return p.Provision(ctx, spec, offer)
	}
	return nil, fmt.Errorf("no provisioner offers it")
}

// Provisioners are the ones that need no container engine: installed binaries
// first.
func Provisioners() []snapshot.Provisioner {
	cache, _ := os.UserCacheDir() // "" is as good as an error here
	opt := local.Options{Path: os.Getenv("PATH"), Templates: filepath.Join(local.CacheDir(cache), "initialised")}
	return []snapshot.Provisioner{
		local.New(opt),
		local.NewEmbedded(local.EmbeddedOptions{Options: opt, Cache: local.CacheDir(cache), URL: os.Getenv("MG_TEST_MAVEN_URL")}),
	}
}

// Settings are the product's own for a throw-away server, with less memory:
// tests of several packages run at once.
func Settings() map[string]string {
	s := postgres.Settings()
	s["shared_buffers"] = "256MB"
	s["maintenance_work_mem"] = "128MB"
	if s["shared_preload_libraries"] == "" {
		s["shared_preload_libraries"] = "pg_stat_statements"
	}
	return s
}
