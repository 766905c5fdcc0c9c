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
	"strings"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// keepFor is the life of a kept server whose Spec names none.
const keepFor = 2 * time.Hour

// cluster is the servers of one scratch directory: the directory, of which
// product they are, and the programs they are made with.
type cluster struct {
	scratch
	*product
	release  string // of the server, "15.18"
	bin      string
	as       *syscall.Credential
	password string
	timeout  time.Duration // of a start
	without  string        // a library that was to be preloaded and is not there

	templates templates
	template  string // what the first data directory was copied from, "" for nothing
}

func (m *machine) provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (*snapshot.Target, error) {
	t, err := m.attempt(ctx, spec, offer, templates(m.opt.Templates))
	var damaged *damagedError
	if errors.As(err, &damaged) {
		t, err = m.attempt(ctx, spec, offer, "")
	}
	return t, err
}

// damagedError: no server starts on the copy of a template, which is deleted.
type damagedError struct{ error }

func (e *damagedError) Unwrap() error { return e.error }

func (m *machine) attempt(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer, kept templates) (_ *snapshot.Target, err error) {
	if !offer.OK {
		return nil, fmt.Errorf("start %s server: %s", m.kind, offer.Detail)
	}
	p, err := productOf(spec.Engine)
	if err != nil {
		return nil, fmt.Errorf("start %s server: %w", m.kind, err)
	}
	ctx, cancel := context.WithTimeout(ctx, m.startTimeout())
	defer cancel()

	rec := record{
		Kind: m.kind, Run: spec.Run, Owner: owner.Self(), Keep: spec.Keep, Expires: spec.Expires,
		Created: time.Now(), Engine: p.engine, Bin: offer.Place, Version: offer.Version, Settings: spec.Settings,
	}
	if rec.Keep && rec.Expires.IsZero() {
		rec.Expires = rec.Created.Add(keepFor)
	}
	s, err := m.newScratch(rec, p)
	if err != nil {
		return nil, fmt.Errorf("start %s server: %w", m.kind, err)
	}
	c := m.cluster(s, p, rec, random(16))
	c.templates = kept
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
	if err := c.initialise(ctx, c); err != nil {
		return nil, err
	}
	port, err := c.start(ctx, snapshot.FirstInstance, 0, spec.Settings)
	if err != nil {
		if c.template != "" && ctx.Err() == nil {
			kept.discard(c.template)
			err = &damagedError{err}
		}
		return nil, err
	}
	return m.target(c, port, rec, offer.Detail), nil
}

func (m *machine) startTimeout() time.Duration {
	if m.opt.StartTimeout != 0 {
		return m.opt.StartTimeout
	}
	return time.Minute
}

func (m *machine) cluster(s scratch, p *product, rec record, password string) *cluster {
	return &cluster{scratch: s, product: p, release: rec.Version, bin: rec.Bin, as: user(p), password: password, timeout: m.startTimeout()}
}

func (m *machine) target(c *cluster, port int, rec record, detail string) *snapshot.Target {
	if c.without != "" {
		detail += ", without " + c.without + " (not installed)"
	}
	s := c.scratch
	t := &snapshot.Target{
		Kind: m.kind, Version: rec.Version, Detail: detail,
		Host: loopback, Port: port, User: c.admin, Password: c.password,
		Tools: &tools{machine: m, cluster: c},
		Handle: snapshot.Handle{
			Kind: m.kind, Run: rec.Run, ID: string(s), Host: loopback, Port: port,
			Expires: rec.Expires, Password: c.password, Bin: c.bin, Engine: c.engine,
		},
		Close: func(ctx context.Context) error { return destroy(ctx, s) },
	}
	if c.several {
		t.Instances = &instances{cluster: c}
	} else {
		t.Restart = c.restart
	}
	return t
}

const loopback = "127.0.0.1"

// command prepares a program: unprivileged, in a session of its own so that a
// terminal's Ctrl-C is ours alone, with nothing of our environment.
func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "HOME=" + c.file("data")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.as}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// secret writes a file that only the server's user can read.
func (c *cluster) secret(name, content string) (string, error) {
	path := c.file("sock/" + name) // a directory of the server's user
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return "", err
	}
	return path, c.own(path)
}

