package observe_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// A ddlCase is one line of testdata/ddl/postgres.sql.
type ddlCase struct {
	line                      int
	prep, sql                 string
	locks, rewrites, findings []string
}

func ddlCases(t *testing.T) []ddlCase {
	var cases []ddlCase
	prep := ""
	for i, line := range strings.Split(read(t, "../../testdata/ddl/postgres.sql"), "\n") {
		if p, ok := strings.CutPrefix(line, "-- prep: "); ok {
			prep = p
			continue
		}
		sql, want, ok := strings.Cut(line, " -- locks: ")
		if !ok {
			continue
		}
		c := ddlCase{line: i + 1, prep: prep, sql: sql}
		want, findings, _ := strings.Cut(want, " want: ")
		lockText, rewrites, _ := strings.Cut(want, " rewrites: ")
		if lockText != "none" {
			c.locks = locksOf(lockText)
		}
		if rewrites != "" {
			c.rewrites = strings.Split(rewrites, ", ")
		}
		c.findings = strings.Fields(findings)
		cases, prep = append(cases, c), ""
	}
	return cases
}

// locksOf reads "orders=ACCESS EXCLUSIVE,SHARE users=SHARE ROW EXCLUSIVE" as
// sorted "table=MODE" items; a mode never holds "=" and tables no spaces.
func locksOf(s string) []string {
	var out []string
	table := ""
	for _, f := range strings.Fields(s) {
		if name, mode, ok := strings.Cut(f, "="); ok {
			table = name
			out = append(out, table+"="+mode)
			continue
		}
		out[len(out)-1] += " " + f
	}
	var split []string
	for _, o := range out {
		name, modes, _ := strings.Cut(o, "=")
		for _, m := range strings.Split(modes, ",") {
			split = append(split, name+"="+m)
		}
	}
	slices.Sort(split)
	return split
}

func TestDDL(t *testing.T) {
	cases := ddlCases(t)
	if len(cases) < 60 {
		t.Fatalf("%d cases read, want at least 60", len(cases))
	}
	policy := rule.DefaultPolicy()
	policy.MaxExclusive, policy.MaxWriteBlock = 0, 0
	policy.Only = []string{"lock-budget", "table-rewrite", "full-scan-under-lock", "migration-failed"}
	for _, major := range snapshottest.Majors(t) {
		t.Run(major, func(t *testing.T) {
			lab := newLab(t, major, read(t, "../../testdata/ddl/postgres-setup.sql"))
			for _, c := range cases {
				t.Run(fmt.Sprintf("line %d", c.line), func(t *testing.T) {
					m := change(t, 2, c.sql, "")
					ms := []gate.Migration{m}
					clone := lab.clone(t)
					if c.prep != "" {
						// On the same clone, but as an experiment of its own,
						// so that what it made counts as having been there.
						if o := applied(t, clone, change(t, 1, c.prep, "")); o.Migrations[0].Apply.Failure != nil {
							t.Fatalf("prep: %+v", o.Migrations[0].Apply.Failure)
						}
					}
					o := applied(t, clone, ms...)
					o.Snapshot = &gate.SnapshotFacts{}
					o.Snapshot.Rows = 1
					r := rule.Judge(*o, policy)
					c.check(t, o, r)
				})
			}
		})
	}
}

func (c ddlCase) check(t *testing.T, o *gate.Observation, r gate.Report) {
	t.Helper()
	var locks, rewrites, findings []string
	for _, w := range o.Locks {
		if w.Existing && !w.RowLocks && (slices.Contains(w.Blocks, "reads") || slices.Contains(w.Blocks, "writes")) {
			locks = append(locks, bare(w.Table)+"="+w.Mode)
		}
	}
	for _, s := range o.Migrations[0].Apply.Statements {
		for _, w := range s.Rewrites {
			switch {
			case !w.Existing || w.Emptied || w.Part == "toast":
			case w.Part == "heap":
				rewrites = append(rewrites, bare(w.Table))
			default:
				rewrites = append(rewrites, w.Part+":"+bare(w.Table))
			}
		}
	}
	for _, f := range r.Findings {
		id := f.Rule
		if f.Severity == gate.Notice {
			id += "/notice"
		}
		findings = append(findings, id)
	}
	locks, rewrites = uniq(locks), uniq(rewrites)
	if !sameLocks(locks, c.locks) {
		t.Errorf("%s\nlocks    %q\nwant     %q", c.sql, locks, c.locks)
	}
	// A heap that is written anew takes its indexes along.
	want := uniq(slices.Clone(c.rewrites))
	got := slices.DeleteFunc(slices.Clone(rewrites), func(s string) bool {
		table, ok := strings.CutPrefix(s, "index:")
		return ok && slices.Contains(rewrites, table) || ok && slices.Contains(rewrites, "materialized view:"+table)
	})
	if !slices.Equal(got, want) {
		t.Errorf("%s\nrewrites %q\nwant     %q", c.sql, got, want)
	}
	slices.Sort(findings)
	if !sameFindings(findings, c.findings) {
		t.Errorf("%s\nfindings %q\nwant     %q", c.sql, findings, c.findings)
		for _, f := range r.Findings {
			t.Logf("%s %s: %s", f.Severity, f.Rule, f.Message)
		}
	}
}

// sameLocks compares lists in which "table=*" wants any blocking lock or none,
// and "table=MODE?" that lock or none.
func sameLocks(got, want []string) bool {
	var open, maybe []string
	exact := slices.DeleteFunc(slices.Clone(want), func(w string) bool {
		if lock, ok := strings.CutSuffix(w, "?"); ok {
			maybe = append(maybe, lock)
			return true
		}
		table, ok := strings.CutSuffix(w, "=*")
		if ok {
			open = append(open, table)
		}
		return ok
	})
	rest := slices.DeleteFunc(slices.Clone(got), func(g string) bool {
		return slices.Contains(open, g[:strings.IndexByte(g, '=')]) || slices.Contains(maybe, g)
	})
	return slices.Equal(rest, exact)
}

// sameFindings compares lists in which "rule*" wants any number of that rule.
func sameFindings(got, want []string) bool {
	var exact []string
	for _, w := range want {
		id, open := strings.CutSuffix(w, "*")
		if !open {
			exact = append(exact, w)
			continue
		}
		got = slices.DeleteFunc(slices.Clone(got), func(g string) bool { return g == id })
	}
	slices.Sort(exact)
	return slices.Equal(got, exact)
}

func bare(table string) string { return table[strings.LastIndexByte(table, '.')+1:] }

func uniq(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
