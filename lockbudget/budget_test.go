package lockbudget

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBreaches(t *testing.T) {
	const ms = time.Millisecond
	b := Budget{Limits: []Limit{
		{Pattern: "public.orders_*", Impact: BlocksReads, Max: 50 * ms},
		{Pattern: "orders", Impact: BlocksReads, Max: 100 * ms},
		{Pattern: "queue.*", Impact: BlocksWrites, Max: 10 * ms},
		{Impact: BlocksReads, Max: 200 * ms},
		{Impact: BlocksWrites, Max: 300 * ms},
	}}
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		relation string
		impact   Impact
		atMost   time.Duration
		want     []Breach
	}{
		{"public.a", BlocksReads | BlocksWrites, 200 * ms, nil}, // at the limit is within it
		{"public.a", BlocksReads | BlocksWrites, 201 * ms, []Breach{{BlocksReads, 200 * ms, 201 * ms}}},
		{"public.a", BlocksReads | BlocksWrites | BlocksDDL, time.Second, []Breach{{BlocksReads, 200 * ms, time.Second}, {BlocksWrites, 300 * ms, time.Second}}},
		{"public.a", BlocksDDL, time.Hour, nil}, // no limit for it
		{"public.a", 0, time.Hour, nil},
		{"public.orders", BlocksReads, 101 * ms, []Breach{{BlocksReads, 100 * ms, 101 * ms}}},
		{"archive.orders", BlocksReads, 101 * ms, []Breach{{BlocksReads, 100 * ms, 101 * ms}}},
		{"public.orders_2024", BlocksReads, 101 * ms, []Breach{{BlocksReads, 50 * ms, 101 * ms}}},
		{"archive.orders_2024", BlocksReads, 101 * ms, nil},
		{"queue.jobs", BlocksWrites, 11 * ms, []Breach{{BlocksWrites, 10 * ms, 11 * ms}}},
		{"public.jobs", BlocksWrites, 11 * ms, nil},
	} {
		if diff := cmp.Diff(c.want, b.Breaches(c.relation, c.impact, c.atMost)); diff != "" {
			t.Errorf("%s %q for %s (-want +got):\n%s", c.relation, c.impact.Strings(), c.atMost, diff)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, bad := range []Limit{
		{Pattern: "[", Impact: BlocksReads, Max: 1}, {Impact: BlocksReads | BlocksWrites, Max: 1}, {Max: 1}, {Impact: BlocksReads, Max: -1},
	} {
		if err := (Budget{Limits: []Limit{bad}}).Validate(); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}
