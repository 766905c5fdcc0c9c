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
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// Formats and compressions of a Source.
const (
	FormatCustom = "custom" // pg_dump -Fc
	FormatPlain  = "plain"  // SQL
	// Directories.
	FormatMydumper = "mydumper"
	FormatShell    = "mysql-shell" // util.dumpInstance(), dumpSchemas(), dumpTables()

	Gzip = "gzip"
	Zstd = "zstd"
)

// Open looks at the file or directory of a spec "FILE[#sha256=HEX]" from its
// first byte to its last: it tells what it is by its content, verifies the digest where one
// is asked for, and refuses what is damaged, cut off, empty, or of a kind that
// cannot be restored, with the way out. Nothing is kept open.
func Open(ctx context.Context, spec string) (Source, error) {
	src, err := open(ctx, spec)
	if err != nil {
		return Source{}, fmt.Errorf("open snapshot: %w", err)
	}
	return src, nil
}

func open(ctx context.Context, spec string) (Source, error) {
	src := Source{Path: spec}
	if path, sum, ok := strings.Cut(spec, "#sha256="); ok {
		src.Path, src.WantSHA256 = path, strings.ToLower(strings.TrimSpace(sum))
		if b, err := hex.DecodeString(src.WantSHA256); err != nil || len(b) != sha256.Size {
			return src, fmt.Errorf("%s: %q is no SHA-256 digest; give 64 hexadecimal digits, as sha256sum prints them", path, sum)
		}
	}
	info, err := os.Stat(src.Path)
	if err != nil {
		return src, err
	}
	if info.IsDir() {
		return src, src.openDirectory(ctx)
	}
	if !info.Mode().IsRegular() {
		return src, fmt.Errorf("%s is a %s; a snapshot is read more than once, so write it to a file first", src.Path, kindOf(info.Mode()))
	}
	if src.Size = info.Size(); src.Size == 0 {
		return src, fmt.Errorf("%s is empty; the dump that should have written it failed", src.Path)
	}
	f, err := os.Open(src.Path)
	if err != nil {
		return src, err
	}
	defer f.Close()
	return src, src.read(ctx, f)
}

// read goes once through the file. A digest that differs comes before any
// complaint about the content: the content is then not what was meant.
func (s *Source) read(ctx context.Context, f io.Reader) error {
	sum := sha256.New()
	raw := io.TeeReader(ctxReader{ctx, f}, sum)
	contentErr := s.detect(raw)
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return fmt.Errorf("read %s: %w", s.Path, err)
	}
	s.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := s.verifyDigest(); err != nil {
		return err
	}
	if contentErr != nil {
		return fmt.Errorf("%s: %w", s.Path, contentErr)
	}
	return nil
}

func (s *Source) verifyDigest() error {
	if s.WantSHA256 != "" && s.WantSHA256 != s.SHA256 {
		return fmt.Errorf("%s has the SHA-256 digest %s, wanted is %s; it is another file or was damaged on its way, and nothing was restored", s.Path, s.SHA256, s.WantSHA256)
	}
	return nil
}

func (s *Source) detect(raw io.Reader) error {
	outer := bufio.NewReaderSize(raw, 1<<20)
	head, _ := outer.Peek(512)
	s.Compression = compression(head)
	inner := outer
	if s.Compression != "" {
		d, err := decompress(s.Compression, outer)
		if err != nil {
			return fmt.Errorf("read as %s: %w", s.Compression, err)
		}
		defer d.Close()
		inner = bufio.NewReaderSize(d, 1<<20)
		head, err = inner.Peek(512)
		if err != nil && err != io.EOF {
			return cutOff(s.Compression, err)
		}
		if len(head) == 0 {
			return errors.New("is empty inside its compression; the dump that should have written it failed")
		}
	}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte(archive.Magic)):
		s.Format = FormatCustom
		err = s.readCustom(inner)
	default:
		if err := foreign(head); err != nil {
			return err
		}
		s.Format = FormatPlain
		err = s.readPlain(inner)
	}
	if err != nil {
		return err
	}
	// To the end of the compressed stream: its checksum stands there.
	if _, err := io.Copy(io.Discard, inner); err != nil {
		return cutOff(s.Compression, err)
	}
	return nil
}

func (s *Source) readCustom(r *bufio.Reader) error {
	a, err := archive.Read(r)
	if err != nil {
		return cutOff(s.Compression, err)
	}
	s.Engine, s.ServerVersion, s.DumpVersion = Postgres, a.ServerVersion, a.DumpVersion
	switch a.Format {
	case archive.Custom:
	case archive.Directory:
		return errors.New("is the toc.dat of a dump in directory format, which cannot be restored yet; dump with pg_dump --format=custom")
	default:
		return errors.New("is the toc.dat of a dump in tar format, which cannot be restored yet; dump with pg_dump --format=custom")
	}
	if err := a.Walk(nil); err != nil {
		return cutOff(s.Compression, err)
	}
	return nil
}

