package report_test

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// The reports below are crafted on the demonstration's order database
// (customers, orders, order_lines), with figures of real runs.

const (
	widenFile = "migrations/000002_widen_total.up.sql"
	linesFile = "migrations/000003_line_totals.up.sql"
	indexFile = "migrations/000004_index_lines.up.sql"
)

// crafted lists the reports that have golden files.
func crafted() map[string]gate.Report {
	all := map[string]gate.Report{
		"dangerous":    dangerous(),
		"pass":         passing(),
		"no-snapshot":  noSnapshot(),
		"failed":       migrationFailed(),
		"skipped":      skipped(),
		"error":        gateError(),
		"forward-only": forwardOnly(),
		"waiting":      waiting(),
		"row-locks":    rowLocks(),
		"static":       static(),
		"own-gate":     ownGate(),
		"huge":         huge(),
	}
	maps.Copy(all, mysqlReports())
	return all
}

func policy() gate.Policy {
	small := 50 * time.Millisecond
	return gate.Policy{
		MaxExclusive: 200 * time.Millisecond, MaxWriteBlock: 200 * time.Millisecond,
		Tables:   []gate.TablePolicy{{Pattern: "customers", MaxExclusive: &small}},
		Reversal: gate.ForwardOnly, DeprecationPrefix: "_deprecated_", FailOn: gate.SeverityError,
	}
}

func base() gate.Observation {
	return gate.Observation{
		SchemaVersion: gate.ObservationVersion,
		Engine:        gate.Engine{Name: "postgres", Version: "16.4"},
		Target:        gate.TargetFacts{Kind: "local", Detail: "server binaries 16.4 found on this machine"},
		Snapshot: &gate.SnapshotFacts{
			Source: snapshot.Source{
				Path: "orders.dump", Format: "custom", SHA256: "6f1c5e2a90b77d31c4f0e8aa1b9d62735f8e1d2c3b4a59687766554433221100",
				Size: 141_203_004, ServerVersion: "16.4",
			},
			Manifest: snapshot.Manifest{Rows: 5_400_000, Bytes: 912_000_000},
			Ledger:   "public.schema_migrations",
		},
		Base: "0f3a5d1c7b9e2846a0d1f3c5b7e92846a0d1f3c5", Head: "b77e1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b",
		Dir: "migrations", Layout: "golang-migrate", Tier: gate.TierData,
		Tables: map[string]gate.Table{
			"public.orders":      table(1_200_000, 152_000_000),
			"public.order_lines": table(4_000_000, 310_000_000),
			"public.customers":   table(200_000, 24_000_000),
		},
		Resolution: gate.Resolution{Every: 2 * time.Millisecond, Looks: 1702, MedianGap: 2100 * time.Microsecond, MaxGap: 9400 * time.Microsecond},
		Phases:     []gate.Phase{{Name: "restore", MS: 8123.4}, {Name: "apply", MS: 3402.71}, {Name: "reverse", MS: 203.3}},
	}
}

func table(rows, bytes int64) gate.Table {
	return gate.Table{Rows: rows, Bytes: bytes, RootRows: rows, RootBytes: bytes}
}

// script makes an up script of statements given with their lines.
func script(file string, sts ...migration.Statement) migration.Script {
	for i := range sts {
		sts[i].File = file
		sts[i].EndLine = sts[i].Line + strings.Count(sts[i].SQL, "\n")
	}
	return migration.Script{File: file, Direction: migration.Up, Statements: sts}
}

func st(line int, sql string) migration.Statement { return migration.Statement{Line: line, SQL: sql} }

func mig(version, name string, up migration.Script, runs ...gate.StatementRun) gate.Migration {
	m := gate.Migration{Migration: migration.Migration{Version: version, Name: name, Up: up}}
	if len(runs) > 0 {
		m.Apply = &gate.Run{Statements: runs}
		for _, r := range runs {
			m.Apply.MS += r.DurationMS
		}
	}
	return m
}

const widenSQL = "ALTER TABLE orders\n    ALTER COLUMN total TYPE bigint,\n    ALTER COLUMN total SET NOT NULL"

