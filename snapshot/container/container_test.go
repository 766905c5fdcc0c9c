package container_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// images are what testdata/images/build.sh makes.
const images = "migration-gate-test/postgres:"

// Images of MySQL's kind, as snapshot.Spec wants them.
var mysqls = []snapshot.Spec{
	{Engine: snapshot.MySQL, Version: "9.7", Image: "migration-gate-test/mysql:9.7"},
	{Engine: snapshot.MariaDB, Version: "10.11", Image: "migration-gate-test/mariadb:10.11"},
}

// eachMySQL runs a test on both.
func eachMySQL(t *testing.T, f func(*testing.T, *container.Provisioner, snapshot.Spec)) {
	for _, spec := range mysqls {
		t.Run(spec.Engine, func(t *testing.T) {
			image(t, spec.Image)
			spec.Run = strings.ReplaceAll(t.Name(), "/", "-")
			f(t, container.New(container.Options{LookupEnv: os.LookupEnv}), spec)
		})
	}
}

// provisioner returns one whose engine answers and has the test image of a
// major. Without, the test is skipped, or fails where MG_TEST_IMAGES=require.
func provisioner(t *testing.T, major string) (*container.Provisioner, snapshot.Spec) {
	t.Helper()
	p := container.New(container.Options{LookupEnv: os.LookupEnv})
	spec := snapshot.Spec{Run: t.Name(), Version: major, Image: images + major}
	image(t, spec.Image)
	return p, spec
}

// image skips a test where the image or the engine is not there.
func image(t *testing.T, name string) {
	t.Helper()
	out, err := exec.Command("docker", "image", "inspect", "--format", "{{.Id}}", name).CombinedOutput()
	if err != nil {
		skip(t, fmt.Sprintf("image %s cannot be used (make test-images makes it, and starts an engine where there is none): %v: %s", name, err, strings.TrimSpace(string(out))))
	}
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("MG_TEST_IMAGES") == "require" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// leftovers are containers, networks and volumes that carry a run's label.
func leftovers(t *testing.T) snapshottest.Leftovers {
	return func(run string) (left []string) {
		for _, list := range [][]string{{"ps", "--all", "--no-trunc"}, {"network", "ls"}, {"volume", "ls"}} {
			args := append(list, "--quiet", "--filter", "label=dev.migration-gate.run="+run)
			out, err := exec.Command("docker", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("docker %v: %v: %s", args, err, out)
			}
			for _, id := range strings.Fields(string(out)) {
				left = append(left, list[0]+" "+id)
			}
		}
		return left
	}
}

func TestContainer(t *testing.T) {
	for _, major := range []string{"15", "17"} {
		t.Run(major, func(t *testing.T) {
			p, spec := provisioner(t, major)
			snapshottest.SupportedTarget(t, "container", "")
			snapshottest.Exercise(t, p, spec, leftovers(t))
		})
	}
}

func TestContainerMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		snapshottest.SupportedTarget(t, "container", spec.Engine)
		snapshottest.Exercise(t, p, spec, leftovers(t))
	})
}

func TestNoWayOut(t *testing.T) {
	p, spec := provisioner(t, "15")
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	if !strings.Contains(target.Detail, "leads nowhere") {
		t.Skipf("not tested: a network without a way out, which this engine does not allow (%s); to have it tested: testdata/images/engine.sh start", target.Detail)
	}
	outside := dialable(t)
	host, port, _ := net.SplitHostPort(outside)
	out, err := exec.Command("docker", "exec", target.Handle.ID, "timeout", "3", "bash", "-c", "exec 3<>/dev/tcp/"+host+"/"+port).CombinedOutput()
	if err == nil {
		t.Errorf("the container reaches %s: %s", outside, out)
	}
	ports, err := exec.Command("docker", "port", target.Handle.ID).CombinedOutput()
	if err != nil || len(ports) > 0 {
		t.Errorf("ports are published: %q, %v", ports, err)
	}
}

// dialable is an address beyond this machine that this machine does reach: the
// name server, or else a well-known site.
func dialable(t *testing.T) string {
	candidates := []string{"example.com:80"}
	conf, _ := os.ReadFile("/etc/resolv.conf")
	for _, line := range strings.Split(string(conf), "\n") {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "nameserver" && !net.ParseIP(f[1]).IsLoopback() {
			candidates = append([]string{net.JoinHostPort(f[1], "53")}, candidates...)
		}
	}
	for _, addr := range candidates {
		if conn, err := net.DialTimeout("tcp", addr, 2*time.Second); err == nil {
			defer conn.Close()
			return conn.RemoteAddr().String()
		}
	}
	t.Skipf("this machine itself reaches none of %v", candidates)
	return ""
}

// A program in the container must not survive the context of its Run.
func TestRunEndsTheProgram(t *testing.T) {
	p, spec := provisioner(t, "15")
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := target.Tools.Run(ctx, "psql", []string{"-Xc", "select pg_sleep(60)", "postgres"}, nil, nil, nil); err == nil {
		t.Fatal("no error")
	}
	out, err := exec.Command("docker", "top", target.Handle.ID, "-eo", "pid,args").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.Contains(string(out), "psql -Xc") {
		t.Errorf("psql still runs:\n%s", out)
	}
}

func TestOfferSaysWhy(t *testing.T) {
	p, spec := provisioner(t, "15")

	spec.Image = "localhost:1/no/such:image"
	if offer := p.Offer(t.Context(), spec); offer.OK || !strings.Contains(offer.Detail, "image localhost:1/no/such:image is not present and cannot be pulled") {
		t.Errorf("offer of an image that is nowhere: %+v", offer)
	}
	if _, err := p.Provision(t.Context(), spec, snapshot.Offer{OK: true, Place: spec.Image}); err == nil || !strings.Contains(err.Error(), "is not present and cannot be pulled") {
		t.Errorf("provision of an image that is nowhere: %v", err)
	}

	spec.Image, spec.Version = images+"15", "16"
	if offer := p.Offer(t.Context(), spec); !offer.OK || offer.Exact || !strings.Contains(offer.Detail, "holds PostgreSQL 15") {
		t.Errorf("offer of an image of another version: %+v", offer)
	}
	for _, other := range mysqls {
		image(t, other.Image)
		spec.Image = other.Image
		if offer := p.Offer(t.Context(), spec); offer.OK || !strings.HasSuffix(offer.Detail, ", not PostgreSQL") {
			t.Errorf("offer of an image of %s: %+v", other.Engine, offer)
		}
	}
}

func TestAServerThatDiesSaysItsLastWords(t *testing.T) {
	p, spec := provisioner(t, "15")
	spec.Settings = map[string]string{"shared_buffers": "nonsense"}
	begun := time.Now()
	_, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("a container that ended at once was waited for: %v", d)
	}
	if l := leftovers(t)(spec.Run); len(l) > 0 {
		t.Errorf("left behind: %q", l)
	}
}

func TestAMissingLibraryIsDoneWithout(t *testing.T) {
	p, spec := provisioner(t, "15")
	spec.Settings = map[string]string{"shared_preload_libraries": "pg_nowhere"}
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	if !strings.Contains(target.Detail, "without pg_nowhere") {
		t.Errorf("the target does not say what it lacks: %s", target.Detail)
	}
}
