package mysql

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// plain restores SQL, of a dump or written by hand.
func (r *restore) plain(ctx context.Context, l *loader) error {
	c := &counter{ctx: ctx, total: r.src.Size, report: r.opt.Progress}
	in, err := r.src.ReaderOver(c.over)
	if err != nil {
		return err
	}
	defer in.Close()
	return l.stream(ctx, newSplitter(in, l.most), "")
}

var (
	headerDatabase = lazy.Compile(`(?m)^-- Host: .*\bDatabase: (\S.*?)\s*$`)
	// Signs of what dump tools write, also where they leave out comments.
	signs = lazy.Compile(`@OLD_CHARACTER_SET_CLIENT|@saved_cs_client|(?m:^-- (MySQL dump|MariaDB dump|mysqldump|Dump created by MySQL pump|phpMyAdmin SQL Dump|Adminer|MyDumper))`)
)

// readHead looks for what a dump says of itself.
func (r *restore) readHead() error {
	f, err := r.src.Reader()
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := bufio.NewReaderSize(f, 64<<10).Peek(64 << 10)
	if err != nil && err != io.EOF {
		return err
	}
	if m := headerDatabase.FindSubmatch(head[:min(len(head), 4<<10)]); m != nil {
		r.named = string(m[1])
	}
	r.dumped = signs.Match(head)
	if bytes.Contains(head, []byte("-- PostgreSQL database dump")) {
		return errors.New("it is a dump of PostgreSQL; use --engine postgres")
	}
	return nil
}

// counter reports how much of the snapshot has been read, and stops reading
// when its context is done.
type counter struct {
	ctx         context.Context
	mu          sync.Mutex
	done, total int64
	report      func(done, total int64)
	told        int64
}

// over counts what is read from in.
func (c *counter) over(in io.Reader) io.Reader { return &counted{c, in} }

type counted struct {
	c *counter
	r io.Reader
}

func (r *counted) Read(p []byte) (int, error) {
	if err := context.Cause(r.c.ctx); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.done += int64(n)
	if r.c.done-r.c.told >= r.c.total/1000 || err == io.EOF {
		r.c.told = r.c.done
		r.c.report(min(r.c.done, r.c.total), r.c.total)
	}
	return n, err
}

// explain adds to what the server says the way out, where there is one.
func (r *restore) explain(text string, err error) error {
	return &statementError{brief(text), err, r.wayOut(err)}
}

// statementError is a statement that the server refused.
type statementError struct {
	statement string
	err       error
	wayOut    string
}

func (e *statementError) Error() string {
	return strings.TrimSuffix(e.statement+": "+e.err.Error()+"; "+e.wayOut, "; ")
}

func (e *statementError) Unwrap() error { return e.err }
