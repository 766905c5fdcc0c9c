// Package machine says what this machine has that a server's settings depend
// on. It knows nothing of servers, and changes nothing.
package machine

import (
	"os"
	"strconv"
	"strings"
)

// Memory is that of the machine or of the control group around this process,
// whichever is less, in bytes; 4 GiB where neither can be read.
func Memory() int64 {
	total := int64(4 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) == 3 && f[0] == "MemTotal:" {
				if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					total = kib << 10
				}
			}
		}
	}
	for _, limit := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(limit); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
				total = min(total, n)
			}
		}
	}
	return total
}

// Share is the memory divided by parts, in whole mebibytes within low and high.
func Share(parts, low, high int64) int64 {
	return min(max(Memory()/parts>>20, low), high)
}
