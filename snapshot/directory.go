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

// openDirectory looks at a dump in a directory, or at the several in it. Its
// digest is that of the list of its files' digests, as sha256sum writes it,
// sorted by name. Compression is that of its files. The shell's tools give the
// same digest (find -L, where links are in it):
//
//	cd DIR && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
func (s *Source) openDirectory(ctx context.Context) ([]found, error) {
	contentErr := s.recognise()
	names, err := filesIn(s.Path)
	if err != nil {
		return nil, err
	}
	v := &survey{of: s}
	list := sha256.New()
	for _, name := range names {
		var sum []byte
		if s.Format == "" && contentErr == nil {
			sum, err = s.readPart(ctx, v, filepath.ToSlash(name))
		} else {
			sum, err = s.readOne(ctx, name)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var unreadable *fs.PathError
		if errors.As(err, &unreadable) {
			return nil, err
		}
		if err != nil && contentErr == nil {
			contentErr = fmt.Errorf("%s in %s: %w", name, s.Path, err)
		}
		fmt.Fprintf(list, "%x  %s\n", sum, filepath.ToSlash(name))
	}
	s.SHA256 = hex.EncodeToString(list.Sum(nil))
	if err := s.verifyDigest(); err != nil {
		return nil, err
	}
	if contentErr != nil {
		return nil, contentErr
	}
	if s.Format != "" {
		return []found{{Source: *s}}, nil
	}
	return s.parts(v)
}

// readOne reads a file of a dump by a tool for MySQL.
func (s *Source) readOne(ctx context.Context, name string) ([]byte, error) {
	sum, size, err := readWhole(ctx, filepath.Join(s.Path, name))
	s.Size += size
	if kind := suffixes[filepath.Ext(name)]; kind != "" {
		s.Compression = kind
	}
	return sum, err
}

// readPart reads a file that is a dump, or belongs to one of pg_dump.
func (s *Source) readPart(ctx context.Context, v *survey, name string) ([]byte, error) {
	path := filepath.Join(s.Path, filepath.FromSlash(name))
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	counted := &countReader{r: io.TeeReader(ctxReader{ctx, f}, h)}
	known := len(v.single)
	contentErr := v.file(name, Source{Path: path, Database: s.Database}, counted)
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	s.Size += counted.n
	sum := h.Sum(nil)
	if len(v.single) > known {
		v.single[known].SHA256 = hex.EncodeToString(sum)
	}
	return sum, contentErr
}

// parts lists what was found in a directory of none of MySQL's tools.
func (s *Source) parts(v *survey) ([]found, error) {
	s.Ignored = v.ignored
	list, err := v.finish(func(folder string) Source {
		src := Source{Path: filepath.Join(s.Path, filepath.FromSlash(folder)), Database: s.Database}
		if folder == "." {
			src.Path, src.SHA256 = s.Path, s.SHA256
		}
		return src
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s is a directory, and no dump is in it: none of pg_dump, SQL, mydumper or MySQL Shell", s.Path)
	}
	return list, nil
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
	if err := physical(is); err != nil {
		return fmt.Errorf("%s %w", s.Path, err)
	}
	return nil
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

// headOf is the beginning of a file, decompressed; of a tar archive, that of
// the first file in it that tells something.
func headOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return headIn(f, true)
}

func headIn(in io.Reader, packed bool) ([]byte, error) {
	r, done, err := unpackOuter(in)
	if err != nil {
		return nil, err
	}
	defer done()
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(64 << 10)
	if packed && isTar(head) {
		var inside []byte
		err := members(br, func(name string, _ int64, r io.Reader) error {
			if is, _ := noDump(filepath.Base(name)); is {
				return nil
			}
			if inside, err = headIn(r, false); err != nil {
				return err
			}
			return errFound
		})
		if errors.Is(err, errFound) {
			err = nil
		}
		return inside, err
	}
	if err == io.EOF || len(head) > 0 {
		err = nil
	}
	return bytes.Clone(head), err
}

// filesIn lists the files below a directory, sorted by the bytes of their
// names. A link counts as the file that it leads to.
func filesIn(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if info.IsDir() {
				return fmt.Errorf("%s is a link to another directory; give that, or copy what is in it", path)
			}
			if !info.Mode().IsRegular() {
				return nil
			}
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
	d, done, err := unpackOuter(wrap(f))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &fileReader{d, f, []func(){done}}, nil
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
	if len(head) == 0 && suffixes[filepath.Ext(name)] != "" {
		return errors.New("is empty; the dump that should have written it failed")
	}
	if kind == "" {
		return nil
	}
	d, err := decompress(kind, r)
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = io.Copy(io.Discard, d)
	return err
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
