package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// part is one dump of the snapshot, opened.
type part struct {
	src  snapshot.Source
	role string
	a    *archive.Archive // nil for SQL
	// dir holds the files of an archive that is several; "" for one that is one.
	dir   string
	close func()
}

// openParts reads what the dumps say of themselves before anything is made.
func (r *restore) openParts(ctx context.Context) (parts []*part, l locale, err error) {
	defer func() {
		if err != nil {
			closeParts(parts)
			parts = nil
		}
	}()
	list := r.src.Parts
	if len(list) == 0 {
		list = []snapshot.Part{{Source: r.src, Role: snapshot.RoleWhole}}
	}
	for _, name := range r.src.Ignored {
		r.skip(name + ": lies beside the dump, and is none")
	}
	for _, p := range list {
		opened, of, err := r.openPart(ctx, p)
		if opened != nil {
			parts = append(parts, opened)
		}
		if err != nil {
			if len(list) > 1 {
				err = fmt.Errorf("%s: %w", p.Path, err)
			}
			return parts, l, err
		}
		if l == (locale{}) {
			l = of
		}
	}
	return parts, l, nil
}

func closeParts(parts []*part) {
	for _, p := range parts {
		p.close()
	}
}

func (r *restore) openPart(ctx context.Context, of snapshot.Part) (*part, locale, error) {
	p := &part{src: of.Source, role: of.Role, close: func() {}}
	if err := p.openFiles(ctx); err != nil {
		return p, locale{}, err
	}
	open := p.src.Reader
	if p.dir != "" {
		open = func() (io.ReadCloser, error) { return (&files{dir: p.dir}).Open(archive.Contents) }
	}
	f, err := open()
	if err != nil {
		return p, locale{}, err
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 256<<10)
	if p.src.Format == snapshot.FormatPlain {
		head, err := br.Peek(256 << 10)
		if err != nil && err != io.EOF {
			return p, locale{}, err
		}
		if p.role == snapshot.RoleGlobals {
			return p, locale{}, nil
		}
		if p.src.Database != "" {
			l, err := clusterLocale(br, p.src.Database)
			return p, l, err
		}
		return p, plainLocale(head), foreignEngine(head)
	}
	if p.a, err = archive.Read(br); err != nil {
		return p, locale{}, err
	}
	for _, e := range p.a.Entries {
		if e.Desc == "DATABASE" {
			return p, localeOf(e.Defn), nil
		}
	}
	return p, locale{}, nil
}

// openFiles finds the directory of a dump in directory format, or makes one of a
// tar archive, which is the same once unpacked.
func (p *part) openFiles(ctx context.Context) error {
	if p.src.Format != snapshot.FormatDirectory && p.src.Format != snapshot.FormatTar {
		return nil
	}
	if p.src.Member == "" {
		p.dir = p.src.Path
		return nil
	}
	dir, err := os.MkdirTemp("", "migration-gate-*.dump")
	if err != nil {
		return err
	}
	p.dir, p.close = dir, func() { os.RemoveAll(dir) }
	err = p.src.Unpack(dir, func(in io.Reader) io.Reader { return &ctxReader{ctx, in} })
	if err != nil {
		return fmt.Errorf("unpack to %s: %w", dir, err)
	}
	return nil
}

