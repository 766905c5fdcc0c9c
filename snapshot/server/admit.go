package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// connectTime is how long one address may take to answer.
const connectTime = 10 * time.Second

// A refusal is a server that answers and must not be used.
type refusal struct {
	at address
	// denied is the pattern of --deny-server, else signs say why.
	denied string
	signs  []string
}

func (e *refusal) Error() string {
	if e.denied != "" {
		return fmt.Sprintf("the server %s is not to be used: --deny-server %s", e.at, e.denied)
	}
	return fmt.Sprintf("the server %s looks like production: it %s", e.at, strings.Join(e.signs, "; it "))
}

// remedy is the way out of an error, or "".
func remedy(err error) string {
	var r *refusal
	var m *misread
	var n *nowhere
	switch {
	case errors.As(err, &m):
		return m.remedy
	case errors.As(err, &n):
		return "publish the service's port and give it in --database-url, or give the host"
	case !errors.As(err, &r):
		return ""
	case r.denied != "":
		return "name a scratch server with --database-url"
	}
	return "name a scratch server with --database-url, or, where it is one, say so with --allow-server " + r.at.String()
}

// Offer looks at the server: whether it answers, whether it is one to be used,
// and what the account may do there.
func (p *Provisioner) Offer(ctx context.Context, spec snapshot.Spec) snapshot.Offer {
	o := snapshot.Offer{Kind: p.Kind()}
	acc, at, l, err := p.admit(ctx, spec.Engine, "")
	if err != nil {
		o.Detail, o.Help = err.Error(), remedy(err)
		var m *misread
		if errors.As(err, &m) {
			o.Detail = m.what
		}
		return o
	}
	acc.close()
	o.Version, o.Place = l.Version, at.String()
	o.Exact = spec.Version == "" || snapshot.Series(l.Engine, l.Version) == snapshot.Series(l.Engine, spec.Version)
	if l.Unable != nil {
		o.Detail = fmt.Sprintf("the server %s: %s", at, l.Unable.Why)
		o.Help, o.Lacks = l.Unable.Remedy, []snapshot.Lack{*l.Unable}
		return o
	}
	o.OK, o.Lacks = true, l.Lacks
	o.Detail = fmt.Sprintf("the running server %s", at)
	if !o.Exact {
		o.Detail += fmt.Sprintf(" (it is %s, and %s was wanted: locks, rewrites and syntax may differ)", l.Version, spec.Version)
	}
	return o
}

// admit connects to the server and looks at it, and lets nothing pass that must
// not be used. place, of an earlier offer, says which address it was.
func (p *Provisioner) admit(ctx context.Context, engine, place string) (account, address, looked, error) {
	all, err := parse(p.opt.URL)
	if err != nil {
		return nil, address{}, looked{}, err
	}
	if at := all[0]; engine != "" && (engine == snapshot.Postgres) != (at.engine == snapshot.Postgres) {
		return nil, at, looked{}, fmt.Errorf("--database-url leads to a server of %s, and one of %s is wanted", at.engine, engine)
	}
	if place != "" {
		all = slices.DeleteFunc(all, func(a address) bool { return a.String() != place })
	}
	acc, at, err := p.reach(ctx, all)
	if err != nil {
		return nil, at, looked{}, err
	}
	l, err := p.look(ctx, acc, at)
	if err == nil {
		err = p.judge(at, l)
	}
	if err == nil && engine != "" && l.Engine != engine {
		err = fmt.Errorf("the server %s is one of %s, and one of %s is wanted; give --engine %s", at, l.Engine, engine, l.Engine)
	}
	if err != nil {
		acc.close()
		return nil, at, looked{}, err
	}
	return acc, at, l, nil
}

// fresh is how long a look holds: to reap, to offer and to provision are one
// start, and to watch for traffic takes a moment.
const fresh = 30 * time.Second

// sight is what was seen at an address, and when.
type sight struct {
	looked
	at time.Time
}

func (p *Provisioner) look(ctx context.Context, acc account, at address) (looked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seen, ok := p.seen[at]; ok && time.Since(seen.at) < fresh {
		return seen.looked, nil
	}
	l, err := acc.look(ctx)
	if err == nil {
		p.seen[at] = sight{l, time.Now()}
	}
	return l, err
}

// back connects to the server of a handle, which was admitted before. What is
// denied meanwhile stays denied.
func (p *Provisioner) back(ctx context.Context, h snapshot.Handle) (account, address, error) {
	if h.Kind != p.Kind() || !ourPrefix.MatchString(h.Prefix) {
		return nil, address{}, fmt.Errorf("%q is no target on a server that somebody else runs", h.ID)
	}
	at := addressOf(h)
	acc, _, err := p.reach(ctx, []address{at})
	return acc, at, err
}

// reach connects to the first address that answers. One that answers and lets
// nobody in ends the search: the next would be somebody else's server.
func (p *Provisioner) reach(ctx context.Context, all []address) (account, address, error) {
	var tried []string
	var last error
	for _, at := range all {
		if pattern := p.denied(at.String()); pattern != "" {
			return nil, at, &refusal{at: at, denied: pattern}
		}
		pr, err := productOf(at.engine)
		if err != nil {
			return nil, at, err
		}
		one, cancel := context.WithTimeout(ctx, connectTime)
		acc, err := pr.open(one, at)
		cancel()
		if err == nil {
			if pattern := p.denied(acc.remote()); pattern != "" {
				acc.close()
				return nil, at, &refusal{at: at, denied: pattern}
			}
			return acc, at, nil
		}
		if ctx.Err() != nil {
			return nil, at, ctx.Err()
		}
		last = fmt.Errorf("connect to %s: %w", at, err)
		var away *unreachable
		if !errors.As(err, &away) {
			return nil, at, last
		}
		tried = append(tried, at.String())
	}
	if len(tried) > 1 {
		last = &nowhere{tried, last}
	}
	return nil, all[len(all)-1], last
}

// nowhere is where the host auto has led.
type nowhere struct {
	tried []string
	last  error
}

func (e *nowhere) Error() string {
	return fmt.Sprintf("no server answers at any of %s, which the host auto stands for: %s", strings.Join(e.tried, ", "), e.last)
}

func (e *nowhere) Unwrap() error { return e.last }

// unreachable is an address at which no server answers: no such name, nobody
// listening, no answer in time.
type unreachable struct{ error }

func (e *unreachable) Unwrap() error { return e.error }
