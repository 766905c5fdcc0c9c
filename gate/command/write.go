package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report"
	"github.com/migration-gate/migration-gate/gate/rule"
)

// writeReports writes every format that was asked for. One that cannot be
// written does not keep the others from it; the errors come back joined.
// source reads a file of the change for showing statements as written. The last
// report of a run is what the forge is told.
func (a *app) writeReports(formats []config.Format, r gate.Report, source func(string) ([]byte, bool)) error {
	var errs []error
	closed := map[string]bool{} // directories that take no file, told once
	a.told = &r
	for _, f := range formats {
		opt := report.Options{Source: source, Unicode: true, Rules: catalogue(), Version: buildVersions().Version, From: a.from}
		if f.Path == "" {
			width, _ := terminal(a.env.Stdout)
			opt.Color, opt.Width, opt.Unicode = a.color(a.env.Stdout), width, a.unicode()
			errs = append(errs, report.Render(a.stdoutFor(f.Name), f.Name, r, opt))
			continue
		}
		var b bytes.Buffer
		if err := report.Render(&b, f.Name, r, opt); err != nil {
			errs = append(errs, err)
			continue
		}
		dir := filepath.Dir(f.Path)
		if closed[dir] {
			continue
		}
		if err := a.writeReport(f.Path, b.Bytes()); err != nil {
			closed[dir] = errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR)
			errs = append(errs, fmt.Errorf("write %s report: %w", f.Name, err))
			continue
		}
		a.wrote[a.path(f.Path)] = true
	}
	return errors.Join(errs...)
}

// showFrom makes paths of the format line relative to where the command runs, as
// an editor takes them.
func (a *app) showFrom(top string) {
	dir, err := filepath.EvalSymlinks(a.env.Dir)
	if err != nil {
		return
	}
	if rel, err := filepath.Rel(top, dir); err == nil {
		a.from = filepath.ToSlash(rel)
	}
}

// writeReport writes a report's file, but through no link that the repository
// brings: it would lead wherever the author of the change likes, and others read
// what is there.
func (a *app) writeReport(path string, content []byte) error {
	link, err := changeset.Held(context.Background(), a.env.Dir, path, false)
	if err != nil {
		return err
	}
	if link != "" {
		return &usageError{link + " is a symbolic link that the repository brings", "remove it (git rm), or name another place"}
	}
	return writeFile(a.path(path), content)
}

// stdoutFor is standard output as a format needs it: where the log is guarded,
// JSON is spelled so that the guard leaves it as it is, and parsers read it.
func (a *app) stdoutFor(format string) io.Writer {
	if a.vars.Get("GITHUB_ACTIONS") == "true" && slices.Contains([]string{"json", "sarif", "code-quality"}, format) {
		return hashless{a.env.Stdout}
	}
	return a.env.Stdout
}

// hashless writes JSON without number signs, of which those in texts begin a
// command to GitHub's runner ("##[").
type hashless struct{ w io.Writer }

func (h hashless) Write(p []byte) (int, error) {
	if _, err := h.w.Write(bytes.ReplaceAll(p, []byte("#"), []byte(`\u0023`))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// catalogue is the rules' documentation, as reports hand it on.
func catalogue() []report.Rule {
	var rules []report.Rule
	for _, r := range rule.Catalogue() {
		rules = append(rules, report.Rule{ID: r.ID, Severity: r.Severity, Title: r.Title, Doc: r.Doc})
	}
	return rules
}

// writeFailure writes the verdict "error": also a run that could not decide
// leaves its report, so that nobody reads an older one by mistake. Text and lines
// on standard output are left out, since its reader has the message already.
func (a *app) writeFailure(c reporter, cause error) {
	formats, err := a.formats(c.output(), a.publisher != nil)
	if err != nil {
		return // that is the cause
	}
	formats = slices.DeleteFunc(formats, func(f config.Format) bool { return f.Path == "" && (f.Name == "text" || f.Name == "line") })
	r := gate.Report{Verdict: gate.Error, Reason: oneLine(cause.Error()), Observation: gate.Observation{
		SchemaVersion: gate.ObservationVersion, Phases: a.progress.Phases(),
		Migrations: []gate.Migration{}, Locks: []gate.LockWindow{}, Tables: map[string]gate.Table{},
	}}
	if err := a.writeReports(formats, r, nil); err != nil {
		a.log.Warn("write the report of a run that could not decide", "error", err)
	}
}

// path makes a path of the user's absolute.
func (a *app) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(a.env.Dir, p)
}

// writeFile puts the content at path as a whole or not at all: readers see
// the old file or the new one, also when this process dies. Directories are
// made. What is there and no ordinary file (/dev/stdout, a pipe) is written
// to, not replaced; a link stays a link.
func writeFile(path string, content []byte) (err error) {
	if info, statErr := os.Stat(path); statErr == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		return errors.Join(err, f.Close())
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(content); err == nil {
		// CreateTemp makes files private; a report is for others to read.
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = give(tmp.Name())
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// readSource reads files beneath dir for showing, and nothing outside it,
// whatever a report that comes from elsewhere may name.
func readSource(dir string) func(string) ([]byte, bool) {
	const most = 16 << 20
	return func(name string) ([]byte, bool) {
		f, err := os.OpenInRoot(dir, filepath.FromSlash(name))
		if err != nil {
			return nil, false
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > most {
			return nil, false
		}
		content, err := io.ReadAll(f)
		return content, err == nil
	}
}