func dangerous() gate.Report {
	o := base()
	o.Files = []gate.FileChange{{Path: widenFile, Status: "added", Version: "000002"}, {Path: linesFile, Status: "added", Version: "000003"}}
	o.Migrations = []gate.Migration{
		mig("000002", "widen_total", script(widenFile, st(3, widenSQL), st(7, "UPDATE customers SET tier = 'gold' WHERE id < 1000")),
			gate.StatementRun{
				StartMS: 1.2, DurationMS: 3340.12, Tag: "ALTER TABLE", WALBytes: 213_909_504, How: "implicit transaction", ToCommitMS: 3384,
				Rewrites: []gate.Rewrite{
					{Relation: "public.orders", Part: "heap", Table: "public.orders", Existing: true, Bytes: 152_000_000},
					{Relation: "public.orders_pkey", Part: "index", Table: "public.orders", Existing: true, Bytes: 26_000_000},
				},
				Scans: []gate.Scan{{Table: "public.orders", Rows: 1_200_000, Existing: true}},
			},
			gate.StatementRun{StartMS: 3342, DurationMS: 37.5, Tag: "UPDATE 999", Rows: 999, WALBytes: 412_000, How: "implicit transaction", ToCommitMS: 41}),
		mig("000003", "line_totals", script(linesFile, st(1, "ALTER TABLE order_lines ADD COLUMN total bigint"),
			st(2, "CREATE INDEX order_lines_order_id ON order_lines (order_id)")),
			gate.StatementRun{StartMS: 3390, DurationMS: 1.31, Tag: "ALTER TABLE", WALBytes: 9_216, How: "implicit transaction"},
			gate.StatementRun{StartMS: 3392, DurationMS: 1612.4, Tag: "CREATE INDEX", WALBytes: 88_000_000, TempBytes: 64_000_000, How: "implicit transaction"}),
	}
	o.Locks = []gate.LockWindow{
		window("public.orders", "ACCESS EXCLUSIVE", "reads,writes,ddl", widenFile, 3, 5, 1.2, 3384.3, 3336.18, func(w *gate.LockWindow) {
			w.AtMostAloneMS = 3341
			w.HeldDuring = []gate.StatementRef{{File: widenFile, Line: 7}}
		}),
		window("public.orders_pkey", "ACCESS EXCLUSIVE", "reads,writes,ddl", widenFile, 3, 5, 40, 3384.3, 3300.02, func(w *gate.LockWindow) {
			w.Kind, w.Table = "index", "public.orders"
		}),
		window("public.customers", "ROW EXCLUSIVE", "ddl", widenFile, 7, 7, 3342, 3384.3, 40, nil),
		window("public.order_lines", "ACCESS EXCLUSIVE", "reads,writes,ddl", linesFile, 1, 1, 3390, 5006, 1613, func(w *gate.LockWindow) {
			w.Migration, w.AtMostAloneMS = 1, 2.4
			w.HeldDuring = []gate.StatementRef{{File: linesFile, Line: 2}}
		}),
		window("public.order_lines", "SHARE", "writes,ddl", linesFile, 2, 2, 3392, 5006, 1611.5, func(w *gate.LockWindow) { w.Migration, w.Statement = 1, 1 }),
		window("public.order_lines_order_id", "ACCESS EXCLUSIVE", "reads,writes,ddl", linesFile, 2, 2, 3392, 5006, 1600, func(w *gate.LockWindow) {
			w.Migration, w.Statement, w.Existing, w.Kind, w.Table = 1, 1, false, "index", "public.order_lines"
		}),
	}
	o.Reverse = &gate.Reverse{Compared: 2}
	return gate.Report{
		Verdict: gate.Fail, Policy: policy(), Observation: o,
		Findings: []gate.Finding{
			{
				Rule: "lock-held-across-statements", Severity: gate.Warning, File: linesFile, Line: 1, EndLine: 1,
				Message:  "public.order_lines: ACCESS EXCLUSIVE taken for 2.4 ms of work is held for 1616 ms, since later statements run in the same transaction",
				Evidence: map[string]any{"relation": "public.order_lines", "mode": "ACCESS EXCLUSIVE", "at_least_ms": 1613.0, "at_most_ms": 1616.0, "alone_ms": 2.4, "budget_ms": 200},
				Fix:      "move CREATE INDEX to a migration of its own, so that the column's lock ends with its own statement",
			},
			{
				Rule: "lock-budget", Severity: gate.SeverityError, File: widenFile, Line: 3, EndLine: 5,
				Message:  "public.orders: reads and writes blocked for up to 3384 ms, budget 200 ms",
				Evidence: map[string]any{"relation": "public.orders", "mode": "ACCESS EXCLUSIVE", "blocks": []string{"reads", "writes"}, "at_least_ms": 3336.18, "at_most_ms": 3383.1, "budget_ms": 200},
				Fix:      widenFix, SQL: widenSQL,
			},
			{
				Rule: "table-rewrite", Severity: gate.SeverityError, File: widenFile, Line: 3, EndLine: 5, Column: 5,
				Message:  "public.orders is written anew: 1,200,000 rows, 152 MB, while reads and writes wait",
				Evidence: map[string]any{"table": "public.orders", "relation": "public.orders", "rows": 1_200_000, "bytes": int64(152_000_000), "wal_bytes": int64(213_909_504)},
				Fix:      widenFix, SQL: widenSQL,
			},
			{
				Rule: "full-scan-under-lock", Severity: gate.Warning, File: linesFile, Line: 2, EndLine: 2,
				Message:  "public.order_lines: all 4,000,000 rows read while writes wait",
				Evidence: map[string]any{"relation": "public.order_lines", "mode": "SHARE", "rows": 4_000_000},
				Fix:      "CREATE INDEX CONCURRENTLY order_lines_order_id ON order_lines (order_id);",
			},
		},
	}
}

