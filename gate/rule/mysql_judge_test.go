package rule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// myWorld is world on MySQL: a million orders with their child order_items,
// and one small table.
func myWorld(t *testing.T, up string) gate.Observation {
	t.Helper()
	o := gate.Observation{
		Layout: "golang-migrate", Engine: gate.Engine{Name: "mysql", Version: "9.7.4"}, Snapshot: &gate.SnapshotFacts{},
		Tables: map[string]gate.Table{
			"shop.orders":      {Rows: 1_000_000, Bytes: 250 << 20, RootRows: 1_000_000, RootBytes: 250 << 20, References: []string{"shop.customers"}},
			"shop.order_items": {Rows: 200_000, Bytes: 50 << 20, RootRows: 200_000, RootBytes: 50 << 20, References: []string{"shop.orders"}},
			"shop.customers":   {Rows: 50_000, Bytes: 20 << 20, RootRows: 50_000, RootBytes: 20 << 20},
			"shop.small":       {Rows: 9_999, Bytes: 1 << 20, RootRows: 9_999, RootBytes: 1 << 20},
		},
		BaselineColumns: map[string][]string{"shop.orders": {"id", "total", "note"}, "shop.small": {"id", "x"}},
	}
	up1 := myScript(t, "mysql", upFile, up)
	o.Migrations = []gate.Migration{{
		Migration: migration.Migration{Version: "000002", Number: 2, Name: "x", Up: up1},
		Apply:     &gate.Run{Statements: make([]gate.StatementRun, len(up1.Statements))},
	}}
	return o
}

func myScript(t *testing.T, dialect migration.Dialect, file, sql string) migration.Script {
	t.Helper()
	statements, err := migration.ParseScriptWith(file, []byte(sql), migration.Options{Dialect: dialect})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range statements {
		if !st.Facts.Analysed {
			t.Fatalf("not analysed: %s: %s", st.Facts.NotAnalysed, st.SQL)
		}
	}
	return migration.Script{File: file, Statements: statements}
}

var myModes = map[string][]string{
	"EXCLUSIVE": {"reads", "writes", "ddl"}, "SHARED_NO_READ_WRITE": {"reads", "writes", "ddl"},
	"SHARED_NO_WRITE": {"writes", "ddl"}, "SHARED_READ_ONLY": {"writes", "ddl"}, "SHARED_UPGRADABLE": {"ddl"}, "SHARED_WRITE": {"ddl"},
}

// mdl adds the window of a metadata lock, from and to the outer edges, whose
// length is proven but for doubt milliseconds.
func mdl(o *gate.Observation, n int, table, mode string, from, to, doubt float64) *gate.LockWindow {
	st := o.Migrations[0].Up.Statements[n]
	o.Locks = append(o.Locks, gate.LockWindow{
		Relation: table, Table: table, Kind: "table", Mode: mode, Blocks: myModes[mode], Existing: true, Witness: "stages", Session: 8,
		Statement: n, File: st.File, Line: st.Line, EndLine: st.EndLine,
		OpenedMS: from, ClosedMS: to, AtMostMS: to - from, AtMostAloneMS: to - from, AtLeastMS: to - from - doubt,
	})
	return &o.Locks[len(o.Locks)-1]
}

// copied is a COPY of orders as it was measured: SU, SNW, X.
func copied(o *gate.Observation, n int) {
	mdl(o, n, "shop.orders", "SHARED_UPGRADABLE", 10, 12, 1)
	mdl(o, n, "shop.orders", "SHARED_NO_WRITE", 12, 7812, 2)
	mdl(o, n, "shop.orders", "EXCLUSIVE", 7810, 8020, 2).WaitedMS = 12
	r := run1(o, n)
	r.DurationMS = 8012
	r.DDL = &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "COPY", Rebuild: true, Lock: "SHARED", Evidence: "stage copy to tmp table"}
}

