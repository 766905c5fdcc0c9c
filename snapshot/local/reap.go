package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// patience is how long a server has for an immediate shutdown, which writes
// nothing; then it is killed. The postmaster itself kills its children after
// five seconds.
const patience = 8 * time.Second

// Attach finds a running server again that an earlier process left.
func (m *machine) Attach(ctx context.Context, h snapshot.Handle) (*snapshot.Target, error) {
	s, err := m.within(h.ID)
	if err != nil {
		return nil, fmt.Errorf("attach to %s server: %w", m.kind, err)
	}
	rec, err := s.read()
	if err != nil {
		return nil, fmt.Errorf("attach to %s server %s: it is gone: %w", m.kind, h.ID, err)
	}
	pm := s.postmaster()
	if !serves(pm.pid, s.file("data")) || pm.port != h.Port || pm.status != "ready" {
		said, _ := os.ReadFile(s.file("server.log"))
		return nil, fmt.Errorf("attach to %s server %s: it does not run any more: %s", m.kind, h.ID, lastLines(said, 3))
	}
	c := &cluster{scratch: s, rec: rec, bin: rec.Bin, as: m.user(), password: h.Password, port: h.Port}
	return m.target(c, fmt.Sprintf("server binaries %s in %s", rec.Version, rec.Bin), rec.Expires), nil
}

// Destroy stops the server and removes its directory.
func (m *machine) Destroy(ctx context.Context, h snapshot.Handle) error {
	s, err := m.within(h.ID)
	if err != nil {
		return fmt.Errorf("destroy %s server: %w", m.kind, err)
	}
	return destroy(ctx, s)
}

// within refuses a handle that points anywhere but right below the root: what
// it names will be deleted.
func (m *machine) within(id string) (scratch, error) {
	root, err := m.root()
	if err != nil {
		return "", err
	}
	if id != filepath.Clean(id) || filepath.Dir(id) != root {
		return "", fmt.Errorf("%q is not a directory of servers that this user started here (%s)", id, root)
	}
	return scratch(id), nil
}

// Reap destroys the servers below the scratch root that nobody wants any
// more, of either kind, and returns a line for each.
func (m *machine) Reap(ctx context.Context) ([]string, error) {
	root, err := m.root()
	if err != nil {
		return nil, fmt.Errorf("reap %s servers: %w", m.kind, err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("reap %s servers: %w", m.kind, err)
	}
	var reaped []string
	var errs []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		s := scratch(filepath.Join(root, e.Name()))
		rec, err := s.read()
		why := rec.orphaned(time.Now())
		if errors.Is(err, fs.ErrNotExist) {
			// Half made (a hidden name, and its maker may be at it) or half
			// removed.
			info, err := e.Info()
			if err != nil || strings.HasPrefix(e.Name(), ".") && time.Since(info.ModTime()) < time.Minute {
				continue
			}
			why = "left by an interrupted removal"
		} else if err != nil {
			why = "owner file unreadable"
		}
		if why == "" {
			continue
		}
		if err := destroy(ctx, s); err != nil {
			errs = append(errs, err)
			continue
		}
		reaped = append(reaped, fmt.Sprintf("PostgreSQL %s in %s (%s)", rec.Version, s, why))
	}
	return reaped, errors.Join(errs...)
}

// destroy stops the server of a directory and removes the directory. It has a
// context of its own, for cleaning up is what is left to do when the caller's
// is done.
func destroy(ctx context.Context, s scratch) error {
	if _, err := os.Lstat(string(s)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		return fmt.Errorf("stop server in %s: %w", s, err)
	}
	if err := os.RemoveAll(string(s)); err != nil {
		return fmt.Errorf("remove %s: %w", s, err)
	}
	return nil
}

// stop ends the postmaster, and whatever else still works in the data
// directory. Both places that name a process are only hints; none is signalled
// that does not run as a server of this directory.
func (s scratch) stop(ctx context.Context) error {
	data := s.file("data")
	rec, _ := s.read()
	for _, pid := range []int{rec.Server.PID, s.postmaster().pid} {
		if pid <= 0 || !serves(pid, data) {
			continue
		}
		o := owner.Of(pid)
		if err := end(ctx, o, syscall.SIGQUIT, patience); err != nil {
			return err
		}
	}
	for _, pid := range workers(data) {
		if err := end(ctx, owner.Of(pid), syscall.SIGKILL, patience); err != nil {
			return err
		}
	}
	return nil
}

// end signals a process and waits until it is gone, and kills it when it takes
// too long.
func end(ctx context.Context, o owner.Owner, sig syscall.Signal, within time.Duration) error {
	deadline := time.Now().Add(within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for o.Alive() {
		if sig != 0 {
			if err := syscall.Kill(o.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("signal process %d: %w", o.PID, err)
			}
			sig = 0
		}
		if time.Now().After(deadline) {
			sig, deadline = syscall.SIGKILL, deadline.Add(within)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end: %w", o.PID, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}
