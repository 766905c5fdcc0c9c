package local

import (
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is of servers alone, for who wants one; our image has it.
const account = "migration-gate"

// user is whom servers and client programs run as: nil for this process's own
// user, another where that is root, whom the server refuses.
func user(p *product) *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range p.accounts {
		if u, err := osuser.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			if err1 == nil && err2 == nil && uid != 0 {
				return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
		}
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534} // what "nobody" is by convention
}

// unfit says why this machine cannot run servers at all; "" if it can.
func (m *machine) unfit(p *product) string {
	root, err := m.root()
	if err != nil {
		return err.Error()
	}
	if err := reachable(root, user(p)); err != nil {
		return err.Error()
	}
	return ""
}

// reachable checks that a user may pass through a directory and all above it.
// ACLs are not read: they could only say more than the mode does.
func reachable(path string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for dir := real; ; dir = filepath.Dir(dir) {
		if !permits(dir, as, 0o1) {
			return fmt.Errorf("%s cannot be used: the unprivileged user (uid %d) that the server runs as may not enter %s", path, as.Uid, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// permits reads from the mode whether a user may read (4), write (2) or
// execute (1).
func permits(path string, as *syscall.Credential, bits uint32) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	perm := uint32(info.Mode().Perm())
	switch {
	case st.Uid == as.Uid:
		perm >>= 6
	case st.Gid == as.Gid:
		perm >>= 3
	}
	return perm&bits == bits
}
