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

// patience is how long a server has to quit without writing anything; then it
// is killed. PostgreSQL's postmaster itself kills its children after five
// seconds.
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
	p, err := productOf(rec.Engine)
	if err != nil {
		return nil, fmt.Errorf("attach to %s server %s: %w", m.kind, h.ID, err)
	}
	c := m.cluster(s, p, rec, h.Password)
	port, up := c.running(rec, snapshot.FirstInstance)
	_, recorded := rec.Servers[snapshot.FirstInstance]
	if (recorded || !p.several) && (!up || port != h.Port && !p.several) {
		said, _ := os.ReadFile(s.file(p.log(snapshot.FirstInstance)))
		return nil, fmt.Errorf("attach to %s server %s: it does not run any more: %s", m.kind, h.ID, lastLines(said, 3))
	}
	return m.target(c, port, rec, fmt.Sprintf("server binaries %s in %s", rec.Version, rec.Bin)+p.lacks(rec.Bin)), nil
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
	var reaped []string
	orphans, err := m.orphans()
	errs := []error{err}
	for _, o := range orphans {
		if err := destroy(ctx, o.scratch); err != nil {
			errs = append(errs, err)
			continue
		}
		reaped = append(reaped, o.String())
	}
	return reaped, errors.Join(errs...)
}

// orphan is a server's directory that nobody wants any more.
type orphan struct {
	scratch
	record
	why string
}

func (o orphan) String() string {
	what := "a server" // nothing is on record of one that is half removed
	if o.Version != "" {
		what = o.name() + " " + o.Version
	}
	return fmt.Sprintf("%s in %s (%s)", what, string(o.scratch), o.why)
}

// orphans finds those below the scratch root, of either kind.
func (m *machine) orphans() ([]orphan, error) {
	root, err := m.root()
	if err != nil {
		return nil, fmt.Errorf("reap %s servers: %w", m.kind, err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("reap %s servers: %w", m.kind, err)
	}
	var orphans []orphan
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
		if why != "" {
			orphans = append(orphans, orphan{s, rec, why})
		}
	}
	return orphans, nil
}

// destroy stops the servers of a directory and removes the directory. It has a
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
	// A copy of an instance that is still on its way may put a file where one
	// was just removed; it ends when its directory is gone.
	var err error
	for range 5 {
		if err = os.RemoveAll(string(s)); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("remove %s: %w", s, err)
}

// stop ends all servers of the directory, and whatever else still works in its
// data, and lets none start any more. PostgreSQL's postmaster.pid is only a
// hint, and so is a number on record; no process is signalled that does not run
// as a server of this directory, or waits there to become one.
func (s scratch) stop(ctx context.Context) error {
	data := s.file("data")
	var rec record
	if s.update(func(r *record) { r.Closing = true; rec = *r }) != nil {
		rec, _ = s.read()
	}
	p, err := productOf(rec.Engine)
	if err != nil {
		p = mysql() // whatever it is, kill it
	}
	for _, srv := range rec.Servers {
		if srv.Here() && srv.Alive() && worksIn(srv.PID, data) {
			if err := end(ctx, srv.Owner, p.quit, patience); err != nil {
				return err
			}
		}
	}
	if pid := s.postmaster().pid; serves(pid, data) {
		if err := end(ctx, owner.Of(pid), p.quit, patience); err != nil {
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
