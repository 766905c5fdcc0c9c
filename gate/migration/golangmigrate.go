package migration

import (
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

func (golangMigrate) foreign(string) string { return "" }

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
