package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/rule"
)

func (c *lintCmd) output() config.Output { return c.Output }

// Run judges what check judges before it starts a server, by the same rules and
// settings, and goes on where check ends: a file that cannot be read is a
// finding here.
func (c *lintCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	formats, err := a.formats(c.Output, false)
	if err != nil {
		return gate.Error, err
	}
	if a.ciErr != nil {
		return gate.Error, a.ciErr
	}
	if err := a.settleEngine(&c.Migrations, config.Server{}, config.Snapshot{}); err != nil {
		return gate.Error, err
	}
	l := &linter{started: time.Now(), app: a, cmd: c, policy: a.policy(config.Budget{}, c.Reversing, c.Downs, c.Failing)}
	l.policy.ServerVersion = c.ServerVersion
	if err := l.readStdin(); err != nil {
		return gate.Error, err
	}
	places, err := l.places()
	if err != nil {
		return gate.Error, err
	}
	for _, p := range places {
		if err := l.lint(ctx, p); err != nil {
			return gate.Error, err
		}
	}
	r := l.report()
	if err := a.writeReports(formats, r, l.source); err != nil {
		return gate.Error, err
	}
	return r.Verdict, nil
}

// linter gathers what is found in each directory of migrations.
type linter struct {
	*app
	cmd     *lintCmd
	policy  gate.Policy
	started time.Time
	content map[string][]byte // standard input, by the file's absolute path

	top      string
	findings []gate.Finding
	all      gate.Observation // of the directories together
	read     int              // migrations that were judged
	dirs     []string
	base     string // the commit that was compared with, "" for none
}

// readStdin takes the text that an editor hands over.
func (l *linter) readStdin() error {
	c := l.cmd
	dash := slices.Contains(c.Files, "-")
	switch {
	case dash && c.StdinFilename == "":
		return &usageError{"standard input is a text without a name", "say which file it is with --stdin-filename"}
	case dash && len(c.Files) > 1, c.StdinFilename != "" && !dash && len(c.Files) > 0:
		return &usageError{"--stdin-filename names the only file there is then", "give the others to a run of their own"}
	case c.StdinFilename == "":
		return nil
	case c.Head != "":
		return &usageError{"--stdin-filename is about the working tree, and --head names a commit", "leave one of them out"}
	}
	text, err := io.ReadAll(l.env.Stdin)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	c.Files = []string{c.StdinFilename}
	l.content = map[string][]byte{filepath.Clean(l.path(c.StdinFilename)): text}
	return nil
}

// lint judges one directory.
func (l *linter) lint(ctx context.Context, p place) error {
	m := l.cmd.Migrations
	m.Dir = p.dir
	opt := l.changesetOptions(m)
	opt.KeepGoing, opt.Content = true, l.content
	opt.Offline = l.ci.Provider == ci.None // a laptop may be anywhere, and has its history
	change, err := changeset.Detect(ctx, opt)
	var unversioned *changeset.Unversioned
	var aside []gate.Unmeasured
	switch {
	case errors.As(err, &unversioned):
		l.log.Info("nothing to compare with: every migration is read, and whether a merged one was edited is not known", "no repository at", unversioned.Dir)
		if change, err = l.unversioned(m); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		l.base = change.Base
		if len(p.files) == 0 {
			l.toolConfigs(change)
			l.unseen = l.elsewhere(ctx, opt, change)
		}
		aside = callbacks(change)
		if !l.cmd.All { // which judges them
			aside = append(aside, lateReversals(change)...)
		}
	}
	o := static(change)
	o.Unreadable = change.Unreadable
	if len(p.files) == 0 {
		o.ConfigChanges, o.Unmeasured = l.configChanges, l.unseen
	}
	o.Unmeasured = append(slices.Clip(o.Unmeasured), aside...)
	findings := rule.Judge(o, l.policy).Findings
	if l.cmd.All || unversioned != nil {
		h, err := l.history(change)
		if err != nil {
			return err
		}
		findings = append(findings, h.findings...)
		o.Migrations, o.Unreadable = append(h.migrations, o.Migrations...), append(o.Unreadable, h.unreadable...)
	}
	if len(p.files) > 0 {
		wanted := map[string]bool{}
		for _, f := range p.files {
			rel, err := filepath.Rel(change.Top, real(f))
			if err != nil {
				continue
			}
			wanted[filepath.ToSlash(rel)] = true
			if !l.known(change, f, filepath.ToSlash(rel)) {
				return &usageError{"there is no file " + filepath.ToSlash(rel), "name one that is there, or that the base has"}
			}
		}
		findings = slices.DeleteFunc(findings, func(f gate.Finding) bool { return !wanted[f.File] })
		o.Unmeasured = slices.DeleteFunc(o.Unmeasured, func(u gate.Unmeasured) bool { return !wanted[u.File] })
		o.Migrations = slices.DeleteFunc(o.Migrations, func(m gate.Migration) bool {
			return !wanted[m.Up.File] && (m.Down == nil || !wanted[m.Down.File])
		})
	}
	l.add(change, o, findings)
	return nil
}

