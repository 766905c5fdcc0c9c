package changeset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Ends are the two sides of a change, for whoever needs other files of them
// than migrations: the configuration, the pipeline's definition.
type Ends struct {
	// Top is the repository's top directory on this machine.
	Top string
	// Base, BaseReason and Head are what Detect finds by the same options.
	Base, BaseReason, Head string
	// Tip is where the branch that the change goes into stands now, as far as
	// this clone knows or can find out; "" where that is Base. A change may have
	// left the branch long ago, and chooses when.
	Tip string
	// Worktree: the head is the working tree, with what is not committed.
	Worktree bool

	repo *repo
}

// FindEnds finds the two sides without looking at migrations. MigrationsDir
// may be "": whether something is not committed yet, which decides on the
// default branch itself, is then asked of the whole tree.
func FindEnds(ctx context.Context, opt Options) (*Ends, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	r, err := open(ctx, opt.Dir, opt.Log)
	if err != nil {
		return nil, err
	}
	e := &Ends{Top: r.top, Worktree: opt.Head == "", repo: r}
	if e.Head, err = r.head(ctx, opt.Head); err != nil {
		return nil, err
	}
	b, err := r.base(ctx, opt, e.Head, func() (bool, error) { return r.dirty(ctx, opt, e.Head) })
	if err != nil {
		return nil, err
	}
	e.Base, e.BaseReason, e.Tip = b.id, b.reason, b.tip
	if !opt.CI.Exact {
		e.Tip = (&fetcher{repo: r, offline: opt.Offline}).ahead(ctx, b)
	}
	return e, nil
}

// dirty is what Detect would find of the migrations' directory.
func (r *repo) dirty(ctx context.Context, opt Options, head string) (bool, error) {
	if opt.Head != "" {
		return false, nil
	}
	dir := "."
	if opt.MigrationsDir != "" {
		var err error
		var gone *missingDir
		if dir, err = r.migrationsDir(ctx, opt, head); err != nil && !errors.As(err, &gone) {
			return false, err
		}
	}
	dirty, _, err := r.status(ctx, dir)
	return dirty, err
}

// Rel turns a path as given on the command line (relative to where the command
// runs) into one relative to Top, slash-separated; false if it lies outside.
// Links within the repository stay in it: the change may have put them there.
func (e *Ends) Rel(path string) (string, bool) {
	if rel, inside := named(e.repo.named, path); inside {
		return rel, true
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.repo.cwd, path)
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	rel, err := filepath.Rel(e.Top, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// ReadBase reads a file of the base by its path relative to Top. found is
// false only where the base has nothing of that name; a symbolic link is
// followed within the base.
func (e *Ends) ReadBase(ctx context.Context, path string) (content []byte, found bool, err error) {
	return e.repo.readAt(ctx, e.Base, path)
}

// ReadTip is ReadBase where that branch stands now.
func (e *Ends) ReadTip(ctx context.Context, path string) (content []byte, found bool, err error) {
	if e.Tip == "" {
		return e.ReadBase(ctx, path)
	}
	return e.repo.readAt(ctx, e.Tip, path)
}

// ReadHead reads a file of the head, from the disk where the head is the
// working tree.
func (e *Ends) ReadHead(ctx context.Context, path string) (content []byte, found bool, err error) {
	if !e.Worktree {
		return e.repo.readAt(ctx, e.Head, path)
	}
	if !isFilePath(path) {
		return nil, false, fmt.Errorf("read %q: not a path within the repository", path)
	}
	real, err := filepath.EvalSymlinks(filepath.Join(e.Top, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		// In a sparse checkout the file is part of the tree and not on the disk.
		if out, err := e.repo.run(ctx, "ls-files", "-t", "-z", "--", path); err == nil && bytes.HasPrefix(out, []byte("S ")) {
			return e.repo.readAt(ctx, e.Head, path)
		}
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	rel, err := filepath.Rel(e.Top, real)
	if err != nil || !filepath.IsLocal(rel) || strings.HasPrefix(filepath.ToSlash(rel)+"/", ".git/") {
		return nil, false, fmt.Errorf("read %s: symbolic link leads out of the repository's files", path)
	}
	data, err := readDisk(e.Top, filepath.ToSlash(rel))
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", path, err)
	}
	return data, true, nil
}

// isFilePath keeps to paths within the tree, and to what one line of
// cat-file's input can say.
func isFilePath(path string) bool {
	return fs.ValidPath(path) && path != "." && !strings.Contains(path, "\n")
}

// readAt reads a file of a commit.
func (r *repo) readAt(ctx context.Context, commit, path string) ([]byte, bool, error) {
	if !isFilePath(path) {
		return nil, false, fmt.Errorf("read %q of %s: not a path within the repository", path, short(commit))
	}
	out, err := r.pipe(ctx, strings.NewReader(commit+":"+path+"\n"), "cat-file", "--batch", "--follow-symlinks")
	if err != nil {
		return nil, false, fmt.Errorf("read %s of %s: %w", path, short(commit), err)
	}
	header, body, _ := bytes.Cut(out, []byte("\n"))
	if f := bytes.Fields(header); len(f) == 3 && string(f[1]) == "blob" {
		return bytes.TrimSuffix(body, []byte("\n")), true, nil
	}
	if !bytes.HasSuffix(header, []byte(" missing")) {
		return nil, false, fmt.Errorf("read %s of %s: not a file, or a symbolic link that leads to none of that commit", path, short(commit))
	}
	// The answer is the same where the tree has it and its content cannot be
	// had, which must not pass for a file that never was.
	out, err = r.run(ctx, "ls-tree", "-z", "--full-tree", commit, "--", path)
	if err != nil {
		return nil, false, fmt.Errorf("read %s of %s: %w", path, short(commit), err)
	}
	if len(out) > 0 {
		return nil, false, fmt.Errorf("read %s of %s: its content is not in this clone, and cannot be fetched", path, short(commit))
	}
	return nil, false, nil
}

// Changed lists the files that differ between base and head and match one of
// the globs ("**" spans directories; none: all files), sorted, relative to Top.
// Uncommitted and untracked files count where the head is the working tree.
func (e *Ends) Changed(ctx context.Context, globs ...string) ([]string, error) {
	var paths []string
	for _, g := range globs {
		if !doublestar.ValidatePattern(g) {
			return nil, fmt.Errorf("pattern %q is no glob", g)
		}
		dir, _ := doublestar.SplitPattern(g)
		if !strings.ContainsAny(g, `*?[{\`) {
			dir = g
		}
		paths = append(paths, dir)
	}
	if len(paths) == 0 || slices.Contains(paths, ".") {
		paths = []string{"."}
	}
	diff := []string{"diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=all", e.Base}
	if !e.Worktree {
		diff = append(diff, e.Head)
	}
	commands := [][]string{append(append(diff, "--"), paths...)}
	if e.Worktree {
		commands = append(commands, append([]string{"ls-files", "--others", "--exclude-standard", "-z", "--"}, paths...))
	}
	names := []string{}
	for _, args := range commands {
		out, err := e.repo.run(ctx, args...)
		if err != nil {
			return nil, fmt.Errorf("list what differs from %s: %w", short(e.Base), err)
		}
		for name := range strings.SplitSeq(string(out), "\x00") {
			if name != "" && matches(globs, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func matches(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool { return doublestar.MatchUnvalidated(g, name) })
}