func TestStretches(t *testing.T) {
	for _, c := range []struct {
		name  string
		up    string
		facts func(*gate.Observation)
		want  []string
	}{
		{name: "a copy keeps writers out from the first lock to the end of the last, readers at the end only",
			up: "ALTER TABLE orders MODIFY total BIGINT", facts: func(o *gate.Observation) { copied(o, 0) },
			want: []string{
				`error lock-budget 000002_x.up.sql:1 shop\.orders: writes blocked for up to 8008 ms by SHARED_NO_WRITE, then EXCLUSIVE, of which up to 12 ms waiting for the lock, budget 200 ms`,
				`error lock-budget 000002_x.up.sql:1 shop\.orders: reads blocked for up to 210 ms, of which up to 12 ms waiting for the lock, budget 200 ms`}},
		{name: "two that are within the limit alone and over it together",
			up: "ALTER TABLE orders ADD INDEX (total), LOCK=SHARED", facts: func(o *gate.Observation) {
				mdl(o, 0, "shop.orders", "SHARED_NO_WRITE", 0, 150, 2)
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 150.1, 290, 2)
			},
			want: []string{`error .* writes blocked for up to 290 ms by SHARED_NO_WRITE, then EXCLUSIVE, budget 200 ms`}},
		{name: "apart, each is judged by itself",
			up: "ALTER TABLE orders ADD INDEX (total)", facts: func(o *gate.Observation) {
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 0, 150, 2)
				mdl(o, 0, "shop.orders", "SHARED_UPGRADABLE", 150, 2000, 2)
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 2000, 2150, 2)
			}},
		{name: "apart and both too long, one finding tells the longer and counts the other",
			up: "ALTER TABLE orders ADD INDEX (total)", facts: func(o *gate.Observation) {
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 0, 250, 2)
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 2000, 2400, 2)
			},
			want: []string{`error .* shop\.orders: reads and writes blocked for up to 400 ms, and 1 more time for up to 250 ms, budget 200 ms`}},
		{name: "what touches across statements is not joined: others had their turn",
			up: "ALTER TABLE orders COMMENT='a';\nALTER TABLE orders COMMENT='b'", facts: func(o *gate.Observation) {
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 0, 150, 2)
				mdl(o, 1, "shop.orders", "EXCLUSIVE", 150, 300, 2)
			}},
		{name: "but under LOCK TABLES it is",
			up: "LOCK TABLES orders WRITE;\nALTER TABLE orders COMMENT='b';\nUNLOCK TABLES", facts: func(o *gate.Observation) {
				w := mdl(o, 0, "shop.orders", "SHARED_NO_READ_WRITE", 0, 150, 2)
				w.HeldDuring, w.AtMostAloneMS = []gate.StatementRef{{File: upFile, Line: 2}}, 1
				mdl(o, 1, "shop.orders", "EXCLUSIVE", 150, 290, 2)
			},
			want: []string{`error .*:1 shop\.orders: reads and writes blocked for up to 290 ms by SHARED_NO_READ_WRITE, then EXCLUSIVE, budget 200 ms`}},
		{name: "row locks, what is new and what blocks DDL only are not judged",
			up: "UPDATE orders SET total = 1", facts: func(o *gate.Observation) {
				mdl(o, 0, "shop.orders", "SHARED_WRITE", 0, 3000, 2)
				mdl(o, 0, "shop.orders", "EXCLUSIVE", 0, 3000, 2).RowLocks = true
				mdl(o, 0, "shop.made", "EXCLUSIVE", 0, 3000, 2).Existing = false
			}},
		{name: "the child of an altered table",
			up: "ALTER TABLE orders ADD COLUMN note2 TEXT", facts: func(o *gate.Observation) { mdl(o, 0, "shop.order_items", "EXCLUSIVE", 0, 300, 2) },
			want: []string{`error .* shop\.order_items: reads and writes blocked for up to 300 ms, as a child of shop\.orders by a foreign key, budget 200 ms`}},
		{name: "the parent of a new foreign key",
			up: "ALTER TABLE small ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES customers (id)", facts: func(o *gate.Observation) {
				mdl(o, 0, "shop.customers", "SHARED_READ_ONLY", 0, 300, 2)
			},
			want: []string{`error .* shop\.customers: writes blocked for up to 300 ms, as a parent of shop\.small by a foreign key, budget 200 ms`}},
		{name: "a relative that nothing is known of",
			up: "LOCK TABLES small WRITE", facts: func(o *gate.Observation) { mdl(o, 0, "shop.customers", "SHARED_READ_ONLY", 0, 300, 2) },
			want: []string{`error .* shop\.customers: writes blocked for up to 300 ms, as a relative of shop\.small by a foreign key, budget 200 ms`}},
		{name: "a relative of what is put together at run time",
			up:    "CREATE PROCEDURE p(t text) BEGIN SET @s = CONCAT('ALTER TABLE ', t, ' FORCE'); PREPARE s FROM @s; EXECUTE s; END;\nCALL p('customers')",
			facts: func(o *gate.Observation) { mdl(o, 1, "shop.customers", "SHARED_NO_WRITE", 0, 300, 2) },
			want:  []string{`error .* shop\.customers: writes blocked for up to 300 ms, budget 200 ms`}},
		{name: "a table of the database that goes", up: "DROP DATABASE shop", facts: func(o *gate.Observation) { mdl(o, 0, "shop.customers", "EXCLUSIVE", 0, 300, 1) },
			want: []string{`error .* shop\.customers: reads and writes blocked for up to 300 ms, budget 200 ms`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := myWorld(t, c.up)
			c.facts(&o)
			expect(t, rule.Judge(o, only("lock-budget")).Findings, c.want...)
		})
	}
}

