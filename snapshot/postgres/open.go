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

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
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
