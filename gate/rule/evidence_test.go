package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestParts: what was folded into a finding is listed with it, each relation
// and mode once, and no more than a reader would scroll through.
func TestParts(t *testing.T) {
	o := world(t, "ALTER TABLE orders ALTER total TYPE bigint")
	lock(&o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 900, 910, 910).Waited = true
	lock(&o, 0, 0, "public.orders", "ACCESS EXCLUSIVE", 300, 310, 310).Session = 9 // a worker's
	for range 2 {
		lock(&o, 0, 0, "public.orders:public.orders_pkey", "ACCESS EXCLUSIVE", 800, 810, 810)
	}
	f := rule.Judge(o, only("lock-budget")).Findings[0]
	want := []map[string]any{{"relation": "public.orders_pkey", "kind": "index", "mode": "ACCESS EXCLUSIVE", "at_most_ms": 810.0}}
	if diff := cmp.Diff(want, f.Evidence["parts"]); diff != "" {
		t.Error(diff)
	}
	if f.Evidence["waited"] != true {
		t.Errorf("the lock was waited for: %v", f.Evidence)
	}
	for i := range 150 {
		lock(&o, 0, 0, fmt.Sprintf("public.orders:public.i%d", i), "ACCESS EXCLUSIVE", 800, 810, 810)
	}
	f = rule.Judge(o, only("lock-budget")).Findings[0]
	if parts := f.Evidence["parts"].([]map[string]any); len(parts) != 100 {
		t.Errorf("%d parts listed", len(parts))
	}
}

// TestNotMeasuredEvidence: one notice for all, with each lock and each table
// once, and what to give the gate.
func TestNotMeasuredEvidence(t *testing.T) {
	o := world(t, "ALTER TABLE orders ADD a int;\nALTER TABLE orders ADD b int")
	o.Snapshot, o.Tables = nil, nil
	lock(&o, 0, 1, "public.orders", "ACCESS EXCLUSIVE", 1, 2, 2)
	lock(&o, 1, 1, "public.orders", "SHARE", 3, 4, 4)
	findings := rule.Judge(o, only("lock-budget")).Findings
	expect(t, findings, `notice lock-budget .*:1 public\.orders: 2 blocking locks taken by this script, durations not measured: no snapshot, and the table is empty here`)
	f := findings[0]
	want := map[string]any{"size": "unknown", "not_measured": []map[string]any{
		{"relation": "public.orders", "mode": "ACCESS EXCLUSIVE", "blocks": modes["ACCESS EXCLUSIVE"], "line": 1, "at_least_ms": 1.0, "at_most_ms": 2.0},
		{"relation": "public.orders", "mode": "SHARE", "blocks": modes["SHARE"], "line": 2, "at_least_ms": 3.0, "at_most_ms": 4.0},
	}}
	if diff := cmp.Diff(want, f.Evidence); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(f.Fix, "--snapshot") {
		t.Errorf("fix: %s", f.Fix)
	}
}

// TestLocksEndWithTheirMigration: a lock of one migration is not held under
// the statements of the next, whatever their numbers within their files.
func TestLocksEndWithTheirMigration(t *testing.T) {
	o := world(t, "ALTER TABLE orders ADD a int;\nSELECT 1;\nSELECT 2")
	next := world(t, "SELECT 3;\nALTER TABLE orders VALIDATE CONSTRAINT c").Migrations[0]
	next.Version, next.Up.File = "000003", "migrations/000003_y.up.sql"
	for i := range next.Up.Statements {
		next.Up.Statements[i].File = next.Up.File
	}
	next.Apply.Statements[1].Scans = []gate.Scan{{Table: "public.orders", Rows: 1, Existing: true}}
	o.Migrations = append(o.Migrations, next)
	lock(&o, 0, 2, "public.orders", "ACCESS EXCLUSIVE", 200, 210, 2)
	expect(t, rule.Judge(o, only("full-scan-under-lock")).Findings)

	// But one seen to last into it (a second connection's) is.
	w := &o.Locks[0]
	for _, st := range next.Up.Statements {
		w.HeldDuring = append(w.HeldDuring, gate.StatementRef{File: st.File, Line: st.Line})
	}
	expect(t, rule.Judge(o, only("full-scan-under-lock", "lock-held-across-statements")).Findings,
		`warning lock-held-across-statements 000002_x.up.sql:1 .*, through 4 later statements to migrations/000003_y.up.sql:2; budget 200 ms`,
		`warning full-scan-under-lock 000003_y.up.sql:2 .* under ACCESS EXCLUSIVE held since migrations/000002_x.up.sql:1, .*`)
}

