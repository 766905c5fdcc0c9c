package migration

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// goose is its layout: both directions in one file, told apart by annotations,
// sent statement by statement, in a transaction unless the file says otherwise.
type goose struct{}

func (goose) layout() Layout {
	return Layout{Name: "goose", Ledger: Ledger{Table: "goose_db_version", Kind: "log"}}
}

func (goose) name(rel string) (f fileName, ok bool, err error) {
	version, rest, found := strings.Cut(rel, "_")
	if !found || path.Ext(rel) != ".sql" || strings.Contains(rel, "/") {
		return f, false, nil
	}
	f = fileName{version: version, order: orderOf(version), name: strings.TrimSuffix(rest, ".sql")}
	f.number, err = strconv.ParseInt(version, 10, 64)
	return f, err == nil && f.number >= 1, nil
}

func (goose) bothInOne() bool { return true }

func (goose) deep() bool { return false }

// foreign follows goose: a Go file, no test, whose name begins with a version
// and an underscore.
func (t goose) foreign(rel string) string {
	if path.Ext(rel) != ".go" || strings.HasSuffix(rel, "_test.go") {
		return ""
	}
	if _, ok, _ := t.name(strings.TrimSuffix(rel, ".go") + ".sql"); !ok {
		return ""
	}
	return "a Go migration of goose, which only the project's own binary can run"
}

// gooseMark finds goose's Up annotation, spelled as the tool takes it.
var gooseMark = regexp.MustCompile(`(?mi)^\x{FEFF}?--\s*\+goose\s+up\s*$`)

func (t goose) claim(rel string, text []byte) (strength int, why string) {
	if _, ok, _ := t.name(rel); ok && gooseMark.Match(text) {
		return annotated, "is annotated with -- +goose Up"
	}
	return noClaim, ""
}

func (goose) outline(in input) (up, down *Script, err error) {
	up, down = outlineGoose(in.file, in.text)
	return up, down, nil
}

func (goose) parse(in input) (up, down *Script, err error) {
	return parseGoose(in.file, in.text, in.opt)
}

func (goose) remedy() string { return "rename it to NUMBER_name.sql" }

// copyStdin recognises the chunk that data would follow.
var copyStdin = regexp.MustCompile(`(?is)^COPY\s.*\sFROM\s+STDIN\b`)

const gooseDocs = "see goose's documentation of SQL migrations"

// parseGoose reads a file as goose does: once for each direction, line by
// line.
func parseGoose(file string, text []byte, opt Options) (up, down *Script, err error) {
	src, err := newDialectSource(opt.Dialect, file, text)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range []Direction{Up, Down} {
		r := gooseReader{src: src, want: d, getenv: opt.Getenv}
		if err := r.read(); err != nil {
			return nil, nil, err
		}
		if d == Down && !r.sawDown {
			return up, nil, nil
		}
		s := &Script{File: file, Direction: d, Wrapped: !r.noTransaction}
		p := newScriptReader(opt, true)
		for i, chunk := range r.chunks {
			if err := p.batch(chunk, i); err != nil {
				return nil, nil, annotatedRemedy(err, "goose", "-- +goose")
			}
		}
		s.Statements = p.done()
		standAlone(text, s.Statements)
		if err := refuseCopy("goose", s.Statements); err != nil {
			return nil, nil, err
		}
		if d == Up {
			up = s
		} else {
			down = s
		}
	}
	return up, down, nil
}

// outlineGoose tells which scripts a file has, without reading any SQL.
func outlineGoose(file string, text []byte) (up, down *Script) {
	up = &Script{File: file, Direction: Up, Wrapped: true}
	for line := range strings.Lines(string(text)) {
		switch cmd, ok, _ := annotation(strings.TrimRight(line, "\r\n")); {
		case !ok:
		case cmd == "DOWN" && down == nil:
			down = &Script{File: file, Direction: Down, Wrapped: up.Wrapped}
		case cmd == "NO TRANSACTION":
			up.Wrapped = false
			if down != nil {
				down.Wrapped = false
			}
		}
	}
	return up, down
}

// annotation reads a line "-- +goose COMMAND"; ok is false for other lines.
// The command comes in capitals, whatever it is.
func annotation(line string) (cmd string, ok bool, problem string) {
	if !strings.HasPrefix(strings.TrimSpace(line), "--") || !strings.Contains(line, "+goose") {
		return "", false, ""
	}
	if line[0] == ' ' || line[0] == '\t' {
		return "", true, "goose refuses an annotation that does not begin its line"
	}
	rest := strings.Replace(strings.ReplaceAll(line, "--", ""), "+goose", "", 1)
	cmd = strings.ToUpper(strings.TrimSpace(rest))
	switch cmd {
	case "UP", "DOWN", "STATEMENTBEGIN", "STATEMENTEND", "NO TRANSACTION", "ENVSUB ON", "ENVSUB OFF":
		return cmd, true, ""
	}
	return cmd, true, fmt.Sprintf("goose does not know the annotation %q", strings.TrimSpace(rest))
}