func TestStretchEvidence(t *testing.T) {
	o := myWorld(t, "ALTER TABLE orders MODIFY total BIGINT")
	copied(&o, 0)
	o.Locks[1].Witness = "ticker"
	want := map[string]any{
		"relation": "shop.orders", "mode": "SHARED_NO_WRITE", "blocks": []string{"writes"}, "at_least_ms": 8004.0, "at_most_ms": 8008.0, "budget_ms": 200.0,
		"witness": "ticker", "waited_ms": 12.0, "rows": int64(1_000_000), "bytes": int64(250 << 20),
		"phases": []map[string]any{
			{"mode": "SHARED_NO_WRITE", "blocks": []string{"writes"}, "at_least_ms": 7798.0, "at_most_ms": 7800.0, "witness": "ticker"},
			{"mode": "EXCLUSIVE", "blocks": []string{"reads", "writes"}, "at_least_ms": 208.0, "at_most_ms": 210.0, "witness": "stages"},
		},
	}
	if diff := cmp.Diff(want, rule.Judge(o, only("lock-budget")).Findings[0].Evidence); diff != "" {
		t.Error(diff)
	}
	o.Engine.Name = "mariadb"
	if e := rule.Judge(o, only("lock-budget")).Findings[0].Evidence; e["not_seen"] == nil {
		t.Errorf("MariaDB shows no waits, and nothing says so: %v", e)
	}
}

// The bounds of a stretch stay true: what may overlap is not counted twice.
func TestStretchLowerBound(t *testing.T) {
	o := myWorld(t, "ALTER TABLE orders MODIFY total BIGINT")
	mdl(&o, 0, "shop.orders", "SHARED_NO_WRITE", 0, 300, 50)
	mdl(&o, 0, "shop.orders", "EXCLUSIVE", 260, 500, 100)
	e := rule.Judge(o, only("lock-budget")).Findings[0].Evidence
	if e["at_least_ms"] != 350.0 || e["at_most_ms"] != 500.0 { // 250 + 140 - 40
		t.Errorf("bounds %v to %v", e["at_least_ms"], e["at_most_ms"])
	}
}

// LOCK TABLES is what holds a lock across statements on MySQL.
func TestLockTablesHeld(t *testing.T) {
	o := myWorld(t, "LOCK TABLES orders READ;\nUPDATE small SET x = 1;\nCREATE INDEX i ON small (x);\nUNLOCK TABLES")
	w := mdl(&o, 0, "shop.orders", "SHARED_READ_ONLY", 0, 5000, 2)
	w.AtMostAloneMS = 1
	w.HeldDuring = []gate.StatementRef{{File: upFile, Line: 2}, {File: upFile, Line: 3}, {File: upFile, Line: 4}}
	findings := rule.Judge(o, only("lock-held-across-statements")).Findings
	expect(t, findings, `warning lock-held-across-statements 000002_x.up.sql:1 shop\.orders: SHARED_READ_ONLY was needed for 1 ms, and held for up to 5000 ms, through 3 later statements to line 4; budget 200 ms`)
	want := "-- leave the lock out: what ran under it does not need it, for every DDL statement takes its own\n" +
		"-- 1. a migration of its own\n-- (in batches of some thousand rows, each its own transaction, or its row locks last as long)\nUPDATE small SET x = 1;\n" +
		"-- 2. a migration of its own\nCREATE INDEX i ON small (x);"
	if diff := cmp.Diff(want, findings[0].Fix); diff != "" {
		t.Error(diff)
	}
}

