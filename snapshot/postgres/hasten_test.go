package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestALargeRestoreRestartsTheServer: it runs under settings of its own, and
// whatever becomes of it, nothing is measured under them.
func TestALargeRestoreRestartsTheServer(t *testing.T) {
	ctx := context.Background()
	_, dsn := original(t, keyed)
	good := dump(t, dsn, "", "--format=custom")
	mustQuery(t, dsn, `SET session_replication_role = replica; INSERT INTO part VALUES (4500, 9999)`)
	bad := dump(t, dsn, "", "--format=custom")
	for _, major := range snapshottest.Majors(t) {
		if n, _ := strconv.Atoi(major); n < 15 {
			continue // older than the dump
		}
		t.Run(major, func(t *testing.T) {
			target := snapshottest.ServerAlone(t, major, nil)
			if target.Restart == nil {
				t.Fatal("cannot be restarted")
			}
			s, err := postgres.Connect(ctx, target)
			if err != nil {
				t.Fatal(err)
			}
			admin := s.Home().AdminDSN()
			const settings = "SELECT current_setting('wal_level'), current_setting('max_wal_senders'), current_setting('shared_buffers'), pg_postmaster_start_time()"
			before := mustQuery(t, admin, settings)[0]
			restore := func(path, name string) (base *postgres.Baseline, stages []string, err error) {
				src := open(t, path)
				src.Unpacked = 256 << 20 // as if it were large
				base, _, err = s.Restore(ctx, src, name, postgres.RestoreOptions{Stage: func(name string) func() {
					stages = append(stages, name)
					if name == "rows" {
						if now := mustQuery(t, admin, "SHOW wal_level")[0][0]; now != "minimal" {
							t.Errorf("rows are restored under wal_level=%s", now)
						}
					}
					return func() {}
				}})
				now := mustQuery(t, admin, settings)[0]
				if !slices.Equal(now[:3], before[:3]) {
					t.Errorf("the server is left with %v, it was started with %v", now, before)
				}
				return base, stages, err
			}

			if _, _, err := s.Restore(ctx, open(t, good), "small", postgres.RestoreOptions{}); err != nil {
				t.Fatal(err)
			}
			if now := mustQuery(t, admin, settings)[0]; now[3] != before[3] {
				t.Error("the server was restarted for a small dump")
			}

			base, stages, err := restore(good, "base")
			if err != nil {
				t.Fatal(err)
			}
			if stages[0] != "restarts" || stages[len(stages)-1] != "restarts" {
				t.Errorf("stages %q", stages)
			}
			if now := mustQuery(t, admin, settings)[0]; now[3] == before[3] {
				t.Error("the server was not restarted")
			}
			if err := base.Seal(ctx); err != nil {
				t.Fatal(err)
			}
			clone, err := base.Clone(ctx, "candidate")
			if err != nil {
				t.Fatal(err)
			}
			// What the walk measures of a rewrite: under "minimal" it logs next to nothing.
			wal := mustQuery(t, clone.AdminDSN(), `CREATE TEMP TABLE began AS SELECT pg_current_wal_insert_lsn() AS at; CREATE TABLE again AS SELECT * FROM large;
				SELECT pg_current_wal_insert_lsn() - at > 100000 FROM began`)[0][0]
			if wal != "t" {
				t.Error("a table made after the restore is not logged")
			}

			if _, _, err := restore(bad, "second"); err == nil || !strings.Contains(err.Error(), "part_parent_fkey") {
				t.Errorf("a key that does not hold: %v", err)
			}
			if left := mustQuery(t, admin, "SELECT FROM pg_database WHERE datname = 'second'"); len(left) > 0 {
				t.Error("a restore that failed left its database")
			}
			if got := mustQuery(t, clone.AdminDSN(), "SELECT count(*) FROM part")[0][0]; got != "4000" {
				t.Errorf("an earlier clone has %s rows", got)
			}

			real := target.Restart
			target.Restart = func(ctx context.Context, settings map[string]string) error {
				if settings == nil {
					return errors.New("no way back")
				}
				return real(ctx, settings)
			}
			src := open(t, good)
			src.Unpacked = 256 << 20
			if _, _, err := s.Restore(ctx, src, "third", postgres.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "go back to the settings of a measurement: no way back") {
				t.Errorf("a server that stays as it is for restores: %v", err)
			}

			target.Restart = real
			cancelled, cancel := context.WithCancel(ctx)
			defer cancel()
			_, _, err = s.Restore(cancelled, src, "fourth", postgres.RestoreOptions{Stage: func(name string) func() {
				if name == "rows" {
					cancel()
				}
				return func() {}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled, it says %v", err)
			}
			if now := mustQuery(t, admin, settings)[0]; !slices.Equal(now[:3], before[:3]) {
				t.Errorf("cancelled, the server is left with %v", now)
			}
		})
	}
}