// gooseReader collects the chunks of one direction. Its quirks are goose's:
// a chunk ends with a line whose last word, comments apart, ends in a
// semicolon; one direction's lines are read in the other as well.
type gooseReader struct {
	src    *source
	want   Direction
	getenv func(string) (string, bool)

	section Direction // "" before Up
	block   int       // outside, inside or just behind StatementBegin … StatementEnd
	envsub  bool

	buf           chunkBuffer
	chunks        []*source
	sawDown       bool
	noTransaction bool
	blockOff      int
}

const (
	outsideBlock = iota
	insideBlock
	behindBlock
)

func (r *gooseReader) read() error {
	text := r.src.text
	for off := 0; off < len(text); {
		end, next := len(text), len(text)
		if i := strings.IndexByte(text[off:], '\n'); i >= 0 {
			end, next = off+i, off+i+1
		}
		line := strings.TrimSuffix(text[off:end], "\r")
		if err := r.line(off, line); err != nil {
			return err
		}
		off = next
	}
	switch {
	case r.section == "":
		return r.src.errorAt(0, "the file has no line -- +goose Up", "put it before the first statement; "+gooseDocs)
	case r.block == insideBlock:
		return r.src.errorAt(r.blockOff, "StatementBegin is never closed", "add a line -- +goose StatementEnd")
	}
	return r.unfinished()
}

// unfinished refuses text that no semicolon ended.
func (r *gooseReader) unfinished() error {
	if off, ok := r.buf.first(); ok {
		if n := len(r.chunks); n > 0 && copyStdin.MatchString(r.chunks[n-1].text) {
			return r.src.errorAt(off, "goose cannot send the data of COPY … FROM stdin", "load the rows with INSERT")
		}
		return r.src.errorAt(off, "goose finds no end of this statement: no line of it ends with a semicolon", "end it with one")
	}
	return nil
}

func (r *gooseReader) line(off int, line string) error {
	if r.section == "" && strings.TrimSpace(line) == "" {
		return nil
	}
	cmd, isAnnotation, problem := annotation(line)
	if problem != "" {
		return r.src.errorAt(off, problem, gooseDocs)
	}
	if isAnnotation {
		if err := r.command(off, cmd); err != nil {
			return err
		}
		if cmd != "STATEMENTEND" {
			return nil
		}
		if r.section != r.want {
			r.buf.reset()
			return nil
		}
		if r.buf.empty() {
			return nil
		}
		r.emit()
		r.block = outsideBlock
		return nil
	}
	if r.buf.empty() && (strings.HasPrefix(strings.TrimSpace(line), "--") || line == "") {
		return nil
	}
	if r.section == "" {
		return r.src.errorAt(off, "text stands before the line -- +goose Up", "move it below; "+gooseDocs)
	}
	if r.block == behindBlock && r.section == r.want {
		return r.src.errorAt(off, "goose drops this line, because the block before it is empty", "remove the empty StatementBegin and StatementEnd")
	}
	if r.block == behindBlock {
		return nil // the other direction's, which goose does not even expand
	}
	if err := r.write(off, line); err != nil {
		return err
	}
	if r.section != r.want {
		r.buf.reset()
		return nil
	}
	if r.block == outsideBlock && endsChunk(line) {
		r.emit()
	}
	return nil
}

func (r *gooseReader) write(off int, line string) error {
	if !r.envsub || !strings.Contains(line, "$") && !strings.Contains(line, `\`) {
		r.buf.add(r.src, off, line)
		return nil
	}
	expanded, err := expandEnv(line, r.getenv)
	if err != nil {
		return r.src.errorAt(off, "goose cannot replace the variables of this line: "+err.Error(), "set the variable, or turn this off by -- +goose ENVSUB OFF")
	}
	if expanded == line {
		r.buf.add(r.src, off, line)
	} else {
		r.buf.addExpanded(r.src, off, len(line), expanded)
	}
	return nil
}

func (r *gooseReader) emit() {
	r.chunks = append(r.chunks, r.buf.source(r.src.file))
	r.buf.reset()
}

func (r *gooseReader) command(off int, cmd string) error {
	fail := func(message, remedy string) error { return r.src.errorAt(off, message, remedy) }
	switch cmd {
	case "UP":
		if r.section != "" {
			return fail("a second -- +goose Up", "keep one Up section, before Down")
		}
		r.section = Up
	case "DOWN":
		if r.section != Up || r.block == insideBlock {
			return fail("-- +goose Down stands where goose does not take it", "put it once, after the Up section and its last StatementEnd")
		}
		if err := r.unfinished(); err != nil {
			return err
		}
		r.section, r.block, r.sawDown = Down, outsideBlock, true
	case "STATEMENTBEGIN":
		if r.section == "" || r.block == insideBlock {
			return fail("StatementBegin stands where goose does not take it", "put it after Up or Down, and not inside another block")
		}
		r.block, r.blockOff = insideBlock, off
	case "STATEMENTEND":
		if r.block != insideBlock {
			return fail("StatementEnd without StatementBegin", "remove it, or add -- +goose StatementBegin before the statement")
		}
		r.block = behindBlock
	case "NO TRANSACTION":
		r.noTransaction = true
	case "ENVSUB ON":
		r.envsub = true
	case "ENVSUB OFF":
		r.envsub = false
	}
	return nil
}