func TestRebuilds(t *testing.T) {
	const up = "ALTER TABLE orders MODIFY total BIGINT;\nALTER TABLE orders FORCE;\nALTER TABLE orders ADD FULLTEXT (note);\nTRUNCATE TABLE orders;\n" +
		"ALTER TABLE small ENGINE=InnoDB, ALGORITHM=COPY;\nALTER TABLE orders ADD COLUMN a INT;\nALTER TABLE orders REORGANIZE PARTITION p INTO (PARTITION p VALUES LESS THAN (5))"
	o := myWorld(t, up)
	copied(&o, 0)
	ddl := func(n int, d gate.OnlineDDL) {
		d.Existing = true
		run1(&o, n).DDL, run1(&o, n).DurationMS = &d, 15_462
	}
	ddl(1, gate.OnlineDDL{Table: "shop.orders", Algorithm: "INPLACE", Rebuild: true, Lock: "NONE"})
	mdl(&o, 1, "shop.orders", "EXCLUSIVE", 9000, 9024, 1)
	mdl(&o, 1, "shop.orders", "EXCLUSIVE", 24_000, 24_168, 1)
	ddl(2, gate.OnlineDDL{Table: "shop.orders", Algorithm: "INPLACE", Rebuild: true, Lock: "SHARED"})
	mdl(&o, 2, "shop.orders", "SHARED_NO_WRITE", 30_000, 33_500, 1)
	mdl(&o, 2, "shop.orders", "EXCLUSIVE", 33_500, 33_522, 1)
	run1(&o, 3).Rewrites = []gate.Rewrite{{Table: "shop.orders", Part: "heap", Existing: true, Emptied: true}}
	ddl(4, gate.OnlineDDL{Table: "shop.small", Algorithm: "COPY", Rebuild: true, Lock: "SHARED"})
	ddl(5, gate.OnlineDDL{Table: "shop.orders", Algorithm: "INSTANT"})
	ddl(6, gate.OnlineDDL{Table: "shop.orders", Algorithm: "INPLACE"})
	run1(&o, 6).Rewrites = []gate.Rewrite{{Table: "shop.orders", Relation: "shop.orders", Part: "heap", Existing: true, Bytes: 1 << 20}}
	mdl(&o, 6, "shop.orders", "SHARED_NO_WRITE", 50_000, 51_800, 1)
	findings := rule.Judge(o, only("table-rewrite")).Findings
	expect(t, findings,
		`error table-rewrite 000002_x.up.sql:1 shop\.orders: the whole table was copied \(1,000,000 rows, 262 MB\) in 8012 ms by ALGORITHM=COPY under SHARED_NO_WRITE: writes blocked for up to 8008 ms, reads for up to 210 ms`,
		`warning table-rewrite .*:2 shop\.orders: the whole table was rebuilt in place \(1,000,000 rows, 262 MB\) in 15462 ms; reads and writes passed, but for up to 168 ms; with production's writes a further pause to apply their log comes at the end, which grows with write traffic and was not measured`,
		`error table-rewrite .*:3 shop\.orders: the whole table was rebuilt in place .* under SHARED_NO_WRITE: writes blocked for up to 3522 ms, reads for up to 22 ms`,
		`notice table-rewrite .*:5 shop\.small: the whole table was copied \(9,999 rows, 1\.0 MB\) .*`,
		`error table-rewrite .*:7 shop\.orders: the whole table was written anew .* under SHARED_NO_WRITE: writes blocked for up to 1800 ms`)
	e := findings[0].Evidence
	for key, want := range map[string]any{"algorithm": "COPY", "lock": "SHARED", "rebuild": true, "told_by": "stage copy to tmp table", "mode": "SHARED_NO_WRITE", "at_most_ms": 8008.0, "duration_ms": 8012.0} {
		if e[key] != want {
			t.Errorf("evidence %s: %v, want %v", key, e[key], want)
		}
	}
	// A copy that lets writes pass (MariaDB 11.2) is as loud as a rebuild.
	run1(&o, 0).DDL.Lock = "NONE"
	o.Snapshot = nil
	expect(t, rule.Judge(o, only("table-rewrite")).Findings[:1], `warning table-rewrite .*:1 shop\.orders: the whole table was copied \(size unknown\) .*; reads and writes passed.*`)
}

// A rebuild instead of an INSTANT change is explained where the table's row
// versions were used up, and only there.
func TestRowVersionsUsedUp(t *testing.T) {
	const explained = `.* for its 255 row versions were used up by INSTANT changes and ALGORITHM was left out; reads and writes passed.*`
	instant, refused := gate.BestDDL{Algorithm: "INSTANT"}, gate.BestDDL{Algorithm: "INPLACE", Lock: "NONE", Code: "4092", Reason: "Maximum row versions reached"}
	for _, c := range []struct {
		name, up string
		versions int64
		best     *gate.BestDDL
		want     string
		fix      string
	}{
		{"before this change", "ALTER TABLE orders ADD COLUMN a INT", 255, &instant, explained, "its row versions are used up (error 4092)"},
		{"by this change, as on the empty clone", "ALTER TABLE orders ADD COLUMN a INT", 255, &refused, explained, "ALGORITHM=INPLACE, LOCK=NONE"},
		{"another reason", "ALTER TABLE orders ADD COLUMN a INT", 3, &instant, `.*in 500 ms; reads and writes passed.*`, "this fails there at once\n"},
		{"as it was asked for", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INPLACE", 255, &instant, `.*in 500 ms; reads and writes passed.*`, "ALGORITHM=INSTANT"},
		{"a rebuild whatever the versions", "ALTER TABLE orders FORCE", 255, &gate.BestDDL{Algorithm: "INPLACE", Lock: "NONE", Code: "1845"}, `.*in 500 ms; reads and writes passed.*`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := myWorld(t, c.up)
			run1(&o, 0).DurationMS = 500
			run1(&o, 0).DDL = &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Rebuild: true, Lock: "NONE", RowVersions: c.versions, Best: c.best}
			findings := rule.Judge(o, only("table-rewrite")).Findings
			expect(t, findings, `warning table-rewrite .*:1 shop\.orders: `+c.want)
			if f := findings[0]; !strings.Contains(f.Fix, c.fix) || f.Evidence["row_versions"] != c.versions {
				t.Errorf("%v\n%s", f.Evidence, f.Fix)
			}
		})
	}
}

