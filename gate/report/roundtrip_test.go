package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

func TestStoredReportRendersLikeTheOneInMemory(t *testing.T) {
	all := crafted()
	for name, r := range hostile() {
		all["hostile "+name] = r
	}
	for name, r := range all {
		stored := render(t, "json", r, report.Options{})
		read, err := report.Decode(strings.NewReader(stored))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(r.Policy, read.Policy); diff != "" {
			t.Errorf("%s: policy changed on the way (-memory +file):\n%s", name, diff)
		}
		for _, format := range report.Formats() {
			for _, opt := range []report.Options{{}, {Unicode: true, Color: true, Width: 140}} {
				if opt.Color && (name == "huge" || strings.HasPrefix(name, "hostile")) {
					continue // once is enough, and they take their time
				}
				if diff := cmp.Diff(render(t, format, r, opt), render(t, format, read, opt)); diff != "" {
					t.Errorf("%s as %s (-memory +file):\n%s", name, format, diff)
				}
			}
		}
	}
}

func TestRenderIsDeterministicAndLeavesTheReportAlone(t *testing.T) {
	for name, r := range crafted() {
		if name == "huge" {
			continue
		}
		before, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range report.Formats() {
			first := render(t, format, r, report.Options{})
			if second := render(t, format, r, report.Options{}); first != second {
				t.Errorf("%s as %s differs from one time to the next", name, format)
			}
		}
		if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
			t.Errorf("%s was changed by rendering it", name)
		}
	}
}

func TestMillisecondsAreRoundedToATenth(t *testing.T) {
	long := regexp.MustCompile(`"(?:[a-z_]*_)?ms": -?[0-9]+\.[0-9]{2,}`)
	for name, r := range crafted() {
		if m := long.FindString(render(t, "json", r, report.Options{})); m != "" {
			t.Errorf("%s holds %s", name, m)
		}
	}
}