const widenFix = `ALTER TABLE orders ADD COLUMN total_new bigint;
-- fill in batches, outside the migration:
--   UPDATE orders SET total_new = total WHERE id BETWEEN … AND …;
ALTER TABLE orders ADD CONSTRAINT total_new_set CHECK (total_new IS NOT NULL) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT total_new_set;`

// window makes a lock window on an existing table.
func window(rel, mode, blocks, file string, line, end int, opened, closed, atLeast float64, more func(*gate.LockWindow)) gate.LockWindow {
	w := gate.LockWindow{
		Relation: rel, Kind: "table", Table: rel, Mode: mode, Blocks: strings.Split(blocks, ","),
		AtLeastMS: atLeast, AtMostMS: closed - opened, AtMostAloneMS: closed - opened,
		File: file, Line: line, EndLine: end, Existing: true, Witness: "boundary", OpenedMS: opened, ClosedMS: closed, Session: 4711,
	}
	if more != nil {
		more(&w)
	}
	return w
}

func passing() gate.Report {
	o := base()
	file := "migrations/000002_add_total_new.up.sql"
	o.Migrations = []gate.Migration{
		mig("000002", "add_total_new", script(file, st(1, "ALTER TABLE orders ADD COLUMN total_new bigint")),
			gate.StatementRun{StartMS: 0.9, DurationMS: 1.84, Tag: "ALTER TABLE", WALBytes: 9_216, How: "implicit transaction"}),
		mig("000003", "index_lines", script(indexFile, st(2, "CREATE INDEX CONCURRENTLY order_lines_order_id\n  ON order_lines (order_id)")),
			gate.StatementRun{StartMS: 4, DurationMS: 2240.7, Tag: "CREATE INDEX", WALBytes: 88_000_000, How: "autocommit"}),
	}
	o.Locks = []gate.LockWindow{
		window("public.orders", "ACCESS EXCLUSIVE", "reads,writes,ddl", file, 1, 1, 0.9, 3.6, 1.9, nil),
		window("public.order_lines", "SHARE UPDATE EXCLUSIVE", "ddl", indexFile, 2, 3, 4, 2244.8, 2236, func(w *gate.LockWindow) { w.Migration, w.Witness = 1, "ticker" }),
	}
	o.Reverse = &gate.Reverse{Compared: 1, Changes: []gate.SchemaChange{
		{Change: snapshot.Change{What: "added", After: &snapshot.Object{Kind: "column", Name: "public.orders.total_new", Definition: "bigint"}}, Migration: 0},
	}}
	return gate.Report{Verdict: gate.Pass, Policy: policy(), Observation: o}
}

