package observe_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

const reverseSetup = `
CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL DEFAULT 'x', n int);
INSERT INTO t SELECT g, 'v' || g, g FROM generate_series(1, 500) g;
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t);
INSERT INTO u SELECT g, g FROM generate_series(1, 100) g;
CREATE INDEX t_n ON t (n);
CREATE VIEW tv AS SELECT id, v FROM t;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE mood AS ENUM ('bad', 'good');`

// Each case is a change of one or more migrations and the findings, as
// "rule file" in order, that its reversal must bring.
var reverseCases = []struct {
	name     string
	scripts  [][2]string // up, down; an empty down is none
	exact    bool
	findings []string
	// kept is what must be listed as left behind, as "what kind name".
	kept []string
}{
	{
		name:    "a down that disables and keeps is accepted, and what stays is listed",
		scripts: [][2]string{{"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int DEFAULT 1", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"}},
		kept:    []string{"added column public.t.a"},
	},
	{
		name:     "an up that cannot run again",
		scripts:  [][2]string{{"ALTER TABLE t ADD COLUMN a int DEFAULT 1", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"}},
		findings: []string{"reup-failed 1.up"},
	},
	{
		name:     "a down that takes away what was there before",
		scripts:  [][2]string{{"CREATE INDEX IF NOT EXISTS t_v ON t (v)", "DROP INDEX t_v; DROP INDEX t_n"}},
		findings: []string{"down-drift 1.down"},
	},
	{
		name:     "a down that leaves a function changed",
		scripts:  [][2]string{{"CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'", "COMMENT ON FUNCTION f() IS 'old'; COMMENT ON FUNCTION f() IS NULL"}},
		findings: []string{"down-drift 1.down"},
	},
	{
		name:     "rows that the down deletes",
		scripts:  [][2]string{{"CREATE TABLE IF NOT EXISTS extra (id int)", "DELETE FROM u WHERE id > 90"}},
		findings: []string{"unsafe-down 1.down", "down-loses-data 1.down"},
	},
	{
		name: "a column that comes back empty",
		scripts: [][2]string{{
			"ALTER TABLE t DROP COLUMN n",
			"ALTER TABLE t ADD COLUMN n int; CREATE INDEX t_n ON t (n)",
		}},
		findings: []string{"down-loses-data 1.down"},
	},
	{
		name: "a type that is widened and narrowed again keeps every row",
		scripts: [][2]string{{
			"ALTER TABLE t ALTER COLUMN n TYPE bigint",
			"ALTER TABLE t ALTER COLUMN n TYPE int",
		}},
		findings: []string{"unsafe-down 1.down"},
	},
	{
		name:     "no down: declared forward-only",
		scripts:  [][2]string{{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'", ""}},
		findings: []string{"down-missing 1.up"},
		kept:     []string{"changed column public.t.v"},
	},
	{
		name:     "SELECT 1 as a down: declared forward-only",
		scripts:  [][2]string{{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'", "SELECT 1"}},
		findings: []string{"down-missing 1.down"},
	},
	{
		name: "what a forward-only neighbour changed is not the next one's drift",
		scripts: [][2]string{
			{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'", ""},
			{"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"},
		},
		findings: []string{"down-missing 1.up"},
	},
	{
		name: "a neighbour that was reversed to what a forward-only one left is not to blame",
		scripts: [][2]string{
			{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'", ""},
			{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'z'", "ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'"},
		},
		findings: []string{"down-missing 1.up"},
	},
	{
		name: "what a later forward-only one changed in the same column is not the reversed one's drift",
		scripts: [][2]string{
			{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'", "ALTER TABLE t ALTER COLUMN v SET DEFAULT 'x'"},
			{"ALTER TABLE t ALTER COLUMN v DROP NOT NULL", ""},
		},
		findings: []string{"down-missing 2.up"},
	},
	{
		name: "a down that undoes something else is, beside a forward-only neighbour, too",
		scripts: [][2]string{
			{"ALTER TABLE t ALTER COLUMN v SET DEFAULT 'y'", "ALTER TABLE t ALTER COLUMN v SET DEFAULT 'z'"},
			{"ALTER TABLE t ALTER COLUMN v DROP NOT NULL", ""},
		},
		findings: []string{"down-drift 1.down", "down-missing 2.up"},
	},
	{
		name: "rows that a later forward-only one deleted are not the loss of one that put its own back",
		scripts: [][2]string{
			{"CREATE TABLE IF NOT EXISTS aside (LIKE u); WITH d AS (DELETE FROM u WHERE id <= 10 RETURNING *) INSERT INTO aside SELECT * FROM d",
				"INSERT INTO u SELECT * FROM aside WHERE id NOT IN (SELECT id FROM u)"},
			{"DELETE FROM u WHERE id > 90", ""},
		},
		findings: []string{"down-missing 2.up"},
	},
	{
		name:    "an enum value that was added may stay, as a column may",
		scripts: [][2]string{{"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'fair' BEFORE 'good'", "COMMENT ON TYPE mood IS NULL"}},
		kept:    []string{"changed type public.mood"},
	},
	{
		name: "an enum whose values were put in another order is not as before",
		scripts: [][2]string{{
			"DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('good', 'fair', 'bad')",
			"COMMENT ON TYPE mood IS NULL",
		}},
		findings: []string{"down-drift 1.down"},
	},
	{
		name: "rows that a forward-only neighbour wrote are not the next one's loss",
		scripts: [][2]string{
			{"UPDATE t SET v = upper(v) WHERE id < 100", ""},
			{"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"},
		},
		findings: []string{"down-missing 1.up"},
	},
	{
		name: "a loss is booked to the down that caused it",
		scripts: [][2]string{
			{"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"},
			{"ALTER TABLE t ADD COLUMN IF NOT EXISTS b int", "DO $$ BEGIN DELETE FROM u; END $$"},
			{"ALTER TABLE t ADD COLUMN IF NOT EXISTS c int", ""},
		},
		findings: []string{"unsafe-down 2.down", "down-loses-data 2.down", "down-missing 3.up"},
	},
	{
		name:     "a down that fails",
		scripts:  [][2]string{{"ALTER TABLE t ADD COLUMN a int", "ALTER TABLE t ALTER COLUMN nothere DROP DEFAULT"}},
		findings: []string{"down-failed 1.down"},
	},
	{
		name: "putting aside under the deprecation prefix",
		scripts: [][2]string{{
			"CREATE TABLE IF NOT EXISTS extra (id int)",
			"ALTER TABLE extra RENAME TO _deprecated_extra",
		}},
		kept: []string{"added table public._deprecated_extra"},
	},
	{
		name:     "exact: what stays is drift",
		scripts:  [][2]string{{"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int DEFAULT 1", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"}},
		exact:    true,
		findings: []string{"down-drift 1.down"},
	},
	{
		name:    "exact: the change's own column may be dropped",
		scripts: [][2]string{{"ALTER TABLE t ADD COLUMN a int DEFAULT 1", "ALTER TABLE t DROP COLUMN a"}},
		exact:   true,
	},
	{
		name:     "exact: every up needs a down",
		scripts:  [][2]string{{"ALTER TABLE t ADD COLUMN a int DEFAULT 1", ""}},
		exact:    true,
		findings: []string{"down-missing 1.up"},
	},
}

func TestReverse(t *testing.T) {
	for _, major := range snapshottest.Majors(t) {
		t.Run(major, func(t *testing.T) {
			lab := newLab(t, major, reverseSetup)
			for _, c := range reverseCases {
				t.Run(c.name, func(t *testing.T) {
					var ms []gate.Migration
					for i, s := range c.scripts {
						ms = append(ms, change(t, i+1, s[0], s[1]))
					}
					clone := lab.clone(t)
					o := applied(t, clone, ms...)
					second := func(context.Context) (observe.Lab, error) { return lab.clone(t), nil }
					if err := observe.Reverse(t.Context(), clone, o, observe.Options{Exact: c.exact}, second); err != nil {
						t.Fatal(err)
					}
					policy := rule.DefaultPolicy()
					policy.Only = []string{"unsafe-down", "down-failed", "down-drift", "down-loses-data", "reup-failed", "down-missing"}
					if c.exact {
						policy.Reversal = gate.Exact
					}
					r := rule.Judge(*o, policy)
					var got []string
					for _, f := range r.Findings {
						file := strings.TrimSuffix(strings.TrimPrefix(f.File, "migrations/"), ".sql")
						got = append(got, f.Rule+" "+strings.Replace(file, "_m", "", 1))
					}
					want := slices.Clone(c.findings)
					slices.Sort(got)
					slices.Sort(want)
					if !slices.Equal(slices.Compact(got), want) {
						t.Errorf("findings %q\nwant     %q", got, want)
						for _, f := range r.Findings {
							t.Logf("%s %s:%d %s: %s", f.Severity, f.File, f.Line, f.Rule, f.Message)
						}
					}
					for _, k := range c.kept {
						if !slices.Contains(listed(o), k) {
							t.Errorf("%q is not listed among %q", k, listed(o))
						}
					}
				})
			}
		})
	}
}

// listed are the differences the walk left, as "what kind name".
func listed(o *gate.Observation) []string {
	var out []string
	for _, c := range o.Reverse.Changes {
		ob := c.After
		if ob == nil {
			ob = c.Before
		}
		out = append(out, fmt.Sprintf("%s %s %s", c.What, ob.Kind, ob.Name))
	}
	return out
}
