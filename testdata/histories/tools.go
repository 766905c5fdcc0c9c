package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Versions of the tools whose word is held against the gate's.
const (
	migratePackage    = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.19.1"
	goosePackage      = "github.com/pressly/goose/v3/cmd/goose@v3.27.0"
	sqlMigratePackage = "github.com/rubenv/sql-migrate/sql-migrate@v1.8.1"
	dbmatePackage     = "dbmate@2.36.0"
)

// stepper brings a database up to what a directory holds.
type stepper interface {
	// up applies what is new. In its error is what the tool said.
	up(ctx context.Context, s step) error
	// down takes the last one back. Its second result is false where the tool
	// cannot.
	down(ctx context.Context, s step) (error, bool)
	// skip records the step as done although it failed, as an operator would
	// who had repaired it by hand.
	skip(ctx context.Context, s step) error
	close()
}

// newStepper installs the layout's own tool, once, and points it at a
// directory and a database.
func newStepper(ctx context.Context, srv *server, h history, cache, dir, database string) (stepper, error) {
	bin := filepath.Join(cache, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, err
	}
	base := program{srv: srv, dir: dir, database: database}
	switch h.Layout {
	case "golang-migrate":
		file, err := goInstall(ctx, bin, "migrate", migratePackage, "-tags", "postgres")
		base.name, base.args = file, []string{"-path", dir, "-database", srv.url(database), "up"}
		base.back = []string{"-path", dir, "-database", srv.url(database), "down", "1"}
		base.record = func(ctx context.Context, s step) error {
			_, err := srv.tool(ctx, dir, "", file, "-path", dir, "-database", srv.url(database), "force", s.key)
			return err
		}
		return base, err
	case "goose":
		file, err := goInstall(ctx, bin, "goose", goosePackage, "-tags", "no_clickhouse no_libsql no_mssql no_mysql no_sqlite3 no_vertica no_ydb")
		base.name, base.args = file, []string{"-dir", dir, "postgres", srv.url(database), "up"}
		base.back = []string{"-dir", dir, "postgres", srv.url(database), "down"}
		base.record = base.insert(func(s step) string {
			version, _, _ := strings.Cut(s.key, "_")
			return "INSERT INTO goose_db_version (version_id, is_applied) VALUES (" + version + ", true)"
		})
		return base, err
	case "sql-migrate":
		file, err := goInstall(ctx, bin, "sql-migrate", sqlMigratePackage)
		if err != nil {
			return nil, err
		}
		config := filepath.Join(filepath.Dir(dir), database+".yml")
		text := fmt.Sprintf("development:\n  dialect: postgres\n  datasource: %q\n  dir: %q\n", srv.url(database), dir)
		base.name, base.args, base.back = file, []string{"up", "-config", config}, []string{"down", "-limit", "1", "-config", config}
		base.record = base.insert(func(s step) string {
			return "INSERT INTO gorp_migrations (id, applied_at) VALUES ('" + s.key + "', now())"
		})
		return base, os.WriteFile(config, []byte(text), 0o600)
	case "dbmate":
		if err := command(ctx, bin, "npm", "install", "--silent", "--no-save", "--prefix", bin, dbmatePackage); err != nil {
			return nil, err
		}
		base.name = filepath.Join(bin, "node_modules", ".bin", "dbmate")
		base.args = []string{"--url", srv.url(database), "--migrations-dir", dir, "--no-dump-schema", "migrate"}
		base.back = []string{"--url", srv.url(database), "--migrations-dir", dir, "--no-dump-schema", "rollback"}
		base.record = base.insert(func(s step) string {
			version, _, _ := strings.Cut(s.key, "_")
			return "INSERT INTO schema_migrations (version) VALUES ('" + version + "')"
		})
		return base, nil
	case "flyway":
		return newFlyway(ctx, srv, cache, dir, database)
	case "plain":
		return plain{srv: srv, h: h, dir: dir, database: database}, nil
	}
	return nil, fmt.Errorf("no tool for the layout %q", h.Layout)
}

func goInstall(ctx context.Context, bin, name, pkg string, args ...string) (string, error) {
	file := filepath.Join(bin, name)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"install"}, args...), pkg)...)
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s: %w: %s", pkg, err, out)
	}
	return file, nil
}