func noSnapshot() gate.Report {
	r := passing()
	o := &r.Observation
	o.Snapshot, o.Tier = nil, gate.TierSchema
	o.Tables = map[string]gate.Table{"public.orders": table(0, 0), "public.order_lines": table(0, 0)}
	o.Phases = []gate.Phase{{Name: "baseline", MS: 412}, {Name: "apply", MS: 31}, {Name: "reverse", MS: 18}}
	r.Findings = []gate.Finding{{
		Rule: "down-missing", Severity: gate.Notice, File: "migrations/000002_add_total_new.up.sql",
		Message: "000002 has no down script, so it is taken as forward-only", Evidence: map[string]any{"version": "000002"},
	}}
	return r
}

// static is a fork's pull request, which gets neither snapshot nor server.
func static() gate.Report {
	o := base()
	o.Engine.Version, o.Target, o.Snapshot, o.Tables, o.Resolution = "", gate.TargetFacts{}, nil, nil, gate.Resolution{}
	o.Phases = []gate.Phase{{Name: "detect", MS: 24}}
	o.Tier = gate.TierStatic
	o.Unmeasured = []gate.Unmeasured{{
		What: "everything but the files", Why: "a fork's pull request gets no snapshot",
		Remedy: "a maintainer can run the gate on a branch of this repository", Accepted: true,
	}}
	o.Migrations = []gate.Migration{mig("000002", "widen_total", script(widenFile, st(3, widenSQL)))}
	o.Files = []gate.FileChange{{Path: widenFile, Status: "added", Version: "000002"}}
	return gate.Report{Verdict: gate.Pass, Policy: policy(), Observation: o, Findings: []gate.Finding{{
		Rule: "not-measured", Severity: gate.Warning, File: widenFile, Message: "not measured: everything but the files: a fork's pull request gets no snapshot",
		Evidence: map[string]any{"what": "everything but the files", "why": "a fork's pull request gets no snapshot", "accepted": true},
		Fix:      "a maintainer can run the gate on a branch of this repository",
	}}}
}

// ownGate alters what it is judged by, where the rules on that are off.
func ownGate() gate.Report {
	r := passing()
	r.Observation.Unmeasured = []gate.Unmeasured{
		{What: "waits for locks", Why: "the role may not read pg_stat_activity", Remedy: "GRANT pg_read_all_stats to it"},
		{What: "temporary files", Why: "the role is no superuser"},
	}
	r.Observation.ConfigChanges = []gate.ConfigChange{
		{File: ".migration-gate.yml", Line: 4, Key: "max-exclusive-ms", Before: "200", After: "5000"},
		{File: ".migration-gate.yml", Line: 9, Key: "rules.table-rewrite", After: "off", InForce: true},
		{File: ".github/workflows/gate.yml", InForce: true},
	}
	return r
}

func migrationFailed() gate.Report {
	o := base()
	file := "migrations/000002_email_unique.up.sql"
	o.Migrations = []gate.Migration{
		mig("000002", "email_unique", script(file, st(1, "SET lock_timeout = '2s'"), st(2, "ALTER TABLE customers\n\tADD CONSTRAINT customers_email_key UNIQUE (email)"), st(4, "COMMENT ON TABLE customers IS 'one row per e-mail address'")),
			gate.StatementRun{StartMS: 0.4, DurationMS: 0.2, Tag: "SET", How: "implicit transaction"}),
		mig("000003", "line_totals", script(linesFile, st(1, "ALTER TABLE order_lines ADD COLUMN total bigint"))),
	}
	o.Migrations[0].Apply.Failure = &gate.Failure{
		Statement: 1, File: file, Line: 3, Column: 6, Code: "23505", Message: `could not create unique index "customers_email_key"`,
		Detail: "Key (email)=(anna@example.org) is duplicated.",
	}
	o.Phases = []gate.Phase{
		{Name: "restore", MS: 8123.4, Parts: []gate.Phase{{Name: "rows", MS: 3511.84}, {Name: "indexes", MS: 3401}, {Name: "statistics", MS: 801.5}, {Name: "foreign keys", MS: 391}}},
		{Name: "apply", MS: 212.2},
	}
	return gate.Report{
		Verdict: gate.Fail, Policy: policy(), Observation: o,
		Findings: []gate.Finding{{
			Rule: "migration-failed", Severity: gate.SeverityError, File: file, Line: 3, EndLine: 3, Column: 6,
			Message:  `could not create unique index "customers_email_key" (SQLSTATE 23505)`,
			Evidence: map[string]any{"sqlstate": "23505", "detail": "Key (email)=(anna@example.org) is duplicated."},
			Fix:      "SELECT email, count(*) FROM customers GROUP BY email HAVING count(*) > 1;",
		}},
	}
}

