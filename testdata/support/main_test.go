package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const page = "# T\n<!-- table: layouts -->\n<!-- end: layouts -->\n"

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClaimsAndProofs(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "support.tsv", "")
	write(t, dir, "support.md", page)
	record := write(t, dir, "record", "layouts\tgoose\tfiles\nlayouts\tdbmate\tfiles\nlayouts\tgoose\tfiles\n")

	if err := run(dir, record, "make test", false, false); err == nil || !strings.Contains(err.Error(), "proven and not claimed: layouts / dbmate / files") {
		t.Fatalf("a proof that the page lacks: %v", err)
	}
	if err := run(dir, record, "make test", true, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, record, "make test", false, false); err != nil {
		t.Fatalf("after an update: %v", err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "support.md"))
	if !strings.Contains(string(text), "| dbmate | ✓ |\n| goose | ✓ |\n") {
		t.Errorf("the page is\n%s", text)
	}

	// What another command proves is not this one's to miss; what this one
	// proves as well is its own.
	tools := write(t, dir, "tools", "layouts\tgoose\tledger\n")
	if err := run(dir, tools, "make test-tools", true, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, record, "make test", false, false); err != nil {
		t.Errorf("make test misses what make test-tools proves: %v", err)
	}
	both := write(t, dir, "both", "layouts\tgoose\tfiles\nlayouts\tdbmate\tfiles\nlayouts\tgoose\tledger\n")
	if err := run(dir, both, "make test", false, false); err != nil {
		t.Errorf("make test proves what is make test-tools' as well: %v", err)
	}
	short := write(t, dir, "short", "layouts\tgoose\tfiles\n")
	if err := run(dir, short, "make test", false, false); err == nil || !strings.Contains(err.Error(), "claimed and not proven: layouts / dbmate / files") {
		t.Errorf("a claim that nothing proved: %v", err)
	}
	if err := run(dir, short, "make test", false, true); err != nil {
		t.Errorf("the same where the machine may lack something: %v", err)
	}
	write(t, dir, "support.md", page)
	if err := run(dir, record, "make test", false, false); err == nil {
		t.Error("a page edited by hand passes")
	}
}
