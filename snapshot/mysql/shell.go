package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// What MySQL Shell writes about a dump, a schema and a table; see the manual of
// MySQL Shell, "Dump Loading Utility", and its own reader of them.
type (
	shellDump struct {
		Schemas   []string          `json:"schemas"`
		Basenames map[string]string `json:"basenames"`
		Charset   string            `json:"defaultCharacterSet"`
	}
	shellSchema struct {
		Tables    []string          `json:"tables"`
		Views     []string          `json:"views"`
		Basenames map[string]string `json:"basenames"`
		DDL       *bool             `json:"includesDdl"`
		ViewsDDL  *bool             `json:"includesViewsDdl"`
	}
	shellTable struct {
		DDL       *bool             `json:"includesDdl"`
		Data      *bool             `json:"includesData"`
		Extension string            `json:"extension"`
		Basenames map[string]string `json:"basenames"` // of partitions
		Options   shellOptions      `json:"options"`

		schema, name, base string
		files              []string
	}
	shellOptions struct {
		Columns       []string          `json:"columns"`
		Decode        map[string]string `json:"decodeColumns"`
		Charset       string            `json:"defaultCharacterSet"`
		FieldsEnd     *string           `json:"fieldsTerminatedBy"`
		FieldsQuote   string            `json:"fieldsEnclosedBy"`
		OptionalQuote bool              `json:"fieldsOptionallyEnclosed"`
		FieldsEscape  *string           `json:"fieldsEscapedBy"`
		LinesEnd      *string           `json:"linesTerminatedBy"`
	}
)