// known reports whether a file is there, or was on either side of the change.
func (l *linter) known(change *changeset.Change, file, rel string) bool {
	if _, err := os.Lstat(file); err == nil || l.content[file] != nil {
		return true
	}
	for _, side := range []fs.FS{change.HeadFS, change.MergedFS} {
		if side == nil {
			continue
		}
		if _, err := fs.Stat(side, rel); err == nil {
			return true
		}
	}
	return false
}

// add puts what was found in a directory to what was found before.
func (l *linter) add(change *changeset.Change, o gate.Observation, findings []gate.Finding) {
	l.findings = append(l.findings, findings...)
	l.dirs = append(l.dirs, o.Dir)
	l.read += len(o.Migrations)
	if l.top == "" {
		l.top, l.all = change.Top, o
		l.showFrom(change.Top)
		return
	}
	l.all.Dir += ", " + o.Dir
	if o.Layout != l.all.Layout {
		l.all.Layout += ", " + o.Layout
	}
	l.all.Dirty = l.all.Dirty || o.Dirty
	l.all.Files = append(l.all.Files, o.Files...)
	l.all.Migrations = append(l.all.Migrations, o.Migrations...)
	l.all.Merged = append(l.all.Merged, o.Merged...)
	l.all.Unreadable = append(l.all.Unreadable, o.Unreadable...)
	l.all.Unmeasured = append(l.all.Unmeasured, o.Unmeasured...)
}

// report is the verdict over all of it.
func (l *linter) report() gate.Report {
	o := l.all
	if o.SchemaVersion == "" {
		o = static(&changeset.Change{})
	}
	o.Phases = []gate.Phase{{Name: "lint", MS: float64(time.Since(l.started)) / float64(time.Millisecond)}} // too short to tell of its beginning
	r := gate.Report{Findings: l.findings, Policy: l.policy, Observation: o}
	if r.Findings == nil {
		r.Findings = []gate.Finding{}
	}
	r.Verdict, r.Reason = rule.Verdict(r.Findings, l.policy.FailOn)
	if l.read == 0 && len(r.Findings) == 0 {
		r.Verdict, r.Reason, r.Observation.Tier = gate.Skipped, l.skipReason(), ""
	}
	return r
}

func (l *linter) skipReason() string {
	switch {
	case len(l.dirs) == 0:
		return "none of the files given is in a directory of migrations"
	case l.base == "":
		return "no migration in " + strings.Join(l.dirs, ", ")
	case len(l.cmd.Files) > 0:
		return "none of the files given is a migration that changed since " + short(l.base)
	}
	return fmt.Sprintf("no migration changed in %s since %s", strings.Join(l.dirs, ", "), short(l.base))
}

// source shows statements as they are written, in the editor or on the disk.
func (l *linter) source(name string) ([]byte, bool) {
	if text, ok := l.content[filepath.Join(l.top, filepath.FromSlash(name))]; ok {
		return text, true
	}
	return readSource(l.top)(name)
}
