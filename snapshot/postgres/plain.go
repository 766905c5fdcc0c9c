package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
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
		isCopy := !p.meta && copyIn.MatchString(p.text)
		if !p.meta && l.passesBy(p.text) {
			if isCopy {
				if _, err := io.Copy(io.Discard, s.copyData()); err != nil {
					return err
				}
			}
			continue
		}
		switch {
		case p.meta:
			if err := l.meta(p); err != nil {
				return err
			}
			if enc, ok := strings.CutPrefix(p.text, "encoding "); ok {
				err = l.run(ctx, "SET client_encoding = "+Literal(strings.Trim(enc, " ';")))
			}
		case !isCopy && copies.MatchString(p.text):
			err = errors.New("COPY of a file, a program or a query is nothing that a dump holds; take the snapshot with pg_dump")
		case isCopy:
			err = l.copy(ctx, p.text, s.copyData())
		default:
			s.heed(p.text)
			err = l.run(ctx, p.text)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", p.line, err)
		}
	}
}

// copies other things than the rows behind it. It would run as the server's own
// account.
var copies = lazy.Compile(`(?i)^COPY\b`)

// passesBy: the statement is on another database of a dump of a whole cluster.
// What is said of roles counts wherever it stands.
func (l *loader) passesBy(sql string) bool {
	wanted := l.r.src.Database
	if wanted == "" || l.connected == wanted || isGlobal(sql) {
		return false
	}
	if m := alterDatabase.FindStringSubmatch(sql); m != nil && unquote(m[1]) == wanted {
		return false
	}
	return l.connected != "" || !setting.MatchString(sql)
}

// meta judges a psql command: pg_dump writes \restrict, \unrestrict (since
// August 2025) and, with --create, \connect to the one database. Others run
// programs or read files, and are nothing a dump holds.
func (l *loader) meta(p piece) error {
	word, rest, _ := strings.Cut(p.text, " ")
	switch word {
	case "restrict", "unrestrict", "encoding":
		return nil
	case "connect", "c":
		name := connected(rest)
		if l.r.src.Database == "" && l.connected != "" && l.connected != name {
			return fmt.Errorf("line %d: it holds a second database, %s beside %s; dump the one database with pg_dump --format=custom", p.line, name, l.connected)
		}
		l.connected = name
		if l.r.src.Database == "" || name == l.r.src.Database {
			l.r.called = name
		}
		return nil
	}
	return fmt.Errorf("line %d: \\%s is a command of psql that a dump does not hold; take the snapshot with pg_dump", p.line, oneLine(p.text, 60))
}

var (
	clientEncoding = lazy.Compile(`(?im)^SET client_encoding = '([^']*)'`)
	createDatabase = lazy.Compile(`(?im)^CREATE DATABASE .*$`)
)

var dbname = lazy.Compile(`dbname='((?:[^'\\]|\\.)*)'`)

// connected is the database that \connect names, as pg_dump and pg_dumpall
// write it.
func connected(argument string) string {
	argument = strings.TrimSpace(argument)
	if m := dbname.FindStringSubmatch(argument); m != nil {
		return strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(m[1])
	}
	argument = strings.TrimPrefix(argument, "-reuse-previous=on ")
	switch {
	case strings.HasPrefix(argument, `"`):
		return strings.ReplaceAll(strings.Trim(argument, `"`), `""`, `"`)
	case strings.HasPrefix(argument, `'`):
		return strings.ReplaceAll(strings.Trim(argument, `'`), `''`, `'`)
	}
	return argument
}

// clusterLocale finds how one database of a whole cluster's dump was made: that
// can stand behind any number of others.
func clusterLocale(in io.Reader, database string) (locale, error) {
	s := newSplitter(bufio.NewReaderSize(in, 1<<20))
	for {
		p, err := s.next()
		if err == io.EOF {
			return locale{}, nil // postgres and template1 are there already
		}
		if err != nil {
			return locale{}, err
		}
		if p.meta {
			continue
		}
		if copyIn.MatchString(p.text) {
			if _, err := io.Copy(io.Discard, s.copyData()); err != nil {
				return locale{}, err
			}
		} else if m := makesDatabase.FindStringSubmatch(p.text); m != nil && unquote(m[1]) == database {
			return localeOf(p.text), nil
		}
	}
}

var makesDatabase = lazy.Compile(`(?is)^CREATE\s+DATABASE\s+` + identPattern)

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
