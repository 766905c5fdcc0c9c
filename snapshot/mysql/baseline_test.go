package mysql_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
)

// Clones are independent of each other and of the baseline.
func TestCloneIsAFreshCopy(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, l *lab) {
		one := l.clone(t)
		run(t, one.OwnerDSN(), "INSERT INTO t VALUES (2)", "CREATE TABLE u (id int)")
		two := l.clone(t)
		if got := ask(t, two.OwnerDSN(), "SELECT COUNT(*), DATABASE() FROM t"); !slices.Equal(got, []string{"1", "app"}) {
			t.Errorf("second clone: got %v", got)
		}
		if l.base.Unsealed() != nil {
			t.Error("a sealed baseline can still be written to")
		}
		if _, err := try(t, started(t, l.base.Database()).AdminDSN(), "INSERT INTO app.t VALUES (3)"); err == nil {
			t.Error("the sealed baseline was written to")
		}
		// Up to four servers run at once, also on a small runner.
		if got := ask(t, l.base.Database().AdminDSN(), "SELECT @@GLOBAL.innodb_buffer_pool_size >> 20"); !slices.Equal(got, []string{"128"}) {
			t.Errorf("a baseline that is only read has a buffer pool of %v MiB", got)
		}
		if err := l.base.Clone(ctx, one.Instance()); err == nil {
			t.Error("a clone replaced another one")
		}
		if got := ask(t, one.OwnerDSN(), "SELECT COUNT(*) FROM t"); !slices.Equal(got, []string{"2"}) {
			t.Errorf("first clone, after a second was refused: got %v", got)
		}
		for _, name := range []string{one.Instance(), "never-was"} {
			if err := l.server.Drop(ctx, name); err != nil {
				t.Error(err)
			}
		}
		if err := l.server.Drop(ctx, snapshot.FirstInstance); err == nil {
			t.Error("the baseline was dropped as if it were a clone")
		}
	}, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
}

// Reading a sealed baseline, comparing with it and cloning it writes to none of
// its files.
func TestBaselineStaysUnwritten(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, l *lab) {
		dir := l.dataDir(t)
		before := hashes(t, dir)
		if len(before) < 5 {
			t.Fatalf("found only %v in %s", slices.Sorted(maps.Keys(before)), dir)
		}
		d := l.clone(t)
		if _, err := l.base.Database().Catalog(ctx); err != nil {
			t.Fatal(err)
		}
		run(t, d.OwnerDSN(), "UPDATE t SET a = a + 1")
		if _, _, err := mysql.Compare(ctx, l.base.Database(), d, mysql.CompareOptions{}); err != nil {
			t.Fatal(err)
		}
		l.clone(t)
		// Those who read keep no clone from being made, and are not cut off.
		done := make(chan error)
		for range 4 {
			go func() {
				_, err := l.base.Database().Schema(ctx)
				done <- err
			}()
		}
		l.clone(t)
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(before, hashes(t, dir)); diff != "" {
			t.Errorf("the baseline's files changed (-before +after):\n%s", diff)
		}
	}, "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, a int, KEY (a))", "INSERT INTO t (a) VALUES (1), (2), (3)",
		"UPDATE t SET a = a + 1", "DELETE FROM t WHERE id = 1", "CREATE VIEW v AS SELECT * FROM t")
}

// dataDir is where the baseline lies, on this machine.
func (l *lab) dataDir(t *testing.T) string {
	t.Helper()
	return ask(t, started(t, l.base.Database()).AdminDSN(), "SELECT @@datadir")[0]
}

