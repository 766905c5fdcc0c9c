package snapshot_test

import (
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

// What is shown of two definitions holds what tells them apart, wherever it is.
func TestExcerptsShowTheDifference(t *testing.T) {
	long := "CREATE OR REPLACE FUNCTION public.total(o bigint)\n RETURNS bigint\n LANGUAGE sql\nAS $$ SELECT sum(price)\n" + strings.Repeat(" + 1", 100)
	for name, tc := range map[string]struct{ before, after, wantBefore, wantAfter string }{
		"short":        {"bigint NOT NULL", "bigint", "bigint NOT NULL", "bigint"},
		"at the end":   {long + " FROM lines $$", long + " FROM items $$", "… 1 + 1 + 1 + 1 FROM lines $$", "… 1 + 1 + 1 + 1 FROM items $$"},
		"at the start": {"A" + long, "B" + long, "ACREATE OR REPLACE FUNCTION public.total(o bigint) RETURNS b …", "BCREATE OR REPLACE FUNCTION public.total(o bigint) RETURNS b …"},
		"one goes on":  {long, long + " + 2", "… + 1 + 1 + 1 + 1 + 1", "… + 1 + 1 + 1 + 1 + 1 + 2"},
		"white space":  {"a\n  b", "a b", "a b", "a b"},
		"one word":     {strings.Repeat("x", 200) + "ä", strings.Repeat("x", 200) + "ö", "… " + strings.Repeat("x", 20) + "ä", "… " + strings.Repeat("x", 20) + "ö"},
	} {
		t.Run(name, func(t *testing.T) {
			c := snapshot.Change{What: "changed", Before: &snapshot.Object{Definition: tc.before}, After: &snapshot.Object{Definition: tc.after}}
			before, after := c.Excerpts(60, "…")
			if before != tc.wantBefore || after != tc.wantAfter {
				t.Errorf("got %q and %q", before, after)
			}
		})
	}
}
