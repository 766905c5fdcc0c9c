package migration

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestLayouts loads every archive of testdata/layouts and holds what came of
// it against the archive's last file. The archive's comment may hold options:
// "layout NAME", "dialect NAME", "ignore PATTERN", "env NAME=VALUE",
// "transaction MODE", "placeholder NAME=VALUE".
func TestLayouts(t *testing.T) {
	archives, err := filepath.Glob("testdata/layouts/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fsys := fstest.MapFS{"migrations": {Mode: fs.ModeDir | 0o755}}
			want := -1
			for i, f := range a.Files {
				if f.Name == "want" {
					want = i
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
			if want < 0 {
				a.Files = append(a.Files, txtar.File{Name: "want"})
				want = len(a.Files) - 1
			}
			got := showDir(fsys, string(a.Comment))
			if *update {
				a.Files[want].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(strings.Split(string(a.Files[want].Data), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func showDir(fsys fs.FS, comment string) string {
	var b bytes.Buffer
	var opt Options
	env := map[string]string{}
	detection, err := Detect(fsys, "./migrations/", Options{})
	layout, reason := detection.Layout, detection.Reason
	fmt.Fprintf(&b, "detect: %s %s%s\n", layout.Name, reason, showError(err))
	for _, line := range strings.Split(comment, "\n") {
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "layout":
			layout, _ = ByName(rest)
		case "ignore":
			opt.Ignore = append(opt.Ignore, rest)
		case "transaction":
			opt.Transaction = rest
		case "dialect":
			opt.Dialect = Dialect(rest)
		case "placeholder":
			name, value, _ := strings.Cut(rest, "=")
			opt.Placeholders = map[string]string{name: value}
		case "env":
			name, value, _ := strings.Cut(rest, "=")
			env[name] = strings.ReplaceAll(value, `\n`, "\n")
		}
	}
	opt.Getenv = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if layout.Name == "" {
		return b.String()
	}
	listed, listErr := List(fsys, "migrations", layout, opt)
	set, err := Load(fsys, "migrations", layout, opt)
	if err != nil {
		fmt.Fprintf(&b, "load: %s\n", strings.TrimSpace(showError(err)))
		if listErr != nil && listErr.Error() != err.Error() {
			fmt.Fprintf(&b, "list: %s\n", strings.TrimSpace(showError(listErr)))
		}
		return b.String()
	}
	for _, m := range set.Migrations {
		fmt.Fprintf(&b, "%d %s %q%s\n", m.Number, m.Version, m.Name, showKind(m))
		showScript(&b, &m.Up)
		showScript(&b, m.Down)
	}
	for _, u := range set.Unrecognised {
		fmt.Fprintf(&b, "unrecognised %s", u)
		if better := set.Renames[u]; better != "" {
			fmt.Fprintf(&b, ", meant to be %s", better)
		}
		fmt.Fprintln(&b)
	}
	for _, s := range set.Skipped {
		fmt.Fprintf(&b, "skipped %s\n", s)
	}
	if listErr == nil {
		forget(set.Migrations)
		forget(listed.Migrations)
	}
	if diff := cmp.Diff(set, listed); diff != "" {
		fmt.Fprintf(&b, "List differs from Load: %s\n", diff)
	}
	return b.String()
}

// forget takes away what only parsing tells.
func forget(all []Migration) {
	for i := range all {
		for _, s := range []*Script{&all[i].Up, all[i].Down} {
			if s != nil {
				s.Statements, s.Wrapped, s.Caveat, s.Unrun, s.Remedy = nil, false, "", "", ""
			}
		}
	}
}

func showKind(m Migration) (kinds string) {
	for kind, is := range map[string]bool{" repeatable": m.Repeatable && !m.IsCallback(), " baseline": m.Baseline, " callback": m.IsCallback()} { // one at most
		if is {
			kinds += kind
		}
	}
	return kinds
}

func showError(err error) string {
	if err == nil {
		return ""
	}
	var e *InputError
	if !errors.As(err, &e) {
		return fmt.Sprintf("error: %v", err)
	}
	return "input error: " + e.Error()
}

func showScript(b *bytes.Buffer, s *Script) {
	if s == nil {
		return
	}
	fmt.Fprintf(b, "  %s %s", s.Direction, s.File)
	if s.Wrapped {
		fmt.Fprint(b, " wrapped")
	}
	if s.IsEmpty() {
		fmt.Fprint(b, " empty")
	}
	if s.Schema != "" {
		fmt.Fprintf(b, " in schema %s", s.Schema)
	}
	fmt.Fprintln(b)
	if s.Caveat != "" {
		fmt.Fprintf(b, "    caveat: %s; %s\n", s.Caveat, s.Remedy)
	}
	if s.Unrun != "" {
		fmt.Fprintf(b, "    %s; %s\n", s.Unrun, s.Remedy)
	}
	for _, st := range s.Statements {
		fmt.Fprintf(b, "    %d-%d batch %d %s %q", st.Line, st.EndLine, st.Batch, st.Facts.Kind, st.SQL)
		if st.File != s.File {
			fmt.Fprintf(b, " of %s", st.File)
		}
		fmt.Fprintln(b)
	}
}

func TestMissingDirectory(t *testing.T) {
	layout, _ := ByName("goose")
	if _, err := List(fstest.MapFS{}, "migrations", layout, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist: a base without the directory is no mistake", err)
	}
	var e *InputError
	if _, err := Detect(fstest.MapFS{}, "migrations", Options{}); !errors.As(err, &e) || e.Remedy == "" {
		t.Errorf("got %v, want an InputError with a remedy", err)
	}
}

// What is not LF and plain ASCII must not move lines or change what is sent.
func TestGooseLineEndings(t *testing.T) {
	layout, _ := ByName("goose")
	text := "-- +goose Up\nSELECT 1;\n-- +goose StatementBegin\nDO $$\nBEGIN NULL; END $$;\n-- +goose StatementEnd\n-- +goose Down\nDROP TABLE é;\n"
	want, wantDown, err := layout.Parse("m/1_a.sql", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"crlf": strings.ReplaceAll(text, "\n", "\r\n"),
		"bom":  bom + text,
		"both": bom + strings.ReplaceAll(text, "\n", "\r\n"),
	} {
		up, down, err := layout.Parse("m/1_a.sql", []byte(text), Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range append(up.Statements, down.Statements...) {
			first, _, _ := strings.Cut(s.SQL, "\n")
			if !strings.HasPrefix(text[s.Offset:], first) {
				t.Errorf("%s: %q is not at offset %d", name, s.SQL, s.Offset)
			}
		}
		for _, s := range [][2]*Script{{want, up}, {wantDown, down}} {
			for i := range s[1].Statements {
				// Both are about the file, not about what is sent.
				s[1].Statements[i].Offset = s[0].Statements[i].Offset
				s[1].Statements[i].After = s[0].Statements[i].After
			}
		}
		if diff := cmp.Diff([]*Script{want, wantDown}, []*Script{up, down}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestExpandEnv(t *testing.T) {
	env := map[string]string{"A": "x", "EMPTY": "", "LONG": "abcdef"}
	getenv := func(n string) (string, bool) { v, ok := env[n]; return v, ok }
	for in, want := range map[string]string{
		"$A ${A}$B|": "x x|", "${B:-d} ${EMPTY:-d} ${EMPTY-d} ${B-d}": "d d  d", "${B:-${A}y}": "xy",
		`\$A $$A \\$A $(A`: `$A $A \\x $(A`, "${LONG:1:2} ${LONG:-2} ${LONG: -2} ${LONG:1:-1} ${LONG:9}": "bc abcdef ef bcde ",
		"${A?no}": "x", "$": "$", "a$": "a$", "${A:-}": "x",
	} {
		got, err := expandEnv(in, getenv)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"$1", "${A", "${A!}", "${B?}", "$ x", "${A:x}", "$_A", "do $body$"} {
		if got, err := expandEnv(in, getenv); err == nil && in != "do $body$" {
			t.Errorf("%s: got %q, want an error", in, got)
		}
	}
}
