package command

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/config"
)

// sides reads the configuration from the side of the change that counts, and
// shows the other. It keeps what it found of the workflows that run the gate.
type sides struct {
	ctx   context.Context
	ci    ci.Run
	ciErr error

	workflows []gate.ConfigChange
	said      said
}

// said keeps what was logged before the log's own options are known.
type said struct{ records []slog.Record }

func (s *said) Enabled(context.Context, slog.Level) bool { return true }
func (s *said) Handle(_ context.Context, r slog.Record) error {
	s.records = append(s.records, r.Clone())
	return nil
}

// None of what is kept has attributes or groups of its logger.
func (s *said) WithAttrs([]slog.Attr) slog.Handler { return s }
func (s *said) WithGroup(string) slog.Handler      { return s }

// repeat says it to a log.
func (s *said) repeat(ctx context.Context, to slog.Handler) {
	for _, r := range s.records {
		if to.Enabled(ctx, r.Level) {
			_ = to.Handle(ctx, r)
		}
	}
}

// judging are the commands whose answer depends on the configuration.
var judging = []string{"check", "restore-snapshot", "migrate up", "assert-lock-budget", "assert-safe-down", "detect", "lint"}

// file is a config.FileSource.
func (s *sides) file(q config.FileQuery) (config.FileAnswer, error) {
	head := q.From == "head" // and the change still shows what it makes of the file
	switch {
	case !slices.Contains(judging, q.Command):
		return config.FileAnswer{}, config.ErrNotAsked
	case q.From == "base":
	case s.ciErr != nil && !head:
		return config.FileAnswer{}, s.ciErr
	case s.ciErr != nil || !s.ci.IsChangeRequest():
		return config.FileAnswer{}, config.ErrNotAsked
	}
	ends, err := changeset.FindEnds(s.ctx, changeset.Options{Dir: q.Dir, Base: q.Base, Head: q.Head, CI: s.ci.Base, Log: slog.New(&s.said)})
	if err != nil {
		return config.FileAnswer{}, fmt.Errorf("find the base's configuration: %w", err)
	}
	name, inside := ends.Rel(q.Path)
	if !inside {
		return config.FileAnswer{}, config.ErrNotAsked // out of the change's reach
	}
	a := config.FileAnswer{Compared: true, Name: name, HeadCounts: head}
	if a.Before, err = content(ends.ReadBase(s.ctx, name)); err != nil {
		return a, err
	}
	if a.After, err = content(ends.ReadHead(s.ctx, name)); err != nil {
		return a, err
	}
	if head {
		a.Data = a.After
		return a, s.compareWorkflows(ends)
	}
	// A change that left its branch before a budget was tightened does not keep
	// the old one.
	if a.Data, err = content(ends.ReadTip(s.ctx, name)); err != nil {
		return a, err
	}
	return a, s.compareWorkflows(ends)
}

// runsGate is how a workflow or pipeline file names the gate.
var runsGate = regexp.MustCompile(`migration-gate|assert-lock-budget|assert-safe-down`)

// compareWorkflows finds the changed files that run the gate: the forge takes
// them from the change itself, budgets given there included.
func (s *sides) compareWorkflows(ends *changeset.Ends) error {
	files, err := ends.Changed(s.ctx, ".github/workflows/*.yml", ".github/workflows/*.yaml", ".github/actions/**", ".gitlab-ci.yml", ".gitlab/**")
	if err != nil {
		return err
	}
	for _, f := range files {
		before, _, err := ends.ReadBase(s.ctx, f)
		if err != nil {
			return err
		}
		after, _, err := ends.ReadHead(s.ctx, f)
		if err != nil {
			return err
		}
		if !runsGate.Match(before) && !runsGate.Match(after) {
			continue
		}
		c := gate.ConfigChange{File: f, InForce: true}
		if loc := runsGate.FindIndex(after); loc != nil {
			c.Line = 1 + strings.Count(string(after[:loc[0]]), "\n")
		}
		s.workflows = append(s.workflows, c)
	}
	return nil
}

// content is nil for a file that is not there, and empty for one that is empty.
func content(data []byte, found bool, err error) ([]byte, error) {
	if err != nil || !found {
		return nil, err
	}
	return append([]byte{}, data...), nil
}

func readCI(vars config.Env) (ci.Run, error) { return ci.Read(vars.Get, os.ReadFile) }
