package rule_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot"
)

const (
	upFile   = "migrations/000002_x.up.sql"
	downFile = "migrations/000002_x.down.sql"
)

// world is a change of one migration, with a snapshot of two tables, one of
// them partitioned, and one that is small.
func world(t *testing.T, up string) gate.Observation {
	t.Helper()
	statements, err := migration.ParseScript(upFile, []byte(up))
	if err != nil {
		t.Fatal(err)
	}
	big := gate.Table{Rows: 1_000_000, Bytes: 1 << 30, RootRows: 1_000_000, RootBytes: 1 << 30}
	o := gate.Observation{
		Layout: "golang-migrate", Snapshot: &gate.SnapshotFacts{},
		Tables: map[string]gate.Table{
			"public.orders": big, "public.users": big,
			"public.parts": {RootRows: 1_000_000, RootBytes: 1 << 30},
			"public.small": {Rows: 9_999, Bytes: 8<<20 - 1, RootRows: 9_999, RootBytes: 8<<20 - 1},
			"public.wide":  {Rows: 10, Bytes: 8 << 20, RootRows: 10, RootBytes: 8 << 20},
			"public.many":  {Rows: 10_000, Bytes: 1, RootRows: 10_000, RootBytes: 1},
		},
	}
	for _, p := range []string{"public.parts_1", "public.parts_2", "public.parts_3"} {
		o.Tables[p] = gate.Table{Root: "public.parts", Rows: 100, Bytes: 8192, RootRows: 1_000_000, RootBytes: 1 << 30}
	}
	m := gate.Migration{
		Migration: migration.Migration{Version: "000002", Number: 2, Name: "x", Up: migration.Script{File: upFile, Statements: statements}},
		Apply:     &gate.Run{Statements: make([]gate.StatementRun, len(statements))},
	}
	o.Migrations = []gate.Migration{m}
	return o
}

var modes = map[string][]string{
	"ACCESS EXCLUSIVE": {"reads", "writes", "ddl"}, "EXCLUSIVE": {"writes", "ddl"}, "SHARE ROW EXCLUSIVE": {"writes", "ddl"},
	"SHARE": {"writes", "ddl"}, "SHARE UPDATE EXCLUSIVE": {"ddl"}, "ROW EXCLUSIVE": {},
}

// lock adds a window that statement n took on a table, or "table:index", held
// through the statements after it up to last.
func lock(o *gate.Observation, n, last int, relation, mode string, atLeast, atMost, alone float64) *gate.LockWindow {
	table, index, isIndex := strings.Cut(relation, ":")
	up := o.Migrations[0].Up.Statements
	w := gate.LockWindow{
		Relation: table, Table: table, Kind: "table", Mode: mode, Blocks: modes[mode], Existing: true, Witness: "boundary",
		AtLeastMS: atLeast, AtMostMS: atMost, AtMostAloneMS: alone,
		Statement: n, File: up[n].File, Line: up[n].Line, EndLine: up[n].EndLine,
	}
	if isIndex {
		w.Relation, w.Kind = index, "index"
	}
	for s := n + 1; s <= last; s++ {
		w.HeldDuring = append(w.HeldDuring, gate.StatementRef{File: up[s].File, Line: up[s].Line})
	}
	o.Locks = append(o.Locks, w)
	return &o.Locks[len(o.Locks)-1]
}

func run1(o *gate.Observation, n int) *gate.StatementRun {
	return &o.Migrations[0].Apply.Statements[n]
}

// expect compares findings with lines "SEVERITY RULE FILE:LINE regexp".
func expect(t *testing.T, findings []gate.Finding, want ...string) {
	t.Helper()
	if len(findings) != len(want) {
		t.Errorf("%d findings, want %d", len(findings), len(want))
	}
	for i, f := range findings {
		got := fmt.Sprintf("%s %s %s:%d %s", f.Severity, f.Rule, f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line, f.Message)
		if i >= len(want) {
			t.Errorf("more: %s", got)
			continue
		}
		if !regexp.MustCompile("^" + want[i] + "$").MatchString(got) {
			t.Errorf("got  %s\nwant %s", got, want[i])
		}
		if f.Message != strings.TrimSpace(f.Message) || strings.HasSuffix(f.Message, ".") {
			t.Errorf("message of odd shape: %q", f.Message)
		}
		checkDocumented(t, f)
	}
}

