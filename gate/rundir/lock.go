package rundir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A BusyError says that another process works on the target of that name.
type BusyError struct {
	Name string
	PID  string // of the holder, where it could be read
}

func (e *BusyError) Error() string {
	by := "another migration-gate"
	if e.PID != "" {
		by += " (process " + e.PID + ")"
	}
	return fmt.Sprintf("target %s is in use by %s: wait for it, or use another name", e.Name, by)
}

var errLocked = errors.New("locked")

// Lock reserves a name for this process until unlock is called or the process
// ends, however it ends. A name that is taken is a *BusyError at once: two
// steps of one pipeline that overlap are a mistake, not a queue.
func (d *Dir) Lock(name string) (unlock func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir, err := d.make("locks")
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock target %s: %w", name, err)
	}
	if err := tryLock(f); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		if errors.Is(err, errLocked) {
			return nil, &BusyError{Name: name, PID: strings.TrimSpace(string(pid))}
		}
		return nil, fmt.Errorf("lock target %s: %w", name, err)
	}
	// The file stays: removing it would let a third process lock a new file
	// while a second one waits on the old.
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	return func() { _ = f.Truncate(0); f.Close() }, nil
}
