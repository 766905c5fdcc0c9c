package report_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/snapshot"
)

// attacks are texts that a migration, a server or a file name may bring along.
var attacks = map[string]string{
	"ansi":     "\x1b[2J\x1b[1;31mPASS\x1b]0;owned\x07\r\nPASS\b\b\b",
	"c1":       "a\u009b31mb\u0085c\u2028d",
	"bidi":     "orders\u202e\u2066 evil\u2069\ufeff\u200b",
	"utf8":     "a\xff\xfeb\xc3",
	"table":    "a | b |\n|---|---|\n| c | d",
	"fence":    "x\n```\n# PASS\n````\n~~~\n`````sql\n",
	"html":     `</code></details></summary><script>alert(1)</script><img src=x onerror=alert(1)><!-- -->`,
	"mention":  "@octocat cc @migration-gate/team #12 GH-12 !34 $45 ~label %1 &2 ^alert owner/repo#99",
	"link":     "https://evil.example/?a=b www.evil.example [click](javascript:alert(1)) ![i](//evil.example/x.png) <https://evil.example> mail@evil.example ftp://evil.example",
	"markup":   "**bold** __b__ _i_ ~~s~~ `code` # head > quote * item\n- item\n1. item\n=====\n-----\n\\| \\` &lt; &#124;",
	"mermaid":  "x :crit, 0, 1\nclick a href \"javascript:alert(1)\"\n%%{init: {}}%%\nsection PASS;#",
	"commands": "::error::x\n##[error]y\n/close\n/assign @me\n%0A",
	"emoji":    ":rocket: :+1: x :white_check_mark:",
	"maths":    "$\\href{javascript:x}{y}$ $$a$$ $`b`$",
	"long":     strings.Repeat("x", 9_000),
	"lines":    strings.Repeat("SELECT 1\n", 1_000),
}

// hostile puts each attack into every place that text from outside can reach.
func hostile() map[string]gate.Report {
	all := map[string]gate.Report{}
	for name, a := range attacks {
		r := dangerous()
		r.Reason = a
		o := &r.Observation
		o.Engine.Version, o.Target.Kind, o.Target.Detail, o.Dir, o.Layout, o.Base, o.Head = a, a, a, a, a, a, a
		o.Snapshot.Path, o.Snapshot.SHA256 = a, a
		for i := range o.Migrations {
			m := &o.Migrations[i]
			m.Version, m.Name, m.Up.File = a, a, a
			for k := range m.Up.Statements {
				m.Up.Statements[k].SQL, m.Up.Statements[k].File = a, a
				m.Apply.Statements[k].Rewrites = []gate.Rewrite{{Relation: a, Part: "heap", Table: a, Existing: true}}
			}
		}
		o.Migrations[1].Apply.Failure = &gate.Failure{Statement: 1, File: a, Line: 2, Column: 3, Code: a, Message: a, Detail: a, Hint: a, Where: a}
		for i := range o.Locks {
			w := &o.Locks[i]
			w.Relation, w.Table, w.Mode, w.Kind, w.File, w.Witness = a, a, a, a, a, a
			for k := range w.HeldDuring {
				w.HeldDuring[k].File = a
			}
		}
		o.Reverse = &gate.Reverse{
			Changes: []gate.SchemaChange{{Change: snapshot.Change{What: a, Before: &snapshot.Object{Kind: a, Name: a, Definition: a}, After: &snapshot.Object{Kind: a, Name: a + "2", Definition: a + "2"}}}},
			Losses:  []gate.DataChange{{Table: a, Now: a + "3", Missing: 1, GoneColumns: []string{a}, Examples: []string{a}}},
		}
		o.Phases = append(o.Phases, gate.Phase{Name: a, MS: 1})
		for i := range r.Findings {
			f := &r.Findings[i]
			f.Rule, f.File, f.Message, f.Fix, f.SQL = a, a, a, a+";", a
			f.Evidence = map[string]any{"relation": a, "mode": a, "at_least_ms": 1.0, "at_most_ms": 2.0, "list": []string{a}, "map": map[string]any{"k" + a: a}, "text": a}
		}
		all[name] = r
		all["on MySQL "+name] = hostileMySQL(a)
	}
	return all
}

// hostileMySQL holds the attack wherever only MySQL's reports have text.
func hostileMySQL(a string) gate.Report {
	r := mysqlHalf()
	m := &r.Observation.Migrations[0]
	m.Version, m.Up.File = a, a
	m.Apply.Failure.Code, m.Apply.Failure.SQLState, m.Apply.Failure.Message = a, a, a
	m.Rerun.Failure.Code, m.Rerun.Failure.SQLState, m.Rerun.Failure.Message = a, a, a
	for i := range m.Up.Statements {
		m.Up.Statements[i].File = a
	}
	for i := range m.Apply.Statements {
		m.Apply.Statements[i].DDL = &gate.OnlineDDL{Table: a, Existing: true, Algorithm: a, Lock: a, Rebuild: true, Evidence: a,
			Best: &gate.BestDDL{Algorithm: a, Lock: a, Reason: a, Unasked: a}}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Rule, f.File, f.Fix = "table-rewrite", a, a+";"
		f.Evidence = map[string]any{
			"relation": "shop.orders", "code": a, "sqlstate": a, "algorithm": a, "lock": a, "told_by": a, "rebuild": true,
			"best_algorithm": a, "best_lock": a, "best_reason": a, "role": a, "at_least_ms": 1.0, "at_most_ms": 2.0, "waited_ms": 1.0, "not_seen": a,
			"phases": []any{map[string]any{"mode": a, "at_most_ms": 1.0}}, "applied": []any{map[string]any{"line": 1.0}}, "rerun": map[string]any{"server_message": a},
		}
	}
	return r
}

