package rule_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// of lists migrations as a layout reads their names.
func of(t *testing.T, layout string, files ...string) []migration.Migration {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys["migrations/"+f] = &fstest.MapFile{Data: []byte(scriptOf(layout))}
	}
	set, err := migration.List(fsys, "migrations", migration.Layout{Name: layout}, migration.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Migrations) == 0 {
		t.Fatalf("no migration of %s in %v", layout, files)
	}
	return set.Migrations
}

func scriptOf(layout string) string {
	return map[string]string{
		"goose": "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n", "dbmate": "-- migrate:up\nSELECT 1;\n-- migrate:down\n",
		"sql-migrate": "-- +migrate Up\nSELECT 1;\n",
	}[layout] + "SELECT 1;\n"
}

func TestVersionOrderOfEachLayout(t *testing.T) {
	for name, tc := range map[string]struct {
		layout        string
		merged, added []string
		outOfOrder    bool
		severity      gate.Severity // "" for no finding
		message, fix  string
	}{
		"goose": {"goose", []string{"00001_a.sql", "00003_c.sql"}, []string{"00002_b.sql"}, false, gate.SeverityError,
			"version 00002 is lower than the merged 00003: goose refuses to run it on a database that is at 00003 already", "git mv migrations/00002_b.sql migrations/00004_b.sql"},
		"dbmate runs it": {"dbmate", []string{"1_a.sql", "3_c.sql"}, []string{"2_b.sql"}, false, gate.Warning,
			"version 2 is lower than the merged 3: dbmate runs it there all the same, after 3, while new databases run it before", "git mv migrations/2_b.sql migrations/4_b.sql"},
		"dbmate compares texts": {"dbmate", []string{"9_a.sql"}, []string{"10_b.sql"}, false, gate.Warning, "version 10 is lower than the merged 9", ""},
		"dbmate by the clock": {"dbmate", []string{"20240103000000_c.sql"}, []string{"20240102000000_b.sql"}, false, gate.Warning,
			"dbmate --strict", "rename its files to a version of the present moment"},
		"dbmate, taken":      {"dbmate", []string{"3_c.sql"}, []string{"3_d.sql"}, false, gate.SeverityError, "version 3 is taken by the merged migrations/3_c.sql: databases that ran that one would never run this one", "git mv migrations/3_d.sql migrations/4_d.sql"},
		"dbmate, 3 is no 03": {"dbmate", []string{"03_c.sql"}, []string{"3_d.sql"}, false, "", "", ""},
		"sql-migrate runs it": {"sql-migrate", []string{"0001_a.sql", "0003_c.sql"}, []string{"0002_b.sql"}, false, gate.Warning,
			"version 0002_b.sql is lower than the merged 0003_c.sql: sql-migrate runs it there all the same", "git mv migrations/0002_b.sql migrations/0004_b.sql"},
		"sql-migrate, one number and two names": {"sql-migrate", []string{"0001_a.sql", "0003_c.sql"}, []string{"0003_d.sql"}, false, "", "", ""},
		"sql-migrate without numbers": {"sql-migrate", []string{"c.sql"}, []string{"b.sql"}, false, gate.Warning,
			"version b.sql is lower than the merged c.sql", "rename it, so that its name comes after c.sql"},
		"flyway": {"flyway", []string{"V1__a.sql", "V1.10__c.sql"}, []string{"V1.9__b.sql"}, false, gate.SeverityError,
			"version 1.9 is lower than the merged 1.10: Flyway refuses to migrate a database that is at 1.10 already", "git mv migrations/V1.9__b.sql migrations/V1.11__b.sql"},
		"flyway, spelled with underscores": {"flyway", []string{"V2_1__a.sql"}, []string{"V2_0_5__b.sql"}, false, gate.SeverityError, "version 2.0.5 is lower than the merged 2.1", "git mv migrations/V2_0_5__b.sql migrations/V2_2__b.sql"},
		"flyway with outOfOrder": {"flyway", []string{"V1__a.sql", "V1.10__c.sql"}, []string{"V1.9__b.sql"}, true, gate.Warning,
			"flyway.outOfOrder has Flyway run it there after 1.10", ""},
		"flyway, the same in another spelling": {"flyway", []string{"V1__a.sql"}, []string{"V1.0__b.sql"}, false, gate.SeverityError,
			"version 1.0 is taken by the merged migrations/V1__a.sql (1.0 and 1 are the same version): Flyway refuses to run at all", "git mv migrations/V1.0__b.sql migrations/V2__b.sql"},
		"flyway, repeatables have no place":  {"flyway", []string{"V2__a.sql", "R__v.sql"}, []string{"R__a.sql", "V3__b.sql"}, false, "", "", ""},
		"flyway, a version and its baseline": {"flyway", []string{"B3__all.sql", "V2__a.sql"}, []string{"V3__b.sql"}, false, "", "", ""},
		"plain": {"plain", []string{"1_a.sql", "10_c.sql"}, []string{"9_b.sql"}, false, gate.SeverityError,
			"version 9 is lower than the merged 10: what runs the files in their order is past it", "git mv migrations/9_b.sql migrations/11_b.sql"},
		"plain, taken": {"plain", []string{"1_a.sql", "5_y.sql"}, []string{"005_z.sql"}, false, gate.SeverityError,
			"version 005 is taken by the merged migrations/5_y.sql (005 and 5 are the same number): whatever keeps versions takes the two for one", "git mv migrations/005_z.sql migrations/006_z.sql"},
		"plain, taken, lower by its name": {"plain", []string{"1_a.sql", "5_y.sql"}, []string{"05_a.sql"}, false, gate.SeverityError, "version 05 is taken by the merged migrations/5_y.sql", "git mv migrations/05_a.sql migrations/06_a.sql"},
		"plain, where numbers are shared": {"plain", []string{"1_a.sql", "1_b.sql", "5_y.sql"}, []string{"005_z.sql"}, false, "", "", ""},
		"plain, a second one of a day":    {"plain", []string{"2024-05-06_a.sql"}, []string{"2024-05-06_b.sql"}, false, "", "", ""},
		"plain, a second one of a second": {"plain", []string{"20240506070809_a.sql"}, []string{"20240506070809_b.sql"}, false, gate.SeverityError, "version 20240506070809 is taken by", "rename its files to a version of the present moment"},
		"plain, Prisma goes by names":     {"plain", []string{"20240506070809_a/migration.sql"}, []string{"20240506070809_b/migration.sql"}, false, "", "", ""},
		"plain, without numbers":          {"plain", []string{"a.sql"}, []string{"b.sql"}, false, "", "", ""},
		"plain, directories": {"plain", []string{"01_a/up.sql", "03_c/up.sql", "03_c/down.sql"}, []string{"02_b/up.sql", "02_b/down.sql"}, false, gate.SeverityError,
			"what runs the files in their order", "git mv migrations/02_b migrations/04_b"},
		// Prisma sorts its directories as text.
		"plain, a day among times": {"plain", []string{"20250326162113_a/migration.sql", "20260107111013_b/migration.sql"}, []string{"20260108_c/migration.sql"}, false, "", "", ""},
		"plain, a day before a time": {"plain", []string{"20260107111013_b/migration.sql"}, []string{"20260106_c/migration.sql"}, false, gate.SeverityError,
			"version 20260106 is lower than the merged 20260107111013", "rename its files to a version of the present moment"},
		"plain, Prisma's first":                  {"plain", []string{"0_init/migration.sql"}, []string{"20260106120000_a/migration.sql"}, false, "", "", ""},
		"plain, directories compare as texts":    {"plain", []string{"1_a/migration.sql", "2_b/migration.sql"}, []string{"10_c/migration.sql"}, false, gate.SeverityError, "version 10 is lower than the merged 2", ""},
		"plain, directories after files":         {"plain", []string{"20250101000000_a.sql"}, []string{"20250601_b/migration.sql"}, false, "", "", ""},
		"plain, files after directories":         {"plain", []string{"20250601000000_a/migration.sql"}, []string{"20250701000000_b.sql"}, false, "", "", ""},
		"plain, diesel's first":                  {"plain", []string{"00000000000000_diesel_initial_setup/up.sql"}, []string{"2021-03-09-171136_a/up.sql"}, false, "", "", ""},
		"plain, diesel's with dashes after none": {"plain", []string{"20200101000000_a/up.sql"}, []string{"2021-03-09-171136_b/up.sql"}, false, "", "", ""},
		"plain, diesel's late": {"plain", []string{"2021-03-09-171136_a/up.sql"}, []string{"2021-03-08-171136_b/up.sql"}, false, gate.SeverityError,
			"version 20210308171136 is lower than the merged 20210309171136", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := gate.Observation{Layout: tc.layout, OutOfOrder: tc.outOfOrder}
			all := of(t, tc.layout, slices.Concat(tc.merged, tc.added)...)
			for _, m := range all {
				isNew := slices.ContainsFunc(tc.added, func(f string) bool { return m.Up.File == "migrations/"+f })
				if isNew {
					o.Migrations = append(o.Migrations, gate.Migration{Migration: m})
					continue
				}
				o.Merged = append(o.Merged, gate.MergedMigration{Version: m.Version, Number: m.Number, Order: m.Order, Repeatable: m.Repeatable, Baseline: m.Baseline, Name: m.Name, File: m.Up.File})
			}
			findings := rule.Judge(o, only("version-order")).Findings
			if tc.severity == "" {
				if len(findings) > 0 {
					t.Errorf("not wanted: %s", findings[0].Message)
				}
				return
			}
			if len(findings) != 1 {
				t.Fatalf("%d findings, want 1: %+v", len(findings), findings)
			}
			f := findings[0]
			if f.Severity != tc.severity || !strings.Contains(f.Message, tc.message) || tc.fix != "" && f.Fix != tc.fix {
				t.Errorf("got %s: %s\nfix: %s\nwant %s: %s\nfix: %s", f.Severity, f.Message, f.Fix, tc.severity, tc.message, tc.fix)
			}
		})
	}
}

