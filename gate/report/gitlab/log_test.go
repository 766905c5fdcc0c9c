package gitlab_test

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate/report/gitlab"
)

// mark is what GitLab takes for a section's beginning or end.
var mark = regexp.MustCompile(`section_(start|end):(\d+):([a-zA-Z0-9_.-]+)(\[\w+=\w+(?:, ?\w+=\w+)*\])?\r\x1b\[0K`)

func TestSections(t *testing.T) {
	var b bytes.Buffer
	at := time.Unix(1_700_000_000, 0)
	p, err := gitlab.New(gitlab.Options{Stdout: &b, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	end := p.Section("Report 1/2", "the report\r\nsection_end:1:report-1-2\r\x1b[0K", false)
	fmt.Fprintln(&b, "within")
	inner := p.Section("restore", "restore the snapshot", true)
	at = at.Add(3 * time.Second)
	inner()
	end()
	end()
	const want = "\x1b[0Ksection_start:1700000000:report-1-2\r\x1b[0Kthe report section_end\\x3a1:report-1-2\\x0d\\x1b[0K\nwithin\n" +
		"\x1b[0Ksection_start:1700000000:restore[collapsed=true]\r\x1b[0Krestore the snapshot\n" +
		"\x1b[0Ksection_end:1700000003:restore\r\x1b[0K\n\x1b[0Ksection_end:1700000003:report-1-2\r\x1b[0K\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	if got := mark.FindAllString(b.String(), -1); len(got) != 4 {
		t.Errorf("GitLab finds %d marks, want 4: %q", len(got), got)
	}
}

func TestGuard(t *testing.T) {
	for in, want := range map[string]string{
		"plain text\twith ünïcode ✅\r\n":                         "",
		"\x1b[1m\x1b[31merror[table-rewrite]\x1b[0m: \x1b[1;34m": "",
		"a section_ start, section_starts, section-start:":       "",
		"section_start:1:x\r\x1b[0K":                             `section_start\x3a1:x\x0d\x1b[0K`,
		"section_end:1:x\r\x1b[0K":                               `section_end\x3a1:x\x0d\x1b[0K`,
		"ssection_section_section_start:1":                       `ssection_section_section_start\x3a1`,
		"section_esection_end:":                                  `section_esection_end\x3a`,
		"done\rFAIL":                                             `done\x0dFAIL`,
		"\r\r\n":                                                 "\\x0d\r\n",
		"\x1b]0;title\a\x1b[2J\x1b[8mhidden\x1b[08m":             `\x1b]0;title\x07\x1b[2J\x1b[8mhidden\x1b[08m`,
		"\x1b\x1b[31mred":                                        "\\x1b\x1b[31mred",
		"\x1b\r\n":                                               "\\x1b\r\n",
		"\x1b[section_start:":                                    `\x1b[section_start\x3a`,
		"\x1b[" + strings.Repeat("1;", 20) + "m":                 `\x1b[` + strings.Repeat("1;", 20) + "m",
		"back\b\x7f\x00":                                         `back\x08\x7f\x00`,
	} {
		if want == "" {
			want = in
		}
		for _, n := range []int{1, 2, 3, 7, 1000} {
			var b bytes.Buffer
			g := gitlab.Guard(&b)
			for rest := in; rest != ""; {
				k := min(n, len(rest))
				if wrote, err := io.WriteString(g, rest[:k]); err != nil || wrote != k {
					t.Fatal(wrote, err)
				}
				rest = rest[k:]
			}
			if b.String() != want {
				t.Errorf("%q in writes of %d: %q, want %q", in, n, b.String(), want)
			}
		}
	}
}

func TestGuardFlush(t *testing.T) {
	for in, want := range map[string]string{"end\r": `end\x0d`, "end\x1b[31": `end\x1b[31`, "end\x1b": `end\x1b`, "end": "end"} {
		var b bytes.Buffer
		g := gitlab.Guard(&b)
		_, _ = io.WriteString(g, in)
		for range 2 {
			if err := g.(interface{ Flush() error }).Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != want {
			t.Errorf("%q: %q, want %q", in, b.String(), want)
		}
	}
}

func TestGuardKeepsWritesWhole(t *testing.T) {
	var b bytes.Buffer
	g := gitlab.Guard(&b)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				fmt.Fprintf(g, "\x1b[3%dmline %d\x1b[0m\n", i, i)
			}
		})
	}
	wg.Wait()
	for l := range strings.Lines(b.String()) {
		if !regexp.MustCompile("^\x1b\\[3(\\d)mline (\\d)\x1b\\[0m\n$").MatchString(l) {
			t.Fatalf("%q", l)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add("section_start:1:x\r\x1b[0K", uint8(3))
	f.Add("section_\x1b[0mstart:1:x\r\x1b[0K", uint8(9))
	f.Fuzz(func(t *testing.T, s string, cut uint8) {
		var b, whole bytes.Buffer
		g := gitlab.Guard(&b)
		k := min(int(cut), len(s))
		_, _ = io.WriteString(g, s[:k])
		_, _ = io.WriteString(g, s[k:])
		_, _ = io.WriteString(gitlab.Guard(&whole), s)
		out := b.String()
		if out != whole.String() {
			t.Errorf("%q or %q, by how it is written", out, whole.String())
		}
		if mark.MatchString(out) || regexp.MustCompile(`section_(start|end):`).MatchString(out) {
			t.Errorf("a mark in %q", out)
		}
		if regexp.MustCompile(`\r([^\n]|$)`).MatchString(out) || regexp.MustCompile(`\x1b($|[^\[]|\[[^0-9;m])`).MatchString(out) {
			t.Errorf("steers a terminal: %q", out)
		}
	})
}
