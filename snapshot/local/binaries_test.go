package local

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

func TestCompareVersions(t *testing.T) {
	ordered := []string{"9.6", "10.23", "15.9", "15.18", "16beta1", "16rc1", "16.0", "16.4", "19devel"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := compareVersions(a, b), sign(i-j); got != want {
				t.Errorf("compareVersions(%s, %s) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestChoose(t *testing.T) {
	installed := []binaries{{"/19", "19beta1"}, {"/17b", "17.5"}, {"/17a", "17.2"}, {"/15", "15.18"}, {"/13", "13.1"}}
	for _, tt := range []struct {
		wanted, dir string
		exact       bool
	}{
		{"", "/17b", true}, // the newest release, not the beta
		{"17", "/17b", true},
		{"15.2", "/15", true},
		{"14", "/15", false}, // the nearest newer one
		{"16", "/17b", false},
		{"12", "/13", false},
		{"18", "/19", false},
		{"20", "", false}, // never an older one
	} {
		best, exact := choose(snapshot.Postgres, installed, tt.wanted)
		if best == nil {
			best = &binaries{}
		}
		if best.dir != tt.dir || exact != tt.exact {
			t.Errorf("choose(%q) = %q, %v; want %q, %v", tt.wanted, best.dir, exact, tt.dir, tt.exact)
		}
	}
}

// program writes one that says its version, as PostgreSQL's do.
func program(t *testing.T, path, says string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	program(t, dir+"/14/bin/postgres", "postgres (PostgreSQL) 14.9 (Vendor 14.9-1)")
	program(t, dir+"/14/bin/initdb", "initdb (PostgreSQL) 14.9")
	program(t, dir+"/half/postgres", "postgres (PostgreSQL) 99.1") // no initdb
	program(t, dir+"/broken/postgres", "Illegal instruction")
	program(t, dir+"/broken/initdb", "Illegal instruction")
	// Links to the real directory, and to the programs in it.
	if err := os.Symlink(dir+"/14/bin", dir+"/linked"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/links", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range serverPrograms {
		if err := os.Symlink(dir+"/14/bin/"+p, dir+"/links/"+p); err != nil {
			t.Fatal(err)
		}
	}
	program(t, dir+"/relative/postgres", "postgres (PostgreSQL) 98.1")
	program(t, dir+"/relative/initdb", "initdb (PostgreSQL) 98.1")
	t.Chdir(dir)

	path := strings.Join([]string{dir + "/missing", dir + "/half", dir + "/broken", "relative", dir + "/links", dir + "/linked"}, ":")
	m := &machine{opt: Options{Path: path}, kind: "local"}
	found, looked, _ := m.find(t.Context(), postgres(), serverPrograms)
	var here []binaries
	for _, b := range found {
		if strings.HasPrefix(b.dir, dir) || majorOf(b.version) > 90 {
			here = append(here, b)
		}
	}
	if want := []binaries{{dir + "/14/bin", "14.9"}}; !slices.Equal(here, want) {
		t.Errorf("found %v, want %v", here, want)
	}
	if !slices.Contains(looked, "PATH") || !slices.Contains(looked, "/usr/lib/postgresql/*/bin") {
		t.Errorf("does not say where it looked: %q", looked)
	}
}

func TestFindAsksPgConfig(t *testing.T) {
	dir := t.TempDir()
	program(t, dir+"/path/pg_config", dir+"/elsewhere")
	program(t, dir+"/elsewhere/postgres", "postgres (PostgreSQL) 97.1")
	program(t, dir+"/elsewhere/initdb", "initdb (PostgreSQL) 97.1")
	m := &machine{opt: Options{Path: dir + "/path"}, kind: "local"}
	found, _, _ := m.find(t.Context(), postgres(), serverPrograms)
	if len(found) == 0 || found[0].dir != dir+"/elsewhere" {
		t.Errorf("found %v", found)
	}
}

func TestFindPassesWrappersBy(t *testing.T) {
	dir := t.TempDir()
	program(t, dir+"/share/pg_wrapper", "psql (PostgreSQL) 96.1")
	if err := os.MkdirAll(dir+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir+"/share/pg_wrapper", dir+"/bin/psql"); err != nil {
		t.Fatal(err)
	}
	m := &machine{opt: Options{Path: dir + "/bin"}, kind: "local"}
	found, _, _ := m.find(t.Context(), postgres(), []string{"psql"})
	for _, b := range found {
		if majorOf(b.version) == 96 {
			t.Error("Debian's wrapper was taken for psql")
		}
	}
}

func TestOfferSaysWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	program(t, dir+"/postgres", "postgres (PostgreSQL) 95.3")
	program(t, dir+"/initdb", "initdb (PostgreSQL) 95.3")
	p := New(Options{Bins: []string{dir}})
	if o := p.Offer(t.Context(), snapshot.Spec{Version: "94"}); !o.OK || o.Exact || o.Version != "95.3" || !strings.Contains(o.Detail, "PostgreSQL 94 was wanted") {
		t.Errorf("a newer one: %+v", o)
	}
	if o := p.Offer(t.Context(), snapshot.Spec{Version: "96"}); o.OK || !strings.Contains(o.Detail, "wanted PostgreSQL 96 or newer, found only 95.3 in "+dir) {
		t.Errorf("only older ones: %+v", o)
	}
}

func TestRootRefusesWhatOthersPlanted(t *testing.T) {
	name := "migration-gate-" + strconv.Itoa(os.Geteuid())
	for _, tt := range []struct {
		what  string
		plant func(dir string) error
		want  string
	}{
		{"a link", func(dir string) error { return os.Symlink(os.TempDir(), dir) }, "is not a directory"},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "is not a directory"},
		{"one that others may write to", func(dir string) error {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			return os.Chmod(dir, 0o777)
		}, "is writable to others"},
		{"another user's", func(dir string) error {
			if os.Geteuid() != 0 {
				t.Log("not run: only root can make another user's directory")
				return os.Symlink("x", dir)
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			return os.Chown(dir, 12345, 12345)
		}, ""},
	} {
		parent := t.TempDir()
		if err := tt.plant(filepath.Join(parent, name)); err != nil {
			t.Fatal(err)
		}
		m := &machine{opt: Options{Scratch: parent}}
		if root, err := m.root(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: used %q, error %v", tt.what, root, err)
		}
		if o := New(m.opt).Offer(t.Context(), snapshot.Spec{}); o.OK || !strings.Contains(o.Detail, "scratch directory") {
			t.Errorf("%s: offer %+v", tt.what, o)
		}
	}
}

func TestDestroyStaysBelowItsRoot(t *testing.T) {
	parent := t.TempDir()
	victim := filepath.Join(parent, "victim")
	if err := os.Mkdir(victim, 0o755); err != nil {
		t.Fatal(err)
	}
	p := New(Options{Scratch: parent})
	root, err := p.root()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{victim, "", "/", root, root + "/../victim", root + "/a/b", "victim"} {
		if err := p.Destroy(t.Context(), snapshot.Handle{ID: id}); err == nil {
			t.Errorf("destroyed %q", id)
		}
	}
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
}

// A process that merely has the number of a server that is long gone is left
// alone.
func TestStopSparesStrangers(t *testing.T) {
	s := scratch(t.TempDir())
	if err := os.Mkdir(s.file("data"), 0o700); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	if err := os.WriteFile(s.file("data/postmaster.pid"), []byte(pid+"\n"+s.file("data")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := destroy(t.Context(), s); err != nil { // or this very process ends
		t.Fatal(err)
	}
	if _, err := os.Stat(string(s)); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// A user without a home is given "/.cache": what cannot be written there is
// kept among the temporary files, and never where somebody else could plant it.
func TestCacheOfTheHomeless(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(file, ".cache", "migration-gate") // not even for root
	temporary := filepath.Join(tmp, "migration-gate-cache-"+strconv.Itoa(os.Geteuid()))

	if dir := filepath.Join(tmp, "deep", "down"); orTemporary(dir) != dir {
		t.Errorf("where the cache can be made, it is kept in %s", orTemporary(dir))
	}
	if _, err := os.Lstat(temporary); err == nil {
		t.Error("a temporary one was made without need")
	}
	for range 2 { // made, and found
		if got := orTemporary(nowhere); got != temporary {
			t.Errorf("where it cannot be made, it is kept in %s", got)
		}
	}
	if err := os.Chmod(temporary, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := orTemporary(nowhere); got != nowhere {
		t.Errorf("what others may write to is taken: %s", got)
	}
}
