package container

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/migration-gate/migration-gate/snapshot"
)

// tools runs the image's own client programs in the server's container.
type tools struct {
	cli      *client.Client
	product  *product
	id       string
	password string
}

var _ snapshot.Tools = (*tools)(nil)

// Run starts a client program in the container as the server's own user.
func (t *tools) Run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	names, env := t.product.client(name, t.password)
	// The engine cannot end what it started by exec: the shell leaves the
	// number to signal where another exec finds it.
	pidfile := "/tmp/.migration-gate-" + random(4)
	script := `echo $$ >"$0"; for name in $1; do command -v "$name" >/dev/null 2>&1 && break; name=; done; [ "$name" ] || exit 127; shift; exec "$name" "$@"`
	cmd := append([]string{"sh", "-c", script, pidfile, strings.Join(names, " ")}, args...)
	code, err := t.exec(ctx, t.product.account, append(env, "LC_ALL=C"), cmd, stdin, stdout, stderr)
	cleanup := `kill -TERM "$(cat "$0")" 2>/dev/null && sleep 1 && kill -KILL "$(cat "$0")" 2>/dev/null; rm -f "$0"`
	if ctx.Err() == nil && err == nil {
		cleanup = `rm -f "$0"`
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = t.exec(end, t.product.account, nil, []string{"sh", "-c", cleanup, pidfile}, nil, io.Discard, io.Discard)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("run %s: %w", name, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("run %s: %w", name, err)
	case code == 127:
		return fmt.Errorf("run %s: %w in the image", name, snapshot.ErrNoTool)
	case code != 0:
		return fmt.Errorf("run %w", &snapshot.ExitError{Program: name, Code: code})
	}
	return nil
}

// exec runs one command in the container with its streams.
func (t *tools) exec(ctx context.Context, user string, env, cmd []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	if stdout == nil {
		stdout = io.Discard
	}
	if stderr == nil {
		stderr = io.Discard
	}
	created, err := t.cli.ExecCreate(ctx, t.id, client.ExecCreateOptions{
		User: user, Env: env, Cmd: cmd, AttachStdin: stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, plain(err)
	}
	conn, err := t.cli.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, plain(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close) // the copies below know no context
	defer stop()
	fed := make(chan error, 1)
	if stdin == nil {
		fed <- nil
	} else {
		go func() {
			_, err := io.Copy(conn.Conn, stdin)
			fed <- errors.Join(err, conn.CloseWrite())
		}()
	}
	if _, err := stdcopy.StdCopy(stdout, stderr, conn.Reader); err != nil {
		return 0, cause(ctx, fmt.Errorf("read its output: %w", err))
	}
	var feedErr error
	select {
	case feedErr = <-fed:
	default: // it ended without reading all of its input; the status tells
	}
	for {
		res, err := t.cli.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
		if err != nil {
			return 0, plain(err)
		}
		if !res.Running {
			if res.ExitCode == 0 && feedErr != nil {
				return 0, fmt.Errorf("write its input: %w", feedErr)
			}
			return res.ExitCode, nil
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return 0, cause(ctx, err)
		}
	}
}

// output is what a program that answers at once prints.
func (t *tools) output(ctx context.Context, cmd ...string) (string, error) {
	var out, errs bytes.Buffer
	code, err := t.exec(ctx, "", []string{"LC_ALL=C"}, cmd, nil, &out, &errs)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit status %d: %s", cmd[0], code, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), err
}

// Share streams the file, or a directory's, into the container.
func (t *tools) Share(ctx context.Context, path string) (string, func(), error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, fmt.Errorf("share %s: %w", path, err)
	}
	name := "migration-gate-" + random(4) + "-" + filepath.Base(path)
	to := "/tmp/" + name
	var once sync.Once
	remove := func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, _ = t.exec(ctx, "", nil, []string{"rm", "-rf", to}, nil, nil, nil)
		})
	}
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		tw := tar.NewWriter(w)
		err := pack(tw, name, path, info)
		if err == nil {
			err = tw.Close()
		}
		w.CloseWithError(err)
	}()
	_, err = t.cli.CopyToContainer(ctx, t.id, client.CopyToContainerOptions{DestinationPath: "/tmp", Content: r})
	r.CloseWithError(err) // ends the writer
	<-written
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("share %s: copy into the container: %w", path, cause(ctx, plain(err)))
	}
	return to, remove, nil
}

// pack writes a file, or a directory with its files, under a name.
func pack(tw *tar.Writer, name, path string, info os.FileInfo) error {
	if !info.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		err = tw.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = io.Copy(tw, f)
		}
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Name: name + "/", Mode: 0o755, ModTime: info.ModTime(), Typeflag: tar.TypeDir}); err != nil {
		return err
	}
	list, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range list {
		from := filepath.Join(path, e.Name())
		file, err := os.Stat(from)
		if err == nil && !file.IsDir() {
			err = pack(tw, name+"/"+e.Name(), from, file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Free is what the container sees as free where the server keeps its data.
func (t *tools) Free(ctx context.Context) (int64, error) {
	out, err := t.output(ctx, "sh", "-c", "df -Pk "+t.product.data)
	if err != nil {
		return 0, fmt.Errorf("read free space: %w", err)
	}
	lines := strings.Split(out, "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) < 4 {
		return 0, fmt.Errorf("read free space: unexpected answer %q", out)
	}
	kb, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read free space: %w", err)
	}
	return kb << 10, nil
}

// credentials are the user's for an image's registry, as the engine wants
// them; "" without any.
func credentials(ctx context.Context, image string) string {
	_, auth, err := testcontainers.DockerImageAuth(ctx, image)
	if err != nil {
		return ""
	}
	encoded, err := authconfig.Encode(auth)
	if err != nil {
		return ""
	}
	return encoded
}
