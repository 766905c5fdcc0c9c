package archive

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// unpacking gives visit a block's data without pg_dump's own compression.
func (a *Archive) unpacking(visit func(Block) error) func(Block) error {
	if visit == nil {
		return func(Block) error { return nil }
	}
	return func(b Block) error {
		in, done, err := a.unpacked(b.Data)
		if err != nil {
			return fmt.Errorf("read as %s: %w", a.Compression, err)
		}
		defer done()
		b.Data = in
		return visit(b)
	}
}

// unpacked takes off the compression of a block. An empty one has no stream at all.
func (a *Archive) unpacked(r io.Reader) (io.Reader, func(), error) {
	if a.Compression == "none" {
		return r, func() {}, nil
	}
	br := bufio.NewReaderSize(r, 64<<10)
	if _, err := br.Peek(1); errors.Is(err, io.EOF) {
		return strings.NewReader(""), func() {}, nil
	} else if err != nil {
		return nil, nil, err
	}
	switch a.Compression {
	case "gzip": // a zlib stream, whatever it is called
		z, err := zlib.NewReader(br)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { z.Close() }, nil
	case "lz4":
		return lz4.NewReader(br), func() {}, nil
	case "zstd":
		z, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(2<<30)) // long=31
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return nil, nil, fmt.Errorf("nobody here knows this compression; dump with --compress=gzip")
}
