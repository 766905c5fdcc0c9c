package migration

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// plain is SQL in the order of its names, without annotations: files that a
// script gives to psql, and what tools have that need no more than a name
// (sqlx, diesel, Prisma, Hasura, Supabase). A migration is a file, perhaps
// with its reversal beside it, or a directory with up.sql or migration.sql.
type plain struct{}

func (plain) layout() Layout { return Layout{Name: "plain"} }

// PlainLedgers are the history tables that tools keep whose migrations are read
// as plain: which of them it was, a database's own table tells. Kinds are the
// tools' names.
func PlainLedgers() []Ledger {
	return []Ledger{
		{Table: "_sqlx_migrations", Kind: "sqlx"},
		{Table: "__diesel_schema_migrations", Kind: "diesel"},
		{Table: "_prisma_migrations", Kind: "prisma"},
		{Table: "supabase_migrations.schema_migrations", Kind: "supabase"},
	}
}

// plainDirs are the files that make a migration of their directory.
var plainDirs = map[string]Direction{
	"up.sql": Up, "migration.sql": Up, "down.sql": Down, "rollback.sql": Down, "undo.sql": Down, "revert.sql": Down,
}

// plainSuffix ends the name of a script that says its direction. Behind a dot
// it means nothing else; behind an underscore it may be the name's last word
// ("004_scale_down.sql"), which gather finds out.
var plainSuffix = regexp.MustCompile(`(?i)^(.+?)([._-])(up|down|rollback|undo|revert)$`)

// plainVersion is what a name begins with: a number, a dotted version, or a
// date with dashes.
var plainVersion = regexp.MustCompile(`^[vV]?([0-9]{4}-[0-9]{2}-[0-9]{2}(?:-[0-9]+)?|[0-9]+(?:\.[0-9]+)*)(.*)$`)

func (plain) name(rel string) (f fileName, ok bool, err error) {
	if !isSQL(rel) {
		return f, false, nil
	}
	stem, direction, _ := plainStem(rel)
	return plainName(stem, direction, isMigrationSQL(rel)), true, nil
}

// plainStem reads a path: what all files of a migration have in common, and
// what this one is of it. sure is false where the last word may be a name's.
func plainStem(rel string) (stem string, d Direction, sure bool) {
	dir, base := path.Split(rel)
	if d, ok := plainDirs[strings.ToLower(base)]; ok {
		return path.Clean(dir), d, true
	}
	stem = rel[:len(rel)-len(".sql")]
	m := plainSuffix.FindStringSubmatch(path.Base(stem))
	if m == nil {
		return stem, Up, true
	}
	d = Down
	if strings.EqualFold(m[3], "up") {
		d = Up
	}
	return dir + m[1], d, m[2] == "."
}

// plainName: whole says that the stem is a directory's with a migration.sql.
func plainName(stem string, d Direction, whole bool) fileName {
	f := fileName{version: stem, order: plainOrder(stem, whole), name: stem, direction: d}
	m := plainVersion.FindStringSubmatch(stem)
	if m == nil || strings.Contains(stem, "/") {
		return f
	}
	// diesel's ledger knows a date without its dashes.
	f.version, f.name = strings.ReplaceAll(m[1], "-", ""), strings.TrimLeft(m[2], "_-. ")
	if n, err := strconv.ParseInt(f.version, 10, 64); err == nil {
		f.number = n
	}
	return f
}

// plainOrder is the natural order but for two kinds of directories, whose tools
// sort texts: those with a migration.sql by their names (Prisma, drizzle), those
// named as diesel does by the version, which has no dashes.
func plainOrder(stem string, whole bool) string {
	dir, base := path.Split(stem)
	switch {
	case whole:
		return naturalOrder(dir) + beside + base
	case dieselDir.MatchString(base):
		const dashed = len("2006-01-02-150405")
		return naturalOrder(dir) + beside + strings.ReplaceAll(base[:dashed], "-", "") + naturalOrder(base[dashed:])
	}
	return naturalOrder(stem)
}

// beside goes before what is sorted as text, so that it comes among files whose
// names begin with a time of 14 digits, by that time: it is what orderOf puts
// before those.
const beside = "014"

func isMigrationSQL(rel string) bool { return strings.EqualFold(path.Base(rel), "migration.sql") }

var digitRun = regexp.MustCompile(`[0-9]+`)

