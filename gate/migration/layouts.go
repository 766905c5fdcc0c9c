package migration

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// Options of reading a directory.
type Options struct {
	// Dialect of the scripts; "" means Postgres.
	Dialect Dialect
	// SQLMode of the session that will run them, comma-separated; "" means the
	// server's default. ANSI_QUOTES and NO_BACKSLASH_ESCAPES change how a text
	// splits (MySQL).
	SQLMode string
	// Ignore lists doublestar patterns, relative to the directory, of files
	// that are no migrations.
	Ignore []string
	// Getenv looks up variables for goose's ENVSUB; nil means none is set.
	Getenv func(string) (string, bool)
	// Placeholders are values for Flyway's ${…}, by name; they come before those
	// of its configuration files.
	Placeholders map[string]string
	// Transaction is how the plain layout's files run: "file" in one
	// transaction each, "statement" one by one, "" or "auto" as the file allows.
	Transaction string
}

// tools lists what this package reads, in the order --layout lists them.
func tools() []tool {
	return []tool{golangMigrate{}, goose{}, dbmate{}, flyway{}, sqlMigrate{}, plain{}}
}

// Layouts lists the layouts this package reads, in the order --layout lists them.
func Layouts() []Layout {
	var all []Layout
	for _, t := range tools() {
		all = append(all, t.layout())
	}
	return all
}

// ByName finds a layout by the name --layout gives it.
func ByName(name string) (Layout, bool) {
	t, ok := toolOf(name)
	if !ok {
		return Layout{}, false
	}
	return t.layout(), true
}

func toolOf(name string) (tool, bool) {
	for _, t := range tools() {
		if t.layout().Name == name {
			return t, true
		}
	}
	return nil, false
}

// Parse reads one file by itself, without what may stand beside it: for a tool
// that tells directions by names the script its name says, else both. A script
// that the file does not have is nil. Migration.Parse reads whole migrations.
func (l Layout) Parse(file string, text []byte, opt Options) (up, down *Script, err error) {
	t, ok := toolOf(l.Name)
	if !ok {
		return nil, nil, &InputError{File: file, Message: "layout " + l.Name + " is not known"}
	}
	rel := path.Base(file)
	name, ok, err := t.name(rel)
	if err != nil {
		return nil, nil, inFile(err, file)
	}
	if !ok {
		return nil, nil, &InputError{File: file, Message: "the name does not follow the layout " + l.Name, Remedy: t.remedy() + ", or list it under ignore: in the configuration"}
	}
	return t.parse(input{file: file, rel: rel, text: text, direction: name.direction, opt: opt})
}

// configurable is a tool that a file of the project's may tell how its
// migrations are named and sent.
type configurable interface {
	// configFiles are where it looks, for a directory of migrations.
	configFiles(dir string) []string
	// configured is the tool as it is told for a directory's files, also beside
	// an error as far as it was told.
	configured(fsys fs.FS, dir string, opt Options) (tool, error)
}

func configure(t tool, fsys fs.FS, dir string, opt Options) (tool, error) {
	if c, ok := t.(configurable); ok {
		return c.configured(fsys, dir, opt)
	}
	return t, nil
}

// ConfigFiles are the files outside of a directory of migrations, by their
// paths from the repository's top, that may tell how a tool takes it.
func ConfigFiles(dir string) (files []string) {
	for _, l := range Layouts() {
		files = append(files, l.ConfigFiles(dir)...)
	}
	return files
}

// ConfigFiles are those of one tool.
func (l Layout) ConfigFiles(dir string) []string {
	t, _ := toolOf(l.Name)
	if c, ok := t.(configurable); ok {
		return c.configFiles(cleanDir(dir))
	}
	return nil
}

func isSQL(base string) bool { return strings.EqualFold(path.Ext(base), ".sql") }

// cleanDir turns a directory as people write it into a name of fs.FS.
func cleanDir(dir string) string {
	return path.Clean(strings.TrimPrefix(strings.ReplaceAll(dir, `\`, "/"), "./"))
}

// readIfThere reads a file that may be missing.
func readIfThere(fsys fs.FS, name string) (text []byte, ok bool, err error) {
	text, err = fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return text, err == nil, err
}
