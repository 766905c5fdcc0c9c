package postgres

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	apply "github.com/migration-gate/migration-gate/gate/apply/postgres"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

var record = flag.String("record", "", "keep the recording of TestWindows' first case in this file (../testdata/recording.json)")

// measured is a database, the migration's session and a watcher on it.
type measured struct {
	session *apply.Session
	sampler *Sampler
	names   func(oid string) string
	conn    *pgx.Conn
}

func newMeasured(t testing.TB, server *snapshot.Target, fill string) *measured {
	t.Helper()
	ctx := context.Background()
	name := newDatabase(t, server)
	c := connect(t, server, name)
	exec(t, c, fill)
	exec(t, c, "VACUUM ANALYZE")
	s, err := apply.Open(ctx, dsn(server, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(ctx) })
	return &measured{session: s, sampler: open(t, server, name), conn: c, names: func(oid string) string {
		var s string
		if err := c.QueryRow(ctx, "SELECT coalesce((SELECT relname FROM pg_class WHERE oid = $1::text::oid), 'gone')", oid).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}}
}

// run walks a file as a tool that sends it whole would, and records it.
func (m *measured) run(t testing.TB, sql string) (lockbudget.Recording, []sessiontest.Step) {
	t.Helper()
	statements, err := migration.ParseScript("m.sql", []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := lockbudget.NewRecorder(m.sampler, 2*time.Millisecond)
	r.Own(m.session.PID())
	r.Start(ctx)
	steps, err := sessiontest.Walk(ctx, m.session, &migration.Script{File: "m.sql", Statements: statements}, r)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	rec, err := r.Stop()
	if err != nil {
		t.Fatal(err)
	}
	return rec, steps
}

const tables = `
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u SELECT generate_series(1, 1000);
`

const bigTable = `
CREATE TABLE big (id int PRIMARY KEY, a int, b text);
INSERT INTO big SELECT i, i % 1000, md5(i::text) FROM generate_series(1, 200000) i;
`

// TestWindows: which locks a file's statements take, and through which
// statements they are held.
func TestWindows(t *testing.T) {
	cases := []struct {
		name, sql string
		// want lists own windows that block somebody, on relations that were
		// there: "relation MODE statement-through witness".
		want []string
	}{
		{"one after another", "ALTER TABLE t ADD COLUMN c int; ALTER TABLE u ADD COLUMN c int; SELECT 1", []string{
			"t ACCESS EXCLUSIVE 0-2 boundary", "u ACCESS EXCLUSIVE 1-2 boundary"}},
		{"two transactions", "BEGIN; ALTER TABLE t ADD COLUMN c int; COMMIT; BEGIN; ALTER TABLE t ADD COLUMN d int; COMMIT", []string{
			"t ACCESS EXCLUSIVE 1-2 boundary", "t ACCESS EXCLUSIVE 4-5 boundary"}},
		{"a second mode", "CREATE INDEX ON t (v); ALTER TABLE t ADD COLUMN c int", []string{
			"t SHARE 0-1 boundary", "t ACCESS EXCLUSIVE 1-1 boundary"}},
		{"a foreign key's partner", "CREATE TABLE child (id int REFERENCES t)", []string{"t SHARE ROW EXCLUSIVE 0-0 boundary"}},
		{"back to a savepoint", "BEGIN; SAVEPOINT x; LOCK TABLE t; ROLLBACK TO x; SELECT 1; COMMIT", []string{"t ACCESS EXCLUSIVE 2-3 boundary"}},
		{"given up within a statement", "DO $$ BEGIN BEGIN LOCK TABLE t; PERFORM pg_sleep(0.1); RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; END; PERFORM pg_sleep(0.2); END $$", []string{
			"t ACCESS EXCLUSIVE 0-0 ticker"}},
		{"taken late", "DO $$ BEGIN PERFORM pg_sleep(0.2); LOCK TABLE t; PERFORM pg_sleep(0.1); END $$", []string{"t ACCESS EXCLUSIVE 0-0 boundary"}},
		{"a failed statement", "DO $$ BEGIN LOCK TABLE t; PERFORM pg_sleep(0.1); RAISE 'no'; END $$", []string{"t ACCESS EXCLUSIVE 0-0 ticker"}},
		{"concurrently", "CREATE INDEX CONCURRENTLY ON big (a)", []string{"big SHARE UPDATE EXCLUSIVE 0-0 ticker"}},
		{"committing inside", "DO $$ BEGIN LOCK TABLE t; PERFORM pg_sleep(0.1); COMMIT; PERFORM pg_sleep(0.1); LOCK TABLE u; PERFORM pg_sleep(0.1); END $$", []string{
			"t ACCESS EXCLUSIVE 0-0 ticker", "u ACCESS EXCLUSIVE 0-0 ticker"}},
	}
	for _, major := range snapshottest.Majors(t) {
		t.Run("postgres "+major, func(t *testing.T) {
			server := snapshottest.Server(t, major)
			for i, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					fill := tables
					if strings.Contains(c.sql, "big") {
						fill += bigTable
					}
					m := newMeasured(t, server, fill)
					rec, steps := m.run(t, c.sql)
					if i == 0 && *record != "" {
						keep(t, rec)
					}
					var got []string
					for _, w := range rec.Windows() {
						name := m.names(w.Object)
						if w.Session != m.session.PID() || w.Impact == 0 || !slices.Contains([]string{"t", "u", "big"}, name) {
							continue
						}
						got = append(got, fmt.Sprintf("%s %s %d-%d %s", name, w.Mode, w.Statement, w.Through, w.Witness))
						checkLength(t, c.name, w, steps, rec.MaxGap)
					}
					slices.Sort(got)
					slices.Sort(c.want)
					if diff := cmp.Diff(c.want, got); diff != "" {
						t.Errorf("(-want +got)\n%s", diff)
					}
				})
			}
		})
	}
}