// shell restores a directory that util.dumpInstance(), dumpSchemas() or
// dumpTables() of MySQL Shell wrote.
func (r *restore) shell(ctx context.Context, l *loader) error {
	names, err := r.src.Files()
	if err != nil {
		return err
	}
	var dump shellDump
	if err := r.readJSON("@.json", &dump); err != nil {
		return err
	}
	c := &counter{ctx: ctx, total: r.src.Size, report: r.opt.Progress}
	var tables []*shellTable
	var views []func() error
	for _, schema := range dump.Schemas {
		base := baseOf(dump.Basenames, schema, schema)
		var about shellSchema
		if err := r.readJSON(base+".json", &about); err != nil {
			return err
		}
		if isSystem(schema) {
			r.skip("database " + schema + ": it belongs to the server")
			continue
		}
		if yes(about.DDL) {
			if err := l.file(ctx, base+".sql", c, false); err != nil {
				return err
			}
		}
		l.schema = "" // whatever it was set to
		if err := l.use(ctx, schema, where{file: base + ".sql"}); err != nil {
			return err
		}
		for _, name := range about.Tables {
			t := &shellTable{schema: l.schema, name: name, base: baseOf(about.Basenames, name, base+"@"+name)}
			if err := r.readJSON(t.base+".json", t); err != nil {
				return err
			}
			if yes(t.DDL) {
				if err := l.file(ctx, t.base+".sql", c, false); err != nil {
					return err
				}
			}
			if yes(t.Data) {
				t.find(names)
				tables = append(tables, t)
			}
		}
		if !yes(about.DDL) && about.ViewsDDL == nil || !yes(about.ViewsDDL) {
			continue
		}
		for _, name := range about.Views {
			view := baseOf(about.Basenames, name, base+"@"+name)
			if err := l.file(ctx, view+".pre.sql", c, false); err != nil {
				return err
			}
			views = append(views, func() error {
				if err := l.use(ctx, schema, where{file: view + ".sql"}); err != nil {
					return err
				}
				return l.file(ctx, view+".sql", c, false)
			})
		}
	}
	if err := l.rows(ctx, tables, dump.Charset, c); err != nil {
		return err
	}
	for _, view := range views {
		if err := view(); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if triggers := t.base + ".triggers.sql"; slices.Contains(names, triggers) {
			if err := l.use(ctx, t.schema, where{file: triggers}); err != nil {
				return err
			}
			if err := l.file(ctx, triggers, c, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *restore) readJSON(name string, into any) error {
	b, err := os.ReadFile(filepath.Join(r.src.Path, name))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func baseOf(names map[string]string, name, otherwise string) string {
	if b, ok := names[name]; ok {
		return b
	}
	return otherwise
}

// yes: what is not said is included.
func yes(b *bool) bool { return b == nil || *b }

var shellChunk = lazy.Compile(`^@{1,2}(\d+)\.`)

// find looks for the files of rows, in the order of their numbers.
func (t *shellTable) find(names []string) {
	bases := []string{t.base}
	if len(t.Basenames) > 0 {
		bases = nil
		for _, b := range t.Basenames {
			bases = append(bases, b)
		}
		slices.Sort(bases)
	}
	if t.Extension == "" {
		t.Extension = "tsv.zst"
	}
	type chunk struct {
		name string
		n    int
	}
	for _, b := range bases {
		var chunks []chunk
		for _, name := range names {
			rest, ok := strings.CutPrefix(name, b)
			if !ok || !strings.HasSuffix(rest, "."+t.Extension) {
				continue
			}
			if rest == "."+t.Extension {
				chunks = append(chunks, chunk{name, -1})
			} else if m := shellChunk.FindStringSubmatch(rest); m != nil && rest[len(m[0]):] == t.Extension {
				n, _ := strconv.Atoi(m[1])
				chunks = append(chunks, chunk{name, n})
			}
		}
		slices.SortFunc(chunks, func(a, b chunk) int { return a.n - b.n })
		for _, c := range chunks {
			t.files = append(t.files, c.name)
		}
	}
}

// rows loads what the files hold, while the server takes files from clients:
// nobody but the administrator knows it yet, and the migrating account never
// meets it so.
func (l *loader) rows(ctx context.Context, tables []*shellTable, charset string, c *counter) (err error) {
	if err := l.pool.end(ctx, &l.table); err != nil {
		return err
	}
	var was bool
	if err := l.lead.QueryRowContext(ctx, "SELECT @@GLOBAL.local_infile").Scan(&was); err != nil {
		return err
	}
	if !was && l.r.s.guest.is() {
		return errors.New("a dump of MySQL Shell is loaded with LOAD DATA LOCAL, which the server does not take (local_infile is off): SET GLOBAL local_infile = 1 there, give a dump of mysqldump or mydumper, or use --target container")
	}
	if !was {
		if _, err := l.lead.ExecContext(ctx, "SET GLOBAL local_infile = 1"); err != nil {
			return err
		}
		defer func() {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			err = errors.Join(err, l.r.s.on(clean, "base", "", func(c *sql.Conn) error {
				_, err := c.ExecContext(clean, "SET GLOBAL local_infile = 0")
				return err
			}))
		}()
	}
	for _, t := range tables {
		sql := t.loadData(charset)
		load := &table{schema: t.schema, name: t.name}
		var bytes int64
		for _, f := range t.files {
			if info, err := os.Stat(filepath.Join(l.r.src.Path, f)); err == nil {
				bytes += info.Size()
			}
		}
		if bytes > bigTable/4 { // it is compressed
			if load.indexes, err = l.r.takeIndexes(ctx, t.schema, t.name); err != nil {
				return err
			}
		}
		for _, f := range t.files {
			err := l.pool.submit(ctx, job{size: 1 << 20, t: load, do: func(ctx context.Context, w *worker) error {
				return w.loadFile(ctx, sql, f, c)
			}})
			if err != nil {
				return err
			}
		}
		if err := l.pool.end(ctx, &load); err != nil {
			return err
		}
	}
	return l.pool.barrier(ctx)
}

// loadData is the statement for a table's files, with a place for the name of
// what is to be read.
func (t *shellTable) loadData(charset string) string {
	o := t.Options
	or := func(s *string, otherwise string) string {
		if s == nil {
			return otherwise
		}
		return *s
	}
	if o.Charset != "" {
		charset = o.Charset
	}
	if charset == "" {
		charset = "utf8mb4"
	}
	optionally := ""
	if o.OptionalQuote {
		optionally = "OPTIONALLY "
	}
	var b strings.Builder
	fmt.Fprintf(&b, "LOAD DATA LOCAL INFILE %%s INTO TABLE %s CHARACTER SET %s FIELDS TERMINATED BY %s %sENCLOSED BY %s ESCAPED BY %s LINES TERMINATED BY %s",
		strings.ReplaceAll(ident(t.schema, t.name), "%", "%%"), strings.ReplaceAll(charset, "%", ""), loadLiteral(or(o.FieldsEnd, "\t")), optionally,
		loadLiteral(o.FieldsQuote), loadLiteral(or(o.FieldsEscape, `\`)), loadLiteral(or(o.LinesEnd, "\n")))
	var columns, set []string
	for i, c := range o.Columns {
		how := o.Decode[c]
		if how == "" {
			columns = append(columns, ident(c))
			continue
		}
		v := fmt.Sprintf("@v%d", i)
		columns, set = append(columns, v), append(set, ident(c)+" = "+strings.ToUpper(how)+"("+v+")")
	}
	if len(columns) > 0 {
		b.WriteString(strings.ReplaceAll(" ("+strings.Join(columns, ", ")+")", "%", "%%"))
	}
	if len(set) > 0 {
		b.WriteString(strings.ReplaceAll(" SET "+strings.Join(set, ", "), "%", "%%"))
	}
	return b.String()
}

func loadLiteral(s string) string {
	return strings.ReplaceAll(strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(literal(s)), "%", "%%")
}

// loadFile sends one file of rows. A server takes what it does not understand
// in a client's file for a warning; here it is an error.
func (w *worker) loadFile(ctx context.Context, statement, file string, c *counter) error {
	name := fmt.Sprintf("%p %s", w, file) // nobody else's, while it runs
	var opened io.ReadCloser
	mysql.RegisterReaderHandler(name, func() io.Reader {
		in, err := w.pool.r.src.FileOver(file, c.over)
		if err != nil {
			return failing{err}
		}
		opened = in
		return in
	})
	defer func() {
		mysql.DeregisterReaderHandler(name)
		if opened != nil {
			opened.Close()
		}
	}()
	text := fmt.Sprintf(statement, literal("Reader::"+name))
	res, err := w.c.ExecContext(ctx, text)
	if err == nil {
		err = w.warned(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, w.pool.r.explain(strings.Replace(text, "Reader::"+name, file, 1), err))
	}
	n, err := res.RowsAffected()
	w.pool.rows.Add(n)
	return err
}

// warned turns the first warning of the statement just run into an error.
func (w *worker) warned(ctx context.Context) error {
	var level, message string
	var number int
	err := w.c.QueryRowContext(ctx, "SHOW WARNINGS LIMIT 1").Scan(&level, &number, &message)
	if errors.Is(err, sql.ErrNoRows) || err == nil && level == "Note" {
		return nil
	}
	if err != nil {
		return err
	}
	return &mysql.MySQLError{Number: uint16(number), Message: message}
}

// failing is a reader that cannot read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