func TestLockBudget(t *testing.T) {
	for _, c := range []struct {
		name   string
		up     string
		facts  func(*gate.Observation)
		policy func(*gate.Policy)
		want   []string
	}{
		{name: "the contract's message", up: "\n\nALTER TABLE orders ALTER COLUMN total TYPE bigint;",
			facts: func(o *gate.Observation) {
				lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 3336.2, 3341.0, 3341.0)
			},
			want: []string{`error lock-budget 000002_x.up.sql:3 public\.orders: reads and writes blocked for up to 3341 ms, budget 200 ms`}},
		{name: "a figure over its budget reads so", up: "ALTER TABLE orders ADD a int",
			facts: func(o *gate.Observation) { lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 200, 200.2, 200.2) },
			want:  []string{`error .* for up to 201 ms, budget 200 ms`}},
		{name: "at the limit is within it", up: "ALTER TABLE orders ADD a int",
			facts: func(o *gate.Observation) { lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 190, 200, 200) }},
		{name: "what blocks only DDL, row locks and new relations are not judged", up: "SELECT 1",
			facts: func(o *gate.Observation) {
				lock(o, 0, 0, "public.orders", "SHARE UPDATE EXCLUSIVE", 5000, 5000, 5000)
				lock(o, 0, 0, "public.orders", "SHARE", 5000, 5000, 5000).RowLocks = true
				lock(o, 0, 0, "public.made", "ACCESS EXCLUSIVE", 5000, 5000, 5000).Existing = false
			}},
		{name: "one finding for a table, its indexes, toast and weaker modes", up: "ALTER TABLE orders ALTER total TYPE bigint",
			facts: func(o *gate.Observation) {
				lock(o, 0, 0, "public.orders", "SHARE", 3335, 3342, 3342)
				for i := range 12 {
					lock(o, 0, 0, fmt.Sprintf("public.orders:public.orders_%d_idx", i), "ACCESS EXCLUSIVE", 1000, 1100, 1100)
				}
				lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 3336, 3341, 3341)
				lock(o, 0, 0, "public.orders:pg_toast.pg_toast_1", "ACCESS EXCLUSIVE", 3000, 3100, 3100)
			},
			want: []string{`error lock-budget 000002_x.up.sql:1 public\.orders: reads and writes blocked for up to 3341 ms, budget 200 ms`}},
		{name: "a table is blocked through its index", up: "REINDEX INDEX orders_pkey",
			facts: func(o *gate.Observation) {
				lock(o, 0, 0, "public.orders", "SHARE", 580, 584, 584)
				lock(o, 0, 0, "public.orders:public.orders_pkey", "ACCESS EXCLUSIVE", 580, 585, 585)
			},
			want: []string{`error lock-budget .* public\.orders: reads and writes blocked for up to 585 ms through its index public\.orders_pkey, budget 200 ms`}},
		{name: "a weaker window that is provably longer stands by itself", up: "SELECT 1",
			facts: func(o *gate.Observation) {
				lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 300, 310, 310)
				lock(o, 0, 0, "public.orders", "SHARE", 900, 910, 910)
			},
			want: []string{`error .* reads and writes blocked for up to 310 ms, .*`, `error .* public\.orders: writes blocked for up to 910 ms, .*`}},
		{name: "tables and statements apart", up: "ALTER TABLE lines ADD FOREIGN KEY (o) REFERENCES orders;\nCREATE INDEX ON users (id)",
			facts: func(o *gate.Observation) {
				lock(o, 1, 1, "public.users", "SHARE", 640, 643, 643)
				lock(o, 0, 0, "public.lines", "SHARE ROW EXCLUSIVE", 750, 753, 753)
				lock(o, 0, 0, "public.orders", "SHARE ROW EXCLUSIVE", 750, 755, 755)
			},
			want: []string{`error .*:1 public\.lines: writes blocked for up to 753 ms, .*`, `error .*:1 public\.orders: writes .*`, `error .*:2 public\.users: writes .*`}},
		{name: "partitions are counted under their root", up: "CREATE INDEX ON parts (id)",
			facts: func(o *gate.Observation) {
				for _, p := range []string{"public.parts_1", "public.parts_2", "public.parts", "public.parts_3"} {
					lock(o, 0, 0, p, "SHARE", 500, 509, 509)
				}
			},
			want: []string{`error .* public\.parts with 3 partitions: writes blocked for up to 509 ms, budget 200 ms`}},
		{name: "several partitions without their root go by its name", up: "DO $$ BEGIN EXECUTE 'x'; END $$",
			facts: func(o *gate.Observation) {
				for _, p := range []string{"public.parts_1", "public.parts_2"} {
					lock(o, 0, 0, p, "SHARE", 500, 509, 509)
				}
			},
			want: []string{`error .* public\.parts with 2 partitions: writes blocked for up to 509 ms, budget 200 ms`}},
		{name: "a wide interval is told", up: "VACUUM FULL orders",
			facts: func(o *gate.Observation) { lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 180.9, 340, 340) },
			want:  []string{`error .* for up to 340 ms \(at least 180 ms\), budget 200 ms`}},
		{name: "two limits", up: "SELECT 1",
			facts: func(o *gate.Observation) { lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 900, 900, 900) },
			policy: func(p *gate.Policy) {
				p.MaxExclusive, p.MaxWriteBlock = 100*time.Millisecond, 500*time.Millisecond
			},
			want: []string{`error .* reads and writes blocked for up to 900 ms, budget 100 ms for reads and 500 ms for writes`}},
		{name: "only the impact that is over", up: "SELECT 1",
			facts: func(o *gate.Observation) { lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 300, 300, 300) },
			policy: func(p *gate.Policy) {
				p.MaxWriteBlock = time.Second
			},
			want: []string{`error .* public\.orders: reads blocked for up to 300 ms, budget 200 ms`}},
		{name: "the first pattern counts, and a partition goes by its root", up: "SELECT 1;\nSELECT 2;\nSELECT 3",
			facts: func(o *gate.Observation) {
				lock(o, 0, 0, "public.orders", "SHARE", 900, 900, 900)
				lock(o, 1, 1, "public.parts_1", "SHARE", 900, 900, 900)
				lock(o, 2, 2, "public.parts_2", "SHARE", 900, 900, 900)
			},
			policy: func(p *gate.Policy) {
				second, short := time.Second, time.Millisecond
				p.Tables = []gate.TablePolicy{{Pattern: "orders", MaxWriteBlock: &second}, {Pattern: "public.o*", MaxWriteBlock: &short},
					{Pattern: "parts_2", MaxWriteBlock: &short}, {Pattern: "parts", MaxWriteBlock: &second}}
			},
			want: []string{`error .*:3 public\.parts_2: writes blocked for up to 900 ms, budget 1 ms`}},
		{name: "without a snapshot an empty table is not measured", up: "ALTER TABLE orders ADD a int;\nALTER TABLE users ADD a int;\nALTER TABLE small ADD a int",
			facts: func(o *gate.Observation) {
				o.Snapshot = nil
				o.Tables = map[string]gate.Table{"public.orders": {}, "public.small": {Rows: 5, RootRows: 5}}
				lock(o, 0, 2, "public.orders", "ACCESS EXCLUSIVE", 1, 300, 2)
				lock(o, 1, 2, "public.users", "ACCESS EXCLUSIVE", 1, 2, 2)
				lock(o, 2, 2, "public.small", "ACCESS EXCLUSIVE", 1, 2, 2)
			},
			want: []string{`notice lock-budget .*:1 public\.orders and public\.users: 2 blocking locks taken by this script, durations not measured: no snapshot, and the tables are empty here`}},
		{name: "what is proven even on an empty table is over budget", up: "ALTER TABLE orders ADD a int",
			facts: func(o *gate.Observation) {
				o.Snapshot, o.Tables = nil, nil
				lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 250, 260, 260)
			},
			want: []string{`error .* for up to 260 ms, budget 200 ms`}},
		{name: "with a snapshot an empty table is measured", up: "ALTER TABLE orders ADD a int",
			facts: func(o *gate.Observation) {
				o.Tables["public.orders"] = gate.Table{}
				lock(o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 1, 2, 2)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, p := world(t, c.up), only("lock-budget")
			c.facts(&o)
			if c.policy != nil {
				c.policy(&p)
			}
			expect(t, rule.Judge(o, p).Findings, c.want...)
		})
	}
}

