package changeset

import (
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// What a tool's own table says of migrations that are read as plain.
func TestPlainLedgers(t *testing.T) {
	m := func(file, version string, number int64) migration.Migration {
		return migration.Migration{Version: version, Number: number, Up: migration.Script{File: file}}
	}
	for _, tt := range []struct {
		kind         string
		columns, row string
		half         string
		ran, lacks   migration.Migration
		undone       string // a row that counts no more
	}{
		{
			kind: "sqlx", columns: "version,description,installed_on,success,checksum,execution_time", row: "20240101000000,a,now,t,x,1",
			half: "20240102000000,b,now,f,x,1", ran: m("m/20240101000000_a.sql", "20240101000000", 20240101000000), lacks: m("m/20240102000000_b.sql", "20240102000000", 20240102000000),
		},
		{kind: "sqlx", columns: "version,success", row: "1,t", half: "2,f", ran: m("m/0001_a.sql", "0001", 1), lacks: m("m/0002_b.sql", "0002", 2)},
		{
			kind: "diesel", columns: "version,run_on", row: "20190101000000,now",
			ran: m("m/2019-01-01-000000_a/up.sql", "20190101000000", 20190101000000), lacks: m("m/2019-01-02-000000_b/up.sql", "20190102000000", 20190102000000),
		},
		{
			kind: "prisma", columns: "id,checksum,finished_at,migration_name,logs,rolled_back_at,started_at,applied_steps_count", row: "1,x,now,20240101_a,,,now,1",
			half: "2,x,,20240102_b,error,,now,0", undone: "2,x,,20240102_b,error,later,now,0",
			ran: m("m/20240101_a/migration.sql", "20240101", 20240101), lacks: m("m/20240102_b/migration.sql", "20240102", 20240102),
		},
		{kind: "supabase", columns: "version,statements,name", row: "20240101000000,{},a", ran: m("m/20240101000000_a.sql", "20240101000000", 1), lacks: m("m/2_b.sql", "2", 2)},
	} {
		read := func(rows ...string) *Ledger {
			t.Helper()
			var all [][]string
			for _, r := range rows {
				if r != "" {
					all = append(all, strings.Split(r, ","))
				}
			}
			l, err := ReadLedger(tt.kind, "history", strings.Split(tt.columns, ","), all)
			if err != nil {
				t.Fatalf("%s: %v", tt.kind, err)
			}
			return l
		}
		c := &Change{Merged: []migration.Migration{tt.ran, tt.lacks}}
		_, missing, _, err := Pending(c, read(tt.row, tt.undone))
		if err != nil || len(missing) != 1 || missing[0].Up.File != tt.lacks.Up.File {
			t.Errorf("%s: missing %v, %v", tt.kind, missing, err)
		}
		if tt.half != "" {
			_, _, _, err := Pending(c, read(tt.row, tt.half))
			wantError(t, err, "half applied", "history")
		}
		if _, err := ReadLedger(tt.kind, "history", []string{"other"}, nil); err == nil || !strings.Contains(err.Error(), tt.kind) {
			t.Errorf("%s: another table's columns are taken: %v", tt.kind, err)
		}
	}
	for table, kind := range map[string]string{
		"_sqlx_migrations": "sqlx", "app._prisma_migrations": "prisma", `"app"."__diesel_schema_migrations"`: "diesel",
		"supabase_migrations.schema_migrations": "supabase", "schema_migrations": "", "x_sqlx_migrations": "",
	} {
		if got := plainLedgerKind(table); got != kind {
			t.Errorf("%s: %q, want %q", table, got, kind)
		}
	}
}
