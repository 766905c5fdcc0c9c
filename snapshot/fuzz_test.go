package snapshot_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// A tar archive may say anything: nothing panics, allocates what a damaged
// length asks for, or is written outside the directory that it is unpacked to.
func FuzzTar(f *testing.F) {
	f.Add(smallTar(f))
	f.Add(gzipped(smallTar(f)))
	f.Add(zstded(smallTar(f)))
	f.Add(bytes.ReplaceAll(smallTar(f), []byte("3346.dat\x00\x00\x00"), []byte("../3346.dat")))
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := snapshot.Open(context.Background(), file(t, data))
		if err != nil || src.Member == "" {
			return
		}
		top := t.TempDir()
		into := filepath.Join(top, "a", "b")
		if err := os.MkdirAll(into, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = src.Unpack(into, func(r io.Reader) io.Reader { return r })
		err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Dir(path) != into {
				t.Errorf("unpacked to %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// What a directory's table of contents and its list of large objects say is
// read as files of that directory, or refused.
func FuzzDirectory(f *testing.F) {
	toc, err := os.ReadFile("testdata/dir/toc.dat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(toc, []byte("4711 blob_4711.dat\n"), []byte("1\ta\n\\.\n\n\n"))
	f.Add(toc, []byte("4711 ../secret\n"), []byte("\n\n"))
	f.Fuzz(func(t *testing.T, toc, list, rows []byte) {
		a, err := archive.Read(bufio.NewReader(bytes.NewReader(toc)))
		if err != nil || a.Format == archive.Custom {
			return
		}
		dir := t.TempDir()
		files := memory{archive.Contents: toc, "blobs.toc": list, "blob_4711.dat": rows, "3346.dat": rows, "3347.dat": rows}
		have := map[string]archive.File{}
		for name, data := range files {
			have[name] = archive.File{Size: int64(len(data)), Tail: data[max(0, len(data)-archive.TailBytes):], Text: data}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		whole := a.Whole(have)
		walked := a.WalkFiles(files, func(b archive.Block) error {
			_, err := io.Copy(io.Discard, b.Data)
			return err
		})
		if whole == nil && walked != nil {
			t.Errorf("taken for whole, and then: %v", walked)
		}
		if _, err := snapshot.Open(context.Background(), dir); err == nil && whole != nil {
			t.Errorf("opened, and yet: %v", whole)
		}
	})
}

// memory are files of a dump.
type memory map[string][]byte

func (m memory) Open(name string) (io.ReadCloser, error) {
	data, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
