package migration

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Set is what a directory holds.
type Set struct {
	Layout Layout
	// Migrations by number; those that share a version are all there.
	Migrations []Migration
	// Unrecognised are .sql files that the layout does not know, by path.
	Unrecognised []string
}

// Load reads and parses every migration of a directory. Only the files
// directly in it count unless the tool looks deeper.
func Load(fsys fs.FS, dir string, layout Layout, opt Options) (Set, error) {
	set, err := List(fsys, dir, layout, opt)
	if err != nil {
		return set, err
	}
	for i := range set.Migrations {
		if err := set.Migrations[i].Parse(fsys, layout, opt); err != nil {
			return set, err
		}
	}
	return set, nil
}

// Parse reads the scripts of a migration that List named. Either file may be
// missing, or both scripts be in one.
func (m *Migration) Parse(fsys fs.FS, layout Layout, opt Options) error {
	t, ok := toolOf(layout.Name)
	if !ok {
		return fmt.Errorf("read migration: layout %q is not known", layout.Name)
	}
	read := func(file string, d Direction) error {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return fmt.Errorf("read migration: %w", err)
		}
		up, down, err := t.parse(input{fsys: fsys, file: file, text: text, direction: d, opt: opt})
		if err != nil {
			return err
		}
		if up != nil {
			m.Up = *up
		}
		if down != nil {
			m.Down = down
		}
		return nil
	}
	down := ""
	if m.Down != nil {
		down = m.Down.File
	}
	switch up := m.Up.File; {
	case up != "" && (up == down || down == "" && t.bothInOne()):
		return read(up, "")
	case up != "":
		if err := read(up, Up); err != nil {
			return err
		}
	}
	if down == "" {
		return nil
	}
	return read(down, Down)
}

// entry is a file that a layout knows.
type entry struct {
	fileName
	file, rel string
}

// List reads names and directions and parses nothing: Statements are nil.
func List(fsys fs.FS, dir string, layout Layout, opt Options) (Set, error) {
	set := Set{Layout: layout}
	t, ok := toolOf(layout.Name)
	if !ok {
		return set, fmt.Errorf("list migrations: layout %q is not known", layout.Name)
	}
	entries, unrecognised, err := scanDir(fsys, cleanDir(dir), t, opt)
	if err != nil {
		return set, err
	}
	set.Unrecognised = unrecognised
	for _, group := range pair(entries) {
		first := group[0]
		m := Migration{Version: first.version, Number: first.number, Order: first.order, Name: first.name, Repeatable: first.repeatable, Baseline: first.baseline}
		m.Up.Direction = Up
		for _, e := range group {
			in := input{fsys: fsys, file: e.file, rel: e.rel, direction: e.direction, opt: opt}
			if t.bothInOne() { // else its name has told
				if in.text, err = fs.ReadFile(fsys, e.file); err != nil {
					return set, fmt.Errorf("read migration: %w", err)
				}
			}
			up, down, err := t.outline(in)
			if err != nil {
				return set, err
			}
			if up != nil {
				m.Up = *up
			}
			if down != nil {
				m.Down = down
			}
		}
		set.Migrations = append(set.Migrations, m)
	}
	return set, nil
}

func scanDir(fsys fs.FS, dir string, t tool, opt Options) (known []entry, unrecognised []string, err error) {
	rels, err := filesOf(fsys, dir, t.deep(), opt)
	if err != nil {
		return nil, nil, fmt.Errorf("read directory of migrations: %w", err)
	}
	for _, rel := range rels {
		file := path.Join(dir, rel)
		if what := t.foreign(rel); what != "" {
			return nil, nil, &InputError{File: file, Message: what, Remedy: "list it under ignore: in the configuration to gate the SQL migrations without it"}
		}
		name, ok, err := t.name(rel)
		switch {
		case err != nil:
			return nil, nil, inFile(err, file)
		case ok:
			known = append(known, entry{name, file, rel})
		case isSQL(rel):
			unrecognised = append(unrecognised, file)
		}
	}
	return known, unrecognised, nil
}

// filesOf lists the files of a directory that are not ignored, relative to it
// and in the order of their names; deep goes into the directories below.
func filesOf(fsys fs.FS, dir string, deep bool, opt Options) (rels []string, err error) {
	for _, p := range opt.Ignore {
		if !doublestar.ValidatePattern(p) {
			return nil, &InputError{File: dir, Message: fmt.Sprintf("ignore pattern %q is not valid", p), Remedy: "see the pattern syntax of doublestar"}
		}
	}
	err = fs.WalkDir(fsys, dir, func(file string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(strings.TrimPrefix(file, dir), "/")
		if dir == "." {
			rel = file
		}
		switch {
		case err != nil:
			return err
		case file == dir:
		case d.IsDir() && (!deep || ignored(opt.Ignore, rel)):
			return fs.SkipDir
		case !d.IsDir() && !ignored(opt.Ignore, rel):
			rels = append(rels, rel)
		}
		return nil
	})
	return rels, err
}

func inFile(err error, file string) error {
	if e, ok := err.(*InputError); ok {
		e.File = file
	}
	return err
}

func ignored(patterns []string, rel string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, rel) })
}

// pair groups files into migrations, by order. Up and down belong together
// by version; where a version is taken twice, by name as well.
func pair(entries []entry) [][]entry {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name), cmp.Compare(b.direction, a.direction))
	})
	var groups [][]entry
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].order == entries[0].order {
			n++
		}
		groups = append(groups, pairVersion(entries[:n])...)
		entries = entries[n:]
	}
	return groups
}

func pairVersion(same []entry) [][]entry {
	count := map[Direction]int{}
	for _, e := range same {
		count[e.direction]++
	}
	if count[Up] <= 1 && count[Down] <= 1 && count[""] == 0 {
		slices.SortStableFunc(same, func(a, b entry) int { return cmp.Compare(b.direction, a.direction) })
		return [][]entry{same}
	}
	var groups [][]entry
	for _, e := range same {
		if n := len(groups); n > 0 && e.direction == Down {
			last := groups[n-1]
			if len(last) == 1 && last[0].direction == Up && last[0].name == e.name {
				groups[n-1] = append(last, e)
				continue
			}
		}
		groups = append(groups, []entry{e})
	}
	return groups
}
