package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
	"github.com/migration-gate/migration-gate/snapshot/local"
	running "github.com/migration-gate/migration-gate/snapshot/server"
)

// cleanupTime is how long a run may take to remove what it made, after it
// ended or was interrupted.
const cleanupTime = 30 * time.Second

// provision picks a provisioner and starts a server. The detail of the target
// says which was picked and, where others were asked first, why not those.
func (a *app) provision(ctx context.Context, f fleet, kind string, spec snapshot.Spec) (*snapshot.Target, error) {
	// Why not the others: those that were not tried, those that did not come up,
	// and both in the report's few words.
	var refused, broken, passed, looked []string
	remedy := "install " + gate.Engine{Name: spec.Engine}.Product() + "'s server, start a Docker engine, or give --target and --server-version"
	var failed []error
	try := func(p snapshot.Provisioner, offer snapshot.Offer) (*snapshot.Target, error) {
		t, err := a.start(ctx, p, spec, offer, passed)
		if err == nil || ctx.Err() != nil || kind != "auto" {
			return t, err
		}
		// An image that does not arrive, a download without a network: what is
		// next may do without. The report tells that it was asked first.
		a.log.Warn("look for another server", "error", err)
		why := p.Kind() + ": " + clause(offer.Detail) + " did not come up"
		broken, passed, failed = append(broken, why), append(passed, why), append(failed, err)
		return nil, nil
	}
	var fallback snapshot.Provisioner
	var second snapshot.Offer
	for _, p := range f.of(kind) {
		offer := p.Offer(ctx, spec)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a.log.Debug("offer", "target", p.Kind(), "ok", offer.OK, "version", offer.Version, "exact", offer.Exact, "detail", offer.Detail)
		switch {
		case !offer.OK && len(offer.Lacks) > 0:
			return nil, &lackingError{offer.Lacks}
		case offer.OK && offer.Exact:
			if t, err := try(p, offer); t != nil || err != nil {
				return t, err
			}
			continue
		case offer.OK && fallback == nil:
			fallback, second = p, offer
		}
		refused = append(refused, p.Kind()+": "+offer.Detail)
		brief := clause(offer.Detail)
		passed = append(passed, p.Kind()+": "+brief)
		if brief != offer.Detail && kind == "auto" {
			a.log.Info("look for another server", "target", p.Kind(), "because", offer.Detail)
		}
		if offer.Looked != "" {
			looked = append(looked, "; looked in "+offer.Looked)
		}
		remedy = instead(kind, offer, remedy)
	}
	if fallback != nil {
		passed = broken // the offer's own detail says what was wanted
		if t, err := try(fallback, second); t != nil || err != nil {
			return t, err
		}
	}
	if len(failed) > 0 {
		err := errors.Join(failed...)
		if len(refused) > 0 {
			err = fmt.Errorf("%w (%s)", err, strings.Join(refused, "; "))
		}
		return nil, err
	}
	none := "no server can be started: " + strings.Join(refused, "; ") + strings.Join(looked, "")
	if kind == "server" {
		none = "no server can be used: " + strings.TrimPrefix(strings.Join(refused, ""), kind+": ")
	}
	return nil, &usageError{none, remedy}
}

// instead is what to do where an offer was none; before is what the offers
// before it came to.
func instead(kind string, offer snapshot.Offer, before string) string {
	switch {
	case kind == "container":
		return "start a Docker engine, or give another --image or --target"
	case kind == "server":
		return cmp.Or(offer.Help, "check --database-url, and that the server is up")
	case kind == "local" && offer.Help == "":
		return "install that server, or give --target auto, which tries containers and fetched binaries too"
	case offer.Help != "":
		return "start a Docker engine, or install " + offer.Help
	}
	return before
}

// clause is the beginning of a reason, without what it goes back to: the
// engine's, the registry's and the network's words are for the log.
func clause(detail string) string {
	const most = 100
	detail, _, _ = strings.Cut(strings.TrimSpace(detail), ": ")
	detail, _, _ = strings.Cut(detail, ", to be ")
	if r := []rune(detail); len(r) > most {
		detail = string(r[:most-1]) + "…"
	}
	return detail + strings.Repeat(")", max(0, strings.Count(detail, "(")-strings.Count(detail, ")")))
}