// checkLength holds the bounds to the 100 ms that these statements sleep under a
// lock, and to the 200 ms they sleep without it, however busy the machine is:
// no more is asked than the widest gap between two looks allows, and a COMMIT that
// takes its time holds the lock as well.
func checkLength(t *testing.T, name string, w lockbudget.Window, steps []sessiontest.Step, gap time.Duration) {
	t.Helper()
	if w.AtLeast > w.AtMost || w.AtMost <= 0 {
		t.Errorf("bounds %s to %s", w.AtLeast, w.AtMost)
	}
	switch name {
	case "given up within a statement", "taken late", "committing inside":
		statement := steps[0].Result.Received.Sub(steps[0].Result.Sent)
		commit := steps[0].Commit.Received.Sub(steps[0].Commit.Sent)
		longest := statement + commit - 200*time.Millisecond // that it can have been held
		if w.AtMost < 100*time.Millisecond || w.AtMost-w.Paused > longest+2*gap || w.AtLeast < 100*time.Millisecond-2*gap || w.AtLeast-w.Paused > longest {
			t.Errorf("a lock held for 100 ms of a statement of %s and a COMMIT of %s: %s to %s, %s of it idle, looked at every %s at worst", statement, commit, w.AtLeast, w.AtMost, w.Paused, gap)
		}
	}
}

func keep(t *testing.T, rec lockbudget.Recording) {
	text, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*record, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestOtherSessions: parallel workers and second connections are in the
// recording, with windows of their own.
func TestOtherSessions(t *testing.T) {
	server := snapshottest.Server(t, "")
	m := newMeasured(t, server, tables+bigTable+"ALTER TABLE big SET (parallel_workers = 2);")
	rec, _ := m.run(t, "SET max_parallel_maintenance_workers = 2; SET min_parallel_table_scan_size = 0; CREATE INDEX ON big (b)")
	others := 0
	var own lockbudget.Window
	for _, w := range rec.Windows() {
		switch {
		case m.names(w.Object) != "big" || w.Mode != "SHARE":
		case w.Session == rec.Session:
			own = w
		default:
			others++
			if w.Statement != 2 || w.Open {
				t.Errorf("a worker's window: %+v", w)
			}
		}
	}
	if own.AtMost == 0 || others == 0 {
		t.Errorf("own window %+v, %d of workers; want both", own, others)
	}
}

// TestRecordingStaysSmall: what does not change is one sample.
func TestRecordingStaysSmall(t *testing.T) {
	server := snapshottest.Server(t, "")
	m := newMeasured(t, server, tables)
	rec, _ := m.run(t, "LOCK TABLE t; SELECT pg_sleep(1)")
	if rec.Looks < 80 || len(rec.Samples) > 12 {
		t.Errorf("%d looks make %d samples", rec.Looks, len(rec.Samples))
	}
	if rec.MaxGap > 500*time.Millisecond {
		t.Logf("a look took %s on this machine", rec.MaxGap)
	}
	if strings.Contains(fmt.Sprint(rec.Void(500*time.Millisecond)), "not looked at") {
		t.Error("a transaction needs no ticker")
	}
}
