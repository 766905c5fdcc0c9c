package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// admin is the superuser that initdb makes.
const admin = "postgres"

// keepFor is the life of a kept server whose Spec names none.
const keepFor = 2 * time.Hour

// cluster is one server on its way up: its directory, what owner.json says,
// and the programs it is made with.
type cluster struct {
	scratch
	rec      record
	bin      string
	as       *syscall.Credential
	password string
	port     int
	without  string // a library that was to be preloaded and is not there
}

func (m *machine) provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (_ *snapshot.Target, err error) {
	if !offer.OK {
		return nil, fmt.Errorf("start %s server: %s", m.kind, offer.Detail)
	}
	timeout := m.opt.StartTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	rec := record{
		Kind: m.kind, Run: spec.Run, Owner: owner.Self(), Keep: spec.Keep, Expires: spec.Expires,
		Created: time.Now(), Bin: offer.Place, Version: offer.Version,
	}
	if rec.Keep && rec.Expires.IsZero() {
		rec.Expires = rec.Created.Add(keepFor)
	}
	s, err := m.newScratch(rec)
	if err != nil {
		return nil, fmt.Errorf("start %s server: %w", m.kind, err)
	}
	c := &cluster{scratch: s, rec: rec, bin: offer.Place, as: m.user(), password: random(16)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s server (%s): %w", m.kind, offer.Detail, err)
			if e := destroy(context.WithoutCancel(ctx), s); e != nil {
				err = errors.Join(err, e)
			}
		}
	}()
	if err := reachable(c.bin, c.as); err != nil {
		return nil, err
	}
	if err := c.initdb(ctx); err != nil {
		return nil, err
	}
	if err := c.start(ctx, spec.Settings); err != nil {
		return nil, err
	}
	return m.target(c, offer.Detail, rec.Expires), nil
}

func (m *machine) target(c *cluster, detail string, expires time.Time) *snapshot.Target {
	if c.without != "" {
		detail += ", without " + c.without + " (not installed)"
	}
	s := c.scratch
	return &snapshot.Target{
		Kind: m.kind, Version: c.rec.Version, Detail: detail,
		Host: "127.0.0.1", Port: c.port, User: admin, Password: c.password,
		Tools: &tools{machine: m, cluster: c},
		Handle: snapshot.Handle{
			Kind: m.kind, Run: c.rec.Run, ID: string(s), Host: "127.0.0.1", Port: c.port,
			Expires: expires, Password: c.password, Bin: c.bin,
		},
		Close: func(ctx context.Context) error { return destroy(ctx, s) },
	}
}

// command prepares a server program: unprivileged, in a session of its own so
// that a terminal's Ctrl-C is ours alone, with nothing of our environment.
func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "HOME=" + c.file("data")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.as}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// initdb makes the data directory: UTF-8, with a locale that sorts by code
// point and yet knows the letters of all languages, and that is the same on
// every machine: PostgreSQL's own from 17 on, the C library's C.UTF-8 where
// there is one, else plain C. Databases restored from a dump bring their own.
func (c *cluster) initdb(ctx context.Context) error {
	pwfile := c.file("sock/pwfile") // a directory of the server's user
	if err := os.WriteFile(pwfile, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(pwfile)
	if c.as != nil {
		if err := os.Chown(pwfile, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return err
		}
	}
	base := []string{
		"-D", c.file("data"), "-U", admin, "--pwfile=" + pwfile, "-A", "scram-sha-256",
		"-E", "UTF8", "--no-sync", "--lc-messages=C",
	}
	locales := [][]string{{"--locale=C.UTF-8"}, {"--locale=C"}}
	if majorOf(c.rec.Version) >= 17 {
		builtin := []string{"--locale-provider=builtin", "--builtin-locale=C.UTF-8"}
		locales = [][]string{append(builtin, "--locale=C.UTF-8"), append(builtin, "--locale=C")}
	}
	var err error
	for _, locale := range locales {
		var out []byte
		out, err = c.command(ctx, "initdb", slices.Concat(base, locale)...).CombinedOutput()
		_ = appendFile(c.file("server.log"), out)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("run initdb: %w: %s", cause(ctx, err), lastLines(out, 5))
		if ctx.Err() != nil || !strings.Contains(string(out), "invalid locale") {
			return err
		}
	}
	return err
}

// start writes the settings and starts the server, on another port as long as
// somebody else is quicker to take the free one we found.
func (c *cluster) start(ctx context.Context, settings map[string]string) error {
	conf, err := os.ReadFile(c.file("data/postgresql.conf"))
	if err != nil {
		return fmt.Errorf("configure server: %w", err)
	}
	settings = maps.Clone(settings)
	for tries := 0; ; tries++ {
		if c.port, err = freePort(); err != nil {
			return err
		}
		// Written over, not replaced: the file stays the server's user's.
		if err := os.WriteFile(c.file("data/postgresql.conf"), append(conf, c.settings(settings)...), 0o600); err != nil {
			return fmt.Errorf("configure server: %w", err)
		}
		err := c.run(ctx)
		var died *startError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &died) || ctx.Err() != nil || tries >= 8:
			return err
		case strings.Contains(died.log, "Address already in use"):
		case c.without == "" && strings.Contains(died.log, "could not access file") && settings["shared_preload_libraries"] != "":
			// Contributed modules are a package of their own on Red Hat.
			c.without = settings["shared_preload_libraries"]
			delete(settings, "shared_preload_libraries")
		default:
			return err
		}
	}
}

