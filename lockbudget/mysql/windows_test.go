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
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestWindows: which locks statements take, through which statements they are
// held, and what proves it.
func TestWindows(t *testing.T) {
	const nap = "DO SLEEP(0.1)"
	cases := []struct {
		name       string
		before     []string
		statements []string
		// want lists own windows that stop writers, "table MODE
		// statement-through witness"; mariaDB those there, where they differ.
		want, mariaDB []string
	}{
		{name: "LOCK TABLES", statements: []string{"LOCK TABLES t WRITE", nap, "UNLOCK TABLES", nap},
			want: []string{"t SHARED_NO_READ_WRITE 0-2 boundary"}},
		{name: "readers only", statements: []string{"LOCK TABLES t READ", nap, "UNLOCK TABLES"},
			want: []string{"t SHARED_READ_ONLY 0-2 boundary"}},
		{name: "FLUSH TABLES", statements: []string{"FLUSH TABLES t WITH READ LOCK", nap, "UNLOCK TABLES"},
			want: []string{"t SHARED_NO_WRITE 0-2 boundary"}},
		{name: "twice", statements: []string{"LOCK TABLES t WRITE", "UNLOCK TABLES", "LOCK TABLES t WRITE", "UNLOCK TABLES"},
			want: []string{"t SHARED_NO_READ_WRITE 0-1 boundary", "t SHARED_NO_READ_WRITE 2-3 boundary"}},
		{name: "a foreign key's other end", before: []string{"CREATE TABLE up (id INT PRIMARY KEY)", "CREATE TABLE down (id INT, FOREIGN KEY (id) REFERENCES up (id))"},
			statements: []string{"LOCK TABLES up WRITE", nap, "UNLOCK TABLES"},
			want:       []string{"down SHARED_READ_ONLY 0-2 boundary", "up SHARED_NO_READ_WRITE 0-2 boundary"},
			mariaDB:    []string{"up SHARED_NO_READ_WRITE 0-2 boundary"}},
		{name: "one after another", statements: []string{"ALTER TABLE t ADD COLUMN c INT", "ALTER TABLE t ADD COLUMN d INT"},
			want: []string{"t EXCLUSIVE 0-0 stages", "t EXCLUSIVE 1-1 stages"}},
		{name: "a name that is a keyword", before: []string{"CREATE TABLE Events (id INT PRIMARY KEY, v INT)", "INSERT INTO Events VALUES (1, 1), (2, 2)"}, statements: []string{"ALTER TABLE Events ADD INDEX (v)"},
			want: []string{"Events EXCLUSIVE 0-0 stages", "Events EXCLUSIVE 0-0 stages"}},
		{name: "an index", statements: []string{"CREATE INDEX i ON t (v)", "DROP INDEX i ON t"},
			want: []string{"t EXCLUSIVE 0-0 stages", "t EXCLUSIVE 0-0 stages", "t EXCLUSIVE 1-1 stages"}},
	}
	flavours(t, func(t *testing.T, flavour string) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				p := newPlace(t, flavour, c.before...)
				watch := p.watch(t)
				s := p.connect(t)
				rec, steps := s.run(t, watch, 2*time.Millisecond, c.statements...)
				got := []string{}
				for _, w := range rec.Windows() {
					if w.Session != s.id || w.Impact&writes == 0 {
						continue
					}
					got = append(got, fmt.Sprintf("%s %s %d-%d %s", strings.TrimPrefix(w.Object, p.name+"."), w.Mode, w.Statement, w.Through, w.Witness))
					if slices.Contains(c.statements, nap) {
						first, last := steps[w.Statement], steps[w.Through]
						if w.AtMost < last.sent.Sub(first.received) || w.AtLeast > last.received.Sub(first.sent) || w.AtMost-w.AtLeast > 50*time.Millisecond+2*rec.MaxGap {
							t.Errorf("held for %s to %s: %+v", last.sent.Sub(first.received), last.received.Sub(first.sent), w)
						}
					}
				}
				for _, st := range steps {
					if st.err != nil {
						t.Error(st.err)
					}
				}
				want := c.want
				if p.mariaDB && c.mariaDB != nil {
					want = c.mariaDB
				}
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if err := rec.Void(time.Second); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestCopyingAlter: a table of some size, copied while its child looks on. The
// server's times and the looks agree, and the windows are whole.
func TestCopyingAlter(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		p := newPlace(t, flavour, "INSERT INTO t SELECT 10 + e.id * 10000 + a.id * 1000 + b.id * 100 + c.id * 10 + d.id, 'x', 1 FROM "+
			strings.Join([]string{digits("a"), digits("b"), digits("c"), digits("d"), digits("e")}, ", "),
			"CREATE TABLE down (id INT, FOREIGN KEY (id) REFERENCES t (id))")
		watch := p.watch(t)
		s := p.connect(t)
		rec, steps := s.run(t, watch, 2*time.Millisecond, "ALTER TABLE t MODIFY n BIGINT, ALGORITHM=COPY")
		if steps[0].err != nil {
			t.Fatal(steps[0].err)
		}
		if err := rec.Void(5 * time.Second); err != nil {
			t.Error(err)
		}
		took := steps[0].received.Sub(steps[0].sent)
		by := map[string][]lockbudget.Window{}
		for _, w := range rec.Windows() {
			key := strings.TrimPrefix(w.Object, p.name+".") + " " + w.Mode
			by[key] = append(by[key], w)
			if w.Open || w.AtMost > took+time.Millisecond {
				t.Errorf("of a statement of %s: %+v", took, w)
			}
		}
		snw, x := by["t SHARED_NO_WRITE"], by["t EXCLUSIVE"]
		if len(snw) != 1 || snw[0].AtMost < took/4 {
			t.Fatalf("of a statement of %s: %+v", took, snw)
		}
		if p.mariaDB && rec.Phases == nil {
			t.Log("its stages were overwritten")
			return
		}
		if len(x) != 1 || x[0].Witness != lockbudget.ByStages || snw[0].Witness != lockbudget.ByStages {
			t.Fatalf("%+v", by)
		}
		if apart := x[0].Opened.Sent - snw[0].Closed.Received; apart > time.Millisecond {
			t.Errorf("between the copy and the last lock are %s: %+v %+v", apart, snw[0], x[0])
		}
		if down := by["down EXCLUSIVE"]; len(down) != 1 && !p.mariaDB && x[0].AtLeast > 3*rec.MaxGap {
			t.Errorf("the child's lock during the parent's last one (%s): %+v", x[0].AtLeast, down)
		}
	})
}

