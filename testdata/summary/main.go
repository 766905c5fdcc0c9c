// Command summary reads the events of `go test -json` and prints what `go test`
// prints, and after it which tests were skipped and why: `go test` itself keeps
// that to itself.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	err := summarise(os.Stdin, out)
	if e := out.Flush(); err == nil {
		err = e
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
}

type event struct{ Action, Package, Test, Output string }

func summarise(in io.Reader, out *bufio.Writer) error {
	said := map[event][]string{} // of a test that still runs, by package and test
	skipped := map[string][]string{}
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				out.Write(line) // not an event: what go itself has to say
			} else {
				take(e, said, skipped, out)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	reasons := make([]string, 0, len(skipped))
	for reason := range skipped {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(out, "skipped %s\n    %s\n", reason, strings.Join(skipped[reason], " "))
	}
	return nil
}

func take(e event, said map[event][]string, skipped map[string][]string, out *bufio.Writer) {
	key := event{Package: e.Package, Test: e.Test}
	switch {
	case e.Action == "build-output" || e.Action == "output" && e.Test == "" && e.Output != "PASS\n":
		out.WriteString(e.Output)
	case e.Action == "output":
		said[key] = append(said[key], e.Output)
	case e.Action == "fail" && e.Test == "": // a panic or a time-out ends no test properly
		for k, lines := range said {
			if k.Package == e.Package {
				out.WriteString(strings.Join(lines, ""))
				delete(said, k)
			}
		}
	case e.Action == "fail":
		out.WriteString(strings.Join(said[key], ""))
		delete(said, key)
	case e.Action == "skip" && e.Test != "":
		reason := why(said[key])
		skipped[reason] = append(skipped[reason], path.Base(e.Package)+"."+e.Test)
		delete(said, key)
	case e.Action == "pass":
		delete(said, key)
	}
	if e.Test == "" {
		out.Flush()
	}
}

// why is what a skipped test said last: "    file_test.go:12: reason".
func why(lines []string) string {
	reason := "for no reason given"
	for _, l := range lines {
		if strings.HasPrefix(l, "===") || strings.HasPrefix(strings.TrimSpace(l), "---") {
			continue
		}
		_, place, _ := strings.Cut(strings.TrimSpace(l), ".go:")
		if _, text, ok := strings.Cut(place, ": "); ok {
			reason = "because: " + strings.TrimPrefix(text, "skipped: ")
		}
	}
	return reason
}