// naturalOrder sorts as people number files: 2 before 10, and 002 is 2.
func naturalOrder(stem string) string {
	return digitRun.ReplaceAllStringFunc(stem, func(digits string) string { return orderOf(digits) })
}

// gather settles what a name alone does not tell. Where one name of a directory
// begins with a number, those that do not are no migrations: a schema's dump,
// seeds. And a name that ends in _down is a reversal where the directory has
// such pairs, else a name; one of its own among pairs could be either.
func (plain) gather(entries []entry) (known []entry, unrecognised, unsure []string, err error) {
	numbered, pairs, ups, downs := false, false, map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		stem, d, _ := plainStem(e.rel)
		numbered = numbered || plainVersion.MatchString(e.rel)
		if d == Up {
			ups[stem] = true
		} else {
			downs[stem] = true
		}
	}
	for _, e := range entries {
		stem, d, sure := plainStem(e.rel)
		pairs = pairs || d == Down && !sure && ups[stem]
	}
	for _, e := range entries {
		stem, d, sure := plainStem(e.rel)
		switch {
		case numbered && !plainVersion.MatchString(e.rel):
			unrecognised = append(unrecognised, e.file)
			continue
		case !sure && d == Down && !ups[stem] && pairs:
			return nil, nil, nil, &InputError{File: e.file, Message: "named as other files here that reverse one, and nothing is there that it would reverse",
				Remedy: "name its last word otherwise if it is a migration, or list it under ignore: in the configuration"}
		case !sure && (d == Down && !ups[stem] || d == Up && !downs[stem]):
			e.fileName = plainName(e.rel[:len(e.rel)-len(".sql")], Up, false)
		case !sure && d == Down:
			unsure = append(unsure, e.file)
		}
		known = append(known, e)
	}
	return known, unrecognised, unsure, nil
}

func (plain) bothInOne() bool { return false }

func (plain) deep() bool { return true }

// foreign: a script between the SQL, by its number.
func (plain) foreign(rel string) string {
	switch ext := strings.ToLower(path.Ext(rel)); ext {
	case ".pgsql", ".psql", ".ddl":
		if plainVersion.MatchString(rel) {
			return fmt.Sprintf("SQL by its name, which is read only where it ends in .sql (%s)", ext)
		}
	case ".go", ".py", ".rb", ".js", ".ts", ".sh", ".java", ".kt", ".rs", ".php", ".pl":
		if plainVersion.MatchString(rel) && !strings.HasSuffix(rel, "_test.go") && !strings.Contains(rel, "/") {
			return fmt.Sprintf("a migration that is no SQL (%s), which only the project's own program can run", ext)
		}
	}
	return ""
}

// othersMarks are annotations by which another tool reads a file: run as plain
// SQL, its reversal would run as well. bareUp and bareDown are sections without
// a tool's name, if a file has both.
var (
	othersMarks = regexp.MustCompile(`(?i)^(?:(?:--|#|//)\s*(?:\+\w+\s+(?:up|down)\b|\+(?:goose|migrate)\b|migrate:(?:up|down)\b|rambler\s+(?:up|down)\b|!\s*(?:ups|downs)\b|@undo\b|liquibase formatted sql|\+(?:up|down)\b)|----\s*create above / drop below\s*----)`)
	bareUp      = regexp.MustCompile(`(?i)^--+\s*up\s*$`)
	bareDown    = regexp.MustCompile(`(?i)^--+\s*down\s*$`)
)

// othersMark finds the first such annotation, or returns -1.
func othersMark(text []byte) int {
	off, up, down := 0, -1, -1
	for line := range bytes.Lines(text) {
		comment := bytes.TrimPrefix(line, []byte(bom))
		if len(comment) > 1 && bytes.IndexByte([]byte("-#/"), comment[0]) >= 0 {
			comment = bytes.TrimRight(comment, "\r\n")
			switch {
			case othersMarks.Match(comment):
				return off
			case up < 0 && bareUp.Match(comment):
				up = off
			case down < 0 && bareDown.Match(comment):
				down = off
			}
		}
		off += len(line)
	}
	if up >= 0 && down >= 0 {
		return min(up, down)
	}
	return -1
}

// plainShape tells a directory's migration by its files.
var plainShape = regexp.MustCompile(`^[0-9][^/]*/(?:up|down|migration)\.sql$`)

