package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// Formats of a Source.
const (
	FormatCustom    = "custom"    // pg_dump --format=custom
	FormatDirectory = "directory" // pg_dump --format=directory, also packed in a tar archive
	FormatTar       = "tar"       // pg_dump --format=tar
	FormatPlain     = "plain"     // SQL
	FormatParts     = "parts"     // several of these
	// Directories.
	FormatMydumper = "mydumper"
	FormatShell    = "mysql-shell" // util.dumpInstance(), dumpSchemas(), dumpTables()
)

// Open looks at the file or directory of a spec "FILE[#sha256=HEX][#database=NAME]"
// from its first byte to its last: it tells what it is by its content, verifies
// the digest where one is asked for, and refuses what is damaged, cut off, empty,
// or of a kind that cannot be restored, with the way out. Nothing is kept open.
//
// A directory or a tar archive may hold several dumps that make up one snapshot;
// a file of rows or of roles alone is none (see Compose).
func Open(ctx context.Context, spec string) (Source, error) {
	return Compose(ctx, spec, "", "")
}

// parseSpec takes a spec apart. The file's name may have a # in it.
func parseSpec(spec string) (s Source, err error) {
	first := len(spec)
	for _, key := range []string{"#sha256=", "#database="} {
		if i := strings.Index(spec, key); i >= 0 {
			first = min(first, i)
		}
	}
	s.Path, spec = spec[:first], spec[first:]
	for spec != "" {
		key, value, _ := strings.Cut(spec[1:], "=")
		rest := ""
		for _, next := range []string{"#sha256=", "#database="} {
			if i := strings.Index(value, next); i >= 0 {
				value, rest = value[:i], value[i:]+rest
			}
		}
		switch spec = rest; key {
		case "database":
			s.Database = value
		case "sha256":
			s.WantSHA256 = strings.ToLower(strings.TrimSpace(value))
			if b, err := hex.DecodeString(s.WantSHA256); err != nil || len(b) != sha256.Size {
				return s, fmt.Errorf("%s: %q is no SHA-256 digest; give 64 hexadecimal digits, as sha256sum prints them", s.Path, value)
			}
		}
	}
	return s, nil
}

// open recognises one file or directory, and tells what is in it: one dump, or
// several.
func open(ctx context.Context, spec string) (Source, []found, error) {
	src, err := parseSpec(spec)
	if err != nil {
		return src, nil, err
	}
	info, err := os.Stat(src.Path)
	if err != nil {
		return src, nil, err
	}
	if info.IsDir() {
		list, err := src.openDirectory(ctx)
		return src, list, err
	}
	if !info.Mode().IsRegular() {
		return src, nil, fmt.Errorf("%s is a %s; a snapshot is read more than once, so write it to a file first", src.Path, kindOf(info.Mode()))
	}
	if src.Size = info.Size(); src.Size == 0 {
		return src, nil, fmt.Errorf("%s is empty; the dump that should have written it failed", src.Path)
	}
	f, err := os.Open(src.Path)
	if err != nil {
		return src, nil, err
	}
	defer f.Close()
	list, err := src.read(ctx, f)
	return src, list, err
}

// read goes once through the file. A digest that differs comes before any
// complaint about the content: the content is then not what was meant.
func (s *Source) read(ctx context.Context, f io.Reader) ([]found, error) {
	sum := sha256.New()
	raw := io.TeeReader(ctxReader{ctx, f}, sum)
	list, contentErr := s.detect(raw)
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.Path, err)
	}
	s.SHA256 = hex.EncodeToString(sum.Sum(nil))
	for i := range list {
		if list[i].Path == s.Path && list[i].Member == s.Member {
			list[i].SHA256 = s.SHA256
		}
	}
	if err := s.verifyDigest(); err != nil {
		return nil, err
	}
	if contentErr != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, contentErr)
	}
	return list, nil
}

