package changeset

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/migration"
)

func numbered(numbers ...int64) []migration.Migration {
	var ms []migration.Migration
	for _, n := range numbers {
		ms = append(ms, migration.Migration{Number: n, Version: fmt.Sprint(n)})
	}
	return ms
}

func TestReadLedger(t *testing.T) {
	migrate := []string{"version", "dirty"}
	goose := []string{"id", "version_id", "is_applied", "tstamp"}
	none := map[int64]bool{}
	for name, tc := range map[string]struct {
		kind    string
		columns []string
		rows    [][]string
		want    *Ledger
		err     string
	}{
		"golang-migrate": {"last", migrate, [][]string{{"20240102030405", "f"}}, &Ledger{Last: 20240102030405, Applied: none}, ""},
		"golang-migrate, the other way round": {"last", []string{"dirty", "version"}, [][]string{{"false", "7"}},
			&Ledger{Last: 7, Applied: none}, ""},
		"golang-migrate, half applied": {"last", migrate, [][]string{{"7", "t"}}, &Ledger{Last: 7, Dirty: true, Applied: none}, ""},
		"golang-migrate, never run":    {"last", migrate, nil, &Ledger{Last: -1, Applied: none}, ""},
		"golang-migrate, two rows":     {"last", migrate, [][]string{{"1", "f"}, {"2", "f"}}, nil, "2 rows"},
		"a ledger of Rails":            {"last", []string{"version"}, [][]string{{"20240102030405"}}, nil, "no column dirty (it has version), so it is not golang-migrate's: name the layout with --layout"},
		"a version that is no number":  {"last", migrate, [][]string{{"V7", "f"}}, nil, "V7"},
		"goose": {"log", goose, [][]string{{"1", "0", "t", ""}, {"2", "1", "t", ""}, {"3", "2", "t", ""}},
			&Ledger{Last: 2, Applied: map[int64]bool{0: true, 1: true, 2: true}}, ""},
		"goose, one taken back": {"log", goose, [][]string{{"1", "0", "t", ""}, {"2", "1", "t", ""}, {"3", "2", "t", ""}, {"4", "2", "f", ""}},
			&Ledger{Last: 1, Applied: map[int64]bool{0: true, 1: true}}, ""},
		"goose, rows in no order": {"log", goose, [][]string{{"9", "2", "true", ""}, {"1", "0", "true", ""}, {"4", "2", "false", ""}},
			&Ledger{Last: 2, Applied: map[int64]bool{0: true, 2: true}}, ""},
		"goose, empty":        {"log", goose, nil, &Ledger{Last: -1, Applied: none}, ""},
		"goose, no truth":     {"log", goose, [][]string{{"1", "0", "maybe", ""}}, nil, "maybe"},
		"another tool's":      {"log", migrate, nil, nil, "not goose's"},
		"a kind of our fault": {"list", goose, nil, nil, "list"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadLedger(tc.kind, "ledger", tc.columns, tc.rows)
			if tc.err != "" {
				wantError(t, err, "read ledger ledger", tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Kind, tc.want.Table = tc.kind, "ledger"
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPending(t *testing.T) {
	last := func(n int64) *Ledger { return &Ledger{Table: "schema_migrations", Kind: "last", Last: n} }
	log := func(numbers ...int64) *Ledger {
		l := &Ledger{Table: "goose_db_version", Kind: "log", Applied: map[int64]bool{}}
		for _, n := range numbers {
			l.Applied[n] = true
			l.Last = max(l.Last, n)
		}
		return l
	}
	for name, tc := range map[string]struct {
		merged, added []int64
		ledger        *Ledger
		want          string // pending | catch up | already
		err           string
	}{
		"no ledger in the snapshot":                 {[]int64{1, 2}, []int64{3}, nil, "3||", ""},
		"no snapshot":                               {[]int64{1, 2}, []int64{3}, &Ledger{}, "3|1 2|", ""},
		"last: at the base":                         {[]int64{1, 2}, []int64{3, 4}, last(2), "3 4||", ""},
		"last: behind the base":                     {[]int64{1, 2, 3}, []int64{4}, last(1), "4|2 3|", ""},
		"last: never run":                           {[]int64{0, 1}, []int64{2}, last(-1), "2|0 1|", ""},
		"last: ahead, this change applied":          {[]int64{1, 2}, []int64{3}, last(3), "", "taken after this change"},
		"last: this change applied in part":         {[]int64{1, 2}, []int64{3, 4}, last(3), "4||3", ""},
		"last: ahead by what others merged":         {[]int64{1, 2}, []int64{3}, last(9), "3||", ""},
		"last: out of order":                        {[]int64{1, 5}, []int64{3, 6}, last(5), "3 6||", ""},
		"last: out of order, and the rest applied":  {[]int64{1, 5}, []int64{3, 6}, last(6), "3||6", ""},
		"last: half applied":                        {[]int64{1, 2}, []int64{3}, &Ledger{Table: "schema_migrations", Kind: "last", Last: 2, Dirty: true}, "", "schema_migrations.dirty"},
		"last: nothing added":                       {[]int64{1, 2}, nil, last(2), "||", ""},
		"last: squashed, older ones gone from tree": {[]int64{100, 101}, []int64{102}, last(101), "102||", ""},
		"log: at the base":                          {[]int64{1, 2}, []int64{3}, log(0, 1, 2), "3||", ""},
		"log: behind, with a hole":                  {[]int64{1, 2, 3}, []int64{4}, log(0, 1, 3), "4|2|", ""},
		"log: out of order":                         {[]int64{1, 5}, []int64{3}, log(0, 1, 5), "3||", ""},
		"log: applied in part":                      {[]int64{1}, []int64{2, 3}, log(0, 1, 2), "3||2", ""},
		"log: all applied":                          {[]int64{1}, []int64{2, 3}, log(0, 1, 2, 3), "", "goose_db_version already (newest: 3)"},
		"log: a merged one has the number":          {[]int64{1, 3}, []int64{3}, log(0, 1, 3), "3||", ""},
		"last: a merged one has the number":         {[]int64{1, 3}, []int64{3}, last(3), "3||", ""},
		"log: never run":                            {[]int64{1}, []int64{2}, log(), "2|1|", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Change{Merged: numbered(tc.merged...), Added: numbered(tc.added...)}
			pending, catchUp, already, err := Pending(c, tc.ledger)
			if tc.err != "" {
				wantError(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ms := range [][]migration.Migration{pending, catchUp, already} {
				var versions []string
				for _, m := range ms {
					versions = append(versions, m.Version)
				}
				got = append(got, strings.Join(versions, " "))
			}
			if g := strings.Join(got, "|"); g != tc.want {
				t.Errorf("pending|catch up|already: %s, want %s", g, tc.want)
			}
		})
	}
}
