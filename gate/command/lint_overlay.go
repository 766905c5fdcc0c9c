package command

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// overlay is a directory in which some files have other contents than on the
// disk, or are not there yet.
type overlay struct {
	fs.FS
	content map[string][]byte // by path
}

// openOverlay reads beneath dir, and through no link that leads out of it.
func openOverlay(dir string, content map[string][]byte) (overlay, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return overlay{}, err
	}
	return overlay{root.FS(), content}, nil
}

// contentOf is the text on standard input by its path beneath dir.
func (l *linter) contentOf(dir string) map[string][]byte {
	content := map[string][]byte{}
	for file, text := range l.content {
		if rel, err := filepath.Rel(real(dir), real(file)); err == nil && filepath.IsLocal(rel) {
			content[filepath.ToSlash(rel)] = text
		}
	}
	return content
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	if text, ok := o.content[name]; ok {
		return &overlayFile{overlayInfo{path.Base(name), int64(len(text))}, bytes.NewReader(text)}, nil
	}
	return o.FS.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.FS, name)
	if err != nil {
		return nil, err
	}
	for file, text := range o.content {
		if path.Dir(file) != name {
			continue
		}
		base := path.Base(file)
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == base })
		entries = append(entries, fs.FileInfoToDirEntry(overlayInfo{base, int64(len(text))}))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

type overlayFile struct {
	info overlayInfo
	*bytes.Reader
}

func (f *overlayFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *overlayFile) Close() error               { return nil }

type overlayInfo struct {
	name string
	size int64
}

func (i overlayInfo) Name() string       { return i.name }
func (i overlayInfo) Size() int64        { return i.size }
func (i overlayInfo) Mode() fs.FileMode  { return 0o444 }
func (i overlayInfo) ModTime() time.Time { return time.Time{} }
func (i overlayInfo) IsDir() bool        { return false }
func (i overlayInfo) Sys() any           { return nil }
