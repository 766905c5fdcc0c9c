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
// directly in it count, as for the tools.
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
			return fmt.Errorf("read migration: %w", err)
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

// entry is a file that a layout knows.
type entry struct {
	fileName
	file string
}

// List reads names and directions and parses nothing: Statements are nil.
func List(fsys fs.FS, dir string, layout Layout, opt Options) (Set, error) {
	set := Set{Layout: layout}
	entries, unrecognised, err := scanDir(fsys, cleanDir(dir), layout, opt)
	if err != nil {
		return set, err
	}
	set.Unrecognised = unrecognised
	for _, group := range pair(entries) {
		m := Migration{Version: group[0].version, Number: group[0].number, Name: group[0].name}
		m.Up.Direction = Up
		for _, e := range group {
			up, down, err := outline(fsys, layout, e)
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

func scanDir(fsys fs.FS, dir string, layout Layout, opt Options) (known []entry, unrecognised []string, err error) {
	for _, p := range opt.Ignore {
		if !doublestar.ValidatePattern(p) {
			return nil, nil, &InputError{File: dir, Message: fmt.Sprintf("ignore pattern %q is not valid", p), Remedy: "see the pattern syntax of doublestar"}
		}
	}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read directory of migrations: %w", err)
	}
	for _, e := range entries {
		base := e.Name()
		if e.IsDir() || ignored(opt.Ignore, base) {
			continue
		}
		file := path.Join(dir, base)
		if layout.Name == goose && isGoMigration(base) {
			return nil, nil, &InputError{File: file, Message: "a Go migration of goose, which only the project's own binary can run",
				Remedy: "list it under ignore: in the configuration to gate the SQL migrations without it"}
		}
		name, ok, err := layout.parseName(base)
		switch {
		case err != nil:
			return nil, nil, inFile(err, file)
		case ok:
			known = append(known, entry{name, file})
		case isSQL(base):
			unrecognised = append(unrecognised, file)
		}
	}
	return known, unrecognised, nil
}

func inFile(err error, file string) error {
	if e, ok := err.(*InputError); ok {
		e.File = file
	}
	return err
}

func ignored(patterns []string, base string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, base) })
}

// isGoMigration follows goose: a Go file, no test, whose name begins with a
// version and an underscore.
func isGoMigration(base string) bool {
	if path.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
		return false
	}
	l := Layout{Name: goose}
	_, ok, _ := l.parseName(strings.TrimSuffix(base, ".go") + ".sql")
	return ok
}

// pair groups files into migrations, by number. Up and down belong together
// by version; where a version is taken twice, by name as well.
func pair(entries []entry) [][]entry {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name), cmp.Compare(b.direction, a.direction))
	})
	var groups [][]entry
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].number == entries[0].number {
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

// outline tells which scripts a file holds.
func outline(fsys fs.FS, layout Layout, e entry) (up, down *Script, err error) {
	if layout.Name != goose {
		s := &Script{File: e.file, Direction: e.direction}
		if e.direction == Up {
			return s, nil, nil
		}
		return nil, s, nil
	}
	text, err := fs.ReadFile(fsys, e.file)
	if err != nil {
		return nil, nil, fmt.Errorf("read migration: %w", err)
	}
	up, down = outlineGoose(e.file, text)
	return up, down, nil
}
