// Package local runs throw-away PostgreSQL servers from server binaries: ones
// found on this machine ("local"), or downloaded once and cached ("embedded").
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
	// StartTimeout bounds initdb and the server's start together; 0 means a
	// minute. A restored data directory is not involved: the server is empty.
	StartTimeout time.Duration
}

// Provisioner starts servers from binaries that are on this machine.
type Provisioner struct{ machine }

var _ snapshot.Provisioner = (*Provisioner)(nil)

// New returns the provisioner of kind "local".
func New(opt Options) *Provisioner { return &Provisioner{machine{opt: opt, kind: "local"}} }

// Offer finds the newest binaries of the major version wanted, else those of
// the next newer one, and says so.
func (p *Provisioner) Offer(ctx context.Context, spec snapshot.Spec) snapshot.Offer {
	offer := snapshot.Offer{Kind: p.kind}
	if detail := p.unfit(); detail != "" {
		offer.Detail = detail
		return offer
	}
	found, looked := p.find(ctx, serverPrograms...)
	if len(found) == 0 {
		offer.Detail = "no PostgreSQL server binaries (postgres, initdb) on this machine"
		offer.Looked = strings.Join(looked, ", ")
		return offer
	}
	best, exact := choose(found, spec.Version)
	if best == nil {
		offer.Detail = fmt.Sprintf("wanted PostgreSQL %s or newer, found only %s", spec.Version, list(found))
		return offer
	}
	offer.OK, offer.Exact = true, exact
	offer.Version, offer.Place = best.version, best.dir
	offer.Detail = fmt.Sprintf("server binaries %s in %s", best.version, best.dir)
	if !exact {
		offer.Detail += fmt.Sprintf(" (PostgreSQL %s was wanted and is not installed: locks, rewrites and syntax may differ)", spec.Version)
	}
	return offer
}

// Provision makes a data directory, starts the server and waits until it
// accepts connections.
func (p *Provisioner) Provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (*snapshot.Target, error) {
	return p.provision(ctx, spec, offer)
}

// serverPrograms are what a directory must hold to start servers from.
var serverPrograms = []string{"postgres", "initdb"}

// machine is what both kinds share: everything but where the binaries come
// from.
type machine struct {
	opt  Options
	kind string
}

// Kind as --target spells it.
func (m *machine) Kind() string { return m.kind }