func TestLockBudgetEvidence(t *testing.T) {
	o := world(t, "ALTER TABLE orders ALTER COLUMN total TYPE bigint")
	lock(&o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 3336.2, 3341.0, 3341.0)
	lock(&o, 0, 0, "public.orders:public.orders_pkey", "ACCESS EXCLUSIVE", 100, 400, 400)
	f := rule.Judge(o, only("lock-budget")).Findings[0]
	want := map[string]any{
		"relation": "public.orders", "mode": "ACCESS EXCLUSIVE", "blocks": []string{"reads", "writes"},
		"at_least_ms": 3336.2, "at_most_ms": 3341.0, "budget_ms": 200.0, "witness": "boundary",
		"rows": int64(1_000_000), "bytes": int64(1 << 30),
		"parts": []map[string]any{{"relation": "public.orders_pkey", "kind": "index", "mode": "ACCESS EXCLUSIVE", "at_most_ms": 400.0}},
	}
	if diff := cmp.Diff(want, f.Evidence); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(f.Fix, "-- 1.") || !strings.Contains(f.Fix, "ALTER TABLE orders ADD COLUMN total_new bigint;\n") {
		t.Errorf("fix: %s", f.Fix)
	}
}

func TestLockHeldAcrossStatements(t *testing.T) {
	const up = "ALTER TABLE orders ADD COLUMN state text;\nUPDATE orders SET state = 'x';\nCREATE INDEX ON orders (state);"
	o := world(t, up)
	lock(&o, 0, 2, "public.orders", "ACCESS EXCLUSIVE", 7000, 7010, 3)
	lock(&o, 0, 2, "public.orders:pg_toast.pg_toast_1", "ACCESS EXCLUSIVE", 7000, 7010, 3)
	lock(&o, 2, 2, "public.orders", "SHARE", 640, 650, 650) // slow by itself
	lock(&o, 1, 2, "public.users", "SHARE", 100, 150, 3)    // within budget
	findings := rule.Judge(o, only("lock-held-across-statements")).Findings
	expect(t, findings, `warning lock-held-across-statements 000002_x.up.sql:1 public\.orders: ACCESS EXCLUSIVE was needed for 3 ms, `+
		`and held for up to 7010 ms, through 2 later statements to line 3; budget 200 ms`)
	want := "-- 1. only what needs the lock; lock_timeout keeps a wait for it from queueing everybody else\n" +
		"SET LOCAL lock_timeout = '2s';\nALTER TABLE orders ADD COLUMN state text;\n" +
		"-- 2. a migration of its own\n" +
		"-- (in batches of some thousand rows with a COMMIT after each, or its row locks last as long)\n" +
		"UPDATE orders SET state = 'x';\n" +
		"-- 3. a migration of its own\n" +
		"-- alone in its file (golang-migrate runs several statements as one transaction); builds beside the traffic; if it fails, drop the invalid index and try again\n" +
		"CREATE INDEX CONCURRENTLY ON orders USING btree (state);"
	if diff := cmp.Diff(want, findings[0].Fix); diff != "" {
		t.Error(diff)
	}
	// Both rules find such a window, each with its own word.
	expect(t, rule.Judge(o, only("lock-budget", "lock-held-across-statements")).Findings,
		`error lock-budget .*:1 .*`, `warning lock-held-across-statements .*:1 .*`, `error lock-budget .*:3 .*`)
}