func (s *Source) verifyDigest() error {
	if s.WantSHA256 != "" && s.WantSHA256 != s.SHA256 {
		return fmt.Errorf("%s has the SHA-256 digest %s, wanted is %s; it is another file or was damaged on its way, and nothing was restored", s.Path, s.SHA256, s.WantSHA256)
	}
	return nil
}

// found is one dump that was found, and what it holds. The Source is what makes
// it to be found again.
type found struct {
	Source
	holds holds
	// packed: pg_dump has compressed the rows.
	packed bool
}

// detect tells what a stream of stored bytes is, and reads it to its end.
func (s *Source) detect(raw io.Reader) ([]found, error) {
	outer := bufio.NewReaderSize(raw, 256<<10)
	head, _ := outer.Peek(512)
	in := io.Reader(outer)
	if s.Compression = compression(head); s.Compression != "" {
		d, err := decompress(s.Compression, outer)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		in = d
	}
	counted := &countReader{r: in}
	inner := bufio.NewReaderSize(counted, 256<<10)
	head, err := inner.Peek(512)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) == 0 {
		return nil, errors.New("is empty inside its compression; the dump that should have written it failed")
	}
	list, err := s.content(head, inner)
	// To the end of the compressed stream: its checksum stands there. Where that
	// is wrong, nothing is what the content seemed to be.
	if _, broken := io.Copy(io.Discard, inner); broken != nil {
		err = broken
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 1 && list[0].Unpacked == 0 {
		list[0].Unpacked = counted.n
		if list[0].packed {
			list[0].Unpacked = counted.n * packedRows
		}
	}
	return list, nil
}

// packedRows is how much shorter pg_dump's own compression makes rows: measured
// 2.2 (lz4), 2.6 (gzip) and 2.7 (zstd) on testdata/formats.sql of snapshot/postgres,
// and large tables compress better.
const packedRows = 3

// content tells what is inside any compression. The list is of one, but of a
// tar archive.
func (s *Source) content(head []byte, r *bufio.Reader) ([]found, error) {
	if isTar(head) && s.Member == "" {
		return s.readTar(r)
	}
	if bytes.HasPrefix(head, []byte(archive.Magic)) {
		return s.readCustom(r)
	}
	if err := foreign(head); err != nil {
		return nil, err
	}
	s.Format = FormatPlain
	h, err := s.readPlain(r)
	if err != nil {
		return nil, err
	}
	return []found{{Source: *s, holds: h}}, nil
}

func (s *Source) readCustom(r *bufio.Reader) ([]found, error) {
	s.Format = FormatCustom
	a, err := archive.Read(r)
	if err != nil {
		return nil, err
	}
	if a.Format != archive.Custom {
		return nil, errors.New("is the toc.dat of a dump in directory format, without the files of its rows; give the whole directory")
	}
	if err := a.Walk(nil); err != nil {
		return nil, err
	}
	if err := s.fromArchive(a); err != nil {
		return nil, err
	}
	return []found{{*s, inArchive(a), a.Compression != "none"}}, nil
}

// fromArchive takes over what an archive says of itself.
func (s *Source) fromArchive(a *archive.Archive) error {
	s.Engine, s.ServerVersion, s.DumpVersion = Postgres, a.ServerVersion, a.DumpVersion
	if s.Database != "" && s.Database != a.Database {
		return fmt.Errorf("holds the database %s, and none called %s", a.Database, s.Database)
	}
	s.Database = ""
	return nil
}