// Only line feeds may act on a terminal; JSON must be ASCII-safe as well.
func TestControlCharactersAreNeutralised(t *testing.T) {
	for name, r := range hostile() {
		for _, format := range report.Formats() {
			out := render(t, format, r, report.Options{Unicode: true})
			if !utf8.ValidString(out) {
				t.Errorf("%s as %s is not valid UTF-8", name, format)
			}
			for _, c := range out {
				if c != '\n' && gate.Invisible(c) && (c != '\t' || format == "text") {
					t.Errorf("%s as %s lets %U through", name, format, c)
					break
				}
			}
		}
	}
}

// outsideCode removes fenced blocks and inline code, whose content forges show
// as it is, and fails where a fence stays open.
func outsideCode(t *testing.T, name, md string) string {
	t.Helper()
	var out []string
	fence := ""
	for _, l := range strings.Split(md, "\n") {
		run := l[:len(l)-len(strings.TrimLeft(l, "`"))]
		switch {
		case fence == "" && len(run) >= 3:
			fence = run
		case fence != "" && len(run) >= len(fence) && strings.TrimSpace(strings.TrimLeft(l, "`")) == "":
			fence = ""
		case fence == "":
			out = append(out, l)
		}
	}
	if fence != "" {
		t.Errorf("%s: a fence of %d is never closed", name, len(fence))
	}
	return strings.Join(out, "\n")
}

func TestMarkdownCannotBeBrokenOutOf(t *testing.T) {
	// What our own renderer writes outside of code.
	ours := regexp.MustCompile(`</?(?:details|summary|code)>|<span>&#36;</span>`)
	code := regexp.MustCompile(`<code>[^<]*</code>`)
	for name, r := range hostile() {
		md := render(t, "markdown", r, report.Options{Unicode: true})
		if len(md) > 60_000 {
			t.Errorf("%s: %d bytes", name, len(md))
		}
		out := outsideCode(t, name, md)
		for _, tag := range []string{"details", "summary", "code"} {
			if a, b := strings.Count(out, "<"+tag+">"), strings.Count(out, "</"+tag+">"); a != b {
				t.Errorf("%s: %d <%s> and %d </%s>", name, a, tag, b, tag)
			}
		}
		if left := ours.ReplaceAllString(out, ""); strings.Contains(left, "<") {
			i := strings.Index(left, "<")
			t.Errorf("%s: HTML gets out: %q", name, left[i:min(i+80, len(left))])
		}
		prose := code.ReplaceAllString(out, "")
		for what, re := range map[string]*regexp.Regexp{
			"a mention":         regexp.MustCompile(`(?:@|&#64;)[A-Za-z0-9]`),
			"a reference":       regexp.MustCompile(`(?:^|[^&])(?:#|&#35;)[0-9]|GH-[0-9]`),
			"a link":            regexp.MustCompile(`\]\(|\]\[|://|&#58;//|[wW]{3}\.[a-z]`),
			"an emoji":          regexp.MustCompile(`:[a-z+-]`),
			"emphasis":          regexp.MustCompile(`\*\*bold|~~s|__b__|:rocket:`),
			"a backtick":        regexp.MustCompile("`"),
			"bare dollar maths": regexp.MustCompile(`\$`),
		} {
			if m := re.FindString(prose); m != "" {
				t.Errorf("%s: %s gets out: %q", name, what, m)
			}
		}
		lines := strings.Split(out, "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "|") {
				// Rows of one table have one number of cells.
				if i > 0 && strings.HasPrefix(lines[i-1], "|") && strings.Count(l, "|") != strings.Count(lines[i-1], "|") {
					t.Errorf("%s: a table row breaks: %q", name, l)
				}
			}
			if regexp.MustCompile(`^(?:/|::|##\[|={3,}$|-{3,}$|#{1,6} (?:head|PASS))`).MatchString(l) {
				t.Errorf("%s: a line starts as a command or heading: %q", name, l)
			}
		}
	}
}

// The gantt's source holds nothing but our own keywords and plain labels.
func TestMermaidCannotBeBrokenOutOf(t *testing.T) {
	block := regexp.MustCompile("(?s)```mermaid\n(.*?)```\n")
	line := regexp.MustCompile(`^(gantt|    (title [\w ,:()-]+|dateFormat x|axisFormat [%SLM:. s]+|section [^:;#%"<>\[\]{}]*|line \d+ [^:;#%"<>\[\]{}]* :(crit|active|done), \d+, \d+))$`)
	for name, r := range hostile() {
		m := block.FindStringSubmatch(render(t, "markdown", r, report.Options{Unicode: true}))
		if m == nil {
			t.Fatalf("%s: no gantt", name)
		}
		for _, l := range strings.Split(strings.TrimSuffix(m[1], "\n"), "\n") {
			if !line.MatchString(l) {
				t.Errorf("%s: gantt line %q", name, l)
			}
		}
	}
}

func TestHugeReportIsCutOnBordersAndSaysSo(t *testing.T) {
	md := render(t, "markdown", huge(), report.Options{Unicode: true})
	if len(md) > 60_000 || len(md) < 30_000 {
		t.Errorf("%d bytes", len(md))
	}
	out := outsideCode(t, "huge", md)
	for _, want := range []string{"findings more not shown", "not listed", "locks more that blocked for less", "FAIL 611 errors"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if a, b := strings.Count(out, "<details>"), strings.Count(out, "</details>"); a != b {
		t.Errorf("%d details opened, %d closed", a, b)
	}
	text := render(t, "text", huge(), report.Options{})
	if !strings.Contains(text, "statements not listed") || !strings.HasSuffix(text, "restore 8.1 s, apply 3.4 s, reverse 0.2 s\n") {
		t.Error("the text does not say what it left out, or does not end with the totals")
	}
}
