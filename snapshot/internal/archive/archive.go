// Package archive reads the archives of pg_dump: header, table of contents, and
// the data, which the custom format has behind them and the directory and tar
// formats have in files of their own.
//
// It knows the file formats and nothing of servers; what an entry's SQL means
// is for its callers. The formats are those of pg_backup_archiver.c,
// pg_backup_custom.c, pg_backup_directory.c and pg_backup_tar.c, archive
// versions 1.10 (PostgreSQL 8.3) to 1.16 (PostgreSQL 18).
package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Magic opens every archive.
const Magic = "PGDMP"

// Formats as the header numbers them. The toc.dat of a directory calls itself
// one of a tar archive, which it is once packed.
const (
	Custom    = 1
	Tar       = 3
	Directory = 5
)

// Version of the archive format, comparable.
type Version struct{ Major, Minor, Rev byte }

func (v Version) atLeast(minor byte) bool { return v.Major > 1 || v.Minor >= minor }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Header is what stands before the table of contents.
type Header struct {
	Version Version
	Format  byte
	// Compression inside the archive: "none", "gzip", "lz4", "zstd".
	Compression string
	Database    string
	// ServerVersion was dumped by DumpVersion, without the packager's suffix.
	ServerVersion, DumpVersion string

	intSize, offSize int
}

// Entry is one line of the table of contents.
type Entry struct {
	ID   int
	Tag  string // the object's name
	Desc string // its kind: "TABLE", "TABLE DATA", "ACL", …
	// Section: 1 none, 2 pre-data, 3 data, 4 post-data.
	Section                                  int
	Defn, Copy                               string
	Namespace, Tablespace, AccessMethod, Own string
	Deps                                     []string
	HasData                                  bool
	// File holds the data in directory and tar formats, "" for none.
	File string
}

// Archive is an opened archive, positioned before its first block of data.
type Archive struct {
	Header
	Entries []Entry
	r       *reader
}

// ErrTruncated is in the chain where the file ends before the archive does.
var ErrTruncated = errors.New("the file ends before the dump does: it was cut off")

// Read reads the header and the table of contents.
func Read(br *bufio.Reader) (*Archive, error) {
	r := &reader{br: br}
	a := &Archive{r: r}
	a.header(r)
	if r.err != nil {
		return nil, r.err
	}
	if a.Format != Custom && a.Format != Directory && a.Format != Tar {
		return nil, fmt.Errorf("archive of kind %d, known are the custom, directory and tar formats", a.Format)
	}
	n := r.int()
	if r.err == nil && (n < 0 || n > 50_000_000) {
		return nil, fmt.Errorf("%d entries in the table of contents: not a dump, or damaged", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		a.Entries = append(a.Entries, r.entry(&a.Header))
	}
	if r.err != nil {
		return nil, fmt.Errorf("read table of contents: %w", r.err)
	}
	return a, nil
}

func (h *Header) header(r *reader) {
	magic := make([]byte, len(Magic))
	r.full(magic)
	if r.err == nil && string(magic) != Magic {
		r.err = errors.New("not an archive of pg_dump")
	}
	h.Version = Version{r.byte(), r.byte(), r.byte()}
	if r.err == nil && (!h.Version.atLeast(10) || h.Version.Major > 1 || h.Version.Minor > 16) {
		r.err = fmt.Errorf("archive format %s, known are 1.10 to 1.16", h.Version)
		return
	}
	r.intSize, r.offSize = int(r.byte()), int(r.byte())
	h.intSize, h.offSize = r.intSize, r.offSize
	if r.err == nil && (r.intSize < 1 || r.intSize > 8 || r.offSize < 1 || r.offSize > 8) {
		r.err = errors.New("header makes no sense: not a dump, or damaged")
	}
	h.Format = r.byte()
	h.Compression = "none"
	if h.Version.atLeast(15) {
		algos := []string{"none", "gzip", "lz4", "zstd"}
		if c := r.byte(); int(c) < len(algos) {
			h.Compression = algos[c]
		} else {
			h.Compression = fmt.Sprintf("unknown (%d)", c)
		}
	} else if r.int() != 0 {
		h.Compression = "gzip"
	}
	for range 7 { // when it was made: sec, min, hour, day, month, year, dst
		r.int()
	}
	h.Database = r.string()
	h.ServerVersion = firstWord(r.string())
	h.DumpVersion = firstWord(r.string())
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
}

func (r *reader) entry(h *Header) Entry {
	v := h.Version
	e := Entry{ID: r.int()}
	r.int()    // had a dumper: says less than the data's state below
	r.string() // OID of the catalogue
	r.string() // OID of the object
	e.Tag, e.Desc = r.string(), r.string()
	if v.atLeast(11) {
		e.Section = r.int()
	}
	e.Defn = r.string()
	r.string() // how to drop it
	e.Copy = r.string()
	e.Namespace, e.Tablespace = r.string(), r.string()
	if v.atLeast(14) {
		e.AccessMethod = r.string()
	}
	if v.atLeast(16) {
		r.int() // relkind
	}
	e.Own = r.string()
	r.string() // WITH OIDS
	for {
		s, ok := r.nullString()
		if !ok || r.err != nil {
			break
		}
		e.Deps = append(e.Deps, s)
	}
	if h.Format != Custom {
		e.File = r.string()
		e.HasData = e.File != ""
		return e
	}
	const noData = 3
	e.HasData = r.byte() != noData
	for range r.offSize {
		r.byte()
	}
	return e
}

// reader keeps the first error, so that a run of fields reads as a list.
type reader struct {
	br               *bufio.Reader
	intSize, offSize int
	err              error
}

func (r *reader) full(p []byte) {
	if r.err != nil {
		return
	}
	if _, err := io.ReadFull(r.br, p); err == io.EOF || err == io.ErrUnexpectedEOF {
		r.err = ErrTruncated
	} else {
		r.err = err
	}
}

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	b, err := r.br.ReadByte()
	if err == io.EOF {
		err = ErrTruncated
	}
	r.err = err
	return b
}

// int is a sign byte and intSize bytes, least significant first.
func (r *reader) int() int {
	sign := r.byte()
	v := 0
	for i := range r.intSize {
		v |= int(r.byte()) << (8 * i)
	}
	if r.err != nil {
		return 0
	}
	if sign != 0 {
		return -v
	}
	return v
}

func (r *reader) string() string {
	s, _ := r.nullString()
	return s
}

// nullString reads a string; false where it is NULL.
func (r *reader) nullString() (string, bool) {
	n := r.int()
	if r.err != nil || n < 0 {
		return "", false
	}
	if n > 1<<30 {
		r.err = errors.New("a string of over 1 GiB in the table of contents: not a dump, or damaged")
		return "", false
	}
	// Grow with what is really there: a damaged length must not allocate.
	var b strings.Builder
	if _, err := io.CopyN(&b, r.br, int64(n)); err != nil {
		r.err = err
		if err == io.EOF {
			r.err = ErrTruncated
		}
	}
	return b.String(), r.err == nil
}
