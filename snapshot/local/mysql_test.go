package local_test

import (
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMySQL(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			root := scratch(t)
			opt := snapshottest.MySQLOptions()
			opt.Scratch = root
			p := local.New(opt)
			spec := snapshottest.MySQLSpec(flavour)
			offer := p.Offer(t.Context(), spec)
			snapshottest.Need(t, flavour, offer)
			spec.Version = snapshot.Series(spec.Engine, offer.Version)
			snapshottest.Exercise(t, p, spec, leftovers(t, root))
		})
	}
}
