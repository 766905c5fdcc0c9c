package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	apply "github.com/migration-gate/migration-gate/gate/apply/postgres"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// The figures the project shows: go test -run '^$' -bench . prints them as
// tables. Each benchmark runs once, whatever -benchtime says of it.

// BenchmarkAccuracy compares reported bounds with lock holds whose length is
// known: taken and given up at instants that the server's own clock notes
// inside the statement, or, up to COMMIT, that the client brackets.
func BenchmarkAccuracy(b *testing.B) {
	const runs = 50
	constructions := []struct {
		name string
		// script holds the lock on t for the given seconds; the truth is
		// bracketed by the row it leaves in the table truth and by COMMIT.
		script func(seconds float64) string
		must   bool // the figures are a promise
	}{
		{"in a transaction, to COMMIT", func(s float64) string {
			return fmt.Sprintf(`DO $$ DECLARE a timestamptz := clock_timestamp(); BEGIN LOCK TABLE t; INSERT INTO truth VALUES (a, clock_timestamp()); PERFORM pg_sleep(%f); END $$; SELECT 1`, s)
		}, true},
		{"one statement, to COMMIT", func(s float64) string {
			return fmt.Sprintf(`DO $$ DECLARE a timestamptz := clock_timestamp(); BEGIN LOCK TABLE t; INSERT INTO truth VALUES (a, clock_timestamp()); PERFORM pg_sleep(%f); END $$`, s)
		}, true},
		{"given up within a statement (ticker only)", func(s float64) string {
			return fmt.Sprintf(`DO $$ DECLARE a timestamptz; b timestamptz; c timestamptz; BEGIN PERFORM pg_sleep(0.01); a := clock_timestamp();
BEGIN LOCK TABLE t; b := clock_timestamp(); PERFORM pg_sleep(%f); c := clock_timestamp(); RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; END;
INSERT INTO truth VALUES (a, b, c, clock_timestamp()); PERFORM pg_sleep(0.01); END $$`, s)
		}, false},
	}
	server := snapshottest.Server(b, "")
	m := newMeasured(b, server, `CREATE TABLE truth (a timestamptz, b timestamptz, c timestamptz, d timestamptz)`)
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nlock held\truns\tmissed\ttruth outside\twidth p50\tp95\tupper − true p50\tp95\tlargest gap p50\t\n")
	for _, c := range constructions {
		fmt.Fprintf(out, "%s\t\t\t\t\t\t\t\t\t\n", c.name)
		for _, ms := range []float64{1, 5, 20, 100, 500} {
			var widths, over, gaps []time.Duration
			missed, outside := 0, 0
			for range runs {
				rec, steps := m.run(b, c.script(ms/1000))
				low, high := m.truth(b, steps)
				w, ok := m.window(rec)
				gaps = append(gaps, rec.MaxGap)
				if !ok {
					missed++
					continue
				}
				if w.AtMost < low || w.AtLeast > high {
					outside++
				}
				widths, over = append(widths, w.AtMost-w.AtLeast), append(over, w.AtMost-low)
			}
			width := quantile(widths, 0.5)
			fmt.Fprintf(out, "%g ms\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", ms, runs, missed, outside,
				show(width), show(quantile(widths, 0.95)), show(quantile(over, 0.5)), show(quantile(over, 0.95)), show(quantile(gaps, 0.5)))
			limit := max(2*time.Millisecond, time.Duration(ms*0.03*float64(time.Millisecond)))
			if outside > 0 || c.must && (missed > 0 || width > limit) {
				b.Errorf("%s, %g ms: missed %d, truth outside %d, median width %s (limit %s)", c.name, ms, missed, outside, width, limit)
			}
		}
	}
	out.Flush()
}

// truth brackets the hold of the last run: [low, high].
func (m *measured) truth(b *testing.B, steps []sessiontest.Step) (low, high time.Duration) {
	b.Helper()
	last := steps[len(steps)-1]
	if last.Result.Failure != nil || last.Commit.Failure != nil {
		b.Fatalf("%+v %+v", last.Result.Failure, last.Commit.Failure)
	}
	from, taken, giving, given := m.read(b)
	if giving.IsZero() {
		giving, given = last.Commit.Sent, last.Commit.Received
	}
	return giving.Sub(taken), given.Sub(from)
}

// read takes the row that the run left in the table truth.
func (m *measured) read(b *testing.B) (from, taken, giving, given time.Time) {
	b.Helper()
	var c, d *time.Time
	if err := m.conn.QueryRow(context.Background(), "SELECT a, b, c, d FROM truth").Scan(&from, &taken, &c, &d); err != nil {
		b.Fatal(err)
	}
	exec(b, m.conn, "TRUNCATE truth")
	if c == nil {
		return from, taken, giving, given
	}
	return from, taken, *c, *d
}

