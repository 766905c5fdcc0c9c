// Package changeset finds out what a change does to the migrations of a git
// repository: which files it adds, edits, deletes or renames against its base,
// and which of the migrations it adds are still pending where the snapshot
// carries the tool's ledger.
//
// It runs git by its command line and reads files; ledger rows reach it as
// data. It never opens a database, never checks anything out, never changes
// git's configuration, and never judges: an edited or out-of-order migration
// is a fact here and a finding elsewhere. The one thing it may change is a
// shallow clone, which it deepens when the base is missing.
package changeset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// Options say where to look and what to compare.
type Options struct {
	// Dir is where the command runs; "" is the current directory.
	Dir string
	// MigrationsDir is relative to Dir or, where there is none of that name,
	// to the repository's top.
	MigrationsDir string
	// Layout is a layout's name, or "auto" (also "") to tell it from the files.
	Layout string
	// Base is compared by its merge base with the head; "" finds the default
	// branch. Head "" is the working tree, with what is not committed yet.
	Base, Head string
	// Ignore holds patterns of files that are no migrations.
	Ignore []string
	// LookupEnv answers the variables that migrations substitute; nil has none.
	LookupEnv func(string) (string, bool)
	// Log tells which base was taken and what was fetched; nil is silent.
	Log *slog.Logger
	// Offline forbids fetching a base that a shallow clone lacks.
	Offline bool
}

// Change is what differs between base and head in the migration directory.
type Change struct {
	// Top is the repository's top directory on this machine.
	Top string `json:"-"`
	// Base and Head are commit ids; Base is the empty tree's where the head is
	// the first commit. BaseReason says how the base was found.
	Base       string `json:"base"`
	BaseReason string `json:"base_reason"`
	Head       string `json:"head"`
	// Dirty: the head is the working tree, and the directory holds something
	// that Head does not.
	Dirty bool `json:"dirty"`
	// Dir is slash-separated and relative to Top; "." is Top itself.
	Dir string `json:"dir"`
	// Layout is "" where neither side has a single .sql file.
	Layout       string `json:"layout"`
	LayoutReason string `json:"layout_reason"`
	// Ledger of that layout.
	Ledger migration.Ledger `json:"-"`
	// Files that belong to migrations and differ, sorted by path. A down file
	// that was added to a merged migration is "added" with Merged set: no
	// content that anybody ran has changed, so it is not drift.
	Files []gate.FileChange `json:"files"`
	// Added holds the migrations that the base does not have, parsed, in the
	// order of their numbers. One whose version changed by a rename is among
	// them, since its tool would run it again.
	Added []migration.Migration `json:"added"`
	// Merged holds the base's migrations: files and versions, no statements.
	Merged []migration.Migration `json:"merged,omitempty"`
	// MergedFS and HeadFS are the two sides' directories, rooted at Top.
	MergedFS fs.FS `json:"-"`
	HeadFS   fs.FS `json:"-"`
}

// Nothing reports whether no migration changed.
func (c *Change) Nothing() bool { return len(c.Files) == 0 }

// Detect compares the two sides. What it reads of merged migrations is their
// names; only added ones are parsed.
func Detect(ctx context.Context, opt Options) (*Change, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	repo, err := open(ctx, opt.Dir, opt.Log)
	if err != nil {
		return nil, err
	}
	head, err := repo.head(ctx, opt.Head)
	if err != nil {
		return nil, err
	}
	dir, err := repo.migrationsDir(ctx, opt, head)
	var gone *missingDir
	if err != nil && !errors.As(err, &gone) {
		return nil, err
	}
	c := &Change{Top: repo.top, Head: head, Dir: dir, Files: []gate.FileChange{}, Added: []migration.Migration{}}

	var untracked []string
	if opt.Head == "" {
		if c.Dirty, untracked, err = repo.status(ctx, dir); err != nil {
			return nil, err
		}
	}
	b, err := repo.base(ctx, opt, head, c.Dirty)
	if err != nil {
		return nil, err
	}
	c.Base, c.BaseReason = b.id, b.reason
	opt.Log.Info("compare migrations", "dir", dir, "base", short(b.id), "because", b.reason, "head", short(head), "uncommitted", c.Dirty)

	if gone != nil { // unless the change itself deleted it
		if dir = repo.firstDir(ctx, b.id, gone.candidates); dir == "" {
			return nil, gone
		}
		c.Dir = dir
	}
	baseTree, err := repo.tree(ctx, b.id, dir)
	if err != nil {
		return nil, err
	}
	diff, err := repo.diff(ctx, b.id, opt.Head, head, dir)
	if err != nil {
		return nil, err
	}
	headTree := baseTree.with(diff, untracked, head, opt.Head == "")
	c.MergedFS, c.HeadFS = baseTree, headTree
	if !baseTree.holdsSQL() && !headTree.holdsSQL() {
		c.LayoutReason = "no .sql file in the directory"
		return c, repo.refuseHidden(dir, opt.Head)
	}
	return c, c.fill(opt, baseTree, headTree, diff)
}

// fill adds what the layout makes of the two trees.
func (c *Change) fill(opt Options, base, head *tree, diff []rawChange) error {
	mopt := migration.Options{Ignore: opt.Ignore, Getenv: opt.LookupEnv}
	layout, err := c.chooseLayout(opt.Layout, base, head)
	if err != nil {
		return err
	}
	c.Layout, c.Ledger = layout.Name, layout.Ledger
	baseSet, err := list(base, c.Dir, layout, mopt)
	if err != nil {
		return fmt.Errorf("list migrations of the base %s: %w", short(c.Base), err)
	}
	c.Merged = baseSet.Migrations
	if len(diff) == 0 && !head.differs {
		return nil
	}
	headSet, err := list(head, c.Dir, layout, mopt)
	if err != nil {
		return err
	}
	if err := refuseUnrecognised(headSet, base, head, layout.Name); err != nil {
		return err
	}
	if c.Files, err = compare(baseSet, headSet, base, head); err != nil {
		return err
	}
	for _, m := range added(baseSet, headSet, head) {
		if err := parse(&m, head, layout, mopt); err != nil {
			return err
		}
		c.Added = append(c.Added, m)
	}
	return nil
}

func (c *Change) chooseLayout(name string, base, head *tree) (migration.Layout, error) {
	if name != "" && name != "auto" {
		layout, ok := migration.ByName(name)
		if !ok {
			return layout, fmt.Errorf("layout %q is not known: use auto%s", name, layoutNames())
		}
		c.LayoutReason = "named by --layout"
		return layout, nil
	}
	from := head
	if !head.holdsSQL() {
		from = base // everything was deleted: the base still tells
	}
	layout, reason, err := migration.Detect(from, c.Dir)
	c.LayoutReason = reason
	return layout, err
}

func layoutNames() (names string) {
	for _, l := range migration.Layouts() {
		names += ", " + l.Name
	}
	return names
}

// list is migration.List on a tree that may lack the directory.
func list(t *tree, dir string, layout migration.Layout, opt migration.Options) (migration.Set, error) {
	if !t.hasDir(dir) {
		return migration.Set{Layout: layout}, nil
	}
	return migration.List(t, dir, layout, opt)
}

// parse reads the scripts of one listed migration. Either file may be missing,
// or both scripts may be in one.
func parse(m *migration.Migration, fsys fs.FS, layout migration.Layout, opt migration.Options) error {
	files := []string{m.Up.File}
	if m.Down != nil && m.Down.File != m.Up.File {
		files = append(files, m.Down.File)
	}
	for _, file := range files {
		if file == "" {
			continue
		}
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return err
		}
		up, down, err := layout.Parse(file, text, opt)
		if err != nil {
			return err
		}
		if up != nil {
			m.Up = *up
		}
		if down != nil {
			m.Down = down
		}
	}
	return nil
}

// migrationsDir resolves the directory: as typed where the command runs, else
// as written in a configuration at the repository's top.
func (r *repo) migrationsDir(ctx context.Context, opt Options, head string) (string, error) {
	name := opt.MigrationsDir
	if name == "" {
		return "", fmt.Errorf("no migration directory named: pass --dir DIR")
	}
	var candidates []string
	for _, from := range []string{r.cwd, r.top} {
		abs := name
		if !filepath.IsAbs(name) {
			abs = filepath.Join(from, name)
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		rel, err := filepath.Rel(r.top, abs)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return "", fmt.Errorf("migration directory %s is outside the repository %s: run in the repository that holds it", name, r.top)
		}
		candidates = append(candidates, filepath.ToSlash(rel))
	}
	for _, c := range candidates {
		if opt.Head == "" {
			info, err := os.Stat(filepath.Join(r.top, filepath.FromSlash(c)))
			if err == nil && info.IsDir() {
				return c, r.refuseSubmodule(c)
			}
			if err == nil {
				return "", fmt.Errorf("migration directory %s is a file: pass --dir DIR", c)
			}
		}
	}
	if dir := r.firstDir(ctx, head, candidates); dir != "" {
		return dir, nil
	}
	return candidates[0], &missingDir{name: name, cwd: r.cwd, top: r.top, candidates: candidates}
}

// firstDir returns the first of the names that is a directory of the commit.
func (r *repo) firstDir(ctx context.Context, commit string, names []string) string {
	for _, name := range names {
		if kind, _ := r.run(ctx, "cat-file", "-t", treeish(commit, name)); strings.TrimSpace(string(kind)) == "tree" {
			return name
		}
	}
	return ""
}

// missingDir says that neither the disk nor the head has the directory.
type missingDir struct {
	name, cwd, top string
	candidates     []string
}

func (e *missingDir) Error() string {
	where := e.cwd
	if e.cwd != e.top {
		where += " nor at the repository's top " + e.top
	}
	return fmt.Sprintf("migration directory %s does not exist in %s: pass --dir DIR", e.name, where)
}

// refuseSubmodule says so where the directory belongs to another repository.
func (r *repo) refuseSubmodule(dir string) error {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, err := os.Lstat(filepath.Join(r.top, filepath.FromSlash(d), ".git")); err == nil {
			return fmt.Errorf("migration directory %s is in another git repository (%s): run in that one", dir, d)
		}
	}
	return nil
}

// refuseHidden fails where the directory has migrations that git ignores: to
// call that "nothing changed" would be a green light nobody gave.
func (r *repo) refuseHidden(dir, head string) error {
	if head != "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(r.top, filepath.FromSlash(dir)))
	if err != nil {
		return nil // deleted by this change, and empty before
	}
	for _, e := range entries {
		if isSQL(e.Name()) {
			return fmt.Errorf("every .sql file in %s is ignored by git (%s is one): add them to git, or pass another --dir", dir, e.Name())
		}
	}
	return nil
}

func isSQL(name string) bool { return strings.EqualFold(path.Ext(name), ".sql") }
