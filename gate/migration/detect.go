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
	// Files are all that the directory holds, but Ignored; Others are the .sql
	// files among them that could be no layout's. Relative to the directory.
	Files   int      `json:"files"`
	Ignored []string `json:"ignored,omitempty"`
	Others  []string `json:"others,omitempty"`
}

// Candidate is a layout that some files of a directory could belong to.
type Candidate struct {
	Layout string `json:"layout"`
	// Files that are the layout's more than any other's, of Of in all. Could is
	// how many it would read, those of others included.
	Files int `json:"files"`
	Could int `json:"could"`
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
// files of their own, that is told as a mistake. What was found is returned
// also with a mistake.
func Detect(fsys fs.FS, dir string, opt Options) (Detection, error) {
	dir = cleanDir(dir)
	var d Detection
	rels, ignored, err := filesOf(fsys, dir, true, opt)
	if err != nil {
		return d, &InputError{File: dir, Message: fmt.Sprintf("the directory of migrations cannot be read: %v", err),
			Remedy: "name it with --dir"}
	}
	d.Files, d.Ignored = len(rels), ignored
	all := tools()
	for i := range all {
		all[i], _ = configure(all[i], fsys, dir, opt) // who needs more than names says what is wrong
	}
	found := make([]Candidate, len(all))
	there := map[string]bool{}
	for _, rel := range rels {
		there[rel] = true
	}
	for _, rel := range rels {
		if !isSQL(rel) {
			continue
		}
		text, err := fs.ReadFile(fsys, path.Join(dir, rel))
		if err != nil {
			continue // a broken link: whoever needs the file says so
		}
		if !count(found, all, rel, text, reversesPlain(rel, there)) {
			d.Others = append(d.Others, rel)
		}
	}
	for i, c := range found {
		if c.Could > 0 {
			c.Layout, c.Of = all[i].layout().Name, len(rels)
			c.Strength = strengths[c.strength]
			d.Candidates = append(d.Candidates, c)
		}
	}
	best, err := d.choose(dir)
	if err != nil {
		return d, err
	}
	d.Layout, _ = ByName(best.Layout)
	d.Name, d.Reason = best.Layout, best.Example+" "+best.Why
	return d, nil
}

// reversesPlain: beside 1_a.sql, 1_a.down.sql reverses that. golang-migrate would
// have 1_a.up.sql.
func reversesPlain(rel string, there map[string]bool) bool {
	stem, ok := strings.CutSuffix(rel, ".down.sql")
	return ok && there[stem+".sql"] && !there[stem+".up.sql"]
}

// count books a file to the tools that claim it, and reports whether one does.
// An example is of a tool's own files where it has some.
func count(found []Candidate, all []tool, rel string, text []byte, ofPlain bool) (claimed bool) {
	owner, most := -1, noClaim
	whys := make([]string, len(all))
	for i, t := range all {
		if _, pairs := t.(golangMigrate); pairs && ofPlain || path.Base(rel) != rel && !t.deep() {
			continue
		}
		strength, why := t.claim(rel, text)
		if strength == noClaim {
			continue
		}
		c := &found[i]
		if c.Could++; c.Could == 1 {
			c.strength, c.Example, c.Why = strength, rel, why
		}
		if whys[i] = why; strength > most {
			owner, most = i, strength
		}
	}
	if owner < 0 {
		return false
	}
	c := &found[owner]
	if c.Files++; c.Files == 1 || most > c.strength {
		c.strength, c.Example, c.Why = most, rel, whys[owner]
	}
	return true
}

// choose takes the layout with files of its own.
func (d *Detection) choose(dir string) (*Candidate, error) {
	var best *Candidate
	for i := range d.Candidates {
		c := &d.Candidates[i]
		switch {
		case c.Files == 0:
		case best == nil, best.strength == couldBe && c.strength > couldBe:
			best = c
		case c.strength > couldBe:
			return nil, &InputError{File: dir, Message: fmt.Sprintf("two layouts in one directory: %s %s and %s %s", best.Example, best.Why, c.Example, c.Why),
				Remedy: fmt.Sprintf("say which with --layout %s or --layout %s, and list the other files under ignore: in the configuration", best.Layout, c.Layout)}
		}
	}
	if best == nil {
		return nil, d.nothingRecognised(dir)
	}
	return best, nil
}

// Signs say in brief how each layout is recognised, in the order of Layouts.
func Signs() [][2]string {
	var all [][2]string
	for _, l := range Layouts() {
		all = append(all, [2]string{l.Name, signs[l.Name]})
	}
	return all
}

var signs = map[string]string{
	"golang-migrate": "1_name.up.sql", "goose": "-- +goose Up", "dbmate": "-- migrate:up", "flyway": "V1__name.sql",
	"sql-migrate": "-- +migrate Up", "plain": "1_name.sql, 1_name/up.sql or 1_name/migration.sql",
}

func (d *Detection) nothingRecognised(dir string) error {
	if len(d.Others) == 0 {
		return &InputError{File: dir, Message: "it holds no .sql file", Remedy: "name the directory of migrations with --dir"}
	}
	var known []string
	for _, s := range Signs() {
		known = append(known, s[0]+" ("+s[1]+")")
	}
	return &InputError{File: dir,
		Message: d.Others[0] + " is of no layout by its name or annotations: " + strings.Join(known, ", "),
		Remedy:  "name the layout with --layout, or another directory with --dir"}
}
