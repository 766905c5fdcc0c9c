//go:build !race

// The race detector triples what is timed here.

package changeset

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// history makes a repository with n merged migrations.
func history(t *testing.T, n int, name, text string) *testRepo {
	t.Helper()
	return historyOf(t, n, "%06d_"+name, text)
}

func historyOf(t *testing.T, n int, name, text string) *testRepo {
	t.Helper()
	r := newRepo(t)
	for i := range n {
		r.write(fmt.Sprintf("migrations/"+name, i+1), fmt.Sprintf(text, i))
	}
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write("README.md", "x")
	return r
}

// A pull request without a migration must not wait for a gate that has nothing
// to do.
func TestNothingChangedIsFast(t *testing.T) {
	for layout, r := range map[string]*testRepo{
		"golang-migrate": history(t, 1000, "x.up.sql", "CREATE TABLE t%d (id bigint PRIMARY KEY, name text NOT NULL);\n"),
		"goose":          history(t, 1000, "x.sql", "-- +goose Up\nCREATE TABLE t%d (id bigint PRIMARY KEY);\n-- +goose Down\nSELECT 1;\n"),
		"dbmate":         history(t, 1000, "x.sql", "-- migrate:up\nCREATE TABLE t%d (id bigint PRIMARY KEY);\n-- migrate:down\nSELECT 1;\n"),
		"flyway":         historyOf(t, 1000, "V%d__x.sql", "CREATE TABLE t%d (id bigint PRIMARY KEY);\n"),
	} {
		t.Run(layout, func(t *testing.T) {
			var took []time.Duration
			// A third of that on a quiet machine. The fastest of many, since it may
			// be a busy one.
			const limit = 200 * time.Millisecond
			for len(took) < 7 || len(took) < 60 && slices.Min(took) > limit {
				began := time.Now()
				if c := r.detect(); !c.Nothing() || len(c.Merged) != 1000 || c.Layout != layout {
					t.Fatalf("%s, %d merged, %s", c.Layout, len(c.Merged), describe(c))
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			t.Logf("fastest %v, median %v of %d", took[0], took[len(took)/2], len(took))
			if took[0] > limit {
				t.Errorf("took %v at best, limit %v", took[0], limit)
			}
		})
	}
}
