package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// place is a directory of migrations, and the files in it that findings are
// wanted of; none means all.
type place struct {
	dir   string
	files []string // absolute
}

// places sorts the files given by their directories. --dir decides, where it is
// given or configured: what lies elsewhere is no migration. Else each file's
// own directory counts, if it holds what only a migration tool has.
func (l *linter) places() ([]place, error) {
	if len(l.cmd.Files) == 0 {
		return []place{{dir: l.cmd.Dir}}, nil
	}
	named := l.parsed.Origin("dir") != "default"
	var places []place
	for _, f := range l.cmd.Files {
		file := filepath.Clean(l.path(f))
		dir := l.cmd.Dir
		if !l.inNamed(file) {
			dir = filepath.Dir(file)
			if named || !l.holdsMigrations(dir, file) {
				l.log.Debug("passed over: it is in no directory of migrations", "file", f)
				continue
			}
		}
		i := slices.IndexFunc(places, func(p place) bool { return p.dir == dir })
		if i < 0 {
			i = len(places)
			places = append(places, place{dir: dir})
		}
		places[i].files = append(places[i].files, file)
	}
	return places, nil
}

// inNamed reports whether a file lies in the directory that --dir names, from
// where the command runs or else from the repository's top, as check takes it.
func (l *linter) inNamed(file string) bool {
	for _, from := range []string{l.env.Dir, config.Top(l.env.Dir)} {
		dir := l.cmd.Dir
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(from, dir)
		}
		rel, err := filepath.Rel(real(dir), real(file))
		if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return true
		}
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return false // it is the one that counts
		}
	}
	return false
}

// holdsMigrations reports whether a directory that nobody named shows that it
// holds migrations. Names that any ordered files might have show nothing.
func (l *linter) holdsMigrations(dir, file string) bool {
	if l.cmd.Layout != "auto" {
		return true
	}
	fsys := overlay{os.DirFS(dir), l.contentOf(dir)}
	d, err := migration.Detect(fsys, ".", migration.Options{Dialect: dialect(l.cmd.Engine), Ignore: l.cmd.Ignore, Getenv: l.scriptEnv})
	if err != nil {
		l.log.Debug("look for migrations", "dir", dir, "error", err)
	}
	// Those of two tools in one directory are migrations, too: whoever reads them says so.
	return slices.ContainsFunc(d.Candidates, func(c migration.Candidate) bool { return c.Strength != "could be" })
}

// real is a path with the links of its directories followed; of a file that is
// not there, too.
func real(path string) string {
	if r, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(r, filepath.Base(path))
	}
	return path
}
