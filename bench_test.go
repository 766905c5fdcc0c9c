package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// A shop is a repository with merged migrations and a change, for timing runs.
type shop struct {
	dir string
	env []string
}

func newShop(b *testing.B, change map[string]string) *shop {
	b.Helper()
	s := &shop{dir: b.TempDir(), env: append(os.Environ(), asTool+"=1", "MIGRATION_GATE_TARGET=local", "MIGRATION_GATE_PROGRESS=none")}
	s.write(b, "migrations/000001_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, total int NOT NULL, note text);\n")
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "merged"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = s.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	for name, sql := range change {
		s.write(b, "migrations/"+name, sql)
	}
	return s
}

func (s *shop) write(b *testing.B, name, content string) {
	b.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.Fatal(err)
	}
}

// check runs the gate and returns how long it took, wall time of the process.
func (s *shop) check(b *testing.B, args ...string) time.Duration {
	b.Helper()
	return s.run(b, "check", args...)
}

// run is check, or another command.
func (s *shop) run(b *testing.B, command string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.Command(os.Args[0], append([]string{command}, args...)...)
	cmd.Dir, cmd.Env = s.dir, s.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", command, err, out.Bytes())
	}
	return time.Since(began)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkStartUp: check where no migration changed.
func BenchmarkStartUp(b *testing.B) {
	s := newShop(b, nil)
	var took []time.Duration
	for range 21 {
		took = append(took, s.check(b, "--base", "HEAD"))
	}
	m := median(took)
	fmt.Printf("\nstart-up: check with nothing changed, median of %d: %d ms (slowest %d ms); goal 300 ms\n", len(took), m.Milliseconds(), took[len(took)-1].Milliseconds())
	b.ReportMetric(float64(m.Milliseconds()), "ms/run")
}

// BenchmarkWholeRun: what a change of ten migrations costs beyond the restore,
// the clones, the migrations' own statements and the reading of touched tables.
func BenchmarkWholeRun(b *testing.B) {
	change := map[string]string{}
	for i := 2; i <= 11; i++ {
		change[fmt.Sprintf("%06d_c%d.up.sql", i, i)] = fmt.Sprintf("ALTER TABLE orders ADD COLUMN IF NOT EXISTS c%d int DEFAULT %d;\n", i, i)
		change[fmt.Sprintf("%06d_c%d.down.sql", i, i)] = fmt.Sprintf("ALTER TABLE orders ALTER COLUMN c%d DROP DEFAULT;\n", i)
	}
	s := newShop(b, change)
	s.dump(b, "CREATE TABLE orders (id bigint PRIMARY KEY, total int NOT NULL, note text); INSERT INTO orders SELECT g, g, repeat('x', 100) FROM generate_series(1, 200000) g")
	var own, all []time.Duration
	for range 5 {
		took := s.check(b, "--snapshot", "orders.dump", "--max-exclusive-ms", "5000", "--max-write-block-ms", "5000", "--format", "json=report.json")
		r := s.report(b)
		spent := 0.0
		for _, p := range r.Observation.Phases {
			switch p.Name {
			case "verify snapshot", "restore", "seal baseline", "clone":
				spent += p.MS
			}
		}
		for _, m := range r.Observation.Migrations {
			for _, run := range []*gate.Run{m.Apply, m.Reversed, m.ReUp} {
				if run == nil {
					b.Fatalf("%s was not walked both ways", m.Up.File)
				}
				for _, st := range run.Statements {
					spent += st.DurationMS
				}
			}
		}
		spent += r.Observation.Reverse.CompareMS
		all = append(all, took)
		own = append(own, took-time.Duration(spent*float64(time.Millisecond)))
	}
	m := median(own)
	fmt.Printf("\nwhole run: ten migrations on 200,000 rows, median of %d: %.1f s, of which the gate's own %.2f s; goal 2 s\n", len(own), median(all).Seconds(), m.Seconds())
	b.ReportMetric(m.Seconds(), "own-s/run")
}

// dump makes a snapshot of a database that sql fills, by pg_dump.
func (s *shop) dump(b *testing.B, sql string) {
	b.Helper()
	ctx := context.Background()
	server := snapshottest.Server(b, "")
	dsn := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=", server.Host, server.Port, server.User, server.Password)
	for _, step := range [][2]string{{"postgres", "CREATE DATABASE bench"}, {"bench", sql}} {
		c, err := pgx.Connect(ctx, dsn+step[0])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.PgConn().Exec(ctx, step[1]).ReadAll(); err != nil {
			b.Fatal(err)
		}
		_ = c.Close(ctx)
	}
	var out bytes.Buffer
	if err := server.Tools.Run(ctx, "pg_dump", []string{"-Fc", "-d", "bench"}, nil, &out, io.Discard); err != nil {
		b.Fatalf("pg_dump: %v", err)
	}
	s.write(b, "orders.dump", out.String())
}

func (s *shop) report(b *testing.B) gate.Report {
	b.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, "report.json"))
	if err != nil {
		b.Fatal(err)
	}
	if !json.Valid(content) {
		b.Fatalf("not JSON: %s", content)
	}
	r, err := report.Decode(bytes.NewReader(content))
	if err != nil {
		b.Fatal(err)
	}
	return r
}
