package snapshot

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// Compressions of a Source. Files of several streams, as pigz, pbzip2, pzstd and
// xz --threads write them, are read to the end of the last.
const (
	Gzip  = "gzip"
	Zstd  = "zstd"
	LZ4   = "lz4"
	XZ    = "xz"
	Bzip2 = "bzip2"
)

// suffixes are those that their programs give a file.
var suffixes = map[string]string{".gz": Gzip, ".zst": Zstd, ".lz4": LZ4, ".xz": XZ, ".bz2": Bzip2}

func compression(head []byte) string {
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case has("\x1f\x8b"):
		return Gzip
	case has("\x28\xb5\x2f\xfd"),
		len(head) > 3 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // skippable frame
		return Zstd
	case has("\x04\x22\x4d\x18"), has("\x02\x21\x4c\x18"): // frame, legacy frame
		return LZ4
	case has("\xfd7zXZ\x00"):
		return XZ
	case has("BZh") && len(head) > 9 && head[3] >= '1' && head[3] <= '9' &&
		(bytes.Equal(head[4:10], []byte("\x31\x41\x59\x26\x53\x59")) || bytes.Equal(head[4:10], []byte("\x17\x72\x45\x38\x50\x90"))): // a block, or the end of nothing
		return Bzip2
	}
	return ""
}

// decompress opens a compressed stream, whose errors say what they most likely are.
func decompress(kind string, r io.Reader) (io.ReadCloser, error) {
	d, err := decompressor(kind, r)
	if err != nil {
		return nil, cutOff(kind, err)
	}
	return &decompressed{ReadCloser: d, kind: kind}, nil
}

// decompressed stays at its end: after an error, some decompressors would say
// that all is well.
type decompressed struct {
	io.ReadCloser
	kind string
	err  error
}

func (d *decompressed) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.ReadCloser.Read(p)
	if d.err = err; err != nil && err != io.EOF {
		d.err = cutOff(d.kind, err)
	}
	return n, d.err
}

func decompressor(kind string, r io.Reader) (io.ReadCloser, error) {
	switch kind {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(2<<30)) // --long=31
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case LZ4:
		return io.NopCloser(lz4.NewReader(r)), nil
	case XZ:
		d, err := xz.NewReader(r)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(d), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	}
	return nil, fmt.Errorf("no decompressor for %q", kind)
}

func cutOff(kind string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("its %s stream breaks off: %w", kind, archive.ErrTruncated)
	}
	return fmt.Errorf("read as %s: %w", kind, err)
}
