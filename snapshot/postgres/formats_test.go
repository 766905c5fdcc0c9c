package postgres_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// programs that compress, by what the support matrix calls it.
var programs = []struct{ name, program, args string }{
	{"none", "", ""},
	{"gzip", "gzip", "-c"},
	{"zstd", "zstd", "-q -c"},
	{"lz4", "lz4", "-q -c"},
	{"xz", "xz", "-c"},
	{"bzip2", "bzip2", "-c"},
}

// compressed runs a program over a file.
func compressed(t *testing.T, file, program, args string) string {
	t.Helper()
	if program == "" {
		return file
	}
	if _, err := exec.LookPath(program); err != nil {
		snapshottest.Missing(t, "dumps compressed by "+program, "testdata/install.sh "+program)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out, errs bytes.Buffer
	cmd := exec.Command(program, strings.Fields(args)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, &errs)
	}
	return write(t, out.Bytes())
}

// tarred packs a directory by tar.
func tarred(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "packed")
	command(t, "tar", "--create", "--file="+file, "--directory="+filepath.Dir(dir), filepath.Base(dir))
	return file
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// watched are tools that count what pg_restore is run for, or lack it.
type watched struct {
	snapshot.Tools
	without bool
	runs    *atomic.Int64
}

func (w watched) Run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if w.without {
		return fmt.Errorf("run %s: %w", name, snapshot.ErrNoTool)
	}
	w.runs.Add(1)
	return w.Tools.Run(ctx, name, args, stdin, stdout, stderr)
}