// On MySQL a table is read under a lock that counts where an index keeps
// writers out, or where an earlier statement locked it.
func TestReadUnderLock(t *testing.T) {
	o := myWorld(t, "ALTER TABLE orders ADD FULLTEXT (note), ALGORITHM=INPLACE;\nCREATE INDEX i ON orders (total);\nLOCK TABLES customers WRITE;\nSELECT COUNT(*) FROM customers;\nUNLOCK TABLES;\nALTER TABLE orders FORCE")
	ddl := func(n int, lock string, rebuild bool) {
		run1(&o, n).DDL = &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Lock: lock, Rebuild: rebuild}
	}
	ddl(0, "SHARED", false)
	mdl(&o, 0, "shop.orders", "EXCLUSIVE", 0, 3, 1)
	mdl(&o, 0, "shop.orders", "SHARED_NO_WRITE", 3, 90, 1)
	ddl(1, "NONE", false)
	run1(&o, 1).Scans = []gate.Scan{{Table: "shop.orders", Existing: true, Rows: 1_000_000}}
	mdl(&o, 1, "shop.orders", "EXCLUSIVE", 200, 203, 1)
	w := mdl(&o, 2, "shop.customers", "SHARED_NO_READ_WRITE", 300, 400, 1)
	w.HeldDuring = []gate.StatementRef{{File: upFile, Line: 4}, {File: upFile, Line: 5}}
	run1(&o, 3).Scans = []gate.Scan{{Table: "shop.customers", Existing: true, Rows: 50_000}}
	ddl(5, "SHARED", true)
	mdl(&o, 5, "shop.orders", "SHARED_NO_WRITE", 500, 600, 1)
	findings := rule.Judge(o, only("full-scan-under-lock")).Findings
	expect(t, findings,
		`warning full-scan-under-lock 000002_x.up.sql:1 shop\.orders: the whole table was read \(1,000,000 rows, 262 MB\) under SHARED_NO_WRITE, while writes were blocked`,
		`warning full-scan-under-lock .*:4 shop\.customers: .* under SHARED_NO_READ_WRITE held since line 3, while reads and writes were blocked`)
	if want := "-- when the lock taken at line 3 is gone (UNLOCK TABLES, or COMMIT)\nSELECT COUNT(*) FROM customers;"; findings[1].Fix != want {
		t.Errorf("fix: %s", findings[1].Fix)
	}
}