// TestFailureEvidence: all that the server said is there, and the statement.
func TestFailureEvidence(t *testing.T) {
	const sql = "ALTER TABLE orders\n  ALTER total TYPE bigint"
	o := world(t, sql)
	o.Migrations[0].Apply.Failure = &gate.Failure{Statement: 0, File: upFile, Line: 1, Code: "0A000", Message: "cannot alter type of a column used by a view or rule",
		Detail: "rule _RETURN on view v depends on column \"total\".", Hint: "try again.", Where: "somewhere"}
	f := rule.Judge(o, only("migration-failed")).Findings[0]
	want := map[string]any{"code": "0A000", "server_message": "cannot alter type of a column used by a view or rule",
		"detail": "rule _RETURN on view v depends on column \"total\".", "hint": "try again.", "where": "somewhere"}
	if diff := cmp.Diff(want, f.Evidence); diff != "" {
		t.Error(diff)
	}
	if f.SQL != sql || f.Line != 1 || f.EndLine != 2 {
		t.Errorf("lines %d to %d of %q", f.Line, f.EndLine, f.SQL)
	}
	if want := `(SQLSTATE 0A000): rule _RETURN on view v depends on column "total"`; !strings.HasSuffix(f.Message, want) {
		t.Errorf("message %q, want it to end in %q", f.Message, want)
	}
	if !strings.HasPrefix(f.Fix, "drop the views that use it") {
		t.Errorf("fix: %s", f.Fix)
	}

	// Without detail, hint, context or SQLSTATE there is no key and no gap.
	o.Migrations[0].Apply.Failure = &gate.Failure{Statement: -1, Line: 2, Message: "no."}
	f = rule.Judge(o, only("migration-failed")).Findings[0]
	if diff := cmp.Diff(map[string]any{"code": "", "server_message": "no."}, f.Evidence); diff != "" || !strings.HasSuffix(f.Message, ": no") {
		t.Error(f.Message, diff)
	}
	o.Migrations[0].Apply.Failure.CommitRolledBack = true
	if f := rule.Judge(o, only("migration-failed")).Findings[0]; f.Evidence["commit_rolled_back"] != true {
		t.Errorf("evidence: %v", f.Evidence)
	}
}

// TestDriftEvidence: a table that is lost leads its columns, and the fix says
// what to bring back.
func TestDriftEvidence(t *testing.T) {
	o := reversed(t, "ALTER TABLE orders RENAME COLUMN note TO _deprecated_note", nil)
	table := &snapshot.Object{Kind: "table", Name: "public.users", Definition: "OWNER x"}
	column := &snapshot.Object{Kind: "column", Name: "public.users.id", Relation: "public.users", Definition: "integer"}
	o.Reverse.Changes = []gate.SchemaChange{
		{Change: snapshot.Change{What: "removed", Before: column}, File: downFile, Line: 1},
		{Change: snapshot.Change{What: "removed", Before: table}, File: downFile, Line: 1},
		{Change: snapshot.Change{What: "changed", Before: &snapshot.Object{Kind: "view", Name: "public.v", Definition: "SELECT 1"},
			After: &snapshot.Object{Kind: "view", Name: "public.v", Definition: "SELECT 2"}}, File: downFile, Line: 1},
	}
	findings := rule.Judge(o, only("down-drift")).Findings
	expect(t, findings, `.* after the down script table public\.users is gone, and 1 more difference`, `.* view public\.v differs: SELECT 2, was SELECT 1`)
	if diff := cmp.Diff(map[string]any{"relation": "public.users", "what": "removed", "before": "OWNER x",
		"differences": []string{"column public.users.id is gone", "table public.users is gone"}}, findings[0].Evidence); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"relation": "public.v", "what": "changed", "before": "SELECT 1", "after": "SELECT 2",
		"differences": []string{"view public.v differs: SELECT 2, was SELECT 1"}}, findings[1].Evidence); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(findings[0].Fix, "let the down script bring back table public.users: OWNER x") {
		t.Errorf("fix: %s", findings[0].Fix)
	}
}

