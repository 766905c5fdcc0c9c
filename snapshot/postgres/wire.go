package postgres

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// overWire restores an archive without pg_restore, in the order it would: one
// connection, no parallel jobs. For servers that come without client programs,
// and for archives newer than the program there is.
func (r *restore) overWire(ctx context.Context, p *part) error {
	a, walk, done, err := r.blocks(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	w := newWire(a)
	return r.loading(ctx, func(l *loader) error {
		w.l = l
		// What pg_restore sets for itself: bodies of functions may name what comes
		// later, or is not there.
		for _, set := range []string{"check_function_bodies = false", "xmloption = content", "client_min_messages = warning", "row_security = off"} {
			if err := l.exec(ctx, "SET "+set); err != nil {
				return err
			}
		}
		// pg_restore's passes: everything in the order of the contents, the
		// data where the first of it stands; then privileges; then what must
		// not run before them.
		data := slices.IndexFunc(a.Entries, func(e archive.Entry) bool { return e.HasData })
		if data < 0 {
			data = len(a.Entries)
		}
		if err := w.pass(ctx, a.Entries[:data], isPlain); err != nil {
			return err
		}
		if err := w.pass(ctx, a.Entries, isObjects); err != nil { // 17 lists them among the data
			return err
		}
		if err := walk(func(b archive.Block) error { return w.data(ctx, b) }); err != nil {
			return err
		}
		if err := w.pass(ctx, a.Entries[data:], isPlain); err != nil {
			return err
		}
		if err := w.pass(ctx, a.Entries, isACL); err != nil {
			return err
		}
		if err := w.pass(ctx, a.Entries, isRefresh); err != nil {
			return err
		}
		return w.pass(ctx, a.Entries, isListener)
	})
}

// blocks gives an archive with a walk over its data that reports progress.
func (r *restore) blocks(ctx context.Context, p *part) (a *archive.Archive, walk func(func(archive.Block) error) error, done func(), err error) {
	if p.dir != "" {
		f := &files{dir: p.dir}
		c := &counter{total: f.size(), report: r.opt.Progress}
		f.wrap = func(in io.Reader) io.Reader {
			c.r = &ctxReader{ctx, in}
			return c
		}
		return p.a, func(visit func(archive.Block) error) error { return p.a.WalkFiles(f, visit) }, func() {}, nil
	}
	in, err := r.counted(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	if a, err = archive.Read(bufio.NewReaderSize(in, 1<<20)); err != nil {
		in.Close()
		return nil, nil, nil, err
	}
	return a, a.Walk, func() { in.Close() }, nil
}

type wire struct {
	a    *archive.Archive
	l    *loader
	byID map[int]*archive.Entry
	// ownPath: old archives leave the search path to pg_restore.
	ownPath bool
}

func newWire(a *archive.Archive) *wire {
	w := &wire{a: a, byID: map[int]*archive.Entry{}, ownPath: true}
	for i := range a.Entries {
		e := &a.Entries[i]
		w.byID[e.ID] = e
		if e.Desc == "SEARCHPATH" {
			w.ownPath = false
		}
	}
	return w
}

func isACL(e *archive.Entry) bool { return e.Desc == "ACL" || e.Desc == "DEFAULT ACL" }

func isLate(e *archive.Entry) bool { return isRefresh(e) || isListener(e) }

func isRefresh(e *archive.Entry) bool { return e.Desc == "MATERIALIZED VIEW DATA" }

// isListener: event triggers come last of all. Where pg_restore creates them, they
// hear of the materialized views that are filled after them, or at the same time.
func isListener(e *archive.Entry) bool {
	return e.Desc == "EVENT TRIGGER" || e.Desc == "COMMENT" && strings.HasPrefix(e.Tag, "EVENT TRIGGER ")
}

func isObjects(e *archive.Entry) bool { return e.Desc == "BLOB METADATA" }

func isPlain(e *archive.Entry) bool { return !isACL(e) && !isLate(e) && !isObjects(e) }

func (w *wire) pass(ctx context.Context, entries []archive.Entry, want func(*archive.Entry) bool) error {
	for i := range entries {
		e := &entries[i]
		if !want(e) || strings.TrimSpace(e.Defn) == "" {
			continue
		}
		switch e.Desc {
		case "DATABASE", "DATABASE PROPERTIES", "EXTENSION", "SUBSCRIPTION", "SECURITY LABEL":
			continue // done, or nothing for this database
		case "SCHEMA":
			// An extension may have needed it already, and public is there.
			if err := w.l.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(e.Tag)); err != nil {
				return w.on(e, err)
			}
			continue
		case "BLOB METADATA", "BLOB":
			if err := w.objects(ctx, e); err != nil {
				return w.on(e, err)
			}
			continue
		}
		if err := w.prepare(ctx, e); err != nil {
			return w.on(e, err)
		}
		if err := w.l.stream(ctx, newSplitter(bufio.NewReader(strings.NewReader(e.Defn)))); err != nil {
			return w.on(e, err)
		}
	}
	return nil
}

// prepare sets what pg_restore sets itself between entries.
func (w *wire) prepare(ctx context.Context, e *archive.Entry) error {
	if w.ownPath && e.Namespace != "" {
		if err := w.l.exec(ctx, "SET search_path = "+ident(e.Namespace)+", pg_catalog"); err != nil {
			return err
		}
	}
	if e.AccessMethod != "" {
		return w.l.exec(ctx, "SET default_table_access_method = "+ident(e.AccessMethod))
	}
	return nil
}

// objects makes large objects: one with its SQL, or a list of OIDs (1.16).
func (w *wire) objects(ctx context.Context, e *archive.Entry) error {
	if e.Desc == "BLOB" {
		return w.l.run(ctx, strings.TrimRight(e.Defn, "; \n"))
	}
	for oid := range strings.FieldsSeq(e.Defn) {
		if _, err := strconv.ParseUint(oid, 10, 32); err != nil {
			return fmt.Errorf("%q is no large object", oid)
		}
		if err := w.l.exec(ctx, "SELECT pg_catalog.lo_create("+oid+")"); err != nil {
			return err
		}
	}
	return nil
}

func (w *wire) on(e *archive.Entry, err error) error {
	return fmt.Errorf("%s %s: %w", e.Desc, e.Tag, err)
}

// data restores one block.
func (w *wire) data(ctx context.Context, b archive.Block) error {
	e := w.byID[b.ID]
	if e == nil {
		return fmt.Errorf("a block of data belongs to entry %d, which the table of contents does not have", b.ID)
	}
	in := b.Data
	var err error
	switch {
	case b.Object != 0:
		err = w.l.largeObject(ctx, b.Object, in)
	case e.Copy != "":
		if err = w.prepare(ctx, e); err == nil {
			err = w.l.copy(ctx, strings.TrimRight(e.Copy, "; \n"), in)
		}
	default: // INSERTs
		err = w.l.stream(ctx, newSplitter(bufio.NewReaderSize(in, 1<<20)))
	}
	if err != nil {
		return w.on(e, err)
	}
	return nil
}

// largeObject writes one in pieces.
func (l *loader) largeObject(ctx context.Context, oid uint32, in io.Reader) error {
	buf := make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(in, buf)
		if n > 0 {
			if _, err := l.c.Exec(ctx, "SELECT pg_catalog.lo_put($1, $2, $3)", oid, at, buf[:n]); err != nil {
				return err
			}
			at += int64(n)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
