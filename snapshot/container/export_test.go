package container

import (
	"context"
	"net/netip"

	"github.com/moby/moby/client"
)

// Routed makes a provisioner that tries these ways only: published on
// 127.0.0.1 of the engine's host and dialled at each of the hosts in turn.
func Routed(opt Options, hosts ...string) *Provisioner {
	p := New(opt)
	p.routes = func(context.Context, *client.Client) []route {
		var rs []route
		for _, h := range hosts {
			rs = append(rs, route{publish: netip.MustParseAddr("127.0.0.1"), host: h, why: "published"})
		}
		return rs
	}
	return p
}

// SelfID is what the kernel's mount table says of this process's container.
var SelfID = selfID

// The questions of readiness.
var (
	ProbePostgres = probePostgres
	ProbeMySQL    = probeMySQL
)

// DefaultImage is what is started where the user names no image.
func DefaultImage(engine, version string) string {
	pr, err := productOf(engine)
	if err != nil {
		return err.Error()
	}
	return pr.image(version)
}