// TestOtherSessions: a second session of the owner has windows of its own, and
// other accounts' have none.
func TestOtherSessions(t *testing.T) {
	flavours(t, func(t *testing.T, flavour string) {
		p := newPlace(t, flavour)
		watch := p.watch(t)
		s, second, other := p.connect(t), p.connect(t), connect(t, dsn(p.server, p.server.User, p.server.Password, p.name))
		exec(t, other, "CREATE TABLE u (id INT)", "LOCK TABLES u WRITE")
		go func() {
			time.Sleep(20 * time.Millisecond)
			_, _ = second.ExecContext(context.Background(), "LOCK TABLES t WRITE")
			time.Sleep(30 * time.Millisecond)
			_, _ = second.ExecContext(context.Background(), "UNLOCK TABLES")
		}()
		rec, _ := s.run(t, watch, 2*time.Millisecond, "DO SLEEP(0.15)")
		exec(t, other, "UNLOCK TABLES")
		var got []string
		for _, w := range rec.Windows() {
			got = append(got, fmt.Sprint(w.Session == second.id, " ", w.Object, " ", w.Mode, " ", w.Open))
		}
		if diff := cmp.Diff([]string{"true " + p.table("t") + " SHARED_NO_READ_WRITE false"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRecordingStaysSmall: what does not change is one sample, and a session
// that does nothing makes none.
func TestRecordingStaysSmall(t *testing.T) {
	p := newPlace(t, snapshottest.MySQLFlavours(t)[0])
	watch := p.watch(t)
	rec, _ := p.connect(t).run(t, watch, 2*time.Millisecond, "LOCK TABLES t WRITE", "DO SLEEP(1)", "UNLOCK TABLES")
	if rec.Looks < 60 || len(rec.Samples) > 14 {
		t.Errorf("%d looks make %d samples", rec.Looks, len(rec.Samples))
	}
}
