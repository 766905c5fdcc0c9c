//go:build unix

package rundir

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the file's advisory lock, which the kernel gives back when the
// process ends.
func tryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
