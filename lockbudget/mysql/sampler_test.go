package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/lockbudget/lockbudgettest"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestSampler(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		lockbudgettest.Exercise(t, func(t *testing.T) lockbudgettest.Env { return env(t, flavour) })
	})
}

// takes are statements that hold a lock on t until gives.
var takes = map[string][]string{
	"SHARED_READ":          {"BEGIN", "SELECT * FROM t"},
	"SHARED_WRITE":         {"BEGIN", "UPDATE t SET v = 'x' WHERE id = 2"},
	"SHARED_READ_ONLY":     {"LOCK TABLES t READ"},
	"SHARED_NO_WRITE":      {"FLUSH TABLES t WITH READ LOCK"},
	"SHARED_NO_READ_WRITE": {"LOCK TABLES t WRITE"},
}

const gives = "UNLOCK TABLES"

func modesOf(p *place) map[string]lockbudget.Impact {
	m := map[string]lockbudget.Impact{}
	for mode := range takes {
		m[mode] = tableModes[mode]
	}
	return m
}

func env(t *testing.T, flavour string) lockbudgettest.Env {
	p := newPlace(t, flavour)
	watch := p.watch(t)
	hold := func(t *testing.T, s *session, mode string, wait bool) lockbudgettest.Held {
		done := make(chan error, 1)
		go func() {
			for _, statement := range takes[mode] {
				if _, err := s.ExecContext(context.Background(), statement); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		release := func() { exec(t, s.Conn, "COMMIT", gives); _ = s.Close() }
		if !wait {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			return lockbudgettest.Held{Session: s.id, Object: p.table("t"), Release: release}
		}
		awaitState(t, p, s.id)
		return lockbudgettest.Held{Session: s.id, Object: p.table("t"), Release: func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
			release()
		}}
	}
	return lockbudgettest.Env{
		Sampler: watch, Modes: modesOf(p), Exclusive: "SHARED_NO_READ_WRITE", HidesWaiters: p.mariaDB,
		Hold:  func(t *testing.T, mode string) lockbudgettest.Held { return hold(t, p.connect(t), mode, false) },
		Await: func(t *testing.T, mode string) lockbudgettest.Held { return hold(t, p.connect(t), mode, true) },
		HoldElsewhere: func(t *testing.T) lockbudgettest.Held {
			other := &session{Conn: connect(t, dsn(p.server, p.server.User, p.server.Password, p.name))}
			return hold(t, other, "SHARED_NO_READ_WRITE", false)
		},
	}
}

// awaitState returns once a connection waits for a metadata lock.
func awaitState(t *testing.T, p *place, id int64) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var waits int
		if err := p.root.QueryRowContext(context.Background(),
			"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ? AND STATE LIKE 'Waiting for table metadata lock'", id).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if waits > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not wait for a lock")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestImpact holds locks of each mode against sessions that read, write and
// alter, and compares with Impact.
func TestImpact(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		p := newPlace(t, flavour)
		watch := p.watch(t)
		var wg sync.WaitGroup
		for mode := range takes {
			table := "on_" + strings.ToLower(mode)
			exec(t, p.root, "CREATE TABLE "+table+" LIKE t", "INSERT INTO "+table+" SELECT * FROM t")
			holder := p.connect(t)
			for _, s := range takes[mode] {
				exec(t, holder.Conn, strings.ReplaceAll(s, " t", " "+table))
			}
			want := Impact(mode, "table", true)
			tries := []string{"SELECT * FROM " + table + " WHERE id = 1", "INSERT INTO " + table + " VALUES (3, 'c', 3)"}
			if want&ddl != 0 { // an open transaction stops DDL as well, on every engine, and is not counted
				tries = append(tries, "ALTER TABLE "+table+" ADD COLUMN x INT")
			}
			for i, try := range tries {
				other := p.connect(t)
				exec(t, other.Conn, "SET lock_wait_timeout = 1")
				wg.Go(func() {
					_, err := other.ExecContext(context.Background(), try)
					if err != nil && code(err) != 1205 {
						t.Errorf("%s: %v", try, err)
					}
					if blocked := err != nil; blocked != (want&(1<<i) != 0) {
						t.Errorf("%s, while another holds %s: blocked %t, Impact says %q", try, mode, blocked, want.Strings())
					}
				})
			}
		}
		// What waits for EXCLUSIVE stops newcomers, readers too.
		reader, alters := p.connect(t), p.connect(t)
		exec(t, reader.Conn, "BEGIN", "SELECT * FROM t")
		exec(t, alters.Conn, "SET lock_wait_timeout = 3")
		wg.Go(func() {
			_, _ = alters.ExecContext(context.Background(), "ALTER TABLE t ADD COLUMN x INT, ALGORITHM=INSTANT")
		})
		awaitState(t, p, alters.id)
		locks, err := watch.Sample(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		pending := lockbudget.Lock{Session: alters.id, Object: p.table("t"), Mode: "EXCLUSIVE", Impact: reads | writes | ddl}
		if !p.mariaDB && !slices.Contains(locks, pending) {
			t.Errorf("the awaited lock is not among %+v", locks)
		}
		for _, try := range []string{"SELECT * FROM t WHERE id = 1", "INSERT INTO t (id) VALUES (9)"} {
			other := p.connect(t)
			exec(t, other.Conn, "SET lock_wait_timeout = 1")
			wg.Go(func() {
				if _, err := other.ExecContext(context.Background(), try); code(err) != 1205 {
					t.Errorf("%s, while another waits for EXCLUSIVE: %v", try, err)
				}
			})
		}
		wg.Wait()
		exec(t, reader.Conn, "COMMIT")
	})
	if Impact("EXCLUSIVE", "table", false) != 0 {
		t.Error("a table the migration made blocks somebody")
	}
	if Impact("SHARED_SOMETHING", "table", true) != reads|writes|ddl {
		t.Error("a mode nobody knows must block everything")
	}
}