func (plain) claim(rel string, text []byte) (strength int, why string) {
	switch {
	case othersMark(text) >= 0:
		return noClaim, ""
	case plainShape.MatchString(rel):
		return named, "is a numbered directory's script"
	case isSQL(rel) && plainVersion.MatchString(rel):
		return couldBe, "begins with a number, and bears no tool's annotation"
	}
	return noClaim, ""
}

func (plain) remedy() string { return "give it a name that ends in .sql" }

// outline leaves Wrapped to parse: it hangs on the statements.
func (plain) outline(in input) (up, down *Script, err error) {
	s := &Script{File: in.file, Direction: in.direction}
	if in.direction == Down {
		return nil, s, nil
	}
	return s, nil, nil
}

func (plain) parse(in input) (up, down *Script, err error) {
	src, err := newDialectSource(in.opt.Dialect, in.file, in.text)
	if err != nil {
		return nil, nil, err
	}
	if at := othersMark([]byte(src.text)); at >= 0 {
		return nil, nil, src.errorAt(at, "an annotation of another tool, without which its up and its down would both run",
			"name that tool with --layout, or remove the annotation")
	}
	s := &Script{File: in.file, Direction: in.direction}
	if s.Statements, err = plainStatements(in, src); err != nil {
		return nil, nil, err
	}
	standAlone(in.text, s.Statements)
	if s.Wrapped, err = plainWrapped(in, src.text, s.Statements); err != nil {
		return nil, nil, err
	}
	if in.direction == Down {
		return nil, s, nil
	}
	return s, nil, nil
}

// plainWhole reports whether a tool sends the file as one string, which those
// do that give each migration a directory. The name decides, as it does where
// a file is read by itself.
func plainWhole(file string) bool {
	_, ok := plainDirs[strings.ToLower(path.Base(file))]
	return ok
}

// sqlxNoTransaction is how sqlx's files refuse a transaction; they too are sent
// whole.
const sqlxNoTransaction = "-- no-transaction"

func plainStatements(in input, src *source) ([]Statement, error) {
	whole := plainWhole(in.file) || strings.HasPrefix(src.text, sqlxNoTransaction)
	if in.opt.Dialect.IsMySQL() || whole && in.opt.Transaction != "statement" {
		p := newScriptReader(in.opt, false)
		if err := p.batch(src, 0); err != nil {
			return nil, err
		}
		statements := p.done()
		if !whole || in.opt.Transaction == "statement" {
			for i := range statements {
				statements[i].Batch = i
			}
		}
		return statements, refuseDelimiter(statements)
	}
	p := newParser()
	if err := p.psql(src); err != nil {
		return nil, err
	}
	return p.done(), nil
}

// refuseDelimiter: the mysql program's command says where the next statements
// end.
func refuseDelimiter(statements []Statement) error {
	for _, st := range statements {
		if st.Facts.Kind == "DELIMITER" {
			return &InputError{File: st.File, Line: st.Line, Col: st.Column, Message: "DELIMITER is a command of the mysql program, which cannot be followed",
				Remedy: "leave it out: bodies between BEGIN and END are found without it"}
		}
	}
	return nil
}

// plainWrapped decides whether the file runs in one transaction. Prisma opens
// none around the string that it sends, which is one by itself; diesel asks
// metadata.toml beside; MySQL has none that DDL would not end.
func plainWrapped(in input, text string, statements []Statement) (bool, error) {
	switch in.opt.Transaction {
	case "file":
		return true, nil
	case "statement":
		return false, nil
	}
	if in.opt.Dialect.IsMySQL() || isMigrationSQL(in.file) || strings.HasPrefix(text, sqlxNoTransaction) {
		return false, nil
	}
	if plainWhole(in.file) {
		meta, ok, err := in.beside("metadata.toml")
		if err != nil {
			return false, fmt.Errorf("read what is beside %s: %w", in.file, err)
		}
		if ok && dieselNoTransaction.Match(meta) {
			return false, nil
		}
	}
	if dieselDir.MatchString(path.Base(path.Dir(in.file))) {
		return true, nil // whatever is in it
	}
	for _, st := range statements {
		if f := st.Facts; f.NoBlock || f.MayCommit || f.Control != "" {
			return false, nil
		}
	}
	return true, nil
}

// dieselDir is how diesel names a migration's directory.
var dieselDir = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{6}_`)

var dieselNoTransaction = regexp.MustCompile(`(?m)^[ \t]*run_in_transaction[ \t]*=[ \t]*false\b`)
