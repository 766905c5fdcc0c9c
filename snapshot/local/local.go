// Package local runs throw-away servers of PostgreSQL, MySQL and MariaDB from
// server binaries: ones found on this machine ("local"), or, for PostgreSQL,
// downloaded once and cached ("embedded").
//
// Each server has a private directory under a scratch root, listens on the
// loopback interface alone, and is started as an unprivileged user also where
// this process is root. What a killed run left behind is found again by the
// owner file in that directory and removed by Reap; a process is only ever
// ended after it was seen to be the server of that very directory.
//
// It holds no SQL and no driver: whoever connects decides what the server is
// for. It reads no environment: paths and directories come in through Options.
package local

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Options are what the provisioners of this package need to know of the
// machine. The zero value works, with what is in the usual places.
type Options struct {
	// Scratch is the directory below which the private root
	// "migration-gate-UID" is made; "" means os.TempDir.
	Scratch string
	// Path is the list of directories to look in first, as $PATH spells it.
	Path string
	// Bins are more directories of server binaries, looked at before all
	// others.
	Bins []string
	// Templates is a directory of this user's alone that keeps freshly
	// initialised data directories between runs, which saves a start two seconds
	// of MySQL and MariaDB (about 75 MB for each version and set of settings)
	// and a quarter of one of PostgreSQL (39 MB); "" for none.
	Templates string
	// StartTimeout bounds initialisation and the first start together, and each
	// later start of an instance; 0 means a minute.
	StartTimeout time.Duration
}

// Provisioner starts servers from binaries that are on this machine.
type Provisioner struct{ machine }

var _ snapshot.Provisioner = (*Provisioner)(nil)

// New returns the provisioner of kind "local".
func New(opt Options) *Provisioner { return &Provisioner{machine{opt: opt, kind: "local"}} }

// Offer finds the newest binaries of the series wanted, else those of the next
// newer one, and says so.
func (p *Provisioner) Offer(ctx context.Context, spec snapshot.Spec) snapshot.Offer {
	offer := snapshot.Offer{Kind: p.kind}
	product, err := productOf(spec.Engine)
	if err != nil {
		offer.Detail = err.Error()
		return offer
	}
	if detail := p.unfit(product); detail != "" {
		offer.Detail = detail
		return offer
	}
	found, looked, broken := p.find(ctx, product, product.programs...)
	if len(found) == 0 {
		offer.Detail = fmt.Sprintf("no %s server binaries (%s) on this machine", product.name, strings.Join(product.programs[0], ", "))
		if len(broken) > 0 {
			offer.Detail = "what there is does not start: " + strings.Join(broken, ", ")
		}
		offer.Looked, offer.Help = strings.Join(looked, ", "), product.wanted
		return offer
	}
	best, exact := choose(product.engine, found, spec.Version)
	if best == nil {
		offer.Detail = fmt.Sprintf("wanted %s %s or newer, found only %s", product.name, spec.Version, list(found))
		return offer
	}
	offer.OK, offer.Exact = true, exact
	offer.Version, offer.Place = best.version, best.dir
	offer.Detail = fmt.Sprintf("server binaries %s in %s", best.version, best.dir)
	if !exact {
		offer.Detail += fmt.Sprintf(" (%s %s was wanted and is not installed: locks, rewrites and syntax may differ)", product.name, spec.Version)
	}
	offer.Detail += product.lacks(best.dir)
	return offer
}

// Provision makes a data directory, starts the server and waits until it
// accepts connections.
func (p *Provisioner) Provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (*snapshot.Target, error) {
	return p.provision(ctx, spec, offer)
}

// machine is what both kinds share: everything but where the binaries come
// from.
type machine struct {
	opt  Options
	kind string
}

// Kind as --target spells it.
func (m *machine) Kind() string { return m.kind }