func (a *app) start(ctx context.Context, p snapshot.Provisioner, spec snapshot.Spec, offer snapshot.Offer, others []string) (*snapshot.Target, error) {
	t, err := p.Provision(ctx, spec, offer)
	if err != nil {
		return nil, fmt.Errorf("start a server (%s): %w", p.Kind(), err)
	}
	if t.Detail == "" {
		t.Detail = offer.Detail
	}
	if len(others) > 0 {
		t.Detail += " (not " + strings.Join(others, "; not ") + ")"
	}
	return t, nil
}

// maker finds the provisioner that made a handle.
func (f fleet) maker(h snapshot.Handle) (snapshot.Provisioner, error) {
	for _, p := range f.of(h.Kind) {
		return p, nil
	}
	return nil, fmt.Errorf("find the target's provisioner: kind %q is unknown", h.Kind)
}

// reap removes what earlier runs left behind. That it cannot is told and no
// reason to stop: the leftovers are not this run's.
func (a *app) reap(ctx context.Context, f fleet) {
	for _, p := range f {
		removed, err := p.Reap(ctx)
		for _, r := range removed {
			a.log.Info("removed what an earlier run left behind", "target", r)
		}
		if err != nil && ctx.Err() == nil {
			a.log.Warn("look for what earlier runs left behind", "target", p.Kind(), "error", err)
		}
	}
}

// closing runs a cleanup on a context of its own, also when ctx is done, and
// joins its error to the run's.
func closing(ctx context.Context, err *error, what string, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if e := f(ctx); e != nil {
		*err = errors.Join(*err, &cleanupError{what, e})
	}
}

// fleet holds every provisioner: that of a server which must be named and then,
// in the order in which --target auto tries them, the image of production's
// version, what is on this machine, and what can be fetched.
type fleet []snapshot.Provisioner

// kindOf is what --target means: with a server's URL, auto is that server, and
// with an image's name a container of it.
func kindOf(s config.Server) string {
	switch {
	case s.Target == "auto" && s.DatabaseURL != "":
		return "server"
	case s.Target == "auto" && s.Image != "":
		return "container"
	}
	return s.Target
}

// fleet makes the provisioners; making them starts and looks for nothing.
func (a *app) fleet(s config.Server, workDir string) fleet {
	here := local.Options{Path: a.vars.Get("PATH")}
	if workDir != "" {
		here.Scratch = a.path(workDir)
	}
	cache := s.EmbeddedCache
	if cache == "" {
		cache = local.CacheDir(a.userCache())
	}
	here.Templates = filepath.Join(cache, "initialised")
	note := func(msg string) { a.log.Info(msg) }
	return fleet{
		running.New(running.Options{
			URL: s.DatabaseURL, Allow: s.AllowServer, Deny: s.DenyServer, CI: a.ci.Provider != ci.None && !a.ci.Act,
			Path: a.vars.Get("PATH"), Log: note,
		}),
		container.New(container.Options{LookupEnv: a.lookupEnv, Log: note}),
		local.New(here),
		local.NewEmbedded(local.EmbeddedOptions{Options: here, URL: s.EmbeddedURL, Cache: cache, SHA256: s.EmbeddedSHA256, Log: note}),
	}
}

// of picks those that --target asks for: a server that was named is the only
// one that auto tries, and else none of its.
func (f fleet) of(kind string) fleet {
	if kind == "auto" {
		return f[1:]
	}
	for _, p := range f {
		if p.Kind() == kind {
			return fleet{p}
		}
	}
	return nil
}

// userCache is the user's own cache directory, by the XDG convention.
func (a *app) userCache() string {
	if dir := a.vars.Get("XDG_CACHE_HOME"); dir != "" {
		return dir
	}
	if home := a.vars.Get("HOME"); home != "" {
		return filepath.Join(home, ".cache")
	}
	return ""
}
