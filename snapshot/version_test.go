package snapshot_test

import (
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

func TestMajor(t *testing.T) {
	for version, want := range map[string]string{
		"16": "16", "16.4": "16", "16beta1": "16", "18~rc1-1.pgdg120+2": "18", "9.6.24": "9", "": "", "devel": "",
	} {
		if got := snapshot.Major(version); got != want {
			t.Errorf("Major(%q) = %q, want %q", version, got, want)
		}
	}
}
