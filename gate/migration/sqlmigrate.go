package migration

import (
	"bufio"
	"regexp"
	"strconv"
	"strings"
)

// sqlMigrate is the layout of rubenv/sql-migrate: both directions in one file,
// told apart by annotations, sent statement by statement, each direction in a
// transaction unless its annotation says notransaction.
type sqlMigrate struct{}

func (sqlMigrate) layout() Layout {
	return Layout{Name: "sql-migrate", Ledger: Ledger{Table: "gorp_migrations", Kind: "files"}}
}

// name takes every .sql file, as the tool does. What its ledger knows is the
// whole name; names that begin with a number come first, by that number.
func (sqlMigrate) name(rel string) (f fileName, ok bool, err error) {
	stem, isSQL := strings.CutSuffix(rel, ".sql")
	if !isSQL || strings.Contains(rel, "/") {
		return f, false, nil
	}
	f = fileName{version: rel, order: "1 " + rel, name: stem}
	rest := strings.TrimLeft(stem, "0123456789")
	digits := stem[:len(stem)-len(rest)]
	if digits == "" {
		return f, true, nil
	}
	if f.number, err = strconv.ParseInt(digits, 10, 64); err != nil {
		return f, false, &InputError{File: rel, Message: "sql-migrate cannot read the number " + digits + ": it is too large", Remedy: "use a smaller number"}
	}
	f.order, f.name = "0 "+orderOf(digits)+" "+rel, strings.TrimLeft(rest, "_-. ")
	return f, true, nil
}

func (sqlMigrate) bothInOne() bool { return true }

func (sqlMigrate) deep() bool { return false }

func (sqlMigrate) foreign(string) string { return "" }

// sqlMigrateMark finds sql-migrate's annotation of either direction.
var sqlMigrateMark = regexp.MustCompile(`(?m)^\x{FEFF}?-- \+migrate[ \t]+(?:Up|Down)(?:\s|$)`)

func (t sqlMigrate) claim(rel string, text []byte) (strength int, why string) {
	if _, ok, err := t.name(rel); (ok || err != nil) && sqlMigrateMark.Match(text) {
		return annotated, "is annotated with -- +migrate Up"
	}
	return noClaim, ""
}

func (sqlMigrate) remedy() string { return "rename it to NUMBER_name.sql" }

func (sqlMigrate) outline(in input) (up, down *Script, err error) {
	up = &Script{File: in.file, Direction: Up, Wrapped: true}
	for line := range strings.Lines(string(in.text)) {
		cmd, options := sqlMigrateCommand(strings.TrimRight(line, "\r\n"))
		switch {
		case cmd == "Down" && down == nil:
			down = &Script{File: in.file, Direction: Down, Wrapped: !options}
		case cmd == "Down":
			down.Wrapped = down.Wrapped && !options
		case cmd == "Up":
			up.Wrapped = up.Wrapped && !options
		}
	}
	return up, down, nil
}

const sqlMigratePrefix = "-- +migrate "

// sqlMigrateCommand reads an annotation, "" for other lines. The tool reads its
// commands in this very spelling and passes over all others.
func sqlMigrateCommand(line string) (cmd string, noTransaction bool) {
	rest, ok := strings.CutPrefix(line, sqlMigratePrefix)
	words := strings.Fields(rest)
	if !ok || len(words) == 0 {
		return "", false
	}
	for _, option := range words[1:] {
		noTransaction = noTransaction || option == "notransaction"
	}
	return words[0], noTransaction
}

func (sqlMigrate) parse(in input) (up, down *Script, err error) {
	src, err := newDialectSource(in.opt.Dialect, in.file, in.text)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(string(in.text), bom+sqlMigratePrefix) {
		return nil, nil, src.errorAt(0, "a byte order mark, behind which sql-migrate does not see the annotation", "save the file as UTF-8 without one")
	}
	r := sqlMigrateReader{src: src, chunks: map[Direction][]*source{}}
	if err := r.read(); err != nil {
		return nil, nil, err
	}
	up, down, _ = sqlMigrate{}.outline(in)
	for _, s := range []*Script{up, down} {
		if s == nil {
			continue
		}
		p := newScriptReader(in.opt, true)
		for i, chunk := range r.chunks[s.Direction] {
			if err := p.batch(chunk, i); err != nil {
				return nil, nil, annotatedRemedy(err, "sql-migrate", "-- +migrate")
			}
		}
		s.Statements = p.done()
		standAlone(in.text, s.Statements)
		if err := refuseCopy("sql-migrate", s.Statements); err != nil {
			return nil, nil, err
		}
	}
	return up, down, nil
}