// A view that is dropped has to be made again in the same migration.
func TestHeldViewStaysWhole(t *testing.T) {
	o := world(t, "DROP VIEW v;\nALTER TABLE orders ALTER COLUMN total TYPE bigint;\nCREATE VIEW v AS SELECT total FROM orders;")
	run1(&o, 1).Rewrites = []gate.Rewrite{{Table: "public.orders", Part: "heap", Existing: true}}
	lock(&o, 0, 2, "public.v", "ACCESS EXCLUSIVE", 1200, 1200, 1)
	fix := rule.Judge(o, only("lock-held-across-statements")).Findings[0].Fix
	if strings.Contains(fix, "DROP VIEW") || !strings.Contains(fix, "\n-- 1. a new column beside the old one") {
		t.Errorf("fix:\n%s", fix)
	}
}

func TestTableRewrite(t *testing.T) {
	o := world(t, "ALTER TABLE orders ALTER total TYPE bigint;\nREINDEX TABLE orders;\nTRUNCATE orders;\nREFRESH MATERIALIZED VIEW daily;\nALTER TABLE parts ADD c serial;\nSELECT 1")
	heap := func(n int, table string) *gate.Rewrite {
		r := run1(&o, n)
		r.DurationMS = 3340.1
		r.Rewrites = append(r.Rewrites, gate.Rewrite{Relation: table, Table: table, Part: "heap", Existing: true, Bytes: 1 << 27})
		return &r.Rewrites[len(r.Rewrites)-1]
	}
	heap(0, "public.orders")
	heap(0, "public.orders").Part = "index"
	heap(1, "public.orders").Part = "index"
	heap(2, "public.orders").Emptied = true
	heap(3, "public.daily").Part = "materialized view"
	for _, p := range []string{"public.parts_1", "public.parts_2", "public.parts_3"} {
		heap(4, p)
	}
	for _, small := range []string{"public.small", "public.wide", "public.many"} {
		heap(5, small)
	}
	heap(5, "public.made").Existing = false
	lock(&o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 3336, 3341, 3341)
	want := []string{
		`error table-rewrite .*:1 public\.orders: the whole table was written anew \(1,000,000 rows, 1\.1 GB\) in 3341 ms under ACCESS EXCLUSIVE, which lets nobody read or write it meanwhile`,
		`error table-rewrite .*:5 public\.parts with 3 partitions: the whole table was written anew \(1,000,000 rows, .*`,
		`notice table-rewrite .*:6 public\.small: .*9,999 rows, 8\.4 MB.*`,
		`error table-rewrite .*:6 public\.wide: .*`,
		`error table-rewrite .*:6 public\.many: .*`,
	}
	expect(t, rule.Judge(o, only("table-rewrite")).Findings, want...)

	all := rule.Judge(o, only("table-rewrite")).Findings
	if want := map[string]any{"relation": "public.parts", "partitions": []string{"public.parts_1", "public.parts_2", "public.parts_3"}, "new_bytes": int64(3 << 27),
		"duration_ms": 3340.1, "wal_bytes": int64(0), "rows": int64(1_000_000), "bytes": int64(1 << 30)}; !cmp.Equal(want, all[1].Evidence) {
		t.Error(cmp.Diff(want, all[1].Evidence))
	}
	if _, ok := all[0].Evidence["partitions"]; ok || !strings.HasPrefix(all[0].Fix, "-- 1. a new column") {
		t.Errorf("evidence %v, fix %s", all[0].Evidence, all[0].Fix)
	}

	o.Snapshot = nil
	findings := rule.Judge(o, only("table-rewrite")).Findings
	expect(t, findings[2:3], `error table-rewrite .*:6 public\.small: .*\(size unknown\).*`)
	if findings[2].Evidence["size"] != "unknown" {
		t.Errorf("evidence: %v", findings[2].Evidence)
	}
}

