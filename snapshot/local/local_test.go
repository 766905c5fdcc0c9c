package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// leftovers are directories of a run below the scratch root, and processes
// that work in it.
func leftovers(t *testing.T, root string) snapshottest.Leftovers {
	return func(run string) (left []string) {
		servers, err := filepath.Glob(filepath.Join(root, "migration-gate-*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range servers {
			owner, err := os.ReadFile(filepath.Join(dir, "owner.json"))
			if err != nil || strings.Contains(string(owner), run) {
				left = append(left, dir)
			}
		}
		cwds, _ := filepath.Glob("/proc/[0-9]*/cwd")
		for _, link := range cwds {
			if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, root) && strings.Contains(cwd, "(deleted)") {
				left = append(left, "process "+link+" in "+cwd)
			}
		}
		return left
	}
}

func TestLocal(t *testing.T) {
	root := scratch(t)
	p := local.New(local.Options{Scratch: root, Path: os.Getenv("PATH")})
	offer := p.Offer(t.Context(), snapshot.Spec{})
	if !offer.OK {
		snapshottest.Missing(t, "servers found on this machine: "+offer.Detail, "testdata/install.sh postgresql")
	}
	snapshottest.SupportedTarget(t, "local", "")
	snapshottest.Exercise(t, p, snapshot.Spec{Version: offer.Version[:2]}, leftovers(t, root))
}

func TestEmbedded(t *testing.T) {
	root := scratch(t)
	p := local.NewEmbedded(local.EmbeddedOptions{
		Options: local.Options{Scratch: root, Path: os.Getenv("PATH")},
		Cache:   cacheDir(),
	})
	snapshottest.SupportedTarget(t, "embedded", "")
	snapshottest.Exercise(t, p, snapshot.Spec{Version: "18"}, leftovers(t, root))
}

func cacheDir() string {
	dir, _ := os.UserCacheDir()
	return local.CacheDir(dir)
}

// scratch is a directory that every user may enter; the child processes of
// the suite share it.
func scratch(t *testing.T) string {
	if dir := os.Getenv("MG_TEST_SCRATCH"); dir != "" {
		return dir
	}
	dir, err := os.MkdirTemp("", "mg-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MG_TEST_SCRATCH", dir)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
