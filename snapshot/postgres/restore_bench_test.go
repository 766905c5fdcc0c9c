package postgres_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// BenchmarkRestore restores a dump of four tables, 1 GB of rows unless MG_BENCH_MB
// says otherwise, in turn with `pg_restore -j 2` into a server of default
// settings. Two times of each are compared: what pg_restore does (rows, indexes,
// foreign keys; ours with the restarts that make it faster), and the whole way from
// no server to a database that is vacuumed and has statistics, which a baseline
// must be (theirs by vacuumdb --analyze). It runs five rounds (MG_BENCH_ROUNDS),
// whatever -benchtime says, and prints medians.
func BenchmarkRestore(b *testing.B) {
	mib, rounds := number(b, "MG_BENCH_MB", 1024), number(b, "MG_BENCH_ROUNDS", 5)
	ctx := context.Background()
	path, rows := shopDump(b, mib)
	src, err := snapshot.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	var ours, theirs, pairs, restores, theirRestores, same, ourCPU, theirCPU, copies, clones []float64
	stages := map[string][]float64{}
	our := func() (all, restore float64) {
		began, used := time.Now(), processors(b, nil)
		target := provision(b, "15", postgres.Settings())
		defer target.Close(ctx)
		took := map[string]float64{"start": time.Since(began).Seconds()}
		s, err := postgres.Connect(ctx, target)
		if err != nil {
			b.Fatal(err)
		}
		base, _, err := s.Restore(ctx, src, "base", postgres.RestoreOptions{Stage: timed(took)})
		if err != nil {
			b.Fatal(err)
		}
		if err := base.Seal(ctx); err != nil {
			b.Fatal(err)
		}
		a := time.Since(began).Seconds()
		ourCPU = append(ourCPU, processors(b, target)-used)
		for name, s := range took {
			stages[name] = append(stages[name], s)
		}
		copies = append(copies, copied(b, s, "base", target, "data"))
		c := time.Now()
		if _, err := base.Clone(ctx, "candidate"); err != nil {
			b.Fatal(err)
		}
		clones = append(clones, time.Since(c).Seconds())
		return a, took["restarts"] + took["rows"] + took["indexes"] + took["foreign keys"]
	}
	their := func() (all, restore float64) {
		first := time.Now()
		target := provision(b, "15", nil)
		defer target.Close(ctx)
		tool(b, target, "psql", "--command=CREATE DATABASE big", "postgres")
		shared, unshare, err := target.Tools.Share(ctx, path)
		if err != nil {
			b.Fatal(err)
		}
		defer unshare()
		began, used := time.Now(), processors(b, target)
		tool(b, target, "pg_restore", "--jobs=2", "--no-owner", "--dbname=big", shared)
		restore = time.Since(began).Seconds()
		tool(b, target, "vacuumdb", "--analyze", "--jobs=2", "--quiet", "--dbname=big")
		all = time.Since(first).Seconds()
		theirCPU = append(theirCPU, processors(b, target)-used)
		return all, restore
	}
	for round := range rounds {
		var a, work, c, load float64
		turns := []func(){func() { a, work = our() }, func() { c, load = their() }}
		if round%2 == 1 {
			slices.Reverse(turns)
		}
		for _, turn := range turns {
			turn()
		}
		b.Logf("ours %.1f s, of it the restore %.1f s; theirs %.1f s, of it pg_restore %.1f s", a, work, c, load)
		ours, theirs, pairs = append(ours, a), append(theirs, c), append(pairs, c/a)
		restores, theirRestores, same = append(restores, work), append(theirRestores, load), append(same, load/work)
	}
	ratio := median(same)
	fmt.Printf("\nrestore of %d MB of rows, %d rounds, medians: %.1f s; pg_restore -j 2 into a server of default settings %.1f s; paired, %.2f times faster (%.2f)\n",
		rows>>20, rounds, median(restores), median(theirRestores), ratio, same)
	fmt.Printf("from no server to a database with statistics: %.1f s (%s); with vacuumdb --analyze %.1f s; paired, %.2f times faster (%.2f)\n",
		median(ours), medians(stages), median(theirs), median(pairs), pairs)
	fmt.Printf("processor time, medians: %.1f s and %.1f s\n", median(ourCPU), median(theirCPU))
	fmt.Printf("cp -a of the finished data directory %.2f s: the restore takes %.1f times that; a clone of the baseline %.2f s\n",
		median(copies), median(ours)/median(copies), median(clones))
	if ratio < 1.3 {
		b.Errorf("%.2f times faster, the promise is 1.3", ratio)
	}
}

