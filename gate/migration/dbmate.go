package migration

import (
	"regexp"
	"strconv"
	"strings"
)

// dbmate is its layout: both directions in one file, each a block that is sent
// whole, in a transaction unless its annotation says otherwise.
type dbmate struct{}

func (dbmate) layout() Layout {
	return Layout{Name: "dbmate", Ledger: Ledger{Table: "schema_migrations", Kind: "versions"}}
}

// dbmateName: dbmate takes any file that begins with a digit and ends in .sql.
var dbmateName = regexp.MustCompile(`^([0-9]+)(.*)\.sql$`)

func (dbmate) name(rel string) (f fileName, ok bool, err error) {
	m := dbmateName.FindStringSubmatch(rel)
	if m == nil || strings.Contains(rel, "/") {
		return f, false, nil
	}
	f = fileName{version: m[1], order: m[1], name: strings.TrimLeft(m[2], "_-. ")}
	// dbmate sorts by whole names, where "10_b.sql" comes before "1_a.sql"; what
	// it takes for the same are versions as texts. The byte after the digits is
	// all of the rest that the order of two versions can hang on.
	if rest := strings.TrimPrefix(rel, m[1]); rest[0] > '9' {
		f.order += ":"
	}
	if n, err := strconv.ParseInt(m[1], 10, 64); err == nil {
		f.number = n
	}
	return f, true, nil
}

func (dbmate) bothInOne() bool { return true }

func (dbmate) deep() bool { return false }

// foreign: dbmate passes over files of other kinds in silence, and has no step
// but in SQL.
func (dbmate) foreign(string) string { return "" }

// What dbmate takes for its annotations. A line feed counts as white space
// here, as it does there.
var (
	dbmateUp      = regexp.MustCompile(`(?m)^--\s*migrate:up(?:\s*$|\s+\S)`)
	dbmateDown    = regexp.MustCompile(`(?m)^--\s*migrate:down(?:\s*$|\s+\S)`)
	dbmateMark    = regexp.MustCompile(`(?m)^\x{FEFF}?--\s*migrate:up(?:\s|$)`)
	dbmateComment = regexp.MustCompile(`^\s*(?:--|$)`)
)

func (t dbmate) claim(rel string, text []byte) (strength int, why string) {
	if _, ok, _ := t.name(rel); ok && dbmateMark.Match(text) {
		return annotated, "is annotated with -- migrate:up"
	}
	return noClaim, ""
}

// dbmateBlock is one direction: a range of the text that begins with the
// annotation.
type dbmateBlock struct {
	start, end  int
	transaction bool
}

// dbmateMistake is a text that dbmate refuses, or fails at; off is where.
type dbmateMistake struct {
	off             int
	message, remedy string
}

const dbmateDocs = "see dbmate's documentation of migrations"

// dbmateBlocks finds the two blocks. dbmate's documentation has files of
// several sections since 2.29, but it runs the second one and fails at
// recording its version again (tried with 2.36), so that it never lasts.
func dbmateBlocks(text string) (up, down dbmateBlock, mistake *dbmateMistake) {
	ups := dbmateUp.FindAllStringIndex(text, 2)
	fail := func(off int, message, remedy string) (dbmateBlock, dbmateBlock, *dbmateMistake) {
		return up, down, &dbmateMistake{off, message, remedy}
	}
	if ups == nil {
		return fail(0, "the file has no line -- migrate:up", "put it before the first statement; "+dbmateDocs)
	}
	if off, ok := dbmateEarly(text[:ups[0][0]]); ok {
		return fail(off, "text stands before the line -- migrate:up, which dbmate refuses", "move it below")
	}
	from := ups[0][0] // a -- migrate:down before it is a comment like any other
	downs := dbmateDown.FindAllStringIndex(text[from:], 2)
	switch {
	case len(ups) > 1:
		return fail(ups[1][0], "a second -- migrate:up, whose section dbmate runs and then cannot record, since its version is taken", "make it a migration of its own")
	case downs == nil:
		return fail(from, "no -- migrate:down follows this -- migrate:up, without which dbmate refuses the file", "add the line -- migrate:down behind its statements; nothing need follow it")
	case len(downs) > 1:
		return fail(from+downs[1][0], "a second -- migrate:down, which dbmate refuses", "keep one")
	}
	to := from + downs[0][0]
	return dbmateBlock{from, to, dbmateTransaction(text[from:to])}, dbmateBlock{to, len(text), dbmateTransaction(text[to:])}, nil
}

// dbmateEarly finds a line that is neither blank nor a comment.
func dbmateEarly(text string) (off int, ok bool) {
	for line := range strings.SplitSeq(text, "\n") {
		if !dbmateComment.MatchString(line) {
			return off, true
		}
		off += len(line) + 1
	}
	return 0, false
}

// dbmateTransaction reads the options on the annotation's line.
func dbmateTransaction(block string) bool {
	line, _, _ := strings.Cut(block, "\n")
	value := ""
	for _, word := range strings.Fields(line) {
		if option := strings.Split(word, ":"); len(option) == 2 && option[0] == "transaction" {
			value = option[1]
		}
	}
	return value != "false"
}

func (dbmate) outline(in input) (up, down *Script, err error) {
	up = &Script{File: in.file, Direction: Up, Wrapped: true}
	upBlock, downBlock, mistake := dbmateBlocks(strings.TrimPrefix(string(in.text), bom))
	if mistake != nil { // for parse to tell: one that is merged may rest
		return up, nil, nil
	}
	up.Wrapped = upBlock.transaction
	return up, &Script{File: in.file, Direction: Down, Wrapped: downBlock.transaction}, nil
}

func (t dbmate) parse(in input) (up, down *Script, err error) {
	src, err := newDialectSource(in.opt.Dialect, in.file, in.text)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(string(in.text), bom) {
		return nil, nil, src.errorAt(0, "a byte order mark, with which dbmate takes the first line for no comment", "save the file as UTF-8 without one")
	}
	upBlock, downBlock, mistake := dbmateBlocks(src.text)
	if mistake != nil {
		return nil, nil, src.errorAt(mistake.off, mistake.message, mistake.remedy)
	}
	read := func(d Direction, b dbmateBlock) (*Script, error) {
		p := newScriptReader(in.opt, false)
		if err := p.batch(src.part(b.start, b.end), 0); err != nil {
			return nil, err
		}
		s := &Script{File: in.file, Direction: d, Wrapped: b.transaction, Statements: p.done()}
		standAlone(in.text, s.Statements)
		return s, refuseCopy("dbmate", s.Statements)
	}
	if up, err = read(Up, upBlock); err != nil {
		return nil, nil, err
	}
	if down, err = read(Down, downBlock); err != nil {
		return nil, nil, err
	}
	return up, down, nil
}

// refuseCopy: the drivers of these tools cannot send COPY's data.
func refuseCopy(tool string, statements []Statement) error {
	for _, st := range statements {
		if st.Facts.CopyFromStdin {
			return &InputError{File: st.File, Line: st.Line, Col: st.Column, Message: tool + " cannot send the data of COPY … FROM stdin", Remedy: "load the rows with INSERT"}
		}
	}
	return nil
}

func (dbmate) remedy() string { return "rename it to NUMBER_name.sql" }
