// Package owner says which process made a thing and whether that process
// still lives, so that what a killed run left behind can be told from what a
// running one is using. It knows processes; it never kills one, and knows
// nothing of servers or containers.
package owner

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Owner identifies a process beyond the reuse of its number.
type Owner struct {
	// Host is the boot and the PID namespace in which PID means something;
	// "" where the system tells neither.
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Start is when the process started, in the system's own spelling.
	Start string `json:"start"`
}

// Self is the calling process.
func Self() Owner { return Of(os.Getpid()) }

// Of is the process with that number in this PID namespace. Its Start is ""
// where there is no such process.
func Of(pid int) Owner {
	return Owner{Host: host(), PID: pid, Start: startTime(pid)}
}

// Here reports whether the owner's process number can be looked up from this
// process at all: same boot, same PID namespace.
func (o Owner) Here() bool { return o.Host == host() }

// Alive reports whether the process still runs. One that lives elsewhere (in
// another container, on another host) is taken to be alive: only its expiry
// can tell.
func (o Owner) Alive() bool {
	if !o.Here() {
		return true
	}
	if o.PID <= 0 {
		return false
	}
	if err := syscall.Kill(o.PID, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	return startTime(o.PID) == o.Start && o.Start != ""
}

// String is the form for labels; Parse reads it back.
func (o Owner) String() string {
	return fmt.Sprintf("%s/%d/%s", o.Host, o.PID, o.Start)
}

// Parse reads what String wrote.
func Parse(s string) (Owner, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Owner{}, fmt.Errorf("parse owner %q: want host/pid/start", s)
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return Owner{}, fmt.Errorf("parse owner %q: %w", s, err)
	}
	return Owner{Host: parts[0], PID: pid, Start: parts[2]}, nil
}
