package command

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
)

// elsewhere finds the migrations that nothing judges: those in a directory that
// the change's own configuration names while the base's, which counts, names
// another. From the merge on they would be merged ones, which no later change
// is judged by. Files that are moved there as they are have been judged.
func (a *app) elsewhere(ctx context.Context, opt changeset.Options, change *changeset.Change) []gate.Unmeasured {
	named := func(key string) (gate.ConfigChange, bool) {
		i := slices.IndexFunc(a.configChanges, func(x gate.ConfigChange) bool { return x.Key == key && !x.InForce })
		if i < 0 || a.given(key) {
			return gate.ConfigChange{}, false
		}
		return a.configChanges[i], true
	}
	x, ok := named("dir")
	if !ok {
		return nil
	}
	opt.MigrationsDir = "migrations" // the default
	if x.After != "" {
		opt.MigrationsDir = filepath.Join(change.Top, filepath.FromSlash(path.Dir(x.File)), x.After)
	}
	if l, ok := named("layout"); ok {
		opt.Layout = l.After
	}
	u := gate.Unmeasured{
		What: "the migrations in " + cmp.Or(x.After, opt.MigrationsDir), Remedy: "let one change move the files as they are and name the directory, and the next one add migrations",
	}
	second, err := changeset.Detect(ctx, opt)
	if err != nil {
		u.Why = "the change makes it the gate's directory, and it cannot be read: " + oneLine(err.Error())
		return []gate.Unmeasured{u}
	}
	for _, f := range second.Files {
		if !judged(change, second, f.Path) {
			u.Why = "the change makes it the gate's directory and has " + f.Path + " " + f.Status + " there, while the base's, which counts, is " + change.Dir
			return []gate.Unmeasured{u}
		}
	}
	return nil
}

// given reports whether an option's value comes from the flags or the
// environment, and not from the configuration file.
func (a *app) given(option string) bool {
	origin := a.parsed.Origin(option)
	return origin != "default" && (a.parsed.File == "" || !strings.HasPrefix(origin, a.parsed.File+":"))
}

// judged reports whether the directory that counts has a file as it is in the
// other one.
func judged(counts, other *changeset.Change, name string) bool {
	content, err := fs.ReadFile(other.HeadFS, name)
	if err != nil {
		return false // deleted
	}
	for _, side := range []fs.FS{counts.HeadFS, counts.MergedFS} {
		if same, err := fs.ReadFile(side, path.Join(counts.Dir, path.Base(name))); err == nil && bytes.Equal(same, content) {
			return true
		}
	}
	return false
}
