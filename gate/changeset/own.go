package changeset

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// namedTop is the repository's top as dir spells it: the links on the way are
// not followed, for whoever wrote the change may have put them there.
func namedTop(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// named is a path relative to the top, its links not followed; false where it
// lies outside. from is the directory that it is relative to.
func named(from, name string) (string, bool) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(from, name)
	}
	rel, err := filepath.Rel(namedTop(from), name)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// leading are the path and the directories that lead to it, topmost first.
func leading(name string) []string {
	var all []string
	for p := name; p != "." && p != "/"; p = path.Dir(p) {
		all = append(all, p)
	}
	slices.Reverse(all)
	return all
}

// newLink is the first part of a path that is a symbolic link in the head and
// not the same one in the base; "" for none.
func (r *repo) newLink(ctx context.Context, base, ref, head, name string) (string, error) {
	for _, p := range leading(name) {
		now := ""
		if ref == "" {
			info, err := os.Lstat(filepath.Join(r.top, filepath.FromSlash(p)))
			if err == nil && info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			if err == nil {
				if now, err = os.Readlink(filepath.Join(r.top, filepath.FromSlash(p))); err != nil {
					return "", err
				}
			}
		}
		mode, id, err := r.entryOf(ctx, base, p)
		if err != nil {
			return "", err
		}
		if now == "" { // not on the disk, or not asked for
			headMode, headID, err := r.entryOf(ctx, head, p)
			if err != nil {
				return "", err
			}
			if headMode == linkMode && (mode != linkMode || id != headID) {
				return p, nil
			}
			continue
		}
		if mode != linkMode {
			return p, nil
		}
		was, err := r.run(ctx, "cat-file", "blob", id)
		if err != nil {
			return "", fmt.Errorf("read symbolic link %s of %s: %w", p, short(base), err)
		}
		if string(was) != now {
			return p, nil
		}
	}
	return "", nil
}

const linkMode = "120000"

// entryOf is what a commit has at a path; "" for nothing.
func (r *repo) entryOf(ctx context.Context, commit, name string) (mode, id string, err error) {
	out, err := r.run(ctx, "ls-tree", "-z", "--full-tree", commit, "--", name)
	if err != nil {
		return "", "", fmt.Errorf("look for %s in %s: %w", name, short(commit), err)
	}
	if f := strings.Fields(strings.TrimRight(string(out), "\x00")); len(f) >= 4 {
		return f[0], f[2], nil
	}
	return "", "", nil
}

// Held tells which part of a path the repository itself brings, "" for none: a
// symbolic link on the way, or, where files counts, a file at it or beneath it.
// What this program writes there or believes from there would be up to whoever
// wrote the change. Paths are relative to dir; outside of a repository nothing
// is held.
func Held(ctx context.Context, dir, name string, files bool) (string, error) {
	rel, inside := named(dir, name)
	if !inside {
		return "", nil
	}
	top := namedTop(dir)
	if _, err := os.Lstat(filepath.Join(top, ".git")); err != nil {
		return "", nil
	}
	var ask []string
	for _, p := range leading(rel) {
		info, err := os.Lstat(filepath.Join(top, filepath.FromSlash(p)))
		if err != nil {
			break
		}
		if info.Mode()&fs.ModeSymlink != 0 || files && p == rel {
			ask = append(ask, p)
		}
	}
	if len(ask) == 0 {
		return "", nil
	}
	r, err := open(ctx, top, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	out, err := r.run(ctx, append([]string{"ls-files", "-z", "--"}, ask...)...)
	if err != nil {
		return "", fmt.Errorf("look for %s among the repository's files: %w", rel, err)
	}
	first, _, _ := strings.Cut(string(out), "\x00")
	return first, nil
}

// Brings tells which part of a path comes from the change itself, "" for none:
// a file of it that the head has and the base has not, or has otherwise, and
// that lies on the disk as the head has it. A file that a step of the pipeline
// wrote over is not the change's.
func (c *Change) Brings(ctx context.Context, dir, name string) (string, error) {
	rel, inside := named(dir, name)
	if !inside {
		return "", nil
	}
	r, err := open(ctx, c.Top, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	if link, err := r.newLink(ctx, c.Base, "", c.Head, rel); link != "" || err != nil {
		return link, err
	}
	if rel, inside = r.real(rel); !inside {
		return "", nil
	}
	list := func(args ...string) ([]string, error) {
		out, err := r.run(ctx, append(append([]string{"diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=all"}, args...), "--", rel)...)
		if err != nil {
			return nil, fmt.Errorf("compare %s with %s: %w", rel, short(c.Base), err)
		}
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
	}
	changed, err := list(c.Base, c.Head)
	if err != nil || len(changed) == 0 {
		return "", err
	}
	over, err := list(c.Head)
	if err != nil {
		return "", err
	}
	for _, f := range changed {
		if !slices.Contains(over, f) {
			return f, nil
		}
	}
	return "", nil
}

// real follows the links of a path within the top.
func (r *repo) real(name string) (string, bool) {
	full, err := filepath.EvalSymlinks(filepath.Join(r.top, filepath.FromSlash(name)))
	if err != nil {
		return name, true // told by whoever opens it
	}
	rel, err := filepath.Rel(r.top, full)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}