// A large change is judged and drawn in the blink of an eye here, too.
func TestJudgeLargeMySQLChange(t *testing.T) {
	o := myWorld(t, strings.Repeat("ALTER TABLE orders ADD COLUMN a INT;\n", 250))
	for n := range 250 {
		run1(&o, n).DDL = &gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "COPY", Rebuild: true, Lock: "SHARED"}
		for i := range 20 {
			table := fmt.Sprintf("shop.t%d", i)
			o.Tables[table] = gate.Table{Rows: 1, References: []string{"shop.orders"}}
			mdl(&o, n, table, "SHARED_NO_WRITE", float64(n*1000), float64(n*1000+500), 1)
			mdl(&o, n, table, "EXCLUSIVE", float64(n*1000+500), float64(n*1000+900), 1)
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

func TestOnlineDDLNotExplicit(t *testing.T) {
	instant := gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INSTANT"}
	index := gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Lock: "NONE"}
	metadata := gate.OnlineDDL{Table: "shop.orders", Existing: true, Algorithm: "INPLACE", Best: &gate.BestDDL{Algorithm: "INPLACE", Lock: "NONE"}}
	change := func(d gate.OnlineDDL, f func(*gate.OnlineDDL)) gate.OnlineDDL { f(&d); return d }
	for _, c := range []struct {
		name, engine, up string
		ddl              gate.OnlineDDL
		want, fix        string
	}{
		{"instant", "mysql", "ALTER TABLE orders ADD COLUMN a INT", instant,
			`warning online-ddl-not-explicit 000002_x.up.sql:1 shop\.orders: ALGORITHM is left out \(1,000,000 rows, 262 MB\): the server took INSTANT here; where it cannot, it copies the table, and blocks every write meanwhile, without a word`,
			"ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT;"},
		{"DEFAULT counts as left out", "mysql", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=DEFAULT, LOCK=DEFAULT", instant, `warning .*`,
			"ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT;"},
		{"an index", "mysql", "CREATE INDEX i ON orders (total)", index, `warning .* the server took INPLACE here; .*`, "CREATE INDEX i ON orders (total) ALGORITHM=INPLACE LOCK=NONE;"},
		{"an index gone", "mysql", "DROP INDEX i ON orders", metadata, `warning .*`, "DROP INDEX i ON orders ALGORITHM=INPLACE LOCK=NONE;"},
		{"MariaDB's DROP INDEX has no clause", "mariadb", "DROP INDEX i ON orders", metadata, `warning .*`, "ALTER TABLE orders DROP INDEX i, ALGORITHM=NOCOPY, LOCK=NONE;"},
		{"what was said wrongly goes", "mysql", "CREATE INDEX i ON orders (total) ALGORITHM DEFAULT LOCK = SHARED", index, `warning .*`, "CREATE INDEX i ON orders (total) ALGORITHM=INPLACE LOCK=NONE;"},
		{"an index by ALTER TABLE", "mysql", "ALTER TABLE orders ADD INDEX (total)", index, `warning .*`, "ALTER TABLE orders ADD INDEX (total), ALGORITHM=INPLACE, LOCK=NONE;"},
		{"metadata that only INPLACE takes", "mysql", "ALTER TABLE orders RENAME INDEX a TO b", change(instant, func(d *gate.OnlineDDL) { d.Best = metadata.Best }), `warning .*`,
			"ALTER TABLE orders RENAME INDEX a TO b, ALGORITHM=INPLACE, LOCK=NONE;"},
		{"MariaDB has a word for no rebuild", "mariadb", "CREATE INDEX i ON orders (total)", index, `warning .*`, "CREATE INDEX i ON orders (total) ALGORITHM=NOCOPY LOCK=NONE;"},
		{"LOCK alone", "mysql", "ALTER TABLE orders ADD INDEX (total), ALGORITHM=INPLACE", index,
			`warning .* LOCK is left out .*: the server let writes pass here; where it cannot, it blocks every write until it is done, without a word`,
			"ALTER TABLE orders ADD INDEX (total), ALGORITHM=INPLACE, LOCK=NONE;"},
		{"NOCOPY leaves LOCK open, too", "mariadb", "ALTER TABLE orders ADD INDEX (total), ALGORITHM=NOCOPY", index, `warning .* LOCK is left out .*`,
			"ALTER TABLE orders ADD INDEX (total), ALGORITHM=NOCOPY, LOCK=NONE;"},
		{"LOCK=EXCLUSIVE asks for the worst by name", "mysql", "ALTER TABLE orders ADD INDEX (total), LOCK=EXCLUSIVE", index, "", ""},
		{"OPTIMIZE has no clause to name", "mysql", "OPTIMIZE TABLE orders", index, "", ""},
		{"small", "mysql", "ALTER TABLE small ADD COLUMN a INT", change(instant, func(d *gate.OnlineDDL) { d.Table = "shop.small" }), `notice .*`, "ALTER TABLE small ADD COLUMN a INT, ALGORITHM=INSTANT;"},
		{"said", "mysql", "ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT", instant, "", ""},
		{"LOCK=NONE rules a copy out", "mysql", "ALTER TABLE orders ADD INDEX (total), LOCK=NONE", index, "", ""},
		{"metadata needs no LOCK", "mysql", "ALTER TABLE orders RENAME INDEX a TO b, ALGORITHM=INPLACE", metadata, "", ""},
		{"table-rewrite tells of a copy", "mysql", "ALTER TABLE orders MODIFY total BIGINT", change(index, func(d *gate.OnlineDDL) { d.Algorithm, d.Rebuild = "COPY", true }), "", ""},
		{"and of a rebuild", "mysql", "ALTER TABLE orders FORCE", change(index, func(d *gate.OnlineDDL) { d.Rebuild = true }), "", ""},
		{"made by the change, or temporary", "mysql", "ALTER TABLE made ADD COLUMN a INT", change(instant, func(d *gate.OnlineDDL) { d.Existing = false }), "", ""},
		{"a name has no slow way", "mysql", "ALTER TABLE orders RENAME TO orders_2", instant, "", ""},
		{"nor have whole partitions", "mysql", "ALTER TABLE orders DROP PARTITION p1", instant, "", ""},
		{"nor one that changes places with a table", "mysql", "ALTER TABLE orders EXCHANGE PARTITION p1 WITH TABLE small", instant, "", ""},
		{"on PostgreSQL there is no such thing", "postgres", "ALTER TABLE orders ADD COLUMN a INT", instant, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := myWorld(t, c.up)
			o.Engine.Name = c.engine
			run1(&o, 0).DDL = &c.ddl
			findings := rule.Judge(o, only("online-ddl-not-explicit")).Findings
			if c.want == "" {
				expect(t, findings)
				return
			}
			expect(t, findings, c.want)
			if len(findings) == 1 && findings[0].Fix != c.fix {
				t.Errorf("fix %q, want %q", findings[0].Fix, c.fix)
			}
		})
	}
	o := myWorld(t, "ALTER TABLE orders ADD COLUMN a INT")
	run1(&o, 0).DDL = &instant
	o.Migrations[0].Apply.Failure = &gate.Failure{Code: "1060"}
	expect(t, rule.Judge(o, only("online-ddl-not-explicit")).Findings) // it did nothing
}

