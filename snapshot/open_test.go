package snapshot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"os/exec"
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

// testdata/stdout.dump is one by `pg_dump -Fc >stdout.dump`, of 17.12.
func stdoutDump(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/stdout.dump")
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
		{"custom, its contents twice", stdoutDump(t), stdoutDump(t), "custom", "", "17.12", "17.12"},
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
	toc, err := os.ReadFile("testdata/dir/toc.dat")
	if err != nil {
		t.Fatal(err)
	}
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
		{"custom cut off in its second contents", stdoutDump(t)[:3400], "cut off"},
		{"custom with more behind its second contents", append(stdoutDump(t), "more"...), "more behind the end"},
		{"custom with other contents behind", append(bytes.Clone(custom), 0, 1, 0, 0, 0), "1 entries"},
		{"custom gzip cut off", gzipped(custom)[:300], "cut off"},
		{"custom zstd cut off", zstded(custom)[:300], "cut off"},
		{"custom gzip damaged", flipped, "read as gzip"},
		{"plain cut off", []byte(plainDump[:len(plainDump)-80]), "cut off"},
		{"plain gzip cut off", gzipped([]byte(plainDump))[:100], "cut off"},
		{"tar with a header that makes no sense", tar, "read as tar"},
		{"toc of a directory", toc, "give the whole directory"},
		{"xz without its end", []byte("\xfd7zXZ\x00\x00"), "its xz stream breaks off"},
		{"lz4 that is damaged", []byte("\x04\x22\x4d\x18data"), "read as lz4"},
		{"bzip2 without its end", []byte("BZh91AY&SY"), "its bzip2 stream breaks off"},
		{"lzip", []byte("LZIP\x01"), "lzip -dc FILE | zstd"},
		{"PGP", []byte("-----BEGIN PGP MESSAGE-----\n"), "gpg --decrypt"},
		{"age", []byte("age-encryption.org/v1\n"), "age --decrypt"},
		{"zip", []byte("PK\x03\x04\x14"), "compressed with zip"},
		{"twice", gzipped(gzipped(custom)), "compressed twice"},
		{"utf-16", []byte("\xff\xfe-\x00-\x00"), "UTF-16"},
		{"sqlite", []byte("SQLite format 3\x00"), "SQLite"},
		{"an image", []byte("\x89PNG\r\n\x1a\n"), "neither a dump of pg_dump"},
		{"json", []byte(`{"a": 1}`), "neither a dump of pg_dump"},
		{"a whole cluster cut off", []byte("--\n-- PostgreSQL database cluster dump\n--\n"), "cluster dump complete"},
		{"comments alone", []byte("-- PostgreSQL data"), "nothing but comments"},
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

// What the tools of MySQL and MariaDB write first and last.
const (
	mysqlDump = "-- MySQL dump 10.13  Distrib 8.0.36-28, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n-- ------------------------------------------------------\n-- Server version\t8.0.36-28\n\n/*!50503 SET NAMES utf8mb4 */;\nCREATE TABLE t (id int);\n-- Dump completed on 2024-01-01  0:00:00\n"
	mariaDump = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.18-MariaDB, for debian-linux-gnu (x86_64)\n--\n-- Host: localhost    Database: shop\n-- ------------------------------------------------------\n-- Server version\t10.11.18-MariaDB-0+deb12u1\n\nCREATE TABLE t (id int);\n-- Dump completed on 2024-01-01  0:00:00\n"
)

func TestOpenTellsTheEngine(t *testing.T) {
	custom := customDump(t)
	tests := []struct {
		name             string
		data             []byte
		engine, from, by string
	}{
		{"pg_dump", []byte(plainDump), "postgres", "16.4", "17.0"},
		{"pg_dump custom, gzip", gzipped(custom), "postgres", "15.18", "15.18"},
		{"mysqldump", []byte(mysqlDump), "mysql", "8.0.36", "8.0.36"},
		{"mysqldump, zstd", zstded([]byte(mysqlDump)), "mysql", "8.0.36", "8.0.36"},
		{"mariadb-dump", []byte(mariaDump), "mariadb", "10.11.18", "10.11.18"},
		{"mariadb-dump when it was called mysqldump", []byte(strings.Replace(mariaDump, "MariaDB dump 10.19", "MySQL dump 10.19", 1)), "mariadb", "10.11.18", "10.11.18"},
		{"mariadb-dump of MySQL", []byte(strings.Replace(mariaDump, "version\t10.11.18-MariaDB-0+deb12u1", "version\t8.0.36", 1)), "mysql", "8.0.36", "10.11.18"},
		{"mysqldump of MariaDB behind its old mask", []byte(strings.Replace(mysqlDump, "version\t8.0.36-28", "version\t5.5.5-10.4.8-MariaDB-log", 1)), "mariadb", "10.4.8", "8.0.36"},
		{"mysqlpump", []byte("-- Dump created by MySQL pump utility, version: 8.0.30, Linux (x86_64)\n-- Dump start time: x\n-- Server version: 8.0.30\nCREATE TABLE t (id int);\n-- Dump end time: x\n"), "mysql", "8.0.30", "8.0.30"},
		{"phpMyAdmin", []byte("-- phpMyAdmin SQL Dump\n-- version 5.1.1\n-- Server version: 10.4.8-MariaDB\n"), "mariadb", "10.4.8", ""},
		{"Adminer", []byte("-- Adminer 4.8.1 MySQL 8.0.30 dump\n\nSET NAMES utf8;\n"), "mysql", "8.0.30", "4.8.1"},
		{"MySQL's without comments", []byte("/*!50503 SET NAMES utf8mb4 */;\nCREATE TABLE t (id int);\n"), "mysql", "", ""},
		{"MariaDB's without comments", []byte("/*M!999999\\- enable the sandbox mode */ \nCREATE TABLE t (id int);\n"), "mariadb", "", ""},
		{"by hand", []byte("CREATE TABLE t (id int);\n"), "", "", ""},
		{"by hand, of either", []byte("/*!40101 SET NAMES utf8 */;\nCREATE TABLE `t` (`id` int(11)) ENGINE=InnoDB;\n"), "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := file(t, test.data)
			src, err := snapshot.Open(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			if src.Engine != test.engine || src.ServerVersion != test.from || src.DumpVersion != test.by {
				t.Errorf("got %q from %q by %q, want %+v", src.Engine, src.ServerVersion, src.DumpVersion, test)
			}
			if engine, err := snapshot.EngineOf(path + "#sha256=" + src.SHA256); engine != test.engine || err != nil {
				t.Errorf("EngineOf says %q, %v", engine, err)
			}
		})
	}
	for name, data := range map[string]string{"mysqldump": mysqlDump, "mariadb-dump": mariaDump} {
		if _, err := snapshot.Open(context.Background(), file(t, []byte(data[:len(data)-60]))); err == nil || !strings.Contains(err.Error(), "Dump completed") || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("%s cut off: error %v", name, err)
		}
	}
}

