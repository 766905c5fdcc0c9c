package observe

import (
	"testing"

	"github.com/migration-gate/migration-gate/gate"
)

// TestSettle: only what left no trace takes its algorithm from the probe.
func TestSettle(t *testing.T) {
	best := func(algorithm string) *gate.BestDDL { return &gate.BestDDL{Algorithm: algorithm} }
	cases := []struct {
		name string
		ddl  gate.OnlineDDL
		want string
	}{
		{"instant", gate.OnlineDDL{Best: best("INSTANT")}, "INSTANT"},
		{"in place", gate.OnlineDDL{Best: best("INPLACE")}, "INPLACE"},
		{"MariaDB's name for in place without a rebuild", gate.OnlineDDL{Best: best("NOCOPY")}, "INPLACE"},
		{"seen", gate.OnlineDDL{Algorithm: "COPY", Rebuild: true, Best: best("INSTANT")}, "COPY"},
		{"a rebuild is neither", gate.OnlineDDL{Rebuild: true, Best: best("INSTANT")}, ""},
		{"copied at best, and yet nothing was", gate.OnlineDDL{Best: best("COPY")}, ""},
		{"not asked", gate.OnlineDDL{}, ""},
		{"could not be asked", gate.OnlineDDL{Best: &gate.BestDDL{Unasked: "no"}}, ""},
	}
	for _, c := range cases {
		if settle(&c.ddl); c.ddl.Algorithm != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.ddl.Algorithm, c.want)
		}
	}
}
