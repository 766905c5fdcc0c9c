package mysql_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// BenchmarkRestore restores a dump of four tables, 1 GB unless MG_BENCH_MB says
// otherwise, in turn with mysql < dump.sql into a server of default settings.
// It runs three rounds (MG_BENCH_ROUNDS), whatever -benchtime says, and prints
// the medians, and how long a copy of the prepared data directory takes.
func BenchmarkRestore(b *testing.B) {
	mib, rounds := number(b, "MG_BENCH_MB", 1024), number(b, "MG_BENCH_ROUNDS", 3)
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "dump.sql")
	writeDump(b, path, mib)
	src, err := snapshot.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	start := func(settings map[string]string) *snapshot.Target {
		spec := snapshottest.MySQLSpec("mysql")
		spec.Run, spec.Settings = "bench", settings
		p := local.New(snapshottest.MySQLOptions())
		offer := p.Offer(ctx, spec)
		if !offer.OK {
			b.Skipf("no MySQL server here: %s", offer.Detail)
		}
		target, err := p.Provision(ctx, spec, offer)
		if err != nil {
			b.Fatal(err)
		}
		return target
	}
	var ours, theirs, pairs, copies []float64
	for round := range rounds {
		var a, c float64
		runs := []func(){
			func() {
				target := start(mysql.Settings(snapshot.MySQL))
				defer target.Close(ctx)
				s, err := mysql.Connect(ctx, target)
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				base, m, err := s.Restore(ctx, src, mysql.RestoreOptions{})
				if err != nil {
					b.Fatal(err)
				}
				a = time.Since(began).Seconds()
				b.Logf("restored in %.1f s: %d rows, %d MiB", a, m.Rows, m.Bytes>>20)
				if err := base.Seal(ctx); err != nil {
					b.Fatal(err)
				}
				began = time.Now()
				if err := target.Instances.Copy(ctx, snapshot.FirstInstance, "candidate"); err != nil {
					b.Fatal(err)
				}
				copies = append(copies, time.Since(began).Seconds())
			},
			func() {
				target := start(nil)
				defer target.Close(ctx)
				in, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				defer in.Close()
				var out strings.Builder
				if err := target.Tools.Run(ctx, "mysql", []string{"--execute", "CREATE DATABASE big"}, nil, &out, &out); err != nil {
					b.Fatalf("%v\n%s", err, out.String())
				}
				began := time.Now()
				if err := target.Tools.Run(ctx, "mysql", []string{"big"}, in, &out, &out); err != nil {
					b.Fatalf("%v\n%s", err, out.String())
				}
				c = time.Since(began).Seconds()
				b.Logf("mysql < dump.sql in %.1f s", c)
			},
		}
		if round%2 == 1 {
			slices.Reverse(runs)
		}
		for _, run := range runs {
			run()
		}
		ours, theirs, pairs = append(ours, a), append(theirs, c), append(pairs, c/a)
	}
	ratio := median(pairs)
	fmt.Printf("\nrestore of %d MiB, %d rounds, medians: %.1f s; mysql < dump.sql into a server of default settings: %.1f s; paired, %.2f times faster (%.2f); a copy of the prepared data directory: %.2f s\n",
		src.Size>>20, rounds, median(ours), median(theirs), ratio, pairs, median(copies))
	if ratio < 1.6 {
		b.Errorf("%.2f times faster, the promise is 1.6", ratio)
	}
}

