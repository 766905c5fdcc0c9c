package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

func connect(t *testing.T, major string) *postgres.Server {
	t.Helper()
	s, err := postgres.Connect(context.Background(), snapshottest.Server(t, major))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// onMajors runs a test on every major.
func onMajors(t *testing.T, f func(t *testing.T, s *postgres.Server)) {
	for _, major := range snapshottest.Majors(t) {
		t.Run(major, func(t *testing.T) { f(t, connect(t, major)) })
	}
}

var names atomic.Int64

// fresh is a database name nobody else uses; it is dropped after the test.
func fresh(t *testing.T, s *postgres.Server) string {
	t.Helper()
	name := fmt.Sprintf("t%d_%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() {
		if err := s.Drop(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// query runs SQL on a DSN, in the simple protocol, and returns the last
// result's values as text.
func query(ctx context.Context, dsn, sql string) ([][]string, error) {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, row := range results[len(results)-1].Rows {
		var line []string
		for _, v := range row {
			line = append(line, string(v))
		}
		out = append(out, line)
	}
	return out, nil
}

func mustQuery(t *testing.T, dsn, sql string) [][]string {
	t.Helper()
	rows, err := query(context.Background(), dsn, sql)
	if err != nil {
		t.Fatalf("%s: %v", firstLine(sql), err)
	}
	return rows
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

// client finds a client program of the 15 that every test machine has.
func client(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(filepath.Join("/usr/lib/postgresql/15/bin", name))
	if err != nil {
		if path, err = exec.LookPath(name); err != nil {
			snapshottest.Missing(t, "real dumps, for there is no "+name, "testdata/install.sh postgresql")
		}
	}
	return path
}

// original makes a database by SQL on the 15 server, as production would be,
// and returns its administrator's DSN.
func original(t *testing.T, sql string) (s *postgres.Server, dsn string) {
	t.Helper()
	s = connect(t, "15")
	admin := s.Database("postgres").AdminDSN()
	name := fresh(t, s)
	mustQuery(t, admin, "CREATE DATABASE "+name)
	dsn = s.Database(name).AdminDSN()
	mustQuery(t, dsn, sql)
	return s, dsn
}

// dump runs pg_dump and packs what it wrote.
func dump(t *testing.T, dsn, pack string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot")
	cmd := exec.Command(client(t, "pg_dump"), append(args, "--file="+path, "--dbname="+dsn)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	return packed(t, path, pack)
}

func packed(t *testing.T, path, pack string) string {
	t.Helper()
	if pack == "" {
		return path
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	switch pack {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "zstd":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		w.Close()
	}
	return write(t, b.Bytes())
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot-"+strconv.FormatInt(names.Add(1), 10))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, spec string) snapshot.Source {
	t.Helper()
	src, err := snapshot.Open(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// restored restores a dump and seals it.
func restored(t *testing.T, s *postgres.Server, path string) (*postgres.Baseline, snapshot.Manifest) {
	t.Helper()
	b, m, err := s.Restore(context.Background(), open(t, path), fresh(t, s), postgres.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b, m
}

func clone(t *testing.T, s *postgres.Server, b *postgres.Baseline) *postgres.Database {
	t.Helper()
	began := time.Now()
	d, err := b.Clone(context.Background(), fresh(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("cloned in %v", time.Since(began).Round(time.Millisecond))
	return d
}

func rich(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/rich.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func dial(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

const forgetRoles = `DROP ROLE IF EXISTS app_owner, "Odd Reader", writer, policy_only, named_by_option`

// forget drops an original and its roles: the server that it was dumped from
// is the target too, and must not know them.
func forget(t *testing.T, prod *postgres.Server, dsn string) {
	t.Helper()
	if err := prod.Drop(context.Background(), nameOf(dsn)); err != nil {
		t.Fatal(err)
	}
	mustQuery(t, prod.Database("postgres").AdminDSN(), forgetRoles)
}