func TestFullScanUnderLock(t *testing.T) {
	o := world(t, "ALTER TABLE orders ADD CHECK (total > 0) NOT VALID;\nALTER TABLE orders VALIDATE CONSTRAINT c;\nSELECT count(*) FROM users;\nALTER TABLE small ALTER x SET NOT NULL;\nCREATE INDEX ON parts (id)")
	scan := func(n int, tables ...string) {
		for _, table := range tables {
			r := run1(&o, n)
			r.Scans = append(r.Scans, gate.Scan{Table: table, Rows: 1_000_000, Existing: table != "public.made"})
		}
	}
	lock(&o, 0, 4, "public.orders", "ACCESS EXCLUSIVE", 200, 210, 2)
	lock(&o, 1, 4, "public.orders", "SHARE UPDATE EXCLUSIVE", 200, 210, 2)
	lock(&o, 3, 4, "public.small", "ACCESS EXCLUSIVE", 2, 3, 2)
	lock(&o, 3, 4, "public.users", "SHARE", 2, 3, 2) // taken after users was read
	scan(1, "public.orders")
	scan(2, "public.users", "public.made")
	scan(3, "public.small")
	for _, p := range []string{"public.parts_1", "public.parts_2", "public.parts_3"} {
		lock(&o, 4, 4, p, "SHARE", 5, 6, 6)
		scan(4, p)
	}
	findings := rule.Judge(o, only("full-scan-under-lock")).Findings
	expect(t, findings,
		`warning full-scan-under-lock .*:2 public\.orders: the whole table was read \(1,000,000 rows, 1\.1 GB\) under ACCESS EXCLUSIVE held since line 1, while reads and writes were blocked`,
		`notice full-scan-under-lock .*:4 public\.small: .* under ACCESS EXCLUSIVE, while .*`,
		`warning full-scan-under-lock .*:5 public\.parts with 3 partitions: .* under SHARE, while writes were blocked`)
	if want := map[string]any{"relation": "public.parts", "mode": "SHARE", "blocks": []string{"writes"}, "rows_read": int64(3_000_000),
		"at_least_ms": 5.0, "at_most_ms": 6.0, "duration_ms": 0.0, "locked_at": map[string]any{"file": upFile, "line": 5.0},
		"partitions": []string{"public.parts_1", "public.parts_2", "public.parts_3"}, "rows": int64(1_000_000), "bytes": int64(1 << 30)}; !cmp.Equal(want, findings[2].Evidence) {
		t.Error(cmp.Diff(want, findings[2].Evidence))
	}
	if _, ok := findings[1].Evidence["partitions"]; ok || !strings.Contains(findings[1].Fix, "VALIDATE CONSTRAINT small_x_is_set;") {
		t.Errorf("evidence %v, fix %s", findings[1].Evidence, findings[1].Fix)
	}
	if want := "-- a migration of its own, run when the lock taken at line 1 is gone (all statements of one file are one transaction)\n" +
		"ALTER TABLE orders VALIDATE CONSTRAINT c;"; findings[0].Fix != want {
		t.Errorf("fix: %s", findings[0].Fix)
	}
	leaf := world(t, "ALTER TABLE parts ATTACH PARTITION p FOR VALUES IN (1)")
	run1(&leaf, 0).Scans = []gate.Scan{{Table: "public.parts_1", Existing: true}}
	lock(&leaf, 0, 0, "public.parts_1", "ACCESS EXCLUSIVE", 1, 1, 1)
	expect(t, rule.Judge(leaf, only("full-scan-under-lock")).Findings, `warning .* public\.parts_1: the whole table was read \(100 rows, 8\.2 kB\) .*`)

	o.Snapshot = nil
	expect(t, rule.Judge(o, only("full-scan-under-lock")).Findings[1:2], `warning .* public\.small: .*size unknown.*`)
}

