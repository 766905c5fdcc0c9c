package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
)

// tools runs this machine's client programs against the server.
type tools struct {
	path   string
	target *snapshot.Target
}

var _ snapshot.Tools = (*tools)(nil)

// Run starts a client program of the server's series or a newer one.
func (t *tools) Run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	engine := t.target.Handle.Engine
	p, err := productOf(engine)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	names, args, env := p.client(t.target, name, args)
	if len(names) == 0 {
		return fmt.Errorf("run %s: %w: none here connects the way that --database-url asks for", name, snapshot.ErrNoTool)
	}
	program, err := local.ClientProgram(ctx, local.Options{Path: t.path}, engine, t.target.Version, names)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	// Nothing of this process's environment: its PGOPTIONS, PGSERVICE or
	// ~/.my.cnf would lead the program elsewhere.
	cmd.Env = append([]string{"PATH=" + t.path, "LC_ALL=C", "TZ=UTC", "HOME=/nonexistent"}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // cancels the query on the server, too
	cmd.WaitDelay = 3 * time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("run %s: %w", name, context.Cause(ctx))
	case errors.As(err, &exit):
		return fmt.Errorf("run %w", &snapshot.ExitError{Program: name, Code: exit.ExitCode()})
	}
	return fmt.Errorf("run %s: %w", name, err)
}

// Share has nothing to do: the programs run here, as this process's user.
func (t *tools) Share(_ context.Context, path string) (string, func(), error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("share %s: %w", path, err)
	}
	_ = f.Close()
	real, err := filepath.Abs(path)
	if err != nil {
		return "", nil, fmt.Errorf("share %s: %w", path, err)
	}
	return real, func() {}, nil
}

// Free is not to be known over a connection: the error is errors.ErrUnsupported.
func (t *tools) Free(context.Context) (int64, error) {
	return 0, fmt.Errorf("read free space of %s: %w", strings.TrimSpace(addressOf(t.target.Handle).String()), errors.ErrUnsupported)
}
