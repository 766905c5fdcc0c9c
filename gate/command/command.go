// Package command is the root that everything hangs on: one file per command,
// the wiring of stages and engines, whose configuration counts and what is
// trusted in CI, which forge is told, the mapping of outcomes to exit codes.
//
// Run is the whole program as a function of its arguments, environment and
// streams. What never lives here: facts about SQL or servers, judgement, or
// the look of a report; commands call the packages that own those.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// Env is what a process is given; tests bring their own.
type Env struct {
	Args    []string // argv, the program's name included
	Environ []string // "NAME=value", as os.Environ has it
	Dir     string   // working directory, absolute
	Stdin   io.Reader
	Stdout  io.Writer // reports and results
	Stderr  io.Writer // progress, log, errors
}

// StepNames are the commands that the binary also answers to when it is
// called by their name (a link to it), as hand-written pipelines do.
func StepNames() []string {
	return []string{"restore-snapshot", "migrate", "assert-lock-budget", "assert-safe-down", "destroy"}
}

// runner is a command after its command line was read. A verdict stands only
// with a nil error.
type runner interface {
	Run(ctx context.Context, a *app) (gate.Verdict, error)
}

// reporter is a command that answers with a verdict in reports.
type reporter interface {
	runner
	Formats() ([]config.Format, error)
	output() config.Output
}

// Run runs one command line and returns the exit code: 0 pass or skipped, 1
// violation, 2 the gate could not decide, 130 interrupted, which is the case
// when ctx is cancelled before there is a verdict. It never exits by itself,
// and a panic beneath it has run all cleanup before it is reported.
func Run(ctx context.Context, env Env) int {
	return run(ctx, env, &cli{})
}

func run(ctx context.Context, env Env, grammar any) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(env.Stderr, "migration-gate: internal error: %s; please report it with what follows\n%s", oneLine(fmt.Sprint(p)), debug.Stack())
			code = exitUndecided
		}
	}()
	vars := config.NewEnv(env.Environ)
	raw := env.Stdout
	var flush [2]func()
	env.Stdout, flush[0] = guarded(vars, env.Stdout)
	env.Stderr, flush[1] = guarded(vars, env.Stderr)
	flushAll := func() { flush[0](); flush[1]() }
	defer flushAll()
	args := arguments(env.Args)
	parser, err := config.New(grammar, description, ruleIDs())
	if err != nil {
		return fail(env, err)
	}
	if len(args) == 0 && vars.Get("GITHUB_ACTIONS") == "true" {
		args = []string{"check"} // how an action calls its image
	}
	if len(args) == 0 {
		_ = parser.Help(env.Stderr, nil)
		return exitUndecided
	}
	side := &sides{ctx: ctx}
	side.ci, side.ciErr = readCI(vars)
	parser.FileSource, parser.Writes = side.file, dotenvNames()
	parsed, err := parser.Parse(args, vars, env.Dir)
	if errors.Is(err, config.ErrHelp) {
		if err = parser.Help(env.Stdout, args); err == nil {
			return gate.Pass.ExitCode()
		}
	}
	if err != nil {
		if args[0] == "check" {
			annotateMistake(env, vars, err)
		}
		return fail(env, err)
	}
	env.Dir = parsed.Dir
	a := newApp(env, vars, parsed, globals(grammar))
	a.ci, a.ciErr, a.rawStdout, a.flush = side.ci, side.ciErr, raw, flushAll
	a.configChanges = slices.Concat(parsed.Changes, side.workflows)
	side.said.repeat(ctx, a.log.Handler())
	return a.run(ctx, parsed.Command.(runner))
}

// globals finds the options that every command has.
func globals(grammar any) config.Global {
	if g, ok := grammar.(interface{ global() config.Global }); ok {
		return g.global()
	}
	return config.Global{LogFormat: "text", Progress: "none"}
}

func (a *app) run(parent context.Context, cmd runner) int {
	for _, w := range a.parsed.Warnings {
		a.log.Warn(w)
	}
	for _, s := range a.parsed.Given {
		a.log.Debug("setting", "option", s.Name, "value", s.Value, "from", s.Origin)
	}
	if o, ok := cmd.(interface {
		Formats() ([]config.Format, error)
	}); ok {
		if _, err := o.Formats(); err != nil { // before minutes are spent on what cannot be told
			return fail(a.env, err)
		}
	}
	var out config.Output
	if c, ok := cmd.(publishing); ok {
		opt, o, wanted := c.publishes()
		if out = o; wanted {
			p, err := a.newPublisher(opt, c.directory())
			if err != nil {
				return fail(a.env, err)
			}
			a.publisher = p
		}
	}
	ctx, cancel := context.WithCancel(parent)
	if d, ok := cmd.(interface{ Deadline() time.Duration }); ok {
		cancel()
		ctx, cancel = context.WithTimeoutCause(parent, d.Deadline(), &timeoutError{d.Deadline()})
	}
	defer cancel()
	defer a.progress.Close()
	if _, running := cmd.(*checkCmd); running && a.publisher != nil {
		a.publisher.begin(ctx)
	}
	verdict, err := a.attempt(ctx, cmd, out)
	a.progress.Close()
	if err == nil {
		a.tell(ctx, out)
		return verdict.ExitCode()
	}
	err = a.outcome(parent, ctx, err)
	if c, ok := cmd.(reporter); ok {
		a.writeFailure(c, err)
		a.tell(ctx, out)
	}
	return fail(a.env, err)
}

// attempt runs the command. A panic goes on, but not before the reports and the
// forge have the verdict "error", so that nothing stays pending or old.
func (a *app) attempt(ctx context.Context, cmd runner, out config.Output) (gate.Verdict, error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if c, ok := cmd.(reporter); ok {
			a.writeFailure(c, fmt.Errorf("internal error: %v", p))
			a.tell(ctx, out)
		}
		panic(p)
	}()
	return cmd.Run(ctx, a)
}

// arguments makes a command line of argv: called by a step's name, that name
// is the command.
func arguments(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(filepath.ToSlash(argv[0])), ".exe")
	args := argv[1:]
	switch {
	case slices.Contains(StepNames(), name):
		return append([]string{name}, args...)
	case len(args) > 0 && args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

func ruleIDs() []string {
	var ids []string
	for _, r := range rule.Catalogue() {
		ids = append(ids, r.ID)
	}
	return ids
}

func newLogger(w io.Writer, g config.Global) *slog.Logger {
	opt := &slog.HandlerOptions{Level: slog.LevelInfo} // downloads, and what was removed
	if g.Verbose {
		opt.Level = slog.LevelDebug
	}
	if g.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
