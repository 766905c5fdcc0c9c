package snapshot

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// survey looks at the files of a directory or of a tar archive, one after
// another, and tells which dumps they make: files that are one by themselves,
// and folders of pg_dump.
type survey struct {
	of      *Source // the directory or archive
	single  []found
	folders map[string]*folder
	ignored []string
	names   []string
}

// folder is a dump of pg_dump in directory format, or in tar format and unpacked.
type folder struct {
	archive     *archive.Archive
	files       map[string]archive.File
	size        int64 // as stored
	unpacked    int64
	compression string
	// restoreSQL: it was made by --format=tar, which adds a script.
	restoreSQL bool
}

// file looks at one file, by its path below the directory, and reads it to its
// end. The Source is that of the file, should it be a dump by itself.
func (v *survey) file(name string, src Source, r io.Reader) error {
	v.names = append(v.names, name)
	base := path.Base(name)
	counted := &countReader{r: r}
	br := bufio.NewReaderSize(counted, 256<<10)
	defer func() { _, _ = io.Copy(io.Discard, br) }() // whoever lent r sees its errors
	ofADump, known := archive.FileName(base)
	if is, hidden := noDump(base); is && !known {
		if !hidden {
			v.ignored = append(v.ignored, name)
		}
		return nil
	}
	if ofADump == "restore.sql" {
		known = isRestoreSQL(br)
	}
	if known {
		err := v.ofFolder(path.Dir(name), ofADump, suffixes[path.Ext(base)], br)
		v.folder(path.Dir(name)).size += counted.n
		return err
	}
	if _, err := br.Peek(1); err == io.EOF {
		return errors.New("is empty; the dump that should have written it failed")
	}
	list, err := src.detect(br)
	if err != nil {
		return err
	}
	for i := range list {
		if h := list[i].holds; list[i].Engine == "" && !h.pre && !h.data && !h.post && !strings.Contains(base, ".sql") {
			return errors.New("is no dump that is known; move it elsewhere, or give the file of the dump alone")
		}
		list[i].Size = counted.n
	}
	v.single = append(v.single, list...)
	return nil
}

// isRestoreSQL tells the script beside the files of a tar archive of pg_dump,
// which is no dump, from a dump of that name.
func isRestoreSQL(br *bufio.Reader) bool {
	head, _ := br.Peek(512)
	return bytes.Contains(head, []byte("File paths need to be edited"))
}

func (v *survey) folder(name string) *folder {
	if v.folders == nil {
		v.folders = map[string]*folder{}
	}
	f := v.folders[name]
	if f == nil {
		f = &folder{files: map[string]archive.File{}}
		v.folders[name] = f
	}
	return f
}

// ofFolder looks at a file that pg_dump writes into a folder, by its name without
// the suffix of a compression.
func (v *survey) ofFolder(dir, name, suffix string, br *bufio.Reader) error {
	f := v.folder(dir)
	head, err := br.Peek(512)
	if err != nil && err != io.EOF {
		return err
	}
	in := io.Reader(br)
	if kind := compression(head); kind != "" {
		d, err := decompress(kind, br)
		if err != nil {
			return err
		}
		defer d.Close()
		in, f.compression = d, kind
	} else if emptyObject := len(head) == 0 && strings.HasPrefix(name, "blob_") && (suffix == LZ4 || suffix == Zstd); emptyObject {
		// pg_dump writes nothing at all for a large object of nothing.
	} else if suffix != "" {
		return fmt.Errorf("is no file of %s, as its name says: %w", suffix, archive.ErrTruncated)
	} else if len(head) == 0 && name == archive.Contents {
		return errors.New("is empty; the dump that should have written it failed")
	}
	switch {
	case name == archive.Contents:
		r := bufio.NewReaderSize(in, 256<<10)
		if f.archive, err = archive.Read(r); err != nil {
			return err
		}
		if _, err := r.ReadByte(); err != io.EOF {
			return errors.Join(errors.New("there is more behind the end of the table of contents: the dump is damaged"), err)
		}
		return nil
	case name == "restore.sql":
		f.restoreSQL = true
		_, err := io.Copy(io.Discard, in)
		return err
	}
	var text bytes.Buffer
	if strings.HasSuffix(name, ".toc") {
		in = io.TeeReader(in, &capped{&text, maxList})
	}
	tail, n, err := lastBytes(in, archive.TailBytes)
	if err != nil {
		return err
	}
	f.files[name] = archive.File{Size: n, Tail: tail, Text: text.Bytes()}
	f.unpacked += n
	return nil
}

// maxList is what a list of large objects may come to, in bytes: some ten
// million of them. More is a file that unpacks to fill the memory.
const maxList = 256 << 20

// capped is a buffer that takes so much and no more.
type capped struct {
	*bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		return 0, fmt.Errorf("is a list of large objects of more than %d MB: the dump is damaged", maxList>>20)
	}
	return c.Buffer.Write(p)
}

// finish proves that folders are whole, and lists what was found by the order of
// names. The Source is that of a folder, by its path below the directory.
func (v *survey) finish(source func(folder string) Source) ([]found, error) {
	list := v.single
	for _, name := range slices.Sorted(maps.Keys(v.folders)) {
		f := v.folders[name]
		src := source(name)
		in := ""
		if name != "." { // which is the snapshot's own directory
			in = "the dump in the folder " + name + ": "
		}
		if err := f.whole(); err != nil {
			return nil, fmt.Errorf("%s%w", in, err)
		}
		if err := src.fromArchive(f.archive); err != nil {
			return nil, fmt.Errorf("%s%w", in, err)
		}
		src.Format, src.Compression, src.Size, src.Unpacked = FormatDirectory, f.compression, f.size, f.unpacked
		if f.restoreSQL {
			src.Format = FormatTar
		}
		list = append(list, found{Source: src, holds: inArchive(f.archive)})
	}
	slices.SortStableFunc(list, func(a, b found) int { return natural(a.where(v.of), b.where(v.of)) })
	return list, nil
}

func (f *folder) whole() error {
	if f.archive == nil {
		return fmt.Errorf("the file %s, its table of contents, is missing: it was not copied as a whole", archive.Contents)
	}
	if f.archive.Format == archive.Custom {
		return fmt.Errorf("%s is an archive in custom format, which is a dump by itself; give it another name", archive.Contents)
	}
	return f.archive.Whole(f.files)
}

// where is a part's place below the snapshot's own.
func (s Source) where(of *Source) string {
	if s.Member != "" {
		return s.Member
	}
	if rest, ok := strings.CutPrefix(s.Path, of.Path); ok && rest != "" {
		return strings.TrimLeft(rest, `/\`)
	}
	return s.Path
}
