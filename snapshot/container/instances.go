package container

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/migration-gate/migration-gate/snapshot"
)

// instances are the servers of one container. What there is and what runs is
// asked of the container each time, so that another process finds the same.
type instances struct {
	tools   *tools
	handle  snapshot.Handle
	why     string        // the route, for errors
	timeout time.Duration // of a start; 0 leaves it to the context
	mu      sync.Mutex    // ports are handed out one at a time
}

var _ snapshot.Instances = (*instances)(nil)

// Start starts the instance's server as the container's next process.
func (i *instances) Start(ctx context.Context, name string, settings map[string]string) (string, int, error) {
	host, port, err := i.start(ctx, name, settings)
	if err != nil {
		return "", 0, fmt.Errorf("start instance %s: %w", name, err)
	}
	return host, port, nil
}

func (i *instances) start(ctx context.Context, name string, settings map[string]string) (host string, port int, err error) {
	if err := named(name); err != nil {
		return "", 0, err
	}
	args, err := options(settings)
	if err != nil {
		return "", 0, err
	}
	if i.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, i.timeout, fmt.Errorf("not ready within %v", i.timeout))
		defer cancel()
	}
	server, err := i.launch(ctx, name, args)
	if err != nil {
		return "", 0, err
	}
	defer server.leave()
	if host, port, err = i.address(ctx, server.port); err == nil {
		err = i.waiting(name, net.JoinHostPort(host, strconv.Itoa(port)), server).wait(ctx)
	}
	if err != nil && !server.was { // nobody waits for it any more
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, _ = i.run(end, i.tools.product.account, nil, "stop", name)
	}
	return host, port, err
}

// waiting looks at an instance's server from all sides.
func (i *instances) waiting(name, dial string, server *serverProcess) *waiting {
	account := i.tools.product.account
	return &waiting{
		dial: dial, why: i.why, probe: probeMySQL,
		alive: func(ctx context.Context) error {
			if server.was { // somebody else waits for its end
				_, err := i.run(ctx, account, nil, "alive", name)
				return err
			}
			select {
			case <-server.ended:
				return stopped(ctx, i.tools.cli, i.handle.ID, server.lastWords())
			default:
				return nil
			}
		},
		inside: func(ctx context.Context) bool {
			_, err := i.run(ctx, account, nil, "ready", name)
			return err == nil
		},
		said: func(ctx context.Context) string {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			said, _ := i.run(ctx, account, nil, "log", name)
			return oneLine(said)
		},
	}
}

// serverProcess is a server seen through the exec that waits for its end.
type serverProcess struct {
	port  int
	was   bool // it ran before, and the exec is done
	leave func()
	ended chan struct{}
	// err and stderr are of the exec, once it ended.
	err    error
	stderr bytes.Buffer
}

func (s *serverProcess) lastWords() error {
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("the server ended: %s", oneLine(s.stderr.String()))
}

