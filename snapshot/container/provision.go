package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// keepFor is the life of a server whose Spec names none. Every container has
// an end: its owner may be a process that nobody can look up later.
const keepFor = 2 * time.Hour

// unreachable is a server that runs and cannot be dialled on one route.
type unreachable struct {
	addr string
	why  string
	err  error
}

func (e *unreachable) Error() string { return fmt.Sprintf("%s (%s): %v", e.addr, e.why, e.err) }
func (e *unreachable) Unwrap() error { return e.err }

// Provision pulls the image if need be, starts the container and waits until
// the server in it takes sessions, on the first route that leads there.
func (p *Provisioner) Provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (*snapshot.Target, error) {
	if !offer.OK {
		return nil, fmt.Errorf("start container: %s", offer.Detail)
	}
	if p.ryuk && spec.Keep {
		return nil, errors.New("start container: it is to be kept, and TESTCONTAINERS_RYUK_DISABLED=false has it removed when this process ends")
	}
	pr, err := productOf(spec.Engine)
	if err != nil {
		return nil, fmt.Errorf("start container: %w", err)
	}
	cli, err := engine(ctx)
	if err != nil {
		return nil, fmt.Errorf("start container: %w", err)
	}
	defer cli.Close()
	if _, err := cli.ImageInspect(ctx, offer.Place); errdefs.IsNotFound(err) {
		if err := p.pull(ctx, cli, offer.Place); err != nil {
			return nil, fmt.Errorf("start container: image %s is not present and cannot be pulled: %w", offer.Place, err)
		}
	}
	var tried []error
	for _, r := range p.routes(ctx, cli) {
		t, err := p.try(ctx, cli, pr, spec, offer, r)
		var lost *unreachable
		switch {
		case err == nil:
			return t, nil
		case errors.As(err, &lost) && ctx.Err() == nil:
			tried = append(tried, lost)
		default:
			return nil, fmt.Errorf("start container of %s: %w", offer.Place, err)
		}
	}
	return nil, fmt.Errorf("start container of %s: it runs, but its server cannot be reached from here; tried %w", offer.Place, errors.Join(tried...))
}

// try starts a server for one route, once more without a library to preload
// that the image does not have.
func (p *Provisioner) try(ctx context.Context, cli *client.Client, pr *product, spec snapshot.Spec, offer snapshot.Offer, r route) (*snapshot.Target, error) {
	t, err := p.start(ctx, cli, pr, spec, offer, r)
	library := spec.Settings["shared_preload_libraries"]
	if errors.Is(err, errNotRunning) && library != "" && strings.Contains(err.Error(), "could not access file") {
		spec.Settings = maps.Clone(spec.Settings)
		delete(spec.Settings, "shared_preload_libraries")
		if t, err = p.start(ctx, cli, pr, spec, offer, r); err == nil {
			t.Detail += ", without " + library + " (not in the image)"
		}
	}
	return t, err
}

func (p *Provisioner) start(ctx context.Context, cli *client.Client, pr *product, spec snapshot.Spec, offer snapshot.Offer, r route) (_ *snapshot.Target, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.opt.StartTimeout, fmt.Errorf("not ready within %v", p.opt.StartTimeout))
	defer cancel()
	if spec.Expires.IsZero() {
		spec.Expires = time.Now().Add(keepFor)
	}
	// Known before anything is made, so that it can be removed also where the
	// engine's answer never arrives.
	name := "migration-gate-" + random(6)
	password := random(16)
	labels := labelsOf(ctx, cli, spec)
	defer func() {
		if err != nil {
			if e := removeInterrupted(context.WithoutCancel(ctx), name, ctx.Err() != nil); e != nil {
				err = errors.Join(err, e)
			}
		}
	}()
	patient, done := outlasting(ctx, interruptedFor)
	defer done()
	if r.internal {
		if _, err := cli.NetworkCreate(patient, name, client.NetworkCreateOptions{Driver: "bridge", Internal: true, Labels: labels}); err != nil {
			return nil, &unreachable{"internal network", r.why, plain(err)}
		}
		r.network = name
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	req := request(name, r, labels, pr.ports)
	pr.request(&req, spec, offer, password)
	ctr, err := testcontainers.Run(patient, offer.Place, testcontainers.CustomizeRequest(testcontainers.GenericContainerRequest{ContainerRequest: req}))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, cause(ctx, plain(err))
	}
	h := snapshot.Handle{
		Kind: p.Kind(), Run: spec.Run, ID: ctr.GetContainerID(), Engine: spec.Engine,
		Expires: spec.Expires, Password: password, Image: offer.Place,
	}
	if h.Host, h.Port, err = address(ctx, cli, h.ID, r, pr.ports[0]); err != nil {
		return nil, err
	}
	version, lacks, err := pr.serve(ctx, &launched{cli: cli, handle: h, route: r}, spec)
	if err != nil {
		return nil, err
	}
	detail := offer.Detail + ", " + r.why
	if lacks != "" {
		detail += ", without " + lacks + " (not in the image)"
	}
	return p.target(ctx, pr, h, version, detail)
}

// interruptedFor is how long the engine may still take to answer what it was
// asked before a cancel.
const interruptedFor = 15 * time.Second