// own gives a file to the server's user.
func (c *cluster) own(path string) error { return chown(path, c.as) }

// start starts an instance's server on a port, or on any for 0: then on another
// one as long as somebody else is quicker to take the free one we found.
func (c *cluster) start(ctx context.Context, instance string, wanted int, settings map[string]string) (int, error) {
	settings = maps.Clone(settings)
	for tries := 0; ; tries++ {
		port, err := wanted, error(nil)
		if port == 0 {
			port, err = freePort()
		}
		if err != nil {
			return 0, err
		}
		args, err := c.arguments(c, instance, port, settings)
		if err != nil {
			return 0, err
		}
		err = c.run(ctx, instance, port, args)
		var died *startError
		switch {
		case err == nil:
			return port, nil
		case !errors.As(err, &died) || ctx.Err() != nil || tries >= 8:
			return 0, err
		case c.adjust(c, settings, died.log):
		case strings.Contains(died.log, "Address already in use"):
			if wanted != 0 { // a session of somebody's that will end, as a rule
				time.Sleep(time.Duration(tries) * 100 * time.Millisecond)
			}
		default:
			return 0, err
		}
	}
}

// restart is snapshot.Target's, of a cluster of one server. On record is the
// server that was stopped until the next one is: it has no process any more, so
// that nobody takes another for it.
func (c *cluster) restart(ctx context.Context, settings map[string]string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restart the server: %w", err)
		}
	}()
	const it = snapshot.FirstInstance
	rec, err := c.read()
	if err != nil {
		return err
	}
	srv, ok := rec.Servers[it]
	if !ok {
		return errors.New("it was never started")
	}
	if c.alive(srv, it) {
		// Killed while it still writes, it would only have to read its log first.
		if err := end(ctx, srv.Owner, syscall.SIGINT, 24*time.Hour); err != nil {
			return err
		}
	}
	all := maps.Clone(rec.Settings)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, settings)
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, err = c.start(ctx, it, srv.Port, all)
	return err
}

// startError is a server that ended instead of answering.
type startError struct {
	program string
	err     error
	log     string
}

func (e *startError) Error() string { return fmt.Sprintf("run %s: %v: %s", e.program, e.err, e.log) }
func (e *startError) Unwrap() error { return e.err }

// wait holds a server back until its process is on record: killed before
// that, we close the pipe it reads from, and it ends instead of leaking.
const wait = `read -r go && exec "$0" "$@" </dev/null`

// run starts an instance's server and waits until it is ready.
func (c *cluster) run(ctx context.Context, instance string, port int, args []string) error {
	log, err := os.OpenFile(c.file(c.log(instance)), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	program := c.server(c.bin)
	// Not bound to ctx: the server outlives the call, and a kept one this
	// process. A file, not a pipe, takes its output for the same reason.
	cmd := c.command(context.Background(), "/bin/sh", append([]string{"-c", wait, program}, args...)...)
	cmd.Dir = c.file(c.data(instance))
	cmd.Stdout, cmd.Stderr = log, log
	gate, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	program = filepath.Base(program)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	closing := false
	err = c.update(func(rec *record) {
		if rec.Servers == nil {
			rec.Servers = map[string]server{}
		}
		rec.Servers[instance] = server{owner.Of(cmd.Process.Pid), port}
		closing = rec.Closing
	})
	if closing {
		err = errors.New("its directory is being removed")
	}
	if err == nil {
		_, err = io.WriteString(gate, "go\n")
	}
	if e := gate.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.ready(c, instance, cmd.Process.Pid, port) {
			return nil
		}
		select {
		case err := <-exited:
			if err == nil {
				err = errors.New("it ended at once")
			}
			said, _ := io.ReadAll(io.NewSectionReader(log, begin, 1<<20))
			return &startError{program, err, lastLines(said, 12)}
		case <-ctx.Done():
			said, _ := io.ReadAll(io.NewSectionReader(log, begin, 1<<20))
			return fmt.Errorf("wait for the server: %w: %s", context.Cause(ctx), lastLines(said, 5))
		case <-tick.C:
		}
	}
}

// freePort asks the system for one nobody listens on right now.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", loopback+":0")
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
