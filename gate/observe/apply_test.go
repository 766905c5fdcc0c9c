package observe_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestPausesAreNotHeld: three hundred statements in one transaction hold the
// first one's lock only for as long as they run, not for the looks in between.
func TestPausesAreNotHeld(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], reverseSetup)
	up := "ALTER TABLE t ADD COLUMN a int;" + strings.Repeat("\nCOMMENT ON TABLE u IS 'x';", 300)
	o := applied(t, lab.clone(t), change(t, 1, up, ""))
	run := o.Migrations[0].Apply
	if run.Failure != nil {
		t.Fatal(run.Failure)
	}
	statements := 0.0
	for _, s := range run.Statements {
		statements += s.DurationMS
	}
	for _, w := range o.Locks {
		if w.Table == "public.t" && w.Mode == "ACCESS EXCLUSIVE" {
			if len(w.HeldDuring) != 300 {
				t.Errorf("held during %d later statements, want 300", len(w.HeldDuring))
			}
			if limit := statements + 0.1*(run.MS-statements) + 5; w.AtMostMS > limit {
				t.Errorf("held for up to %.1f ms: the statements took %.1f ms of a run of %.1f ms", w.AtMostMS, statements, run.MS)
			}
			return
		}
	}
	t.Fatalf("no window on public.t among %+v", o.Locks)
}

// TestParallelWorkersAreTheirLeaders: a parallel index build is one lock of
// the migration's, not one for each worker.
func TestParallelWorkersAreTheirLeaders(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], `
CREATE TABLE big (id int, pad text);
ALTER TABLE big SET (parallel_workers = 2);
INSERT INTO big SELECT g % 1000, repeat('x', 50) FROM generate_series(1, 200000) g`)
	o := applied(t, lab.clone(t), change(t, 1, "SET max_parallel_maintenance_workers = 2; SET min_parallel_table_scan_size = 0; CREATE INDEX i ON big (id)", ""))
	n := 0
	for _, w := range o.Locks {
		if w.Table == "public.big" && w.Mode == "SHARE" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d windows for one SHARE lock: %+v", n, o.Locks)
	}
}

// TestRowLocks: they are in no lock table, so a window from the statement to
// its COMMIT stands for them, on the table whose rows they are.
func TestRowLocks(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], `
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT g, (SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 200) i) FROM generate_series(1, 20) g;
CREATE TABLE queue (id int PRIMARY KEY);
INSERT INTO queue SELECT generate_series(1, 30);
CREATE TABLE log (id int)`)
	o := applied(t, lab.clone(t), change(t, 1, `UPDATE orders SET note = note || 'x' WHERE id <= 12;
SELECT id FROM queue WHERE id <= 7 FOR UPDATE;
INSERT INTO log VALUES (1);
SELECT pg_sleep(0.05);
CREATE TABLE mine AS SELECT 1 AS id;
DELETE FROM mine;`, ""))
	if f := o.Migrations[0].Apply.Failure; f != nil {
		t.Fatal(f)
	}
	got := map[string]int64{}
	for _, w := range o.Locks {
		if !w.RowLocks {
			continue
		}
		got[w.Relation] = w.Rows
		if w.Mode != "row locks" || !slices.Equal(w.Blocks, []string{"writes"}) || w.Witness != "statement" {
			t.Errorf("%+v", w)
		}
		if w.AtLeastMS != 0 || w.AtMostMS < 50 || w.AtMostAloneMS >= w.AtMostMS {
			t.Errorf("%s: row locks from %.1f to %.1f ms (%.1f with the statement alone), and the transaction slept for 50 ms", w.Relation, w.AtLeastMS, w.AtMostMS, w.AtMostAloneMS)
		}
	}
	if want := map[string]int64{"public.orders": 12, "public.queue": 7}; !maps.Equal(got, want) {
		t.Errorf("row locks on %v, want %v", got, want)
	}
}

// TestTickerOnly: what commits on its way has no boundary inside, which its
// run must say; anything else has one.
func TestTickerOnly(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], "CREATE TABLE t (id int)")
	for sql, want := range map[string]bool{
		"DO $$ BEGIN ALTER TABLE t ADD COLUMN a int; COMMIT; ALTER TABLE t ADD COLUMN b int; END $$": true,
		"DO $$ BEGIN ALTER TABLE t ADD COLUMN a int; END $$":                                         false,
		"ALTER TABLE t ADD COLUMN a int":                                                             false,
		"BEGIN; ALTER TABLE t ADD COLUMN a int; COMMIT":                                              false,
	} {
		run := applied(t, lab.clone(t), change(t, 1, sql, "")).Migrations[0].Apply
		got := false
		for _, s := range run.Statements {
			got = got || s.TickerOnly
		}
		if run.Failure != nil || got != want {
			t.Errorf("%s: ticker only %v, want %v (failure %v)", sql, got, want, run.Failure)
		}
	}
}

// TestTreeOfPartitions: a partition's lock is judged by what the whole table
// holds.
func TestTreeOfPartitions(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], `
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (1000);
INSERT INTO parts SELECT generate_series(0, 299)`)
	o := applied(t, lab.clone(t), change(t, 1, "ALTER TABLE parts_1 SET (fillfactor = 90); CREATE INDEX ON ONLY parts (id)", ""))
	p, root := o.Tables["public.parts_1"], o.Tables["public.parts"]
	if p.Root != "public.parts" || p.Rows != 100 || p.RootRows != 300 || root.Root != "" || root.RootRows != 300 {
		t.Errorf("partition %+v, root %+v", p, root)
	}
	if p.Bytes == 0 || p.RootBytes <= p.Bytes || root.RootBytes != p.RootBytes {
		t.Errorf("partition %+v, root %+v", p, root)
	}
}

// TestCounters: what a statement logs and sorts on disk is its own, not that
// of the statements before it.
func TestCounters(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], "CREATE TABLE filled (id int, pad text)")
	l := lab.clone(t)
	o := applied(t, l, change(t, 1, `INSERT INTO filled SELECT g, repeat('x', 100) FROM generate_series(1, 50000) g;
SET work_mem = '64kB';
SELECT count(*) FROM (SELECT id FROM filled ORDER BY pad || id OFFSET 0) x`, ""))
	run := o.Migrations[0].Apply
	if run.Failure != nil {
		t.Fatal(run.Failure)
	}
	insert, set, sort := run.Statements[0], run.Statements[1], run.Statements[2]
	if insert.WALBytes < 5_000_000 || set.WALBytes > 1_000_000 || set.WALBytes < 0 {
		t.Errorf("WAL of the INSERT %d bytes, of SET %d", insert.WALBytes, set.WALBytes)
	}
	w, err := l.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(t.Context())
	if _, known, err := w.TempBytes(t.Context()); err != nil {
		t.Fatal(err)
	} else if !known {
		t.Log("temporary bytes not looked at: this server's binaries lack pg_stat_statements")
		return
	}
	if set.TempBytes != 0 || sort.TempBytes < 1_000_000 {
		t.Errorf("temporary bytes of SET %d, of the sort %d", set.TempBytes, sort.TempBytes)
	}
}
