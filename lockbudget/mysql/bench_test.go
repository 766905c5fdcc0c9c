package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// The figures the project shows: go test -run '^$' -bench . prints them as
// tables. Each benchmark runs once, whatever -benchtime says of it.

// every is the ticker's aim, as in production.
const every = 2 * time.Millisecond

// bigServer is a server that holds the benches' tables in memory.
func bigServer(b *testing.B, flavour string) *snapshot.Target {
	s := map[string]string{"innodb_buffer_pool_size": "1G"}
	if snapshottest.MySQLSpec(flavour).Engine == snapshot.MySQL {
		s["innodb_redo_log_capacity"] = "1G"
	} else {
		s["innodb_log_file_size"] = "1G"
	}
	return snapshottest.MySQLAlone(b, flavour, s)
}

// BenchmarkAccuracy compares reported bounds with lock holds whose length is
// known: between two statements that the client brackets, and behind a
// transaction that ends at a known instant (a DDL lock that is awaited).
func BenchmarkAccuracy(b *testing.B) {
	const runs = 50
	lengths := []int{5, 20, 100, 500}
	constructions := []struct {
		name string
		mode string
		ddl  string
		must bool // the figures are a promise
		// mysql: it can be built there only
		mysql bool
	}{
		{"LOCK TABLES … WRITE, sleep, UNLOCK TABLES", "SHARED_NO_READ_WRITE", "", true, false},
		{"an INSTANT ALTER behind a transaction", "EXCLUSIVE", "ALTER TABLE t ALTER n SET DEFAULT %d", true, true},
		{"a RENAME behind a transaction (ticker only)", "EXCLUSIVE", "RENAME TABLE t TO t1, t1 TO t", false, true},
	}
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nlock held\truns\tmissed\ttruth outside\twidth p50\tp95\tupper − true p50\tp95\tlargest gap p50\t\n")
	for _, flavour := range snapshottest.MySQLFlavours(b) {
		p := newPlace(b, flavour)
		watch := p.watch(b)
		s, reader := p.connect(b), p.connect(b)
		for _, c := range constructions {
			if c.mysql && p.mariaDB {
				continue
			}
			fmt.Fprintf(out, "%s, %s\t\t\t\t\t\t\t\t\t\n", flavour, c.name)
			for _, length := range lengths {
				var widths, over, gaps []time.Duration
				missed, outside := 0, 0
				for n := range runs {
					var rec lockbudget.Recording
					var low, high time.Duration
					if c.ddl == "" {
						var steps []step
						rec, steps = s.run(b, watch, every, "LOCK TABLES t WRITE", fmt.Sprintf("DO SLEEP(%g)", float64(length)/1000), "UNLOCK TABLES")
						low, high = steps[2].sent.Sub(steps[0].received), steps[2].received.Sub(steps[0].sent)
					} else {
						ddl := c.ddl
						if strings.Contains(ddl, "%d") {
							ddl = fmt.Sprintf(ddl, n)
						}
						rec, low, high = p.behind(b, watch, s, reader, ddl, time.Duration(length)*time.Millisecond)
					}
					gaps = append(gaps, rec.MaxGap)
					w, ok := windowOf(rec, p.table("t"), c.mode)
					if !ok {
						missed++
						continue
					}
					if w.AtMost < low || w.AtLeast > high {
						outside++
						b.Logf("%s, %d ms: true %s to %s: %+v", c.name, length, low, high, w)
					}
					widths, over = append(widths, w.AtMost-w.AtLeast), append(over, w.AtMost-low)
				}
				width := quantile(widths, 0.5)
				fmt.Fprintf(out, "%d ms\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", length, runs, missed, outside,
					show(width), show(quantile(widths, 0.95)), show(quantile(over, 0.5)), show(quantile(over, 0.95)), show(quantile(gaps, 0.5)))
				limit := max(2*time.Millisecond, time.Duration(length)*3*time.Millisecond/100)
				if outside > 0 || c.must && (missed > 0 || width > limit) {
					b.Errorf("%s, %s, %d ms: missed %d, truth outside %d, median width %s (limit %s)", flavour, c.name, length, missed, outside, width, limit)
				}
			}
		}
	}
	out.Flush()
}