// linkObjects gives the list of large objects the name that the contents of a
// tar archive have for it: pg_restore looks for that from 17 on.
func (p *part) linkObjects() error {
	if p.src.Format != snapshot.FormatTar {
		return nil
	}
	for _, e := range p.a.Entries {
		if e.Desc != "BLOBS" || !strings.HasSuffix(e.File, ".dat") {
			continue
		}
		list := filepath.Join(p.dir, fmt.Sprintf("blobs_%d.toc", e.ID))
		if _, err := os.Stat(list); err != nil {
			list = filepath.Join(p.dir, "blobs.toc")
		}
		if err := os.Link(list, filepath.Join(p.dir, e.File)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// restoreParts restores one after another.
func (r *restore) restoreParts(ctx context.Context, parts []*part) error {
	whole, report := r.src, r.opt.Progress
	defer func() { r.src, r.opt.Progress, r.part, r.replica = whole, report, nil, false }()
	done := int64(0)
	for _, p := range parts {
		if len(parts) > 1 {
			before := done
			r.opt.Progress = func(n, total int64) {
				if total > 0 {
					report(before+int64(float64(n)/float64(total)*float64(p.src.Size)), max(whole.Size, 1))
				}
			}
		}
		r.src, r.part, r.replica, r.vacuumed = p.src, p, false, nil
		if err := r.restorePart(ctx, p); err != nil {
			var said *pgconn.PgError
			if errors.As(err, &said) && said.Code == "23503" && p.role == snapshot.RoleData && !r.replica {
				err = fmt.Errorf("%w; the rows came in with the schema's foreign keys in force, for the account may not set session_replication_role: "+
					"give one dump of schema and rows (pg_dump --format=custom)", err)
			}
			if p.role == snapshot.RoleData && lacksTable.MatchString(err.Error()) {
				err = fmt.Errorf("%w; the dump of the schema has no place for it: dump schema and rows at the same moment, or leave that table out of the rows (pg_dump --exclude-table-data)", err)
			}
			if len(parts) > 1 {
				err = fmt.Errorf("%s: %w", filepath.Base(p.src.Path), err)
			}
			return err
		}
		done += p.src.Size
	}
	if slices.ContainsFunc(parts, func(p *part) bool { return p.role == snapshot.RoleData }) {
		r.replica = false
		return r.fillViews(ctx)
	}
	return nil
}

// lacksTable is what rows without their place are answered with: pg_restore shows
// no codes.
var lacksTable = lazy.Compile(`(?:relation|column|schema) ".*" (?:of relation ".*" )?does not exist|INSERT has more expressions than target columns`)

// fillViews fills the materialized views, which a schema without rows leaves
// empty and a dump of rows alone does not have. None reads one that was made
// after it.
func (r *restore) fillViews(ctx context.Context) error {
	return r.loading(ctx, func(l *loader) error {
		rows, err := l.c.Query(ctx, `SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY c.oid`)
		if err != nil {
			return err
		}
		views, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, view := range views {
			if err := l.run(ctx, "REFRESH MATERIALIZED VIEW "+view); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *restore) restorePart(ctx context.Context, p *part) error {
	if p.role != snapshot.RoleData {
		return r.load(ctx, p)
	}
	after, err := r.beforeRows(ctx)
	if err == nil {
		err = r.load(ctx, p)
	}
	if err == nil {
		err = after(ctx)
	}
	return err
}

func (r *restore) load(ctx context.Context, p *part) error {
	switch {
	case p.role == snapshot.RoleGlobals:
		in, err := r.counted(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		return r.globals(ctx, in)
	case p.a == nil:
		return r.plain(ctx)
	}
	return r.archived(ctx, p)
}

// beforeRows settles how rows come into a schema that has its constraints and
// triggers already, until after puts that back. On a server of our own neither is
// in force meanwhile. On another's that takes a right; without it, an owner can
// still switch off triggers, and foreign keys hold in the order that
// pg_dump --data-only has found.
func (r *restore) beforeRows(ctx context.Context) (after func(context.Context) error, err error) {
	after = func(context.Context) error { return nil }
	err = r.loading(ctx, func(l *loader) error {
		if _, err := l.c.Exec(ctx, "SET session_replication_role = replica"); err == nil {
			r.replica = true
			return nil
		}
		rows, err := l.c.Query(ctx, `SELECT pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', tgrelid::pg_catalog.regclass, tgname),
				pg_catalog.format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', tgrelid::pg_catalog.regclass, CASE tgenabled WHEN 'A' THEN 'ALWAYS' END, tgname)
			FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') ORDER BY oid`)
		if err != nil {
			return err
		}
		var off, on []string
		var disable, enable string
		if _, err := pgx.ForEachRow(rows, []any{&disable, &enable}, func() error {
			off, on = append(off, disable), append(on, enable)
			return nil
		}); err != nil {
			return err
		}
		after = func(ctx context.Context) error { return r.each(ctx, on) }
		return l.each(ctx, off)
	})
	return after, err
}

// each runs statements of which none may be left out.
func (l *loader) each(ctx context.Context, statements []string) error {
	for _, sql := range statements {
		if _, err := l.c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func (r *restore) each(ctx context.Context, statements []string) error {
	if len(statements) == 0 {
		return nil
	}
	return r.loading(ctx, func(l *loader) error { return l.each(ctx, statements) })
}

// archived restores an archive: by pg_restore where there is one that can read
// it, else over the wire.
func (r *restore) archived(ctx context.Context, p *part) error {
	a := p.a
	if err := r.extensions(ctx, a); err != nil {
		return err
	}
	err := error(&cannotRead{})
	if p.forPgRestore() {
		err = r.pgRestore(ctx, a)
	}
	var unable *cannotRead
	if errors.Is(err, snapshot.ErrNoTool) || errors.As(err, &unable) {
		err = r.overWire(ctx, p)
	}
	if err != nil {
		return err
	}
	return r.loading(ctx, func(l *loader) error {
		l.unseen(ctx)
		for _, e := range a.Entries {
			switch {
			case e.Own == "", !r.hasRole(ctx, l.c, e.Own):
			case e.Desc == "SCHEMA":
				if err := l.exec(ctx, "GRANT ALL ON SCHEMA "+ident(e.Tag)+" TO "+ident(e.Own)); err != nil {
					return err
				}
			case e.Desc != "DATABASE":
				r.owners = appendNew(r.owners, e.Own)
			}
		}
		return nil
	})
}

// forPgRestore: files that somebody has compressed afterwards are read by
// pg_restore only if it was by gzip.
func (p *part) forPgRestore() bool {
	if p.dir == "" {
		return true
	}
	list, err := os.ReadDir(p.dir)
	return err == nil && !slices.ContainsFunc(list, func(e os.DirEntry) bool {
		switch filepath.Ext(e.Name()) {
		case ".xz", ".bz2":
			return true
		case ".lz4":
			return p.a.Compression != "lz4"
		case ".zst":
			return p.a.Compression != "zstd"
		}
		return false
	})
}

// unpacked gives the archive as a file or directory that can be sought in:
// parallel jobs need that.
func (r *restore) unpacked(ctx context.Context) (path string, remove func(), err error) {
	if r.part.dir != "" {
		return r.part.dir, func() {}, r.part.linkObjects()
	}
	if r.src.Compression == "" && r.src.Member == "" {
		return r.src.Path, func() {}, nil
	}
	r.track.stage("unpack")
	in, err := r.src.Reader()
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	out, err := os.CreateTemp("", "migration-gate-*.dump")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.Remove(out.Name()) }
	_, err = io.Copy(out, &ctxReader{ctx, in})
	if err = errors.Join(err, out.Close()); err != nil {
		remove()
		return "", nil, fmt.Errorf("unpack to %s: %w", out.Name(), err)
	}
	return out.Name(), remove, nil
}

// rolesOf lists the roles that archives name.
func rolesOf(parts []*part, owners bool) (roles []string) {
	for _, p := range parts {
		if p.a == nil {
			continue
		}
		for _, role := range rolesIn(p.a, owners) {
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// files are those of a dump in directory format.
type files struct {
	dir  string
	wrap func(io.Reader) io.Reader
}

var _ archive.Files = (*files)(nil)

func (f *files) Open(name string) (io.ReadCloser, error) {
	wrap := f.wrap
	if wrap == nil {
		wrap = func(in io.Reader) io.Reader { return in }
	}
	var first error
	for _, suffix := range archive.Suffixes() {
		in, err := snapshot.Source{Path: f.dir}.FileOver(name+suffix, wrap)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return in, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// size of the files as they are stored.
func (f *files) size() (total int64) {
	list, _ := os.ReadDir(f.dir) // only progress is lost
	for _, e := range list {
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
	}
	return total
}
