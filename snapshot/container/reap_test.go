package container_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/container"
)

// A gate in a container cannot be looked up from here, but its container can.
func TestWhatAnEndedContainerMadeIsReaped(t *testing.T) {
	_, spec := provisioner(t, "15")
	create := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("docker", append([]string{"create", "--network", "none"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		id := strings.TrimSpace(string(out))
		t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", "--volumes", id).Run() })
		return id
	}
	there := func(id string) bool { return exec.Command("docker", "container", "inspect", id).Run() == nil }
	ended, running := create(spec.Image, "true"), create(spec.Image, "sleep", "300")
	must(t, exec.Command("docker", "start", running).Run())
	server := func(inside string, more ...string) string {
		args := []string{"--label", "dev.migration-gate.owner=another-boot.1/1/1", "--label", "dev.migration-gate.run=" + t.Name(),
			"--label", "dev.migration-gate.expires=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}
		if inside != "" {
			args = append(args, "--label", "dev.migration-gate.inside="+inside)
		}
		return create(append(append(args, more...), spec.Image)...)
	}
	servers := map[string]struct {
		id     string
		reaped bool
	}{
		"of a container that has ended":   {server(ended), true},
		"of a container that is gone":     {server(strings.Repeat("0", 64)), true},
		"of a container that runs":        {server(running), false},
		"of nobody knows which container": {server(""), false},
		"that was to be kept":             {server(ended, "--label", "dev.migration-gate.keep=true"), false},
	}
	if _, err := container.New(container.Options{LookupEnv: os.LookupEnv}).Reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, s := range servers {
		if there(s.id) == s.reaped {
			t.Errorf("the server %s: reaped %v, want %v", what, !s.reaped, s.reaped)
		}
	}
}