// TestDriftShowsTheDifference of two definitions that begin alike.
func TestDriftShowsTheDifference(t *testing.T) {
	o := reversed(t, "SELECT 1", nil)
	body := "CREATE OR REPLACE FUNCTION public.total(o bigint)\n RETURNS bigint\n AS $$" + strings.Repeat(" -- as it was", 20) + "\n SELECT sum(%s) $$"
	o.Reverse.Changes = []gate.SchemaChange{{Change: snapshot.Change{What: "changed",
		Before: &snapshot.Object{Kind: "function", Name: "public.total", Definition: strings.Replace(body, "%s", "price", 1)},
		After:  &snapshot.Object{Kind: "function", Name: "public.total", Definition: strings.Replace(body, "%s", "price * n", 1)}}, File: downFile, Line: 1}}
	expect(t, rule.Judge(o, only("down-drift")).Findings, `.*differs: … .*SELECT sum\(price \* n\) \$\$, was … .*SELECT sum\(price\) \$\$$`)
	o.Reverse.Changes[0].After = &snapshot.Object{Kind: "function", Name: "public.total", Definition: "a\n b"}
	o.Reverse.Changes[0].Before = &snapshot.Object{Kind: "function", Name: "public.total", Definition: "a b"}
	expect(t, rule.Judge(o, only("down-drift")).Findings, `.* function public\.total differs in white space: a b$`)
}

// TestReversalOfWhatHasNoVersion: nothing goes back behind a repeatable
// migration, so none is told to have a down script.
func TestReversalOfWhatHasNoVersion(t *testing.T) {
	o := gate.Observation{Layout: "flyway"}
	for _, m := range of(t, "flyway", "V1__a.sql", "R__views.sql", "B1__all.sql") {
		o.Migrations = append(o.Migrations, gate.Migration{Migration: m})
	}
	for _, reversal := range []gate.Reversal{gate.ForwardOnly, gate.Exact} {
		p := only("down-missing")
		p.Reversal = reversal
		expect(t, rule.Judge(o, p).Findings, `.* down-missing V1__a\.sql:0 .*`)
	}
}

// TestLossEvidence has a key for each thing that is known, and none for others.
func TestLossEvidence(t *testing.T) {
	o := reversed(t, "ALTER TABLE orders RENAME COLUMN note TO _deprecated_note", nil)
	o.Reverse.Losses = []gate.DataChange{
		{Table: "public.a", Now: "public.a", RowsBefore: 9, Missing: 2, Added: 1, Examples: []string{"id=1"}, File: downFile, Line: 1},
		{Table: "public.b", Now: "public._deprecated_b", RowsBefore: 5, Missing: 5, GoneColumns: []string{"note"}, File: downFile, Line: 1},
	}
	findings := rule.Judge(o, only("down-loses-data")).Findings
	for i, want := range []map[string]any{
		{"relation": "public.a", "rows_before": int64(9), "missing": int64(2), "added": int64(1), "examples": []string{"id=1"}},
		{"relation": "public.b", "rows_before": int64(5), "missing": int64(5), "added": int64(0), "now": "public._deprecated_b", "gone_columns": []string{"note"}},
	} {
		if diff := cmp.Diff(want, findings[i].Evidence); diff != "" {
			t.Error(diff)
		}
	}
}

// TestRenamesToPaste: fixes about files are commands for the very files.
func TestRenamesToPaste(t *testing.T) {
	o := reversed(t, "SELECT 1", nil)
	o.Merged = []gate.MergedMigration{{Version: "000007", Number: 7, File: "migrations/000007_m.up.sql"}}
	f := rule.Judge(o, only("version-order")).Findings[0]
	if want := "git mv migrations/000002_x.up.sql migrations/000008_x.up.sql\ngit mv migrations/000002_x.down.sql migrations/000008_x.down.sql"; f.Fix != want {
		t.Errorf("fix: %s", f.Fix)
	}
	o.Migrations[0].Version, o.Migrations[0].Number = "20200102030405", 6
	if f := rule.Judge(o, only("version-order")).Findings[0]; f.Fix != "rename its files to a version of the present moment" {
		t.Errorf("fix: %s", f.Fix)
	}

	o = gate.Observation{Base: "origin/main", Files: []gate.FileChange{
		{Path: "migrations/1_a.up.sql", Status: "edited", FirstLine: 3, Merged: true, Version: "1"},
		{Path: "migrations/1_b.up.sql", Status: "deleted", Merged: true, Version: "1"},
	}}
	findings := rule.Judge(o, only("checksum-drift")).Findings
	if f := findings[0]; f.Fix != "git checkout origin/main -- migrations/1_a.up.sql\n# then put what you want to change into a new migration" {
		t.Errorf("fix: %s", f.Fix)
	}
	if f := findings[1]; f.Fix != "git checkout origin/main -- migrations/1_b.up.sql" {
		t.Errorf("fix: %s", f.Fix)
	}
}
