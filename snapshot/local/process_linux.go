package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serves reports whether a process is a PostgreSQL server (or a backend of
// one) of that data directory: all of them work in it, and initdb's too.
func serves(pid int, data string) bool {
	if pid <= 0 {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	// An upgrade of the package may have replaced the file meanwhile.
	if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != "postgres" {
		return false
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && strings.TrimSuffix(cwd, " (deleted)") == data
}

// workers are all processes of a data directory, also ones whose postmaster
// was killed.
func workers(data string) (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && serves(pid, data) {
			pids = append(pids, pid)
		}
	}
	return pids
}
