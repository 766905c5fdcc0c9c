package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// tools runs the client programs beside the server's own.
type tools struct {
	*machine
	*cluster
}

var _ snapshot.Tools = (*tools)(nil)

// Run starts a client program as the same unprivileged user that the server
// runs as: a dump may tell psql to run a shell. It is told to reach the first
// instance; --port=N names another one's.
func (t *tools) Run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	rec, err := t.read()
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	port := rec.Servers[snapshot.FirstInstance].Port
	if port == 0 && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--port=") }) {
		// Without a port, programs take the one that production is on.
		return fmt.Errorf("run %s: the instance %s does not run, and no --port= names another's", name, snapshot.FirstInstance)
	}
	names, args, env := t.client(t.cluster, port, name, args)
	program, err := t.lookup(ctx, names)
	if err != nil {
		return err
	}
	cmd := t.command(ctx, program, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && ctx.Err() == nil:
		return fmt.Errorf("run %w", &snapshot.ExitError{Program: name, Code: exit.ExitCode()})
	}
	return fmt.Errorf("run %s: %w", name, cause(ctx, err))
}

// lookup finds a client program by any of its names, beside the server first.
func (t *tools) lookup(ctx context.Context, names []string) (string, error) {
	dirs := t.beside(t.bin)
	for _, dir := range dirs {
		for _, n := range names {
			if hasPrograms(dir, []string{n}) {
				return filepath.Join(dir, n), nil
			}
		}
	}
	program, err := t.elsewhere(ctx, t.product, t.release, names)
	if errors.Is(err, errNowhere) {
		err = fmt.Errorf("run %s: %w: it is neither in %s nor installed elsewhere", names[0], snapshot.ErrNoTool, strings.Join(dirs, " or "))
	}
	return program, err
}

// errNowhere: no version of a client program is on this machine.
var errNowhere = errors.New("it is not installed")

// ClientProgram finds a client program of an engine by any of its names, for a
// server of that version which runs elsewhere: of the very same series, else the
// newest there is that is not older. In the error's chain is snapshot.ErrNoTool
// where there is none.
func ClientProgram(ctx context.Context, opt Options, engine, version string, names []string) (string, error) {
	p, err := productOf(engine)
	if err != nil {
		return "", err
	}
	m := &machine{opt: opt}
	program, err := m.elsewhere(ctx, p, version, names)
	if errors.Is(err, errNowhere) {
		err = fmt.Errorf("run %s: %w: %w", names[0], snapshot.ErrNoTool, err)
	}
	return program, err
}

// elsewhere finds a client program anywhere on the machine: of the very same
// series, else the newest there is that is not older.
func (m *machine) elsewhere(ctx context.Context, p *product, release string, names []string) (string, error) {
	var newest []binaries
	for _, n := range names {
		found, _, _ := m.find(ctx, p, []string{n})
		best, exact := choose(p.engine, found, release)
		if exact {
			return filepath.Join(best.dir, n), nil
		}
		if len(found) > 0 && compareVersions(found[0].version, release) > 0 {
			return filepath.Join(found[0].dir, n), nil
		}
		if newest == nil && len(found) > 0 {
			newest = found[:1]
		}
	}
	if newest != nil {
		return "", fmt.Errorf("run %s: %w: the server is %s %s, the newest one here is %s", names[0], snapshot.ErrNoTool, p.name, release, list(newest))
	}
	return "", errNowhere
}

// Share returns a path that the client programs' user can read: the file
// itself where the modes allow it, else a hard link, else a copy.
func (t *tools) Share(ctx context.Context, path string) (string, func(), error) {
	real, err := filepath.Abs(path)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return "", nil, fmt.Errorf("share %s: %w", path, err)
	}
	src, err := os.Open(real) // also where no copy is made: the clear error is ours
	if err != nil {
		return "", nil, fmt.Errorf("share %s: %w", path, err)
	}
	defer src.Close()
	if info, err := src.Stat(); err == nil && info.IsDir() {
		to, remove, err := t.shareFolder(ctx, real)
		if err != nil {
			return "", nil, fmt.Errorf("share %s: %w", path, err)
		}
		return to, remove, nil
	}
	readable := t.as == nil || permits(real, t.as, 0o4)
	if readable && reachable(filepath.Dir(real), t.as) == nil {
		return real, func() {}, nil
	}
	to := t.file("share/" + random(4) + "-" + filepath.Base(real))
	var once sync.Once
	remove := func() { once.Do(func() { _ = os.Remove(to) }) }
	if readable && os.Link(real, to) == nil {
		return to, remove, nil
	}
	if err := t.copy(ctx, to, src); err != nil {
		remove()
		return "", nil, fmt.Errorf("share %s: %w", path, err)
	}
	return to, remove, nil
}

// shareFolder is Share of a directory of files, as some dumps are.
func (t *tools) shareFolder(ctx context.Context, real string) (string, func(), error) {
	list, err := os.ReadDir(real)
	if err != nil {
		return "", nil, err
	}
	mode := func(name string) bool { return t.as == nil || permits(filepath.Join(real, name), t.as, 0o4) }
	// Where a link leads, that user may not be let in.
	readable := func(e os.DirEntry) bool { return e.Type().IsRegular() && mode(e.Name()) }
	if reachable(real, t.as) == nil && mode(".") && !slices.ContainsFunc(list, func(e os.DirEntry) bool { return !readable(e) }) {
		return real, func() {}, nil
	}
	to := t.file("share/" + random(4) + "-" + filepath.Base(real))
	var once sync.Once
	remove := func() { once.Do(func() { _ = os.RemoveAll(to) }) }
	if err := t.copyFolder(ctx, to, real, list, readable); err != nil {
		remove()
		return "", nil, err
	}
	return to, remove, nil
}

func (t *tools) copyFolder(ctx context.Context, to, real string, list []os.DirEntry, readable func(os.DirEntry) bool) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	if t.as != nil {
		if err := os.Chown(to, int(t.as.Uid), int(t.as.Gid)); err != nil {
			return err
		}
	}
	for _, e := range list {
		from, into := filepath.Join(real, e.Name()), filepath.Join(to, e.Name())
		if info, err := os.Stat(from); err != nil || info.IsDir() {
			continue
		}
		if readable(e) && os.Link(from, into) == nil {
			continue
		}
		src, err := os.Open(from)
		if err != nil {
			return err
		}
		err = t.copy(ctx, into, src)
		_ = src.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// copy writes a file for the server's user alone; io.Copy shares the blocks
// where the file system can.
func (t *tools) copy(ctx context.Context, to string, src *os.File) error {
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	defer dst.Close()
	stop := context.AfterFunc(ctx, func() { _ = dst.SetDeadline(time.Now()); _ = src.Close() })
	defer stop()
	if _, err := io.Copy(dst, src); err != nil {
		return cause(ctx, err)
	}
	if t.as != nil {
		if err := dst.Chown(int(t.as.Uid), int(t.as.Gid)); err != nil {
			return err
		}
	}
	return dst.Close()
}

// Free is what an unprivileged user may still write on the data directory's
// file system.
func (t *tools) Free(context.Context) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(t.file("data"), &fs); err != nil {
		return 0, fmt.Errorf("read free space of %s: %w", t.file("data"), err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}
