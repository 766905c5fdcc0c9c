package product

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The images under test: PostgreSQL 17 and MariaDB; MySQL 9.7 alone.
var (
	image      = os.Getenv("MG_TEST_PRODUCT")
	mysqlImage = os.Getenv("MG_TEST_PRODUCT_MYSQL")
)

const (
	socket  = "/var/run/docker.sock"
	sibling = "migration-gate-test/postgres:17"
	// checkout owns what a CI service checks out; the gate runs as another.
	checkout = 1001
)

func TestMain(m *testing.M) {
	if image == "" || mysqlImage == "" {
		fmt.Println("skipped: testdata/images/test.sh builds the images and says in MG_TEST_PRODUCT and MG_TEST_PRODUCT_MYSQL which they are")
		return
	}
	code := m.Run()
	if labs.dir != "" {
		_ = os.RemoveAll(labs.dir)
	}
	if path := os.Getenv("MG_TEST_FIGURES"); path != "" {
		if err := os.WriteFile(path, figures.Bytes(), 0o600); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// docker runs the engine's client and returns both its streams.
func docker(args ...string) (string, error) {
	out, err := exec.Command("docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := docker(args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func random() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return "migration-gate-product-" + hex.EncodeToString(b)
}

// box is a container of the product image and what is asked of it.
type box struct {
	image   string // default: image
	options []string
	args    []string
}

// gated is how it ended.
type gated struct {
	id   string
	code int
	out  string
	took time.Duration
}

// start runs a container in the background; it is removed with the test.
func (b box) start(t *testing.T) (id string) {
	t.Helper()
	if b.image == "" {
		b.image = image
	}
	args := append([]string{"run", "--detach"}, b.options...)
	id = must(t, append(append(args, b.image), b.args...)...)
	t.Cleanup(func() { _, _ = docker("rm", "--force", "--volumes", id) })
	return id
}

// run runs a container to its end, and checks that no sibling of it is left.
func (b box) run(t *testing.T) gated {
	t.Helper()
	began := time.Now()
	return ended(t, b.start(t), began)
}

func ended(t *testing.T, id string, began time.Time) gated {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "wait", id).CombinedOutput()
	g := gated{id: id, took: time.Since(began)}
	log, _ := docker("logs", id)
	g.out = log
	if err != nil {
		t.Fatalf("it does not end: %v %s\n%s", err, out, log)
	}
	if _, err := fmt.Sscan(string(out), &g.code); err != nil {
		t.Fatalf("docker wait: %q", out)
	}
	for _, what := range siblings(t, id) {
		t.Errorf("left behind: %s", what)
	}
	return g
}

// siblings are the things that a gate in that container made on the engine.
func siblings(t *testing.T, id string) (all []string) {
	t.Helper()
	label := "label=dev.migration-gate.inside=" + id
	for kind, args := range map[string][]string{
		"container": {"ps", "--all", "--quiet"}, "network": {"network", "ls", "--quiet"}, "volume": {"volume", "ls", "--quiet"},
	} {
		for _, found := range strings.Fields(must(t, append(args, "--filter", label)...)) {
			all = append(all, kind+" "+found)
		}
	}
	return all
}

// want checks the exit code and that all of the words are in what it said.
func (g gated) want(t *testing.T, code int, words ...string) {
	t.Helper()
	said := strings.Join(strings.Fields(g.out), " ") // lines are wrapped
	var missing []string
	for _, w := range words {
		if !strings.Contains(said, w) {
			missing = append(missing, w)
		}
	}
	if g.code != code || len(missing) > 0 {
		t.Errorf("exit code %d, want %d; it does not say %q:\n%s", g.code, code, missing, g.out)
	}
}

// figures are written where MG_TEST_FIGURES says.
var figures bytes.Buffer

func figure(what string, g gated) {
	fmt.Fprintf(&figures, "%5.1f s from container start to verdict: %s\n", g.took.Seconds(), what)
}

// labs are demonstrations, made once each.
var labs struct {
	sync.Mutex
	dir   string
	ready map[string]error
}

// lab is a directory with the demonstration of an engine, as a mount: the
// snapshot, and below safe/ and dangerous/ a clone of the repository with that
// change checked out; job/ is another of the dangerous one.
func lab(t *testing.T, engine string) string {
	t.Helper()
	labs.Lock()
	defer labs.Unlock()
	if labs.ready == nil {
		dir, err := os.MkdirTemp("", "migration-gate-product-")
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		labs.dir, labs.ready = dir, map[string]error{}
	}
	dir := filepath.Join(labs.dir, engine)
	if _, made := labs.ready[engine]; !made {
		labs.ready[engine] = demonstration(engine, dir)
	}
	if err := labs.ready[engine]; err != nil {
		t.Fatal(err)
	}
	return dir
}

// demonstration makes the snapshot in the image itself, and the repository
// with this machine's git.
func demonstration(engine, dir string) error {
	demo, err := filepath.Abs("../../demo")
	if err != nil {
		return err
	}
	here := filepath.Join(demo, engine)
	if engine != "mariadb" {
		from := image
		if engine == "mysql" {
			from = mysqlImage
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		script, err := filepath.Abs("snapshot.sh")
		if err != nil {
			return err
		}
		out, err := docker("run", "--rm", "--volume", dir+":/lab", "--volume", demo+":/demo:ro", "--volume", script+":/snapshot.sh:ro",
			"--entrypoint", "bash", from, "/snapshot.sh", engine, "20000")
		if err != nil {
			return fmt.Errorf("make the snapshot: %w\n%s", err, out)
		}
	} else { // the demonstration is MySQL's; this is to see that the server runs
		here = filepath.Join(dir, "sql")
		for name, sql := range map[string]string{
			"main/000001_t.up.sql":        "CREATE TABLE t (id int PRIMARY KEY);\n",
			"main/000001_t.down.sql":      "DROP TABLE t;\n",
			"safe/000002_a.up.sql":        "ALTER TABLE t ADD COLUMN a int, ALGORITHM=INSTANT;\n",
			"safe/000002_a.down.sql":      "ALTER TABLE t RENAME COLUMN a TO _deprecated_a, ALGORITHM=INSTANT;\n",
			"dangerous/000002_a.up.sql":   "ALTER TABLE t ADD COLUMN a int, ALGORITHM=INSTANT;\n",
			"dangerous/000002_a.down.sql": "ALTER TABLE t DROP COLUMN a;\n",
		} {
			path := filepath.Join(here, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(sql), 0o644)); err != nil {
				return err
			}
		}
	}
	script := `set -e
git init -q -b main origin; cd origin; mkdir migrations; cp "$1"/main/*.sql migrations; git add -A; git commit -q -m main; cd ..
for change in safe dangerous; do
  git clone -q origin $change; cd $change; git checkout -q -b $change; cp "$1"/$change/*.sql migrations; git add -A; git commit -q -m "$change"; cd ..
done
cp -R dangerous job # for steps that leave state between them
chown -R "$2" safe dangerous job`
	cmd := exec.Command("bash", "-c", script, "bash", here, fmt.Sprint(checkout))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the repository: %w\n%s", err, out)
	}
	return nil
}

// untouched checks that the gate left nothing of its own in the checkout, and
// nothing that its owner could not remove.
func untouched(t *testing.T, dir string, but ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		for _, b := range but {
			if rel == b {
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		out, err := exec.Command("stat", "-c", "%u", path).Output()
		if err == nil && strings.TrimSpace(string(out)) != fmt.Sprint(checkout) {
			t.Errorf("%s belongs to user %s", rel, strings.TrimSpace(string(out)))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
