package changeset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// Unversioned says that there is nothing to compare with: no git repository
// around the directory, or one without a commit.
type Unversioned struct {
	Dir     string // the repository's top; without one, where it was looked for
	message string
}

func (e *Unversioned) Error() string { return e.message }

// note keeps what is wrong with a file, where that was asked for.
func (c *Change) note(opt Options, err error) bool {
	var mistake *migration.InputError
	if !opt.KeepGoing || !errors.As(err, &mistake) {
		return false
	}
	c.Unreadable = append(c.Unreadable, Unreadable(mistake))
	return true
}

// Unreadable is a mistake in a file as a fact of the change.
func Unreadable(e *migration.InputError) gate.Unreadable {
	return gate.Unreadable{File: e.File, Line: e.Line, Column: e.Col, Message: e.Message, Remedy: e.Remedy}
}

// list lists the head's migrations. A file at which the layout stops is noted,
// where that was asked for, and the others are listed without it.
func (c *Change) list(opt Options, head *tree, layout migration.Layout) (migration.Set, error) {
	if !opt.KeepGoing {
		return list(head, c.Dir, layout, c.Parsing)
	}
	if !head.hasDir(c.Dir) {
		return migration.Set{Layout: layout}, nil
	}
	set, unreadable, err := ListReadable(head, c.Dir, layout, c.Parsing)
	c.Unreadable = append(c.Unreadable, unreadable...)
	return set, err
}

// ListReadable is migration.List that goes on past the files at which it stops,
// and tells which.
func ListReadable(fsys fs.FS, dir string, layout migration.Layout, opt migration.Options) (migration.Set, []gate.Unreadable, error) {
	var unreadable []gate.Unreadable
	for {
		set, err := migration.List(fsys, dir, layout, opt)
		var mistake *migration.InputError
		if !errors.As(err, &mistake) {
			return set, unreadable, err
		}
		rel, inside := strings.CutPrefix(mistake.File, dir+"/")
		if dir == "." {
			rel, inside = mistake.File, true
		}
		pattern := literal(rel)
		if _, statErr := fs.Stat(fsys, mistake.File); !inside || statErr != nil || slices.Contains(opt.Ignore, pattern) {
			return set, unreadable, err
		}
		unreadable = append(unreadable, Unreadable(mistake))
		opt.Ignore = append(slices.Clip(opt.Ignore), pattern)
	}
}

// literal is the ignore pattern that matches just that name.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`).Replace(name)
}

// contentIn keys contents by their paths from the top; what lies outside is
// left out.
func (r *repo) contentIn(content map[string][]byte) map[string][]byte {
	in := map[string][]byte{}
	for name, text := range content {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
			name = filepath.Join(dir, filepath.Base(name))
		}
		rel, err := filepath.Rel(r.top, name)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(os.PathSeparator)) {
			continue
		}
		in[filepath.ToSlash(rel)] = append([]byte{}, text...)
	}
	return in
}

// replace puts contents over the files of the directory.
func (t *tree) replace(content map[string][]byte) {
	for name, text := range content {
		if t.dir == "." || strings.HasPrefix(name, t.dir+"/") {
			t.files[name] = entry{content: text, size: int64(len(text))}
			t.differs = true
		}
	}
}

// Parsing is how scripts are read under these options.
func (o Options) Parsing() migration.Options { return o.parsing() }
