package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// plain restores SQL over the wire: no psql is needed, progress is exact, and
// what a dump says of owners and of newer servers' settings can be left out.
func (r *restore) plain(ctx context.Context) error {
	in, err := r.counted(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	return r.loading(ctx, func(l *loader) error {
		return l.stream(ctx, newSplitter(bufio.NewReaderSize(in, 1<<20)))
	})
}

// stream runs everything that a splitter finds.
func (l *loader) stream(ctx context.Context, s *splitter) error {
	for {
		p, err := s.next()
		if err == io.EOF {
			return l.flush(ctx)
		}
		if err != nil {
			return err
		}
		switch {
		case p.meta:
			if err := l.meta(p); err != nil {
				return err
			}
			if enc, ok := strings.CutPrefix(p.text, "encoding "); ok {
				err = l.run(ctx, "SET client_encoding = "+Literal(strings.Trim(enc, " ';")))
			}
		case copyIn.MatchString(p.text):
			err = l.copy(ctx, p.text, s.copyData())
		default:
			if conformingOff.MatchString(p.text) {
				s.escapes = true
			}
			err = l.run(ctx, p.text)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", p.line, err)
		}
	}
}

var conformingOff = regexp.MustCompile(`(?i)^SET\s+standard_conforming_strings\s*(=|TO)\s*'?(off|false|0)\b`)

// meta judges a psql command: pg_dump writes \restrict, \unrestrict (since
// August 2025) and, with --create, \connect to the one database. Others run
// programs or read files, and are nothing a dump holds.
func (l *loader) meta(p piece) error {
	word, rest, _ := strings.Cut(p.text, " ")
	switch word {
	case "restrict", "unrestrict", "encoding":
		return nil
	case "connect", "c":
		if l.connected != "" && l.connected != rest {
			return fmt.Errorf("line %d: \\%s: it holds a second database; dump the one database with pg_dump --format=custom", p.line, oneLine(p.text, 60))
		}
		l.connected = rest
		return nil
	}
	return fmt.Errorf("line %d: \\%s is a command of psql that a dump does not hold; take the snapshot with pg_dump", p.line, oneLine(p.text, 60))
}

var (
	clientEncoding = regexp.MustCompile(`(?im)^SET client_encoding = '([^']*)'`)
	createDatabase = regexp.MustCompile(`(?im)^CREATE DATABASE .*$`)
)

func plainLocale(head []byte) locale {
	if m := createDatabase.Find(head); m != nil {
		return localeOf(string(m))
	}
	if m := clientEncoding.FindSubmatch(head); m != nil && string(m[1]) == "SQL_ASCII" {
		return locale{encoding: "SQL_ASCII"} // any bytes: UTF8 would refuse some
	}
	return locale{}
}

func foreignEngine(head []byte) error {
	for _, mark := range []string{"-- MySQL dump", "-- MariaDB dump", "/*M!999999", "-- mysqldump"} {
		if bytes.Contains(head[:min(len(head), 4<<10)], []byte(mark)) {
			return errors.New("it is a dump of MySQL or MariaDB; use --engine mysql")
		}
	}
	return nil
}
