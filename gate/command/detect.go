package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
)

func (c *detectCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	change, err := a.detect(ctx, c.Migrations)
	if c.Explain && change != nil && change.HeadFS != nil {
		if printErr := explainDetection(a.stdoutFor("text"), change, err); printErr != nil && err == nil {
			return gate.Error, printErr
		}
	}
	if err != nil {
		return gate.Error, err
	}
	if c.Explain {
		return gate.Pass, nil
	}
	enc := json.NewEncoder(a.stdoutFor("json"))
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return gate.Pass, enc.Encode(change)
}

// detect finds the change's migrations, for every command that needs them.
func (a *app) detect(ctx context.Context, m config.Migrations) (*changeset.Change, error) {
	if a.ciErr != nil {
		return nil, a.ciErr
	}
	opt := a.changesetOptions(m)
	change, err := changeset.Detect(ctx, opt)
	if err == nil {
		a.toolConfigs(change)
		a.unseen = append(append(a.elsewhere(ctx, opt, change), skipped(change)...), caveats(change)...)
		a.unseen = append(append(a.unseen, lateReversals(change)...), callbacks(change)...)
	}
	return change, err
}

// changesetOptions are where the options say that the change is, and how it is
// to be read.
func (a *app) changesetOptions(m config.Migrations) changeset.Options {
	return changeset.Options{
		CI:      a.ci.Base,
		Dialect: dialect(m.Engine), SQLMode: m.SQLMode, Dir: a.env.Dir, MigrationsDir: m.Dir, Layout: m.Layout, Base: m.Base, Head: m.Head, Ignore: m.Ignore,
		LedgerTable: m.LedgerTable, Placeholders: placeholders(m.Placeholder), Transaction: m.Transaction,
		LookupEnv: a.scriptEnv, Log: a.log,
	}
}

// toolConfigs tells of the change's own files by which its migrations were read:
// they count in this run already.
func (a *app) toolConfigs(change *changeset.Change) {
	for _, file := range change.Configs {
		if x := (gate.ConfigChange{File: file, InForce: true}); !slices.Contains(a.configChanges, x) {
			a.configChanges = append(a.configChanges, x)
		}
	}
}

// skipped tells of steps between the SQL that nobody ran, by their names.
func skipped(change *changeset.Change) []gate.Unmeasured {
	n := len(change.Skipped)
	if n == 0 {
		return nil
	}
	names := change.Skipped
	if n > 3 {
		names = append(slices.Clone(names[:2]), fmt.Sprintf("%d more", n-2))
	}
	return []gate.Unmeasured{{
		What: strings.Join(names, ", "), Why: "no SQL, and named by ignore:, so that the SQL around is tried without",
		Remedy: "look for what it locks and destroys by reading it", Accepted: true,
	}}
}

// caveats tell what the tool itself would do with a script that running it as
// the tool does cannot show.
func caveats(change *changeset.Change) (all []gate.Unmeasured) {
	for _, m := range change.Added {
		if up := m.Up; up.Unrun != "" {
			all = append(all, gate.Unmeasured{
				What: up.File, File: up.File, Why: up.Unrun, Remedy: cmp.Or(up.Remedy, "look for what it locks and destroys by reading it: no later change is judged by it"), Accepted: up.Remedy == "",
			})
		}
		if m.Up.Caveat != "" {
			all = append(all, gate.Unmeasured{What: "how " + change.Layout + " itself ends " + m.Up.File, File: m.Up.File, Why: m.Up.Caveat, Remedy: m.Up.Remedy})
		}
	}
	return all
}

// lateReversals tells of down scripts that merged migrations get afterwards: no run
// of the change's own has to do with them, and no later change is judged by them.
func lateReversals(change *changeset.Change) (all []gate.Unmeasured) {
	for _, f := range change.Files {
		if f.Merged && f.Status == "added" {
			all = append(all, gate.Unmeasured{
				What: f.Path, File: f.Path, Why: "reverses a merged migration, which this change does not apply, so it is not run", Accepted: true,
				Remedy: "look for what it destroys: migration-gate lint --all " + f.Path,
			})
		}
	}
	return all
}

// callbacks tells of scripts that the tool runs at events which the change has none of.
func callbacks(change *changeset.Change) (all []gate.Unmeasured) {
	for _, name := range change.Callbacks {
		u := gate.Unmeasured{
			What: name, Why: "a callback that differs, and nothing that this change applies has it run", Accepted: true,
			Remedy: "look for what it locks and destroys by reading it; around scripts, change it together with one",
		}
		if _, err := fs.Stat(change.HeadFS, name); err == nil { // not deleted
			u.File = name
		}
		all = append(all, u)
	}
	return all
}

// placeholders makes a map of NAME=VALUE; the option's pattern has checked that.
func placeholders(given []string) map[string]string {
	values := map[string]string{}
	for _, g := range given {
		name, value, _ := strings.Cut(g, "=")
		values[name] = value
	}
	return values
}
