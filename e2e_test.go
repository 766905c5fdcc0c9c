package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/migration-gate/migration-gate/gate/command"
	"github.com/migration-gate/migration-gate/gate/command/commandtest"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
	"github.com/rogpeppe/go-internal/testscript"
)

// links makes a directory of links to this test binary, which is the tool
// itself where the environment asks for it, under all names it answers to.
func links(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range append(command.StepNames(), "migration-gate") {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// target is the environment that runs on an engine: this machine's server
// programs where it has some, else PostgreSQL's prebuilt ones, fetched once for
// all tests, or MySQL's that the tests installed. $SCHEMA is where its tables
// are, $SQL whose files differ, $BUDGET so many milliseconds that what takes a
// lock for long is over it: MySQL's DDL is watched by the ticker alone, which a
// busy machine keeps from looking for some 50 of them.
func target(t *testing.T, engine string) map[string]string {
	t.Helper()
	env := map[string]string{"MIGRATION_GATE_TARGET": "local", "MIGRATION_GATE_ENGINE": engine, "PATH": os.Getenv("PATH"), asTool: "1"}
	if engine != "postgres" {
		env["SCHEMA"], env["SQL"], env["BUDGET"] = mysqlSchema, "mysql", "100"
		env["PATH"] = snapshottest.MySQL(t, engine).Handle.Bin + string(os.PathListSeparator) + env["PATH"]
		return env
	}
	env["SCHEMA"], env["SQL"], env["BUDGET"] = "public", "postgres", "1"
	delete(env, "MIGRATION_GATE_ENGINE") // it is the default
	if offer := local.New(local.Options{Path: os.Getenv("PATH")}).Offer(t.Context(), snapshot.Spec{}); !offer.OK {
		env["MIGRATION_GATE_TARGET"] = "embedded"
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		env["MIGRATION_GATE_EMBEDDED_CACHE"] = local.CacheDir(cache)
		t.Logf("local binaries: %s; running on embedded ones", offer.Detail)
	}
	return env
}

// scratch is a directory for servers, whose unprivileged account may enter it,
// unlike those that tests are given.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() { // a script that ended in its middle has kept servers
			kept, _ := filepath.Glob(filepath.Join(dir, "migration-gate-*", "*"))
			for _, k := range kept {
				_ = local.New(local.Options{Scratch: dir}).Destroy(context.Background(), snapshot.Handle{Kind: "local", ID: k})
			}
		}
		_ = os.RemoveAll(dir)
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// empty fails the test where a server's directory is left below scratch.
func empty(t *testing.T, scratch string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(scratch, "migration-gate-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		t.Errorf("left behind: %s", l)
	}
}

// TestScripts runs testdata/script: the real binary on real servers, dumps and
// repositories. Each script is one story of a user's. Those in shared are told
// on every engine, with $ENGINE, $SCHEMA, where its tables are, and $SQL, whose
// files differ, to tell them apart.
func TestScripts(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		server := snapshottest.Server(t, "") // not within a script, which must not end this test
		t.Run("dumps", func(t *testing.T) {
			err := server.Tools.Run(t.Context(), "pg_dump", []string{"--version"}, nil, io.Discard, io.Discard)
			if errors.Is(err, snapshot.ErrNoTool) {
				snapshottest.Missing(t, "the scripts on dumps of pg_dump (their snapshots are plain SQL): no pg_dump for this server", "testdata/install.sh postgresql")
			} else if err != nil {
				t.Error(err)
			}
		})
		scripts(t, target(t, "postgres"), commands{"dump": dump(func(ts *testscript.TestScript, file, out string, args []string) {
			dumpPostgres(ts, server, file, out, args)
		})}, "shared", "postgres")
	})
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			server := snapshottest.MySQL(t, flavour)
			var one sync.Mutex // the schema's name is the same in every script
			scripts(t, target(t, flavour), commands{"dump": dump(func(ts *testscript.TestScript, file, out string, args []string) {
				one.Lock()
				defer one.Unlock()
				dumpMySQL(ts, server, file, out, args)
			})}, "shared", "mysql")
		})
	}
}

// commands of a script, by name.
type commands = map[string]func(ts *testscript.TestScript, neg bool, args []string)

