package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/migration-gate/migration-gate"

// What a package may be kept from. A path stands for itself and all below it.
var (
	drivers = []string{"database/sql", "github.com/jackc/pgx", "github.com/lib/pq", "github.com/go-sql-driver/mysql"}
	// ourDrivers are those that we connect with: a library for containers or
	// binaries brings others along.
	ourDrivers = []string{"github.com/jackc/pgx", "github.com/go-sql-driver/mysql"}
	engines    = []string{"github.com/testcontainers", "github.com/moby/moby", "github.com/docker/docker"}
	forges     = []string{"github.com/google/go-github", "github.com/sethvargo/go-githubactions", "gitlab.com/gitlab-org/api/client-go", "github.com/xanzy/go-gitlab"}
	leaves     = []string{"gate/migration", "snapshot", "lockbudget"}
	stages     = []string{"gate/observe", "gate/rule", "gate/report", "gate/changeset", "gate/config"}
)

// charter is a row of the package table in docs/architecture.md.
type charter struct {
	pkg string
	// never holds paths that it must not import, directly or through others.
	// Ours are relative to the module.
	never []string
	// only, where set, lists all of ours that it may import, each with its
	// internal packages and not with what else lies below it.
	only []string
}

var charters = []charter{
	{pkg: "."},
	{pkg: "gate", only: leaves, never: drivers},
	{pkg: "gate/command"},
	{pkg: "gate/config", never: slices.Concat(drivers, engines, []string{"gate/apply", "gate/observe", "gate/report", "snapshot/postgres", "snapshot/mysql", "snapshot/container", "snapshot/local", "snapshot/server", "lockbudget/postgres", "lockbudget/mysql"})},
	{pkg: "gate/migration", only: []string{}, never: drivers},
	{pkg: "gate/ci", only: []string{}, never: drivers},
	{pkg: "gate/changeset", only: slices.Concat([]string{"gate", "gate/ci"}, leaves), never: drivers},
	{pkg: "gate/observe", never: slices.Concat(drivers, engines, forges, []string{"gate/report", "gate/command", "gate/apply", "gate/rule"})},
	{pkg: "gate/apply/postgres", never: []string{"gate/apply/mysql", "lockbudget/postgres", "lockbudget/mysql", "snapshot/postgres", "snapshot/mysql", "snapshot/container", "snapshot/local", "snapshot/server"}},
	{pkg: "gate/apply/mysql", never: []string{"gate/apply/postgres", "lockbudget/postgres", "lockbudget/mysql", "snapshot/postgres", "snapshot/mysql", "snapshot/container", "snapshot/local", "snapshot/server"}},
	{pkg: "gate/rule", only: slices.Concat([]string{"gate"}, leaves), never: drivers},
	{pkg: "gate/report", never: drivers},
	{pkg: "gate/report/github", never: slices.Concat(drivers, forges[2:])},
	{pkg: "gate/report/gitlab", never: slices.Concat(drivers, forges[:2])},
	{pkg: "gate/progress", never: slices.Concat(drivers, engines, stages)},
	{pkg: "gate/rundir", only: slices.Concat([]string{"gate"}, leaves), never: drivers},
	{pkg: "snapshot", only: []string{}, never: drivers},
	{pkg: "snapshot/owner", only: []string{}, never: drivers},
	{pkg: "snapshot/postgres", never: slices.Concat(engines, []string{"snapshot/mysql", "lockbudget", "gate"})},
	{pkg: "snapshot/mysql", never: slices.Concat(engines, []string{"snapshot/postgres", "lockbudget", "gate"})},
	{pkg: "snapshot/container", never: slices.Concat(ourDrivers, []string{"gate", "lockbudget", "snapshot/postgres", "snapshot/mysql"})},
	{pkg: "snapshot/local", never: slices.Concat(ourDrivers, []string{"gate", "lockbudget", "snapshot/postgres", "snapshot/mysql"})},
	{pkg: "snapshot/server", never: slices.Concat(engines, []string{"gate", "lockbudget"})},
	{pkg: "lockbudget", only: []string{}, never: drivers},
	{pkg: "lockbudget/postgres", never: []string{"lockbudget/mysql", "gate", "snapshot"}},
	{pkg: "lockbudget/mysql", never: []string{"lockbudget/postgres", "gate", "snapshot"}},
}