// settings renders what is appended to postgresql.conf. Ours come last, for
// the last line of a name counts: a server nobody else reaches is not up to
// the caller.
func (c *cluster) settings(want map[string]string) []byte {
	own := map[string]string{
		"listen_addresses":           "127.0.0.1",
		"port":                       strconv.Itoa(c.port),
		"unix_socket_directories":    c.file("sock"),
		"unix_socket_permissions":    "0700",
		"dynamic_shared_memory_type": sharedMemory(),
		"logging_collector":          "off",
		"log_destination":            "stderr",
	}
	if len(c.file("sock/.s.PGSQL.65535")) > 103 { // 104 bytes with the NUL on BSD and macOS, 108 on Linux
		own["unix_socket_directories"] = ""
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, m := range []map[string]string{want, own} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "%s = '%s'\n", k, strings.ReplaceAll(m[k], "'", "''"))
		}
	}
	return []byte(b.String())
}

// sharedMemory picks where parallel workers exchange data: /dev/shm is quick,
// but 64 MB in a container, which a parallel index build overruns; files in
// the data directory always suffice.
func sharedMemory() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err == nil && uint64(fs.Bavail)*uint64(fs.Bsize) >= 1<<30 {
		return "posix"
	}
	return "mmap"
}

// startError is a server that ended instead of answering.
type startError struct {
	err error
	log string
}

func (e *startError) Error() string { return fmt.Sprintf("run postgres: %v: %s", e.err, e.log) }
func (e *startError) Unwrap() error { return e.err }

// run starts the postmaster and waits until it says in its own postmaster.pid
// that it accepts connections, on our port: no other server that answers there
// can be taken for it.
func (c *cluster) run(ctx context.Context) error {
	log, err := os.OpenFile(c.file("server.log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	// Not bound to ctx: the server outlives the call, and a kept one this
	// process. A file, not a pipe, takes its output for the same reason.
	cmd := c.command(context.Background(), "postgres", "-D", c.file("data"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run postgres: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	c.rec.Server = owner.Of(cmd.Process.Pid)
	if err := c.write(c.rec); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		pm := c.postmaster()
		if pm.pid == cmd.Process.Pid && pm.port == c.port && pm.status == "ready" {
			return nil
		}
		select {
		case err := <-exited:
			if err == nil {
				err = errors.New("it ended at once")
			}
			said, _ := io.ReadAll(io.NewSectionReader(log, begin, 1<<20))
			return &startError{err, lastLines(said, 12)}
		case <-ctx.Done():
			said, _ := io.ReadAll(io.NewSectionReader(log, begin, 1<<20))
			return fmt.Errorf("wait for the server: %w: %s", context.Cause(ctx), lastLines(said, 5))
		case <-tick.C:
		}
	}
}

// postmaster is what postmaster.pid says.
type postmaster struct {
	pid, port int
	status    string // "starting", "ready", "stopping"
}

func (s scratch) postmaster() (pm postmaster) {
	data, err := os.ReadFile(s.file("data/postmaster.pid"))
	if err != nil {
		return pm
	}
	lines := strings.Split(string(data), "\n")
	pm.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 3 {
		pm.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	if len(lines) > 7 {
		pm.status = strings.TrimSpace(lines[7])
	}
	return pm
}

// freePort asks the system for one nobody listens on right now.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// cause prefers why a context ended to the kill signal that ended the process.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// lastLines is the end of a log, on one line.
func lastLines(log []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