func TestJudgedWindowsComeFirst(t *testing.T) {
	var d struct {
		Locks []struct {
			Relation string
			Blocks   []string
			Existing bool
		}
	}
	if err := json.Unmarshal([]byte(render(t, "json", dangerous(), report.Options{})), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Locks) != 6 {
		t.Fatalf("%d locks, want 6", len(d.Locks))
	}
	for i, l := range d.Locks {
		if want := i < 5; l.Existing != want {
			t.Errorf("lock %d (%s): existing %v, want %v", i, l.Relation, l.Existing, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := render(t, "json", skipped(), report.Options{})
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", "the file is empty"},
		{"no JSON", "FAIL 2 errors", "read report: invalid character"},
		{"another version", strings.Replace(good, `"schema_version": "1"`, `"schema_version": "7"`, 1), `schema_version is "7", this program reads "1"`},
		{"another document", `{"version": 3}`, `schema_version is ""`},
		{"no verdict", `{"schema_version": "1"}`, `unknown verdict ""`},
		{"two documents", good + good, "more follows after the report's end"},
	} {
		_, err := report.Decode(strings.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestRenderRefusesAnUnknownFormat(t *testing.T) {
	var b bytes.Buffer
	err := report.Render(&b, "html", passing(), report.Options{})
	if err == nil || !strings.Contains(err.Error(), "text, markdown, json") || b.Len() > 0 {
		t.Errorf("error %v after %d bytes", err, b.Len())
	}
}

type brokenWriter struct{}

var errBroken = errors.New("no space left on device")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestRenderKeepsTheCauseOfAFailedWrite(t *testing.T) {
	if err := report.Render(brokenWriter{}, "text", passing(), report.Options{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}

// What is pasted and what is one word may be wider; nothing else.
func TestTextKeepsToItsWidth(t *testing.T) {
	for name, r := range crafted() {
		for _, width := range []int{72, 80, 100, 160} {
			for _, unicode := range []bool{false, true} {
				if name == "huge" && (width != 100 || unicode) {
					continue
				}
				fix := map[string]bool{}
				for _, f := range r.Findings {
					for _, l := range strings.Split(f.Fix, "\n") {
						fix[strings.TrimSpace(l)] = true
					}
				}
				lines := strings.Split(strings.TrimSuffix(render(t, "text", r, report.Options{Width: width, Unicode: unicode}), "\n"), "\n")
				for i, l := range lines {
					if i == len(lines)-1 || fix[strings.TrimSpace(l)] || !strings.Contains(strings.TrimSpace(l), " ") {
						continue // the last line is one line, whatever it takes; so is a word
					}
					if w := runewidth.StringWidth(l); w > width {
						t.Errorf("%s at %d columns, unicode %v: line %d has %d: %s", name, width, unicode, i+1, w, l)
						break
					}
				}
			}
		}
	}
}

func TestASCIIFallback(t *testing.T) {
	r := dangerous()
	for i := range r.Findings {
		r.Findings[i].Fix = strings.ReplaceAll(r.Findings[i].Fix, "…", "...")
	}
	for i, c := range render(t, "text", r, report.Options{}) {
		if c > 0x7e {
			t.Fatalf("character %q at %d without Unicode", c, i)
		}
	}
	golden(t, "dangerous.ascii.txt", render(t, "text", r, report.Options{Width: 80}))
}

func TestColourOnlyWhenAsked(t *testing.T) {
	for name, r := range crafted() {
		if name == "huge" {
			continue
		}
		plain := render(t, "text", r, report.Options{Unicode: true})
		if strings.Contains(plain, "\x1b") {
			t.Errorf("%s has escapes without colour", name)
		}
		coloured := render(t, "text", r, report.Options{Unicode: true, Color: true})
		if stripped := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(coloured, ""); stripped != plain {
			t.Errorf("%s reads differently in colour:\n%s", name, cmp.Diff(plain, stripped))
		}
		for _, format := range []string{"markdown", "json"} {
			if strings.Contains(render(t, format, r, report.Options{Color: true}), "\x1b") {
				t.Errorf("%s as %s has escapes", name, format)
			}
		}
	}
}

func TestSourceIsShownAsWrittenWhileItIsTheSame(t *testing.T) {
	r := dangerous()
	file := "-- widen\n\n  ALTER TABLE orders\n    ALTER COLUMN total TYPE bigint,\n    ALTER COLUMN total SET NOT NULL; -- now\n"
	with := func(content string) string {
		return render(t, "text", r, report.Options{Source: func(name string) ([]byte, bool) { return []byte(content), name == widenFile }})
	}
	if got := with(file); !strings.Contains(got, "5 |     ALTER COLUMN total SET NOT NULL; -- now\n") {
		t.Errorf("the file's own lines are not shown:\n%s", got)
	}
	if got := with(strings.ReplaceAll(file, "\n", "\r\n")); !strings.Contains(got, "5 |     ALTER COLUMN total SET NOT NULL; -- now\n") {
		t.Errorf("CRLF: the file's own lines are not shown:\n%s", got)
	}
	if got := with("-- another\n\nDROP TABLE orders;\n\n\n"); strings.Contains(got, "DROP TABLE orders") || !strings.Contains(got, "3 | ALTER TABLE orders\n") {
		t.Errorf("a file that holds something else now is shown:\n%s", got)
	}
}

// The first lines of each verdict, as far as people rely on them.
func TestVerdictIsSaidFirst(t *testing.T) {
	for _, c := range []struct {
		r    gate.Report
		want []string // within the first five lines
	}{
		{dangerous(), []string{"FAIL", "2 errors, 2 warnings", "3384 ms on public.orders", "PostgreSQL 16.4", "5,400,000 rows, 912 MB"}},
		{passing(), []string{"PASS", "2.7 ms", "budget 200 ms"}},
		{noSnapshot(), []string{"PASS", "NOT MEASURED", "NO SNAPSHOT", "measured on 0", "on empty tables"}},
		{skipped(), []string{"SKIPPED", "no migration changed", "no server was started"}},
		{gateError(), []string{"ERROR", "could not decide", "fell behind"}},
	} {
		for _, format := range []string{"text", "markdown"} {
			out := render(t, format, c.r, report.Options{Unicode: true})
			lines := strings.Split(out, "\n")
			head := strings.Join(lines[:min(5, len(lines))], "\n")
			for _, want := range c.want {
				if !strings.Contains(head, want) {
					t.Errorf("%s of %s lacks %q in its first lines:\n%s", format, c.r.Verdict, want, head)
				}
			}
		}
	}
	for _, format := range []string{"text", "markdown"} {
		out := render(t, format, noSnapshot(), report.Options{})
		if strings.Contains(out, "of 200 ms") || strings.Contains(out, "within budget 200") {
			t.Errorf("%s: a lock on an empty table is set against its budget:\n%s", format, out)
		}
	}
}

// What the restore had to do without is said where the snapshot is named.
func TestWhatTheRestoreToleratedIsSaid(t *testing.T) {
	r := crafted()["pass"]
	facts := *r.Observation.Snapshot
	facts.Skipped = []string{"tablespace fast", "extension postgis: not on this server", "role pg_x", "comment"}
	r.Observation.Snapshot = &facts
	for _, format := range []string{"text", "markdown"} {
		if out := render(t, format, r, report.Options{Width: 400}); !strings.Contains(out, "tolerated: tablespace fast, extension postgis: not on this server, role pg_x and 1 more") {
			t.Errorf("%s does not say it:\n%s", format, out)
		}
	}
}

// Within a severity findings stay in the order in which files run, which is
// not that of their names: a down script comes after the up script.
func TestUpBeforeDown(t *testing.T) {
	r := crafted()["pass"]
	r.Findings = []gate.Finding{
		{Rule: "down-missing", Severity: gate.Notice, File: "m/2.up.sql", Line: 1, Message: "quiet"},
		{Rule: "table-rewrite", Severity: gate.SeverityError, File: "m/2.up.sql", Line: 9, Message: "first"},
		{Rule: "unsafe-down", Severity: gate.SeverityError, File: "m/2.down.sql", Line: 1, Message: "second"},
	}
	for _, format := range report.Formats() {
		if format == "dotenv" {
			continue // it holds no findings
		}
		out := render(t, format, r, report.Options{})
		first, second, quiet := strings.Index(out, "first"), strings.Index(out, "second"), strings.Index(out, "quiet")
		if first < 0 || first > second || second > quiet {
			t.Errorf("%s: order is wrong (at %d, %d, %d)", format, first, second, quiet)
		}
	}
}

// A step that judges no locks shows no limits of theirs.
func TestNoLimitsWhereLocksAreNotJudged(t *testing.T) {
	r := crafted()["pass"]
	if out := render(t, "text", r, report.Options{}); !strings.Contains(out, "limits") {
		t.Fatalf("no limits at all:\n%s", out)
	}
	r.Policy.Only = []string{"unsafe-down", "down-missing"}
	if out := render(t, "text", r, report.Options{}); strings.Contains(out, "limits") {
		t.Errorf("limits nobody judged by:\n%s", out)
	}
}

// A statement that the grammar does not know is said to be not analysed.
func TestNotAnalysed(t *testing.T) {
	r := crafted()["pass"]
	r.Observation.Migrations = slices.Clone(r.Observation.Migrations)
	up := &r.Observation.Migrations[0].Up
	up.Statements = slices.Clone(up.Statements)
	up.Statements[0].Facts.NotAnalysed = `syntax error at or near "VIRTUAL"`
	for _, format := range []string{"text", "markdown"} {
		if n := strings.Count(render(t, format, r, report.Options{}), "not analysed"); n != 1 {
			t.Errorf("%s says it %d times", format, n)
		}
	}
}

// What only the ticker could watch is said, and where.
func TestTickerOnlyIsSaid(t *testing.T) {
	r := crafted()["pass"]
	r.Observation.Migrations = slices.Clone(r.Observation.Migrations)
	m := &r.Observation.Migrations[0]
	run := *m.Apply
	run.Statements = slices.Clone(run.Statements)
	run.Statements[0].TickerOnly = true
	m.Apply = &run
	for _, format := range []string{"text", "markdown"} {
		out := render(t, format, r, report.Options{Width: 400})
		if !strings.Contains(out, "TICKER ONLY") || !strings.Contains(out, m.Up.Statements[0].File) {
			t.Errorf("%s does not say it:\n%s", format, out)
		}
	}
}
