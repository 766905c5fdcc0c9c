package snapshot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/migration-gate/migration-gate/snapshot"
)

const plainDump = `--
-- PostgreSQL database dump
--

\restrict x

-- Dumped from database version 16.4 (Debian 16.4-1.pgdg120+1)
-- Dumped by pg_dump version 17.0

SET statement_timeout = 0;
CREATE TABLE public.t (id integer);

--
-- PostgreSQL database dump complete
--

\unrestrict x

`

// testdata/small.dump is a custom archive of one table, by pg_dump 15.18.
func customDump(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/small.dump")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func zstded(data []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(data, nil)
}

func TestOpenTellsWhatItIs(t *testing.T) {
	custom := customDump(t)
	tests := []struct {
		name                          string
		data, inside                  []byte
		format, compression, from, by string
	}{
		{"plain", []byte(plainDump), []byte(plainDump), "plain", "", "16.4", "17.0"},
		{"plain gzip", gzipped([]byte(plainDump)), []byte(plainDump), "plain", "gzip", "16.4", "17.0"},
		{"plain zstd", zstded([]byte(plainDump)), []byte(plainDump), "plain", "zstd", "16.4", "17.0"},
		{"custom", custom, custom, "custom", "", "15.18", "15.18"},
		{"custom gzip", gzipped(custom), custom, "custom", "gzip", "15.18", "15.18"},
		{"custom zstd", zstded(custom), custom, "custom", "zstd", "15.18", "15.18"},
		{"by hand", []byte("create table t (id int);\n"), []byte("create table t (id int);\n"), "plain", "", "", ""},
		{"with a byte order mark", []byte("\xef\xbb\xbfCREATE TABLE t ();"), []byte("\xef\xbb\xbfCREATE TABLE t ();"), "plain", "", "", ""},
		{"in LATIN1", []byte("-- caf\xe9\nCREATE TABLE t ();"), []byte("-- caf\xe9\nCREATE TABLE t ();"), "plain", "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sum := sha256.Sum256(test.data)
			digest := hex.EncodeToString(sum[:])
			for _, suffix := range []string{"", "#sha256=" + digest, "#sha256=" + strings.ToUpper(digest)} {
				src, err := snapshot.Open(context.Background(), file(t, test.data)+suffix)
				if err != nil {
					t.Fatal(err)
				}
				if src.Format != test.format || src.Compression != test.compression || src.ServerVersion != test.from || src.DumpVersion != test.by {
					t.Errorf("got %+v, want %+v", src, test)
				}
				if src.SHA256 != digest || src.Size != int64(len(test.data)) {
					t.Errorf("digest %s of %d bytes, want %s of %d", src.SHA256, src.Size, digest, len(test.data))
				}
				r, err := src.Reader()
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if err != nil || !bytes.Equal(got, test.inside) {
					t.Errorf("Reader: %d bytes, error %v; want the %d inside", len(got), err, len(test.inside))
				}
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	custom := customDump(t)
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	toc := bytes.Clone(custom)
	toc[10] = 5
	flipped := gzipped(custom)
	flipped[len(flipped)-8] ^= 1 // its checksum
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "is empty"},
		{"blank", []byte(" \n\n"), "nothing but blanks"},
		{"empty inside", gzipped(nil), "is empty inside its compression"},
		{"custom cut off in its contents", custom[:200], "cut off"},
		{"custom cut off in its data", custom[:len(custom)-10], "cut off"},
		{"custom without its last byte", custom[:len(custom)-1], "cut off"},
		{"custom cut off between blocks", custom[:bytes.LastIndex(custom, []byte{1, 0})], "cut off"},
		{"custom gzip cut off", gzipped(custom)[:300], "cut off"},
		{"custom zstd cut off", zstded(custom)[:300], "cut off"},
		{"custom gzip damaged", flipped, "read as gzip"},
		{"plain cut off", []byte(plainDump[:len(plainDump)-80]), "cut off"},
		{"plain gzip cut off", gzipped([]byte(plainDump))[:100], "cut off"},
		{"tar", tar, "pg_dump --format=custom"},
		{"toc of a directory", toc, "directory format"},
		{"xz", []byte("\xfd7zXZ\x00\x00"), "compressed with xz"},
		{"lz4", []byte("\x04\x22\x4d\x18data"), "compressed with lz4"},
		{"bzip2", []byte("BZh91AY&SY"), "compressed with bzip2"},
		{"zip", []byte("PK\x03\x04\x14"), "compressed with zip"},
		{"twice", gzipped(gzipped(custom)), "compressed twice"},
		{"utf-16", []byte("\xff\xfe-\x00-\x00"), "UTF-16"},
		{"sqlite", []byte("SQLite format 3\x00"), "SQLite"},
		{"an image", []byte("\x89PNG\r\n\x1a\n"), "neither a dump of pg_dump"},
		{"json", []byte(`{"a": 1}`), "neither a dump of pg_dump"},
		{"a whole cluster", []byte("--\n-- PostgreSQL database cluster dump\n--\n"), "pg_dumpall"},
		{"an archive of the future", append([]byte("PGDMP\x01\x63\x00\x04\x08\x01"), make([]byte, 100)...), "archive format 1.99"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := file(t, test.data)
			_, err := snapshot.Open(context.Background(), path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v does not say %q and the file", err, test.want)
			}
		})
	}
}

func TestOpenVerifiesTheDigest(t *testing.T) {
	wrong := strings.Repeat("ab", 32)
	path := file(t, []byte(plainDump))
	for spec, want := range map[string]string{
		path + "#sha256=" + wrong: "wanted is " + wrong,
		// Damaged and not what was meant: the digest is the better message.
		file(t, []byte(plainDump[:150])) + "#sha256=" + wrong: "wanted is " + wrong,
		path + "#sha256=abc":                "64 hexadecimal digits",
		path + ".missing":                   "no such file",
		t.TempDir():                         "is a directory",
		"/dev/null":                         "is a device",
		path + "#sha256=" + wrong + "extra": "64 hexadecimal digits",
	} {
		if _, err := snapshot.Open(context.Background(), spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not say %q", spec, err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := snapshot.Open(ctx, path); err == nil {
		t.Error("a cancelled context opens a snapshot")
	}
}

func FuzzOpen(f *testing.F) {
	b, err := os.ReadFile("testdata/small.dump")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(plainDump))
	f.Add(gzipped(b))
	f.Fuzz(func(t *testing.T, data []byte) {
		// It must neither panic nor allocate what a damaged length asks for.
		_, _ = snapshot.Open(context.Background(), file(t, data))
	})
}
