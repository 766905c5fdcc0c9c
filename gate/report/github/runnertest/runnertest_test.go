package runnertest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/report/github/runnertest"
)

// The cases that actions/runner documents and tests, and what its code does
// with the odd ones.
func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"::do-something k1=v1,::msg": "",
		"::error::msg":               "error {} msg",
		"  \t::ERROR::msg":           "ERROR {} msg",
		"text ::error::msg":          "",
		"::error":                    "",
		"::error:msg":                "",
		"::error k1=v1,k2=v2::msg":   "error {k1=v1 k2=v2} msg",
		"::error k1=;=%2C=%0D=%0A=]=%3A,::m;%0D%0A": "error {k1=;=,=\r=\n=]=:} m;\r\n",
		"::error k1=%25%3A,k2=%253A::%2525%253A":    "error {k1=%: k2=%3A} %25%3A",
		"::error a=1,b,,c=,=d::x":                   "error {a=1} x",
		"::error  a=1 ::x":                          "error {a=1} x",
		"##[error]msg":                              "error {} msg",
		"text ##[error k1=v1;k2=%3B%5D]msg":         "error {k1=v1 k2=;]} msg",
		"##[nothing]##[error]msg":                   "",
		"##[error":                                  "",
		"[error]msg":                                "",
		"::nothing::##[error]msg":                   "error {} msg",
		"a\r::error::b\r\n::notice::c":              "error {} b, notice {} c",
		"\ufeff::error::a":                          "error {} a",
		"\xff\xfe:\x00:\x00d\x00e\x00b\x00u\x00g\x00:\x00:\x00x\x00": "debug {} x",
		"::error:\u00ad:x": "error {} :x", // offsets count what comparing passes over
		"::stop-commands::go on\n::error::a\n::go on::\n::error::b": "stop-commands {} go on", // a token with a blank never ends it
		"::stop-commands::tok\n::error::a\n##[TOK]\n::error::b":     "stop-commands {} tok, TOK {} , error {} b",
	} {
		var got []string
		for _, c := range runnertest.Parse([]byte(in)) {
			got = append(got, fmt.Sprintf("%s {%s} %s", c.Name, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(c.Properties), "map["), "]"), c.Data))
		}
		want = strings.ReplaceAll(want, "=", ":")
		if d := cmp.Diff(want, strings.ReplaceAll(strings.Join(got, ", "), "=", ":")); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
}

func TestParseOutputs(t *testing.T) {
	for in, want := range map[string]map[string]string{
		"":                                 {},
		"a=1\n\nb=x<<y=z\na=2":             {"a": "2", "b": "x<<y=z"},
		"a<<E\nE\nb<<E\nx\n\nE \nE\nc=1\n": {"a": "", "b": "x\n\nE ", "c": "1"},
		"a<<E\n\nE\n":                      {"a": ""},
		"a<<=\nx\r\n=\n":                   {"a": "x\r"},
		"a<<E\nx\n":                        nil,
		"a<<E\nx":                          nil,
		"a<<\nx\n":                         nil,
		"<<E\nE\n":                         nil,
		"# comment\n":                      nil,
	} {
		got, err := runnertest.ParseOutputs([]byte(in))
		if (err != nil) != (want == nil) || want != nil && !cmp.Equal(want, got) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
}

func TestAnnotationsKeepToTheLimits(t *testing.T) {
	var b strings.Builder
	for i := range 12 {
		fmt.Fprintf(&b, "::warning file=a,line=%d::%s\n::debug::x\n", i+1, strings.Repeat("🔒", 3000))
	}
	b.WriteString("::notice::n\n")
	shown, left := runnertest.Annotations(runnertest.Parse([]byte(b.String())))
	if len(shown) != 11 || left != 2 || shown[9].Line != "10" || shown[10].Level != "notice" || shown[0].Message != strings.Repeat("🔒", 2048) {
		t.Errorf("%d shown, %d left", len(shown), left)
	}
}