// TestDriftOfEachLayout: what is said of a merged file's fate is what its tool
// makes of it.
func TestDriftOfEachLayout(t *testing.T) {
	change := func(status, file string) gate.FileChange {
		return gate.FileChange{Path: "migrations/" + file, Status: status, From: "migrations/old.sql", Merged: true, Version: "2", FirstLine: 1}
	}
	for name, tc := range map[string]struct {
		layout string
		file   gate.FileChange
		want   string
	}{
		"flyway, edited":              {"flyway", change("edited", "V2__b.sql"), "checksum mismatch"},
		"flyway, deleted":             {"flyway", change("deleted", "V2__b.sql"), "not resolved locally"},
		"flyway, what is beside it":   {"flyway", change("edited", "V2__b.sql.conf"), "databases that ran it keep the old effect"},
		"sql-migrate, renamed":        {"sql-migrate", change("renamed", "2_b.sql"), "unknown migration in database"},
		"dbmate, deleted":             {"dbmate", change("deleted", "2_b.sql"), "dbmate says nothing of it"},
		"plain, edited":               {"plain", change("edited", "2_b.sql"), "databases that ran it keep the old effect"},
		"flyway, repeatable, deleted": {"flyway", gate.FileChange{Path: "migrations/R__v.sql", Status: "deleted", Merged: true, Repeatable: true}, "merged repeatable migration was deleted"},
		"flyway, repeatable, edited":  {"flyway", gate.FileChange{Path: "migrations/R__v.sql", Status: "edited", Merged: true, Repeatable: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			findings := rule.Judge(gate.Observation{Layout: tc.layout, Files: []gate.FileChange{tc.file}}, only("checksum-drift")).Findings
			switch {
			case tc.want == "" && len(findings) == 0:
			case len(findings) != 1 || tc.want == "" || !strings.Contains(findings[0].Message, tc.want):
				t.Errorf("want one finding with %q, got %+v", tc.want, findings)
			}
		})
	}
}
