package archive

import (
	"errors"
	"fmt"
	"io"
)

// Block is one entry's data. Object is the large object's OID, 0 for tables.
type Block struct {
	ID     int
	Object uint32
	Data   io.Reader // as it was before pg_dump compressed it
}

// Walk visits the blocks of data of a custom archive, in the order of the file.
// A nil visit only proves that all of them are there, to the end, and unpacks
// nothing.
func (a *Archive) Walk(visit func(Block) error) error {
	visit = a.unpacking(visit)
	want, got := 0, 0
	for _, e := range a.Entries {
		if e.HasData {
			want++
		}
	}
	r := a.r
	for {
		kind, err := r.br.ReadByte()
		if err == io.EOF {
			if got < want {
				return fmt.Errorf("%d of %d blocks of data: %w", got, want, ErrTruncated)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if kind == 0 && got >= want {
			return a.again()
		}
		b := Block{ID: r.int()}
		const data, objects = 1, 3
		switch {
		case r.err != nil:
			return r.err
		case kind == data:
			if err := r.block(b, visit); err != nil {
				return err
			}
		case kind == objects:
			for b.Object = uint32(r.int()); b.Object != 0; b.Object = uint32(r.int()) {
				if err := r.block(b, visit); err != nil {
					return err
				}
			}
			if r.err != nil {
				return r.err
			}
		default:
			return fmt.Errorf("block of kind %d after %d blocks: the dump is damaged", kind, got)
		}
		got++
	}
}

// again reads a second table of contents. pg_dump goes back to the first one to
// note where each block begins, but from 17 on, with a file as its standard
// output, what it writes there ends up behind the data (measured, 17.12).
func (a *Archive) again() error {
	r, n := a.r, 0
	for i := range r.intSize { // the sign is read already
		n |= int(r.byte()) << (8 * i)
	}
	if r.err == nil && n != len(a.Entries) {
		return fmt.Errorf("%d entries in the table of contents behind the data, and %d in the first one: the dump is damaged", n, len(a.Entries))
	}
	for i := 0; i < n && r.err == nil; i++ {
		r.entry(&a.Header)
	}
	if r.err != nil {
		return fmt.Errorf("read table of contents behind the data: %w", r.err)
	}
	if _, err := r.br.ReadByte(); err != io.EOF {
		return errors.Join(errors.New("there is more behind the end: the dump is damaged"), err)
	}
	return nil
}

// block hands one run of chunks to visit and reads whatever it left.
func (r *reader) block(b Block, visit func(Block) error) error {
	c := &chunks{r: r}
	b.Data = c
	if err := visit(b); err != nil {
		return err
	}
	for !c.done && r.err == nil {
		if err := c.skip(); err != nil {
			return err
		}
	}
	return r.err
}

// chunks joins length-prefixed pieces into one stream; a length of 0 ends it.
type chunks struct {
	r    *reader
	left int
	done bool
}

func (c *chunks) next() error {
	if c.left > 0 || c.done {
		return nil
	}
	c.left = c.r.int()
	if c.r.err == nil && c.left < 0 {
		c.r.err = errors.New("negative length of a piece of data: the dump is damaged")
	}
	c.done = c.left == 0
	return c.r.err
}

func (c *chunks) Read(p []byte) (int, error) {
	if err := c.next(); err != nil {
		return 0, err
	}
	if c.done {
		return 0, io.EOF
	}
	n, err := c.r.br.Read(p[:min(len(p), c.left)])
	c.left -= n
	if err == io.EOF {
		err = ErrTruncated
		c.r.err = err
	}
	return n, err
}

func (c *chunks) skip() error {
	if err := c.next(); err != nil || c.done {
		return err
	}
	n, err := c.r.br.Discard(c.left)
	c.left -= n
	if err == io.EOF {
		c.r.err = ErrTruncated
		return ErrTruncated
	}
	return err
}
