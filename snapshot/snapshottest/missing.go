package snapshottest

import (
	"os"
	"testing"
)

// Missing skips a test for want of a part of this machine, and fails it where CI
// is "true", which has every part installed: a green there must not mean that
// nobody looked. what is not tested and how to have it, each a clause.
func Missing(tb testing.TB, what, how string) {
	tb.Helper()
	text := "not tested: " + what + "; to have it tested: " + how
	if os.Getenv("CI") == "true" {
		tb.Fatal(text)
	}
	tb.Skip(text)
}
