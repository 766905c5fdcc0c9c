package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
)

// Exit codes beyond those of verdicts (gate.Verdict.ExitCode).
const (
	exitUndecided   = 2
	exitInterrupted = 130
)

// usageError is a mistake of the user's that a command finds, with what to do
// about it. config.Error is its sibling for what the parser finds.
type usageError struct {
	message string
	remedy  string // one step, in the infinitive; "" for none
}

func (e *usageError) Error() string {
	if e.remedy == "" {
		return e.message
	}
	return e.message + "; " + e.remedy
}

// timeoutError is the cause of a context that --timeout ended.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return "--timeout " + shortDuration(e.after) + " is over" }

// interruptedError says that the caller cancelled the run.
type interruptedError struct{ during string }

func (e *interruptedError) Error() string { return "interrupted" + e.during }

// cleanupError says what a run made and could not remove; it is told whatever
// else went wrong.
type cleanupError struct {
	what string // in the infinitive: "remove the server"
	err  error
}

func (e *cleanupError) Error() string { return e.what + ": " + e.err.Error() }

func (e *cleanupError) Unwrap() error { return e.err }

// outcome words a command's error: one that comes of an interruption or of
// the timeout says so instead of what happened to be under way.
func (a *app) outcome(parent, ctx context.Context, err error) error {
	during := ""
	if p := a.struckPhase(); p != "" {
		during = " during " + p
	}
	var timeout *timeoutError
	var reason error
	switch {
	case parent.Err() != nil:
		reason = &interruptedError{during}
	case ctx.Err() != nil && errors.As(context.Cause(ctx), &timeout):
		reason = &usageError{timeout.Error() + during, "raise it where that may take longer"}
	default:
		return err
	}
	var left *cleanupError
	if errors.As(err, &left) {
		return errors.Join(reason, left)
	}
	return reason
}

// fail prints an error as one line and returns the exit code it means.
func fail(env Env, err error) int {
	fmt.Fprintln(env.Stderr, "migration-gate: "+oneLine(err.Error()))
	var interrupted *interruptedError
	if errors.As(err, &interrupted) {
		return exitInterrupted
	}
	return exitUndecided
}

// oneLine joins a message's lines, and disarms what a terminal would obey.
func oneLine(s string) string {
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	out := lines[:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return gate.Printable(strings.Join(out, "; "))
}

// shortDuration drops zero units: 30m rather than 30m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
