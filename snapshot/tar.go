package snapshot

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// isTar knows an archive by the first header, of POSIX and of GNU.
func isTar(head []byte) bool { return len(head) > 262 && string(head[257:262]) == "ustar" }

// members visits the files of a tar archive, each to its end, and proves that
// the archive has its own.
func members(r io.Reader, visit func(name string, size int64, r io.Reader) error) error {
	counted := &countReader{r: r}
	tr := tar.NewReader(counted)
	end := int64(0) // of what was read, up to the next header
	for {
		h, err := tr.Next()
		if err == io.EOF {
			if counted.n-end < 2*512 { // two blocks of zeros
				return archive.ErrTruncated
			}
			return nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return archive.ErrTruncated
		}
		if err != nil {
			return fmt.Errorf("read as tar: %w", err)
		}
		if h.Typeflag == tar.TypeReg {
			err := visit(path.Clean(strings.TrimLeft(h.Name, "/")), h.Size, tarErrors{tr})
			if err != nil {
				return err
			}
		}
		if _, err := io.Copy(io.Discard, tarErrors{tr}); err != nil {
			return err
		}
		end = (counted.n + 511) &^ 511
	}
}

// tarErrors says of an archive that ends too early that it was cut off.
type tarErrors struct{ r io.Reader }

func (t tarErrors) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = archive.ErrTruncated
	}
	return n, err
}

// readTar tells which dumps are in a tar archive.
func (s *Source) readTar(r *bufio.Reader) ([]found, error) {
	s.Format = FormatTar
	v := &survey{of: s}
	err := members(r, func(name string, _ int64, r io.Reader) error {
		sum := sha256.New()
		member := Source{Path: s.Path, Member: name, Database: s.Database}
		raw := io.TeeReader(r, sum)
		known := len(v.single)
		if err := v.file(name, member, raw); err != nil {
			return fmt.Errorf("%s in it: %w", name, err)
		}
		if len(v.single) > known {
			v.single[len(v.single)-1].SHA256 = hex.EncodeToString(sum.Sum(nil))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := v.known(); err != nil {
		return nil, err
	}
	s.Ignored = v.ignored
	return v.finish(func(folder string) Source {
		return Source{Path: s.Path, Member: folder, Database: s.Database, SHA256: ""}
	})
}

// known refuses by name what other tools' folders are known by.
func (v *survey) known() error {
	is := func(name string) bool {
		for _, n := range v.names {
			if path.Base(n) == name {
				return true
			}
		}
		return false
	}
	if err := physical(is); err != nil {
		return err
	}
	if is(shellStart) || is(mydumperFile) || is(mydumperPartial) {
		return errors.New("is a packed directory of mydumper or MySQL Shell; unpack it, and give the directory")
	}
	return nil
}

// Unpack writes the files of a dump in a tar archive, or in a folder of one, into
// a directory, from where pg_restore takes them as a dump in directory format.
// The stored bytes pass through wrap on their way.
func (s Source) Unpack(dir string, wrap func(io.Reader) io.Reader) error {
	f, err := os.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, done, err := unpackOuter(wrap(f))
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	defer done()
	return members(r, func(name string, _ int64, r io.Reader) error {
		if path.Dir(name) != s.Member {
			return nil
		}
		if _, ok := archive.FileName(path.Base(name)); !ok {
			return nil
		}
		return writeFile(filepath.Join(dir, path.Base(name)), r)
	})
}

func writeFile(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// unpackOuter takes off the compression around a stream, if there is one.
func unpackOuter(in io.Reader) (io.Reader, func(), error) {
	br := bufio.NewReaderSize(in, 1<<20)
	head, err := br.Peek(512)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	kind := compression(head)
	if kind == "" {
		return br, func() {}, nil
	}
	d, err := decompress(kind, br)
	if err != nil {
		return nil, nil, err
	}
	return d, func() { d.Close() }, nil
}

// errFound ends a walk through an archive.
var errFound = errors.New("found")

// memberOver opens one file of a tar archive, without its compression.
func (s Source) memberOver(wrap func(io.Reader) io.Reader) (io.ReadCloser, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (io.ReadCloser, error) {
		f.Close()
		return nil, fmt.Errorf("read %s in %s: %w", s.Member, s.Path, err)
	}
	r, done, err := unpackOuter(wrap(f))
	if err != nil {
		return fail(err)
	}
	var member io.Reader
	err = members(r, func(name string, _ int64, r io.Reader) error {
		if name != s.Member {
			return nil
		}
		member = r
		return errFound
	})
	if !errors.Is(err, errFound) {
		done()
		return fail(errors.Join(err, fs.ErrNotExist))
	}
	in, inner, err := unpackOuter(member)
	if err != nil {
		done()
		return fail(err)
	}
	return &fileReader{in, f, []func(){inner, done}}, nil
}
