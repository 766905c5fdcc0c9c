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
	"slices"
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
	// LedgerTable is the history table's name, perhaps with its schema, where it
	// is not the layout's default.
	LedgerTable string
	// Placeholders and Transaction as in migration.Options.
	Placeholders map[string]string
	Transaction  string
	// Log tells which base was taken and what was fetched; nil is silent.
	Log *slog.Logger
	// Offline forbids fetching a base that a shallow clone lacks.
	Offline bool
	// KeepGoing lists in Change.Unreadable what is wrong with files as
	// migrations, where Detect otherwise fails at the first of them.
	KeepGoing bool
	// Content is what files of the working tree are to hold instead, by their
	// absolute paths: an editor's text that is not saved yet.
	Content map[string][]byte
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
	// Ledger of that layout; LedgerNamed: Options named its table, so that a
	// snapshot must have it.
	Ledger      migration.Ledger `json:"-"`
	LedgerNamed bool             `json:"-"`
	// OutOfOrder as in migration.Layout, by the head's files.
	OutOfOrder bool `json:"out_of_order,omitempty"`
	// Files that belong to migrations and differ, sorted by path. A down file
	// that was added to a merged migration is "added" with Merged set: no
	// content that anybody ran has changed, so it is not drift.
	Files []gate.FileChange `json:"files"`
	// Added holds the migrations that the base does not have, parsed, in the
	// order of their versions. One whose version changed by a rename is among
	// them, since its tool would run it again, and so is an edited repeatable one.
	Added []migration.Migration `json:"added"`
	// Baselines are the baseline migrations that the base does not have, parsed.
	// They are never pending: their tool runs one on an empty database only.
	Baselines []migration.Migration `json:"baselines,omitempty"`
	// Merged holds the base's migrations: files and versions, no statements.
	Merged []migration.Migration `json:"merged,omitempty"`
	// Ahead holds what the base's branch has merged since the head left it: no
	// part of the base, yet a version that the change must not take or come
	// before. Empty where nothing changed, and in a merge of the two, as
	// continuous integration checks out a pull request.
	Ahead []migration.Migration `json:"ahead,omitempty"`
	// Unreadable are the head's files that are no migrations as they stand
	// (KeepGoing); nothing else is said of them.
	Unreadable []gate.Unreadable `json:"-"`
	// Configs are the files by which a project tells its tool how to take the
	// directory (flyway.conf) and that differ, by path.
	Configs []string `json:"configs,omitempty"`
	// Skipped are the head's steps that no SQL holds, such as Go files, and that
	// Ignore names: they are not run.
	Skipped []string `json:"skipped,omitempty"`
	// Callbacks are scripts that the tool runs at events (Flyway's afterUndo.sql)
	// and that differ, by path, but for those that ran around the added migrations.
	Callbacks []string `json:"callbacks,omitempty"`
	// Parsing is how the scripts were read, for whoever reads more of them.
	Parsing migration.Options `json:"-"`
	// MergedFS and HeadFS are the two sides' directories, rooted at Top.
	MergedFS fs.FS `json:"-"`
	HeadFS   fs.FS `json:"-"`
}

