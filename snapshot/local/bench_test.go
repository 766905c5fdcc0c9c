package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// BenchmarkMySQL times a server's life, in milliseconds: provisioned with and
// without a template, stopped, its empty data copied, started again.
func BenchmarkMySQL(b *testing.B) {
	for _, flavour := range snapshottest.MySQLFlavours(b) {
		b.Run(flavour, func(b *testing.B) {
			root := b.TempDir()
			lap := func(what string, do func() error) {
				b.Helper()
				begun := time.Now()
				if err := do(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(begun).Milliseconds()), what+"-ms")
			}
			opt := snapshottest.MySQLOptions()
			opt.Templates = ""
			p := local.New(opt)
			spec := snapshottest.MySQLSpec(flavour)
			offer := p.Offer(b.Context(), spec)
			snapshottest.Need(b, flavour, offer)
			spec.Run, spec.Settings = "bench", snapshottest.MySQLSettings(flavour)
			var target *snapshot.Target
			provision := func() (err error) {
				target, err = p.Provision(b.Context(), spec, offer)
				return err
			}
			for b.Loop() {
				lap("provision", provision)
				lap("close", func() error { return target.Close(b.Context()) })
				opt.Templates = filepath.Join(root, "initialised")
				p = local.New(opt)
				lap("keep", provision)
				lap("close", func() error { return target.Close(b.Context()) })
				lap("templated", provision)
				i, base := target.Instances, snapshot.FirstInstance
				lap("stop", func() error { return i.Stop(b.Context(), base) })
				lap("copy", func() error { return i.Copy(b.Context(), base, "copy") })
				lap("start", func() error { _, _, err := i.Start(b.Context(), "copy", nil); return err })
				lap("remove", func() error { return i.Remove(b.Context(), "copy") })
				lap("close", func() error { return target.Close(b.Context()) })
			}
		})
	}
}

// BenchmarkPostgres times a server's start, in milliseconds and in turn, with the
// data directory made anew and copied from a template: medians of 9.
func BenchmarkPostgres(b *testing.B) {
	opt := local.Options{Path: os.Getenv("PATH"), Templates: filepath.Join(b.TempDir(), "initialised")}
	kept := local.New(opt)
	opt.Templates = ""
	anew := local.New(opt)
	spec := snapshot.Spec{Run: "bench", Settings: snapshottest.Settings()}
	offer := kept.Offer(b.Context(), spec)
	if !offer.OK {
		b.Skip(offer.Detail)
	}
	took := map[string][]float64{}
	lap := func(what string, do func() error) {
		b.Helper()
		begun := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		took[what] = append(took[what], float64(time.Since(begun).Microseconds())/1000)
	}
	start := func(what string, p *local.Provisioner) {
		b.Helper()
		var target *snapshot.Target
		lap(what, func() (err error) { target, err = p.Provision(b.Context(), spec, offer); return err })
		lap("close", func() error { return target.Close(b.Context()) })
	}
	start("first", kept)
	for range 9 {
		start("anew", anew)
		start("templated", kept)
	}
	for what, list := range took {
		b.ReportMetric(slices.Sorted(slices.Values(list))[len(list)/2], what+"-ms")
	}
}