// behind runs a DDL statement that has to wait for a transaction, which ends
// after so long. The truth: it asked for its lock after it was sent, and had
// given it back when it was answered; it cannot have had it before the
// transaction ended.
func (p *place) behind(b *testing.B, watch *Sampler, s, reader *session, ddl string, length time.Duration) (rec lockbudget.Recording, low, high time.Duration) {
	b.Helper()
	exec(b, reader.Conn, "BEGIN", "SELECT * FROM t")
	asked := make(chan time.Time, 1)
	freeing := make(chan time.Time, 1)
	go func() {
		// As soon as the server says that it waits, the lock has been asked for.
		for {
			var waits int
			_ = p.root.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OBJECT_SCHEMA = ? AND LOCK_STATUS = 'PENDING'", p.name).Scan(&waits)
			if waits > 0 {
				break
			}
		}
		asked <- time.Now()
		time.Sleep(length)
		freeing <- time.Now()
		_, _ = reader.ExecContext(context.Background(), "COMMIT")
	}()
	rec, steps := s.run(b, watch, every, ddl)
	if steps[0].err != nil {
		b.Fatal(steps[0].err)
	}
	return rec, (<-freeing).Sub(<-asked), steps[0].received.Sub(steps[0].sent)
}

// windowOf is the longest window of the migration's session on a table.
func windowOf(rec lockbudget.Recording, table, mode string) (longest lockbudget.Window, ok bool) {
	for _, w := range rec.Windows() {
		if w.Session == rec.Session && w.Object == table && w.Mode == mode && (!ok || w.AtMost > longest.AtMost) {
			longest, ok = w, true
		}
	}
	return longest, ok
}

// fill makes a table of so many rows, of about 100 bytes each.
func (p *place) fill(b *testing.B, rows int) {
	b.Helper()
	exec(b, p.root, "CREATE TABLE big (id INT PRIMARY KEY, n INT, m INT NULL, v VARCHAR(40), w VARCHAR(60), KEY (n))")
	for at := 0; at < rows; at += 100_000 {
		exec(b, p.root, fmt.Sprintf("INSERT INTO big SELECT %d + a.id * 10000 + b.id * 1000 + c.id * 100 + d.id * 10 + e.id AS k, FLOOR(RAND(1) * 1000000), 7, LPAD(HEX(FLOOR(RAND(2) * 1000000000000)), 32, 'v'), REPEAT('w', 50) FROM %s",
			at+1, strings.Join([]string{digits("a"), digits("b"), digits("c"), digits("d"), digits("e")}, ", ")))
	}
	exec(b, p.root, "ANALYZE TABLE big")
}

// stall is an operation of a canary that took long.
type stall struct{ from, to time.Time }

// canary repeats an operation until stopped, and keeps what took longer than
// hiccup.
func (p *place) canary(b *testing.B, sql string, stop <-chan struct{}) <-chan []stall {
	const hiccup = 4 * time.Millisecond
	c := connect(b, dsn(p.server, p.server.User, p.server.Password, p.name))
	result := make(chan []stall, 1)
	go func() {
		var stalls []stall
		for id := 1; ; id++ {
			select {
			case <-stop:
				result <- stalls
				return
			case <-time.After(time.Millisecond):
			}
			from := time.Now()
			if _, err := c.ExecContext(context.Background(), fmt.Sprintf(sql, id%1000+1)); err != nil {
				b.Error(err)
			}
			if to := time.Now(); to.Sub(from) > hiccup {
				stalls = append(stalls, stall{from, to})
			}
		}
	}()
	return result
}

