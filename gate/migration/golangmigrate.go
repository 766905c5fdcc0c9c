package migration

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// golangMigrate is golang-migrate's layout: two files a migration, each sent
// whole, without a transaction of the tool's own.
type golangMigrate struct{}

func (golangMigrate) layout() Layout {
	return Layout{Name: "golang-migrate", Ledger: Ledger{Table: "schema_migrations", Kind: "last"}}
}

// migrateName is the pattern of golang-migrate's source package; what follows
// the direction may be anything.
var migrateName = regexp.MustCompile(`^([0-9]+)_(.*)\.(down|up)\.(.*)$`)

func (golangMigrate) name(rel string) (f fileName, ok bool, err error) {
	m := migrateName.FindStringSubmatch(rel)
	if m == nil || strings.Contains(rel, "/") {
		return f, false, nil
	}
	f = fileName{version: m[1], order: orderOf(m[1]), name: m[2], direction: Direction(m[3])}
	if f.number, err = strconv.ParseInt(f.version, 10, 64); err != nil {
		return f, false, &InputError{File: rel, Message: "version " + f.version + " does not fit the ledger's bigint", Remedy: "use a smaller number"}
	}
	return f, true, nil
}

func (golangMigrate) bothInOne() bool { return false }

func (golangMigrate) deep() bool { return false }

// foreign: golang-migrate takes a file of any extension, and sends it as it
// stands; a numbered file of Go is a step that the project's program runs
// between them. Which extensions hold SQL is ours to say.
func (golangMigrate) foreign(rel string) string {
	if strings.Contains(rel, "/") {
		return ""
	}
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(rel), "."))
	if m := migrateName.FindStringSubmatch(rel); m != nil {
		switch ext {
		case "sql", "pgsql", "psql", "ddl":
			return ""
		case "go":
			return "a migration in Go, which only the project's own program can run"
		}
		return "a migration that is not SQL by its name (." + ext + ")"
	}
	if ext == "go" && goStep.MatchString(rel) && !strings.HasSuffix(rel, "_test.go") {
		return "a step in Go between golang-migrate's, which only the project's own program can run"
	}
	return ""
}

// goStep is a Go file that bears a migration's number.
var goStep = regexp.MustCompile(`^[0-9]+_.*\.go$`)

func (t golangMigrate) claim(rel string, _ []byte) (strength int, why string) {
	if _, ok, err := t.name(rel); (ok || err != nil) && isSQL(rel) {
		return named, "is named as golang-migrate does"
	}
	return noClaim, ""
}

func (golangMigrate) outline(in input) (up, down *Script, err error) {
	s := &Script{File: in.file, Direction: in.direction}
	if in.direction == Up {
		return s, nil, nil
	}
	return nil, s, nil
}

func (golangMigrate) parse(in input) (up, down *Script, err error) {
	statements, err := ParseScriptWith(in.file, in.text, in.opt)
	if err != nil {
		return nil, nil, err
	}
	s := &Script{File: in.file, Direction: in.direction, Statements: statements}
	if in.direction == Up {
		return s, nil, nil
	}
	return nil, s, nil
}

func (golangMigrate) remedy() string {
	return "rename it to NUMBER_name.up.sql or NUMBER_name.down.sql"
}
