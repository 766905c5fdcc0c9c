package command

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// makeDir makes a directory and those above it. What root makes belongs to
// whoever owns the directory that was there: an action runs as root in a
// checkout of the runner's user, who must be able to remove it again.
func makeDir(dir string) error {
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		_, err := os.Stat(d)
		if err == nil || d == filepath.Dir(d) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := give(missing[i]); err != nil {
			return err
		}
	}
	return nil
}

// give makes a file or directory that root made belong to the owner of the
// directory it is in. Where root may not (a file system of another machine), it
// stays root's.
func give(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || info.Mode()&fs.ModeSticky != 0 { // /tmp is nobody's
		return nil
	}
	err = os.Lchown(path, int(st.Uid), int(st.Gid))
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
