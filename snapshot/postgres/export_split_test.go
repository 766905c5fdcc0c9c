package postgres

import (
	"bufio"
	"io"
	"strings"
)

// SplitDump cuts a text as the loader cuts a plain dump, whose reader has a
// buffer of that size. psql's own commands are left out: the loader heeds or
// refuses them.
func SplitDump(text string, buffer int, yield func(sql string, data []byte) bool) error {
	s := newSplitter(bufio.NewReaderSize(strings.NewReader(text), buffer))
	for {
		p, err := s.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case p.meta:
			continue
		}
		var data []byte
		if copyIn.MatchString(p.text) {
			if data, err = io.ReadAll(s.copyData()); err != nil {
				return err
			}
		}
		if !yield(p.text, data) {
			return nil
		}
		s.heed(p.text)
	}
}