// BenchmarkCanaries holds windows against what a reader and a writer really
// waited, on a table of a million rows.
func BenchmarkCanaries(b *testing.B) {
	const runs, rows = 3, 1_000_000
	forms := []struct{ name, sql, undo string }{
		{"INSTANT, a column", "ALTER TABLE big ADD COLUMN c INT, ALGORITHM=INSTANT", "ALTER TABLE big DROP COLUMN c, ALGORITHM=INSTANT"},
		{"INPLACE, an index", "ALTER TABLE big ADD INDEX i (v), ALGORITHM=INPLACE, LOCK=NONE", "ALTER TABLE big DROP INDEX i"},
		{"INPLACE, an index, LOCK=SHARED", "ALTER TABLE big ADD INDEX i (v), ALGORITHM=INPLACE, LOCK=SHARED", "ALTER TABLE big DROP INDEX i"},
		{"INPLACE, a rebuild", "ALTER TABLE big FORCE, ALGORITHM=INPLACE, LOCK=NONE", ""},
		{"COPY", "ALTER TABLE big FORCE, ALGORITHM=COPY", ""},
	}
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nstatement\ttook p50\treads: window p50\tcanary p50\toff by\twrites: window p50\tcanary p50\toff by\tother stalls: reads\twrites\tlargest gap p50\t\n")
	for _, flavour := range snapshottest.MySQLFlavours(b) {
		p := placeOn(b, bigServer(b, flavour), flavour)
		p.fill(b, rows)
		watch := p.watch(b)
		s := p.connect(b)
		for _, f := range forms {
			var took, gaps []time.Duration
			var window, waited, other [2][]time.Duration
			for range runs {
				stop := make(chan struct{})
				canaries := [2]<-chan []stall{
					p.canary(b, "SELECT v FROM big WHERE id = %d", stop),
					p.canary(b, "UPDATE big SET m = m + 1 WHERE id = %d", stop),
				}
				time.Sleep(50 * time.Millisecond)
				rec, steps := s.run(b, watch, every, f.sql)
				time.Sleep(50 * time.Millisecond)
				close(stop)
				if steps[0].err != nil {
					b.Fatalf("%s: %v", f.sql, steps[0].err)
				}
				if err := rec.Void(2 * time.Second); err != nil {
					b.Errorf("%s: %s: %v", flavour, f.name, err)
				}
				took, gaps = append(took, steps[0].received.Sub(steps[0].sent)), append(gaps, rec.MaxGap)
				began := steps[0].sent.Add(-rec.Stamps[0].At.Sent)
				for i, impact := range []lockbudget.Impact{reads, writes} {
					stalls := <-canaries[i]
					w, c, o := p.compare(rec, began, impact, stalls)
					window[i], waited[i], other[i] = append(window[i], w), append(waited[i], c), append(other[i], o)
				}
				if f.undo != "" {
					exec(b, p.root, f.undo)
				}
			}
			row := []string{flavour + ": " + f.name, show(quantile(took, 0.5))}
			for i := range window {
				w, c := quantile(window[i], 0.5), quantile(waited[i], 0.5)
				row = append(row, show(w), show(c), show(w-c))
				slack := max(10*time.Millisecond, c/10)
				if p.mariaDB {
					slack = max(slack, quantile(gaps, 0.5)) // its stages bound the first lock loosely
				}
				if apart := (w - c).Abs(); apart > slack {
					b.Errorf("%s: %s: windows that block %s add up to %s, and a canary waited %s", flavour, f.name, []string{"reads", "writes"}[i], w, c)
				}
			}
			row = append(row, show(quantile(other[0], 0.5)), show(quantile(other[1], 0.5)), show(quantile(gaps, 0.5)))
			fmt.Fprintln(out, strings.Join(row, "\t")+"\t")
		}
	}
	out.Flush()
}

