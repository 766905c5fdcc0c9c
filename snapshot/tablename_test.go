package snapshot_test

import (
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

func TestSplitTable(t *testing.T) {
	for name, want := range map[string][2]string{
		"schema_migrations":      {"", "schema_migrations"},
		"ops.schema_migrations":  {"ops", "schema_migrations"},
		`"Ops"."Schema History"`: {"Ops", "Schema History"},
		`"a.b".c`:                {"a.b", "c"},
		"`shop`.`hist`":          {"shop", "hist"},
		`"say ""hi""".t`:         {`say "hi"`, "t"},
		"[dbo].hist":             {"dbo", "hist"},
		"":                       {}, ".": {}, "a.": {}, ".a": {}, "a.b.c": {}, `"a`: {}, `"a"b`: {}, `""`: {},
	} {
		schema, table, err := snapshot.SplitTable(name)
		if (err == nil) != (want != [2]string{}) || schema != want[0] || table != want[1] {
			t.Errorf("%q: %q, %q, %v; want %q", name, schema, table, err, want)
		}
	}
}