func TestMigrationFailed(t *testing.T) {
	o := world(t, "CREATE INDEX CONCURRENTLY i ON orders (id);\nALTER TABLE orders ADD a int;\nALTER TABLE orders\n  ADD a int")
	run1(&o, 0).InvalidIndexes = []string{"public.i"}
	run1(&o, 0).How, run1(&o, 1).How = "autocommit", "autocommit"
	run1(&o, 1).InvalidIndexes = []string{"public.on_only"} // CREATE INDEX … ON ONLY: not by CONCURRENTLY
	o.Migrations[0].Apply.Failure = &gate.Failure{Statement: 2, File: upFile, Line: 4, Column: 7, Code: "42701",
		Message: `column "a" of relation "orders" already exists`, Hint: "drop it"}
	findings := rule.Judge(o, only("migration-failed")).Findings
	expect(t, findings,
		`error migration-failed .*:1 public\.i: left invalid: .*`,
		`error migration-failed .*:4 the deploy would stop at migration 000002: column "a" of relation "orders" already exists \(SQLSTATE 42701\); 2 statements before it would stay applied, outside of any transaction`)
	if f := findings[1]; f.Column != 7 || f.Fix != "drop it" || f.Evidence["code"] != "42701" {
		t.Errorf("%+v", f)
	}
	if !strings.HasPrefix(findings[0].Fix, "DROP INDEX CONCURRENTLY public.i;") {
		t.Error(findings[0].Fix)
	}

	o = world(t, "BEGIN;\nSELECT 1;\nCOMMIT")
	o.Migrations[0].Apply.Failure = &gate.Failure{Statement: -1, Line: 3, CommitRolledBack: true}
	expect(t, rule.Judge(o, only("migration-failed")).Findings, `error migration-failed 000002_x.up.sql:3 .*COMMIT was answered by ROLLBACK.*`)

	for layout, want := range map[string]string{"goose": "+goose NO TRANSACTION", "golang-migrate": "alone in a file of its own"} {
		o := world(t, "VACUUM orders")
		o.Layout = layout
		o.Migrations[0].Apply.Failure = &gate.Failure{Code: "25001", Message: "VACUUM cannot run inside a transaction block"}
		if f := rule.Judge(o, only("migration-failed")).Findings[0]; !strings.Contains(f.Fix, want) {
			t.Errorf("%s: %s", layout, f.Fix)
		}
	}

	// As servers before and since 16 say it.
	for message, want := range map[string]string{
		"permission denied to create role":            "--globals",
		`must be member of role "reporting"`:          "add --role reporting if",
		`must be able to SET ROLE "reporting"`:        "add --role reporting if",
		`must be member of role "postgres"`:           "OWNER TO CURRENT_USER",
		"permission denied for schema app":            "GRANT CREATE ON SCHEMA app ",
		"permission denied for function pg_read_file": "let a superuser do this by hand once",
	} {
		o := world(t, "ALTER TABLE orders OWNER TO reporting")
		o.Migrations[0].Apply.Failure = &gate.Failure{Code: "42501", Message: message}
		if f := rule.Judge(o, only("migration-failed")).Findings[0]; !strings.Contains(f.Fix, want) {
			t.Errorf("%s: %s", message, f.Fix)
		}
	}

	o = world(t, "GRANT SELECT ON orders TO reporting")
	o.Migrations[0].Apply.Failure = &gate.Failure{Code: "42704", Message: `role "reporting" does not exist`}
	if f := rule.Judge(o, only("migration-failed")).Findings[0]; !strings.Contains(f.Fix, "--role reporting ") {
		t.Errorf("fix: %s", f.Fix)
	}
}

func TestChecksumDrift(t *testing.T) {
	o := gate.Observation{Base: "origin/main", Files: []gate.FileChange{
		{Path: "migrations/000001_a.up.sql", Status: "edited", FirstLine: 3, Merged: true, Version: "000001"},
		{Path: "migrations/000001_a.down.sql", Status: "deleted", Merged: true, Version: "000001"},
		{Path: "migrations/000001_b it's.up.sql", From: "migrations/000001_b.up.sql", Status: "renamed", Merged: true, Version: "000001"},
		{Path: "migrations/000002_x.up.sql", Status: "added", Version: "000002"},
		{Path: "migrations/000002_x.down.sql", Status: "edited", Version: "000002"},
	}}
	findings := rule.Judge(o, rule.DefaultPolicy()).Findings
	expect(t, findings,
		`error checksum-drift 000001_a\.down\.sql:0 merged migration 000001 was deleted: .*`,
		`error checksum-drift 000001_a\.up\.sql:3 merged migration 000001 was edited: .*`,
		`error checksum-drift 000001_b it's\.up\.sql:0 merged migration 000001 was renamed from migrations/000001_b\.up\.sql: .*`)
	if want := `git mv 'migrations/000001_b it'\''s.up.sql' migrations/000001_b.up.sql`; findings[2].Fix != want {
		t.Error(findings[2].Fix)
	}
}

func reversed(t *testing.T, down string, failure *gate.Failure) gate.Observation {
	t.Helper()
	o := world(t, "ALTER TABLE orders ADD COLUMN note text")
	statements, err := migration.ParseScript(downFile, []byte(down))
	if err != nil {
		t.Fatal(err)
	}
	o.Migrations[0].Down = &migration.Script{File: downFile, Direction: migration.Down, Statements: statements}
	o.Migrations[0].Reversed = &gate.Run{Failure: failure}
	o.Migrations[0].ReUp = &gate.Run{}
	o.Reverse = &gate.Reverse{}
	return o
}

func TestDownFailed(t *testing.T) {
	o := reversed(t, "SELECT 1;\nALTER TABLE orders DROP CONSTRAINT c", &gate.Failure{Statement: 1, Code: "42704", Message: `constraint "c" does not exist`})
	findings := rule.Judge(o, rule.DefaultPolicy()).Findings
	expect(t, findings, `error down-failed 000002_x.down.sql:2 rolling back migration 000002 would fail when it is needed most: constraint "c" does not exist \(SQLSTATE 42704\)`)
}

func TestReupFailed(t *testing.T) {
	exists := &gate.Failure{Statement: 0, File: upFile, Line: 1, Code: "42701", Message: `column "note" already exists`}
	o := reversed(t, "ALTER TABLE orders RENAME TO orders_2", nil)
	o.Migrations[0].ReUp.Failure = exists
	findings := rule.Judge(o, rule.DefaultPolicy()).Findings
	expect(t, findings, `error reup-failed 000002_x.up.sql:1 migration 000002 cannot be applied again after its down script: .*`)
	if !strings.Contains(findings[0].Fix, "_deprecated_") {
		t.Error(findings[0].Fix)
	}
	// A forward-only migration is not held to it.
	for _, down := range []string{"", "SELECT 1"} {
		o := reversed(t, down, nil)
		o.Migrations[0].ReUp.Failure = exists
		expect(t, rule.Judge(o, only("reup-failed")).Findings)
	}
}

