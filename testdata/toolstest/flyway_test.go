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
