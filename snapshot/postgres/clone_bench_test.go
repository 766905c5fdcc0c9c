package postgres_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// BenchmarkClone tells what a clone of a baseline of 1 GB (MG_BENCH_MB) costs,
// against a bare copy of the same files, and how much of it are the server's
// checkpoints. TMPDIR says on which file system.
func BenchmarkClone(b *testing.B) {
	mib := number(b, "MG_BENCH_MB", 1024)
	for _, major := range snapshottest.Majors(b) {
		b.Run(major, func(b *testing.B) {
			ctx := context.Background()
			target := provision(b, major, postgres.Settings())
			defer target.Close(ctx)
			s, err := postgres.Connect(ctx, target)
			if err != nil {
				b.Fatal(err)
			}
			base, err := s.Empty(ctx, "base", nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := query(ctx, base.Unsealed().AdminDSN(), `CREATE TABLE rows AS SELECT i, repeat(md5(i::text), 28) AS text FROM generate_series(1, `+strconv.Itoa(mib*1100)+`) i`); err != nil {
				b.Fatal(err)
			}
			if err := base.Seal(ctx); err != nil {
				b.Fatal(err)
			}
			home := s.Home().AdminDSN()
			oid, err := query(ctx, home, "SELECT oid, pg_database_size(oid) >> 20 FROM pg_database WHERE datname = 'base'")
			if err != nil {
				b.Fatal(err)
			}
			lap := func(what string, do func() error) float64 {
				b.Helper()
				began := time.Now()
				if err := do(); err != nil {
					b.Fatalf("%s: %v", what, err)
				}
				return time.Since(began).Seconds()
			}
			clone := func() error { _, err := base.Clone(ctx, "candidate"); return err }
			dir := filepath.Join(target.Handle.ID, "data", "base", oid[0][0])
			first := lap("clone", clone)
			var clones, copies, links, checkpoints []float64
			for range number(b, "MG_BENCH_ROUNDS", 5) {
				if err := s.Drop(ctx, "candidate"); err != nil {
					b.Fatal(err)
				}
				clones = append(clones, lap("clone", clone))
				for how, list := range map[string]*[]float64{"never": &copies, "auto": &links} {
					*list = append(*list, lap("cp", func() error { return exec.Command("cp", "-a", "--reflink="+how, dir, dir+".copy").Run() }))
					if err := os.RemoveAll(dir + ".copy"); err != nil {
						b.Fatal(err)
					}
				}
				checkpoints = append(checkpoints, lap("checkpoint", func() error { _, err := query(ctx, home, "CHECKPOINT"); return err }))
			}
			fmt.Printf("\nPostgreSQL %s, %s MB: the first clone %.2f s; later ones %.2f s; cp %.2f s, cp --reflink=auto %.2f s; a checkpoint with nothing to write %.3f s\n",
				major, oid[0][1], first, median(clones), median(copies), median(links), median(checkpoints))
		})
	}
}