// launch starts a server and returns once its port is known and taken.
func (i *instances) launch(ctx context.Context, name string, args []string) (*serverProcess, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	run, leave := context.WithCancel(ctx)
	s := &serverProcess{leave: leave, ended: make(chan struct{})}
	cmd := script(append([]string{"run", snapshot.FirstInstance, strconv.Itoa(firstPort), strconv.Itoa(firstPort + beside), name}, args...)...)
	r, w := io.Pipe()
	go func() {
		defer close(s.ended)
		_, s.err = i.tools.exec(run, i.tools.product.account, []string{"LC_ALL=C"}, cmd, nil, w, &s.stderr)
		_ = w.Close()
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	_ = r.Close()
	if err != nil { // it ended without a word
		<-s.ended
		leave()
		if s.err == nil {
			s.err = errors.New(oneLine(s.stderr.String()))
		}
		return nil, cause(ctx, s.err)
	}
	word, port, _ := strings.Cut(strings.TrimSpace(line), " ")
	s.was = word == "running"
	if s.port, err = strconv.Atoi(port); err != nil {
		leave()
		return nil, fmt.Errorf("unexpected answer %q", line)
	}
	return s, nil
}

// address is where one of the container's ports is dialled from here: at the
// host of the first instance, which the route to it decided.
func (i *instances) address(ctx context.Context, port int) (string, int, error) {
	res, err := i.tools.cli.ContainerInspect(ctx, i.handle.ID, client.ContainerInspectOptions{})
	if err != nil {
		return "", 0, fmt.Errorf("inspect container: %w", plain(err))
	}
	if s := res.Container.NetworkSettings; s != nil {
		p, _ := network.PortFrom(uint16(port), network.TCP)
		if n := published(s.Ports, p); n != 0 {
			port = n
		}
	}
	return i.handle.Host, port, nil
}

// Stop asks the server to shut down, and waits as long as it takes.
func (i *instances) Stop(ctx context.Context, name string) error {
	return i.do(ctx, "stop", name)
}

// Copy copies a stopped instance's data directory, by reference where the file
// system can.
func (i *instances) Copy(ctx context.Context, from, to string) error {
	if err := errors.Join(named(from), named(to)); err != nil {
		return fmt.Errorf("copy instance %s: %w", from, err)
	}
	token := random(8)
	_, err := i.run(ctx, i.tools.product.account, nil, "copy", from, to, token)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("copy instance %s to %s: %w", from, to, err)
	if ctx.Err() != nil { // the engine does not end what it began
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if _, e := i.run(end, i.tools.product.account, nil, "uncopy", to, token); e != nil {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Remove kills the server, for nobody wants its data, and deletes those.
func (i *instances) Remove(ctx context.Context, name string) error {
	return i.do(ctx, "remove", name)
}

// Size is the disk space that the data directory takes.
func (i *instances) Size(ctx context.Context, name string) (int64, error) {
	if err := named(name); err != nil {
		return 0, fmt.Errorf("size of instance %s: %w", name, err)
	}
	said, err := i.run(ctx, i.tools.product.account, nil, "size", name)
	if err != nil {
		return 0, fmt.Errorf("size of instance %s: %w", name, err)
	}
	kb, _, _ := strings.Cut(said, "\t")
	n, err := strconv.ParseInt(kb, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("size of instance %s: unexpected answer %q", name, said)
	}
	return n << 10, nil
}

// do runs a command that has nothing to do where the container is gone.
func (i *instances) do(ctx context.Context, command, name string) error {
	err := named(name)
	if err == nil {
		_, err = i.run(ctx, i.tools.product.account, nil, command, name)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("%s instance %s: %w", command, name, err)
	}
	return nil
}

// run runs one command of the script to its end and returns what it printed.
func (i *instances) run(ctx context.Context, user string, env []string, args ...string) (string, error) {
	return i.exec(ctx, user, append(env, "LC_ALL=C"), script(args...), nil)
}

// install puts the script into the container and prepares that for the user
// that servers run as; it returns what the server's program says of itself.
func (i *instances) install(ctx context.Context) (string, error) {
	cmd := []string{"sh", "-c", `cat >"$0" && exec sh "$0" prepare "$1"`, scriptPath, i.tools.product.account}
	return i.exec(ctx, "root", []string{"LC_ALL=C"}, cmd, strings.NewReader(instanceScript))
}

func (i *instances) exec(ctx context.Context, user string, env, cmd []string, stdin io.Reader) (string, error) {
	var out, errs bytes.Buffer
	code, err := i.tools.exec(ctx, user, env, cmd, stdin, &out, &errs)
	if err != nil {
		return "", cause(ctx, err)
	}
	if code != 0 {
		said := oneLine(errs.String())
		if said == "" {
			said = fmt.Sprintf("exit status %d", code)
		}
		return "", errors.New(said)
	}
	return strings.TrimSpace(out.String()), nil
}

func script(args ...string) []string {
	return append([]string{"sh", scriptPath}, args...)
}

var instanceName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// named refuses what is no instance's name: it becomes part of paths.
func named(name string) error {
	if !instanceName.MatchString(name) {
		return fmt.Errorf("%q is not a name for an instance: lower-case letters, digits, _ and -, at most 32", name)
	}
	return nil
}

func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", " | ") }
