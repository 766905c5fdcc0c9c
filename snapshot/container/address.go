package container

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/moby/client"
)

// route is one way from this process to a server in a container.
type route struct {
	// network to attach the server to and dial it in, by its address there;
	// "" with internal or publish.
	network string
	// internal: a network of the server's own that leads nowhere beyond its
	// host. That host can dial into it.
	internal bool
	// publish the port on this address of the engine's host, and dial it as
	// host.
	publish netip.Addr
	host    string
	// why, for the report and for errors.
	why string
}

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	anywhere = netip.MustParseAddr("0.0.0.0")
)

// findRoutes lists the ways worth trying, best first. Whether this process is in a
// container is asked of the engine itself, by the container id that the kernel
// shows: marker files such as /.dockerenv are on many a plain machine.
func (p *Provisioner) findRoutes(ctx context.Context, cli *client.Client) []route {
	if host, ok := p.opt.LookupEnv("TESTCONTAINERS_HOST_OVERRIDE"); ok && !isLoopback(host) {
		return []route{{publish: anywhere, host: host, why: "as TESTCONTAINERS_HOST_OVERRIDE says"}}
	}
	if u, err := url.Parse(cli.DaemonHost()); err == nil && u.Scheme != "unix" && u.Scheme != "npipe" && !isLoopback(u.Hostname()) {
		return []route{{publish: anywhere, host: u.Hostname(), why: "the engine is on " + u.Hostname()}}
	}
	if id := ownID(); id != "" {
		if network, why := ownNetwork(ctx, cli, id, 2); network != "" {
			return []route{{network: network, why: why}}
		}
	}
	return hostRoutes(ctx, cli)
}

// hostRoutes are the ways from the engine's own host (or from a container in
// the host's network).
func hostRoutes(ctx context.Context, cli *client.Client) []route {
	published := route{publish: loopback, host: loopback.String(), why: "published on 127.0.0.1"}
	info, err := cli.Info(ctx, client.InfoOptions{})
	if err != nil || runtime.GOOS != "linux" || info.Info.OperatingSystem == "Docker Desktop" {
		published.why += "; with access to the outside, for the engine runs in a virtual machine"
		return []route{published}
	}
	for _, o := range info.Info.SecurityOptions {
		if strings.Contains(o, "rootless") {
			published.why += "; with access to the outside, for the engine is rootless"
			return []route{published}
		}
	}
	internal := route{internal: true, why: "in a network that leads nowhere beyond this machine"}
	published.why += "; with access to the outside, for an internal network is not reachable from here"
	return []route{internal, published}
}

// ownMounts are files that an engine mounts into each container from the
// container's own directory; on a host, other paths show other containers' ids.
var (
	ownMounts  = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
	containers = regexp.MustCompile(`/(?:overlay-)?containers/([0-9a-f]{64})/`)
)

// ownID is the id of the container this process is in, "" if it is in none.
func ownID() string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	return selfID(f)
}

// selfID finds the id of the container this process is in, "" if it is in none.
func selfID(mountinfo io.Reader) string {
	s := bufio.NewScanner(mountinfo)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		// 36 35 98:0 /var/lib/docker/containers/ID/hosts /etc/hosts rw …
		f := strings.Fields(s.Text())
		if len(f) < 5 || !slices.Contains(ownMounts, f[4]) {
			continue
		}
		if m := containers.FindStringSubmatch(f[3]); m != nil {
			return m[1]
		}
	}
	return ""
}

// ownNetwork is the first network of a container in which a sibling can be
// dialled: a container that borrows another's network has that one's; "" where
// it uses the host's, has none, or this engine does not know the container.
func ownNetwork(ctx context.Context, cli *client.Client, id string, depth int) (network, why string) {
	res, err := cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil || depth == 0 {
		return "", ""
	}
	c := res.Container
	if c.HostConfig != nil && c.HostConfig.NetworkMode.IsContainer() {
		return ownNetwork(ctx, cli, c.HostConfig.NetworkMode.ConnectedContainer(), depth-1)
	}
	if c.NetworkSettings == nil {
		return "", ""
	}
	for _, name := range slices.Sorted(maps.Keys(c.NetworkSettings.Networks)) {
		if name == "host" || name == "none" {
			continue
		}
		return name, fmt.Sprintf("in this container's network %s, with the ways out that has", name)
	}
	return "", ""
}

func isLoopback(host string) bool {
	if host == "localhost" || host == "" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