type listed struct {
	ImportPath string
	Imports    []string // of non-test files
	Deps       []string // all of them, through others
}

func list(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	pkgs := map[string]listed{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[ours(p.ImportPath)] = p
	}
}

// ours makes a path of this module relative ("." for its root).
func ours(p string) string {
	if p == module {
		return "."
	}
	return strings.TrimPrefix(p, module+"/")
}

func isOurs(p string) bool { return p == module || strings.HasPrefix(p, module+"/") }

// isTest tells the conformance suites and test helpers ("snapshottest") from
// what ships.
func isTest(pkg string) bool {
	return slices.ContainsFunc(strings.Split(pkg, "/"), func(s string) bool { return len(s) > len("test") && strings.HasSuffix(s, "test") })
}

// room is the package that an internal one is a part of, and whose charter it
// shares.
func room(pkg string) string {
	before, _, _ := strings.Cut(pkg+"/", "/internal/")
	return strings.TrimSuffix(before, "/")
}

func under(dir, pkg string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// TestCharters holds each package to its row of the table: the direction
// main → command → stages → vocabulary and leaves, and drivers only at the
// edges. What it finds is a dependency to cut, not a row to widen.
func TestCharters(t *testing.T) {
	pkgs := list(t)
	for name, p := range pkgs {
		i := slices.IndexFunc(charters, func(c charter) bool { return c.pkg == room(name) })
		if i < 0 {
			if !isTest(name) && !strings.HasPrefix(name, "testdata/") {
				t.Errorf("%s has no charter: add a row here and in docs/architecture.md", name)
			}
			continue
		}
		c := charters[i]
		for _, dep := range p.Deps {
			rel := ours(dep)
			if isOurs(dep) && c.only != nil && room(rel) != c.pkg && !slices.Contains(c.only, room(rel)) {
				t.Errorf("%s imports %s%s, and of ours may import only %v", name, rel, via(pkgs, name, dep), c.only)
			}
			for _, n := range c.never {
				if under(n, rel) {
					t.Errorf("%s imports %s%s, which its charter forbids", name, rel, via(pkgs, name, dep))
				}
			}
		}
	}
}

var tableRow = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")

// TestArchitectureListsPackages: the table in docs/architecture.md has a row
// for each package, and none for what is gone.
func TestArchitectureListsPackages(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Packages\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]bool{}
	for _, m := range tableRow.FindAllStringSubmatch(section, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			rows[strings.Trim(name, "`")] = true
		}
	}
	if !rows["main.go"] {
		t.Errorf("no row for main.go in %v", rows)
	}
	delete(rows, "main.go")
	for name := range list(t) {
		if name != "." && !strings.HasPrefix(name, "testdata/") && !rows[name] {
			t.Errorf("docs/architecture.md has no row for %s", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/architecture.md has a row for %s, which is not there", name)
	}
}

// TestForgeSDKsStayInReport: publishers are the sole importers.
func TestForgeSDKsStayInReport(t *testing.T) {
	for name, p := range list(t) {
		if under("gate/report", name) {
			continue
		}
		for _, imp := range p.Imports {
			for _, f := range forges {
				if under(f, imp) {
					t.Errorf("%s imports %s: only gate/report/… talks to forges", name, imp)
				}
			}
		}
	}
}

// TestTestPackagesDoNotShip: helpers and suites for tests are imported by
// tests, and by each other.
func TestTestPackagesDoNotShip(t *testing.T) {
	for name, p := range list(t) {
		if isTest(name) {
			continue
		}
		for _, imp := range p.Imports {
			if isOurs(imp) && isTest(ours(imp)) {
				t.Errorf("%s imports %s outside its tests", name, path.Base(imp))
			}
		}
	}
}

// via names a package of ours between the two, if it is not a direct import.
func via(pkgs map[string]listed, from, to string) string {
	if slices.Contains(pkgs[from].Imports, to) {
		return ""
	}
	for _, imp := range pkgs[from].Imports {
		if isOurs(imp) && slices.Contains(pkgs[ours(imp)].Deps, to) {
			return " (through " + ours(imp) + ")"
		}
	}
	return " (through others)"
}
