package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report"
)

// Run renders a stored report. Its exit code says whether that worked, not
// what the report's verdict is, which was answered when it was made.
func (c *reportCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	formats, err := a.formats(c.Output, false)
	if err != nil {
		return gate.Error, err
	}
	r, err := a.readReport(ctx, c.File)
	if err != nil {
		return gate.Error, err
	}
	return gate.Pass, a.writeReports(formats, r, readSource(config.Top(a.env.Dir)))
}

func (a *app) readReport(ctx context.Context, name string) (gate.Report, error) {
	in, shown := a.env.Stdin, "standard input"
	if name != "-" {
		f, err := os.Open(a.path(name))
		if err != nil {
			return gate.Report{}, err
		}
		defer f.Close()
		in, shown = f, name
	}
	content, err := readAll(ctx, io.LimitReader(in, maxReport))
	if err != nil {
		return gate.Report{}, fmt.Errorf("read %s: %w", shown, err)
	}
	r, err := report.Decode(bytes.NewReader(content))
	if err != nil {
		return gate.Report{}, &usageError{shown + ": " + err.Error(), "give a report written with --format json=PATH"}
	}
	return r, nil
}

// readAll is io.ReadAll that gives up when ctx ends: nobody may ever write
// to a standard input. The reading goroutine ends with the process.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type result struct {
		content []byte
		err     error
	}
	done := make(chan result, 1)
	go func() {
		content, err := io.ReadAll(r)
		done <- result{content, err}
	}()
	select {
	case got := <-done:
		return got.content, got.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// maxReport is beyond any real report; a change of 1,000 statements makes
// about 2 MB.
const maxReport = 1 << 30