func number(b *testing.B, name string, otherwise int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return n
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// writeDump writes what mysqldump would of an ordinary shop: two or three
// indexes a table, on values in no order.
func writeDump(b *testing.B, path string, mib int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rnd := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua")
	text := func(n int) string {
		var s strings.Builder
		for range n {
			s.WriteString(words[rnd.IntN(len(words))])
			s.WriteByte(' ')
		}
		return s.String()
	}
	fmt.Fprint(w, "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Host: localhost    Database: big\n-- ------------------------------------------------------\n-- Server version\t8.0.36\n\n",
		"/*!50503 SET NAMES utf8mb4 */;\n/*!40103 SET TIME_ZONE='+00:00' */;\n/*!40014 SET UNIQUE_CHECKS=0, FOREIGN_KEY_CHECKS=0 */;\n/*!40101 SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n")
	for _, t := range []struct {
		name, columns string
		share         float64
		row           func(i int) string
	}{
		{"orders", "`customer_id` bigint NOT NULL,`status` varchar(20) NOT NULL,`total` decimal(12,2) NOT NULL,`placed` datetime NOT NULL,`note` varchar(300),PRIMARY KEY (`id`),KEY `by_customer` (`customer_id`),KEY `by_placed` (`placed`)", 0.3, func(i int) string {
			return fmt.Sprintf("%d,'%s',%d.%02d,'20%02d-%02d-%02d %02d:%02d:00','%s'", rnd.IntN(300000), words[rnd.IntN(4)], rnd.IntN(10000), rnd.IntN(100), 10+rnd.IntN(15), 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.IntN(24), rnd.IntN(60), text(15))
		}},
		{"items", "`order_id` bigint NOT NULL,`sku` varchar(40) NOT NULL,`n` int NOT NULL,`title` varchar(200),PRIMARY KEY (`id`),KEY `by_order` (`order_id`),KEY `by_sku` (`sku`)", 0.35, func(i int) string {
			return fmt.Sprintf("%d,'SKU-%08d',%d,'%s'", rnd.IntN(1000000), rnd.IntN(100000000), rnd.IntN(9), text(12))
		}},
		{"customers", "`email` varchar(120) NOT NULL,`name` varchar(100),`about` text,PRIMARY KEY (`id`),UNIQUE KEY `email` (`email`),KEY `by_name` (`name`)", 0.2, func(i int) string {
			return fmt.Sprintf("'%08x-%d@example.com','%s','%s'", rnd.Uint32(), i, text(3), text(40))
		}},
		{"audit", "`at` datetime NOT NULL,`who` bigint,`doc` json,PRIMARY KEY (`id`),KEY `by_who` (`who`)", 0.15, func(i int) string {
			return fmt.Sprintf(`'2024-01-01 00:00:00',%d,'{\"k\": %d, \"t\": \"%s\"}'`, rnd.IntN(1000000), i, text(20))
		}},
	} {
		fmt.Fprintf(w, "DROP TABLE IF EXISTS `%[1]s`;\nCREATE TABLE `%[1]s` (`id` bigint NOT NULL AUTO_INCREMENT,%[2]s) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\nLOCK TABLES `%[1]s` WRITE;\n/*!40000 ALTER TABLE `%[1]s` DISABLE KEYS */;\n", t.name, t.columns)
		written, i := 0, 0
		for written < int(t.share*float64(mib<<20)) {
			size := 0
			fmt.Fprintf(w, "INSERT INTO `%s` VALUES ", t.name)
			for size < 1<<20-1000 {
				i++
				n, _ := fmt.Fprintf(w, "%s(%d,%s)", map[bool]string{true: ","}[size > 0], i, t.row(i))
				size += n
			}
			fmt.Fprint(w, ";\n")
			written += size
		}
		fmt.Fprintf(w, "/*!40000 ALTER TABLE `%s` ENABLE KEYS */;\nUNLOCK TABLES;\n", t.name)
	}
	fmt.Fprint(w, "-- Dump completed on 2024-01-01\n")
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGuestClone tells what a clone costs on a server where only schemas can
// be made, against the restore.
func BenchmarkGuestClone(b *testing.B) {
	file := filepath.Join(b.TempDir(), "big.sql")
	writeDump(b, file, number(b, "MG_BENCH_MIB", 200))
	src, err := snapshot.Open(context.Background(), file)
	if err != nil {
		b.Fatal(err)
	}
	target := guestOf(b, snapshottest.MySQLAlone(b, snapshot.MySQL, map[string]string{"innodb_buffer_pool_size": "1G", "innodb_redo_log_capacity": "1G"}), "root")
	s, err := mysql.Connect(b.Context(), target)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	base, _, err := s.Restore(b.Context(), src, mysql.RestoreOptions{})
	if err != nil {
		b.Fatal(err)
	}
	restored := time.Since(began)
	if err := base.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		began = time.Now()
		if err := base.Clone(b.Context(), "candidate"); err != nil {
			b.Fatal(err)
		}
		fmt.Printf("restore of %d MiB: %.1f s, clone: %.1f s\n", src.Size>>20, restored.Seconds(), time.Since(began).Seconds())
		if err := s.Drop(b.Context(), "candidate"); err != nil {
			b.Fatal(err)
		}
	}
}
