package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/lockbudget/lockbudgettest"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

var databases atomic.Int64

func dsn(server *snapshot.Target, database string) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable",
		server.Host, server.Port, server.User, server.Password, database)
}

func connect(t testing.TB, server *snapshot.Target, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), dsn(server, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func exec(t testing.TB, c *pgx.Conn, sql string) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// newDatabase makes one with a table t.
func newDatabase(t testing.TB, server *snapshot.Target) string {
	t.Helper()
	name := fmt.Sprintf("sampler_test_%d", databases.Add(1))
	root := connect(t, server, "postgres")
	exec(t, root, "CREATE DATABASE "+name)
	t.Cleanup(func() { exec(t, root, "DROP DATABASE "+name+" WITH (FORCE)") })
	c := connect(t, server, name)
	exec(t, c, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	return name
}

func open(t testing.TB, server *snapshot.Target, database string) *Sampler {
	t.Helper()
	s, err := NewSampler(context.Background(), dsn(server, "postgres"), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func TestSampler(t *testing.T) {
	for _, major := range snapshottest.Majors(t) {
		t.Run("postgres "+major, func(t *testing.T) {
			server := snapshottest.Server(t, major)
			lockbudgettest.Exercise(t, func(t *testing.T) lockbudgettest.Env { return env(t, server) })
		})
	}
}

func env(t *testing.T, server *snapshot.Target) lockbudgettest.Env {
	name, other := newDatabase(t, server), newDatabase(t, server)
	hold := func(t *testing.T, database, mode string, wait bool) lockbudgettest.Held {
		c := connect(t, server, database)
		ctx := context.Background()
		var object string
		if err := c.QueryRow(ctx, "SELECT 't'::regclass::oid::text").Scan(&object); err != nil {
			t.Fatal(err)
		}
		exec(t, c, "BEGIN")
		done := make(chan error, 1)
		go func() {
			_, err := c.Exec(ctx, "LOCK TABLE t IN "+mode+" MODE")
			done <- err
		}()
		release := func() { exec(t, c, "COMMIT"); _ = c.Close(ctx) }
		if !wait {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			return lockbudgettest.Held{Session: int64(c.PgConn().PID()), Object: object, Release: release}
		}
		root := connect(t, server, database)
		for waiting := false; !waiting; time.Sleep(time.Millisecond) {
			if err := root.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", c.PgConn().PID()).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
		return lockbudgettest.Held{Session: int64(c.PgConn().PID()), Object: object, Release: func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
			release()
		}}
	}
	return lockbudgettest.Env{
		Sampler: open(t, server, name),
		Modes: map[string]lockbudget.Impact{
			"ACCESS SHARE": 0, "ROW SHARE": 0, "ROW EXCLUSIVE": 0, "SHARE UPDATE EXCLUSIVE": ddl,
			"SHARE": writes | ddl, "SHARE ROW EXCLUSIVE": writes | ddl, "EXCLUSIVE": writes | ddl,
			"ACCESS EXCLUSIVE": reads | writes | ddl,
		},
		Exclusive: "ACCESS EXCLUSIVE",
		Hold:      func(t *testing.T, mode string) lockbudgettest.Held { return hold(t, name, mode, false) },
		Await:     func(t *testing.T, mode string) lockbudgettest.Held { return hold(t, name, mode, true) },
		HoldElsewhere: func(t *testing.T) lockbudgettest.Held {
			return hold(t, other, "ACCESS EXCLUSIVE", false)
		},
	}
}

// TestImpactOnEachKind tries every mode on every kind of relation against
// sessions that read, write and change it, and compares with Impact.
func TestImpactOnEachKind(t *testing.T) {
	kinds := []struct{ kind, name, reader, writer, ddl string }{
		{"table", "t", "SELECT FROM t", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "COMMENT ON TABLE t IS ''"},
		{"partitioned table", "parted", "SELECT FROM parted", "INSERT INTO parted VALUES (1)", "COMMENT ON TABLE parted IS ''"},
		{"view", "w", "SELECT FROM w", "UPDATE w SET v = '' WHERE id = 1", ""},
		{"materialized view", "", "SELECT FROM mv", "", "REFRESH MATERIALIZED VIEW CONCURRENTLY mv"},
		{"sequence", "", "SELECT last_value FROM s", "SELECT nextval('s')", ""},
	}
	modes := []string{"ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"}
	// What takes such locks on what LOCK TABLE cannot lock.
	takes := map[string]string{
		"materialized view EXCLUSIVE":        "REFRESH MATERIALIZED VIEW CONCURRENTLY mv",
		"materialized view ACCESS EXCLUSIVE": "REFRESH MATERIALIZED VIEW mv",
		"sequence ROW EXCLUSIVE":             "SELECT setval('s', 5)",
		"sequence SHARE ROW EXCLUSIVE":       "ALTER SEQUENCE s RESTART",
		"sequence ACCESS EXCLUSIVE":          "ALTER SEQUENCE s RENAME TO s2",
	}
	server := snapshottest.Server(t, "")
	name := newDatabase(t, server)
	holder, other := connect(t, server, name), connect(t, server, name)
	exec(t, holder, `CREATE TABLE parted (id int) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
		CREATE VIEW w AS SELECT * FROM t; CREATE MATERIALIZED VIEW mv AS SELECT 1 AS i; CREATE UNIQUE INDEX ON mv (i); CREATE SEQUENCE s`)
	exec(t, other, "SET lock_timeout = '30ms'")
	blocked := func(sql string) bool {
		if sql == "" {
			return false
		}
		_, err := other.Exec(context.Background(), sql)
		if err != nil && !strings.Contains(err.Error(), "55P03") {
			t.Fatal(err)
		}
		return err != nil
	}
	for _, k := range kinds {
		for _, mode := range modes {
			lock := takes[k.kind+" "+mode]
			if lock == "" && k.name != "" {
				lock = "LOCK TABLE " + k.name + " IN " + mode + " MODE"
			}
			if lock == "" {
				continue
			}
			exec(t, holder, "BEGIN; "+lock)
			var got lockbudget.Impact
			if blocked(k.reader) {
				got |= reads
			}
			if blocked(k.writer) {
				got |= writes
			}
			want := Impact(mode, k.kind, true)
			if k.ddl == "" {
				want &^= ddl
			} else if blocked(k.ddl) {
				got |= ddl
			}
			exec(t, holder, "ROLLBACK")
			if got != want {
				t.Errorf("%s on a %s: blocks %q, Impact says %q", mode, k.kind, got.Strings(), want.Strings())
			}
		}
	}
	// An index's lock counts for its table.
	exec(t, holder, "BEGIN; REINDEX INDEX t_pkey")
	if want := Impact("ACCESS EXCLUSIVE", "index", true); !blocked("SELECT FROM t WHERE v = 'x'") || want != reads|writes|ddl {
		t.Errorf("ACCESS EXCLUSIVE on an index: Impact says %q", want.Strings())
	}
	exec(t, holder, "ROLLBACK")
	if Impact("ACCESS EXCLUSIVE", "table", false) != 0 {
		t.Error("a table the migration made blocks somebody")
	}
}

// TestSerializable: predicate locks stand in pg_locks and block nobody.
func TestSerializable(t *testing.T) {
	server := snapshottest.Server(t, "")
	name := newDatabase(t, server)
	c := connect(t, server, name)
	exec(t, c, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM t")
	locks, err := open(t, server, name).Sample(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range locks {
		if l.Impact != 0 {
			t.Errorf("%+v", l)
		}
	}
}

// TestPreparedTransaction: its locks stay and belong to no session.
func TestPreparedTransaction(t *testing.T) {
	server := snapshottest.ServerWith(t, map[string]string{"max_prepared_transactions": "2"})
	name := newDatabase(t, server)
	c := connect(t, server, name)
	exec(t, c, "BEGIN")
	exec(t, c, "LOCK TABLE t")
	exec(t, c, "PREPARE TRANSACTION 'x'")
	defer exec(t, c, "ROLLBACK PREPARED 'x'")
	locks, err := open(t, server, name).Sample(context.Background())
	if err != nil || len(locks) != 1 || locks[0].Session != 0 {
		t.Errorf("%+v, %v", locks, err)
	}
}

// TestCounters: WAL and temporary bytes grow by what a statement writes, also
// inside an open transaction.
func TestCounters(t *testing.T) {
	for _, major := range snapshottest.Majors(t) {
		t.Run("postgres "+major, func(t *testing.T) {
			ctx := context.Background()
			server := snapshottest.Server(t, major)
			exec(t, connect(t, server, "postgres"), "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
			name := newDatabase(t, server)
			s := open(t, server, name)
			c := connect(t, server, name)
			read := func() (wal, temp uint64) {
				wal, err := s.WALPosition(ctx)
				if err != nil {
					t.Fatal(err)
				}
				temp, known, err := s.TempBytes(ctx)
				if err != nil || !known {
					t.Fatal(known, err)
				}
				return wal, temp
			}
			exec(t, c, "BEGIN; SET LOCAL work_mem = '64kB'; SET LOCAL client_min_messages = error")
			wal0, temp0 := read()
			exec(t, c, "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 10000) i")
			wal1, temp1 := read()
			exec(t, c, "CREATE TABLE sorted AS SELECT * FROM t ORDER BY v, id DESC")
			_, temp2 := read()
			exec(t, c, "COMMIT")
			if wal1-wal0 < 1e6 || wal1-wal0 > 1e7 {
				t.Errorf("WAL of 10,000 rows of 100 bytes: %d", wal1-wal0)
			}
			if temp1-temp0 > 1e6 || temp2-temp1 < 1e6 || temp2-temp1 > 1e7 {
				t.Errorf("temporary bytes: insert %d, sort of 1 MB %d", temp1-temp0, temp2-temp1)
			}
		})
	}
}

// TestNoExtension: without pg_stat_statements temporary bytes are not known,
// which is said and is no error.
func TestNoExtension(t *testing.T) {
	server := snapshottest.Server(t, "")
	name := newDatabase(t, server)
	s, err := NewSampler(context.Background(), dsn(server, name), name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	if n, known, err := s.TempBytes(context.Background()); n != 0 || known || err != nil {
		t.Errorf("%d, %v, %v", n, known, err)
	}
}

func TestUnknownDatabase(t *testing.T) {
	server := snapshottest.Server(t, "")
	if _, err := NewSampler(context.Background(), dsn(server, "postgres"), "no such"); err == nil || !strings.Contains(err.Error(), `no database "no such"`) {
		t.Errorf("got %v", err)
	}
}

// TestHoldsNoSnapshot: CREATE INDEX CONCURRENTLY waits for every snapshot; it
// must not wait for a busy observer, even one connected to the same database.
func TestHoldsNoSnapshot(t *testing.T) {
	server := snapshottest.Server(t, "")
	name := newDatabase(t, server)
	s, err := NewSampler(context.Background(), dsn(server, name), name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	r := lockbudget.NewRecorder(s, time.Millisecond)
	r.Start(context.Background())
	c := connect(t, server, name)
	exec(t, c, "SET lock_timeout = '2s'")
	for i := range 5 {
		exec(t, c, fmt.Sprintf("CREATE INDEX CONCURRENTLY i%d ON t (v)", i))
	}
	if _, err := r.Stop(); err != nil {
		t.Error(err)
	}
}
