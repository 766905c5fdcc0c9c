package container_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestSelfID(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for name, tt := range map[string]struct{ mountinfo, want string }{
		"docker": {"36 35 254:0 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw - ext4 /dev/vda rw\n", id},
		"podman": {"36 35 0:25 /containers/overlay-containers/" + id + "/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n", id},
		// The host of an engine shows the mounts of all its containers.
		"host of containers": {"36 35 0:50 /var/lib/docker/containers/" + id + "/mounts/shm /var/lib/docker/containers/" + id + "/mounts/shm rw - tmpfs shm rw\n" +
			"37 35 0:51 / /var/lib/docker/containers/" + id + "/hosts rw - tmpfs shm rw\n", ""},
		"plain machine": {"22 1 254:0 / / rw - ext4 /dev/vda rw\n23 22 0:20 / /proc rw - proc proc rw\n", ""},
		"nothing":       {"", ""},
	} {
		if got := container.SelfID(strings.NewReader(tt.mountinfo)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Where the engine allows no internal network, the port is published, and on
// the loopback interface alone.
func TestPublished(t *testing.T) {
	_, spec := provisioner(t, "15")
	p := container.Routed(container.Options{}, "127.0.0.1")
	snapshottest.Serves(t, p, spec, leftovers(t))
}

func TestTheNextRouteIsTried(t *testing.T) {
	_, spec := provisioner(t, "15")
	const nowhere = "192.0.2.1" // reserved for documentation
	p := container.Routed(container.Options{}, nowhere, "127.0.0.1")
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	connect(t, target)
}

func TestUnreachableNamesAllAddresses(t *testing.T) {
	_, spec := provisioner(t, "15")
	p := container.Routed(container.Options{}, "192.0.2.1", "192.0.2.2")
	_, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1:") || !strings.Contains(err.Error(), "192.0.2.2:") {
		t.Errorf("error %v", err)
	}
	if l := leftovers(t)(spec.Run); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
}

// The gate itself in a container: the test runs again inside one, in each kind
// of network, with nothing but the engine's socket, and must reach a server.
func TestFromInsideAContainer(t *testing.T) {
	if os.Getenv("MG_TEST_SIBLING") != "" {
		sibling(t)
		return
	}
	_, spec := provisioner(t, "15")
	// Static, for the image's C library may be older than this machine's.
	program := filepath.Join(t.TempDir(), "sibling.test")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the test: %v\n%s", err, out)
	}
	docker := func(t *testing.T, args ...string) string {
		t.Helper()
		out, err := exec.Command("docker", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("docker %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const network = "mg-test-sibling"
	docker(t, "network", "create", network)
	t.Cleanup(func() { docker(t, "network", "rm", network) })
	idle := docker(t, "run", "--detach", "--rm", "--network", network, spec.Image, "sleep", "300")
	t.Cleanup(func() { docker(t, "rm", "--force", "--volumes", idle) })
	for mode, want := range map[string]string{
		"bridge":            "in this container's network bridge",
		network:             "in this container's network " + network,
		"container:" + idle: "in this container's network " + network,
		"host":              "leads nowhere beyond this machine",
	} {
		t.Run(strings.SplitN(mode, ":", 2)[0], func(t *testing.T) {
			out := docker(t, "run", "--rm", "--network", mode,
				"--env", "MG_TEST_SIBLING="+spec.Image,
				"--volume", "/var/run/docker.sock:/var/run/docker.sock", "--volume", filepath.Dir(program)+":/t:ro",
				"--entrypoint", "/t/sibling.test", spec.Image, "-test.run=^TestFromInsideAContainer$", "-test.v")
			if !strings.Contains(out, want) {
				t.Errorf("want %q in\n%s", want, out)
			}
			if l := leftovers(t)("sibling"); len(l) > 0 {
				t.Errorf("left behind: %q", l)
			}
		})
	}
}

func sibling(t *testing.T) {
	p := container.New(container.Options{})
	spec := snapshot.Spec{Run: "sibling", Version: "15", Image: os.Getenv("MG_TEST_SIBLING")}
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	t.Log(target.Detail)
	connect(t, target)
}

func connect(t *testing.T, target *snapshot.Target) {
	t.Helper()
	cfg, err := pgx.ParseConfig("postgres://postgres@localhost/postgres?sslmode=disable&connect_timeout=5")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Host, cfg.Port, cfg.Password = target.Host, uint16(target.Port), target.Password
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
}

// What accepts connections is not yet a server.
func TestProbesWantAnAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type answer struct {
		text  string
		asked bool // PostgreSQL is, MySQL speaks first
	}
	answers := make(chan answer, 3)
	go func() {
		for a := range answers {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if a.asked {
				_, _ = conn.Read(make([]byte, 512))
			}
			_, _ = conn.Write([]byte(a.text))
			_ = conn.Close()
		}
	}()
	defer close(answers)
	const http = "HTTP/1.0 400 Bad Request\r\n"
	for _, tt := range []struct {
		name         string
		probe        func(context.Context, string) error
		answer, want string
	}{
		{"the engine's proxy, with no PostgreSQL behind", container.ProbePostgres, "", "connection closed"},
		{"a PostgreSQL that starts", container.ProbePostgres, "E\x00\x00\x00\x30SFATAL\x00VFATAL\x00C57P03\x00Mstarting up\x00\x00", "starting"},
		{"something else than PostgreSQL", container.ProbePostgres, http, "not a PostgreSQL server"},
		{"a PostgreSQL", container.ProbePostgres, "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00", ""},
		{"a PostgreSQL that knows no such user", container.ProbePostgres, "E\x00\x00\x00\x30SFATAL\x00C28000\x00Mno entry\x00\x00", ""},
		{"the engine's proxy, with no MySQL behind", container.ProbeMySQL, "", "connection closed"},
		{"something else than MySQL", container.ProbeMySQL, http, "not a MySQL server"},
		{"a MySQL", container.ProbeMySQL, "\x4a\x00\x00\x00\x0a9.7.4\x00", ""},
		{"a MySQL that has too many sessions", container.ProbeMySQL, "\x17\x00\x00\x00\xff\x10\x04Too many connections", ""},
	} {
		answers <- answer{tt.answer, strings.Contains(tt.name, "PostgreSQL")}
		err := tt.probe(t.Context(), l.Addr().String())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