// program is a tool that is started for every step.
type program struct {
	srv           *server
	name          string
	args, back    []string // up, and one step down
	dir, database string
	record        func(context.Context, step) error
}

func (p program) up(ctx context.Context, _ step) error {
	out, err := p.srv.tool(ctx, filepath.Dir(p.dir), "", p.name, p.args...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out))
	}
	return nil
}

func (p program) down(ctx context.Context, _ step) (error, bool) {
	out, err := p.srv.tool(ctx, filepath.Dir(p.dir), "", p.name, p.back...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out)), true
	}
	return nil, true
}

func (p program) skip(ctx context.Context, s step) error { return p.record(ctx, s) }
func (p program) close()                                 {}

func (p program) insert(sql func(step) string) func(context.Context, step) error {
	return func(ctx context.Context, s step) error {
		_, err := p.srv.sql(ctx, p.database, sql(s))
		return err
	}
}

// plain runs a step's files by psql as the project's program would.
type plain struct {
	srv           *server
	h             history
	dir, database string
}

func (p plain) up(ctx context.Context, s step) error { return p.run(ctx, s, false) }

func (p plain) down(ctx context.Context, s step) (error, bool) { return p.run(ctx, s, true), true }

func (p plain) run(ctx context.Context, s step, down bool) error {
	for _, f := range s.files {
		if isDown(f) != down {
			continue
		}
		args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", p.database}
		file := filepath.Join(p.dir, f)
		switch p.h.Transaction {
		case "auto":
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			args = append(args, "-c", string(text))
		case "file":
			args = append(args, "-1", "-f", file)
		default:
			args = append(args, "-f", file)
		}
		if out, err := p.srv.tool(ctx, "", "", "psql", args...); err != nil {
			return fmt.Errorf("%w: %s", err, lastLines(out))
		}
	}
	return nil
}

func (p plain) skip(context.Context, step) error { return nil }
func (p plain) close()                           {}

func isDown(file string) bool {
	return strings.HasSuffix(file, ".down.sql") || strings.HasSuffix(file, "_down.sql") || filepath.Base(file) == "down.sql"
}

func lastLines(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-6):], "\n")
}

//go:embed Step.java
var stepJava string

//go:embed pom.xml
var flywayPom string

// flyway is one Java process that migrates each time it is told to.
type flyway struct {
	srv      *server
	database string
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Scanner
}

func newFlyway(ctx context.Context, srv *server, cache, dir, database string) (*flyway, error) {
	lib := filepath.Join(cache, "flyway")
	if _, err := os.Stat(filepath.Join(lib, "lib")); err != nil {
		if err := os.MkdirAll(lib, 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(lib, "pom.xml"), []byte(flywayPom), 0o644); err != nil {
			return nil, err
		}
		if err := command(ctx, lib, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"); err != nil {
			return nil, err
		}
	}
	source := filepath.Join(lib, "Step.java")
	if err := os.WriteFile(source, []byte(stepJava), 0o644); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("jdbc:postgresql://%s:%d/%s", srv.target.Host, srv.target.Port, database)
	cmd := exec.CommandContext(ctx, "java", "-cp", filepath.Join(lib, "lib", "*"), source, url, srv.target.User, dir)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+srv.target.Password)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f := &flyway{srv: srv, database: database, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	f.out.Buffer(nil, 1<<20)
	return f, cmd.Start()
}

func (f *flyway) tell(what string) error {
	if _, err := fmt.Fprintln(f.in, what); err != nil {
		return err
	}
	for f.out.Scan() {
		if said, ok := strings.CutPrefix(f.out.Text(), "step: "); ok {
			if said == "ok" {
				return nil
			}
			return fmt.Errorf("%s", strings.ReplaceAll(said, "\\n", "\n"))
		}
	}
	return fmt.Errorf("flyway ended: %v", f.out.Err())
}

func (f *flyway) up(context.Context, step) error           { return f.tell("migrate") }
func (f *flyway) down(context.Context, step) (error, bool) { return nil, false }
func (f *flyway) skip(context.Context, step) error         { return f.tell("skip") }
func (f *flyway) close() {
	_ = f.in.Close()
	_ = f.cmd.Wait()
}