func (s *Source) readPlain(r *bufio.Reader) (holds, error) {
	head, err := r.Peek(64 << 10)
	if err != nil && err != io.EOF {
		return holds{}, err
	}
	o := originOf(head)
	s.Engine, s.ServerVersion, s.DumpVersion = o.engine, o.server, o.tool
	scan := &scanner{}
	scan.globals = o.cluster
	// MySQL's dumps are no parts of anything.
	into := io.Writer(scan)
	if o.engine == MySQL || o.engine == MariaDB {
		into = io.Discard
	}
	tail, seen, err := lastBytes(io.TeeReader(r, into), 4<<10)
	if err != nil {
		return holds{}, err
	}
	if len(bytes.TrimSpace(tail)) == 0 && seen < 4<<10 {
		return holds{}, errors.New("holds nothing but blanks; the dump that should have written it failed")
	}
	if o.ending != "" && !bytes.Contains(tail, []byte(o.ending)) {
		return holds{}, fmt.Errorf("does not end in %q: %w", strings.TrimPrefix(o.ending, "-- "), archive.ErrTruncated)
	}
	h := scan.end()
	if into == scan && !h.statements {
		return holds{}, errors.New("holds nothing but comments; the dump that should have written it failed, or was cut off")
	}
	return h, s.chooseDatabase(&h)
}

// chooseDatabase settles which database of a whole cluster's dump is meant.
func (s *Source) chooseDatabase(h *holds) error {
	if !h.globals {
		if n := len(h.cluster); n == 1 {
			h.database = h.cluster[0].name // pg_dump --create
		}
		if want := s.Database; want != "" && h.database != want {
			return fmt.Errorf("is no dump of a whole cluster (pg_dumpall) that had a database %s; leave out #database=%s", want, want)
		}
		s.Database = ""
		return nil
	}
	if len(h.cluster) == 0 {
		s.Database = "" // roles alone, beside what has it
	}
	var names, own, filled []string
	for _, d := range h.cluster {
		if d.name == s.Database {
			h.database = d.name
			return nil
		}
		names = append(names, d.name)
		if d.name != "template1" && (d.name != "postgres" || d.objects) {
			own = append(own, d.name)
		}
		if d.objects {
			filled = append(filled, d.name)
		}
	}
	if s.Database != "" {
		return fmt.Errorf("holds the databases %s, and none called %s", strings.Join(names, ", "), s.Database)
	}
	if len(own) > 1 && len(filled) == 1 {
		own = filled // the others are empty
	}
	if i := slices.Index(own, "postgres"); i >= 0 && len(own) == 2 {
		own = slices.Delete(own, i, i+1) // what an administrator has left there
	}
	if len(own) > 1 {
		return fmt.Errorf("is a dump of a whole cluster (pg_dumpall) with the databases %s; name the one to restore behind the file: #database=%s", strings.Join(own, ", "), own[0])
	}
	if len(own) == 1 {
		s.Database, h.database = own[0], own[0]
	}
	return nil
}

// lastBytes reads r to its end and returns the last n bytes and the total.
func lastBytes(r io.Reader, n int) (tail []byte, seen int64, err error) {
	buf := make([]byte, 256<<10)
	for {
		k, err := r.Read(buf)
		seen += int64(k)
		tail = append(tail, buf[:k]...)
		if len(tail) > n {
			tail = append(tail[:0], tail[len(tail)-n:]...)
		}
		if err == io.EOF {
			return tail, seen, nil
		}
		if err != nil {
			return nil, seen, err
		}
	}
}

// Reader opens the snapshot's content, decompressed.
func (s Source) Reader() (io.ReadCloser, error) {
	return s.ReaderOver(func(r io.Reader) io.Reader { return r })
}

// ReaderOver is Reader with the stored bytes passed through wrap on their
// way, so that progress can be counted against Size.
func (s Source) ReaderOver(wrap func(io.Reader) io.Reader) (io.ReadCloser, error) {
	if s.Member != "" {
		return s.memberOver(wrap)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	in, done, err := unpackOuter(wrap(f))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", s.Path, err)
	}
	return &fileReader{in, f, []func(){done}}, nil
}

// fileReader reads through what is opened one within the other.
type fileReader struct {
	io.Reader
	file  io.Closer
	inner []func()
}

func (m *fileReader) Close() error {
	for _, done := range m.inner {
		done()
	}
	return m.file.Close()
}

// ctxReader stops reading when its context is done: a large file takes minutes.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
