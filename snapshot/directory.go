package snapshot

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// Files of a directory that tell what it is.
const (
	shellStart      = "@.json"
	shellEnd        = "@.done.json"
	mydumperFile    = "metadata"
	mydumperPartial = "metadata.partial"
)

// openDirectory looks at a dump in a directory. Its digest is that of the list
// of its files' digests, as sha256sum writes it, sorted by name.
// Compression is that of its files. The shell's tools give the same digest:
//
//	cd DIR && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
func (s *Source) openDirectory(ctx context.Context) error {
	contentErr := s.recognise()
	if contentErr != nil && s.Format == "" {
		return contentErr
	}
	names, err := filesIn(s.Path)
	if err != nil {
		return err
	}
	list := sha256.New()
	for _, name := range names {
		sum, size, err := readWhole(ctx, filepath.Join(s.Path, name))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var unreadable *fs.PathError
		if errors.As(err, &unreadable) {
			return err
		}
		if err != nil && contentErr == nil {
			contentErr = fmt.Errorf("%s in %s: %w", name, s.Path, err)
		}
		s.Size += size
		switch filepath.Ext(name) {
		case ".gz":
			s.Compression = Gzip
		case ".zst":
			s.Compression = Zstd
		}
		fmt.Fprintf(list, "%x  %s\n", sum, filepath.ToSlash(name))
	}
	s.SHA256 = hex.EncodeToString(list.Sum(nil))
	if err := s.verifyDigest(); err != nil {
		return err
	}
	return contentErr
}

// recognise tells what kind of dump a directory is, and whether it is whole as
// far as its own list of contents says.
func (s *Source) recognise() error {
	is := func(name string) bool {
		_, err := os.Stat(filepath.Join(s.Path, name))
		return err == nil
	}
	cut := func(missing, tool string) error {
		return fmt.Errorf("%s has no %s, which %s writes last: %w", s.Path, missing, tool, archive.ErrTruncated)
	}
	switch {
	case is(shellStart):
		s.Format, s.Engine = FormatShell, MySQL
		if err := s.readShell(); err != nil {
			return fmt.Errorf("%s: %w", s.Path, err)
		}
		if !is(shellEnd) {
			return cut(shellEnd, "MySQL Shell")
		}
		return s.shellFiles()
	case is(mydumperFile), is(mydumperPartial):
		schema, _ := filepath.Glob(escapeGlob(s.Path) + "/*-schema*.sql*")
		if len(schema) == 0 {
			break
		}
		s.Format = FormatMydumper
		o := mydumperOrigin(schema)
		s.Engine, s.ServerVersion, s.DumpVersion = o.engine, o.server, o.tool
		b, err := os.ReadFile(filepath.Join(s.Path, mydumperFile))
		if err != nil || !bytes.Contains(b, []byte("Finished dump at")) {
			return cut(`"Finished dump at" in its metadata`, "mydumper")
		}
		return nil
	}
	return directory(s.Path)
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// readShell reads what MySQL Shell says of the dump as a whole.
func (s *Source) readShell() error {
	var about struct {
		ServerVersion string `json:"serverVersion"`
		Dumper        string `json:"dumper"`
		Version       string `json:"version"` // of the format
		TableOnly     bool   `json:"tableOnly"`
	}
	b, err := os.ReadFile(filepath.Join(s.Path, shellStart))
	if err == nil {
		err = json.Unmarshal(b, &about)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", shellStart, err)
	}
	s.ServerVersion = numbers(about.ServerVersion)
	// "mysqlsh Ver 8.0.36 for Linux on x86_64"
	if _, v, ok := strings.Cut(about.Dumper, "Ver "); ok {
		s.DumpVersion = numbers(v)
	}
	if major := Major(about.Version); major != "" && major != "1" && major != "2" {
		return fmt.Errorf("is in version %s of MySQL Shell's format, and 1 and 2 are known", about.Version)
	}
	return nil
}

// shellFiles looks for every file of rows that the end of the dump lists.
func (s *Source) shellFiles() error {
	var end struct {
		Chunks map[string]int64 `json:"chunkFileBytes"`
	}
	b, err := os.ReadFile(filepath.Join(s.Path, shellEnd))
	if err == nil {
		err = json.Unmarshal(b, &end)
	}
	if err != nil {
		return fmt.Errorf("%s: read %s: %w", s.Path, shellEnd, err)
	}
	for name := range end.Chunks {
		if _, err := os.Stat(filepath.Join(s.Path, name)); err != nil {
			return fmt.Errorf("%s: the file %s of its list is missing: it was not copied as a whole", s.Path, name)
		}
	}
	return nil
}

// mydumperOrigin looks into a few of the files that hold structure, for
// mydumper does not say what it dumped.
func mydumperOrigin(files []string) (o origin) {
	for _, f := range files[:min(len(files), 100)] {
		head, err := headOf(f)
		if err != nil {
			continue
		}
		if o = originOf(head); o.engine != "" {
			break
		}
	}
	return o
}

// headOf is the beginning of a file, decompressed.
func headOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	head, err := r.Peek(512)
	if kind := compression(head); kind != "" {
		d, err := decompress(kind, r)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		r = bufio.NewReaderSize(d, 64<<10)
	} else if err != nil && err != io.EOF {
		return nil, err
	}
	head, err = r.Peek(64 << 10)
	if err == io.EOF || len(head) > 0 {
		err = nil
	}
	return bytes.Clone(head), err
}

// filesIn lists the files below a directory, sorted by the bytes of their
// names.
func filesIn(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, name)
		return err
	})
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(filepath.ToSlash(a), filepath.ToSlash(b)) })
	return names, err
}

// Files lists the files of a dump in a directory, sorted by name.
func (s Source) Files() ([]string, error) { return filesIn(s.Path) }

// FileOver opens one of Files, decompressed by what it is; the stored bytes
// pass through wrap on their way, so that progress can be counted against Size.
func (s Source) FileOver(name string, wrap func(io.Reader) io.Reader) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(s.Path, name))
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(wrap(f), 256<<10)
	head, err := r.Peek(512)
	if err != nil && err != io.EOF {
		f.Close()
		return nil, err
	}
	kind := compression(head)
	if kind == "" {
		return readCloser{r, f, nil}, nil
	}
	d, err := decompress(kind, r)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s as %s: %w", name, kind, err)
	}
	return readCloser{d, f, d}, nil
}

// readWhole gives a file's digest and size; the error is of a compressed one
// that is damaged or cut off, or of one that should not be empty.
func readWhole(ctx context.Context, path string) (sum []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	h := sha256.New()
	counted := &countReader{r: io.TeeReader(ctxReader{ctx, f}, h)}
	r := bufio.NewReaderSize(counted, 256<<10)
	head, _ := r.Peek(512)
	contentErr := wholeContent(r, head, filepath.Base(path))
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, 0, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return h.Sum(nil), counted.n, contentErr
}

func wholeContent(r io.Reader, head []byte, name string) error {
	kind := compression(head)
	packed := strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst")
	if len(head) == 0 && packed {
		return errors.New("is empty; the dump that should have written it failed")
	}
	if kind == "" {
		return nil
	}
	d, err := decompress(kind, r)
	if err != nil {
		return fmt.Errorf("read as %s: %w", kind, err)
	}
	defer d.Close()
	if _, err := io.Copy(io.Discard, d); err != nil {
		return cutOff(kind, err)
	}
	return nil
}

type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
