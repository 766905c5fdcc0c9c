package toolstest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// flywayClasses fetches Flyway from Maven Central and compiles the program that
// runs it, once, and returns the class path of both.
var flywayClasses = sync.OnceValues(func() (string, error) {
	from, err := filepath.Abs(filepath.Join("..", "tools", "flyway"))
	if err != nil {
		return "", err
	}
	to := filepath.Join(from, "..", "bin", "flyway")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", err
	}
	jars := filepath.Join(to, "classpath")
	pom := filepath.Join(from, "pom.xml")
	if _, err := say(context.Background(), "mvn", "-q", "-B", "-f", pom, "dependency:build-classpath", "-Dmdep.outputFile="+jars); err != nil {
		return "", err
	}
	list, err := os.ReadFile(jars)
	if err != nil {
		return "", err
	}
	classpath := to + string(os.PathListSeparator) + strings.TrimSpace(string(list))
	_, err = say(context.Background(), "javac", "-d", to, "-cp", classpath, filepath.Join(from, "Tool.java"))
	return classpath, err
})

// flywayTool is Flyway, or fails the test for want of it.
func flywayTool(t *testing.T, server *snapshot.Target) tool {
	t.Helper()
	for _, program := range []string{"mvn", "javac"} {
		if _, err := exec.LookPath(program); err != nil {
			snapshottest.Missing(t, program+", by which Flyway is fetched and run: its layout is not held against the tool itself", "testdata/install.sh flyway")
		}
	}
	classpath, err := flywayClasses()
	if err != nil {
		t.Fatalf("fetch and compile testdata/tools/flyway: %v", err)
	}
	return flyway{server, classpath}
}

// flyway is run as its command line runs it.
type flyway struct {
	server    *snapshot.Target
	classpath string
}

func (f flyway) run(ctx context.Context, command, database, dir string) (string, error) {
	return say(ctx, "java", "-XX:TieredStopAtLevel=1", "-cp", f.classpath, "Tool", command, url(f.server, database), dir)
}

func (f flyway) up(ctx context.Context, database, dir string) error {
	_, err := f.run(ctx, "up", database, dir)
	return err
}

// down is in Flyway's paid editions.
func (f flyway) down(context.Context, string, string) error {
	return errors.New("no undo in this edition")
}

func (f flyway) pending(ctx context.Context, database, dir string) ([]string, error) {
	out, err := f.run(ctx, "pending", database, dir)
	return strings.Fields(out), err
}

// TestFlywayRepeatables: by checksums that Flyway wrote, the gate tells a
// repeatable migration that is to run again from one that is not, placeholders
// and line ends included.
func TestFlywayRepeatables(t *testing.T) {
	b, ctx := newBench(t, "flyway"), t.Context()
	files := func(extra ...string) func(string) {
		return func(dir string) {
			for i, pairs := 0, append([]string{
				"V1__orders.sql", "CREATE TABLE orders (id int);\n",
				"views/R__with_placeholder.sql", "CREATE OR REPLACE VIEW a AS SELECT id FROM ${flyway:defaultSchema}.orders; -- ü\r\n-- ${flyway:filename}\r\n",
				"views/R__edited_view.sql", "\ufeffCREATE OR REPLACE VIEW b AS SELECT 1 AS n;\n\n",
				"views/R__as_it_was.sql", "CREATE OR REPLACE VIEW c AS SELECT 1 AS n;",
			}, extra...); i < len(pairs); i += 2 {
				full := filepath.Join(dir, pairs[i])
				b.must(os.MkdirAll(filepath.Dir(full), 0o755))
				b.must(os.WriteFile(full, []byte(pairs[i+1]), 0o644))
			}
		}
	}
	change := files("views/R__edited_view.sql", "CREATE OR REPLACE VIEW b AS SELECT 2 AS n;\n", "views/R__as_it_was.sql", "CREATE OR REPLACE VIEW c AS SELECT 1 AS n;\r\n\r\n",
		"V2__x.sql", "ALTER TABLE orders ADD COLUMN x int;\n")
	top := b.branch(files(), change)
	db := b.database("")
	base := filepath.Join(b.dir, "base")
	files()(base)
	b.must(b.tool.up(ctx, db, base))
	said, err := b.tool.pending(ctx, db, filepath.Join(top, "migrations"))
	b.must(err)
	for i := range said {
		said[i] = filepath.Base(said[i])
	}
	code, r, stderr := b.check(top, b.dump(db))
	if code > 1 || r.Observation.Snapshot == nil {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if diff := cmp.Diff(said, pendingOf(r)); diff != "" || len(said) != 2 || len(r.Observation.Snapshot.CaughtUp) > 0 {
		t.Errorf("caught up %v; Flyway would run %v: %s", r.Observation.Snapshot.CaughtUp, said, diff)
	}
	for _, f := range r.Findings {
		if f.Rule == "checksum-drift" {
			t.Errorf("an edited repeatable is no drift: %s", f.Message)
		}
	}
}

// TestFlywayMoves: to Flyway a script is the same in whatever directory it lies,
// and a repeatable one that was edited on the way runs again.
func TestFlywayMoves(t *testing.T) {
	b, ctx := newBench(t, "flyway"), t.Context()
	files := func(pairs ...string) func(string) {
		return func(dir string) {
			for i := 0; i < len(pairs); i += 2 {
				full := filepath.Join(dir, pairs[i])
				b.must(os.MkdirAll(filepath.Dir(full), 0o755))
				b.must(os.WriteFile(full, []byte(pairs[i+1]), 0o644))
			}
		}
	}
	merged := files("V1__orders.sql", "CREATE TABLE orders (id int);\n", "old/V2__x.sql", "ALTER TABLE orders ADD COLUMN x int;\n",
		"old/R__same.sql", "CREATE OR REPLACE VIEW a AS SELECT 1 AS n;\n", "old/R__edited.sql", "CREATE OR REPLACE VIEW b AS SELECT 1 AS n;\n")
	top := b.branch(merged, func(dir string) {
		b.must(os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "new")))
		files("new/R__edited.sql", "CREATE OR REPLACE VIEW b AS SELECT 2 AS n;\n", "V3__y.sql", "ALTER TABLE orders ADD COLUMN y int;\n")(dir)
	})
	db := b.database("")
	base := filepath.Join(b.dir, "base")
	merged(base)
	b.must(b.tool.up(ctx, db, base))
	dump := b.dump(db)
	said, err := b.tool.pending(ctx, db, filepath.Join(top, "migrations"))
	b.must(err)
	b.must(b.tool.up(ctx, db, filepath.Join(top, "migrations")))
	for i := range said {
		said[i] = filepath.Base(said[i])
	}
	code, r, stderr := b.check(top, dump)
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if diff := cmp.Diff(said, pendingOf(r)); diff != "" || len(said) != 2 {
		t.Errorf("Flyway would run %v: %s", said, diff)
	}
	for _, f := range r.Findings {
		if f.Rule == "checksum-drift" {
			t.Errorf("a script that moved is no drift: %s", f.Message)
		}
	}
}