// hashes of the files that hold tables, rows and their history. MariaDB notes
// in Aria's log that it was up; no table of ours is in there.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		for _, p := range []string{".ibd", ".frm", "ibdata", "undo", "ib_logfile", "#ib_redo", ".opt", ".TRG", ".MAD", ".MAI"} {
			if strings.Contains(name, p) {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				sum := sha256.Sum256(data)
				m[name] = hex.EncodeToString(sum[:8])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A later process attaches to what an earlier one made: the baseline, sealed
// or not, and the clones, with the same password for the migrating account.
func TestOpenAttachesAgain(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(t *testing.T, l *lab) {
		kept := l.clone(t)
		run(t, kept.OwnerDSN(), "INSERT INTO t VALUES (2)")
		for _, stopped := range []bool{false, true} {
			if stopped {
				if err := l.target.Instances.Stop(ctx, kept.Instance()); err != nil {
					t.Fatal(err)
				}
			}
			later, err := mysql.Connect(ctx, l.target)
			if err != nil {
				t.Fatal(err)
			}
			b, err := later.Open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if b.Unsealed() != nil {
				t.Error("attached to a sealed baseline as if it were not")
			}
			if b.Name() != "app" {
				t.Errorf("the database is called %q", b.Name())
			}
			if got := ask(t, started(t, later.Database(kept.Instance())).OwnerDSN(), "SELECT COUNT(*) FROM t"); !slices.Equal(got, []string{"2"}) {
				t.Errorf("a clone of before has %v rows (stopped: %v)", got, stopped)
			}
			name := fmt.Sprintf("later-%v", stopped)
			if err := b.Clone(ctx, name); err != nil {
				t.Fatal(err)
			}
			run(t, later.Database(name).OwnerDSN(), "INSERT INTO t VALUES (2)")
		}
	}, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)")
}

func TestOpenBeforeSealing(t *testing.T) {
	ctx := context.Background()
	for _, flavour := range flavours(t) {
		t.Run(flavour, func(t *testing.T) {
			s, target := own(t, flavour)
			if _, err := s.Open(ctx); err == nil {
				t.Error("attached to a baseline that is not there")
			}
			b, err := s.Empty(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Clone(ctx, "early"); err == nil {
				t.Error("cloned a baseline that is not sealed")
			}
			run(t, b.Unsealed().OwnerDSN(), "CREATE TABLE t (id int)")
			later, err := mysql.Connect(ctx, target)
			if err != nil {
				t.Fatal(err)
			}
			again, err := later.Open(ctx)
			if err != nil || again.Unsealed() == nil {
				t.Fatalf("attached to an unsealed baseline as if it were sealed (error %v)", err)
			}
			run(t, again.Unsealed().OwnerDSN(), "INSERT INTO t VALUES (1)")
			if err := again.Seal(ctx); err != nil {
				t.Fatal(err)
			}
			if err := again.Seal(ctx); err != nil {
				t.Errorf("sealing once more: %v", err)
			}
			if err := again.Clone(ctx, "candidate"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// An empty clone has everything but rows.
func TestCloneEmpty(t *testing.T) {
	ctx := context.Background()
	onGuestsToo(t, func(t *testing.T, l *lab) {
		began := time.Now()
		if err := l.base.CloneEmpty(ctx, "probe"); err != nil {
			t.Fatal(err)
		}
		t.Logf("made an empty clone in %v", time.Since(began).Round(time.Millisecond))
		d := l.server.Database("probe")
		if got := ask(t, d.OwnerDSN(), "SELECT (SELECT COUNT(*) FROM parent), (SELECT COUNT(*) FROM child), (SELECT COUNT(*) FROM parts)"); !slices.Equal(got, []string{"0", "0", "0"}) {
			t.Errorf("rows left: %v", got)
		}
		before, err := l.base.Database().Schema(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if left := describe(t, before, d); left != nil {
			t.Errorf("the empty clone differs: %q", left)
		}
		if _, err := try(t, d.OwnerDSN(), "INSERT INTO child VALUES (1, 1)"); err == nil {
			t.Error("the foreign key is gone")
		}
	}, "CREATE TABLE parent (id int PRIMARY KEY)", "CREATE TABLE child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES parent (id))",
		"INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1, 1)",
		"CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3", "INSERT INTO parts VALUES (1), (2), (3)",
		"CREATE TRIGGER tr BEFORE INSERT ON parent FOR EACH ROW SET NEW.id = NEW.id + 1",
		"CREATE PROCEDURE pr() SELECT 1", "CREATE VIEW v AS SELECT * FROM child")
}
