package local

import (
	"os"
	"path/filepath"
	"testing"
)

// Leftovers tells what Reap then removes, and removes nothing itself.
func TestLeftoversAreListedAndStay(t *testing.T) {
	p := New(Options{Scratch: t.TempDir()})
	root, err := p.root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "left")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		left, err := p.Leftovers()
		if err != nil || len(left) != 1 || left[0] != "a server in "+dir+" (left by an interrupted removal)" {
			t.Fatalf("got %q, %v", left, err)
		}
	}
	reaped, err := p.Reap(t.Context())
	if err != nil || len(reaped) != 1 {
		t.Fatalf("reaped %q, %v", reaped, err)
	}
	if left, err := p.Leftovers(); err != nil || len(left) != 0 {
		t.Errorf("after that %q, %v", left, err)
	}
}

// Ground leaves nothing where it looked.
func TestGroundIsOnlyLookedAt(t *testing.T) {
	p := New(Options{Scratch: t.TempDir()})
	g, err := p.Ground()
	if err != nil {
		t.Fatal(err)
	}
	if g.Free <= 0 || g.Memory <= 0 || g.CPUs < 1 || g.Scratch == "" {
		t.Errorf("%+v", g)
	}
	if entries, err := os.ReadDir(g.Scratch); err != nil || len(entries) > 0 {
		t.Errorf("left %v (%v)", entries, err)
	}
}

func TestQuotaOfAControlGroup(t *testing.T) {
	for _, tt := range []struct {
		quota, period string
		want          float64
	}{{"150000", "100000", 1.5}, {"max", "100000", 0}, {"-1", "100000", 0}, {"x", "", 0}} {
		if got := ratio(tt.quota, tt.period); got != tt.want {
			t.Errorf("%s/%s: got %v", tt.quota, tt.period, got)
		}
	}
}
