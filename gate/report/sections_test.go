package report_test

import (
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/snapshot"
)

// Sections are the Markdown report, cut; what remains after dropping some is
// whole in itself.
func TestSectionsAreTheMarkdownReport(t *testing.T) {
	reports := crafted()
	for name, r := range hostile() {
		reports["hostile "+name] = r
	}
	for name, r := range reports {
		for _, opt := range []report.Options{{Unicode: true}, {Limit: 500_000}} {
			if opt.Limit > 0 && strings.HasPrefix(name, "hostile") {
				continue // once is enough, and they take their time
			}
			sections, err := report.Sections(r, opt)
			if err != nil {
				t.Fatal(err)
			}
			var joined strings.Builder
			for i, s := range sections {
				joined.WriteString(s.Markdown)
				if s.Title == "" || s.Markdown == "" || i == 0 && !strings.Contains(s.Markdown, "migration gate:") {
					t.Errorf("%s: section %d is %q", name, i, s.Title)
				}
				out := outsideCode(t, name+", "+s.Title, s.Markdown) // no fence is open at a border
				if a, b := strings.Count(out, "<details>"), strings.Count(out, "</details>"); a != b {
					t.Errorf("%s: %s opens %d details and closes %d", name, s.Title, a, b)
				}
			}
			if whole := render(t, "markdown", r, opt); joined.String() != whole {
				t.Errorf("%s: the sections are not the report", name)
			}
			if len(r.Findings) > 0 && sections[1].Title != "findings" {
				t.Errorf("%s: %q comes before the findings", name, sections[1].Title)
			}
		}
	}
}

func TestMarkdownKeepsToItsLimit(t *testing.T) {
	most := 0
	for _, limit := range []int{20_000, 60_000, 1_000_000} {
		n := len(render(t, "markdown", huge(), report.Options{Limit: limit}))
		if n > limit || n <= most {
			t.Errorf("limit %d: %d bytes, %d with a smaller one", limit, n, most)
		}
		most = n
	}
	if all := render(t, "markdown", huge(), report.Options{Limit: 1_000_000}); strings.Contains(all, "findings more not shown") {
		t.Error("findings are left out where there is room")
	}
}

// What the verdict rests on stands at the top and, where nothing was run, in
// the headline and the last line.
func TestTierIsSaid(t *testing.T) {
	for _, format := range []string{"text", "markdown"} {
		for _, c := range []struct {
			r    gate.Report
			want string
		}{
			{dangerous(), "on a restored snapshot"},
			{noSnapshot(), "on the schema alone"},
			{static(), "by reading the files alone"},
		} {
			if out := render(t, format, c.r, report.Options{}); strings.Count(out, c.want) != 1 {
				t.Errorf("%s says %q %d times", format, c.want, strings.Count(out, c.want))
			}
		}
		lines := strings.Split(strings.TrimSpace(render(t, format, static(), report.Options{Width: 400})), "\n")
		if !strings.Contains(lines[0], "STATIC: only the files were read, nothing was run") || !strings.Contains(lines[len(lines)-1], "PASS (static)") {
			t.Errorf("%s of a static run begins %q and ends %q", format, lines[0], lines[len(lines)-1])
		}
	}
}

// What could not be measured and what the change does to its own gate is told
// once: by the findings, or else by the report itself.
func TestUnmeasuredAndOwnGateAreTold(t *testing.T) {
	for _, format := range []string{"text", "markdown"} {
		out := strings.NewReplacer("&#95;", "_", "&#8203;", "").Replace(render(t, format, ownGate(), report.Options{Width: 400}))
		for _, want := range []string{"NOT MEASURED: waits for locks: the role may not read pg_stat_activity (GRANT pg_read_all_stats to it)", "max-exclusive-ms", "5000", ".migration-gate.yml:4", "3 settings of the gate itself", "from the merge on"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s lacks %q:\n%s", format, want, out)
			}
		}
		r := ownGate()
		r.Findings = []gate.Finding{
			{Rule: "gate-config-changed", Severity: gate.Warning, File: ".migration-gate.yml", Line: 4, Message: "the gate's setting was changed"},
			{Rule: "not-measured", Severity: gate.SeverityError, Message: "not measured: waits for locks"},
		}
		out = render(t, format, r, report.Options{Width: 400})
		if strings.Contains(out, "5000") || strings.Contains(out, "may not read") {
			t.Errorf("%s tells again what findings told:\n%s", format, out)
		}
		if !strings.Contains(out, "NOT MEASURED: waits for locks and temporary files") {
			t.Errorf("%s does not say at the top what was not measured:\n%s", format, out)
		}
	}
}

// A report of others has the facts in its published fields alone.
func TestPublishedFieldsAreEnough(t *testing.T) {
	out := render(t, "json", ownGate(), report.Options{})
	i := strings.Index(out, `,`+"\n"+`  "observation":`)
	r, err := report.Decode(strings.NewReader(out[:i] + "}"))
	if err != nil {
		t.Fatal(err)
	}
	if o := r.Observation; o.Tier != gate.TierData || len(o.Unmeasured) != 2 || len(o.ConfigChanges) != 3 || o.ConfigChanges[0].After != "5000" {
		t.Errorf("tier %q, unmeasured %v, changes %v", o.Tier, o.Unmeasured, o.ConfigChanges)
	}
}

// Where the lock table could not be read, no headline speaks of no lock.
func TestHeadlineWithoutLocks(t *testing.T) {
	r := ownGate()
	r.Observation.Locks = nil
	r.Observation.Unmeasured = []gate.Unmeasured{{What: snapshot.LackLocks, Why: "the account may not read performance_schema"}}
	for _, format := range []string{"text", "markdown"} {
		out := render(t, format, r, report.Options{Width: 400})
		if !strings.Contains(out, "locks NOT MEASURED") || strings.Contains(out, "no lock ") {
			t.Errorf("%s without a look at locks:\n%s", format, out)
		}
	}
}