// parsing is how scripts are to be read.
func (o Options) parsing() migration.Options {
	return migration.Options{Dialect: o.Dialect, SQLMode: o.SQLMode, Ignore: o.Ignore, Getenv: o.LookupEnv, Placeholders: o.Placeholders, Transaction: o.Transaction}
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
	c := &Change{Top: repo.top, Head: head, Dir: dir, Parsing: opt.parsing(), Files: []gate.FileChange{}, Added: []migration.Migration{}}

	var untracked []string
	if opt.Head == "" {
		if c.Dirty, untracked, err = repo.status(ctx, dir, migration.ConfigFiles(dir)...); err != nil {
			return nil, err
		}
	}
	content := repo.contentIn(opt.Content)
	c.Dirty = c.Dirty || len(content) > 0
	b, err := repo.base(ctx, opt, head, func() (bool, error) { return c.Dirty, nil })
	if err != nil {
		return nil, err
	}
	c.Base, c.BaseReason = b.id, b.reason
	opt.Log.Debug("compare migrations", "dir", dir, "base", short(b.id), "because", b.reason, "head", short(head), "uncommitted", c.Dirty)

	if gone != nil { // unless the change itself deleted it
		if dir = repo.firstDir(ctx, b.id, gone.candidates); dir == "" {
			gone.elsewhere = repo.elsewhere(ctx, opt.parsing())
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
	diff, err := repo.diff(ctx, b.id, opt.Head, head, dir, migration.ConfigFiles(dir)...)
	if err != nil {
		return nil, err
	}
	headTree := baseTree.with(diff, untracked, head, opt.Head == "")
	headTree.replace(content)
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
	mopt := c.Parsing
	layout, err := c.chooseLayout(opt.Layout, base, head)
	if err != nil {
		return err
	}
	c.Layout, c.Ledger = layout.Name, layout.Ledger
	c.Configs = configsOf(layout, c.Dir, base, head)
	if opt.LedgerTable != "" {
		if c.Ledger.Kind == "" {
			c.Ledger.Kind = plainLedgerKind(opt.LedgerTable)
		}
		if c.Ledger.Kind == "" {
			return fmt.Errorf("--ledger-table names %s, and the layout %s keeps no ledger: leave it out, or name the tool with --layout", opt.LedgerTable, layout.Name)
		}
		c.Ledger.Table, c.LedgerNamed = opt.LedgerTable, true
	}
	baseSet, err := list(base, c.Dir, layout, mopt)
	if err != nil {
		return fmt.Errorf("list migrations of the base %s: %w", short(c.Base), err)
	}
	c.Merged = baseSet.Migrations
	c.configured(baseSet)
	if !head.differs {
		return nil
	}
	headSet, err := c.list(opt, head, layout)
	if err != nil {
		return err
	}
	c.configured(headSet)
	c.OutOfOrder = headSet.Layout.OutOfOrder
	c.Skipped = headSet.Skipped
	likely := likelier(head, c.Dir, layout.Name, mopt)
	for _, err := range append(unrecognised(headSet, base, head, layout.Name), firstReversals(baseSet, headSet, base)...) {
		likely(err)
		if !c.note(opt, err) {
			return err
		}
	}
	if c.Files, err = compare(baseSet, headSet, base, head); err != nil {
		return err
	}
	c.Files = slices.DeleteFunc(c.Files, func(f gate.FileChange) bool { // there, and unreadable
		_, there := head.files[f.Path]
		return there && f.Status == "deleted"
	})
	for _, m := range added(baseSet, headSet, base, head) {
		err := m.Parse(head, layout, mopt)
		likely(err)
		switch {
		case err == nil && m.Baseline:
			c.Baselines = append(c.Baselines, m)
		case err == nil:
			c.Added = append(c.Added, m)
		case !c.note(opt, err):
			return err
		}
	}
	c.Callbacks = differing(slices.Concat(baseSet.Callbacks, headSet.Callbacks), base, head)
	if len(c.Added) > 0 {
		c.Callbacks = slices.DeleteFunc(c.Callbacks, func(f string) bool { return slices.Contains(headSet.Around, f) })
	}
	return nil
}

// configured takes over where a side's own files put the ledger.
func (c *Change) configured(side migration.Set) {
	if !c.LedgerNamed && side.Layout.Ledger.Table != "" {
		c.Ledger = side.Layout.Ledger
	}
}

// ahead lists the migrations of the base's branch that the base lacks.
func (c *Change) ahead(ctx context.Context, r *repo, opt Options, tip string) ([]migration.Migration, error) {
	tree, err := r.tree(ctx, tip, c.Dir)
	if err != nil {
		return nil, err
	}
	layout, _ := migration.ByName(c.Layout)
	set, err := list(tree, c.Dir, layout, c.Parsing)
	if err != nil {
		return nil, fmt.Errorf("list migrations of %s, which is ahead of the base: %w", short(tip), err)
	}
	return added(migration.Set{Migrations: c.Merged}, set, nil, tree), nil
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
	from := remembering{head, map[string][]byte{}}
	if !head.holdsSQL() {
		from.tree = base // everything was deleted: the base still tells
	}
	d, err := migration.Detect(from, c.Dir, c.Parsing)
	c.LayoutReason = d.Reason
	if err == nil && from.tree == head && head.differs && base.holdsSQL() {
		err = c.sameLayout(d, baseOf{base, from})
	}
	return d.Layout, err
}

// sameLayout refuses a change whose files make the base's those of another tool,
// by which they would be read otherwise than they have been run.
func (c *Change) sameLayout(now migration.Detection, base baseOf) error {
	was, err := migration.Detect(base, c.Dir, c.Parsing)
	if err != nil || was.Name == now.Name {
		return nil // where the base tells nothing, the head must
	}
	return fmt.Errorf("this change makes the migrations in %s those of another tool: the layout is %s in the base (%s) and %s now (%s): say which with --layout %s or --layout %s",
		c.Dir, was.Name, was.Reason, now.Name, now.Reason, was.Name, now.Name)
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