const halfway = "CREATE TABLE audit (id BIGINT PRIMARY KEY, what VARCHAR(20) UNIQUE);\nALTER TABLE orders ADD COLUMN a INT UNIQUE, ADD INDEX i (a);\n" +
	"ALTER TABLE orders ADD COLUMN total INT;\nSELECT 1;\nINSERT INTO audit VALUES (1, 'x')"

func TestHalfApplied(t *testing.T) {
	failed := &gate.Failure{Statement: 2, File: upFile, Line: 3, Code: "1060", SQLState: "42S21", Message: "Duplicate column name 'total'"}
	world := func(rerun *gate.Failure) gate.Observation {
		o := myWorld(t, halfway)
		m := &o.Migrations[0]
		m.Apply.Statements = m.Apply.Statements[:3]
		m.Apply.Failure = failed
		m.Rerun = &gate.Run{Failure: rerun}
		return o
	}
	const stopped = `error migration-failed 000002_x.up.sql:3 the deploy would stop at migration 000002: Duplicate column name 'total' \(error 1060 \(42S21\)\)` +
		`; statements 1-2 of 5 are applied and stay: MySQL commits DDL by itself; statement 3 failed; 4-5 did not run`

	o := world(&gate.Failure{Statement: 0, File: upFile, Line: 1, Code: "1050", SQLState: "42S01", Message: "Table 'audit' already exists"})
	findings := rule.Judge(o, only("migration-failed")).Findings
	expect(t, findings, stopped+`; a second run stops at line 1 with error 1050 \(42S01\), so it needs work by hand first`)
	want := map[string]any{"code": "1060", "sqlstate": "42S21", "server_message": "Duplicate column name 'total'",
		"applied": []map[string]any{{"statement": 1, "line": 1}, {"statement": 2, "line": 2}},
		"rerun":   map[string]any{"converges": false, "line": 1, "code": "1050", "server_message": "Table 'audit' already exists"}}
	if diff := cmp.Diff(want, findings[0].Evidence); diff != "" {
		t.Error(diff)
	}
	wantFix := "-- first: it is there already: if an earlier run left it, drop it by hand; MySQL has no IF NOT EXISTS for columns and indexes\n" +
		"-- what stays applied, undone from last to first, so that the migration can run again:\n" +
		"DROP INDEX i ON orders;\nALTER TABLE orders DROP COLUMN a;\nDROP TABLE audit;\n" +
		"-- golang-migrate marks version 000002 dirty: `migrate force` the version before it then\n" +
		"-- better before it is merged: one statement for each migration, so that a failure leaves nothing half done"
	if diff := cmp.Diff(wantFix, findings[0].Fix); diff != "" {
		t.Error(diff)
	}
	checkMySQL(t, "mysql", findings[0].Fix)

	o = world(failed)
	findings = rule.Judge(o, only("migration-failed")).Findings
	expect(t, findings, stopped+`; a second run stops at the same statement, so it goes on once that one is mended`)
	if strings.Contains(findings[0].Fix, "DROP") {
		t.Errorf("nothing has to be undone: %s", findings[0].Fix)
	}
	expect(t, rule.Judge(world(nil), only("migration-failed")).Findings, stopped+`; a second run goes through`)

	// Rows of an open transaction went with it; nothing else was left.
	o = myWorld(t, "START TRANSACTION;\nINSERT INTO small VALUES (1);\nINSERT INTO small VALUES (1);\nCOMMIT")
	run1(&o, 0).RolledBack, run1(&o, 1).RolledBack = true, true
	o.Migrations[0].Apply.Failure = &gate.Failure{Statement: 2, File: upFile, Line: 3, Code: "1062", SQLState: "23000", Message: "Duplicate entry '1' for key 'small.PRIMARY'"}
	findings = rule.Judge(o, only("migration-failed")).Findings
	expect(t, findings, `error .* \(error 1062 \(23000\)\); statement 2 was rolled back; statement 3 failed; 4 did not run`)
	if findings[0].Evidence["applied"] != nil {
		t.Errorf("nothing stays: %v", findings[0].Evidence)
	}
	// Alone, there is nothing to say of others.
	o = myWorld(t, "ALTER TABLE orders ADD COLUMN total INT")
	o.Migrations[0].Apply.Failure = &gate.Failure{File: upFile, Line: 1, Code: "1060", SQLState: "42S21", Message: "Duplicate column name 'total'"}
	expect(t, rule.Judge(o, only("migration-failed")).Findings, `error .* Duplicate column name 'total' \(error 1060 \(42S21\)\)`)
}