func (s *Source) readPlain(r *bufio.Reader) error {
	head, _ := r.Peek(64 << 10)
	if bytes.Contains(head[:min(len(head), 4<<10)], []byte("-- PostgreSQL database cluster dump")) {
		return errors.New("is a dump of a whole cluster (pg_dumpall); dump the one database with pg_dump --format=custom")
	}
	o := originOf(head)
	s.Engine, s.ServerVersion, s.DumpVersion = o.engine, o.server, o.tool
	tail, seen, err := lastBytes(r, 4<<10)
	if err != nil {
		return cutOff(s.Compression, err)
	}
	if len(bytes.TrimSpace(tail)) == 0 && seen < 4<<10 {
		return errors.New("holds nothing but blanks; the dump that should have written it failed")
	}
	if o.ending != "" && !bytes.Contains(tail, []byte(o.ending)) {
		return fmt.Errorf("does not end in %q: %w", strings.TrimPrefix(o.ending, "-- "), archive.ErrTruncated)
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

// cutOff says of an error inside a compressed stream what it most likely is.
func cutOff(compression string, err error) error {
	if compression != "" && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
		return fmt.Errorf("its %s stream breaks off: %w", compression, archive.ErrTruncated)
	}
	if compression != "" && !errors.Is(err, archive.ErrTruncated) {
		return fmt.Errorf("read as %s: %w", compression, err)
	}
	return err
}

func compression(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) > 3 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // skippable frame
		return Zstd
	}
	return ""
}

func decompress(kind string, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(2<<30)) // --long=31
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("no decompressor for %q", kind)
}

// foreign names what a file is that is neither an archive nor SQL.
func foreign(head []byte) error {
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	repack := func(name, tool string) error {
		return fmt.Errorf("is compressed with %s, which is not read yet; repack it: %s | zstd > FILE.zst", name, tool)
	}
	switch {
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return errors.New("is a tar archive (pg_dump --format=tar, or a packed directory dump), which cannot be restored yet; unpack the directory, or dump with pg_dump --format=custom")
	case has("\xfd7zXZ\x00"):
		return repack("xz", "xz -dc FILE")
	case has("\x04\x22\x4d\x18"):
		return repack("lz4", "lz4 -dc FILE")
	case has("BZh"):
		return repack("bzip2", "bzip2 -dc FILE")
	case has("PK\x03\x04"):
		return repack("zip", "unzip -p FILE")
	case compression(head) != "":
		return errors.New("is compressed twice; unpack it once")
	case has("SQLite format 3\x00"):
		return errors.New("is an SQLite database")
	case has("\xff\xfe"), has("\xfe\xff"):
		return errors.New("is text in UTF-16, as PowerShell's > writes it; dump with pg_dump --file=FILE or mysqldump --result-file=FILE instead")
	case !isText(head):
		return errors.New("is neither a dump of pg_dump (--format=custom) nor SQL text (pg_dump, mysqldump, mariadb-dump), plain or compressed with gzip or zstd; dump with pg_dump --format=custom or mysqldump")
	}
	return nil
}

// isText takes any 8-bit encoding: a dump may be in LATIN1 or SJIS. Control
// characters and NUL bytes are in none of them.
func isText(head []byte) bool {
	for _, c := range head {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\v' && c != 0x1b {
			return false
		}
	}
	first := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(first) == 0 {
		return true // blanks so far
	}
	// SQL, or a psql command, begins with one of these.
	r, _ := utf8.DecodeRune(first)
	return strings.ContainsRune(`-/\(;`, r) || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func directory(path string) error {
	is := func(name string) bool {
		_, err := os.Stat(filepath.Join(path, name))
		return err == nil
	}
	switch {
	case is("toc.dat"), is("toc.dat.gz"):
		return fmt.Errorf("%s is a dump in directory format, which cannot be restored yet; dump with pg_dump --format=custom", path)
	case is("PG_VERSION"), is("base.tar"), is("base.tar.gz"), is("base.tar.zst"):
		return fmt.Errorf("%s is a physical copy, which cannot be restored yet; dump with pg_dump --format=custom", path)
	}
	for _, name := range []string{"ibdata1", "xtrabackup_checkpoints", "mariadb_backup_checkpoints", "backup-my.cnf"} {
		if is(name) {
			return fmt.Errorf("%s is a physical copy of MySQL or MariaDB, which cannot be restored yet; dump with mysqldump or mydumper", path)
		}
	}
	return fmt.Errorf("%s is a directory, and no dump of mydumper or MySQL Shell; give the file of a dump (pg_dump --format=custom, mysqldump)", path)
}

func kindOf(m os.FileMode) string {
	switch {
	case m&os.ModeNamedPipe != 0:
		return "pipe"
	case m&os.ModeDevice != 0:
		return "device"
	case m&os.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

// Reader opens the snapshot's content, decompressed.
func (s Source) Reader() (io.ReadCloser, error) {
	return s.ReaderOver(func(r io.Reader) io.Reader { return r })
}

// ReaderOver is Reader with the stored bytes passed through wrap on their
// way, so that progress can be counted against Size.
func (s Source) ReaderOver(wrap func(io.Reader) io.Reader) (io.ReadCloser, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	r := wrap(f)
	if s.Compression == "" {
		return readCloser{r, f, nil}, nil
	}
	d, err := decompress(s.Compression, bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s as %s: %w", s.Path, s.Compression, err)
	}
	return readCloser{d, f, d}, nil
}

type readCloser struct {
	io.Reader
	file, inner io.Closer
}

func (r readCloser) Close() error {
	if r.inner != nil {
		r.inner.Close()
	}
	return r.file.Close()
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