// window is that of the lock on t.
func (m *measured) window(rec lockbudget.Recording) (lockbudget.Window, bool) {
	for _, w := range rec.Windows() {
		if w.Session == rec.Session && w.Mode == "ACCESS EXCLUSIVE" && m.names(w.Object) == "t" {
			return w, true
		}
	}
	return lockbudget.Window{}, false
}

// BenchmarkCost runs the same migration with the gate's measuring (on), as a
// tool would send it (off), and so once more (control: the noise of this
// machine), in random order, on the same server.
func BenchmarkCost(b *testing.B) {
	server := snapshottest.Server(b, "")
	name := newDatabase(b, server)
	c := connect(b, server, name)
	sampler := open(b, server, name)
	ctx := context.Background()
	session, err := apply.Open(ctx, dsn(server, name))
	if err != nil {
		b.Fatal(err)
	}
	defer session.Close(ctx)
	off := func(sql string) time.Duration {
		began := time.Now()
		if _, err := c.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	on := func(sql string) time.Duration {
		statements, err := migration.ParseScript("m.sql", []byte(sql))
		if err != nil {
			b.Fatal(err)
		}
		r := lockbudget.NewRecorder(sampler, 2*time.Millisecond)
		r.Own(session.PID())
		r.Start(ctx)
		began := time.Now()
		steps, err := sessiontest.Walk(ctx, session, &migration.Script{File: "m.sql", Statements: statements}, r)
		took := time.Since(began)
		if err != nil {
			b.Fatal(err)
		}
		if f := steps[len(steps)-1].Result.Failure; f != nil {
			b.Fatalf("%+v", f)
		}
		if _, err := r.Stop(); err != nil {
			b.Fatal(err)
		}
		return took
	}
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nmigration\trows\truns\toff p50\ton p50\toverhead p50\tp25\tp75\tcontrol p50\tp25\tp75\t\n")
	for _, m := range []struct {
		name  string
		goal  time.Duration
		runs  int
		limit float64
	}{{"long", 5 * time.Second, 10, 0.03}, {"short", 5 * time.Millisecond, 100, 0}} {
		// It can be repeated: an expression makes every change of type a rewrite.
		sql := fmt.Sprintf("ALTER TABLE %[1]s ALTER a TYPE int USING a + 1; CREATE INDEX %[1]s_c ON %[1]s (c); UPDATE %[1]s SET b = b + 1 WHERE id %% 10 = 0; DROP INDEX %[1]s_c", m.name)
		rows := fillTo(b, c, m.name, m.goal, func() time.Duration { return off(sql) })
		var with, without []time.Duration
		var cost, control []float64
		for range m.runs {
			took := map[string]time.Duration{}
			for _, i := range rand.Perm(3) {
				exec(b, c, "VACUUM "+m.name)
				exec(b, c, "CHECKPOINT")
				switch i {
				case 0:
					took["off"] = off(sql)
				case 1:
					took["on"] = on(sql)
				case 2:
					took["control"] = off(sql)
				}
			}
			without, with = append(without, took["off"]), append(with, took["on"])
			cost = append(cost, took["on"].Seconds()/took["off"].Seconds()-1)
			control = append(control, took["control"].Seconds()/took["off"].Seconds()-1)
		}
		at := func(ratios []float64, q float64) float64 {
			slices.Sort(ratios)
			return 100 * ratios[int(q*float64(len(ratios)-1))]
		}
		fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\t%+.1f %%\t%+.1f %%\t%+.1f %%\t%+.1f %%\t%+.1f %%\t%+.1f %%\t\n", m.name, rows, m.runs,
			show(quantile(without, 0.5)), show(quantile(with, 0.5)),
			at(cost, 0.5), at(cost, 0.25), at(cost, 0.75), at(control, 0.5), at(control, 0.25), at(control, 0.75))
		// Beyond what the same migration differs from itself on this machine.
		if over := at(cost, 0.5) - max(at(control, 0.5), 0); m.limit > 0 && over > 100*m.limit {
			b.Errorf("%s migration: median overhead %.1f %% beyond the control, limit %.0f %%", m.name, over, 100*m.limit)
		}
	}
	out.Flush()
}

// fillTo makes a table on which the migration takes about so long.
func fillTo(b *testing.B, c *pgx.Conn, table string, goal time.Duration, run func() time.Duration) (rows int) {
	b.Helper()
	exec(b, c, "CREATE TABLE "+table+" (id int PRIMARY KEY, a int, b int, c text)")
	for next := 500; ; {
		exec(b, c, fmt.Sprintf("INSERT INTO %s SELECT i, i %% 1000, i %% 7, md5(i::text) FROM generate_series(%d, %d) i", table, rows+1, next))
		rows = next
		exec(b, c, "VACUUM FULL ANALYZE "+table)
		took := min(run(), run())
		if took > goal*9/10 {
			return rows
		}
		next = int(float64(rows) * min(max(goal.Seconds()/took.Seconds(), 1.2), 8))
	}
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))]
}

func show(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }
