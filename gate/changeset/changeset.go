// Package changeset finds out what a change does to the migrations of a git
// repository: which files it adds, edits, deletes or renames against its base,
// and which of the migrations it adds are still pending where the snapshot
// carries the tool's ledger. Ends reads other files of the two sides.
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
	"path"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
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
	// CI is what the event knows of the base, for where Base is "". It is
	// believed as far as the checkout bears it out.
	CI ci.Base
	// Dialect and SQLMode as in migration.Options.
	Dialect migration.Dialect
	SQLMode string
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
	// Ahead holds what the base's branch has merged since the head left it: no
	// part of the base, yet a version that the change must not take or come
	// before. Empty where nothing changed, and in a merge of the two, as
	// continuous integration checks out a pull request.
	Ahead []migration.Migration `json:"ahead,omitempty"`
	// Parsing is how the scripts were read, for whoever reads more of them.
	Parsing migration.Options `json:"-"`
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
	c := &Change{Top: repo.top, Head: head, Dir: dir, Parsing: migration.Options{Dialect: opt.Dialect, SQLMode: opt.SQLMode}, Files: []gate.FileChange{}, Added: []migration.Migration{}}

	var untracked []string
	if opt.Head == "" {
		if c.Dirty, untracked, err = repo.status(ctx, dir); err != nil {
			return nil, err
		}
	}
	b, err := repo.base(ctx, opt, head, func() (bool, error) { return c.Dirty, nil })
	if err != nil {
		return nil, err
	}
	c.Base, c.BaseReason = b.id, b.reason
	opt.Log.Debug("compare migrations", "dir", dir, "base", short(b.id), "because", b.reason, "head", short(head), "uncommitted", c.Dirty)

	if gone != nil { // unless the change itself deleted it
		if dir = repo.firstDir(ctx, b.id, gone.candidates); dir == "" {
			return nil, gone
		}
		c.Dir = dir
	}
	if err := repo.refuseElsewhere(ctx, opt, b.id, head, dir); err != nil {
		return nil, err
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
	if err := c.fill(opt, baseTree, headTree); err != nil {
		return c, err
	}
	if c.Nothing() {
		return c, nil
	}
	if tip := (&fetcher{repo: repo, offline: opt.Offline}).ahead(ctx, b); tip != "" {
		c.Ahead, err = c.ahead(ctx, repo, opt, tip)
	}
	return c, err
}

// fill adds what the layout makes of the two trees.
func (c *Change) fill(opt Options, base, head *tree) error {
	mopt := migration.Options{Dialect: opt.Dialect, SQLMode: opt.SQLMode, Ignore: opt.Ignore, Getenv: opt.LookupEnv}
	c.Parsing = mopt
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
	if !head.differs {
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
		if err := m.Parse(head, layout, mopt); err != nil {
			return err
		}
		c.Added = append(c.Added, m)
	}
	return nil
}

// ahead lists the migrations of the base's branch that the base lacks.
func (c *Change) ahead(ctx context.Context, r *repo, opt Options, tip string) ([]migration.Migration, error) {
	tree, err := r.tree(ctx, tip, c.Dir)
	if err != nil {
		return nil, err
	}
	layout, _ := migration.ByName(c.Layout)
	set, err := list(tree, c.Dir, layout, migration.Options{Ignore: opt.Ignore, Getenv: opt.LookupEnv})
	if err != nil {
		return nil, fmt.Errorf("list migrations of %s, which is ahead of the base: %w", short(tip), err)
	}
	return added(migration.Set{Migrations: c.Merged}, set, tree), nil
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

func isSQL(name string) bool { return strings.EqualFold(path.Ext(name), ".sql") }