func skipped() gate.Report {
	return gate.Report{
		Verdict: gate.Skipped, Reason: "no migration changed between 0f3a5d1c7b9e and b77e1c2d3e4f; no server was started", Policy: policy(),
		Observation: gate.Observation{
			SchemaVersion: gate.ObservationVersion, Base: base().Base, Head: base().Head, Dir: "migrations", Layout: "golang-migrate",
			Phases: []gate.Phase{{Name: "detect", MS: 31}},
		},
	}
}

func gateError() gate.Report {
	r := passing()
	r.Verdict = gate.Error
	r.Reason = "the sampler fell behind: 412 ms without a look at the lock table while statement 2 ran, and nothing else witnessed its locks"
	r.Observation.Reverse = nil
	return r
}

func forwardOnly() gate.Report {
	r := passing()
	obj := func(kind, name, def string) *snapshot.Object {
		return &snapshot.Object{Kind: kind, Name: name, Definition: def}
	}
	r.Observation.Reverse = &gate.Reverse{
		Compared: 2,
		Changes: []gate.SchemaChange{
			{Change: snapshot.Change{What: "added", After: obj("column", "public.orders.total_new", "bigint")}, Migration: 0},
			{Change: snapshot.Change{What: "renamed", Before: obj("column", "public.orders.note", "text"), After: obj("column", "public.orders._deprecated_note", "text")}, Migration: 0, ForwardOnly: true},
			{Change: snapshot.Change{What: "changed", Before: obj("column", "public.customers.tier", "character varying(10)"), After: obj("column", "public.customers.tier", "text NOT NULL DEFAULT 'bronze'::text")}, Migration: 1},
			{Change: snapshot.Change{What: "removed", Before: obj("index", "public.orders_created_at_idx", "CREATE INDEX …")}, Migration: -1},
		},
		Losses: []gate.DataChange{
			{Table: "public.orders", Now: "public.orders", RowsBefore: 1_200_000, Added: 12, Migration: 0},
			{Table: "public.customers", Now: "public.customers", RowsBefore: 200_000, Missing: 41, GoneColumns: []string{"fax"}, Examples: []string{"id=17", "id=23"}, Migration: 1},
		},
	}
	r.Verdict = gate.Fail
	r.Findings = []gate.Finding{
		{Rule: "down-drift", Severity: gate.SeverityError, File: "migrations/000003_index_lines.down.sql", Line: 1, EndLine: 1, Message: "column public.customers.tier is not as it was before: was character varying(10), is text NOT NULL", Evidence: map[string]any{"object": "public.customers.tier", "migrations": []string{"000003"}}},
		{Rule: "down-loses-data", Severity: gate.SeverityError, File: "migrations/000003_index_lines.down.sql", Line: 1, EndLine: 1, Message: "41 rows of public.customers are gone or altered after down", Evidence: map[string]any{"table": "public.customers", "missing": 41, "rows_before": 200000}},
	}
	return r
}

func waiting() gate.Report {
	r := passing()
	o := &r.Observation
	o.Migrations = o.Migrations[:1]
	o.Locks = o.Locks[:1]
	w := &o.Locks[0]
	w.Waited, w.Witness = true, "ticker"
	w.AtLeastMS, w.AtMostMS, w.ClosedMS = 802.4, 11_806.1, 11_807
	o.Migrations[0].Apply.Statements[0].DurationMS = 11_804
	o.Migrations[0].Apply.MS = 11_804
	r.Verdict = gate.Fail
	r.Findings = []gate.Finding{{
		Rule: "lock-budget", Severity: gate.SeverityError, File: w.File, Line: 1, EndLine: 1,
		Message:  "public.orders: reads and writes blocked for up to 11.8 s, budget 200 ms",
		Evidence: map[string]any{"relation": "public.orders", "mode": "ACCESS EXCLUSIVE", "at_least_ms": 802.4, "at_most_ms": 11_806.1, "budget_ms": 200, "waited": true},
		Fix:      "SET lock_timeout = '150ms';\nALTER TABLE orders ADD COLUMN total_new bigint;",
	}}
	return r
}

