package command

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
)

// offering is a provisioner of which only the answers matter.
type offering struct {
	snapshot.Provisioner
	kind  string
	offer snapshot.Offer
	fails error
}

func (o offering) Kind() string                                        { return o.kind }
func (o offering) Offer(context.Context, snapshot.Spec) snapshot.Offer { return o.offer }
func (o offering) Provision(context.Context, snapshot.Spec, snapshot.Offer) (*snapshot.Target, error) {
	return &snapshot.Target{Kind: o.kind}, o.fails
}

// The report says in a few words why a server is not of the kind that was asked
// first; what the network had to say about it is in the log.
func TestReportSaysBrieflyWhyAnotherServerWasTaken(t *testing.T) {
	const (
		registry = `image postgres:17 is not present and cannot be pulled: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host`
		maven    = `fetch PostgreSQL 17.2.0: Get "https://repo1.maven.org/maven2/x.jar": tls: failed to verify certificate`
		other    = "server binaries 16.4 in /usr/lib/postgresql/16/bin (PostgreSQL 17 was wanted and is not installed: locks may differ)"
	)
	server := offering{kind: "server"}
	local := func(exact bool, detail string) offering {
		return offering{kind: "local", offer: snapshot.Offer{OK: true, Exact: exact, Detail: detail}}
	}
	unpulled := offering{kind: "container", offer: snapshot.Offer{Detail: registry}}
	fetched := offering{kind: "embedded", offer: snapshot.Offer{OK: true, Exact: true, Detail: "prebuilt server binaries 17.2.0, to be downloaded once"}, fails: errors.New(maven)}
	for _, c := range []struct {
		f       fleet
		detail  string
		logged  []string
		refused string
	}{
		{
			f:      fleet{server, unpulled, local(true, "server binaries 17.1 in /opt/pg")},
			detail: "server binaries 17.1 in /opt/pg (not container: image postgres:17 is not present and cannot be pulled)",
			logged: []string{"no such host"},
		}, {
			f:      fleet{server, local(false, other), fetched},
			detail: other + " (not embedded: prebuilt server binaries 17.2.0 did not come up)",
			logged: []string{"failed to verify certificate"},
		}, {
			f:       fleet{server, unpulled},
			refused: registry,
		},
	} {
		var detail string
		_, stderr := try(t, t.Context(), func(ctx context.Context, a *app) (gate.Verdict, error) {
			target, err := a.provision(ctx, c.f, "auto", snapshot.Spec{Engine: "postgres"})
			if err != nil {
				return gate.Error, err
			}
			detail = target.Detail
			return gate.Pass, nil
		})
		if detail != c.detail {
			t.Errorf("the report says %q, want %q", detail, c.detail)
		}
		for _, want := range append(c.logged, c.refused) {
			if !strings.Contains(stderr, want) {
				t.Errorf("the log lacks %q:\n%s", want, stderr)
			}
		}
	}
}