func TestDownMissing(t *testing.T) {
	missing := world(t, "CREATE TABLE a (id int)")
	expect(t, rule.Judge(missing, rule.DefaultPolicy()).Findings, `notice down-missing 000002_x.up.sql:0 migration 000002 has no down script, so it is forward-only: .*`)
	empty := reversed(t, "\nSELECT 1;", nil)
	expect(t, rule.Judge(empty, rule.DefaultPolicy()).Findings, `notice down-missing 000002_x.down.sql:2 migration 000002 has a down script without effect, .*`)

	exact := rule.DefaultPolicy()
	exact.Reversal = gate.Exact
	r := rule.Judge(missing, exact)
	expect(t, r.Findings, `error down-missing .* --reversal exact wants one for every up script`)
	if r.Verdict != gate.Fail {
		t.Error(r.Verdict)
	}
	exact.Rules = map[string]gate.Severity{"down-missing": gate.Warning}
	expect(t, rule.Judge(missing, exact).Findings, `warning down-missing .*`)
}

func TestDownDrift(t *testing.T) {
	o := reversed(t, "ALTER TABLE orders RENAME COLUMN note TO _deprecated_note", nil)
	col := func(name, def string) *snapshot.Object {
		return &snapshot.Object{Kind: "column", Name: name, Relation: "public.orders", Definition: def}
	}
	o.Reverse.Changes = []gate.SchemaChange{
		{Change: snapshot.Change{What: "added", After: col("public.orders._deprecated_note", "text")}, File: downFile, Line: 1},
		{Change: snapshot.Change{What: "changed", Before: col("public.orders.total", "integer"), After: col("public.orders.total", "bigint")}, File: downFile, Line: 1},
		{Change: snapshot.Change{What: "removed", Before: &snapshot.Object{Kind: "index", Name: "public.orders_idx", Relation: "public.orders", Definition: "CREATE INDEX …"}}, File: downFile, Line: 1},
		{Change: snapshot.Change{What: "renamed", Before: &snapshot.Object{Kind: "table", Name: "public.users"}, After: &snapshot.Object{Kind: "table", Name: "public._deprecated_users"}}, Migration: -1},
		{Change: snapshot.Change{What: "removed", Before: &snapshot.Object{Kind: "view", Name: "public.v"}}, ForwardOnly: true},
	}
	r := rule.Judge(o, rule.DefaultPolicy())
	expect(t, r.Findings,
		`error down-drift 000002_x.down.sql:0 after the down script table public\.users is called public\._deprecated_users`,
		`error down-drift 000002_x.down.sql:1 after the down script column public\.orders\.total differs: bigint, was integer, and 1 more difference`)
	p := rule.DefaultPolicy()
	p.Reversal = gate.Exact
	expect(t, rule.Judge(o, p).Findings, `.*`, `error down-drift .*:1 after the down script column public\.orders\._deprecated_note is left over, and 2 more differences`)
}

func TestDownLosesData(t *testing.T) {
	o := reversed(t, "ALTER TABLE orders RENAME COLUMN note TO _deprecated_note", nil)
	o.Reverse.Losses = []gate.DataChange{
		{Table: "public.a", Now: "public.a", RowsBefore: 1_000_000, Missing: 1200, Examples: []string{"id=1", "id=2"}, File: downFile, Line: 1},
		{Table: "public.b", Now: "", RowsBefore: 5, Missing: 5, File: downFile, Line: 1},
		{Table: "public.c", Now: "public.c", RowsBefore: 5, Missing: 5, GoneColumns: []string{"note"}, File: downFile, Line: 1},
		{Table: "public.d", Now: "public.d", RowsBefore: 5, Added: 7},
		{Table: "public.e", Now: "public.e", RowsBefore: 5, Missing: 5, ForwardOnly: true},
		{Table: "public.f", Now: "public._deprecated_f", RowsBefore: 5},
	}
	expect(t, rule.Judge(o, rule.DefaultPolicy()).Findings,
		`error down-loses-data .*:1 public\.a: 1,200 of 1,000,000 rows from before are gone or altered after the down script \(id=1 and id=2\)`,
		`error down-loses-data .*:1 public\.b: the table is gone after the down script, with 5 rows`,
		`error down-loses-data .*:1 public\.c: the values of note are gone after the down script, in 5 rows`)
}

