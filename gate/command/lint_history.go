package command

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// history is what was found in the migrations that are none of the change's.
type history struct {
	migrations []gate.Migration
	unreadable []gate.Unreadable
	findings   []gate.Finding
}

// history judges each merged migration as if it were the change, so that the
// answer is the one that it would have got then, and all of them for versions
// that are taken twice.
func (l *linter) history(change *changeset.Change) (history, error) {
	var h history
	if change.HeadFS == nil || change.Layout == "" {
		return h, nil
	}
	layout, ok := migration.ByName(change.Layout)
	if !ok {
		return h, fmt.Errorf("read merged migrations: layout %q is unknown", change.Layout)
	}
	set, unreadable, err := changeset.ListReadable(change.HeadFS, change.Dir, layout, change.Parsing)
	if err != nil {
		return h, err
	}
	known := map[string]bool{}
	for _, u := range change.Unreadable {
		known[u.File] = true
	}
	for _, m := range change.Added {
		known[migrationFile(m)] = true
	}
	for _, file := range set.Unrecognised {
		unreadable = append(unreadable, gate.Unreadable{
			File: file, Message: "no migration by the names of the " + layout.Name + " layout",
			Remedy: "rename it, or list it under ignore: in " + config.FileName,
		})
	}
	for _, u := range unreadable {
		if !known[u.File] {
			h.unreadable = append(h.unreadable, u)
		}
	}
	list := slices.DeleteFunc(set.Migrations, func(m migration.Migration) bool { return known[migrationFile(m)] })
	if err := l.each(change, layout, list, &h); err != nil {
		return h, err
	}
	o := static(change)
	o.Migrations, o.Merged, o.Files, o.Unreadable = h.migrations, nil, nil, h.unreadable
	p := l.policy
	p.Only = []string{"version-order", "unreadable-file"}
	h.findings = append(h.findings, rule.Judge(o, p).Findings...)
	return h, nil
}

// each parses and judges migrations one by one, on all processors: the grammar
// itself takes turns, what is made of its trees does not.
func (l *linter) each(change *changeset.Change, layout migration.Layout, list []migration.Migration, h *history) error {
	errs := make([]error, len(list))
	findings := make([][]gate.Finding, len(list))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				if errs[i] = list[i].Parse(change.HeadFS, layout, change.Parsing); errs[i] != nil {
					continue
				}
				o := static(&changeset.Change{Dir: change.Dir, Layout: change.Layout, Base: change.Base, Parsing: change.Parsing, Added: list[i : i+1]})
				findings[i] = rule.Judge(o, l.policy).Findings
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	workers.Wait()
	for i, err := range errs {
		var mistake *migration.InputError
		switch {
		case err == nil:
			h.migrations = append(h.migrations, gate.Migration{Migration: list[i]})
			h.findings = append(h.findings, findings[i]...)
		case errors.As(err, &mistake):
			h.unreadable = append(h.unreadable, changeset.Unreadable(mistake))
		default:
			return err
		}
	}
	return nil
}

// migrationFile is the file that a migration is known by.
func migrationFile(m migration.Migration) string {
	if m.Up.File == "" && m.Down != nil {
		return m.Down.File
	}
	return m.Up.File
}

// unversioned makes a change of a directory that no git repository holds: it
// adds nothing to anything, and all that is there is history.
func (l *linter) unversioned(m config.Migrations) (*changeset.Change, error) {
	dir := m.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(l.env.Dir, dir)
	}
	top := l.env.Dir
	rel, err := filepath.Rel(real(top), real(dir))
	if err != nil || !filepath.IsLocal(rel) {
		top, rel = filepath.Dir(dir), filepath.Base(dir)
	}
	fsys, err := openOverlay(top, l.contentOf(top))
	if err != nil {
		return nil, fmt.Errorf("read directory of migrations: %w", err)
	}
	c := &changeset.Change{Top: real(top), Dir: filepath.ToSlash(rel), HeadFS: fsys, Parsing: l.changesetOptions(m).Parsing()}
	if m.Layout != "auto" {
		layout, _ := migration.ByName(m.Layout)
		c.Layout = layout.Name
		return c, nil
	}
	d, err := migration.Detect(fsys, c.Dir, c.Parsing)
	c.Layout, c.LayoutReason = d.Name, d.Reason
	return c, err
}
