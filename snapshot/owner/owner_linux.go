package owner

import (
	"fmt"
	"os"
	"strings"
)

// host joins the boot's identity with the PID namespace's, since containers
// of one host share the former.
func host() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	ns, err := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "." + strings.Trim(ns, "pid:[]")
}

// startTime is field 22 of /proc/PID/stat, clock ticks since boot; "" for a
// process that is gone, or dead and waiting for its parent.
func startTime(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in brackets and may hold both
	// blanks and brackets: count from the last bracket.
	s := string(data)
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