// scripts runs the scripts of some directories on one engine, with the
// commands that are the engine's own besides those that all have.
func scripts(t *testing.T, env map[string]string, own commands, dirs ...string) {
	cmds := commands{"exits": commandtest.Exits, "repo": commandtest.Repo, "pull-request": commandtest.PullRequest}
	maps.Copy(cmds, own)
	bin, work := links(t), scratch(t)
	t.Cleanup(func() { empty(t, work) })
	var files []string
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join("testdata", "script", dir, "*.txtar"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no scripts in %s (%v)", dir, err)
		}
		files = append(files, found...)
	}
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(e *testscript.Env) error {
			for name, value := range env {
				e.Setenv(name, value)
			}
			e.Setenv("MIGRATION_GATE_WORK_DIR", work)
			e.Setenv("PATH", bin+string(os.PathListSeparator)+env["PATH"])
			return commandtest.Setup(e)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "mysql":
				return env["SQL"] == "mysql", nil
			case "mariadb":
				return env["MIGRATION_GATE_ENGINE"] == "mariadb", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds:               cmds,
		RequireUniqueNames: true,
	})
}

// dump is a script's command `dump FILE.sql OUT [arguments…]`, as one engine
// does it.
func dump(by func(ts *testscript.TestScript, file, out string, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) < 2 {
			ts.Fatalf("usage: dump FILE.sql OUT [arguments…]")
		}
		by(ts, args[0], args[1], args[2:])
	}
}

var dumps atomic.Int64

// dumpPostgres runs a SQL file in a database of its own and dumps that by
// pg_dump: `dump FILE.sql OUT [pg_dump's arguments…]`, in custom format where
// OUT ends in .dump. Where there is no pg_dump, the SQL itself is the
// snapshot; TestScripts says so.
func dumpPostgres(ts *testscript.TestScript, server *snapshot.Target, file, out string, args []string) {
	ctx := context.Background()
	name := fmt.Sprintf("dump_%d", dumps.Add(1))
	admin := connect(ts, server, "postgres")
	defer admin.Close(ctx)
	_, err := admin.Exec(ctx, "CREATE DATABASE "+name)
	ts.Check(err)
	db := connect(ts, server, name)
	_, err = db.PgConn().Exec(ctx, ts.ReadFile(file)).ReadAll()
	ts.Check(errors.Join(err, db.Close(ctx)))
	if filepath.Ext(out) == ".dump" {
		args = append(args, "-Fc")
	}
	var stdout, stderr bytes.Buffer
	if err := server.Tools.Run(ctx, "pg_dump", append(args, "-d", name), nil, &stdout, &stderr); errors.Is(err, snapshot.ErrNoTool) {
		stdout.WriteString(ts.ReadFile(file))
	} else if err != nil {
		ts.Fatalf("pg_dump: %v\n%s", err, stderr.Bytes())
	}
	ts.Check(os.WriteFile(ts.MkAbs(out), stdout.Bytes(), 0o644))
}

// mysqlSchema is the schema of the scripts' snapshots and, by the gate's own
// choice, of a baseline without one.
const mysqlSchema = "app"

// dumpMySQL does the same by the flavour's own dump tool.
func dumpMySQL(ts *testscript.TestScript, server *snapshot.Target, file, out string, args []string) {
	ctx := context.Background()
	client, dump := "mysql", "mysqldump"
	if server.Handle.Engine == snapshot.MariaDB {
		client, dump = "mariadb", "mariadb-dump"
	}
	run := func(program string, stdin string, args ...string) []byte {
		var stdout, stderr bytes.Buffer
		if err := server.Tools.Run(ctx, program, args, strings.NewReader(stdin), &stdout, &stderr); err != nil {
			ts.Fatalf("%s: %v\n%s", program, err, stderr.Bytes())
		}
		return stdout.Bytes()
	}
	run(client, "DROP DATABASE IF EXISTS "+mysqlSchema+"; CREATE DATABASE "+mysqlSchema)
	run(client, ts.ReadFile(file), mysqlSchema)
	sql := run(dump, "", append(args, "--single-transaction", "--routines", "--triggers", mysqlSchema)...)
	ts.Check(os.WriteFile(ts.MkAbs(out), sql, 0o644))
}

func connect(ts *testscript.TestScript, s *snapshot.Target, database string) *pgx.Conn {
	c, err := pgx.Connect(context.Background(), fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", s.Host, s.Port, s.User, s.Password, database))
	ts.Check(err)
	return c
}
