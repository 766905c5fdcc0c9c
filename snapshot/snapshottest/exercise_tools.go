package snapshottest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// tool is a client program and how it is asked.
type tool struct {
	name string
	args []string
	// file are further arguments that run a file.
	file func(path string) []string
	// wrong is SQL that fails, with exit status code and said on standard
	// error; big says 10 MB or more, sleep waits for 30 s.
	wrong      string
	code       int
	said       string
	big, sleep string
}

func runTools(t *testing.T, target *snapshot.Target, tool tool) {
	run := func(ctx context.Context, stdin string, args ...string) (string, string, error) {
		var out, errs bytes.Buffer
		err := target.Tools.Run(ctx, tool.name, append(slices.Clone(tool.args), args...), strings.NewReader(stdin), &out, &errs)
		return strings.TrimSpace(out.String()), errs.String(), err
	}
	if err := target.Tools.Run(t.Context(), "no-such-program", nil, nil, nil, nil); !errors.Is(err, snapshot.ErrNoTool) {
		t.Errorf("a program that is nowhere: error %v, want ErrNoTool", err)
	}
	if _, _, err := run(t.Context(), "select 1;"); errors.Is(err, snapshot.ErrNoTool) {
		t.Skipf("client programs of a server that comes without: %v; they are tested on the servers of this machine's packages", err)
	}
	if out, errs, err := run(t.Context(), "select 6*7;\n"); out != "42" || err != nil {
		t.Errorf(tool.name+" from its input: %q, %q, %v", out, errs, err)
	}
	var exit *snapshot.ExitError
	if _, errs, err := run(t.Context(), tool.wrong); !errors.As(err, &exit) || exit.Code != tool.code || !strings.Contains(errs, tool.said) {
		t.Errorf(tool.name+" that fails: error %v, standard error %q", err, errs)
	}

	// A lot through both pipes at once.
	big := tool.big + strings.Repeat(" -- filler\n", 100000)
	if out, errs, err := run(t.Context(), big); len(out) < 100*100000 || err != nil {
		t.Errorf("10 MB of output: got %d bytes, %q, %v", len(out), errs, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, _, err := run(ctx, tool.sleep); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
		t.Errorf(tool.name+" out of time: after %v, error %v", time.Since(begun), err)
	}

	// Readable to this process alone, as dumps in a home directory are.
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "it's a dump.sql")
	if err := os.WriteFile(file, []byte("select 'shared';\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, remove, err := target.Tools.Share(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, err := run(t.Context(), "", tool.file(path)...); out != "shared" || err != nil {
		t.Errorf(tool.name+" of a shared file: %q, %q, %v", out, errs, err)
	}
	remove()
	remove()
	if path != file {
		if out, _, err := run(t.Context(), "", tool.file(path)...); err == nil {
			t.Errorf("the shared file is still there after it was taken away: %q", out)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the original: %v", err)
	}
	// And so a directory with its files, as some dumps are.
	folder, remove, err := target.Tools.Share(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	inside := folder + "/" + filepath.Base(file)
	if out, errs, err := run(t.Context(), "", tool.file(inside)...); out != "shared" || err != nil {
		t.Errorf(tool.name+" of a file in a shared directory: %q, %q, %v", out, errs, err)
	}
	remove()
	remove()
	if folder != dir {
		if out, _, err := run(t.Context(), "", tool.file(inside)...); err == nil {
			t.Errorf("the shared directory is still there after it was taken away: %q", out)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the original: %v", err)
	}
	if _, _, err := target.Tools.Share(t.Context(), file+".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sharing a missing file: %v", err)
	}
}
