package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// target is what the scripts run on: this machine's server programs where it
// has some, else prebuilt ones that are fetched once for all tests.
func target(t *testing.T) map[string]string {
	env := map[string]string{"MIGRATION_GATE_TARGET": "local", asTool: "1"}
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
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
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
// repositories. Each script is one story of a user's.
func TestScripts(t *testing.T) {
	bin, env, work := links(t), target(t), scratch(t)
	t.Cleanup(func() { empty(t, work) })
	env["MIGRATION_GATE_WORK_DIR"] = work
	server := snapshottest.Server(t, "") // not within a script, which must not end this test
	t.Run("dumps", func(t *testing.T) {
		err := server.Tools.Run(t.Context(), "pg_dump", []string{"--version"}, nil, io.Discard, io.Discard)
		if errors.Is(err, snapshot.ErrNoTool) {
			t.Skip("no pg_dump on this machine: the scripts' snapshots are plain SQL; PostgreSQL's client programs would make real dumps")
		} else if err != nil {
			t.Error(err)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			for name, value := range env {
				e.Setenv(name, value)
			}
			return commandtest.Setup(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": commandtest.Exits,
			"repo":  commandtest.Repo,
			"dump":  func(ts *testscript.TestScript, neg bool, args []string) { dump(t, ts, args) },
		},
		RequireUniqueNames: true,
	})
}

var dumps atomic.Int64

// dump runs a SQL file in a database of its own and dumps that by pg_dump:
// `dump FILE.sql OUT [pg_dump's arguments…]`. Where there is no pg_dump, the
// SQL itself is the snapshot; TestScripts says so.
func dump(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: dump FILE.sql OUT [arguments…]")
	}
	ctx := context.Background()
	server := snapshottest.Server(t, "")
	name := fmt.Sprintf("dump_%d", dumps.Add(1))
	admin := connect(ts, server, "postgres")
	defer admin.Close(ctx)
	_, err := admin.Exec(ctx, "CREATE DATABASE "+name)
	ts.Check(err)
	db := connect(ts, server, name)
	_, err = db.PgConn().Exec(ctx, ts.ReadFile(args[0])).ReadAll()
	ts.Check(errors.Join(err, db.Close(ctx)))
	var out, stderr bytes.Buffer
	if err := server.Tools.Run(ctx, "pg_dump", append(args[2:], "-d", name), nil, &out, &stderr); errors.Is(err, snapshot.ErrNoTool) {
		out.WriteString(ts.ReadFile(args[0]))
	} else if err != nil {
		ts.Fatalf("pg_dump: %v\n%s", err, stderr.Bytes())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o644))
}

func connect(ts *testscript.TestScript, s *snapshot.Target, database string) *pgx.Conn {
	c, err := pgx.Connect(context.Background(), fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", s.Host, s.Port, s.User, s.Password, database))
	ts.Check(err)
	return c
}
