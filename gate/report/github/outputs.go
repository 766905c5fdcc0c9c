package github

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

var outputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// writeOutputs tells the step's outputs: the report's figures, and where the
// reports are.
func (r *Runner) writeOutputs(rep gate.Report) error {
	file := r.opt.Getenv("GITHUB_OUTPUT")
	if file == "" {
		return nil // act of old, and runners before October 2022
	}
	var b strings.Builder
	for _, o := range report.Outputs(rep) {
		if err := output(&b, o.Name, o.Value); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.opt.Paths)) {
		if err := output(&b, name, r.opt.Paths[name]); err != nil {
			return err
		}
	}
	return appendTo(file, b.String(), "")
}

// output writes one value between two lines that nobody could foresee. The
// library's own such line is known, and a value that holds it would end early
// and go on as outputs of its own.
func output(b *strings.Builder, name, value string) error {
	if !outputName.MatchString(name) {
		return fmt.Errorf("name %q is not one that outputs can have", name)
	}
	for {
		if end := "gate_" + rand.Text(); !strings.Contains(value, end) {
			fmt.Fprintf(b, "%s<<%s\n%s\n%s\n", name, end, value, end)
			return nil
		}
	}
}

// appendTo adds text to a file that other commands of the step may have written
// to, on a line of its own and after a gap if there is something before.
func appendTo(file, text, gap string) (err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if n := info.Size(); n > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, n-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			gap = "\n" + gap
		}
		text = gap + text
	}
	_, err = f.WriteString(text)
	return err
}
