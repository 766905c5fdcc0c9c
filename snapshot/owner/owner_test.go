package owner

import (
	"os/exec"
	"testing"
)

func TestAliveFollowsTheProcess(t *testing.T) {
	if !Self().Alive() {
		t.Fatal("this very process is said to be gone")
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o := Of(cmd.Process.Pid)
	if !o.Alive() {
		t.Errorf("%v runs, yet is said to be gone", o)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if o.Alive() {
		t.Errorf("%v was killed, yet is said to be alive", o)
	}
}

func TestAliveSeesThroughAReusedNumber(t *testing.T) {
	o := Self()
	o.Start += "1" // another process had the number before
	if o.Alive() {
		t.Error("a process that started at another time passes for the owner")
	}
}

func TestAnOwnerElsewhereCountsAsAlive(t *testing.T) {
	o := Owner{Host: "another-boot.1", PID: 1 << 30, Start: "1"}
	if !o.Alive() || o.Here() {
		t.Error("a process that cannot be looked up from here was declared dead")
	}
}

func TestStringRoundTrip(t *testing.T) {
	o := Self()
	got, err := Parse(o.String())
	if err != nil || got != o {
		t.Errorf("Parse(%q) = %+v, %v; want %+v", o.String(), got, err, o)
	}
	for _, bad := range []string{"", "a/b", "a/x/1", "a/1/2/3"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) accepted", bad)
		}
	}
}