// sqlMigrateReader collects the chunks of both directions. Its quirks are the
// tool's: lines before the first annotation are dropped, and so is every line
// that begins with "-- ", wherever it stands; a chunk ends with a line whose
// last word, comments apart, ends in a semicolon.
type sqlMigrateReader struct {
	src     *source
	section Direction // "" before the first annotation
	// inBlock: between StatementBegin, which stands at blockOff, and StatementEnd.
	inBlock  bool
	blockOff int
	buf      chunkBuffer
	chunks   map[Direction][]*source
}

// sqlMigrateLine is the longest line that the tool's scanner takes.
const sqlMigrateLine = 1 << 20

func (r *sqlMigrateReader) read() error {
	text := r.src.text
	for off := 0; off < len(text); {
		end, next := len(text), len(text)
		if i := strings.IndexByte(text[off:], '\n'); i >= 0 {
			end, next = off+i, off+i+1
		}
		if next-off >= sqlMigrateLine {
			return r.src.errorAt(off, "sql-migrate reads no line of 1 MiB or more", "break it into shorter ones")
		}
		if err := r.line(off, strings.TrimSuffix(text[off:end], "\r")); err != nil {
			return err
		}
		off = next
	}
	switch {
	case r.inBlock:
		return r.src.errorAt(r.blockOff, "StatementBegin is never closed", "add a line -- +migrate StatementEnd")
	case r.section == "":
		return r.src.errorAt(0, "the file has no line -- +migrate Up", "put it, in this spelling, before the first statement")
	}
	return r.unfinished()
}

// unfinished refuses text that no semicolon ended.
func (r *sqlMigrateReader) unfinished() error {
	off, ok := r.buf.first()
	if !ok {
		return nil
	}
	if n := len(r.chunks[r.section]); n > 0 && copyStdin.MatchString(r.chunks[r.section][n-1].text) {
		return r.src.errorAt(off, "sql-migrate cannot send the data of COPY … FROM stdin", "load the rows with INSERT")
	}
	return r.src.errorAt(off, "sql-migrate finds no end of this statement: no line of it ends with a semicolon", "end it with one")
}

func (r *sqlMigrateReader) line(off int, line string) error {
	mark := strings.HasPrefix(line, "-- +")
	if strings.HasPrefix(line, "-- ") && !mark {
		return nil
	}
	ended := false
	if strings.HasPrefix(line, sqlMigratePrefix) {
		switch cmd, _ := sqlMigrateCommand(line); cmd {
		case "":
			return r.src.errorAt(off, "an annotation without a command", "write -- +migrate Up, Down, StatementBegin or StatementEnd")
		case "Up", "Down":
			if err := r.unfinished(); err != nil {
				return err
			}
			r.section = Direction(strings.ToLower(cmd))
		case "StatementBegin":
			if r.section != "" && !r.inBlock {
				r.inBlock, r.blockOff = true, off
			}
		case "StatementEnd":
			ended, r.inBlock = r.inBlock, false
		}
	}
	if r.section == "" {
		return nil
	}
	if !mark {
		r.buf.add(r.src, off, line)
	}
	if ended || !r.inBlock && sqlMigrateEnds(line) {
		r.chunks[r.section] = append(r.chunks[r.section], r.buf.whole(r.src, off))
		r.buf.reset()
	}
	return nil
}

// sqlMigrateEnds is the tool's test for a statement's last line, with the limit
// of its scanner: behind a word of 64 KiB it sees no semicolon.
func sqlMigrateEnds(line string) bool {
	last := ""
	words := bufio.NewScanner(strings.NewReader(line))
	words.Split(bufio.ScanWords)
	for words.Scan() && !strings.HasPrefix(words.Text(), "--") {
		last = words.Text()
	}
	return strings.HasSuffix(last, ";")
}