// through connects to the shared server of a major with and without pg_restore.
func through(t *testing.T, major string, without bool) (*postgres.Server, *atomic.Int64) {
	t.Helper()
	target := *snapshottest.Server(t, major)
	runs := &atomic.Int64{}
	target.Tools = watched{target.Tools, without, runs}
	s, err := postgres.Connect(context.Background(), &target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, runs
}

// store is testdata/formats.sql in a database, to which restored ones are held.
type store struct {
	prod   *postgres.Server
	dsn    string
	schema snapshot.Schema
	rows   [][]string
}

// contents is all that is in it but the schema, a line for each table, large
// object and sequence, and for what is not in force.
const contents = `SELECT 'large object ' || oid, md5(lo_get(oid)) FROM pg_largeobject_metadata
	UNION ALL SELECT 'sequences', concat_ws(' ', t.last_value, t.is_called, o.last_value, o.is_called, c.last_value, c.is_called) FROM tickets t, orders_id_seq o, customers_id_seq c
	UNION ALL SELECT 'sums', string_agg(t::text, E'\n' ORDER BY t::text) FROM sums t
	UNION ALL SELECT 'customers', string_agg(t::text, E'\n' ORDER BY t::text) FROM customers t
	UNION ALL SELECT 'orders', string_agg(t::text, E'\n' ORDER BY t::text) FROM orders t
	UNION ALL SELECT 'events', string_agg(tableoid::regclass || t::text, E'\n' ORDER BY t::text) FROM events t
	UNION ALL SELECT 'odd', string_agg(t::text, E'\n' ORDER BY t::text) FROM "Odd Schema"."a ""quoted"" table" t
	UNION ALL SELECT 'empty', string_agg(t::text, E'\n' ORDER BY t::text) FROM empty t
	UNION ALL SELECT 'audit', string_agg(t::text, E'\n' ORDER BY t::text) FROM audit t
	UNION ALL SELECT 'constraint not in force', conname FROM pg_constraint WHERE NOT convalidated
	UNION ALL SELECT 'trigger not in force', tgname FROM pg_trigger WHERE tgenabled <> 'O'
	ORDER BY 1, 2`

func newStore(t *testing.T) *store {
	t.Helper()
	sql, err := os.ReadFile("testdata/formats.sql")
	if err != nil {
		t.Fatal(err)
	}
	prod, dsn := original(t, string(sql))
	o := &store{prod: prod, dsn: dsn, rows: mustQuery(t, dsn, contents)}
	if o.schema, err = prod.Database(nameOf(dsn)).Schema(context.Background()); err != nil {
		t.Fatal(err)
	}
	return o
}

// same holds a restored database to the original: its schema, the rows of every
// table, large objects and sequences.
func (o *store) same(t *testing.T, s *postgres.Server, b *postgres.Baseline) {
	t.Helper()
	sameSchema(t, o.prod, o.schema, s, b)
	if d := gocmp.Diff(o.rows, mustQuery(t, b.Database().AdminDSN(), contents)); d != "" {
		t.Errorf("contents (-original +restored):\n%s", d)
	}
}

// Every format that pg_dump has, in every compression, by pg_restore and where
// there is none.
func TestFormats(t *testing.T) {
	o := newStore(t)
	type cell struct {
		row, column string
		file        string
		pgRestore   bool // reads it, so it is restored without one too
	}
	var cells []cell
	custom, tar, plain := dump(t, o.dsn, "", "--format=custom"), dump(t, o.dsn, "", "--format=tar"), dump(t, o.dsn, "", "--format=plain")
	dir, bare := dump(t, o.dsn, "", "--format=directory"), dump(t, o.dsn, "", "--format=directory", "--compress=0")
	packed := tarred(t, dir)
	for _, p := range programs {
		in := func(file string) string { return compressed(t, file, p.program, p.args) }
		cells = append(cells,
			cell{"custom", p.name, in(custom), true},
			cell{"tar", p.name, in(tar), true},
			cell{"plain", p.name, in(plain), false},
			cell{"directory, packed in a tar archive", p.name, in(packed), true},
			cell{"directory, its files compressed", p.name, compressedFiles(t, bare, p.program, p.args), p.name == "none" || p.name == "gzip"},
		)
	}
	cells = append(cells,
		cell{"custom, --compress by pg_dump", "none", dump(t, o.dsn, "", "--format=custom", "--compress=0"), true},
		cell{"custom, --compress by pg_dump", "gzip", custom, true},
		cell{"directory, --compress by pg_dump", "none", bare, true},
		cell{"directory, --compress by pg_dump", "gzip", dir, true},
		cell{"plain, --compress by pg_dump", "gzip", dump(t, o.dsn, "", "--format=plain", "--compress=6"), false},
		cell{"plain, packed in a tar archive", "none", tarred(t, plain), false},
		cell{"plain, as INSERTs", "none", dump(t, o.dsn, "", "--format=plain", "--inserts", "--create"), false},
		cell{"custom, as INSERTs", "none", dump(t, o.dsn, "", "--format=custom", "--inserts"), true},
		cell{"directory, as INSERTs", "none", dump(t, o.dsn, "", "--format=directory", "--inserts"), true},
	)
	for _, c := range cells {
		t.Run(c.row+", "+c.column, func(t *testing.T) {
			snapshottest.Supported(t, "formats", c.row, c.column)
			for _, without := range []bool{false, true} {
				// Any compression around a dump is the same to either.
				if without && (!c.pgRestore || c.column != "none" && !strings.Contains(c.row, "--compress")) {
					continue
				}
				s, runs := through(t, "15", without)
				b, m := restored(t, s, c.file)
				if used := runs.Load() > 0; used != (c.pgRestore && !without) {
					t.Errorf("pg_restore was used: %t", used)
				}
				if m.Skipped != nil {
					t.Errorf("skipped %q", m.Skipped)
				}
				o.same(t, s, b)
			}
		})
	}
}

// compressedFiles compresses each file of a dump in directory format.
func compressedFiles(t *testing.T, dir, program, args string) string {
	t.Helper()
	if program == "" {
		return dir
	}
	to := t.TempDir()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	suffix := map[string]string{"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4", "xz": ".xz", "bzip2": ".bz2"}[program]
	for _, e := range list {
		data := readFile(t, compressed(t, filepath.Join(dir, e.Name()), program, args))
		if err := os.WriteFile(filepath.Join(to, e.Name()+suffix), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// testdata/dumps/formats.tar.xz are dumps of testdata/formats.sql by pg_dump
// 16.15, 17.10 and 18.6, which compress by lz4 and zstd themselves, and keep
// lists of large objects under other names.
func TestFormatsOfNewerTools(t *testing.T) {
	o := newStore(t)
	dir := t.TempDir()
	command(t, "tar", "--extract", "--file=testdata/dumps/formats.tar.xz", "--directory="+dir)
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		t.Run(e.Name(), func(t *testing.T) {
			major, compression, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".dump"), ".tar"), "-")
			format := map[string]string{".dump": "custom", ".tar": "tar"}[filepath.Ext(e.Name())]
			format = cmp.Or(format, "directory")
			if compression != "" {
				snapshottest.Supported(t, "formats", format+", --compress by pg_dump", compression)
			}
			file := filepath.Join(dir, e.Name())
			src := open(t, file)
			if snapshot.Major(src.DumpVersion) != major || src.Format != format {
				t.Errorf("recognised as format %s by %s", src.Format, src.DumpVersion)
			}
			s, _ := through(t, "15", false)
			b, _ := restored(t, s, file)
			o.same(t, s, b)
		})
	}
}
