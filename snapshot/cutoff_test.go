package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// testdata/small.tar and testdata/dir are dumps of one database, with two tables,
// a sequence and a large object, by pg_dump 15.18.
func smallTar(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/small.tar")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compressions of a Source, and how to make them.
func compressions(t testing.TB) map[string]func([]byte) []byte {
	through := func(open func(io.Writer) (io.WriteCloser, error)) func([]byte) []byte {
		return func(data []byte) []byte {
			var b bytes.Buffer
			w, err := open(&b)
			if err == nil {
				_, err = w.Write(data)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
	}
	all := map[string]func([]byte) []byte{
		"":     func(data []byte) []byte { return data },
		"gzip": gzipped,
		"zstd": zstded,
		"lz4": through(func(w io.Writer) (io.WriteCloser, error) {
			z := lz4.NewWriter(w)
			return z, z.Apply(lz4.BlockSizeOption(lz4.Block64Kb))
		}),
		"xz": through(func(w io.Writer) (io.WriteCloser, error) { return xz.WriterConfig{DictCap: 1 << 16}.NewWriter(w) }),
	}
	if _, err := exec.LookPath("bzip2"); err != nil {
		snapshottest.Missing(t, "dumps compressed by bzip2", "testdata/install.sh bzip2")
	}
	all["bzip2"] = func(data []byte) []byte { return program(t, data, "bzip2", "-1", "-c") }
	return all
}

func program(t testing.TB, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

// Files are read to the last of their streams, and in every shape that their
// programs know.
func TestOpenReadsEveryShapeOfACompression(t *testing.T) {
	want := []byte(strings.Replace(plainDump, "CREATE TABLE", strings.Repeat("SELECT 'more';\n", 30_000)+"CREATE TABLE", 1))
	half := len(want) / 2
	for name, pack := range compressions(t) {
		if name != "" {
			checkReader(t, name+", two streams", append(pack(want[:half]), pack(want[half:])...), name, want)
		}
	}
	for _, test := range []struct{ program, args, name string }{
		{"gzip", "-1 -c", "gzip"}, {"gzip", "-9 -c", "gzip"},
		{"zstd", "-q -c -19 --long=27", "zstd"}, {"zstd", "-q -c --no-check", "zstd"},
		{"lz4", "-q -c -l", "lz4"}, {"lz4", "-q -c -BD -B4", "lz4"}, {"lz4", "-q -c -9 --content-size", "lz4"},
		{"xz", "-c -T2 --block-size=65536", "xz"}, {"xz", "-c --check=crc32", "xz"}, {"xz", "-c --check=sha256", "xz"}, {"xz", "-c --check=none", "xz"},
		{"bzip2", "-c -1", "bzip2"},
	} {
		if _, err := exec.LookPath(test.program); err != nil {
			snapshottest.Missing(t, "dumps compressed by "+test.program, "testdata/install.sh "+test.program)
		}
		checkReader(t, test.program+" "+test.args, program(t, want, test.program, strings.Fields(test.args)...), test.name, want)
	}
}

func checkReader(t *testing.T, what string, data []byte, compression string, want []byte) {
	t.Helper()
	src, err := snapshot.Open(context.Background(), file(t, data))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	r, err := src.Reader()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) || src.Compression != compression {
		t.Errorf("%s: as %q %d bytes, error %v; want %d", what, src.Compression, len(got), err, len(want))
	}
	if src.Unpacked != int64(len(want)) {
		t.Errorf("%s: %d bytes unpacked, want %d", what, src.Unpacked, len(want))
	}
}

// A dump that was cut off, wherever, is refused; or nothing that counts is
// missing: what comes behind the end, such as padding.
func TestOpenRefusesWhatWasCutOff(t *testing.T) {
	packs := compressions(t)
	// Where the second contents begin: they say nothing new.
	firstEnd := bytes.LastIndex(stdoutDump(t), []byte("\x00\b\x00\x00\x00\x00]\r"))
	for name, test := range map[string]struct {
		data []byte
		rest func([]byte) bool // tells of what may be missing
		step int
	}{
		"custom":                   {customDump(t), func(b []byte) bool { return len(b) == 0 }, 3},
		"custom, contents twice":   {stdoutDump(t), func(b []byte) bool { return len(b) == 0 || len(b) == len(stdoutDump(t))-firstEnd }, 11},
		"tar":                      {smallTar(t), func(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 && len(b) <= 9*1024 }, 29},
		"plain":                    {[]byte(plainDump), func(b []byte) bool { return !bytes.Contains(b, []byte("complete")) }, 1},
		"plain, of a whole server": {[]byte(clusterDump), func(b []byte) bool { return !bytes.Contains(b, []byte("complete")) }, 11},
	} {
		for _, compression := range slices.Sorted(maps.Keys(packs)) {
			whole := packs[compression](test.data)
			if _, err := snapshot.Open(context.Background(), file(t, whole)); err != nil {
				t.Fatalf("%s %s: %v", name, compression, err)
			}
			path := filepath.Join(t.TempDir(), "cut")
			for n := 0; n < len(whole); n += test.step {
				if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
					t.Fatal(err)
				}
				src, err := snapshot.Open(context.Background(), path)
				if err != nil {
					if n > 700 && !strings.Contains(err.Error(), "cut off") {
						t.Errorf("%s %s cut off at %d of %d: error %v", name, compression, n, len(whole), err)
					}
					continue
				}
				left := whole[n:]
				if compression != "" {
					left = missing(t, src, test.data)
				}
				if !test.rest(left) {
					t.Errorf("%s %s cut off at %d of %d is taken, and lacks %.60q", name, compression, n, len(whole), left)
				}
			}
		}
	}
}

// missing is the end of a dump that a Source of it does not have.
func missing(t *testing.T, src snapshot.Source, whole []byte) []byte {
	t.Helper()
	if src.Format == snapshot.FormatTar {
		if err := src.Unpack(t.TempDir(), func(r io.Reader) io.Reader { return r }); err != nil {
			t.Errorf("unpack what was taken: %v", err)
		}
		return nil
	}
	r, err := src.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.HasPrefix(whole, got) {
		t.Errorf("what was taken reads as %d other bytes, error %v", len(got), err)
		return nil
	}
	return whole[len(got):]
}

// So is each file of a directory, and the lack of one. Large objects that are
// not compressed have no end that could tell.
func TestOpenRefusesCutOffFilesOfADirectory(t *testing.T) {
	for _, compressed := range []bool{true, false} {
		files := map[string][]byte{}
		list, err := os.ReadDir("testdata/dir")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			data, err := os.ReadFile(filepath.Join("testdata/dir", e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			name := e.Name()
			if bare, ok := strings.CutSuffix(name, ".gz"); ok && !compressed {
				r, err := gzip.NewReader(bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				if data, err = io.ReadAll(r); err != nil {
					t.Fatal(err)
				}
				name = bare
			}
			files[name] = data
		}
		dir := t.TempDir()
		put := func(name string, data []byte) {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for name, data := range files {
			put(name, data)
		}
		if src, err := snapshot.Open(context.Background(), dir); err != nil || src.Format != snapshot.FormatDirectory || src.ServerVersion != "15.18" {
			t.Fatalf("whole: %+v, %v", src, err)
		}
		for name, data := range files {
			for n := 0; n < len(data); n += 1 + n/40 {
				put(name, data[:n])
				_, err := snapshot.Open(context.Background(), dir)
				if err == nil && (compressed || !strings.HasPrefix(name, "blob_")) {
					t.Errorf("%s cut off at %d of %d is taken", name, n, len(data))
				}
				if err != nil && n > 100 && !errors.Is(err, archive.ErrTruncated) {
					t.Errorf("%s cut off at %d: error %v", name, n, err)
				}
			}
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if _, err := snapshot.Open(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "missing") {
				t.Errorf("without %s: error %v", name, err)
			}
			put(name, data)
		}
	}
}

const clusterDump = `--
-- PostgreSQL database cluster dump
--

SET default_transaction_read_only = off;

CREATE ROLE app;

--
-- Databases
--

--
-- Database "template1" dump
--

\connect template1

--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18

SET statement_timeout = 0;

--
-- PostgreSQL database dump complete
--

--
-- Database "shop" dump
--

--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18
-- Dumped by pg_dump version 15.18

--
-- Name: shop; Type: DATABASE; Schema: -; Owner: postgres
--

CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8';

\connect shop

--
-- Name: t; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.t (i integer);

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.t (i) FROM stdin;
1
\.

--
-- PostgreSQL database dump complete
--

--
-- PostgreSQL database cluster dump complete
--

`

// A list of large objects that unpacks without end must not fill the memory.
func TestOpenRefusesAnEndlessList(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/dir")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "blobs.toc")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "blobs.toc.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 300 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Open(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "more than 256 MB") {
		t.Errorf("got %v, want a refusal", err)
	}
}
