package migration

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// sampleNames are names of files that each tool takes for a migration.
var sampleNames = map[string][]string{
	"golang-migrate": {"1_a.up.sql", "1_a.down.sql"},
	"goose":          {"1_a.sql"},
	"dbmate":         {"1_a.sql"},
	"flyway":         {"V1__a.sql", "R__a.sql"},
	"sql-migrate":    {"1_a.sql", "a.sql"},
	"plain":          {"1_a.sql", "1_a_down.sql", "1_a/up.sql", "1_a/migration.sql"},
}

// sample is a file of the layouts' archives, as one that the tool could read.
type sample struct{ archive, rel, text string }

func samples(t testing.TB) (all []sample) {
	archives, err := filepath.Glob("testdata/layouts/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if rel, ok := strings.CutPrefix(f.Name, "migrations/"); ok {
				all = append(all, sample{filepath.Base(name), rel, string(f.Data)})
			}
		}
	}
	return all
}

// TestTools holds every tool to what the interface says of it.
func TestTools(t *testing.T) {
	all := samples(t)
	seen := map[string]bool{}
	for _, tool := range tools() {
		l := tool.layout()
		t.Run(l.Name, func(t *testing.T) {
			snapshottest.Supported(t, "layouts", l.Name, "files")
			if found, ok := ByName(l.Name); !ok || found != l || seen[l.Name] {
				t.Errorf("ByName finds %v", found)
			}
			seen[l.Name] = true
			if tool.remedy() == "" || signs[l.Name] == "" || (l.Ledger.Table == "") != (l.Ledger.Kind == "") {
				t.Errorf("incomplete: %q, %q, %v", tool.remedy(), signs[l.Name], l.Ledger)
			}
			holdNames(t, tool, all)
			parsed := 0
			for _, s := range all {
				for _, rel := range sampleNames[l.Name] {
					if holdParse(t, tool, rel, s.text, Options{}) {
						parsed++
					}
				}
			}
			if parsed < 5 {
				t.Errorf("only %d texts were read", parsed)
			}
		})
	}
	if len(sampleNames) != len(seen) {
		t.Errorf("names for %d tools, of %d", len(sampleNames), len(seen))
	}
}

// holdNames: what a tool claims it has a name for, it does not claim its
// foreign steps, and has an order for each name.
func holdNames(t *testing.T, tool tool, all []sample) {
	for _, rel := range sampleNames[tool.layout().Name] {
		if f, ok, err := tool.name(rel); !ok || err != nil {
			t.Errorf("%s: %v, %v, %v", rel, f, ok, err)
		}
	}
	for _, s := range all {
		strength, why := tool.claim(s.rel, []byte(s.text))
		f, ok, err := tool.name(s.rel)
		if strength > noClaim && !ok && err == nil {
			t.Errorf("%s: claims %s, and has no name for it", s.archive, s.rel)
		}
		if (strength > noClaim) != (why != "") {
			t.Errorf("%s: claims %s by %d, because %q", s.archive, s.rel, strength, why)
		}
		if strength > noClaim && tool.foreign(s.rel) != "" {
			t.Errorf("%s: claims %s, which is a step that it cannot run", s.archive, s.rel)
		}
		if ok && f.order == "" {
			t.Errorf("%s: no order of %s", s.archive, s.rel)
		}
		if ok && tool.bothInOne() != (f.direction == "") {
			t.Errorf("%s: direction %q of %s", s.archive, f.direction, s.rel)
		}
		if path.Base(s.rel) != s.rel && ok && !tool.deep() {
			t.Errorf("%s: takes %s, and does not look there", s.archive, s.rel)
		}
	}
}

// holdParse checks what is read of a text under a name, and reports whether it
// could be: outline and parse agree, positions are the file's, and line endings
// change neither statements nor lines.
func holdParse(t testing.TB, tool tool, rel, text string, opt Options) bool {
	t.Helper()
	f, _, _ := tool.name(rel)
	in := input{fsys: fstest.MapFS{}, file: "m/" + rel, rel: rel, text: []byte(text), direction: f.direction, opt: opt}
	up, down, err := tool.parse(in)
	if err != nil {
		if !isInputError(err, in.file, text) {
			t.Errorf("%s %s: %v of\n%s", tool.layout().Name, rel, err, text)
		}
		return false
	}
	upLine, downLine, err := tool.outline(in)
	if err != nil || (up == nil) != (upLine == nil) || (down == nil) != (downLine == nil) {
		t.Errorf("%s %s: outline has %v, %v, %v, parse has %v, %v of\n%s", tool.layout().Name, rel, upLine, downLine, err, up, down, text)
		return true
	}
	for _, s := range [][2]*Script{{up, upLine}, {down, downLine}} {
		if s[0] == nil {
			continue
		}
		if s[0].File != in.file || s[0].Direction != s[1].Direction || s[1].File != in.file || s[1].Statements != nil {
			t.Errorf("%s %s: outline %v, parse %v", tool.layout().Name, rel, s[1], s[0])
		}
		if tool.bothInOne() && s[0].Wrapped != s[1].Wrapped {
			t.Errorf("%s %s: wrapped %v by outline, %v by parse of\n%s", tool.layout().Name, rel, s[1].Wrapped, s[0].Wrapped, text)
		}
		if problem := misplaced(s[0], text); problem != "" {
			t.Errorf("%s %s: %s in\n%s", tool.layout().Name, rel, problem, text)
		}
	}
	return true
}

