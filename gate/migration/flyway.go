package migration

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"strings"
)

// flyway is its layout, as Flyway 9 to 11 has it: V, U, R and B scripts in a
// tree of directories, cut into statements by a parser of its own and sent one
// by one, in a transaction for each script that has no statement which refuses
// one. Before each script Flyway puts role and search path back.
type flyway struct {
	conf *flywayConfig // nil for the defaults
	// before and behind are the callbacks around each script.
	before, behind []string
}

func (t flyway) config() *flywayConfig {
	if t.conf == nil {
		return defaultFlywayConfig()
	}
	return t.conf
}

func (t flyway) layout() Layout {
	c := t.config()
	table := c.table
	if c.schema != "" {
		table = c.schema + "." + table
	}
	return Layout{Name: "flyway", Ledger: Ledger{Table: table, Kind: "flyway"}, OutOfOrder: c.outOfOrder}
}

// configFiles are where a project may say how its directory is read.
func (flyway) configFiles(dir string) (files []string) {
	for d := dir; ; d = path.Dir(d) {
		for _, names := range flywayFiles {
			for _, name := range names {
				files = append(files, path.Join(d, name))
			}
		}
		if d == "." || d == "/" {
			return files
		}
	}
}

func (t flyway) configured(fsys fs.FS, dir string, opt Options) (tool, error) {
	var err error
	t.conf, err = readFlywayConfig(fsys, dir, opt.Getenv)
	return t, err
}

func (t flyway) survey(fsys fs.FS, dir string, opt Options) (tool, error) {
	rels, _, err := filesOf(fsys, dir, true, opt)
	if err != nil {
		return t, fmt.Errorf("read directory of migrations: %w", err)
	}
	t.before, t.behind = t.each(rels, dir)
	return t, nil
}

func (flyway) bothInOne() bool { return false }

func (flyway) deep() bool { return true }

func (t flyway) claim(rel string, _ []byte) (strength int, why string) {
	f, ok, err := t.name(rel)
	switch {
	case !ok || err != nil:
		return noClaim, ""
	case f.name == "":
		return couldBe, "could be Flyway's"
	}
	return named, "is named as Flyway does"
}

func (flyway) remedy() string {
	return "rename it to V1__description.sql, or R__description.sql for one that runs again when it changes"
}

func (t flyway) outline(in input) (up, down *Script, err error) {
	s := &Script{File: in.file, Direction: in.direction, Wrapped: t.config().inTransaction, Reopens: true, Restored: true, Schema: t.config().schema}
	if in.direction == Down {
		return nil, s, nil
	}
	n, _ := t.config().parse(path.Base(in.file))
	if _, callback := flywayWhen[n.prefix]; !callback {
		s.Before, s.Behind = t.before, t.behind
	}
	return s, nil, nil
}

func (t flyway) parse(in input) (up, down *Script, err error) {
	if in.opt.Dialect.IsMySQL() {
		return nil, nil, &InputError{File: in.file, Message: "Flyway's layout is read for PostgreSQL only, since Flyway cuts MySQL's scripts by other rules", Remedy: "name another layout with --layout"}
	}
	up, down, err = t.outline(in)
	if err != nil {
		return nil, nil, err
	}
	s := up
	if s == nil {
		s = down
	}
	if in.outlined != nil && up != nil {
		s.Before, s.Behind = in.outlined.Before, in.outlined.Behind
	}
	r := flywayReader{t: t, p: newParser()}
	if s.Wrapped, err = r.script(in); err != nil {
		return nil, nil, err
	}
	if own := r.p.statements; len(own) > 0 && len(s.Before)+len(s.Behind) > 0 {
		if err := r.around(in, s); err != nil {
			return nil, nil, err
		}
	}
	s.Statements = r.p.done()
	t.caveat(s)
	if r.why != "" {
		s.Unrun, s.Remedy = r.why, r.answer
	}
	return up, down, nil
}

// caveat: Flyway's lock on its history is a transaction with a snapshot by
// default, which CREATE INDEX CONCURRENTLY waits to end, and Flyway for that.
func (t flyway) caveat(s *Script) {
	if s.Wrapped || !t.config().locks {
		return
	}
	for _, st := range s.Statements {
		if st.Facts.Concurrently && st.Facts.Kind == "CREATE INDEX" {
			s.Caveat = fmt.Sprintf("Flyway waits for ever at %s in line %d, which waits for the transaction in which Flyway keeps its own lock", st.Facts.Kind, st.Line)
			s.Remedy = "set flyway.postgresql.transactional.lock=false"
			return
		}
	}
}

// flywayReader gathers the statements that Flyway sends for a script.
type flywayReader struct {
	t     flyway
	p     *parser
	batch int
	// why the first script that was left out was, and what would have it run.
	why, answer string
}

