package migration

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
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
}

// Names of layouts.
const (
	golangMigrate = "golang-migrate"
	goose         = "goose"
)

// Layouts lists the layouts this package reads, in the order --layout lists them.
func Layouts() []Layout {
	return []Layout{
		{Name: golangMigrate, Ledger: Ledger{Table: "schema_migrations", Kind: "last"}},
		{Name: goose, Ledger: Ledger{Table: "goose_db_version", Kind: "log"}},
	}
}

// ByName finds a layout by the name --layout gives it.
func ByName(name string) (Layout, bool) {
	for _, l := range Layouts() {
		if l.Name == name {
			return l, true
		}
	}
	return Layout{}, false
}

// fileName is what a layout reads out of a file's name.
type fileName struct {
	version   string
	number    int64
	name      string
	direction Direction // "" where the file holds both
}

// migrateName is the pattern of golang-migrate's source package; what follows
// the direction may be anything.
var migrateName = regexp.MustCompile(`^([0-9]+)_(.*)\.(down|up)\.(.*)$`)

// parseName reads a base name; ok is false for files the layout does not know.
func (l Layout) parseName(base string) (f fileName, ok bool, err error) {
	switch l.Name {
	case golangMigrate:
		m := migrateName.FindStringSubmatch(base)
		if m == nil {
			return f, false, nil
		}
		f = fileName{version: m[1], name: m[2], direction: Direction(m[3])}
	case goose:
		version, rest, found := strings.Cut(base, "_")
		if !found || path.Ext(base) != ".sql" {
			return f, false, nil
		}
		f = fileName{version: version, name: strings.TrimSuffix(rest, ".sql")}
	default:
		return f, false, fmt.Errorf("layout %q is not known", l.Name)
	}
	f.number, err = strconv.ParseInt(f.version, 10, 64)
	switch {
	case err != nil && l.Name == golangMigrate:
		return f, false, &InputError{File: base, Message: "version " + f.version + " does not fit the ledger's bigint", Remedy: "use a smaller number"}
	case err != nil, l.Name == goose && f.number < 1:
		return f, false, nil
	}
	return f, true, nil
}

// gooseMark finds goose's Up annotation, spelled as the tool takes it.
var gooseMark = regexp.MustCompile(`(?mi)^\x{FEFF}?--\s*\+goose\s+up\s*$`)

// Detect tells which layout the files of a directory follow, and why.
func Detect(fsys fs.FS, dir string) (Layout, string, error) {
	dir = cleanDir(dir)
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return Layout{}, "", &InputError{File: dir, Message: fmt.Sprintf("the directory of migrations cannot be read: %v", err),
			Remedy: "name it with --dir"}
	}
	migrate, _ := ByName(golangMigrate)
	gooseLayout, _ := ByName(goose)
	var paired, plain []string
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if _, ok, err := migrate.parseName(e.Name()); (ok || err != nil) && isSQL(e.Name()) {
			paired = append(paired, e.Name())
		} else if _, ok, _ := gooseLayout.parseName(e.Name()); ok {
			plain = append(plain, e.Name())
		}
	}
	annotated := firstAnnotated(fsys, dir, plain)
	if n := len(paired); n > 0 && annotated == "" {
		// goose also takes names that end in .up.sql.
		if firstAnnotated(fsys, dir, []string{paired[0], paired[n-1]}) != "" {
			annotated, paired = paired[0], nil
		}
	}
	switch {
	case len(paired) > 0 && annotated != "":
		return Layout{}, "", &InputError{File: dir,
			Message: fmt.Sprintf("%s is named as golang-migrate does and %s is annotated for goose", paired[0], annotated),
			Remedy:  "say which with --layout, and list the other files under ignore: in the configuration"}
	case len(paired) > 0:
		return migrate, fmt.Sprintf("%s is named as golang-migrate does", paired[0]), nil
	case annotated != "":
		return gooseLayout, fmt.Sprintf("%s is annotated with -- +goose Up", annotated), nil
	}
	return Layout{}, "", nothingRecognised(dir, entries)
}

func nothingRecognised(dir string, entries []fs.DirEntry) error {
	e := &InputError{File: dir, Message: "it holds no .sql file", Remedy: "name the directory of migrations with --dir"}
	for _, entry := range entries {
		if !entry.IsDir() && isSQL(entry.Name()) {
			e.Message = entry.Name() + " is named neither as golang-migrate does (1_name.up.sql) nor annotated for goose (-- +goose Up)"
			e.Remedy = "name the layout with --layout, or another directory with --dir"
			break
		}
	}
	return e
}

func firstAnnotated(fsys fs.FS, dir string, files []string) string {
	for _, f := range files {
		if text, err := fs.ReadFile(fsys, path.Join(dir, f)); err == nil && gooseMark.Match(text) {
			return f
		}
	}
	return ""
}

func isSQL(base string) bool { return strings.EqualFold(path.Ext(base), ".sql") }

// cleanDir turns a directory as people write it into a name of fs.FS.
func cleanDir(dir string) string {
	return path.Clean(strings.TrimPrefix(strings.ReplaceAll(dir, `\`, "/"), "./"))
}

// Parse reads one file: for golang-migrate the script its name says, for goose
// both. A script that the file does not have is nil.
func (l Layout) Parse(file string, text []byte, opt Options) (up, down *Script, err error) {
	name, ok, err := l.parseName(path.Base(file))
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, &InputError{File: file, Message: "the name does not follow the layout " + l.Name, Remedy: l.nameRemedy()}
	}
	if l.Name == goose {
		return parseGoose(file, text, opt)
	}
	statements, err := ParseScriptWith(file, text, opt)
	if err != nil {
		return nil, nil, err
	}
	s := &Script{File: file, Direction: name.direction, Statements: statements}
	if name.direction == Up {
		return s, nil, nil
	}
	return nil, s, nil
}

func (l Layout) nameRemedy() string {
	if l.Name == goose {
		return "rename it to NUMBER_name.sql, or list it under ignore: in the configuration"
	}
	return "rename it to NUMBER_name.up.sql or NUMBER_name.down.sql, or list it under ignore: in the configuration"
}