// outlasting is a context that ends a while after another does. The engine goes
// on with a request that was cut off, and what it then makes, a second later
// perhaps, nobody would remove.
func outlasting(ctx context.Context, d time.Duration) (context.Context, func()) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = sleep(own, d)
		cancel()
	})
	return own, func() { stop(); cancel() }
}

// launched is a container that runs, and how it is reached.
type launched struct {
	cli    *client.Client
	handle snapshot.Handle
	route  route
}

// request is a container without its product: labelled, reachable on the route
// alone.
func request(name string, r route, labels map[string]string, ports []network.Port) testcontainers.ContainerRequest {
	exposed := make([]string, len(ports))
	for i, p := range ports {
		exposed[i] = p.String()
	}
	var host *container.HostConfig
	return testcontainers.ContainerRequest{
		Name:   name,
		Labels: labels,
		HostConfigModifier: func(hc *container.HostConfig) {
			hc.SecurityOpt = append(hc.SecurityOpt, "no-new-privileges")
			if r.network != "" {
				hc.NetworkMode = container.NetworkMode(r.network)
			}
			host = hc
		},
		ExposedPorts: exposed,
		// After the library's own hook, which publishes every exposed port to
		// the world.
		LifecycleHooks: []testcontainers.ContainerLifecycleHooks{{
			PreCreates: []testcontainers.ContainerRequestHook{func(context.Context, testcontainers.ContainerRequest) error {
				host.PortBindings = network.PortMap{}
				if r.publish.IsValid() {
					for _, p := range ports {
						host.PortBindings[p] = []network.PortBinding{{HostIP: r.publish, HostPort: "0"}}
					}
				}
				return nil
			}},
		}},
	}
}

// address is where a port of a container is to be dialled on a route.
func address(ctx context.Context, cli *client.Client, id string, r route, port network.Port) (string, int, error) {
	res, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return "", 0, fmt.Errorf("inspect container: %w", plain(err))
	}
	s := res.Container.NetworkSettings
	if s == nil {
		return "", 0, errors.New("inspect container: it has no network")
	}
	if r.publish.IsValid() {
		n := published(s.Ports, port)
		if n == 0 {
			return "", 0, stopped(ctx, cli, id, errors.New("the engine published no port"))
		}
		if r.host != "" {
			return r.host, n, nil
		}
		return r.publish.String(), n, nil
	}
	for _, n := range s.Networks {
		if n != nil && n.IPAddress.IsValid() {
			return n.IPAddress.String(), int(port.Num()), nil
		}
	}
	return "", 0, stopped(ctx, cli, id, errors.New("the container has no address"))
}

// published is the port of the engine's host that leads to a container's; 0 for
// none.
func published(ports network.PortMap, port network.Port) int {
	for _, b := range ports[port] {
		if n, err := strconv.ParseUint(b.HostPort, 10, 16); err == nil && n != 0 && !b.HostIP.Is6() {
			return int(n)
		}
	}
	return 0
}

// stopped is otherwise for a container that runs, and says what one that ended
// said last.
func stopped(ctx context.Context, cli *client.Client, id string, otherwise error) error {
	res, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil || res.Container.State == nil || res.Container.State.Running {
		return otherwise
	}
	st := res.Container.State
	detail := fmt.Sprintf("exit status %d", st.ExitCode)
	if st.OOMKilled {
		detail += ", out of memory"
	}
	return fmt.Errorf("%w (%s): %s", errNotRunning, detail, logs(cli, id))
}

// logs are the container's last lines.
func logs(cli *client.Client, id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := cli.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "12"})
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	var b bytes.Buffer
	_, _ = stdcopy.StdCopy(&b, &b, io.LimitReader(r, 1<<20))
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", " | ")
}

// target puts all together, with a client of its own, for it lives longer than
// the call that makes it.
func (p *Provisioner) target(ctx context.Context, pr *product, h snapshot.Handle, version, detail string) (*snapshot.Target, error) {
	own, err := engine(ctx)
	if err != nil {
		return nil, err
	}
	t := &tools{cli: own, product: pr, id: h.ID, password: h.Password}
	target := &snapshot.Target{
		Kind: p.Kind(), Version: version, Detail: detail,
		Host: h.Host, Port: h.Port, User: pr.admin, Password: h.Password,
		Tools: t, Handle: h,
		Close: func(ctx context.Context) error { return remove(ctx, own, h.ID) },
	}
	if pr.several {
		target.Instances = &instances{tools: t, handle: h, why: "as the first instance is reached", timeout: p.opt.StartTimeout}
	}
	return target, nil
}

func labelsOf(ctx context.Context, cli *client.Client, spec snapshot.Spec) map[string]string {
	l := map[string]string{
		labelRun: spec.Run, labelOwner: owner.Self().String(),
		labelExpires: spec.Expires.UTC().Format(time.RFC3339),
	}
	if spec.Keep {
		l[labelKeep] = "true"
	}
	// A container of another engine (this one's may itself run in one) says
	// nothing to whoever asks this engine later.
	if id := ownID(); id != "" {
		if _, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); err == nil {
			l[labelInside] = id
		}
	}
	return l
}

// cause prefers why a context ended to what that made of a request.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// random is n bytes of randomness in hex.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}