// script adds a file's statements and tells whether they run in a transaction.
func (r *flywayReader) script(in input) (wrapped bool, err error) {
	c := r.t.config()
	own, err := r.t.scriptConfig(in)
	if err != nil {
		return false, err
	}
	if err := c.checkEncoding(in, own.encoding); err != nil {
		return false, err
	}
	src, err := newSource(in.file, in.text)
	if err != nil {
		return false, err
	}
	if own.replace == nil && c.replace || own.replace != nil && *own.replace {
		if src, err = r.t.replacePlaceholders(in, src); err != nil {
			return false, err
		}
	}
	chunks := splitFlyway(src.text)
	wrapped = c.inTransaction
	var in1, out1 *flywayChunk // the first of each sort
	for i := range chunks {
		if ch := &chunks[i]; ch.noBlock && out1 == nil {
			out1 = ch
		} else if !ch.noBlock && in1 == nil {
			in1 = ch
		}
	}
	switch {
	case own.inTransaction != nil:
		wrapped = *own.inTransaction
	case wrapped && out1 != nil && in1 != nil && !c.mixed:
		return false, src.errorAt(out1.at, fmt.Sprintf("this statement cannot run in a transaction, and the one in line %d can: Flyway refuses a script that mixes the two", src.line(in1.at)),
			"move it to a script of its own, or say executeInTransaction=false in "+path.Base(in.file)+".conf or flyway.mixed=true")
	default:
		wrapped = wrapped && out1 == nil
	}
	if own.skip {
		if r.why == "" {
			r.why, r.answer = own.why, own.answer
		}
		return wrapped, nil
	}
	first := len(r.p.statements)
	for _, ch := range chunks {
		if err := r.chunk(src, ch); err != nil {
			return false, err
		}
	}
	standAlone(in.text, r.p.statements[first:])
	return wrapped, nil
}

// chunk adds what Flyway takes for one statement.
func (r *flywayReader) chunk(src *source, ch flywayChunk) error {
	if ch.endless {
		return src.errorAt(ch.at, `the data of COPY … FROM stdin is not ended by a line with only \., and Flyway would look for it for ever`, `end it with \.`)
	}
	if ch.open {
		return src.errorAt(ch.at, "Flyway finds no end of the body that BEGIN ATOMIC opens here or before, and refuses the script (it miscounts a CASE within a CASE, and takes $1 for the start of a quote)", "close it, name parameters, or write the body as a string: AS $$ … $$")
	}
	first := len(r.p.statements)
	if err := r.p.batch(src.part(ch.start, ch.end), r.batch); err != nil {
		var e *InputError
		if errors.As(err, &e) && strings.Contains(e.Message, "never closed") {
			e.Remedy = "Flyway's own parser cuts here, which knows less of SQL than the server (see its known parser limitations): write the statement another way, or close what is open"
		}
		return err
	}
	r.batch++
	for _, st := range r.p.statements[first:] {
		if st.Facts.CopyFromStdin && !ch.copies {
			return src.errorAt(ch.at, "Flyway does not see that COPY reads data here, and sends the data as SQL", "load the rows with INSERT")
		}
	}
	return nil
}

// around adds the callbacks before and behind what is there.
func (r *flywayReader) around(in input, s *Script) error {
	own := r.p
	read := func(files []string) (*parser, error) {
		r.p = newParser()
		for _, file := range files {
			text, err := fs.ReadFile(in.fsys, file)
			if err != nil {
				return nil, fmt.Errorf("read callback: %w", err)
			}
			if _, err := r.script(input{fsys: in.fsys, file: file, text: text, opt: in.opt}); err != nil {
				return nil, err
			}
		}
		return r.p, nil
	}
	before, err := read(s.Before)
	if err != nil {
		return err
	}
	behind, err := read(s.Behind)
	if err != nil {
		return err
	}
	r.p = before
	for _, p := range []*parser{own, behind} {
		r.p.statements = append(r.p.statements, p.statements...)
		r.p.calls = append(r.p.calls, p.calls...)
	}
	batch, last := -1, -1
	for i := range r.p.statements { // anew, in their order
		if st := &r.p.statements[i]; st.Batch != last {
			last = st.Batch
			batch++
			st.Batch = batch
		} else {
			st.Batch = batch
		}
	}
	return nil
}

// FlywayChecksum is what Flyway records of a script: CRC-32 of its lines
// without their ends, nor a byte order mark.
func FlywayChecksum(text []byte) int32 {
	s := strings.TrimPrefix(string(text), bom)
	return int32(crc32.ChecksumIEEE([]byte(strings.NewReplacer("\r", "", "\n", "").Replace(s))))
}

// FlywayChecksums are the checksums with which Flyway takes a repeatable
// script for unchanged: with its placeholders replaced, as it records it, and
// as it stands, as older versions did. A script with a placeholder that has no
// value has only the second.
func FlywayChecksums(fsys fs.FS, file string, opt Options) ([]int32, error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, fmt.Errorf("read migration: %w", err)
	}
	sums := []int32{FlywayChecksum(text)}
	configured, err := flyway{}.configured(fsys, path.Dir(file), opt)
	if err != nil {
		return nil, err
	}
	t := configured.(flyway)
	in := input{fsys: fsys, file: file, text: text, opt: opt}
	own, err := t.scriptConfig(in)
	if err != nil {
		return nil, err
	}
	if own.replace == nil && !t.config().replace || own.replace != nil && !*own.replace {
		return sums, nil
	}
	src, err := newSource(file, text)
	if err != nil {
		return nil, err
	}
	if src, err = t.replacePlaceholders(in, src); err == nil {
		sums = append([]int32{FlywayChecksum([]byte(src.text))}, sums...)
	}
	return sums, nil
}
