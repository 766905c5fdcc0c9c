package changeset

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// tree is one side's migration directory as an fs.FS rooted at the
// repository's top: files of a commit, read out of git's objects without a
// checkout, or of the working tree.
type tree struct {
	repo    *repo
	dir     string
	commit  string
	files   map[string]entry
	differs bool // from the base's tree
	blobs   *blobs
}

// entry is a file: a blob, or what lies on the disk.
type entry struct {
	blob    string
	size    int64
	symlink bool
	disk    bool
	content []byte // instead of either, where it is not nil
}

// tree lists a directory of a commit, and the files outside of it that may tell
// how a tool takes it.
func (r *repo) tree(ctx context.Context, commit, dir string) (*tree, error) {
	args := []string{"ls-tree", "-r", "-z", "-l", "--full-tree", commit}
	if dir != "." {
		args = append(append(args, "--", dir), migration.ConfigFiles(dir)...)
	}
	out, err := r.run(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("list %s of %s: %w", dir, short(commit), err)
	}
	t := &tree{repo: r, dir: dir, commit: commit, files: map[string]entry{}}
	for rec := range strings.SplitSeq(string(out), "\x00") {
		meta, name, ok := strings.Cut(rec, "\t")
		f := strings.Fields(meta) // mode, type, id, size
		if !ok || len(f) != 4 || f[1] != "blob" {
			continue // the end, or a submodule, whose files are not ours
		}
		size, _ := strconv.ParseInt(f[3], 10, 64)
		t.files[name] = entry{blob: f[2], size: size, symlink: f[0] == "120000"}
	}
	t.blobs = &blobs{repo: r, cache: map[string][]byte{}}
	return t, nil
}

// with derives the head's tree from the base's and their difference.
func (t *tree) with(diff []rawChange, untracked []string, head string, worktree bool) *tree {
	h := &tree{repo: t.repo, dir: t.dir, commit: head, files: make(map[string]entry, len(t.files)), blobs: t.blobs}
	h.differs = len(diff) > 0
	for name, e := range t.files {
		e.disk = worktree
		h.files[name] = e
		h.differs = h.differs || e.symlink // what it leads to may
	}
	for _, c := range diff {
		if c.status == 'D' {
			delete(h.files, c.path)
			continue
		}
		h.files[c.path] = entry{blob: c.id, symlink: c.mode == "120000", size: -1, disk: worktree}
	}
	for _, name := range untracked {
		h.files[name] = entry{disk: true}
		h.differs = true
	}
	return h
}

// remembering is a tree that is read twice over, each file once.
type remembering struct {
	*tree
	read map[string][]byte
}

// ReadFile implements fs.ReadFileFS. The text is for reading only.
func (r remembering) ReadFile(name string) ([]byte, error) {
	if text, ok := r.read[name]; ok {
		return text, nil
	}
	text, err := r.tree.ReadFile(name)
	if err == nil {
		r.read[name] = text
	}
	return text, err
}

// baseOf is a base whose files are read from the head as far as they are the
// same there.
type baseOf struct {
	*tree
	head remembering
}

// ReadFile implements fs.ReadFileFS.
func (b baseOf) ReadFile(name string) ([]byte, error) {
	if b.same(b.head.tree, name) {
		return b.head.ReadFile(name)
	}
	return b.tree.ReadFile(name)
}

func (t *tree) holdsSQL() bool {
	for name := range t.files {
		if isSQL(name) {
			return true
		}
	}
	return false
}

func (t *tree) hasDir(dir string) bool {
	if dir == "." {
		return true
	}
	for name := range t.files {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

// ReadFile implements fs.ReadFileFS.
func (t *tree) ReadFile(name string) ([]byte, error) {
	e, ok := t.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	data, err := t.read(name, e)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", name, short(t.commit), err)
	}
	return bytes.Clone(data), nil // the caller's to change
}

func (t *tree) read(name string, e entry) ([]byte, error) {
	if e.content != nil {
		return e.content, nil
	}
	if e.disk {
		data, err := readDisk(t.repo.top, name)
		if err == nil || e.blob == "" || !os.IsNotExist(err) {
			return data, err
		}
		// Tracked, unchanged and not on the disk: a sparse checkout.
	}
	if e.symlink {
		return t.repo.follow(t.commit, name)
	}
	return t.blobs.get(e.blob, t.files)
}

// readDisk reads a file of the working tree. A symbolic link is followed as
// the tool would, but not out of the repository nor into .git: what a
// migration says ends up in reports, and the runner's secrets must not.
func readDisk(top, name string) ([]byte, error) {
	full := filepath.Join(top, filepath.FromSlash(name))
	info, err := os.Lstat(full)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if full, err = filepath.EvalSymlinks(full); err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(top, full)
		if err != nil || strings.HasPrefix(rel, "..") || strings.HasPrefix(filepath.ToSlash(rel)+"/", ".git/") {
			return nil, fmt.Errorf("symbolic link leads out of the repository's files")
		}
		if info, err = os.Stat(full); err != nil {
			return nil, err
		}
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file")
	}
	return os.ReadFile(full)
}

// follow reads what a symbolic link of a commit leads to, within that commit.
func (r *repo) follow(commit, name string) ([]byte, error) {
	if strings.Contains(name, "\n") {
		return nil, fmt.Errorf("symbolic link with a line feed in its name")
	}
	out, err := r.pipe(r.ctx, strings.NewReader(commit+":"+name+"\n"), "cat-file", "--batch", "--follow-symlinks")
	if err != nil {
		return nil, err
	}
	header, body, _ := bytes.Cut(out, []byte("\n"))
	f := bytes.Fields(header) // id, type, size; else "symlink 4", "dangling 9", …
	if len(f) != 3 || string(f[1]) != "blob" {
		return nil, fmt.Errorf("symbolic link leads to no file of the commit")
	}
	return bytes.TrimSuffix(body, []byte("\n")), nil
}

// blobs reads objects, a directory's worth at a time: one git process for a
// thousand migrations instead of a thousand.
type blobs struct {
	repo  *repo
	mu    sync.Mutex
	cache map[string][]byte
}

// prefetchLimit keeps big data files out of what is read ahead.
const prefetchLimit = 1 << 20

func (b *blobs) get(id string, siblings map[string]entry) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if data, ok := b.cache[id]; ok {
		return data, nil
	}
	want := []string{id}
	for _, e := range siblings {
		if _, have := b.cache[e.blob]; !have && e.blob != "" && e.blob != id && !e.symlink && e.size >= 0 && e.size <= prefetchLimit {
			want = append(want, e.blob)
		}
	}
	out, err := b.repo.pipe(b.repo.ctx, strings.NewReader(strings.Join(want, "\n")+"\n"), "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	for len(out) > 0 {
		header, rest, _ := bytes.Cut(out, []byte("\n"))
		f := bytes.Fields(header)
		if len(f) != 3 {
			return nil, fmt.Errorf("git object %s", header) // "<id> missing"
		}
		n, err := strconv.Atoi(string(f[2]))
		if err != nil || n+1 > len(rest) {
			return nil, fmt.Errorf("git object %s is cut short", f[0])
		}
		b.cache[string(f[0])] = rest[:n:n]
		out = rest[n+1:]
	}
	data, ok := b.cache[id]
	if !ok {
		return nil, fmt.Errorf("git object %s was not answered", id)
	}
	return data, nil
}
