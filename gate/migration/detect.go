package migration

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Detection is what the files of a directory tell of their layout.
type Detection struct {
	Layout Layout `json:"-"`
	Name   string `json:"layout"`
	// Reason is one line for people.
	Reason string `json:"reason"`
	// Candidates are the layouts that at least one file could belong to, in the
	// order --layout lists them.
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a layout that some files of a directory could belong to.
type Candidate struct {
	Layout string `json:"layout"`
	// Files that are the layout's more than any other's, of Of in all.
	Files int `json:"files"`
	Of    int `json:"of"`
	// Example is one of them, relative to the directory, and Why what it shows.
	Example string `json:"example"`
	Why     string `json:"why"`
	// Strength: "annotated", "named", or "could be".
	Strength string `json:"strength"`

	strength int
}

var strengths = map[int]string{couldBe: "could be", named: "named", annotated: "annotated"}

// Detect tells which layout the files of a directory follow, and why. Each
// file belongs to the tool with the strongest claim to it; where two tools have
// files of their own, that is told as a mistake.
func Detect(fsys fs.FS, dir string, opt Options) (Detection, error) {
	dir = cleanDir(dir)
	var d Detection
	rels, _, err := filesOf(fsys, dir, true, opt)
	if err != nil {
		return d, &InputError{File: dir, Message: fmt.Sprintf("the directory of migrations cannot be read: %v", err),
			Remedy: "name it with --dir"}
	}
	all := tools()
	for i := range all {
		if all[i], err = configure(all[i], fsys, dir, opt); err != nil {
			return d, err
		}
	}
	found := map[string]*Candidate{}
	first := "" // .sql file that is nobody's
	for _, rel := range rels {
		if !isSQL(rel) {
			continue
		}
		text, err := fs.ReadFile(fsys, path.Join(dir, rel))
		if err != nil {
			continue // a broken link: whoever needs the file says so
		}
		owner, strength, why := strongest(all, rel, text)
		if owner == nil {
			if first == "" && path.Base(rel) == rel {
				first = rel
			}
			continue
		}
		name := owner.layout().Name
		c := found[name]
		if c == nil {
			c = &Candidate{Layout: name}
			found[name] = c
		}
		if c.Files++; strength > c.strength {
			c.strength, c.Strength, c.Example, c.Why = strength, strengths[strength], rel, why
		}
	}
	var best *Candidate
	for _, t := range tools() {
		c := found[t.layout().Name]
		if c == nil {
			continue
		}
		c.Of = len(rels)
		d.Candidates = append(d.Candidates, *c)
		switch {
		case best == nil, best.strength == couldBe && c.strength > couldBe:
			best = c
		case c.strength > couldBe:
			return d, &InputError{File: dir, Message: fmt.Sprintf("%s %s and %s %s", best.Example, best.Why, c.Example, c.Why),
				Remedy: "say which with --layout, and list the other files under ignore: in the configuration"}
		}
	}
	if best == nil {
		return d, nothingRecognised(dir, first)
	}
	d.Layout, _ = ByName(best.Layout)
	d.Name, d.Reason = best.Layout, best.Example+" "+best.Why
	return d, nil
}

// strongest finds the tool with the strongest claim to a file.
func strongest(all []tool, rel string, text []byte) (owner tool, strength int, why string) {
	for _, t := range all {
		if path.Base(rel) != rel && !t.deep() {
			continue
		}
		if s, w := t.claim(rel, text); s > strength {
			owner, strength, why = t, s, w
		}
	}
	return owner, strength, why
}

// signs say in brief how each layout is recognised.
var signs = []struct{ layout, sign string }{
	{"golang-migrate", "1_name.up.sql"}, {"goose", "-- +goose Up"}, {"dbmate", "-- migrate:up"}, {"flyway", "V1__name.sql"},
	{"sql-migrate", "-- +migrate Up"}, {"plain", "1_name.sql, 1_name/up.sql or 1_name/migration.sql"},
}

func nothingRecognised(dir, first string) error {
	if first == "" {
		return &InputError{File: dir, Message: "it holds no .sql file", Remedy: "name the directory of migrations with --dir"}
	}
	var known []string
	for _, s := range signs {
		known = append(known, s.layout+" ("+s.sign+")")
	}
	return &InputError{File: dir,
		Message: first + " is of no layout by its name or annotations: " + strings.Join(known, ", "),
		Remedy:  "name the layout with --layout, or another directory with --dir"}
}