func rowLocks() gate.Report {
	o := base()
	file := "migrations/000002_backfill.up.sql"
	o.Migrations = []gate.Migration{mig("000002", "backfill", script(file, st(1, "UPDATE orders SET total = total * 100"), st(2, "DELETE FROM order_lines WHERE quantity = 0")),
		gate.StatementRun{StartMS: 0.5, DurationMS: 7507.2, Tag: "UPDATE 1200000", Rows: 1_200_000, WALBytes: 482_000_000, How: "explicit transaction", ToCommitMS: 7800},
		gate.StatementRun{StartMS: 7510, DurationMS: 288.7, Tag: "DELETE 40211", Rows: 40_211, WALBytes: 3_100_000, How: "explicit transaction", ToCommitMS: 290})}
	row := func(rel string, line, stmt int, rows int64, opened float64) gate.LockWindow {
		return window(rel, "ROW EXCLUSIVE", "ddl", file, line, line, opened, 7801, 0, func(w *gate.LockWindow) {
			w.RowLocks, w.Rows, w.Blocks, w.Statement, w.Witness = true, rows, nil, stmt, "statement"
		})
	}
	o.Locks = []gate.LockWindow{
		row("public.orders", 1, 0, 1_200_000, 0.5),
		row("public.order_lines", 2, 1, 40_211, 7510),
		window("public.orders", "ROW EXCLUSIVE", "ddl", file, 1, 1, 0.5, 7801, 7790, nil),
		window("public.order_lines", "ROW EXCLUSIVE", "ddl", file, 2, 2, 7510, 7801, 288, func(w *gate.LockWindow) { w.Statement = 1 }),
	}
	return gate.Report{Verdict: gate.Pass, Policy: policy(), Observation: o}
}

// huge is a change beyond any reason: it must be cut, and say so.
func huge() gate.Report {
	o := base()
	r := gate.Report{Verdict: gate.Fail, Policy: policy()}
	at := 0.0
	for i := range 60 {
		file := fmt.Sprintf("migrations/%06d_step.up.sql", i+2)
		var sts []migration.Statement
		var runs []gate.StatementRun
		for k := range 20 {
			tbl := fmt.Sprintf("order_lines_%04d_%02d", i, k)
			sts = append(sts, st(k*4+1, "ALTER TABLE "+tbl+"\n    ALTER COLUMN quantity TYPE bigint,\n    ALTER COLUMN price TYPE numeric(14,2)"))
			d := 5 + float64((i*37+k*11)%400)
			run := gate.StatementRun{StartMS: at, DurationMS: d, Tag: "ALTER TABLE", WALBytes: int64(d * 60_000), How: "implicit transaction"}
			rel := "public." + tbl
			o.Tables[rel] = table(12_000, 1_400_000)
			if d > 300 {
				run.Rewrites = []gate.Rewrite{{Relation: rel, Part: "heap", Table: rel, Existing: true}}
			}
			o.Locks = append(o.Locks, window(rel, "ACCESS EXCLUSIVE", "reads,writes,ddl", file, k*4+1, k*4+3, at, at+d+1, d-1, func(w *gate.LockWindow) { w.Migration, w.Statement = i, k }))
			if d > 200 {
				r.Findings = append(r.Findings, gate.Finding{
					Rule: "lock-budget", Severity: gate.SeverityError, File: file, Line: k*4 + 1, EndLine: k*4 + 3,
					Message:  fmt.Sprintf("%s: reads and writes blocked for up to %.0f ms, budget 200 ms", rel, d+1),
					Evidence: map[string]any{"relation": rel, "mode": "ACCESS EXCLUSIVE", "at_least_ms": d - 1, "at_most_ms": d + 1, "budget_ms": 200},
					Fix:      "ALTER TABLE " + tbl + " ADD COLUMN quantity_new bigint;\nALTER TABLE " + tbl + " ADD COLUMN price_new numeric(14,2);",
				})
			}
			at += d + 2
			runs = append(runs, run)
		}
		o.Migrations = append(o.Migrations, mig(fmt.Sprintf("%06d", i+2), "step", script(file, sts...), runs...))
	}
	r.Observation = o
	return r
}
