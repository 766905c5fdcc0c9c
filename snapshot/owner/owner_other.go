//go:build unix && !linux

package owner

import (
	"os/exec"
	"strconv"
	"strings"
)

// host is the same for all processes: without namespaces, one kernel has one
// set of process numbers, and a start time tells boots apart.
func host() string { return "local" }

func startTime(pid int) string {
	out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(out)), "_")
}
