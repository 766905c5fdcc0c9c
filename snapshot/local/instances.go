package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// instances are the servers of one cluster, each on a directory of its own
// below data/.
type instances struct {
	*cluster
	mu    sync.Mutex
	locks map[string]*sync.RWMutex // by name; the record speaks for other processes
}

var _ snapshot.Instances = (*instances)(nil)

var instanceName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// lock takes instances in the order of their names: those changed alone, those
// read together with other readers.
func (i *instances) lock(change string, read ...string) func() {
	names := slices.Sorted(slices.Values(append(read, change)))
	var unlock []func()
	for _, name := range names {
		i.mu.Lock()
		if i.locks == nil {
			i.locks = map[string]*sync.RWMutex{}
		}
		l := i.locks[name]
		if l == nil {
			l = &sync.RWMutex{}
			i.locks[name] = l
		}
		i.mu.Unlock()
		if name == change {
			l.Lock()
			unlock = append(unlock, l.Unlock)
		} else {
			l.RLock()
			unlock = append(unlock, l.RUnlock)
		}
	}
	return func() {
		for _, u := range unlock {
			u()
		}
	}
}

// running is the port of an instance whose server is up.
func (c *cluster) running(rec record, name string) (port int, up bool) {
	srv, ok := rec.Servers[name]
	if !ok || !c.alive(srv, name) || !c.ready(c, name, srv.PID, srv.Port) {
		return 0, false
	}
	return srv.Port, true
}

// alive says whether a recorded process is still that instance's server.
func (c *cluster) alive(srv server, name string) bool {
	return srv.Here() && srv.Alive() && serves(srv.PID, c.file(c.data(name)))
}

// Start starts an instance's server unless it runs.
func (i *instances) Start(ctx context.Context, name string, settings map[string]string) (string, int, error) {
	host, port, err := i.startInstance(ctx, name, settings)
	if err != nil {
		return "", 0, fmt.Errorf("start instance %s: %w", name, err)
	}
	return host, port, nil
}

func (i *instances) startInstance(ctx context.Context, name string, settings map[string]string) (string, int, error) {
	dir, err := i.directory(name)
	if err != nil {
		return "", 0, err
	}
	defer i.lock(name)()
	if !exists(dir) {
		return "", 0, errors.New("there is none of that name")
	}
	rec, err := i.read()
	if err != nil {
		return "", 0, err
	}
	if port, up := i.running(rec, name); up {
		return loopback, port, nil
	}
	if srv, ok := rec.Servers[name]; ok && i.alive(srv, name) {
		// On its way up, or down, or stuck: not a second one on its data.
		if err := i.halt(ctx, name, srv, syscall.SIGTERM, i.timeout); err != nil {
			return "", 0, err
		}
	}
	all := map[string]string{}
	for _, m := range []map[string]string{rec.Settings, settings} {
		for k, v := range m {
			all[strings.ReplaceAll(k, "_", "-")] = v // or both spellings of one option are in
		}
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	port, err := i.start(ctx, name, 0, all)
	if err != nil {
		return "", 0, errors.Join(err, i.kill(context.WithoutCancel(ctx), name))
	}
	return loopback, port, nil
}

// Stop shuts an instance down cleanly, however long it takes within ctx.
func (i *instances) Stop(ctx context.Context, name string) error {
	if _, err := i.directory(name); err != nil {
		return fmt.Errorf("stop instance %s: %w", name, err)
	}
	defer i.lock(name)()
	rec, err := i.read()
	if err != nil {
		return fmt.Errorf("stop instance %s: %w", name, err)
	}
	srv, ok := rec.Servers[name]
	if !ok {
		return nil
	}
	if err := i.halt(ctx, name, srv, syscall.SIGTERM, 24*time.Hour); err != nil {
		return fmt.Errorf("stop instance %s: %w", name, err)
	}
	return nil
}

// halt ends an instance's server and takes it off the record.
func (i *instances) halt(ctx context.Context, name string, srv server, sig syscall.Signal, within time.Duration) error {
	if i.alive(srv, name) {
		if err := end(ctx, srv.Owner, sig, within); err != nil {
			return err
		}
	}
	return i.update(func(rec *record) { delete(rec.Servers, name) })
}

// kill ends an instance's server at once.
func (i *instances) kill(ctx context.Context, name string) error {
	rec, err := i.read()
	if err != nil {
		return err
	}
	if srv, ok := rec.Servers[name]; ok {
		return i.halt(ctx, name, srv, syscall.SIGKILL, patience)
	}
	return nil
}

// Copy copies a stopped instance's directory aside and moves it into place.
func (i *instances) Copy(ctx context.Context, from, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy instance %s to %s: %w", from, to, err)
		}
	}()
	src, err := i.directory(from)
	if err != nil {
		return err
	}
	dst, err := i.directory(to)
	if err != nil {
		return err
	}
	if from == to {
		return errors.New("both are one")
	}
	defer i.lock(to, from)()
	rec, err := i.read()
	if err != nil {
		return err
	}
	if srv, ok := rec.Servers[from]; ok && i.alive(srv, from) {
		return fmt.Errorf("%s is running: what it has in memory would be missing", from)
	}
	if exists(dst) {
		return fmt.Errorf("%s is there already", to)
	}
	aside := filepath.Join(filepath.Dir(dst), ".new-"+to)
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := copyTree(ctx, src, aside, i.as); err != nil {
		return errors.Join(err, os.RemoveAll(aside))
	}
	return os.Rename(aside, dst)
}

// Remove kills an instance's server and deletes everything of it.
func (i *instances) Remove(ctx context.Context, name string) error {
	dir, err := i.directory(name)
	if err != nil {
		return fmt.Errorf("remove instance %s: %w", name, err)
	}
	defer i.lock(name)()
	if _, err := i.read(); errors.Is(err, fs.ErrNotExist) {
		return nil // with the whole target
	}
	if err := i.kill(ctx, name); err != nil {
		return fmt.Errorf("remove instance %s: %w", name, err)
	}
	errs := []error{os.RemoveAll(dir)}
	for _, file := range []string{i.log(name), "sock/" + name + ".pid", "sock/" + name + ".sock", "sock/" + name + ".sock.lock"} {
		errs = append(errs, os.RemoveAll(i.file(file)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove instance %s: %w", name, err)
	}
	return nil
}

// Size adds up the lengths of an instance's files.
func (i *instances) Size(ctx context.Context, name string) (int64, error) {
	dir, err := i.directory(name)
	var size int64
	if err == nil {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				size += info.Size()
			}
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("measure instance %s: %w", name, err)
	}
	return size, nil
}

// directory is an instance's data directory, there or not.
func (i *instances) directory(name string) (string, error) {
	if !instanceName.MatchString(name) {
		return "", fmt.Errorf("%q is not a name for an instance: lower-case letters, digits, _ and -, at most 32", name)
	}
	return i.file(i.data(name)), nil
}