func isInputError(err error, file, text string) bool {
	e, ok := err.(*InputError)
	return ok && e.File == file && e.Message != "" && e.Remedy != "" && e.Line <= strings.Count(text, "\n")+strings.Count(text, "\r")+1
}

// misplaced says what is wrong with the positions of a script's statements.
func misplaced(s *Script, text string) string {
	expanded := strings.Contains(text, "ENVSUB") || strings.Contains(text, "$")
	last := Statement{Batch: -1}
	for _, st := range s.Statements {
		switch {
		case st.File != s.File || st.Batch < last.Batch || st.EndLine < st.Line:
			return fmt.Sprintf("%+v after %+v", st, last)
		case st.Offset < last.Offset && st.SQL != "" || st.Offset > len(text):
			return fmt.Sprintf("offset %d after %d", st.Offset, last.Offset)
		}
		if st.SQL == "" || expanded {
			continue
		}
		first, _, _ := strings.Cut(strings.ReplaceAll(st.SQL, "\r", "\n"), "\n")
		if !strings.HasPrefix(text[st.Offset:], first) {
			return fmt.Sprintf("%q is not at %d", first, st.Offset)
		}
		lines := lineMarks(strings.TrimPrefix(text, bom), len(text)-len(strings.TrimPrefix(text, bom)))
		if at, _ := slices.BinarySearchFunc(lines, st.Offset+1, func(m mark, off int) int { return cmp.Compare(m.fileOff, off) }); at != st.Line {
			return fmt.Sprintf("%q is at line %d, not %d", first, at, st.Line)
		}
		last = st
	}
	return ""
}

// TestLineEndings: neither CRLF nor a byte order mark moves a line or loses a
// statement, in any layout that takes them.
func TestLineEndings(t *testing.T) {
	for _, tool := range tools() {
		for _, s := range samples(t) {
			for _, rel := range sampleNames[tool.layout().Name] {
				want, err := outcome(tool, rel, s.text)
				if err != nil || strings.ContainsAny(s.text, "\r\ufeff") || strings.Contains(s.text, "'") {
					continue
				}
				crlf, err := outcome(tool, rel, strings.ReplaceAll(s.text, "\n", "\r\n"))
				if diff := gocmp.Diff(want, crlf); diff != "" || err != nil {
					t.Errorf("%s %s with CRLF: %v %s\n%s", tool.layout().Name, s.archive, err, diff, s.text)
				}
				// A tool that would not see its annotation refuses the mark.
				marked, err := outcome(tool, rel, bom+s.text)
				if diff := gocmp.Diff(want, marked); err == nil && diff != "" || err != nil && !strings.Contains(err.Error(), "byte order mark") {
					t.Errorf("%s %s with a byte order mark: %v %s\n%s", tool.layout().Name, s.archive, err, diff, s.text)
				}
			}
		}
	}
}

// outcome is what a text comes to, without what line endings may change.
func outcome(tool tool, rel, text string) (all []string, err error) {
	f, _, _ := tool.name(rel)
	up, down, err := tool.parse(input{fsys: fstest.MapFS{}, file: "m/" + rel, rel: rel, text: []byte(text), direction: f.direction})
	for _, s := range []*Script{up, down} {
		if s != nil && err == nil {
			all = append(all, fmt.Sprint(s.Direction, s.Wrapped))
			for _, st := range s.Statements {
				all = append(all, fmt.Sprint(st.Line, st.EndLine, st.Batch, strings.ReplaceAll(st.SQL, "\r", "")))
			}
		}
	}
	return all, err
}

// TestOrder: names sort as each tool sorts them.
func TestOrder(t *testing.T) {
	for layout, names := range map[string][]string{ // in the tool's order
		"golang-migrate": {"2_a.up.sql", "09_b.up.sql", "10_a.up.sql", "20200101_a.up.sql"},
		"goose":          {"2_a.sql", "09_b.sql", "10_a.sql"},
		"dbmate":         {"09_b.sql", "1-a.sql", "10_a.sql", "1_a.sql", "2_a.sql"},
		"sql-migrate":    {"2_a.sql", "2_b.sql", "09_b.sql", "9.sql", "10_a.sql", "a.sql", "b.sql"},
		"plain":          {"1.sql", "1_a.sql", "2_a.sql", "009_b.sql", "10_a/up.sql", "10_b.sql", "a2.sql", "a10.sql"},
	} {
		tool, _ := toolOf(layout)
		var entries []entry
		for i := range names {
			rel := names[len(names)-1-i]
			f, ok, err := tool.name(rel)
			if !ok || err != nil {
				t.Fatalf("%s: %s: %v %v", layout, rel, ok, err)
			}
			entries = append(entries, entry{f, rel, rel})
		}
		var got []string
		for _, group := range pair(entries) {
			for _, e := range group {
				got = append(got, e.rel)
			}
		}
		if diff := gocmp.Diff(names, got); diff != "" {
			t.Errorf("%s: %s", layout, diff)
		}
	}
}

// FuzzTools: no text makes a tool panic, and what is read of one is placed in
// it.
func FuzzTools(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tool := range tools() {
			tool.claim("1_a.sql", []byte(text))
			for _, rel := range sampleNames[tool.layout().Name] {
				for _, mode := range []string{"", "statement"} {
					holdParse(t, tool, rel, text, Options{Transaction: mode})
				}
			}
		}
	})
}