// EngineOf reads no more than the beginning: what comes later may be broken.
func TestEngineOfLooksAtTheBeginning(t *testing.T) {
	big := mysqlDump + strings.Repeat("INSERT INTO t VALUES (1);\n", 100_000)
	cut := gzipped([]byte(big))
	if engine, err := snapshot.EngineOf(file(t, cut[:len(cut)/2])); engine != "mysql" || err != nil {
		t.Errorf("of half a file: %q, %v", engine, err)
	}
	if _, err := snapshot.EngineOf(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("there is nothing, and it says so not")
	}
	if engine, err := snapshot.EngineOf(t.TempDir()); engine != "" || err != nil {
		t.Errorf("of an empty directory: %q, %v", engine, err)
	}
}

func TestOpenDirectories(t *testing.T) {
	put := func(files map[string]string) string {
		dir := t.TempDir()
		for name, data := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	mydumper := map[string]string{"metadata": "Started dump at: x\nFinished dump at: y\n", "shop-schema-create.sql": "CREATE DATABASE `shop`;\n",
		"shop.t-schema.sql.gz": string(gzipped([]byte("/*!40101 SET NAMES binary*/;\nCREATE TABLE `t` (\n  `id` int NOT NULL\n);\n")))}
	dir := put(mydumper)
	src, err := snapshot.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if src.Format != "mydumper" || src.Engine != "mysql" || src.Size == 0 {
		t.Errorf("mydumper: %+v", src)
	}
	// The digest is what the shell's tools give.
	script := `cd "$1" && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`
	out, err := exec.Command("sh", "-c", script, "sh", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want, _, _ := strings.Cut(string(out), " "); src.SHA256 != want {
		t.Errorf("digest %s, the shell says %s", src.SHA256, want)
	}
	if _, err := snapshot.Open(context.Background(), dir+"#sha256="+strings.Repeat("ab", 32)); err == nil || !strings.Contains(err.Error(), "wanted is abab") {
		t.Errorf("error %v does not tell of the digest", err)
	}
	shell := map[string]string{"@.json": `{"serverVersion": "8.0.36", "dumper": "mysqlsh Ver 8.0.35 for Linux", "version": "2.0.1"}`, "@.done.json": `{"chunkFileBytes": {"shop@t@@0.tsv.zst": 3}}`,
		"shop@t@@0.tsv.zst": string(zstded([]byte("1\n")))}
	if src, err = snapshot.Open(context.Background(), put(shell)); err != nil || src.Format != "mysql-shell" || src.Engine != "mysql" || src.ServerVersion != "8.0.36" || src.DumpVersion != "8.0.35" {
		t.Errorf("MySQL Shell: %+v, %v", src, err)
	}
	toc, err := os.ReadFile("testdata/dir/toc.dat")
	if err != nil {
		t.Fatal(err)
	}
	with := func(files map[string]string, name, data string) map[string]string {
		other := maps.Clone(files)
		if delete(other, name); data != "" {
			other[name] = data
		}
		return other
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"mydumper that has not finished", with(mydumper, "metadata", "Started dump at: x\n"), "cut off"},
		{"a file of mydumper cut off", with(mydumper, "shop.t-schema.sql.gz", mydumper["shop.t-schema.sql.gz"][:30]), "shop.t-schema.sql.gz"},
		{"MySQL Shell that has not finished", with(shell, "@.done.json", ""), "cut off"},
		{"a file of MySQL Shell missing", with(shell, "shop@t@@0.tsv.zst", ""), "shop@t@@0.tsv.zst"},
		{"a file of MySQL Shell cut off", with(shell, "shop@t@@0.tsv.zst", shell["shop@t@@0.tsv.zst"][:8]), "cut off"},
		{"a format of MySQL Shell's future", with(shell, "@.json", `{"version": "3.0.0"}`), "3.0.0"},
		{"a data directory", map[string]string{"ibdata1": "x"}, "physical copy of MySQL"},
		{"pg_dump's directory without its contents", map[string]string{"toc.dat": "x"}, "toc.dat"},
		{"pg_dump's directory without a file of rows", map[string]string{"toc.dat": string(toc)}, ": the file 3347.dat, with the rows of public.c, is missing"},
		{"the same in a folder", map[string]string{"shop/toc.dat": string(toc)}, ": the dump in the folder shop: the file 3347.dat"},
		{"something else", map[string]string{"a": "x"}, "no dump that is known"},
		{"nothing that counts", map[string]string{"README.md": "x", ".hidden": "y"}, "no dump is in it"},
	} {
		if _, err := snapshot.Open(context.Background(), put(test.files)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v does not say %q", test.name, err, test.want)
		}
	}
}
