package main

import (
	"bufio"
	"strings"
	"testing"
)

// What failed is told in full, what was skipped with its reason, and what
// passed in one line, also where a panic left tests without an end.
func TestSummarise(t *testing.T) {
	in := `{"Action":"build-output","Output":"# x\n"}
{"Action":"output","Package":"m/a","Test":"TestS","Output":"=== RUN   TestS\n"}
{"Action":"output","Package":"m/a","Test":"TestS","Output":"    a_test.go:9: skipped: no engine: none answers\n"}
{"Action":"output","Package":"m/a","Test":"TestS","Output":"--- SKIP: TestS (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestS"}
{"Action":"output","Package":"m/a","Test":"TestP","Output":"    a_test.go:3: chatter\n"}
{"Action":"pass","Package":"m/a","Test":"TestP"}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
{"Action":"output","Package":"m/b","Test":"TestF","Output":"    b_test.go:1: broken\n"}
{"Action":"fail","Package":"m/b","Test":"TestF"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"panic: x\n"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t0.1s\n"}
{"Action":"fail","Package":"m/b"}
FAIL	m/c [setup failed]
`
	want := "# x\nok  \tm/a\t0.1s\n    b_test.go:1: broken\nFAIL\tm/b\t0.1s\npanic: x\nFAIL\tm/c [setup failed]\n" +
		"skipped because: no engine: none answers\n    a.TestS\n"
	var b strings.Builder
	out := bufio.NewWriter(&b)
	if err := summarise(strings.NewReader(in), out); err != nil {
		t.Fatal(err)
	}
	out.Flush()
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
