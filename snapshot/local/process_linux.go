package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// serves reports whether a process is a server (or a backend of one) of that
// data directory, or of one in it: all of them work there, and the ones that
// initialise it too.
func serves(pid int, data string) bool {
	if pid <= 0 {
		return false
	}
	exe, err := readProc(pid, "exe")
	// An upgrade of the package may have replaced the file meanwhile.
	if err != nil || !slices.Contains(exes(), filepath.Base(strings.TrimSuffix(exe, " (deleted)"))) {
		return false
	}
	return worksIn(pid, data)
}

// worksIn reports whether a process has its working directory in the data.
func worksIn(pid int, data string) bool {
	cwd, err := readProc(pid, "cwd")
	cwd = strings.TrimSuffix(cwd, " (deleted)")
	return err == nil && (cwd == data || strings.HasPrefix(cwd, data+"/"))
}

// readProc reads a link of a process. Root in a container lacks the capability
// to look at another user's process (CAP_SYS_PTRACE), but may look as that
// user: the kernel asks for this one thread's file system identity.
func readProc(pid int, name string) (string, error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	link, err := os.Readlink(filepath.Join(dir, name))
	if !errors.Is(err, fs.ErrPermission) || os.Geteuid() != 0 {
		return link, err
	}
	var owner unix.Stat_t
	if err := unix.Stat(dir, &owner); err != nil {
		return "", err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	gid, _ := unix.SetfsgidRetGid(int(owner.Gid))
	uid, _ := unix.SetfsuidRetUid(int(owner.Uid))
	link, err = os.Readlink(filepath.Join(dir, name))
	_, _ = unix.SetfsuidRetUid(uid)
	_, _ = unix.SetfsgidRetGid(gid)
	return link, err
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
