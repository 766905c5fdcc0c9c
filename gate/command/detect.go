package command

import (
	"context"
	"encoding/json"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
)

func (c *detectCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	change, err := a.detect(ctx, c.Migrations)
	if err != nil {
		return gate.Error, err
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
	opt := changeset.Options{
		CI:      a.ci.Base,
		Dialect: dialect(m.Engine), SQLMode: m.SQLMode, Dir: a.env.Dir, MigrationsDir: m.Dir, Layout: m.Layout, Base: m.Base, Head: m.Head, Ignore: m.Ignore,
		LookupEnv: a.lookupEnv, Log: a.log,
	}
	change, err := changeset.Detect(ctx, opt)
	if err == nil {
		a.unseen = a.elsewhere(ctx, opt, change)
	}
	return change, err
}
