//go:build unix && !linux

package local

import (
	"os/exec"
	"strconv"
	"strings"
)

// serves reports whether a process is a server that was started on that data
// directory, or on one in it.
func serves(pid int, data string) bool {
	if pid <= 0 {
		return false
	}
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false
	}
	line := strings.TrimSpace(string(out)) + " "
	for _, p := range products() {
		mark := p.mark(data)
		if strings.Contains(line, mark+" ") || strings.Contains(line, mark+"/") {
			return true
		}
	}
	return false
}

// worksIn is the same here: the command line that waits for its turn already
// names the directory.
func worksIn(pid int, data string) bool { return serves(pid, data) }

// workers needs /proc; elsewhere a killed postmaster's backends end by
// themselves.
func workers(string) []int { return nil }
