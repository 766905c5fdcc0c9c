//go:build unix && !linux

package local

import (
	"os/exec"
	"strconv"
	"strings"
)

// serves reports whether a process is the PostgreSQL server that was started
// on that data directory.
func serves(pid int, data string) bool {
	if pid <= 0 {
		return false
	}
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.HasSuffix(strings.TrimSpace(string(out)), "postgres -D "+data)
}

// workers needs /proc; elsewhere a killed postmaster's backends end by
// themselves.
func workers(string) []int { return nil }
