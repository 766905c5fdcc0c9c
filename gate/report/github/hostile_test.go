package github_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/runnertest"
)

// attacks are texts that a migration, a server or a file's name may bring along.
var attacks = map[string]string{
	"commands":   "::error::x\n::add-mask::a\r::set-env name=PATH::/tmp\r\n  ::stop-commands::t\n::t::\n::endgroup::",
	"older":      "##[error]x ##[add-mask]password\n##[group]x",
	"escapes":    "%0A::error::x%0D%0A##[error]y %25 %3A%3A",
	"properties": "a,line=1,title=b::c=d\nfile=x",
	"invisible":  "\ufeff::error::\u200b::warning:\u00ad:x\n\x1b[0m::notice::x #\u200b#[error] \u0301::error::",
	"utf16":      "\xff\xfe:\x00:\x00e\x00r\x00r\x00o\x00r\x00:\x00:\x00x\x00",
	"broken":     "a\xff\xfeb\xc3::error::x",
	"heredoc":    "verdict=pass\n_GitHubActionsFileCommandDelimeter_\nverdict<<EOF\npass\nEOF\ngate_AAAA",
	"html":       `]]></script><script>alert(1)</script></details></summary><details><img src=x onerror=alert(1)><!-- -->`,
	"table":      "a | b |\n|---|---|\n| c | d",
	"fence":      "x\n```\n# PASS\n````\n~~~\n</details>\n### Findings\n",
	"mention":    "@octocat #12 GH-12 owner/repo#99 [click](javascript:alert(1)) https://evil.example) ![i](//evil.example/x.png)",
	"mark":       "\u0301::error::x",
	"long":       strings.Repeat("::error::", 250),
	"lines":      strings.Repeat("::error::x\n", 60),
}

// poison puts the attack in place of every text of a report but those that
// our own code has a fixed list for.
func poison(v reflect.Value, attack string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type().PkgPath() == "" && v.CanSet() {
			v.SetString(attack)
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Interface {
			n := reflect.New(v.Elem().Type()).Elem()
			n.Set(v.Elem())
			poison(n, attack)
			v.Set(n)
			return
		}
		poison(v.Elem(), attack)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				poison(v.Field(i), attack)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			poison(v.Index(i), attack)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			n := reflect.New(v.Type().Elem()).Elem()
			n.Set(v.MapIndex(k))
			poison(n, attack)
			v.SetMapIndex(k, n)
			if k.Kind() == reflect.String {
				v.SetMapIndex(reflect.ValueOf(k.String()+attack).Convert(k.Type()), n)
			}
		}
	}
}

// stored are the reports that the renderers are tested with.
func stored(t *testing.T) map[string]func() gate.Report {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("stored reports: %v %v", files, err)
	}
	all := map[string]func() gate.Report{}
	for _, file := range files {
		raw := read(t, file)
		all[filepath.Base(file)] = func() gate.Report {
			r, err := report.Decode(strings.NewReader(raw))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			return r
		}
	}
	return all
}

// Whatever a change brings along, the runner obeys what the gate means to say,
// to the letter, and nothing else.
func TestHostileReports(t *testing.T) {
	for file, load := range stored(t) {
		for name, attack := range attacks {
			if name != "commands" && file != "dangerous.json" && file != "mysql-half.json" && file != "error.json" {
				continue // the places are found by one attack, the ways by a few reports
			}
			for _, act := range []string{"", "true"} {
				r := load()
				poison(reflect.ValueOf(&r).Elem(), attack)
				t.Run(fmt.Sprintf("%s/%s/act=%s", file, name, act), func(t *testing.T) { checkHostile(t, r, attack, act) })
			}
		}
	}
}

