package toolstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// tool is a migration tool at work on a database.
type tool interface {
	// up applies what the directory has and the database lacks.
	up(ctx context.Context, database, dir string) error
	// down takes the last one back.
	down(ctx context.Context, database, dir string) error
	// pending are the files that up would apply, in its order.
	pending(ctx context.Context, database, dir string) ([]string, error)
}

// toolOf finds a layout's tool, or fails the test for want of it.
func toolOf(t *testing.T, layout string, server *snapshot.Target) tool {
	t.Helper()
	switch layout {
	case "golang-migrate", "goose", "sql-migrate":
		bin, err := goTools()
		if err != nil {
			t.Fatalf("build testdata/tools: %v", err)
		}
		return goTool{server, bin, layout}
	case "dbmate":
		bin, err := exec.LookPath(filepath.Join("..", "tools", "node_modules", ".bin", "dbmate"))
		if err != nil {
			snapshottest.Missing(t, "dbmate: its layout is not held against the tool itself", "testdata/install.sh dbmate, where there is npm")
		}
		return dbmate{server, bin}
	case "flyway":
		return flywayTool(t, server)
	case "plain":
		return &psql{server: server, ran: map[string]bool{}}
	}
	t.Fatalf("no tool for the layout %s", layout)
	return nil
}

// goTools builds the tools that are Go modules, once.
var goTools = sync.OnceValues(func() (string, error) {
	bin, err := filepath.Abs(filepath.Join("..", "tools", "bin", "tools"))
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-C", filepath.Join("..", "tools"), "-o", bin, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

// url connects as the server's administrator.
func url(server *snapshot.Target, database string) string {
	return postgres.URL(server.Host, server.Port, server.User, server.Password, database, "sslmode=disable")
}

// say runs a program and returns what it printed; what went wrong is in its
// own words.
func say(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s%s", err, stderr.Bytes(), stdout.Bytes())
	}
	return stdout.String(), nil
}

type goTool struct {
	server    *snapshot.Target
	bin, name string
}

func (g goTool) run(ctx context.Context, command, database, dir string) (string, error) {
	return say(ctx, g.bin, g.name, command, url(g.server, database), dir)
}

func (g goTool) up(ctx context.Context, database, dir string) error {
	_, err := g.run(ctx, "up", database, dir)
	return err
}

func (g goTool) down(ctx context.Context, database, dir string) error {
	_, err := g.run(ctx, "down", database, dir)
	return err
}

func (g goTool) pending(ctx context.Context, database, dir string) ([]string, error) {
	out, err := g.run(ctx, "pending", database, dir)
	return strings.Fields(out), err
}

// dbmate is its own program.
type dbmate struct {
	server *snapshot.Target
	bin    string
}

func (d dbmate) run(ctx context.Context, command, database, dir string) (string, error) {
	return say(ctx, d.bin, "--url", url(d.server, database), "--migrations-dir", dir, "--no-dump-schema", command)
}

func (d dbmate) up(ctx context.Context, database, dir string) error {
	_, err := d.run(ctx, "migrate", database, dir)
	return err
}

func (d dbmate) down(ctx context.Context, database, dir string) error {
	_, err := d.run(ctx, "rollback", database, dir)
	return err
}

func (d dbmate) pending(ctx context.Context, database, dir string) (files []string, err error) {
	out, err := d.run(ctx, "status", database, dir)
	for line := range strings.Lines(out) {
		if file, ok := strings.CutPrefix(strings.TrimSpace(line), "[ ] "); ok {
			files = append(files, file)
		}
	}
	return files, err
}

// psql runs plain files one after the other, as a team's script does, and is
// its own memory of what it ran.
type psql struct {
	server *snapshot.Target
	ran    map[string]bool // database and file
	last   []string
}

func (p *psql) file(ctx context.Context, database, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := p.server.Tools.Run(ctx, "psql", []string{"-X", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"}, bytes.NewReader(text), &out, &out); err != nil {
		return fmt.Errorf("%w: %s", err, out.Bytes())
	}
	return nil
}

func (p *psql) up(ctx context.Context, database, dir string) error {
	files, err := p.pending(ctx, database, dir)
	for _, f := range files {
		if err := p.file(ctx, database, filepath.Join(dir, f)); err != nil {
			return err
		}
		p.ran[database+"/"+f] = true
		p.last = append(p.last, f)
	}
	return err
}

func (p *psql) down(ctx context.Context, database, dir string) error {
	if len(p.last) == 0 {
		return errors.New("nothing to take back")
	}
	last := p.last[len(p.last)-1]
	p.last = p.last[:len(p.last)-1]
	delete(p.ran, database+"/"+last)
	return p.file(ctx, database, filepath.Join(dir, strings.TrimSuffix(last, ".sql")+".down.sql"))
}

func (p *psql) pending(_ context.Context, database, dir string) (files []string, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	for _, f := range all { // Glob sorts them
		if f = filepath.Base(f); !strings.HasSuffix(f, ".down.sql") && !p.ran[database+"/"+f] {
			files = append(files, f)
		}
	}
	return files, err
}
