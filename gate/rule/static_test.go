package rule_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// Each testdata/static/*.txtar is a directory of migrations, judged by its
// text alone. A finding is wanted where its line ends in
//
//	-- want RULE "regexp" [RULE "regexp" …]
//
// (want-file: about the file as a whole; want-notice: capped at a notice), and
// nowhere else. The archive's comment sets the policy and what is merged:
//
//	reversal: exact
//	strict: true
//	layout: goose
//	engine: mysql
//	merged: 000001_orders
//	server: 18
//	columns: public.orders id total
func TestStaticRules(t *testing.T) {
	files, err := filepath.Glob("testdata/static/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			judgeArchive(t, archive)
		})
	}
}

type wanted struct {
	file   string
	line   int
	rule   string
	re     *regexp.Regexp
	notice bool
}

func judgeArchive(t *testing.T, archive *txtar.Archive) {
	t.Helper()
	o, p := settings(t, string(archive.Comment))
	p.Only = []string{"unsafe-down", "version-order", "syntax-error"}
	fsys := fstest.MapFS{}
	var want []wanted
	for _, f := range archive.Files {
		fsys["migrations/"+f.Name] = &fstest.MapFile{Data: f.Data}
		want = append(want, wants(t, "migrations/"+f.Name, string(f.Data))...)
	}
	set, err := migration.Load(fsys, "migrations", migration.Layout{Name: o.Layout}, migration.Options{Dialect: migration.Dialect(o.Engine.Name)})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range set.Migrations {
		o.Migrations = append(o.Migrations, gate.Migration{Migration: m})
	}
	for _, f := range rule.Judge(o, p).Findings {
		i := slices.IndexFunc(want, func(w wanted) bool {
			return w.file == f.File && w.line == f.Line && w.rule == f.Rule && w.re.MatchString(f.Message) &&
				w.notice == (f.Severity == gate.Notice)
		})
		if i < 0 {
			t.Errorf("not wanted: %s:%d: %s %s: %s", f.File, f.Line, f.Severity, f.Rule, f.Message)
			continue
		}
		want = slices.Delete(want, i, i+1)
		checkFix(t, migration.Dialect(o.Engine.Name), f)
		checkDocumented(t, f)
	}
	for _, w := range want {
		t.Errorf("missing: %s:%d: %s matching %q (notice: %t)", w.file, w.line, w.rule, w.re, w.notice)
	}
}

var (
	wantComment = regexp.MustCompile(`-- want(-file|-notice)? (.*)$`)
	wantClause  = regexp.MustCompile(`([a-z-]+) "((?:[^"\\]|\\.)*)"`)
)

func wants(t *testing.T, file, text string) []wanted {
	t.Helper()
	var all []wanted
	for n, line := range strings.Split(text, "\n") {
		m := wantComment.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		clauses := wantClause.FindAllStringSubmatch(m[2], -1)
		if len(clauses) == 0 {
			t.Fatalf("%s:%d: no clause in %q", file, n+1, line)
		}
		for _, c := range clauses {
			w := wanted{file: file, line: n + 1, rule: c[1], re: regexp.MustCompile(c[2]), notice: m[1] == "-notice"}
			if m[1] == "-file" {
				w.line = 0
			}
			all = append(all, w)
		}
	}
	return all
}

func settings(t *testing.T, comment string) (gate.Observation, gate.Policy) {
	t.Helper()
	o, p := gate.Observation{Layout: "golang-migrate"}, rule.DefaultPolicy()
	for _, line := range strings.Split(comment, "\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(value)
		switch key {
		case "engine":
			o.Engine.Name = words[0]
		case "reversal":
			p.Reversal = gate.Reversal(words[0])
		case "strict":
			p.Strict = true
		case "server":
			p.ServerVersion = words[0]
		case "prefix":
			p.DeprecationPrefix = words[0]
		case "layout":
			o.Layout = words[0]
		case "merged":
			for _, w := range words {
				version, name, _ := strings.Cut(w, "_")
				number, err := strconv.ParseInt(version, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				o.Merged = append(o.Merged, gate.MergedMigration{Version: version, Number: number, Name: name,
					File: fmt.Sprintf("migrations/%s.up.sql", w)})
			}
		case "columns":
			if o.BaselineColumns == nil {
				o.BaselineColumns = map[string][]string{}
			}
			o.BaselineColumns[words[0]] = words[1:]
		default:
			t.Fatalf("unknown setting %q", key)
		}
	}
	return o, p
}

// checkFix: a fix is there, and where it is SQL the grammar knows it.
func checkFix(t *testing.T, d migration.Dialect, f gate.Finding) {
	t.Helper()
	switch {
	case f.Fix == "":
		t.Errorf("%s:%d: %s: no fix", f.File, f.Line, f.Rule)
	case strings.Contains(f.Fix, ";\n") && !strings.HasPrefix(f.Fix, "git "):
		if d.IsMySQL() {
			noPostgres(t, f.Fix)
			checkMySQL(t, d, f.Fix)
			return
		}
		checkSQL(t, f.Fix)
	}
}

// checkSQL fails where PostgreSQL's grammar does not know a statement.
func checkSQL(t *testing.T, sql string) []migration.Statement {
	t.Helper()
	statements, err := migration.ParseScript("fix.sql", []byte(sql))
	if err != nil {
		t.Errorf("fix does not split: %v\n%s", err, sql)
	}
	for _, st := range statements {
		if !st.Facts.Analysed {
			t.Errorf("fix does not parse: %s\n%s", st.Facts.NotAnalysed, st.SQL)
		}
	}
	return statements
}
