// Package container runs throw-away servers of PostgreSQL, MySQL and MariaDB in
// containers, from the image of production's version.
//
// It owns everything between the engine and a server that answers: is there an
// engine, is the image there or to be had, at which address does the server
// answer from here (the caller may well be in a container itself), and what
// earlier runs left behind. It holds no SQL and no driver.
//
// Servers get no way to the outside where the engine allows it, are reachable
// from this machine alone, and carry labels from which Reap tells orphans from
// servers in use. The administrator's password is in the environment of the
// container, or of a program started in it, and so visible to whoever may talk
// to the engine, which is as good as being root there anyway.
package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Options are what the provisioner needs to know of its surroundings.
type Options struct {
	// LookupEnv answers for TESTCONTAINERS_HOST_OVERRIDE and
	// TESTCONTAINERS_RYUK_DISABLED; nil means that neither is set. The rest
	// (DOCKER_HOST, ~/.testcontainers.properties, contexts, credentials) is
	// read by the libraries themselves.
	LookupEnv func(string) (string, bool)
	// StartTimeout bounds the way from a present image to a server that
	// answers; 0 means two minutes.
	StartTimeout time.Duration
	// PullTimeout bounds fetching an image; 0 means ten minutes.
	PullTimeout time.Duration
	// Log is told of an image being pulled; nil for silence.
	Log func(msg string)
}

// Provisioner starts servers in containers.
type Provisioner struct {
	opt    Options
	ryuk   bool
	routes func(context.Context, *client.Client) []route
}

var _ snapshot.Provisioner = (*Provisioner)(nil)

// New returns the provisioner of kind "container".
//
// testcontainers-go is configured by this process's environment, which it
// reads once. So this sets TESTCONTAINERS_RYUK_DISABLED=true in it, unless the
// user has decided: its reaper would need an image of its own, dies of SIGKILL
// like anything else, and removes what is to be kept. It also turns off the
// library's logging to standard error. Call it before anything else uses that
// library.
func New(opt Options) *Provisioner {
	if opt.LookupEnv == nil {
		opt.LookupEnv = func(string) (string, bool) { return "", false }
	}
	if opt.StartTimeout == 0 {
		opt.StartTimeout = 2 * time.Minute
	}
	if opt.PullTimeout == 0 {
		opt.PullTimeout = 10 * time.Minute
	}
	const disabled = "TESTCONTAINERS_RYUK_DISABLED"
	p := &Provisioner{opt: opt}
	p.routes = p.findRoutes
	if v, ok := opt.LookupEnv(disabled); ok {
		p.ryuk = v != "true" && v != "1"
	} else {
		_ = os.Setenv(disabled, "true") // fails only on a malformed name
	}
	tclog.SetDefault(tclog.NewNoopLogger())
	return p
}

// Kind as --target spells it.
func (p *Provisioner) Kind() string { return "container" }

// Offer asks the engine whether it has the image, and where it has not, the
// registry (through the engine) whether it could be pulled.
func (p *Provisioner) Offer(ctx context.Context, spec snapshot.Spec) snapshot.Offer {
	offer := snapshot.Offer{Kind: p.Kind(), Version: spec.Version}
	pr, err := productOf(spec.Engine)
	if err != nil {
		offer.Detail = err.Error()
		return offer
	}
	if offer.Version == "" {
		offer.Version = pr.newest
	}
	offer.Place = spec.Image
	if offer.Place == "" {
		offer.Place = pr.image(spec.Version)
	}
	cli, err := engine(ctx)
	if err != nil {
		offer.Detail = err.Error()
		return offer
	}
	defer cli.Close()
	img, err := cli.ImageInspect(ctx, offer.Place)
	if err != nil {
		if err := pullable(ctx, cli, offer.Place); err != nil {
			offer.Detail = fmt.Sprintf("image %s is not present and cannot be pulled: %v", offer.Place, err)
			return offer
		}
		offer.OK, offer.Exact = true, true
		offer.Detail = fmt.Sprintf("image %s, to be pulled first", offer.Place)
		return offer
	}
	offer.Detail = "image " + offer.Place
	// Official images and their kin say what they hold.
	if img.Config != nil {
		env := func(name string) string {
			for _, kv := range img.Config.Env {
				if v, ok := strings.CutPrefix(kv, name+"="); ok {
					return v
				}
			}
			return ""
		}
		if other := pr.other(env); other != "" {
			offer.Detail += fmt.Sprintf(" holds %s, not %s", other, pr.name)
			return offer
		}
		if v := pr.version(env, offer.Version); v != "" {
			offer.Version = v
		}
	}
	offer.OK, offer.Exact = true, true
	if spec.Version != "" && !pr.holds(offer.Version, spec.Version) {
		offer.Exact = false
		offer.Detail += fmt.Sprintf(" (holds %s %s, %s was wanted)", pr.name, offer.Version, spec.Version)
	}
	return offer
}

// engine connects to the engine that testcontainers-go finds: DOCKER_HOST, the
// docker context, the usual sockets.
func engine(ctx context.Context) (cli *client.Client, err error) {
	// The library panics on some half-configured machines.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no container engine answers: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		if strings.Contains(err.Error(), "rootless Docker not found") { // only the last place it looked in
			return nil, errors.New("no container engine answers on DOCKER_HOST, in the docker context or on the usual sockets")
		}
		return nil, fmt.Errorf("no container engine answers: %w", err)
	}
	// The library remembers that an engine answered once: ask this one, now.
	if _, err := c.Client.Ping(ctx, client.PingOptions{}); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("no container engine answers on %s: %w", c.DaemonHost(), err)
	}
	return c.Client, nil
}

// pullable asks the registry for the image's manifest, which downloads
// nothing.
func pullable(ctx context.Context, cli *client.Client, image string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var opt client.DistributionInspectOptions
	opt.EncodedRegistryAuth = credentials(ctx, image)
	_, err := cli.DistributionInspect(ctx, image, opt)
	return plain(err)
}

// pull fetches an image with the user's credentials.
func (p *Provisioner) pull(ctx context.Context, cli *client.Client, image string) error {
	if p.opt.Log != nil {
		p.opt.Log("pulling image " + image)
	}
	ctx, cancel := context.WithTimeout(ctx, p.opt.PullTimeout)
	defer cancel()
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(tclog.NewNoopLogger()))
	if err != nil {
		return err
	}
	defer provider.Close()
	if err := provider.PullImage(ctx, image); err != nil {
		return plain(err)
	}
	// An error in the middle of the stream does not surface in the library.
	if _, err := cli.ImageInspect(ctx, image); err != nil {
		return fmt.Errorf("it did not arrive whole: %w", err)
	}
	return nil
}

// plain takes the engine's own preamble off an error that says enough.
func plain(err error) error {
	if err == nil {
		return nil
	}
	s := err.Error()
	for _, noise := range []string{"Error response from daemon: ", "container create: "} {
		s = strings.ReplaceAll(s, noise, "")
	}
	if s == err.Error() {
		return err
	}
	return &plainError{s, err}
}

type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.err }

var errNotRunning = errors.New("the container ended")
