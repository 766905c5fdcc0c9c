package snapshottest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// product is how the suite talks to a kind of server.
type product struct {
	name      string
	instances bool // a target has several servers
	settings  func() map[string]string
	// version is SQL that asks for it, release the part of the answer that a
	// Target's Version is.
	version string
	release func(said string) string
	// ask connects as the target says and asks for one value.
	ask func(target *snapshot.Target, sql string) (string, error)
	// exec runs SQL that has no result. databases is SQL that counts those whose
	// name begins with %s.
	exec      func(target *snapshot.Target, sql string) error
	databases string
	// configured checks the settings, and what a server has on its own account.
	configured func(t *testing.T, target *snapshot.Target, settings map[string]string)
	more       func(t *testing.T, target *snapshot.Target)
	tool       tool
}

// productOf is nil for an engine that the suite does not know.
func productOf(spec snapshot.Spec) *product {
	switch spec.Engine {
	case snapshot.Postgres, "":
		return postgresProduct()
	case snapshot.MySQL, snapshot.MariaDB:
		return mysqlProduct(spec.Engine)
	}
	return nil
}

func postgresProduct() *product {
	return &product{
		name: "PostgreSQL", settings: Settings,
		version: "show server_version",
		release: func(said string) string { v, _, _ := strings.Cut(said, " "); return v },
		ask:     askPostgres,
		exec: func(target *snapshot.Target, sql string) error {
			_, err := askPostgres(target, sql)
			if errors.Is(err, pgx.ErrNoRows) {
				err = nil
			}
			return err
		},
		databases: "select count(*)::text from pg_database where starts_with(datname, '%s')",
		configured: func(t *testing.T, target *snapshot.Target, settings map[string]string) {
			for _, m := range []map[string]string{settings, {"server_encoding": "UTF8", "lc_messages": "C"}} {
				for k, want := range m {
					if got := query(t, target, "select current_setting('"+k+"')"); got != want {
						t.Errorf("%s is %q, want %q", k, got, want)
					}
				}
			}
			if got := query(t, target, "select upper('àéŝ')"); got != "ÀÉŜ" {
				t.Errorf("upper('àéŝ') is %q: the locale knows ASCII only", got)
			}
		},
		more: func(t *testing.T, target *snapshot.Target) {
			t.Run("shared memory", func(t *testing.T) { sharedMemory(t, target) })
		},
		tool: tool{
			name: "psql", args: []string{"-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres"},
			file:  func(path string) []string { return []string{"-f", path} },
			wrong: "select 1/0;\n", code: 3, said: "division by zero",
			big:   "select repeat('x', 100000) from generate_series(1, 100);",
			sleep: "select pg_sleep(30);\n",
		},
	}
}

// dsn connects as the administrator.
func dsn(target *snapshot.Target) string {
	return postgres.URL(target.Host, target.Port, target.User, target.Password, "postgres", strings.TrimPrefix(target.Params+"&connect_timeout=5", "&"))
}

func askPostgres(target *snapshot.Target, sql string) (s string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn(target))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	return s, conn.QueryRow(ctx, sql).Scan(&s)
}

// sharedMemory has parallel workers build a hash table together that does not
// fit into the 64 MB of /dev/shm that a container has by default.
func sharedMemory(t *testing.T, target *snapshot.Target) {
	conn, err := pgx.Connect(t.Context(), dsn(target))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{
		"create table big as select i, md5(i::text) as s from generate_series(1, 1000000) i",
		"analyze big",
		"set work_mem = '512MB'", "set parallel_setup_cost = 0", "set parallel_tuple_cost = 0",
		"set min_parallel_table_scan_size = 0", "set enable_mergejoin = off", "set enable_nestloop = off",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const join = "select count(a.s || b.s)::text from big a join big b using (i)"
	rows, _ := conn.Query(t.Context(), "explain "+join)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !strings.Contains(strings.Join(plan, "\n"), "Parallel Hash") {
		t.Fatalf("the plan has no parallel hash: %v\n%s", err, strings.Join(plan, "\n"))
	}
	var n string
	if err := conn.QueryRow(t.Context(), join).Scan(&n); err != nil || n != "1000000" {
		t.Errorf("parallel hash join: %s rows, %v", n, err)
	}
}
