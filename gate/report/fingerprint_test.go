package report_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/report"
)

// prints are the fingerprints in the order of the findings, which both formats
// must agree on.
func prints(t *testing.T, r gate.Report) []string {
	t.Helper()
	var entries []struct{ Fingerprint string }
	if err := json.Unmarshal([]byte(render(t, "code-quality", r, report.Options{})), &entries); err != nil {
		t.Fatal(err)
	}
	var all, sarif []string
	for _, e := range entries {
		all = append(all, e.Fingerprint)
	}
	for _, res := range readSARIF(t, r, report.Options{}).Runs[0].Results {
		sarif = append(sarif, res.PartialFingerprints[report.SARIFFingerprint])
	}
	if !slices.Equal(all, sarif) {
		t.Errorf("SARIF says %v, Code Quality %v", sarif, all)
	}
	return all
}

// moved is the report of the same change with a line added above everything,
// other figures and other white space.
func moved(r gate.Report) gate.Report {
	o := &r.Observation
	o.Migrations = slices.Clone(o.Migrations)
	for i := range o.Migrations {
		up := &o.Migrations[i].Up
		up.Statements = slices.Clone(up.Statements)
		for k := range up.Statements {
			up.Statements[k].Line++
			up.Statements[k].EndLine++
		}
	}
	r.Findings = slices.Clone(r.Findings)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Line, f.EndLine, f.Message = f.Line+1, f.EndLine+1, f.Message+" (another figure)"
	}
	return r
}

func TestFingerprints(t *testing.T) {
	r := dangerous()
	first := prints(t, r)
	if unique := slices.Compact(slices.Sorted(slices.Values(first))); len(unique) != len(r.Findings) {
		t.Errorf("%d fingerprints for %d findings", len(unique), len(r.Findings))
	}
	if again := prints(t, moved(r)); !slices.Equal(first, again) {
		t.Errorf("a line added above changes %v to %v", first, again)
	}
	twice := r
	twice.Findings = append(slices.Clone(r.Findings), r.Findings[1])
	if all := prints(t, twice); len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(twice.Findings) {
		t.Errorf("two findings share a fingerprint: %v", all)
	}
	other := moved(r)
	other.Observation.Migrations[0].Up.Statements[0] = migration.Statement{File: widenFile, Line: 4, EndLine: 6, SQL: "DROP TABLE orders"}
	all := prints(t, other)
	if all[0] == first[0] || all[1] == first[1] || !slices.Equal(all[2:], first[2:]) {
		t.Errorf("another statement gives %v instead of %v", all, first)
	}
}
