package command

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report/github"
	"github.com/migration-gate/migration-gate/gate/report/gitlab"
)

// publishTime is how long telling the forge may take in all, after the verdict
// is known.
const publishTime = 25 * time.Second

// publisher tells the forge that runs the gate. It never fails a run: what
// could not be told comes back as notices.
type publisher interface {
	begin(ctx context.Context)
	publish(ctx context.Context, r gate.Report, paths map[string]string) (notices []string)
	// group folds what is printed until end is called, where the forge's log can.
	group(title string) (end func())
}

// publishing is a command whose report the forge is told of.
type publishing interface {
	publishes() (opt config.Publishing, out config.Output, ok bool)
	// directory of the migrations, which tells two runs of one job apart.
	directory() string
}

func (c *checkCmd) publishes() (config.Publishing, config.Output, bool) {
	return c.Publishing, c.Output, c.Publish != "never"
}

func (c *reportCmd) publishes() (config.Publishing, config.Output, bool) {
	return c.Publishing, c.Output, c.Publish == "always"
}

func (c *checkCmd) directory() string  { return c.Dir }
func (c *reportCmd) directory() string { return "" }

func (a *app) onGitHub() bool { return a.ci.Provider == ci.GitHub }

// guarded makes the streams of a CI system's log harmless: what a migration, a
// server or a file's name says must not be obeyed by it as a command.
func guarded(vars config.Env, w io.Writer) (guard io.Writer, flush func()) {
	switch {
	case vars.Get("GITHUB_ACTIONS") == "true":
		w = github.Guard(w)
	case vars.Get("GITLAB_CI") == "true":
		w = gitlab.Guard(w)
	default:
		return w, func() {}
	}
	return w, func() {
		if f, ok := w.(interface{ Flush() error }); ok {
			_ = f.Flush()
		}
	}
}

// newPublisher makes the publisher of the forge that runs the gate, nil for
// none. Under act no API is called unless asked for: act takes the token of
// whoever is logged in on that machine.
func (a *app) newPublisher(opt config.Publishing, dir string) (publisher, error) {
	api := !a.ci.Act || opt.Publish == "always"
	dir = shownPath(config.Top(a.env.Dir), filepath.Join(a.env.Dir, dir))
	source := readSource(config.Top(a.env.Dir))
	run := a.ci
	if opt.Matrix != "" {
		run.Matrix = ci.MatrixName(opt.Matrix)
	}
	switch run.Provider {
	case ci.GitHub:
		p := &githubPublisher{a: a, opt: github.APIOptions{
			Run: run, Token: opt.GithubToken, CommitStatus: opt.CommitStatus, CheckRun: opt.CheckRun, Comment: opt.Comment,
			Dir: dir, Source: source,
		}}
		p.runner = github.NewRunner(github.RunnerOptions{Stdout: a.env.Stdout, Getenv: a.vars.Get, Source: source})
		if !api || !opt.CommitStatus && !opt.CheckRun && opt.Comment == "never" {
			return p, nil
		}
		var err error
		p.api, err = github.NewAPI(p.opt)
		return p, err
	case ci.GitLab:
		comment := opt.Comment
		if !api {
			comment = "never"
		}
		p, err := gitlab.New(gitlab.Options{Run: run, Token: opt.GitlabToken, Comment: comment, Stdout: a.rawStdout, Source: source})
		if err != nil {
			return nil, err
		}
		return gitlabPublisher{p}, nil
	}
	return nil, nil
}

type githubPublisher struct {
	a      *app
	opt    github.APIOptions
	runner *github.Runner
	api    *github.API // nil: nothing but the log, the summary and the outputs
}

func (p *githubPublisher) begin(ctx context.Context) {
	p.runner.Mask(p.opt.Token)
	if p.api != nil {
		p.api.Begin(ctx)
	}
}

func (p *githubPublisher) publish(ctx context.Context, r gate.Report, paths map[string]string) (notices []string) {
	// Anew, for the paths are known only now.
	runner := github.NewRunner(github.RunnerOptions{Stdout: p.a.env.Stdout, Getenv: p.a.vars.Get, Source: p.opt.Source, Paths: paths})
	for _, err := range runner.Publish(r) {
		notices = append(notices, err.Error())
	}
	if p.api != nil {
		notices = append(notices, p.api.Publish(ctx, r)...)
	}
	return notices
}

func (p *githubPublisher) group(title string) func() { return p.runner.Group(title) }

type gitlabPublisher struct{ *gitlab.Publisher }

func (p gitlabPublisher) begin(ctx context.Context) { p.Begin(ctx) }

func (p gitlabPublisher) publish(ctx context.Context, r gate.Report, _ map[string]string) []string {
	return p.Publish(ctx, r)
}

func (p gitlabPublisher) group(title string) func() {
	return p.Section("migration_gate_report", title, true)
}

// tell publishes the run's report on a context of its own: also a run that was
// interrupted must not leave a status that is pending for ever.
func (a *app) tell(ctx context.Context, out config.Output) {
	if a.publisher == nil || a.told == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTime)
	defer cancel()
	a.flush()
	for _, n := range a.publisher.publish(ctx, *a.told, a.reportPaths(a.reportDir(out, true))) {
		a.log.Warn(n)
	}
}

// annotateMistake tells GitHub of a check that did not come as far as its
// options: an input that cannot be read is no line of the log to be searched for.
func annotateMistake(env Env, vars config.Env, err error) {
	if vars.Get("GITHUB_ACTIONS") != "true" {
		return
	}
	r := gate.Report{Verdict: gate.Error, Reason: oneLine(err.Error())}
	for _, notice := range github.NewRunner(github.RunnerOptions{Stdout: env.Stdout, Getenv: vars.Get}).Publish(r) {
		fmt.Fprintln(env.Stderr, "migration-gate: "+oneLine(notice.Error()))
	}
}
