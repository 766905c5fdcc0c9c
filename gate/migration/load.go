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
	// Renames are names by which the tool would take those of them that look as
	// if they were meant to be migrations (Flyway's V1_name.sql), by path.
	Renames map[string]string
	// Unsure are reversals by their names' last word alone, behind an underscore
	// (plain), by path: other programs would run them like any file.
	Unsure []string
	// Callbacks are what the tool runs at its events, and that is no migration, by
	// path. Around says of those that it runs around each script, as Parse does.
	Callbacks []string
	Around    []string
	// Skipped are steps of the tool's that no SQL holds, and that Ignore names.
	Skipped []string
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
	t, err := configure(t, fsys, path.Dir(cmp.Or(m.Up.File, m.Down.file())), opt)
	if err != nil {
		return err
	}
	outlined := m.Up
	read := func(file string, d Direction) error {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return fmt.Errorf("read migration: %w", err)
		}
		up, down, err := t.parse(input{fsys: fsys, file: file, text: text, direction: d, opt: opt, outlined: &outlined})
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
	set := Set{Layout: layout, Renames: map[string]string{}}
	t, ok := toolOf(layout.Name)
	if !ok {
		return set, fmt.Errorf("list migrations: layout %q is not known", layout.Name)
	}
	dir = cleanDir(dir)
	t, err := configure(t, fsys, dir, opt)
	if err != nil {
		return set, err
	}
	if s, ok := t.(surveyor); ok {
		if t, err = s.survey(fsys, dir, opt); err != nil {
			return set, err
		}
	}
	set.Layout = t.layout()
	entries, err := scanDir(fsys, dir, t, opt, &set)
	if err != nil {
		return set, err
	}
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

// gatherer is a tool for which a file's part hangs on the others' names.
type gatherer interface {
	gather([]entry) (known []entry, unrecognised, unsure []string, err error)
}

// surveyor is a tool that runs some files of a directory around others.
type surveyor interface {
	survey(fsys fs.FS, dir string, opt Options) (tool, error)
	// helps reports whether a file is run at another's or at no migration at all,
	// and whether that is around each script.
	helps(rel string) (helps, around bool)
	// meant is how a file would have to be named, where it looks as if its
	// author took it for a migration and the tool does not.
	meant(rel string) string
}

func scanDir(fsys fs.FS, dir string, t tool, opt Options, set *Set) (known []entry, err error) {
	rels, ignored, err := filesOf(fsys, dir, t.deep(), opt)
	if err != nil {
		return nil, fmt.Errorf("read directory of migrations: %w", err)
	}
	for _, rel := range ignored {
		if t.foreign(rel) != "" {
			set.Skipped = append(set.Skipped, path.Join(dir, rel))
		}
	}
	for _, rel := range rels {
		file := path.Join(dir, rel)
		if what := t.foreign(rel); what != "" {
			return nil, &InputError{File: file, Message: what, Remedy: "list it under ignore: in the configuration to gate the SQL migrations without it"}
		}
		name, ok, err := t.name(rel)
		switch {
		case err != nil:
			return nil, inFile(err, file)
		case ok:
			known = append(known, entry{name, file, rel})
		case isSQL(rel):
			if s, ok := t.(surveyor); ok {
				if helps, around := s.helps(rel); helps {
					set.Callbacks = append(set.Callbacks, file)
					if around {
						set.Around = append(set.Around, file)
					}
					continue
				}
				if better := s.meant(rel); better != "" {
					set.Renames[file] = better
				}
			}
			set.Unrecognised = append(set.Unrecognised, file)
		}
	}
	if g, ok := t.(gatherer); ok {
		var strange []string
		if known, strange, set.Unsure, err = g.gather(known); err != nil {
			return nil, err
		}
		set.Unrecognised = append(set.Unrecognised, strange...)
	}
	return known, nil
}

// filesOf lists the files of a directory, relative to it and in the order of
// their names; deep goes into the directories below.
func filesOf(fsys fs.FS, dir string, deep bool, opt Options) (rels, left []string, err error) {
	for _, p := range opt.Ignore {
		if !doublestar.ValidatePattern(p) {
			return nil, nil, &InputError{File: dir, Message: fmt.Sprintf("ignore pattern %q is not valid", p), Remedy: "see the pattern syntax of doublestar"}
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
		case d.IsDir():
		case ignored(opt.Ignore, rel):
			left = append(left, rel)
		default:
			rels = append(rels, rel)
		}
		return nil
	})
	return rels, left, err
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
