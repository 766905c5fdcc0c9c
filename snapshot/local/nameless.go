package local

import (
	"errors"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
)

// nssWrapper answers for the C library's list of users out of a file.
const nssWrapper = "libnss_wrapper.so"

// lendName is the environment in which this process's user has a name, nil
// where it needs none. A container may run as a number that no list of users
// has, and initdb refuses to work for somebody without a name.
func (c *cluster) lendName() ([]string, error) {
	uid, gid := os.Geteuid(), os.Getegid()
	if c.as != nil {
		uid, gid = int(c.as.Uid), int(c.as.Gid)
	}
	var unknown osuser.UnknownUserIdError
	if _, err := osuser.LookupId(strconv.Itoa(uid)); !errors.As(err, &unknown) {
		return nil, nil
	}
	var library string
	for _, glob := range []string{"/usr/lib/*/", "/usr/lib64/", "/usr/lib/"} {
		if found, _ := filepath.Glob(glob + nssWrapper); library == "" && len(found) > 0 {
			library = found[0]
		}
	}
	if library == "" { // a directory service may know it
		return nil, nil
	}
	users, err := c.secret("passwd", c.admin+":x:"+strconv.Itoa(uid)+":"+strconv.Itoa(gid)+"::/nonexistent:/bin/false\n")
	if err != nil {
		return nil, err
	}
	groups, err := c.secret("group", c.admin+":x:"+strconv.Itoa(gid)+":\n")
	if err != nil {
		return nil, err
	}
	return []string{"LD_PRELOAD=" + library, "NSS_WRAPPER_PASSWD=" + users, "NSS_WRAPPER_GROUP=" + groups}, nil
}
