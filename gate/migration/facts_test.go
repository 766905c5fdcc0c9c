package migration

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestFacts holds every statement of testdata/facts/*.sql against the facts
// next to it.
func TestFacts(t *testing.T) {
	files, err := filepath.Glob("testdata/facts/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test SQL: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			statements, err := ParseScript(filepath.Base(file), text)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".sql")+".facts", showStatements(statements))
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func showStatements(statements []Statement) string {
	var b bytes.Buffer
	for _, s := range statements {
		fmt.Fprintf(&b, "%d-%d %s%s\n", s.Line, s.EndLine, s.Facts.Kind, showFlags(s.Facts))
		for _, a := range s.Facts.Actions {
			fmt.Fprintf(&b, "    %s\n", showAction(a))
		}
		for _, u := range s.Facts.Unread {
			fmt.Fprintf(&b, "    unread :%d in %s\n", u.Line, u.Within)
		}
	}
	return b.String()
}

func showFlags(f Facts) string {
	s := ""
	for _, flag := range []struct {
		on   bool
		name string
	}{
		{!f.Analysed, "not analysed (" + f.NotAnalysed + ")"}, {f.NoOp, "no-op"},
		{f.NoBlock, "no block"}, {f.MayCommit, "may commit"}, {f.NeedsBlock, "needs block"}, {f.CopyFromStdin, "copy data"},
		{f.Concurrently, "concurrently"}, {f.ImplicitCommit, "commits"},
		{f.Algorithm != "", "algorithm " + f.Algorithm}, {f.Lock != "", "lock " + f.Lock}, {f.Control != "", "control " + string(f.Control)},
	} {
		if flag.on {
			s += " [" + flag.name + "]"
		}
	}
	return s
}

func showAction(a Action) string {
	parts := []string{fmt.Sprintf(":%d", a.Line), string(a.Verb), a.Object}
	field := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"<"+strings.ReplaceAll(value, "\n", "\\n")+">")
		}
	}
	if a.Name != "" || a.Schema != "" {
		parts = append(parts, QuoteName(a.Schema, a.Name))
	}
	field("part", a.Part)
	field("new", a.NewName)
	field("type", a.Type)
	field("columns", strings.Join(a.Columns, "|"))
	field("refs", a.Refs)
	field("on", a.On)
	field("constraint", a.Constraint)
	field("index", a.UsingIndex)
	field("default", a.Default)
	field("generated", a.Generated)
	field("using", a.Using)
	field("values", strings.Join(a.Values, "|"))
	field("def", a.Definition)
	for _, flag := range []struct {
		on   bool
		name string
	}{
		{a.IfExists, "if exists"}, {a.IfNotExists, "if not exists"}, {a.Concurrently, "concurrently"}, {a.NotValid, "not valid"},
		{a.Cascade, "cascade"}, {a.Unique, "unique"}, {a.NotNull, "not null"}, {a.HasWhere, "where"}, {a.Temporary, "temporary"}, {a.Deferred(), "deferred"},
	} {
		if flag.on {
			parts = append(parts, "+"+flag.name)
		}
	}
	field("within", a.Within)
	return strings.Join(parts, " ")
}