// TestRows: which rows of the lock table are whose business.
func TestRows(t *testing.T) {
	for _, c := range []struct {
		row  row
		want string // "object mode impact", "" for left out, "error"
	}{
		{row{"TABLE", "shop", "orders", "EXCLUSIVE", true}, "shop.orders EXCLUSIVE [reads writes ddl]"},
		{row{"TABLE", "shop", "orders", "SHARED_WRITE", true}, "shop.orders SHARED_WRITE []"},
		{row{"TABLE", "shop", "orders", "SHARED_UPGRADABLE", true}, "shop.orders SHARED_UPGRADABLE [ddl]"},
		{row{"TABLE", "shop", "orders", "SHARED_WITH_CARE", true}, "error"},
		{row{"TABLE", "shop", "#sql-1_2", "EXCLUSIVE", true}, ""},
		{row{"TABLE", "mysql", "tables", "SHARED_READ", true}, ""},
		{row{"TABLE", "dummy_sdi_db", "SDI_69", "EXCLUSIVE", true}, ""},
		{row{"TABLESPACE", "", "shop/orders", "EXCLUSIVE", true}, ""},
		{row{"FUNCTION", "shop", "f", "EXCLUSIVE", true}, ""},
		{row{"USER LEVEL LOCK", "", "migrate", "EXCLUSIVE", true}, ""},
		{row{"SCHEMA", "shop", "", "INTENTION_EXCLUSIVE", true}, ""},
		{row{"SCHEMA", "shop", "", "EXCLUSIVE", true}, "shop EXCLUSIVE [reads writes ddl]"},
		{row{"GLOBAL", "", "", "INTENTION_EXCLUSIVE", true}, ""},
		{row{"GLOBAL", "", "", "SHARED", true}, "* GLOBAL SHARED [writes ddl]"},
		{row{"BACKUP LOCK", "", "", "SHARED", true}, "* BACKUP LOCK SHARED [ddl]"},
		{row{"BACKUP LOCK", "", "", "UNHEARD_OF", true}, "error"},
		{mariaRow(row{"Table metadata lock", "shop", "orders", "MDL_SHARED_NO_WRITE", true}), "shop.orders SHARED_NO_WRITE [writes ddl]"},
		{mariaRow(row{"Backup lock", "", "", "MDL_BACKUP_DML", true}), ""},
		{mariaRow(row{"Backup lock", "", "", "MDL_BACKUP_FTWRL2", true}), "* BACKUP LOCK FTWRL2 [writes ddl]"},
		{mariaRow(row{"User lock", "", "x", "MDL_EXCLUSIVE", true}), ""},
	} {
		l, ours, err := lockOf(c.row)
		got := ""
		switch {
		case err != nil:
			got = "error"
		case ours:
			got = fmt.Sprint(l.Object, " ", l.Mode, " ", l.Impact.Strings())
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.row, got, c.want)
		}
	}
}

