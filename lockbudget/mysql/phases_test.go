package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestPhases: what the server times of each kind of statement.
func TestPhases(t *testing.T) { flavours(t, testPhases) }

func testPhases(t *testing.T, flavour string) {
	const (
		x   = "t EXCLUSIVE"
		snw = "t SHARED_NO_WRITE"
	)
	for _, c := range []struct {
		name   string
		before []string
		sql    string
		want   []string // "table MODE"
	}{
		{"instant", nil, "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT", []string{x}},
		{"metadata only, in place", []string{"ALTER TABLE t ADD INDEX i (v)"}, "ALTER TABLE t RENAME INDEX i TO j", []string{x}},
		{"an index", nil, "ALTER TABLE t ADD INDEX (v)", []string{x, x}},
		{"CREATE INDEX, qualified and commented", nil, "/* now */ create index `i` using btree on {db} . t (v) -- so", []string{x, x}},
		{"DROP INDEX", []string{"ALTER TABLE t ADD INDEX i (v)"}, "DROP INDEX i ON t", []string{x}},
		{"an index, readers only", nil, "ALTER TABLE t ADD INDEX (v), LOCK=SHARED", []string{x, x}}, // SHARED_NO_WRITE between them is left to samples
		{"an index, nobody", nil, "ALTER TABLE t ADD INDEX (v), LOCK=EXCLUSIVE", []string{x}},
		{"full text", nil, "ALTER TABLE t ADD FULLTEXT (v)", []string{x, x}},
		{"a rebuild", nil, "ALTER TABLE t FORCE", []string{x, x}},
		{"a copy", nil, "ALTER TABLE t MODIFY n BIGINT", []string{snw, x}},
		{"a copy, nobody", nil, "ALTER TABLE t MODIFY n BIGINT, LOCK=EXCLUSIVE", []string{x}},
		{"a copy with a new name", nil, "ALTER TABLE t MODIFY n BIGINT, RENAME TO t9", []string{snw, x}},
		{"a foreign key", []string{"CREATE TABLE up (id INT PRIMARY KEY)", "INSERT INTO up VALUES (1), (2)"},
			"ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES up (id)", []string{snw, x}},
		{"partitioning", nil, "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 2", []string{snw, x}},
		{"prepared", []string{"SET @s = 'ALTER TABLE t ADD COLUMN c INT'", "PREPARE s FROM @s"}, "EXECUTE s", []string{x}},
		{"within a procedure", []string{"CREATE PROCEDURE p() BEGIN SELECT 1; ALTER TABLE t ADD COLUMN c INT; ALTER TABLE t MODIFY n BIGINT; END"}, "CALL p()",
			[]string{x, snw, x}},

		{"a rename", nil, "ALTER TABLE t RENAME TO t9", nil},
		{"RENAME TABLE", nil, "RENAME TABLE t TO t9", nil},
		{"OPTIMIZE", nil, "OPTIMIZE TABLE t", nil},
		{"reorganised partitions", []string{"ALTER TABLE t PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN MAXVALUE)",
			"INSERT INTO t (id, v) SELECT 10 + a.id * 1000 + b.id * 100 + c.id * 10 + d.id, 'x' FROM " + digits("a") + ", " + digits("b") + ", " + digits("c") + ", " + digits("d")},
			"ALTER TABLE t REORGANIZE PARTITION p INTO (PARTITION p0 VALUES LESS THAN (1000), PARTITION p1 VALUES LESS THAN MAXVALUE)", nil},
		{"a temporary table", []string{"CREATE TEMPORARY TABLE t (v VARCHAR(9), n INT)"}, "ALTER TABLE t ADD INDEX (v)", nil},
		{"refused", nil, "ALTER TABLE t ADD COLUMN v INT", nil},
		{"refused while it builds", []string{"UPDATE t SET n = 7"}, "ALTER TABLE t ADD UNIQUE (n)", nil},
		{"no syntax", nil, "ALTER TABEL t", nil},
		{"under LOCK TABLES", []string{"LOCK TABLES t WRITE"}, "ALTER TABLE t MODIFY n BIGINT", nil},
		{"no table", nil, "SET @a = 1", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, flavour)
			watch := p.watch(t)
			s := p.connect(t)
			exec(t, s.Conn, c.before...)
			statement := strings.ReplaceAll(c.sql, "{db}", p.name)
			sent := time.Now()
			_, _ = s.ExecContext(context.Background(), statement)
			received := time.Now()
			phases, err := watch.Phases(context.Background(), sent, received, []string{"t"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			last := sent
			for _, ph := range phases {
				got = append(got, strings.TrimPrefix(ph.Object, p.name+".")+" "+ph.Mode)
				// On MariaDB it may have waited for a purge thread's lock.
				if ph.Impact != tableModes[ph.Mode] || ph.Waited != 0 && !p.mariaDB || ph.Partial != strings.HasPrefix(c.sql, "CALL") {
					t.Errorf("%+v", ph)
				}
				for _, edge := range []struct{ from, to time.Time }{{ph.From[0], ph.From[1]}, {ph.To[0], ph.To[1]}, {ph.From[0], ph.To[1]}} {
					if edge.from.After(edge.to) || edge.from.Before(sent.Add(-time.Millisecond)) || edge.to.After(received.Add(time.Millisecond)) {
						t.Errorf("%s to %s of a statement of %s: %+v", edge.from.Sub(sent), edge.to.Sub(sent), received.Sub(sent), ph)
					}
				}
				if ph.From[1].Before(last) {
					t.Errorf("they are out of order: %+v", phases)
				}
				last = ph.From[0]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPhasesWaited: for how long an ALTER waited behind an open transaction,
// which also shows that edges and waits are where they truly were.
func TestPhasesWaited(t *testing.T) { flavours(t, testPhasesWaited) }

func testPhasesWaited(t *testing.T, flavour string) {
	const hold = 150 * time.Millisecond
	for _, sql := range []string{
		"ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT", // before all else
		"ALTER TABLE t ADD INDEX (v)",                       // before the build
		"ALTER TABLE t MODIFY n BIGINT",                     // after the copy
	} {
		t.Run(sql, func(t *testing.T) {
			p := newPlace(t, flavour)
			watch := p.watch(t)
			s, reader := p.connect(t), p.connect(t)
			exec(t, reader.Conn, "BEGIN", "SELECT * FROM t")
			began := time.Now()
			var freeing, freed time.Time
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(hold)
				freeing = time.Now()
				_, _ = reader.ExecContext(context.Background(), "COMMIT")
				freed = time.Now()
			}()
			rec, steps := s.run(t, watch, 2*time.Millisecond, sql)
			<-done
			if steps[0].err != nil {
				t.Fatal(steps[0].err)
			}
			var w lockbudget.Window // the one that waited
			for _, c := range rec.Windows() {
				if c.WaitedAtMost > w.WaitedAtMost && c.Session == s.id {
					w = c
				}
			}
			if w.Mode != "EXCLUSIVE" || w.Witness != lockbudget.ByStages || !w.Waited {
				t.Fatalf("%+v", w)
			}
			if w.WaitedAtMost < freeing.Sub(began)-100*time.Millisecond || w.WaitedAtMost > freed.Sub(began)+20*time.Millisecond || w.WaitedAtMost > w.AtMost {
				t.Errorf("waited %s, behind a transaction of %s to %s: %+v", w.WaitedAtMost, freeing.Sub(began), freed.Sub(began), w)
			}
			if err := rec.Void(time.Second); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPhasesVoid: incomplete records are an error.
func TestPhasesVoid(t *testing.T) {
	ctx := context.Background()
	t.Run("overwritten", func(t *testing.T) {
		server := snapshottest.MySQLAlone(t, snapshot.MySQL, map[string]string{"performance_schema_events_stages_history_long_size": "10"})
		p := placeOn(t, server, snapshot.MySQL)
		watch := p.watch(t)
		s := p.connect(t)
		sent := time.Now()
		exec(t, s.Conn, "ALTER TABLE t ADD INDEX (v)")
		if got, err := watch.Phases(ctx, sent, time.Now(), nil); err == nil || !strings.Contains(err.Error(), "performance_schema_events_stages_history_long_size") {
			t.Errorf("got %+v, %v", got, err)
		}
		sent = time.Now()
		exec(t, s.Conn, "SET @a = 1") // has no stages that matter
		if _, err := watch.Phases(ctx, sent, time.Now(), nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("lost", func(t *testing.T) {
		server := snapshottest.MySQLAlone(t, snapshot.MySQL, map[string]string{"performance_schema_max_metadata_locks": "20"})
		p := placeOn(t, server, snapshot.MySQL)
		watch := p.watch(t)
		s := p.connect(t)
		var tables []string
		for i := range 40 {
			exec(t, s.Conn, fmt.Sprintf("CREATE TABLE t%d (id INT)", i))
			tables = append(tables, fmt.Sprintf("t%d READ", i))
		}
		sent := time.Now()
		exec(t, s.Conn, "LOCK TABLES "+strings.Join(tables, ", "))
		if _, err := watch.Phases(ctx, sent, time.Now(), nil); err == nil || !strings.Contains(err.Error(), "metadata_lock_lost") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another account", func(t *testing.T) {
		p, elsewhere := newPlace(t, snapshot.MySQL), newPlace(t, snapshot.MySQL)
		watch := elsewhere.watch(t)
		s := p.connect(t)
		sent := time.Now()
		exec(t, s.Conn, "ALTER TABLE t ADD INDEX (v)")
		if _, err := watch.Phases(ctx, sent, time.Now(), nil); err == nil || !strings.Contains(err.Error(), "kept no record") {
			t.Errorf("got %v", err)
		}
	})
}

// TestEarlySession: a session that was there before the observer is timed too.
func TestEarlySession(t *testing.T) {
	p := newPlace(t, snapshot.MySQL)
	exec(t, p.root, "DELETE FROM performance_schema.setup_actors")
	s := p.connect(t)
	watch := p.watch(t)
	sent := time.Now()
	exec(t, s.Conn, "ALTER TABLE t ADD INDEX (v)")
	if got, err := watch.Phases(context.Background(), sent, time.Now(), nil); err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUntimed: a MariaDB without performance_schema shows its locks and no
// phases, and says no more.
func TestUntimed(t *testing.T) {
	if !slices.Contains(snapshottest.MySQLFlavours(t), snapshot.MariaDB) {
		t.Skip("MariaDB's stages are not tested: MG_TEST_MYSQL leaves MariaDB out; unset it")
	}
	p := placeOn(t, snapshottest.MySQLAlone(t, snapshot.MariaDB, map[string]string{"performance_schema": "OFF"}), snapshot.MariaDB)
	watch := p.watch(t)
	s := p.connect(t)
	sent := time.Now()
	exec(t, s.Conn, "ALTER TABLE t ADD INDEX (v)", "LOCK TABLES t WRITE")
	if got, err := watch.Phases(context.Background(), sent, time.Now(), []string{"t"}); got != nil || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if locks, err := watch.Sample(context.Background()); err != nil || len(locks) != 1 {
		t.Errorf("%+v, %v", locks, err)
	}
}

func TestTableOf(t *testing.T) {
	for _, c := range []struct {
		digest, text string
		want         string
		tables       []string
		name         string
	}{
		{digest: "ALTER TABLE `t` ADD COLUMN `c` INTEGER", want: "shop.t"},
		{digest: "ALTER TABLE `a` . `t` FORCE", want: "a.t"},
		{digest: "ALTER TABLE `we``ird` FORCE", want: "shop.we`ird"},
		{digest: "CREATE UNIQUE INDEX `i` ON `t` ( `v` )", want: "shop.t"},
		{digest: "CREATE INDEX `i` USING BTREE ON `a` . `t` ( `v` )", want: "a.t"},
		{digest: "DROP INDEX `i` ON `t`", want: "shop.t"},
		{digest: "ALTER TABLE `t` ADD COLUMN `c` INTEGER , ADD ...", want: ""},
		{digest: "ALTER VIEW `v` AS SELECT ?", want: ""},
		{digest: "EXECUTE `s`", tables: []string{"t"}, name: "statement/sql/execute_sql", want: "shop.t"},
		{digest: "EXECUTE `s`", tables: []string{"a.t"}, name: "statement/sql/execute_sql", want: "a.t"},
		{digest: "EXECUTE `s`", tables: []string{"a.t", "b.t"}, name: "statement/sql/execute_sql", want: ""},
		{digest: "ALTER TABLE EVENTS FORCE", tables: []string{"x", "Events"}, want: "shop.Events"},
		{digest: "ALTER TABLE DATA . EVENTS FORCE", tables: []string{"data.events"}, want: "data.events"},
		{digest: "ALTER TABLE EVENTS FORCE", text: "alter table `Events` force", want: "shop.Events"},
		{digest: "ALTER TABLE DATA . `t` FORCE", text: "alter table data.t force", want: "data.t"},
		{digest: "ALTER TABLE EVENTS FORCE", want: ""},
		{digest: "ALTER TABLE EVENTS FORCE", tables: []string{"EVENT"}, text: "/* x */ alter table events force", want: ""},
		{text: "alter table t force", want: "shop.t"},
		{text: " alter\ttable `a`.t\nforce", want: "a.t"},
		{text: "create index i on größe (v)", want: "shop.größe"},
		{text: "alter table t comment '" + strings.Repeat("x", 1001), want: ""},
		{digest: "EXECUTE `s`", text: "alter table t force", name: "statement/sql/execute_sql", want: "shop.t"},
		{digest: "OPTIMIZE TABLE `t`", tables: []string{"t"}, name: "statement/sql/optimize", want: ""},
	} {
		s := &Sampler{}
		got, _ := s.tableOf(statement{digest: c.digest, text: c.text, schema: "shop", name: c.name}, c.tables)
		if got != c.want {
			t.Errorf("%s%s: %q, want %q", c.digest, c.text, got, c.want)
		}
	}
	for digest, want := range map[string]bool{
		"ALTER TABLE `t` FORCE , LOCK = `EXCLUSIVE`": true, "ALTER TABLE `t` FORCE , LOCK `EXCLUSIVE`": true, "alter table t force, lock=exclusive": true,
		"ALTER TABLE `t` FORCE , LOCK = `NONE`": false, "ALTER TABLE `EXCLUSIVE` FORCE": false,
	} {
		if locks.MatchString(digest) != want {
			t.Errorf("%s: want %t", digest, want)
		}
	}
}
