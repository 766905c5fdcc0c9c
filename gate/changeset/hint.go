package changeset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// mostPlaces bounds how many directories are looked at for the sake of a hint.
const mostPlaces = 500

// elsewhere says which of the repository's directories hold what a migration
// tool would run, the likeliest first; "" if none does. They are those on disk:
// the hint is for who types the command.
func (r *repo) elsewhere(ctx context.Context, opt migration.Options) string {
	names, err := r.run(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return ""
	}
	held := map[string]bool{}
	for _, name := range strings.Split(string(names), "\x00") {
		dir := path.Dir(name)
		switch path.Base(name) {
		case "up.sql", "down.sql", "migration.sql": // a directory for each migration
			dir = path.Dir(dir)
		}
		if isSQL(name) && len(held) < mostPlaces {
			held[dir] = true
		}
	}
	var places []place
	for dir := range held {
		d, err := migration.Detect(os.DirFS(r.top), dir, opt)
		if err != nil {
			continue
		}
		i := slices.IndexFunc(d.Candidates, func(c migration.Candidate) bool { return c.Layout == d.Name })
		places = append(places, place{dir, d.Candidates[i].Strength != "could be", d.Candidates[i], 0})
	}
	places = outermost(places)
	slices.SortFunc(places, func(a, b place) int {
		switch {
		case a.sure != b.sure && a.sure:
			return -1
		case a.sure != b.sure:
			return 1
		case a.by.Files != b.by.Files:
			return b.by.Files - a.by.Files
		}
		return strings.Compare(a.dir, b.dir)
	})
	var said []string
	for _, p := range places[:min(3, len(places))] {
		said = append(said, fmt.Sprintf("--dir %s (%s, %d files)", p.dir, p.by.Layout, p.by.Files))
	}
	return strings.ReplaceAll(strings.Join(said, " or "), ", 1 files)", ", 1 file)")
}

// place is a directory that a tool's migrations are in.
type place struct {
	dir  string
	sure bool // that they are: by more than a number
	by   migration.Candidate
	own  int // files in it and not in another place below
}

// outermost leaves out what only holds other places, and what another place
// holds that has files of its own: a tool that reads directories below.
func outermost(places []place) []place {
	below := func(p, q place) bool {
		return p.by.Layout == q.by.Layout && p.dir != q.dir && (q.dir == "." || strings.HasPrefix(p.dir, q.dir+"/"))
	}
	length := func(p place) int { return len(strings.TrimSuffix(p.dir, ".")) } // of the top, none
	slices.SortFunc(places, func(a, b place) int { return length(b) - length(a) })
	for i := range places { // the innermost first
		p := &places[i]
		p.own = p.by.Files
		for _, q := range places[:i] {
			if below(q, *p) {
				p.own -= q.own
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(places), func(p place) bool {
		return p.own <= 0 || slices.ContainsFunc(places, func(q place) bool { return q.own > 0 && below(p, q) })
	})
}

// likelier puts before a mistake's remedy which layout the files show, where
// another was named.
func likelier(files *tree, dir, named string, opt migration.Options) func(error) {
	shown := sync.OnceValue(func() string {
		d, err := migration.Detect(files, dir, opt)
		if err != nil || d.Name == named || d.Name == "plain" { // whose names are anybody's
			return ""
		}
		return fmt.Sprintf("leave --layout out or say --layout %s (%s), ", d.Name, d.Reason)
	})
	return func(err error) {
		var mistake *migration.InputError
		if errors.As(err, &mistake) {
			mistake.Remedy = shown() + mistake.Remedy
		}
	}
}
