package github_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/github/runnertest"
)

func guarded(t testing.TB, chunks ...string) string {
	t.Helper()
	var b bytes.Buffer
	g := github.Guard(&b)
	for _, c := range chunks {
		if n, err := g.Write([]byte(c)); err != nil || n != len(c) {
			t.Fatalf("wrote %d of %d: %v", n, len(c), err)
		}
	}
	if err := g.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGuard(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for in, want := range map[string]string{
		// What the runner would obey.
		"::error::x\n":                        "::error:\\:x\n",
		"  \t::error file=a,line=1::x":        "  \t::error file=a,line=1:\\:x",
		"a\r::warning::x\r\n":                 "a\r::warning:\\:x\r\n",
		"a\n::add-mask::a\n::set-env n=1::\n": "a\n::add-mask:\\:a\n::set-env n=1:\\:\n",
		"::add-mask \r::password\n":           "::add-mask \r:\\:password\n", // act ends no line there
		"::TOKEN::":                           "::TOKEN:\\:",
		"::::":                                ":::\\:",
		"##[error]x":                          "##\\[error]x",
		"text ##[add-mask]x ##[error]y":       "text ##\\[add-mask]x ##\\[error]y",
		"###[error]x":                         "###\\[error]x",
		"x ::error::y ##[debug]":              "x ::error::y ##\\[debug]",
		// Blanks and marks that nobody sees.
		"\ufeff::error::x":             "\ufeff::error:\\:x",
		"\u00a0\u2003::error::x":       "\u00a0\u2003::error:\\:x",
		"\x1b[31;1m::error::x":         "\x1b[31;1m::error:\\:x",
		"\x1b[0m \x1b[1m::error::x":    "\x1b[0m \x1b[1m::error:\\:x",
		":\u200b:error:\u00ad:x":       ":\u200b:error:\u00ad\\:x",
		"#\x1b[0m#[error]x":            "#\x1b[0m#\\[error]x",
		"\x1b[##[error]x":              "\x1b[##\\[error]x",
		"\x00::error::x":               "\\\x00::error::x",
		"\xff\xfe:\x00:\x00e\x00r\x00": "\\\xff\xfe:\x00:\x00e\x00r\x00",
		"\xfe\xff::":                   "\\\xfe\xff::",
		" \xff::error::x":              " \xff::error:\\:x",
		"::error " + long + "::x\n":    "::error " + long + ":\\:x\n",
		long + "##[error]x":            long + "##\\[error]x",
		// What reads as it did.
		"":                                 "",
		"\n\r\n\r":                         "\n\r\n\r",
		"    ::numeric(10, 2)\n":           "    ::numeric(10, 2)\n",
		"SELECT a::int, b::text ::bool":    "SELECT a::int, b::text ::bool",
		"# ## ### [x] #[x]":                "# ## ### [x] #[x]",
		"std::vector<int>::iterator":       "std::vector<int>::iterator",
		"a\xff\xfeb\x00c":                  "a\xff\xfeb\x00c",
		"\x1b[31mred\x1b[0m: a : b":        "\x1b[31mred\x1b[0m: a : b",
		"no end":                           "no end",
		": :error::x":                      ": :error::x",
		"%0A::error::x %3A%3A [x] ]]>":     "%0A::error::x %3A%3A [x] ]]>",
		"größe::int → ::text":              "größe::int → ::text",
		"progress 10 %\rprogress 20 %\r\n": "progress 10 %\rprogress 20 %\r\n",
	} {
		for _, got := range []string{guarded(t, in), guarded(t, strings.Split(in, "")...), bytewise(t, in)} {
			if got != want {
				t.Errorf("%.80q became %.80q, want %.80q", in, got, want)
			}
		}
		checkHarmless(t, []byte(want))
	}
}

func bytewise(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	g := github.Guard(&b)
	if _, err := io.Copy(struct{ io.Writer }{g}, iotest.OneByteReader(strings.NewReader(s))); err != nil {
		t.Fatal(err)
	}
	if err := g.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkHarmless(t testing.TB, out []byte) {
	t.Helper()
	for _, c := range runnertest.Parse(out) {
		t.Errorf("the runner takes line %d for a command: %.200q", c.Line, c.Raw)
	}
	for _, c := range runnertest.ParseAct(append(bytes.Clone(out), '\n')) {
		t.Errorf("act takes line %d for a command: %.200q", c.Line, c.Raw)
	}
}

func FuzzGuard(f *testing.F) {
	for _, s := range []string{
		"::error::x", "##[error]x", "\r ::add-mask::a\n", "::stop-commands::t\n::t::", "\x1b[1m::error::", "#\u200b#[error]", "\ufeff::error file=a::b",
		"\xff\xfe:\x00:\x00e\x00r\x00r\x00o\x00r\x00:\x00:\x00", ":::error:::", "::error:\u00ad:x", "\\::error::", "\xfe\xff\x00:\x00:", "##[endgroup]##[error x=1;y=2]a",
	} {
		f.Add([]byte(s), uint16(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, at uint16) {
		var b bytes.Buffer
		g := github.Guard(&b)
		cut := int(at) % (len(in) + 1)
		for i, part := range [][]byte{in[:cut], in[cut:]} {
			if n, err := g.Write(part); err != nil || n != len(part) {
				t.Fatal(n, err)
			}
			if i == 0 && at%2 == 1 {
				if err := g.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := g.Flush(); err != nil {
			t.Fatal(err)
		}
		out := b.Bytes()
		checkHarmless(t, out)
		// Whoever drops colour codes first is safe too.
		checkHarmless(t, ansi.ReplaceAll(out, nil))
		// Nothing but backslashes was added.
		rest := out
		for _, c := range in {
			if len(rest) > 0 && rest[0] == '\\' && c != '\\' {
				rest = rest[1:]
			}
			if len(rest) == 0 || rest[0] != c {
				t.Fatalf("%q became %q", in, out)
			}
			rest = rest[1:]
		}
		if len(rest) > 0 {
			t.Fatalf("%q became %q", in, out)
		}
	})
}

// Lines of several writers do not mix, and a command never lands in the middle
// of one.
func TestGuardWritesWholeLines(t *testing.T) {
	var b bytes.Buffer
	g := github.Guard(&b)
	write(t, g, "one\ntwo")
	if b.String() != "one\n" {
		t.Errorf("a part of a line was written: %q", b.String())
	}
	write(t, g, " and more\nthr")
	if b.String() != "one\ntwo and more\n" {
		t.Errorf("wrote %q", b.String())
	}
	r := github.NewRunner(github.RunnerOptions{Stdout: g})
	end := r.Group("four")
	write(t, g, "five")
	end()
	end()
	write(t, g, "::error::x")
	if err := g.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "one\ntwo and more\nthr\n::group::four\nfive\n::endgroup::\n::error:\\:x"; b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestGuardTellsOfAFailedWrite(t *testing.T) {
	full := errors.New("no space left")
	g := github.Guard(failing{full})
	if _, err := io.WriteString(g, "x\n"); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	write(t, g, "x")
	if err := g.Flush(); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}
