package command

import (
	"context"
	"io"
	"os"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report"
)

// Run renders a stored report. Its exit code says whether that worked, not
// what the report's verdict is, which was answered when it was made.
func (c *reportCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	formats, err := c.Formats()
	if err != nil {
		return gate.Error, err
	}
	r, err := a.readReport(c.File)
	if err != nil {
		return gate.Error, err
	}
	return gate.Pass, a.writeReports(formats, r, readSource(config.Top(a.env.Dir)))
}

func (a *app) readReport(name string) (gate.Report, error) {
	in, shown := a.env.Stdin, "standard input"
	if name != "-" {
		f, err := os.Open(a.path(name))
		if err != nil {
			return gate.Report{}, err
		}
		defer f.Close()
		in, shown = f, name
	}
	r, err := report.Decode(io.LimitReader(in, maxReport))
	if err != nil {
		return gate.Report{}, &usageError{shown + ": " + err.Error(), "give a report written with --format json=PATH"}
	}
	return r, nil
}

// maxReport is beyond any real report; a change of 1,000 statements makes
// about 2 MB.
const maxReport = 1 << 30