func TestVerdict(t *testing.T) {
	o := world(t, "CREATE TABLE a (id int)") // one notice: down-missing
	for _, c := range []struct {
		failOn gate.Severity
		rules  map[string]gate.Severity
		want   gate.Verdict
		n      int
	}{
		{gate.SeverityError, nil, gate.Pass, 1},
		{"", nil, gate.Pass, 1},
		{gate.Notice, nil, gate.Fail, 1},
		{gate.Warning, nil, gate.Pass, 1},
		{gate.Warning, map[string]gate.Severity{"down-missing": gate.Warning}, gate.Fail, 1},
		{gate.SeverityError, map[string]gate.Severity{"down-missing": gate.SeverityError}, gate.Fail, 1},
		{gate.Off, map[string]gate.Severity{"down-missing": gate.SeverityError}, gate.Pass, 1},
		{gate.Notice, map[string]gate.Severity{"down-missing": gate.Off}, gate.Pass, 0},
	} {
		p := rule.DefaultPolicy()
		p.FailOn, p.Rules = c.failOn, c.rules
		r := rule.Judge(o, p)
		if r.Verdict != c.want || len(r.Findings) != c.n || (r.Verdict == gate.Fail) != (r.Reason != "") {
			t.Errorf("fail on %q with %v: %s (%q), %d findings", c.failOn, c.rules, r.Verdict, r.Reason, len(r.Findings))
		}
	}
	p := rule.DefaultPolicy()
	p.FailOn, p.Only = gate.Notice, []string{"unsafe-down"}
	if r := rule.Judge(o, p); r.Verdict != gate.Pass || r.Findings == nil {
		t.Errorf("limited to other rules: %s %v", r.Verdict, r.Findings)
	}
}

// A raised severity does not lift the cap that a small table puts on it.
func TestSmallTableStaysNotice(t *testing.T) {
	o := world(t, "VACUUM FULL small")
	run1(&o, 0).Rewrites = []gate.Rewrite{{Table: "public.small", Part: "heap", Existing: true}}
	for severity, want := range map[gate.Severity]gate.Severity{gate.SeverityError: gate.Notice, gate.Warning: gate.Notice, gate.Notice: gate.Notice} {
		p := only("table-rewrite")
		p.Rules = map[string]gate.Severity{"table-rewrite": severity}
		if f := rule.Judge(o, p).Findings; len(f) != 1 || f[0].Severity != want {
			t.Errorf("%s: %v", severity, f)
		}
	}
}

// An observation is kept as JSON and judged again: the same comes out, and
// everything in a finding survives JSON too.
func TestJudgeAgain(t *testing.T) {
	o := world(t, "ALTER TABLE orders ALTER total TYPE bigint;\nUPDATE orders SET x = 1;")
	lock(&o, 0, 1, "public.orders", "ACCESS EXCLUSIVE", 3336, 3341, 100)
	lock(&o, 0, 1, "public.orders:public.orders_pkey", "ACCESS EXCLUSIVE", 3336, 3341, 100)
	run1(&o, 0).Rewrites = []gate.Rewrite{{Table: "public.orders", Part: "heap", Existing: true}}
	run1(&o, 1).Scans = []gate.Scan{{Table: "public.orders", Existing: true}}
	first := rule.Judge(o, rule.DefaultPolicy())
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var again gate.Observation
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	asJSON := func(fs []gate.Finding) string {
		b, err := json.MarshalIndent(fs, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if diff := cmp.Diff(asJSON(first.Findings), asJSON(rule.Judge(again, rule.DefaultPolicy()).Findings)); diff != "" {
		t.Error(diff)
	}
	var rules []string
	for _, f := range first.Findings {
		rules = append(rules, f.Rule)
	}
	if want := []string{"down-missing", "lock-budget", "lock-held-across-statements", "table-rewrite", "full-scan-under-lock"}; !slices.Equal(rules, want) {
		t.Errorf("rules in order: %v", rules)
	}
}

// A change of production's size is judged in the blink of an eye.
func TestJudgeLargeChange(t *testing.T) {
	const migrations, statements = 20, 50
	up := strings.Repeat("ALTER TABLE orders ADD COLUMN a int, ALTER COLUMN b TYPE bigint;\nCREATE TABLE t (id int);\n", statements/2)
	o := world(t, up)
	down, err := migration.ParseScript(downFile, []byte(strings.Repeat("ALTER TABLE orders DROP COLUMN a;\nUPDATE orders SET c = 1;\n", statements/2)))
	if err != nil {
		t.Fatal(err)
	}
	for s := range statements {
		for i := range 20 {
			lock(&o, s, statements-1, fmt.Sprintf("public.orders:public.i%d", i), "ACCESS EXCLUSIVE", 300, 300, 1)
		}
		run1(&o, s).Scans = []gate.Scan{{Table: "public.orders", Existing: true}}
	}
	o.Migrations[0].Down = &migration.Script{File: downFile, Statements: down}
	locks := o.Locks
	for m := 1; m < migrations; m++ {
		o.Migrations = append(o.Migrations, o.Migrations[0])
		for _, w := range locks {
			w.Migration = m
			o.Locks = append(o.Locks, w)
		}
	}
	began := time.Now()
	r := rule.Judge(o, rule.DefaultPolicy())
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("judging %d windows took %s", len(o.Locks), took)
	} else {
		t.Logf("%d windows, %d findings: %s", len(o.Locks), len(r.Findings), took)
	}
}
