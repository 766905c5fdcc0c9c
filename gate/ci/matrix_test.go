package ci_test

import (
	"testing"

	"github.com/migration-gate/migration-gate/gate/ci"
)

func TestMatrixName(t *testing.T) {
	for text, want := range map[string]string{
		"":     "",
		"null": "",
		"{}":   "",
		"{\n  \"engine\": \"mysql\",\n  \"dir\": \"db\"\n}": "dir=db, engine=mysql",
		`{"version": 16, "fast": true, "of": ["a", 1]}`:     `fast=true, of=["a",1], version=16`,
		" orders  service ": "orders service",
	} {
		if got := ci.MatrixName(text); got != want {
			t.Errorf("MatrixName(%q) = %q, want %q", text, got, want)
		}
	}
}
