package local

import (
	"os"
	"os/exec"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// A server that is still waiting for its turn when its directory is removed
// never gets it.
func TestDestroyEndsWhatIsAboutToStart(t *testing.T) {
	s := scratch(t.TempDir())
	data := s.file("data/base")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", wait, "/bin/sleep", "60", "--datadir="+data)
	cmd.Dir = data
	gate, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = s.write(record{Engine: snapshot.MySQL, Servers: map[string]server{"base": {owner.Of(cmd.Process.Pid), 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := destroy(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("it was not killed")
	}
}

func TestNothingStartsWhereAllIsRemoved(t *testing.T) {
	s := scratch(t.TempDir())
	p := mysql()
	p.programs = [][]string{{"true"}}
	c := &cluster{scratch: s, product: p, bin: "/bin"}
	if err := os.MkdirAll(s.file("data/base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.write(record{Engine: snapshot.MySQL, Closing: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.run(t.Context(), "base", 1, nil); err == nil || err.Error() != "run true: its directory is being removed" {
		t.Errorf("started all the same: %v", err)
	}
}
