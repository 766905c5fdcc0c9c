package github

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/sethvargo/go-githubactions"

	"github.com/migration-gate/migration-gate/gate"
)

// RunnerOptions say where the runner listens. With the zero value nobody does.
type RunnerOptions struct {
	// Stdout is the process's own, or the GuardWriter in front of it that
	// everything else goes through: then commands never land within a line.
	Stdout io.Writer
	// Getenv reads the variables that the runner sets for a step: GITHUB_OUTPUT,
	// GITHUB_STEP_SUMMARY, GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_SHA, ACT.
	Getenv func(string) string
	// Source is as in report.Options.
	Source func(file string) ([]byte, bool)
	// Paths are the reports that were written, by the name of the output that
	// tells where ("report-json"), relative to the workspace.
	Paths map[string]string
}

// Runner speaks to the Actions runner that runs this process, and to act, which
// pretends to be one.
type Runner struct {
	opt RunnerOptions
	out *GuardWriter
}

// NewRunner returns a Runner that has said nothing yet.
func NewRunner(opt RunnerOptions) *Runner {
	if opt.Getenv == nil {
		opt.Getenv = func(string) string { return "" }
	}
	if opt.Stdout == nil {
		opt.Stdout = io.Discard
	}
	out, ok := opt.Stdout.(*GuardWriter)
	if !ok {
		out = Guard(opt.Stdout)
	}
	return &Runner{opt: opt, out: out}
}

// act reports whether nektos/act runs the workflow on somebody's machine.
func (r *Runner) act() bool { return r.opt.Getenv("ACT") == "true" }

// say sends the commands that speak issues, in one write. The library panics
// where it cannot write, so it writes to memory.
func (r *Runner) say(speak func(*githubactions.Action)) error {
	var b bytes.Buffer
	speak(githubactions.New(githubactions.WithWriter(&b), githubactions.WithGetenv(r.opt.Getenv)))
	if b.Len() == 0 {
		return nil
	}
	return r.out.commands(b.Bytes())
}

// shortMask is below what one line of a secret is worth hiding: masking "}"
// would black out every log.
const shortMask = 4

// Mask has the runner hide a secret in the log from here on, also each line of
// one that has several, and its forms in a URL. Say it before anything could
// print the secret.
func (r *Runner) Mask(secret string) {
	if strings.TrimSpace(secret) == "" {
		return
	}
	masks := []string{secret}
	if lines := strings.FieldsFunc(secret, func(c rune) bool { return c == '\n' || c == '\r' }); len(lines) > 1 || len(lines[0]) < len(secret) {
		for _, l := range lines {
			if l = strings.TrimSpace(l); len(l) >= shortMask {
				masks = append(masks, l)
			}
		}
	}
	for _, m := range masks[:len(masks):len(masks)] {
		masks = append(masks, url.QueryEscape(m), url.PathEscape(m), url.UserPassword("", m).String()[1:])
	}
	// A stream that cannot be written to leaks nothing, either.
	_ = r.say(func(a *githubactions.Action) {
		seen := map[string]bool{}
		for _, m := range masks {
			// act takes all but the last of several "::" for the command, and
			// prints what it does not know.
			if seen[m] || r.act() && strings.Contains(m, "::") {
				continue
			}
			seen[m] = true
			a.AddMask(m)
		}
	})
}

// Group folds what is printed from here on under a title, until end is called.
// The runner knows no groups within groups: a second one ends the first.
func (r *Runner) Group(title string) (end func()) {
	_ = r.say(func(a *githubactions.Action) { a.Group(oneLine(title)) })
	var once sync.Once
	return func() {
		once.Do(func() { _ = r.say(func(a *githubactions.Action) { a.EndGroup() }) })
	}
}

// Publish shows a report: annotations, the job's summary, the step's outputs.
// Each is tried whatever becomes of the others. What it returns are notices,
// none of them a reason to judge otherwise; a file that the runner has not
// named is none.
func (r *Runner) Publish(rep gate.Report) []error {
	var notices []error
	for _, part := range []struct {
		doing string
		do    func(gate.Report) error
	}{
		{"annotate", r.annotate},
		{"write job summary", r.summarise},
		{"write step outputs", r.writeOutputs},
	} {
		if err := safely(rep, part.do); err != nil {
			notices = append(notices, fmt.Errorf("%s: %w", part.doing, err))
		}
	}
	return notices
}

// safely turns a panic into an error: a report's odd content must not cost the
// verdict.
func safely(rep gate.Report, do func(gate.Report) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("%v", p))
		}
	}()
	return do(rep)
}

// perLevel is how many annotations of one level GitHub shows of a step; those
// after them are only in the log.
const perLevel = 10

// annotate issues the worst of each level, and says how many more there are.
func (r *Runner) annotate(rep gate.Report) error {
	byLevel := map[string][]Annotation{}
	for _, a := range Annotations(rep) {
		byLevel[a.Level] = append(byLevel[a.Level], a)
	}
	return r.say(func(act *githubactions.Action) {
		for _, level := range []string{"error", "warning", "notice"} {
			all := byLevel[level]
			if n := len(all) - perLevel + 1; n > 1 {
				all = append(all[:perLevel-1:perLevel-1], Annotation{Level: level, Title: fmt.Sprintf("%d more of this level", n),
					Message: fmt.Sprintf("%d more findings of level %s are listed in the job's summary, with file and line", n, level)})
			}
			for _, a := range all {
				act.IssueCommand(command(a))
			}
		}
	})
}

// command spells an annotation. The library escapes what has a meaning within;
// a lone property at the end would be trimmed, so the title, which is ours,
// comes last by its name.
func command(a Annotation) *githubactions.Command {
	p := githubactions.CommandProperties{"title": a.Title}
	if a.File != "" {
		p["file"] = a.File
		p["line"] = strconv.Itoa(a.StartLine)
		p["endLine"] = strconv.Itoa(a.EndLine)
		if a.Column > 0 {
			p["col"] = strconv.Itoa(a.Column)
		}
	}
	// The runner looks for the marks by the rules of a culture: a character that
	// combines with the colon before it would hide it.
	if c, _ := utf8.DecodeRuneInString(a.Message); unicode.IsMark(c) {
		a.Message = " " + a.Message
	}
	return &githubactions.Command{Name: a.Level, Message: a.Message, Properties: p}
}