// provision starts a server of a major as a run does, or with other settings.
func provision(b *testing.B, major string, settings map[string]string) *snapshot.Target {
	b.Helper()
	spec := snapshot.Spec{Run: "bench", Version: major, Settings: settings}
	for _, p := range snapshottest.Provisioners() {
		offer := p.Offer(b.Context(), spec)
		if !offer.OK || !offer.Exact {
			continue
		}
		target, err := p.Provision(b.Context(), spec, offer)
		if err != nil {
			b.Fatal(err)
		}
		return target
	}
	b.Skipf("no server of PostgreSQL %s here", major)
	return nil
}

func tool(b *testing.B, target *snapshot.Target, program string, args ...string) {
	b.Helper()
	var out strings.Builder
	if err := target.Tools.Run(b.Context(), program, args, nil, &out, &out); err != nil {
		b.Fatalf("%v\n%s", err, out.String())
	}
}

// processors is the processor time in seconds that the programs of this process
// have taken, with the finished sessions of a server.
func processors(b *testing.B, target *snapshot.Target) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
		b.Fatal(err)
	}
	s := time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
	if target == nil {
		return s
	}
	time.Sleep(300 * time.Millisecond) // until the last session is gone
	pid, err := os.ReadFile(filepath.Join(target.Handle.ID, "data/postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	stat, err := os.ReadFile("/proc/" + first + "/stat")
	if err != nil {
		return s
	}
	for _, ticks := range strings.Fields(string(stat))[15:17] { // cutime, cstime
		n, _ := strconv.Atoi(ticks)
		s += float64(n) / 100
	}
	return s
}

// timed adds up how long stages take.
func timed(took map[string]float64) func(string) func() {
	var mu sync.Mutex
	return func(name string) func() {
		began := time.Now()
		return func() {
			mu.Lock()
			defer mu.Unlock()
			took[name] += time.Since(began).Seconds()
		}
	}
}

func medians(stages map[string][]float64) string {
	var list []string
	for name, s := range stages {
		list = append(list, fmt.Sprintf("%s %.1f", name, median(s)))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// copied is how long a bare copy of a directory of the server takes, in seconds.
func copied(b *testing.B, s *postgres.Server, database string, target *snapshot.Target, dir string) float64 {
	b.Helper()
	if _, err := query(b.Context(), s.Home().AdminDSN(), "CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	to := filepath.Join(target.Handle.ID, "copy")
	began := time.Now()
	if out, err := exec.Command("cp", "-a", filepath.Join(target.Handle.ID, dir), to).CombinedOutput(); err != nil {
		b.Fatalf("cp -a: %v\n%s", err, out)
	}
	took := time.Since(began).Seconds()
	if err := os.RemoveAll(to); err != nil {
		b.Fatal(err)
	}
	return took
}

// shopDump makes pg_dump -Fc of an ordinary shop, and says how many bytes its tables
// take: a few big ones with several indexes and foreign keys, on values in no
// order.
func shopDump(b *testing.B, mib int) (path string, rows int64) {
	b.Helper()
	target := provision(b, "15", postgres.Settings())
	defer target.Close(context.Background())
	s, err := postgres.Connect(b.Context(), target)
	if err != nil {
		b.Fatal(err)
	}
	dsn := s.Home().AdminDSN()
	if _, err := query(b.Context(), dsn, strings.ReplaceAll(bigShop, ":n", strconv.Itoa(mib*1400))); err != nil {
		b.Fatal(err)
	}
	said, err := query(b.Context(), dsn, "SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r' AND oid >= 16384")
	if err != nil {
		b.Fatal(err)
	}
	if rows, err = strconv.ParseInt(said[0][0], 10, 64); err != nil {
		b.Fatal(err)
	}
	path = filepath.Join(b.TempDir(), "shop.dump")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var errs strings.Builder
	if err := target.Tools.Run(b.Context(), "pg_dump", []string{"--format=custom", "--dbname=postgres"}, nil, f, &errs); err != nil {
		b.Fatalf("%v\n%s", err, errs.String())
	}
	return path, rows
}

const bigShop = `
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY, email text NOT NULL, name text NOT NULL, created timestamptz NOT NULL, profile jsonb NOT NULL);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, customer_id bigint NOT NULL, status text NOT NULL, total numeric(12,2) NOT NULL, placed timestamptz NOT NULL, note text);
CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY, order_id bigint NOT NULL, sku text NOT NULL, n int NOT NULL, price numeric(10,2) NOT NULL, title text);
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, who bigint, kind text NOT NULL, doc jsonb NOT NULL);
INSERT INTO customers (email, name, created, profile)
	SELECT md5(i::text) || '@example.com', 'Customer ' || i * 7919 % 1000003, timestamptz '2015-01-01' + i * 37 % 300000000 * interval '1 s',
		jsonb_build_object('tags', ARRAY['a' || i % 7, 'b' || i % 11], 'about', repeat(md5((i * 3)::text) || ' ', 4), 'n', i)
	FROM generate_series(1::bigint, :n / 3) i;
INSERT INTO orders (customer_id, status, total, placed, note)
	SELECT 1 + i * 7919 % (:n / 3), (ARRAY['new', 'paid', 'sent', 'back'])[1 + i % 4], i * 31 % 1000000 / 100.0,
		timestamptz '2018-01-01' + i * 7919 % 200000000 * interval '1 s', md5(i::text) || ' lorem ipsum dolor sit amet ' || md5((i + 1)::text)
	FROM generate_series(1::bigint, :n) i;
INSERT INTO items (order_id, sku, n, price, title)
	SELECT 1 + i * 104729 % :n, 'SKU-' || i * 7919 % 100000000, 1 + i % 9, i % 10000 / 100.0, 'title of ' || md5(i::text) || ' sit amet'
	FROM generate_series(1::bigint, :n * 2) i;
INSERT INTO events (at, who, kind, doc)
	SELECT timestamptz '2020-01-01' + i * 7919 % 100000000 * interval '1 s', 1 + i * 13 % (:n / 3), 'kind' || i % 20,
		jsonb_build_object('k', i, 'path', '/a/' || md5(i::text), 'more', jsonb_build_object('x', i % 100, 'y', md5((i * 5)::text)))
	FROM generate_series(1::bigint, :n) i;
ALTER TABLE customers ADD PRIMARY KEY (id), ADD UNIQUE (email);
CREATE INDEX ON customers (name);
ALTER TABLE orders ADD PRIMARY KEY (id), ADD FOREIGN KEY (customer_id) REFERENCES customers;
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (placed);
CREATE INDEX ON orders (status, placed);
ALTER TABLE items ADD PRIMARY KEY (id), ADD FOREIGN KEY (order_id) REFERENCES orders;
CREATE INDEX ON items (order_id);
CREATE INDEX ON items (sku);
ALTER TABLE events ADD PRIMARY KEY (id), ADD FOREIGN KEY (who) REFERENCES customers;
CREATE INDEX ON events (who);
CREATE INDEX ON events (at);
`

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