func checkHostile(t *testing.T, r gate.Report, attack, act string) {
	s := newStep(t)
	s.env["ACT"] = act
	opt := s.options()
	opt.Paths = map[string]string{"report-json": attack}
	opt.Source = func(string) ([]byte, bool) { return []byte(attack), true }
	run := github.NewRunner(opt)
	end := run.Group(attack)
	for _, format := range []string{"text", "markdown", "json"} {
		if err := report.Render(opt.Stdout, format, r, report.Options{Source: opt.Source}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, opt.Stdout, attack) // what a child program says, with no end of line
	end()
	for _, err := range run.Publish(r) {
		t.Error(err)
	}
	write(t, opt.Stdout, attack)
	if err := opt.Stdout.(*github.GuardWriter).Flush(); err != nil {
		t.Fatal(err)
	}
	checkCommands(t, s, r, attack)
	out, err := runnertest.ParseOutputs([]byte(read(t, s.output)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"report-json": valid(attack)}
	for _, o := range report.Outputs(r) {
		want[o.Name] = o.Value
	}
	if d := cmp.Diff(want, out); d != "" {
		t.Error(d)
	}
	if act == "" { // act's has the verdict alone
		checkSummary(t, read(t, s.summary), len(r.Findings))
	}
}

// valid is what the runner's reader makes of text.
func valid(s string) string { return string([]rune(s)) }

func checkCommands(t *testing.T, s *step, r gate.Report, attack string) {
	t.Helper()
	got := runnertest.Parse(s.stdout.Bytes())
	var want []runnertest.Command
	title := strings.Join(strings.Fields(gate.Printable(attack)), " ")
	want = append(want, runnertest.Command{Name: "group", Data: title}, runnertest.Command{Name: "endgroup"})
	count := map[string]int{}
	for _, a := range github.Annotations(r) {
		if count[a.Level]++; count[a.Level] > 10 {
			t.Fatal("a report with more than ten: not what this test compares")
		}
		c := runnertest.Command{Name: a.Level, Data: a.Message, Properties: map[string]string{"title": a.Title}}
		if a.File != "" {
			c.Properties["file"], c.Properties["line"], c.Properties["endLine"] = valid(a.File), fmt.Sprint(a.StartLine), fmt.Sprint(a.EndLine)
			if a.Column > 0 {
				c.Properties["col"] = fmt.Sprint(a.Column)
			}
		}
		want = append(want, c)
	}
	same := cmp.Comparer(func(a, b runnertest.Command) bool {
		return a.Name == b.Name && strings.TrimPrefix(a.Data, " ") == strings.TrimPrefix(b.Data, " ") && cmp.Equal(a.Properties, b.Properties, cmp.Comparer(func(a, b map[string]string) bool {
			return len(a) == 0 && len(b) == 0 || fmt.Sprint(a) == fmt.Sprint(b)
		}))
	})
	if !cmp.Equal(want, got, same) {
		for i := range max(len(want), len(got)) {
			switch {
			case i >= len(want):
				t.Errorf("the runner takes line %d for a command: %.300q", got[i].Line, got[i].Raw)
			case i >= len(got):
				t.Errorf("the runner never sees %.300q", want[i].Data)
			case !cmp.Equal(want[i], got[i], same):
				t.Errorf("meant %.600q, the runner understands %.600q", fmt.Sprint(want[i]), fmt.Sprint(got[i]))
			}
		}
	}
	for _, c := range runnertest.ParseAct(s.stdout.Bytes()) {
		name, _, _ := strings.Cut(c.Name, "::") // a mark in the data misleads act
		switch name {
		case "error", "warning", "notice", "group", "endgroup":
			if strings.Count(s.stdout.String(), c.Raw) == 0 || !isOurs(got, c.Raw) {
				t.Errorf("act takes line %d for a command: %.300q", c.Line, c.Raw)
			}
		default:
			t.Errorf("act takes line %d for a command: %.300q", c.Line, c.Raw)
		}
	}
}

func isOurs(got []runnertest.Command, raw string) bool {
	for _, c := range got {
		if c.Raw == valid(raw) {
			return true
		}
	}
	return false
}

// The list that only the summary has holds structure of our own alone.
func checkSummary(t *testing.T, md string, findings int) {
	t.Helper()
	_, list, ok := strings.Cut(md, "\n### All findings\n\n")
	if findings == 0 {
		return
	}
	if !ok {
		t.Fatalf("no list of findings:\n%.500s", md)
	}
	var rows []string
	for line := range strings.Lines(list) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		rows = append(rows, strings.TrimSuffix(line, "\n"))
	}
	code := `<code>[^<\x60|]*</code>`
	text := `(?:[^<>\x60|@#$\[\]\\]|&#\d+;|<span>&#36;</span>)*`
	shape := regexp.MustCompile(`^\| (?:🔴|🟠|🔵)? \| (?:` + code + `)? \| (?:` + code + `|\[` + code + `\]\(https://github\.example/acme/shop/blob/[0-9a-f]{40}/[A-Za-z0-9/._%-]+(?:#L\d+(?:-L\d+)?)?\))? \| ` + text + ` \| (?:` + code + `)? \|$`)
	for i, row := range rows {
		if i >= 2 && !shape.MatchString(row) {
			t.Errorf("row %d of the list: %.400q", i, row)
		}
	}
	if n := len(rows) - 2; n != findings {
		t.Errorf("%d rows for %d findings", n, findings)
	}
}

func TestAnnotationsKeepOddFileNames(t *testing.T) {
	for _, name := range []string{"a::b,c=d%0A.sql", "new\nline\r.sql", "ümlaut 🔒.sql", " leading", "trailing ", "tab\t\x1b[31m", "a=b", "%25", "::error::x"} {
		s := newStep(t)
		r := many(1)
		r.Findings = r.Findings[:1]
		r.Findings[0].File = name
		s.publish(t, r)
		shown, _ := runnertest.Annotations(runnertest.Parse(s.stdout.Bytes()))
		if len(shown) != 1 || shown[0].File != name || shown[0].Line != "2" {
			t.Errorf("%q became %+v", name, shown)
		}
	}
}

const longestFuzz = 200

func FuzzPublish(f *testing.F) {
	for _, a := range attacks {
		f.Add(a[:min(len(a), longestFuzz)])
	}
	raw, err := os.ReadFile("../testdata/dangerous.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, attack string) {
		if len(attack) > longestFuzz {
			t.Skip("longer ones take seconds to render")
		}
		r, err := report.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		poison(reflect.ValueOf(&r).Elem(), attack)
		checkHostile(t, r, attack, "true")
	})
}
