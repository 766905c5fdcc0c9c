package local

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// scratch is one server's private directory:
//
//	owner.json  who made it and until when; written before anything else
//	data/       the server's data directory, or one of each instance
//	sock/       Unix sockets, and what is for the server's user's eyes only
//	share/      files lent to client programs
//	*.log       what initialisation and the servers said
type scratch string

func (s scratch) file(name string) string { return filepath.Join(string(s), name) }

// record is owner.json, what another process must know to stop the server, or
// to leave it alone.
type record struct {
	Kind    string      `json:"kind"`
	Run     string      `json:"run"`
	Owner   owner.Owner `json:"owner"`
	Keep    bool        `json:"keep"`
	Expires time.Time   `json:"expires,omitzero"`
	Created time.Time   `json:"created"`
	Engine  string      `json:"engine,omitempty"` // "" is PostgreSQL
	Bin     string      `json:"bin"`
	Version string      `json:"version"`
	// Settings of all instances, from the Spec.
	Settings map[string]string `json:"settings,omitempty"`
	// Servers are the running ones, by instance. A server is on record before
	// its program starts.
	Servers map[string]server `json:"servers,omitempty"`
	// Closing says that the directory is about to be removed: nothing starts
	// in it any more.
	Closing bool `json:"closing,omitempty"`
}

// server is a process and the port it was told to listen on.
type server struct {
	owner.Owner
	Port int `json:"port"`
}

// name is the product's.
func (r record) name() string {
	if p, err := productOf(r.Engine); err == nil {
		return p.name
	}
	return r.Engine
}

// orphaned says why nobody wants the server any more; "" if somebody may: a
// process that still works with it is never robbed of it, expired or not.
func (r record) orphaned(now time.Time) string {
	switch {
	case r.Owner.Here() && r.Owner.Alive():
		return ""
	case !r.Expires.IsZero() && now.After(r.Expires):
		return "expired " + r.Expires.UTC().Format(time.RFC3339)
	case !r.Keep && !r.Owner.Alive():
		return fmt.Sprintf("process %d, which started it, is gone", r.Owner.PID)
	}
	return ""
}

// root makes the directory that holds all servers of this user, or checks it.
// It is at a guessable place below a directory anybody may write to, so one
// that is a link, or another user's, or writable to others is refused.
func (m *machine) root() (string, error) {
	parent := m.opt.Scratch
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", fmt.Errorf("find scratch directory: %w", err)
	}
	// The server's user must pass through where this process drops its
	// privileges; names below are then known only to those who list it.
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if parent, err = filepath.EvalSymlinks(parent); err != nil {
		return "", fmt.Errorf("find scratch directory: %w", err)
	}
	dir := filepath.Join(parent, fmt.Sprintf("migration-gate-%d", os.Geteuid()))
	if err := private(dir, mode, "scratch directory"); err != nil {
		return "", err
	}
	return dir, nil
}

// private makes a directory at a guessable place, or checks that the one that
// is there is this user's alone.
func private(dir string, mode fs.FileMode, what string) error {
	if err := os.Mkdir(dir, mode); err == nil {
		// The umask may have taken bits away.
		return os.Chmod(dir, mode)
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", what, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check %s: %w", what, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("check %s: %s is not a directory", what, dir)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("check %s: %s belongs to another user", what, dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("check %s: %s is writable to others (mode %o)", what, dir, info.Mode().Perm())
	}
	return nil
}

// newScratch makes a server's directory with its owner file in it.
func (m *machine) newScratch(rec record, p *product) (scratch, error) {
	root, err := m.root()
	if err != nil {
		return "", err
	}
	as := user(p)
	if err := reachable(root, as); err != nil {
		return "", err
	}
	// Made aside and moved into place, so that Reap never sees a directory
	// that does not say yet whose it is. Short, for the socket's path has 107
	// bytes.
	name := random(5)
	tmp := filepath.Join(root, ".new-"+name)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return "", fmt.Errorf("make scratch directory: %w", err)
	}
	s := scratch(tmp)
	err = s.write(rec)
	if err == nil && as != nil {
		err = os.Chmod(tmp, 0o711)
	}
	for _, sub := range []string{"data", "sock", "share"} {
		if err == nil {
			err = os.Mkdir(s.file(sub), 0o700)
		}
		if err == nil && as != nil {
			err = os.Chown(s.file(sub), int(as.Uid), int(as.Gid))
		}
	}
	final := filepath.Join(root, name)
	if err == nil {
		err = os.Rename(tmp, final)
	}
	if err != nil {
		_ = os.RemoveAll(tmp)
		return "", fmt.Errorf("make scratch directory: %w", err)
	}
	return scratch(final), nil
}

func (s scratch) write(rec record) error {
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	tmp := s.file("owner.json.new")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, s.file("owner.json"))
}

// update changes the record, one process and one goroutine at a time.
func (s scratch) update(change func(*record)) error {
	lock, err := os.OpenFile(s.file("owner.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // and with it the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	rec, err := s.read()
	if err != nil {
		return err
	}
	change(&rec)
	return s.write(rec)
}

func (s scratch) read() (record, error) {
	var rec record
	data, err := os.ReadFile(s.file("owner.json"))
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read %s: %w", s.file("owner.json"), err)
	}
	return rec, nil
}

// random is n bytes of randomness in hex.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}
