package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

// An ALTER locks a table's indexes with it, each a window of its own: they must
// not push the window that is longest by far off the chart.
func TestChartHasTheLongestWindow(t *testing.T) {
	r := crafted()["dangerous"]
	long := gate.LockWindow{}
	for _, w := range r.Observation.Locks {
		if w.Relation == "public.orders" && w.Mode == "ACCESS EXCLUSIVE" {
			long = w
		}
	}
	if long.Relation == "" {
		t.Fatal("the report has no such window")
	}
	for i := range 6 {
		part := long
		part.Relation, part.Kind, part.Table = fmt.Sprintf("public.orders_%d_idx", i), "index", "public.orders"
		part.OpenedMS += float64(10 * i)
		part.AtMostMS -= float64(10 * i)
		r.Observation.Locks = append(r.Observation.Locks, part)
	}
	long.File, long.Line = "migrations/000003_line_totals.up.sql", 1
	long.OpenedMS, long.ClosedMS, long.AtLeastMS, long.AtMostMS = 6000, 16000, 9990, 10_000
	r.Observation.Locks = append(r.Observation.Locks, long)
	text := render(t, "markdown", r, report.Options{Unicode: true})
	if want := "line 1 of 000003 ACCESS EXCLUSIVE :crit, 6000, 16000\n"; !strings.Contains(text, want) {
		t.Errorf("the chart lacks %q", want)
	}
	if n := strings.Count(text, " line 3 of 000002 ACCESS EXCLUSIVE :"); n != 1 {
		t.Errorf("a statement's locks on a table and its indexes are drawn %d times, not once", n)
	}
}

// A run that came to no migration must not end on "ERROR  0 errors".
func TestLastLineOfARunThatJudgedNothing(t *testing.T) {
	r := gate.Report{Verdict: gate.Error, Reason: "INPUT_JOBS: \"many\" is not a whole number"}
	for _, format := range []string{"text", "markdown"} {
		text := render(t, format, r, report.Options{})
		if strings.Contains(text, "0 errors") || !strings.Contains(text, "ERROR nothing was judged") && !strings.Contains(text, "ERROR  nothing was judged") {
			t.Errorf("%s:\n%s", format, text)
		}
	}
}
