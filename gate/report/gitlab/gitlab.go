// Package gitlab tells GitLab what a run found: collapsible sections of the
// job's log, and one note on the merge request that is edited in place.
//
// The job itself is the status, and the widgets come from the report files that
// the job uploads, so that nothing else is posted. What GitLab answers never
// changes a verdict: a failure here is one notice. What never lives here:
// rendering beyond what GitLab alone needs, judging, and reading the process's
// environment.
package gitlab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
)

// When the note is made; see Options.Comment.
const (
	Never     = "never"
	OnFailure = "on-failure"
	Auto      = "auto"
)

// Options of a Publisher.
type Options struct {
	Run ci.Run
	// Token of a project, a group or a person, with the scope api. Without one,
	// or with CI_JOB_TOKEN, no API is called: a job's token can read notes, and
	// write none (GitLab Docs, "CI/CD job token").
	Token string
	// Comment is Never (also ""), OnFailure (from the first failure on) or Auto.
	Comment string
	// Stdout takes section markers. It must not be the writer that Guard made.
	Stdout io.Writer
	// HTTP is used for the API, with redirects refused; nil is a client of its own.
	HTTP *http.Client
	// Now and Sleep are the clock; nil is the real one.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	// Source returns a file named in the report, as in report.Options.
	Source func(string) ([]byte, bool)
}

// Publisher tells GitLab of one run.
type Publisher struct {
	opt  Options
	http *http.Client
	api  calls
}

// New prepares a Publisher, and calls nothing yet. It refuses a Comment that
// it does not know.
func New(opt Options) (*Publisher, error) {
	switch opt.Comment {
	case "":
		opt.Comment = Never
	case Never, OnFailure, Auto:
	default:
		return nil, fmt.Errorf("publish to GitLab: comment is %q; it may be %s, %s or %s", gate.Printable(opt.Comment), Never, OnFailure, Auto)
	}
	opt.Token = strings.TrimSpace(opt.Token)
	if opt.Stdout == nil {
		opt.Stdout = io.Discard
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Sleep == nil {
		opt.Sleep = sleep
	}
	p := &Publisher{opt: opt, http: &http.Client{}}
	if opt.HTTP != nil {
		c := *opt.HTTP
		p.http = &c
	}
	// net/http would carry the header with the token along to another host, and
	// make a GET of a POST.
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p.api = calls{now: opt.Now, sleep: opt.Sleep, next: p.http.Transport}
	p.http.Transport = &p.api
	return p, nil
}

// Begin is where a run starts: GitLab needs to be told nothing, the job says it.
func (p *Publisher) Begin(context.Context) {}

// Publish keeps the note on the merge request up to date. What it could not do
// it returns as notices, one line each, for the log; never as an error.
func (p *Publisher) Publish(ctx context.Context, rep gate.Report) (notices []string) {
	if err := p.note(ctx, rep); err != nil {
		return []string{p.explain(err)}
	}
	return nil
}

// Calls counts the API requests so far, each try on its own.
func (p *Publisher) Calls() int { return p.api.count() }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
