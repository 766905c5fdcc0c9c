package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Contents is the name of the table of contents among the files of a dump in
// directory or tar format.
const Contents = "toc.dat"

// Files are those of a dump in directory or tar format.
type Files interface {
	// Open opens one by the name that the dump has for it, whatever compression
	// has added to that, and unpacks it. In the error's chain is
	// fs.ErrNotExist where it is not there.
	Open(name string) (io.ReadCloser, error)
}

var (
	suffix  = regexp.MustCompile(`\.(gz|lz4|zst|xz|bz2)$`)
	ofADump = regexp.MustCompile(`^(toc\.dat|restore\.sql|\d+\.dat|blob_\d+\.dat|blobs(_\d+)?\.toc)$`)
)

// FileName is the name of a file as the dump has it, without what a compression
// has added; false where it is none that pg_dump writes.
func FileName(name string) (string, bool) {
	bare := suffix.ReplaceAllString(name, "")
	return bare, ofADump.MatchString(bare)
}

// Suffixes that a file's name may have besides the one in the dump's contents,
// as pg_restore looks for them, and those of other programs.
func Suffixes() []string { return []string{"", ".gz", ".lz4", ".zst", ".xz", ".bz2"} }

// WalkFiles visits the blocks of data of a dump in files, in the order of the
// table of contents.
func (a *Archive) WalkFiles(files Files, visit func(Block) error) error {
	one := func(b Block, what, name string) error {
		f, err := files.Open(name)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		defer f.Close()
		b.Data = f
		return visit(b)
	}
	for i := range a.Entries {
		e := &a.Entries[i]
		if !e.HasData {
			continue
		}
		if e.Desc != "BLOBS" {
			if err := one(Block{ID: e.ID}, e.Desc+" "+e.Tag, e.File); err != nil {
				return err
			}
			continue
		}
		list, err := openObjects(files, e)
		if err != nil {
			return fmt.Errorf("large objects: %w", err)
		}
		for _, o := range list {
			if err := one(Block{ID: e.ID, Object: o.oid}, fmt.Sprintf("large object %d", o.oid), o.file); err != nil {
				return err
			}
		}
	}
	return nil
}

type object struct {
	oid  uint32
	file string
}

// objectLists are the files that may list an entry's large objects: the contents
// of a tar archive name another one than there is.
func objectLists(e *Entry) []string {
	if strings.HasSuffix(e.File, ".toc") {
		return []string{e.File}
	}
	return []string{fmt.Sprintf("blobs_%d.toc", e.ID), "blobs.toc"}
}

func openObjects(files Files, e *Entry) ([]object, error) {
	var first error
	for _, name := range objectLists(e) {
		f, err := files.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			if first == nil {
				first = err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		return objects(name, text)
	}
	return nil, first
}

// objects reads a list of large objects: a line with OID and file for each.
func objects(name string, text []byte) ([]object, error) {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, fmt.Errorf("%s ends within a line: %w", name, ErrTruncated)
	}
	var list []object
	for line := range bytes.Lines(text) {
		number, file, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
		oid, err := strconv.ParseUint(number, 10, 32)
		bare, known := FileName(file)
		if !ok || err != nil || oid == 0 || !known || path.Base(file) != file {
			return nil, fmt.Errorf("%s: %q is no large object and its file: the dump is damaged", name, strings.TrimSpace(string(line)))
		}
		list = append(list, object{uint32(oid), bare})
	}
	return list, nil
}

// File is what was seen of one file of a dump: enough to tell whether it is whole.
type File struct {
	Size int64  // unpacked, bytes
	Tail []byte // its last bytes, of which Whole needs TailBytes
	Text []byte // all of it, for a list of large objects
}

// TailBytes is how much of a file's end Whole looks at.
const TailBytes = 8

// Whole proves that every file that the table of contents names is there, and
// ends as pg_dump ends it. What a large object's file ends in is unknown; so
// there, a cut shows in compressed files only.
func (a *Archive) Whole(have map[string]File) error {
	listed := map[string]bool{}
	for i := range a.Entries {
		e := &a.Entries[i]
		if !e.HasData {
			continue
		}
		if e.Desc == "BLOBS" {
			if err := wholeObjects(e, have, listed); err != nil {
				return err
			}
			continue
		}
		f, ok := have[e.File]
		if !ok {
			return fmt.Errorf("the file %s, with the rows of %s, is missing: the dump was not copied as a whole", e.File, e.table())
		}
		// COPY's own end, or an empty line after the INSERTs.
		end := "\n\n"
		if e.Copy != "" {
			end = "\\.\n\n\n"
		}
		if !bytes.HasSuffix(f.Tail, []byte(end)) {
			return fmt.Errorf("the rows of %s in %s break off: %w", e.table(), e.File, ErrTruncated)
		}
	}
	for name := range have {
		if strings.HasPrefix(name, "blob_") && !listed[name] {
			return fmt.Errorf("the large object in %s is on no list of them (blobs.toc): %w", name, ErrTruncated)
		}
	}
	return nil
}

func wholeObjects(e *Entry, have map[string]File, listed map[string]bool) error {
	names := objectLists(e)
	for _, name := range names {
		f, ok := have[name]
		if !ok {
			continue
		}
		list, err := objects(name, f.Text)
		if err != nil {
			return err
		}
		for _, o := range list {
			if _, ok := have[o.file]; !ok {
				return fmt.Errorf("the file %s, with the large object %d, is missing: the dump was not copied as a whole", o.file, o.oid)
			}
			listed[o.file] = true
		}
		return nil
	}
	return fmt.Errorf("the file %s, which lists the large objects, is missing: the dump was not copied as a whole", names[0])
}

func (e *Entry) table() string {
	if e.Namespace == "" {
		return e.Tag
	}
	return e.Namespace + "." + e.Tag
}