// TestServerWideLocks: what is locked beside tables, for real.
func TestServerWideLocks(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		p := newPlace(t, flavour)
		watch := p.watch(t)
		look := func() (all []string) {
			locks, err := watch.Sample(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range locks {
				all = append(all, fmt.Sprint(l.Object, " ", l.Mode, " ", l.Impact.Strings(), " ", l.Granted))
			}
			return all
		}
		s := p.connect(t)
		exec(t, s.Conn, "FLUSH TABLES WITH READ LOCK")
		want := []string{"* COMMIT SHARED [writes ddl] true", "* GLOBAL SHARED [writes ddl] true"}
		if p.mariaDB {
			want = []string{"* BACKUP LOCK FTWRL2 [writes ddl] true"}
		}
		if diff := cmp.Diff(want, look()); diff != "" {
			t.Error(diff)
		}
		exec(t, s.Conn, gives)
		if p.mariaDB {
			return // it shows no locks that are awaited
		}
		reader := p.connect(t)
		exec(t, reader.Conn, "BEGIN", "SELECT * FROM t")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.ExecContext(context.Background(), "SET lock_wait_timeout = 1")
			_, _ = s.ExecContext(context.Background(), "ALTER DATABASE CHARACTER SET latin1")
		}()
		deadline := time.Now().Add(5 * time.Second)
		for !slices.Contains(look(), p.name+" EXCLUSIVE [reads writes ddl] false") {
			if time.Now().After(deadline) {
				t.Fatal("ALTER DATABASE waits for no lock on the schema")
			}
		}
		<-done
	})
}

// TestInstruments: what the sampler needs is on afterwards, whatever it was
// before, and only the owner's sessions leave events.
func TestInstruments(t *testing.T) {
	p := newPlace(t, snapshot.MySQL)
	exec(t, p.root, "UPDATE performance_schema.setup_instruments SET ENABLED = 'NO' WHERE NAME LIKE 'wait/lock/metadata/%'",
		"UPDATE performance_schema.setup_consumers SET ENABLED = 'NO'")
	watch := p.watch(t)
	exec(t, p.root, "TRUNCATE performance_schema.events_statements_history_long")
	s, other := p.connect(t), connect(t, dsn(p.server, p.server.User, p.server.Password, p.name))
	exec(t, s.Conn, "BEGIN", "SELECT * FROM t")
	exec(t, other, "SELECT * FROM t")
	for range 5 {
		locks, err := watch.Sample(context.Background())
		if err != nil || len(locks) != 1 {
			t.Fatalf("%+v, %v", locks, err)
		}
	}
	var threads, own int
	if err := p.root.QueryRowContext(context.Background(), `SELECT COUNT(DISTINCT h.THREAD_ID), COALESCE(SUM(t.PROCESSLIST_ID = ?), 0)
FROM performance_schema.events_statements_history_long h JOIN performance_schema.threads t USING (THREAD_ID)`, s.id).Scan(&threads, &own); err != nil {
		t.Fatal(err)
	}
	if threads != 1 || own == 0 {
		t.Errorf("%d sessions left events, %d events are the owner's", threads, own)
	}
	t.Run("off", func(t *testing.T) {
		server := snapshottest.MySQLAlone(t, snapshot.MySQL, map[string]string{"performance_schema": "OFF"})
		_, err := NewSampler(context.Background(), dsn(server, server.User, server.Password, ""), Options{Owner: "x"})
		if err == nil || !strings.Contains(err.Error(), "performance_schema=ON") {
			t.Errorf("got %v", err)
		}
	})
}

// TestNewConnections: whoever connects as the owner is seen at once.
func TestNewConnections(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		p := newPlace(t, flavour)
		watch := p.watch(t)
		for range 5 {
			s := p.connect(t)
			exec(t, s.Conn, "LOCK TABLES t WRITE")
			locks, err := watch.Sample(context.Background())
			if err != nil || len(locks) != 1 || locks[0].Session != s.id {
				t.Fatalf("%+v, %v, want a lock of %d", locks, err, s.id)
			}
			exec(t, s.Conn, gives)
			_ = s.Close()
		}
	})
}

// TestCounters: the redo log's position grows by what a statement writes, also
// inside an open transaction.
func TestCounters(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		ctx := context.Background()
		p := newPlace(t, flavour)
		watch := p.watch(t)
		s := p.connect(t)
		exec(t, s.Conn, "BEGIN")
		before, err := watch.WALPosition(ctx)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, s.Conn, "INSERT INTO t SELECT 10 + a.id * 1000 + b.id * 100 + c.id * 10 + d.id, REPEAT('x', 40), 1 FROM "+digits("a")+", "+digits("b")+", "+digits("c")+", "+digits("d"))
		after, err := watch.WALPosition(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if grown := after - before; grown < 3e5 || grown > 2e7 {
			t.Errorf("redo of 10,000 rows of 50 bytes: %d", grown)
		}
		if n, known, err := watch.TempBytes(ctx); n != 0 || known || err != nil {
			t.Errorf("%d, %v, %v", n, known, err)
		}
	})
}

// digits is a table of ten rows.
func digits(alias string) string {
	return "(SELECT 0 id UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) " + alias
}

// TestNoSecrets: what cannot connect does not quote the password.
func TestNoSecrets(t *testing.T) {
	server := snapshottest.MySQL(t, "")
	for _, dsn := range []string{dsn(server, server.User, "hunter2", ""), "root:hunter2@nonsense"} {
		if _, err := NewSampler(context.Background(), dsn, Options{Owner: "x"}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}