// compare adds up, for one impact on the big table, for how long windows say
// that it was blocked, for how long a canary stood still meanwhile, and for how
// long it stood still otherwise: log apply, a busy machine.
func (p *place) compare(rec lockbudget.Recording, began time.Time, impact lockbudget.Impact, stalls []stall) (window, waited, other time.Duration) {
	var spans []stall                 // joined where one follows the other
	for _, w := range rec.Windows() { // in order
		if w.Session != rec.Session || w.Object != p.table("big") || w.Impact&impact == 0 {
			continue
		}
		s := stall{began.Add(w.Opened.Sent), began.Add(w.Closed.Received)}
		if n := len(spans); n > 0 && s.from.Sub(spans[n-1].to) < time.Millisecond {
			spans[n-1].to = later(spans[n-1].to, s.to)
			continue
		}
		spans = append(spans, s)
	}
	for _, s := range spans {
		window += s.to.Sub(s.from)
	}
	for _, s := range stalls {
		during := slices.ContainsFunc(spans, func(w stall) bool { return s.from.Before(w.to) && w.from.Before(s.to) })
		if during {
			waited += s.to.Sub(s.from)
		} else {
			other += s.to.Sub(s.from)
		}
	}
	return window, waited, other
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// BenchmarkCost runs the same ALTER with the gate's measuring (on), without any
// (off), and so once more (control: the noise of this machine), in random
// order, on the same server.
func BenchmarkCost(b *testing.B) {
	const runs, limit = 8, 0.05
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\nstatement\trows\truns\toff p50\ton p50\toverhead p50\tp25\tp75\tcontrol p50\tp25\tp75\t\n")
	for _, flavour := range snapshottest.MySQLFlavours(b) {
		p := placeOn(b, bigServer(b, flavour), flavour)
		const rows = 600_000 // about 5 s of either on two idle cores
		p.fill(b, rows)
		watch := p.watch(b)
		for _, f := range []struct{ name, sql, undo string }{
			{"COPY", "ALTER TABLE big FORCE, ALGORITHM=COPY", ""},
			{"INPLACE, three indexes", "ALTER TABLE big ADD INDEX i (v), ADD INDEX j (w, v), ADD INDEX k (m, v)", "ALTER TABLE big DROP INDEX i, DROP INDEX j, DROP INDEX k"},
		} {
			run := func(on bool) time.Duration {
				if !p.mariaDB {
					enabled := "'NO'"
					if on {
						enabled = "'YES'"
					}
					exec(b, p.root, "UPDATE performance_schema.setup_consumers SET ENABLED = "+enabled+" WHERE NAME LIKE 'events_stages%' OR NAME LIKE '%history_long'")
				}
				s := p.connect(b)
				defer s.Close()
				var took time.Duration
				if on {
					rec, steps := s.run(b, watch, every, f.sql)
					took = steps[0].received.Sub(steps[0].sent)
					if steps[0].err != nil || rec.Looks == 0 {
						b.Fatal(steps[0].err)
					}
				} else {
					began := time.Now()
					exec(b, s.Conn, f.sql)
					took = time.Since(began)
				}
				if f.undo != "" {
					exec(b, p.root, f.undo)
				}
				return took
			}
			run(false) // warm
			var with, without []time.Duration
			var cost, control []float64
			for range runs {
				took := map[int]time.Duration{}
				for _, i := range rand.Perm(3) {
					took[i] = run(i == 1)
				}
				without, with = append(without, took[0]), append(with, took[1])
				cost = append(cost, took[1].Seconds()/took[0].Seconds()-1)
				control = append(control, took[2].Seconds()/took[0].Seconds()-1)
			}
			at := func(ratios []float64, q float64) float64 {
				slices.Sort(ratios)
				return 100 * ratios[int(q*float64(len(ratios)-1))]
			}
			fmt.Fprintf(out, "%s: %s\t%d\t%d\t%s\t%s\t%+.1f %%\t%+.1f %%\t%+.1f %%\t%+.1f %%\t%+.1f %%\t%+.1f %%\t\n", flavour, f.name, rows, runs,
				show(quantile(without, 0.5)), show(quantile(with, 0.5)),
				at(cost, 0.5), at(cost, 0.25), at(cost, 0.75), at(control, 0.5), at(control, 0.25), at(control, 0.75))
			// Beyond what the same statement differs from itself on this machine.
			if over := at(cost, 0.5) - max(at(control, 0.5), 0); over > 100*limit {
				b.Errorf("%s: %s: median overhead %.1f %% beyond the control, limit %.0f %%", flavour, f.name, over, 100*limit)
			}
		}
	}
	out.Flush()
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))]
}

func show(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }
