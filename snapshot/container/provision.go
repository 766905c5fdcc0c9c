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
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

const (
	admin = "postgres"
	// shmSize bounds what parallel workers exchange; 64 MB, the default, is
	// soon overrun by a parallel index build.
	shmSize = 1 << 30
	// keepFor is the life of a server whose Spec names none. Every container
	// has an end: its owner may be a process that nobody can look up later.
	keepFor = 2 * time.Hour
)

var port5432 = network.MustParsePort("5432/tcp")

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
		t, err := p.try(ctx, cli, spec, offer, r)
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
func (p *Provisioner) try(ctx context.Context, cli *client.Client, spec snapshot.Spec, offer snapshot.Offer, r route) (*snapshot.Target, error) {
	t, err := p.start(ctx, cli, spec, offer, r)
	library := spec.Settings["shared_preload_libraries"]
	if errors.Is(err, errNotRunning) && library != "" && strings.Contains(err.Error(), "could not access file") {
		spec.Settings = maps.Clone(spec.Settings)
		delete(spec.Settings, "shared_preload_libraries")
		if t, err = p.start(ctx, cli, spec, offer, r); err == nil {
			t.Detail += ", without " + library + " (not in the image)"
		}
	}
	return t, err
}

func (p *Provisioner) start(ctx context.Context, cli *client.Client, spec snapshot.Spec, offer snapshot.Offer, r route) (_ *snapshot.Target, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.opt.StartTimeout, fmt.Errorf("not ready within %v", p.opt.StartTimeout))
	defer cancel()
	if spec.Expires.IsZero() {
		spec.Expires = time.Now().Add(keepFor)
	}
	// Known before anything is made, so that it can be removed also where the
	// engine's answer never arrives.
	name := "migration-gate-" + random(6)
	password := random(16)
	labels := labelsOf(spec)
	defer func() {
		if err != nil {
			if e := removeInterrupted(context.WithoutCancel(ctx), name, ctx.Err() != nil); e != nil {
				err = errors.Join(err, e)
			}
		}
	}()
	if r.internal {
		if _, err := cli.NetworkCreate(ctx, name, client.NetworkCreateOptions{Driver: "bridge", Internal: true, Labels: labels}); err != nil {
			return nil, &unreachable{"internal network", r.why, plain(err)}
		}
		r.network = name
	}
	ctr, err := testcontainers.Run(ctx, offer.Place, testcontainers.CustomizeRequest(testcontainers.GenericContainerRequest{
		ContainerRequest: request(name, r, labels, spec, offer, password),
	}))
	if err != nil {
		return nil, cause(ctx, plain(err))
	}
	addr, err := address(ctx, cli, ctr.GetContainerID(), r)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, cli, ctr.GetContainerID(), addr, r); err != nil {
		return nil, err
	}
	h := snapshot.Handle{
		Kind: p.Kind(), Run: spec.Run, ID: ctr.GetContainerID(), Host: addr.Addr().String(), Port: int(addr.Port()),
		Expires: spec.Expires, Password: password, Image: offer.Place,
	}
	if r.host != "" {
		h.Host = r.host
	}
	return p.target(ctx, cli, h, offer.Detail+", "+r.why)
}

// request is the container: the official image's conventions, the server's
// settings as its arguments.
func request(name string, r route, labels map[string]string, spec snapshot.Spec, offer snapshot.Offer, password string) testcontainers.ContainerRequest {
	args := []string{"postgres"}
	for _, k := range slices.Sorted(maps.Keys(spec.Settings)) {
		args = append(args, "-c", k+"="+spec.Settings[k])
	}
	initdb := "--no-sync --encoding=UTF8 --lc-messages=C --locale=C.UTF-8"
	if n, err := strconv.Atoi(snapshot.Major(offer.Version)); err == nil && n >= 17 {
		initdb += " --locale-provider=builtin --builtin-locale=C.UTF-8"
	}
	var host *container.HostConfig
	return testcontainers.ContainerRequest{
		Name:   name,
		Labels: labels,
		Env: map[string]string{
			"POSTGRES_PASSWORD": password, "POSTGRES_USER": admin, "POSTGRES_DB": "postgres",
			"POSTGRES_INITDB_ARGS": initdb,
		},
		Cmd: args,
		HostConfigModifier: func(hc *container.HostConfig) {
			hc.ShmSize = shmSize
			hc.SecurityOpt = append(hc.SecurityOpt, "no-new-privileges")
			if r.network != "" {
				hc.NetworkMode = container.NetworkMode(r.network)
			}
			host = hc
		},
		ExposedPorts: []string{port5432.String()},
		// After the library's own hook, which publishes every exposed port to
		// the world.
		LifecycleHooks: []testcontainers.ContainerLifecycleHooks{{
			PreCreates: []testcontainers.ContainerRequestHook{func(context.Context, testcontainers.ContainerRequest) error {
				host.PortBindings = network.PortMap{}
				if r.publish.IsValid() {
					host.PortBindings[port5432] = []network.PortBinding{{HostIP: r.publish, HostPort: "0"}}
				}
				return nil
			}},
		}},
	}
}

// address is where the server of a container is to be dialled on a route.
func address(ctx context.Context, cli *client.Client, id string, r route) (netip.AddrPort, error) {
	res, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("inspect container: %w", plain(err))
	}
	s := res.Container.NetworkSettings
	if s == nil {
		return netip.AddrPort{}, errors.New("inspect container: it has no network")
	}
	if r.publish.IsValid() {
		for _, b := range s.Ports[port5432] {
			if port, err := strconv.ParseUint(b.HostPort, 10, 16); err == nil && port != 0 && !b.HostIP.Is6() {
				return netip.AddrPortFrom(r.publish, uint16(port)), nil
			}
		}
		return netip.AddrPort{}, stopped(ctx, cli, id, errors.New("the engine published no port"))
	}
	for _, n := range s.Networks {
		if n != nil && n.IPAddress.IsValid() {
			return netip.AddrPortFrom(n.IPAddress, port5432.Num()), nil
		}
	}
	return netip.AddrPort{}, stopped(ctx, cli, id, errors.New("the container has no address"))
}

// wait probes the server until it takes sessions, while it watches that the
// container lives (one that died looks just like a slow one from outside), and
// whether the server is ready when seen from inside: then this route does not
// lead to it. A connection refused would not tell: it may come from elsewhere.
func wait(ctx context.Context, cli *client.Client, id string, addr netip.AddrPort, r route) error {
	dial := addr.String()
	if r.host != "" {
		dial = net.JoinHostPort(r.host, strconv.Itoa(int(addr.Port())))
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	inside := &inside{tools: tools{cli: cli, id: id}, next: time.Now().Add(3 * time.Second)}
	for n := 0; ; n++ {
		err := probe(ctx, dial)
		if err == nil {
			return nil
		}
		if n%10 == 9 || !quick(err) {
			if err := stopped(ctx, cli, id, nil); err != nil {
				return err
			}
		}
		if inside.readyFor(ctx) > 3*time.Second {
			return &unreachable{dial, r.why, err}
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Cause(ctx)
			}
			return &unreachable{dial, r.why, fmt.Errorf("%w: %w; it last said: %s", context.Cause(ctx), err, logs(cli, id))}
		case <-tick.C:
		}
	}
}

// quick is an answer that cost no time, as all of a starting server's are.
func quick(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errStarting) || errors.Is(err, syscall.ECONNREFUSED)
}

// inside looks at the server from within its container, once a second.
type inside struct {
	tools
	next, since time.Time
}

// readyFor is how long the server is known to take sessions over TCP inside;
// 0 where it does not, or nobody can tell.
func (i *inside) readyFor(ctx context.Context) time.Duration {
	if now := time.Now(); now.After(i.next) {
		i.next = now.Add(time.Second)
		code, err := i.exec(ctx, "", nil, []string{"pg_isready", "-q", "-h", "127.0.0.1", "-p", "5432"}, nil, nil, nil)
		switch {
		case err != nil || code != 0:
			i.since = time.Time{}
		case i.since.IsZero():
			i.since = now
		}
	}
	if i.since.IsZero() {
		return 0
	}
	return time.Since(i.since)
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

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+[.\w]*)`)

// target asks the server's version of its own program, and puts all together.
func (p *Provisioner) target(ctx context.Context, cli *client.Client, h snapshot.Handle, detail string) (*snapshot.Target, error) {
	// A client of its own, for the target lives longer than this call.
	own, err := engine(ctx)
	if err != nil {
		return nil, err
	}
	t := &tools{cli: own, id: h.ID, password: h.Password}
	out, err := t.output(ctx, "postgres", "--version")
	if err != nil {
		return nil, fmt.Errorf("ask for the server's version: %w", err)
	}
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("ask for the server's version: unexpected answer %q", out)
	}
	return &snapshot.Target{
		Kind: p.Kind(), Version: m[1], Detail: detail,
		Host: h.Host, Port: h.Port, User: admin, Password: h.Password,
		Tools: t, Handle: h,
		Close: func(ctx context.Context) error { return remove(ctx, own, h.ID) },
	}, nil
}

func labelsOf(spec snapshot.Spec) map[string]string {
	l := map[string]string{
		labelRun: spec.Run, labelOwner: owner.Self().String(),
		labelExpires: spec.Expires.UTC().Format(time.RFC3339),
	}
	if spec.Keep {
		l[labelKeep] = "true"
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
