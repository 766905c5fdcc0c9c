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

// dbmateBlock is one direction of one section: a range of the text that begins
// with the annotation.
type dbmateBlock struct {
	start, end  int
	transaction bool
}

// dbmateSection is a pair of blocks; since 2.30 a file may hold several.
type dbmateSection struct{ up, down dbmateBlock }

// dbmateMistake is a text that dbmate refuses; off is where.
type dbmateMistake struct {
	off             int
	message, remedy string
}

const dbmateDocs = "see dbmate's documentation of migrations"

func dbmateSections(text string) ([]dbmateSection, *dbmateMistake) {
	ups := dbmateUp.FindAllStringIndex(text, -1)
	if ups == nil {
		return nil, &dbmateMistake{0, "the file has no line -- migrate:up", "put it before the first statement; " + dbmateDocs}
	}
	if off, ok := dbmateEarly(text[:ups[0][0]]); ok {
		return nil, &dbmateMistake{off, "text stands before the line -- migrate:up, which dbmate refuses", "move it below"}
	}
	var sections []dbmateSection
	for i, up := range ups {
		end := len(text)
		if i+1 < len(ups) {
			end = ups[i+1][0]
		}
		downs := dbmateDown.FindAllStringIndex(text[up[0]:end], -1)
		switch len(downs) {
		case 0:
			return nil, &dbmateMistake{up[0], "no -- migrate:down follows this -- migrate:up, without which dbmate refuses the file", "add the line -- migrate:down behind its statements; nothing need follow it"}
		case 1:
		default:
			return nil, &dbmateMistake{up[0] + downs[1][0], "a second -- migrate:down", "keep one for each -- migrate:up"}
		}
		down := up[0] + downs[0][0]
		sections = append(sections, dbmateSection{
			up:   dbmateBlock{up[0], down, dbmateTransaction(text[up[0]:down])},
			down: dbmateBlock{down, end, dbmateTransaction(text[down:end])},
		})
	}
	return sections, nil
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
	sections, mistake := dbmateSections(strings.TrimPrefix(string(in.text), bom))
	if mistake != nil { // for parse to tell: one that is merged may rest
		return up, nil, nil
	}
	up, down = dbmateScripts(in.file, sections)
	return up, down, nil
}

// dbmateScripts lays the two scripts out. Sections run in transactions of their
// own, one after the other, down as up. As each is one string, it is a
// transaction anyway; only a single one needs BEGIN and COMMIT around it.
func dbmateScripts(file string, sections []dbmateSection) (up, down *Script) {
	one := len(sections) == 1
	return &Script{File: file, Direction: Up, Wrapped: one && sections[0].up.transaction},
		&Script{File: file, Direction: Down, Wrapped: one && sections[0].down.transaction}
}

func (dbmate) parse(in input) (up, down *Script, err error) {
	src, err := newDialectSource(in.opt.Dialect, in.file, in.text)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(string(in.text), bom) {
		return nil, nil, src.errorAt(0, "a byte order mark, with which dbmate takes the first line for no comment", "save the file as UTF-8 without one")
	}
	sections, mistake := dbmateSections(src.text)
	if mistake != nil {
		return nil, nil, src.errorAt(mistake.off, mistake.message, mistake.remedy)
	}
	up, down = dbmateScripts(in.file, sections)
	for _, s := range []*Script{up, down} {
		p := newScriptReader(in.opt, false)
		for i, section := range sections {
			b := section.up
			if s == down {
				b = section.down
			}
			if err := p.batch(src.part(b.start, b.end), i); err != nil {
				return nil, nil, err
			}
		}
		s.Statements = p.done()
		standAlone(in.text, s.Statements)
		if err := refuseCopy("dbmate", s.Statements); err != nil {
			return nil, nil, err
		}
		if err := oneTransactionEach(s, sections); err != nil {
			return nil, nil, err
		}
	}
	return up, down, nil
}

// oneTransactionEach refuses what several sections cannot be told apart by: in
// a transaction of dbmate's own these statements fail or mean something else
// than in the string's.
func oneTransactionEach(s *Script, sections []dbmateSection) error {
	if len(sections) == 1 {
		return nil
	}
	for _, st := range s.Statements {
		b := sections[st.Batch].up
		if s.Direction == Down {
			b = sections[st.Batch].down
		}
		if f := st.Facts; b.transaction && (f.NoBlock || f.NeedsBlock || f.MayCommit || f.Control != "") {
			return &InputError{File: s.File, Line: st.Line, Col: st.Column,
				Message: f.Kind + " in a file of several -- migrate:up sections, which run in a transaction each",
				Remedy:  "give it a file of its own, with transaction:false if it refuses a transaction"}
		}
	}
	return nil
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