// PostgreSQL leaves something behind where a file commits on the way.
func TestHalfAppliedOnPostgres(t *testing.T) {
	o := world(t, "CREATE INDEX CONCURRENTLY i ON orders (id);\nALTER TABLE orders ADD total int")
	run1(&o, 0).How = "autocommit"
	o.Migrations[0].Apply.Failure = &gate.Failure{Statement: 1, File: upFile, Line: 2, Code: "42701", Message: `column "total" already exists`}
	o.Migrations[0].Rerun = &gate.Run{Failure: &gate.Failure{Statement: 0, File: upFile, Line: 1, Code: "42P07", Message: `relation "i" already exists`}}
	findings := rule.Judge(o, only("migration-failed")).Findings
	expect(t, findings, `error .* \(SQLSTATE 42701\); 1 statement before it would stay applied, outside of any transaction; a second run stops at line 1 with SQLSTATE 42P07, so it needs work by hand first`)
	if !strings.Contains(findings[0].Fix, "\nDROP INDEX i;\n") {
		t.Errorf("fix: %s", findings[0].Fix)
	}
}

func TestMySQLRemedies(t *testing.T) {
	for _, c := range []struct{ code, message, layout, want string }{
		{"1064", "You have an error in your SQL syntax; … near 'DELIMITER //' at line 1", "goose", "+goose StatementBegin"},
		{"1064", "You have an error in your SQL syntax; … near 'DELIMITER //' at line 1", "golang-migrate", "a file of its own, which is sent as it stands"},
		{"1064", "You have an error in your SQL syntax; … near 'SELEC 1'", "goose", ""},
		{"1227", "Access denied; you need (at least one of) the SUPER privilege(s) for this operation", "", "every right on its own schema and nothing beyond"},
		{"1142", "CREATE command denied", "", "let an administrator do this"},
		{"1419", "You do not have the SUPER privilege and binary logging is enabled", "", "log_bin_trust_function_creators"},
		{"1674", "Statement is unsafe because it uses a system function", "", "ALTER COLUMN … SET DEFAULT"},
		{"1826", "Duplicate foreign key constraint name 'f'", "", "unique in a schema"},
		{"3780", "Referencing column 'x' and referenced column 'id' are incompatible", "", "UNSIGNED"},
		{"1822", "Failed to add the foreign key constraint. Missing unique key", "", "unique index"},
		{"3819", "Check constraint 'c' is violated.", "", "clean them up"},
		{"1292", "Incorrect date value: '0000-00-00'", "", "zero dates"},
		{"1366", "Incorrect integer value", "", "--sql-mode"},
		{"1846", "ALGORITHM=INPLACE is not supported. Reason: Cannot change column type INPLACE. Try ALGORITHM=COPY.", "", "(it would take ALGORITHM=COPY)"},
		{"1845", "LOCK=NONE is not supported for this operation. Try LOCK=SHARED.", "", "(it would take LOCK=SHARED)"},
		{"1118", "Row size too large", "", "65,535 bytes"},
		{"1071", "Specified key was too long; max key length is 3072 bytes", "", "3,072 bytes"},
		{"4092", "Maximum row versions reached for table shop/orders", "", "FORCE, ALGORITHM=INPLACE"},
		{"9999", "what nobody has seen", "", ""},
	} {
		o := myWorld(t, "ALTER TABLE orders ADD COLUMN a INT")
		o.Layout = c.layout
		o.Migrations[0].Apply.Failure = &gate.Failure{File: upFile, Line: 1, Code: c.code, SQLState: "HY000", Message: c.message}
		f := rule.Judge(o, only("migration-failed")).Findings[0]
		if !strings.Contains(f.Fix, c.want) || (c.want == "") != (f.Fix == "") {
			t.Errorf("%s: %s", c.code, f.Fix)
		}
		if strings.Contains(f.Fix, "\n") || strings.HasSuffix(f.Fix, ";") {
			t.Errorf("%s: not one sentence: %s", c.code, f.Fix)
		}
	}
}

// checkMySQL reads a fix as its engine's scripts are read.
func checkMySQL(t *testing.T, dialect migration.Dialect, fix string) []migration.Statement {
	t.Helper()
	statements, err := migration.ParseScriptWith("fix.sql", []byte(fix), migration.Options{Dialect: dialect})
	if err != nil {
		t.Fatalf("%v\n%s", err, fix)
	}
	for _, st := range statements {
		if !st.Facts.Analysed {
			t.Errorf("not SQL: %s: %s\n%s", st.Facts.NotAnalysed, st.SQL, fix)
		}
	}
	return statements
}

// Nothing that only PostgreSQL knows is recommended on MySQL.
func noPostgres(t *testing.T, text string) {
	t.Helper()
	for _, word := range []string{"CONCURRENTLY", "NOT VALID", "VACUUM", "lock_timeout = '", "ACCESS EXCLUSIVE", "pg_", "\"orders\"", "ctid", "plpgsql"} {
		if strings.Contains(text, word) {
			t.Errorf("%q on MySQL:\n%s", word, text)
		}
	}
}
