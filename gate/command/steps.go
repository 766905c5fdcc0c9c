package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/gate/rundir"
	"github.com/migration-gate/migration-gate/snapshot"
)

// Run restores a snapshot into a server that stays for the next steps.
func (c *restoreSnapshotCmd) Run(ctx context.Context, a *app) (verdict gate.Verdict, err error) {
	if err := rundir.CheckName(c.Into); err != nil {
		return gate.Error, &usageError{"--into: " + err.Error(), ""}
	}
	f := a.fleet(c.Server, c.WorkDir)
	a.reap(ctx, f)
	if err := a.settleEngine(&c.Migrations, c.Server, c.Snapshot); err != nil {
		return gate.Error, err
	}
	change, err := a.detect(ctx, c.Migrations)
	if err != nil {
		return gate.Error, err
	}
	dir, err := a.runDir(ctx, c.RunDir, change.Top)
	if err != nil {
		return gate.Error, err
	}
	unlock, err := dir.Lock(c.Into)
	if err != nil {
		return gate.Error, err
	}
	defer unlock()
	if err := a.destroy(ctx, f, dir, c.Into); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return gate.Error, fmt.Errorf("replace %s: %w", c.Into, err)
	}
	base := c.Into + "_baseline"
	if err := a.ownSnapshot(ctx, change, c.Snapshot); err != nil {
		return gate.Error, err
	}
	g, err := a.prepare(ctx, f, change, c.Migrations, c.Server, c.Snapshot, snapshot.Spec{Run: newRunID(), Expires: time.Now().Add(c.TTL), Keep: true}, base)
	if err != nil {
		return gate.Error, err
	}
	defer g.server.close()
	if err = g.baseline.clone(ctx, c.Into); err == nil {
		err = dir.SaveTarget(c.Into, rundir.TargetState{
			Name: c.Into, Handle: g.target.Handle, Engine: c.Engine, Baseline: base, Database: c.Into,
			Created: time.Now(), Expires: g.target.Handle.Expires, Snapshot: g.facts,
		})
	}
	if err != nil {
		closing(ctx, &err, "remove the server", g.target.Close)
		return gate.Error, err
	}
	host, port, err := g.server.address(ctx, c.Into)
	if err != nil {
		return gate.Error, err
	}
	fmt.Fprintf(a.env.Stdout, "%s: %s %s on %s:%d until %s\n", c.Into, c.Engine, g.server.version(), host, port, g.target.Handle.Expires.Format(time.RFC3339))
	return gate.Pass, nil
}

// Run applies the pending migrations to a named target and keeps what was
// measured beside it.
func (c *migrateUpCmd) Run(ctx context.Context, a *app) (verdict gate.Verdict, err error) {
	formats, err := a.formats(c.Output, false)
	if err != nil {
		return gate.Error, err
	}
	if err := a.trust(c.Events); err != nil {
		return gate.Error, err
	}
	dir, err := a.runDir(ctx, c.RunDir, config.Top(a.env.Dir))
	if err != nil {
		return gate.Error, err
	}
	unlock, err := dir.Lock(c.Database)
	if err != nil {
		return gate.Error, err
	}
	defer unlock()
	if err := takeEngine(dir, c.Database, &c.Migrations); err != nil {
		return gate.Error, err
	}
	change, err := a.detect(ctx, c.Migrations)
	if err != nil {
		return gate.Error, err
	}
	policy := rule.DefaultPolicy()
	policy.Rules, policy.Only = a.parsed.Rules, []string{"migration-failed", "checksum-drift", "version-order", "not-measured", "gate-config-changed"}
	f := a.fleet(config.Server{}, c.WorkDir)
	a.reap(ctx, f)
	state, g, err := a.attach(ctx, f, dir, c.Database, c.Migrations)
	if err != nil {
		return gate.Error, err
	}
	defer g.server.close()
	missing, err := a.settle(ctx, g, change, state.Snapshot == nil)
	if err != nil {
		return gate.Error, err
	}
	if err := upToDate(state, missing); err != nil {
		return gate.Error, err
	}
	if state.Migrated { // a second run starts from the snapshot again, as the first one did
		err := g.server.drop(ctx, state.Database)
		if err == nil {
			err = g.baseline.clone(ctx, state.Database)
		}
		if err != nil {
			return gate.Error, fmt.Errorf("start over from the baseline: %w", err)
		}
	}
	o := a.observation(change, g)
	state.Migrated = true
	if err := dir.SaveTarget(c.Database, state); err != nil {
		return gate.Error, err
	}
	if err := a.measure(ctx, g, o, state.Database, c.SampleEvery, policy); err != nil {
		return gate.Error, err
	}
	if err := a.probe(ctx, g, o); err != nil {
		return gate.Error, err
	}
	o.Phases = a.progress.Phases()
	if err := dir.SaveObservation(c.Database, *o); err != nil {
		return gate.Error, err
	}
	return a.conclude(formats, change, *o, policy)
}

// upToDate refuses a target that lacks merged migrations. What was applied when
// it was restored is in no ledger.
func upToDate(state rundir.TargetState, missing []migration.Migration) error {
	if state.Snapshot == nil {
		return nil
	}
	for _, m := range missing {
		if !slices.Contains(state.Snapshot.CaughtUp, m.Version) {
			return &usageError{
				fmt.Sprintf("%s lacks the merged migration %s, which came into the base after it was made", state.Name, m.Up.File),
				"make it again with migration-gate restore-snapshot --into " + state.Name,
			}
		}
	}
	return nil
}

// Run judges what migrate up measured; it needs no server.
func (c *assertLockBudgetCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	formats, err := a.formats(c.Output, false)
	if err != nil {
		return gate.Error, err
	}
	top := config.Top(a.env.Dir)
	dir, err := a.runDir(ctx, c.RunDir, top)
	if err != nil {
		return gate.Error, err
	}
	a.reap(ctx, a.fleet(config.Server{}, c.WorkDir))
	o, err := dir.Observation(c.Database)
	if err != nil {
		return gate.Error, err
	}
	p := a.policy(c.Budget, config.Reversing{Reversal: string(gate.ForwardOnly)}, config.Downs{}, c.Failing)
	p.Only = []string{"lock-budget", "lock-held-across-statements", "migration-failed", "not-measured", "gate-config-changed"}
	o.ConfigChanges = a.configChanges
	r := rule.Judge(o, p)
	if err := a.writeReports(formats, r, readSource(top)); err != nil {
		return gate.Error, err
	}
	return r.Verdict, nil
}

// Run reads the change's down scripts; it needs no server.
func (c *assertSafeDownCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	formats, err := a.formats(c.Output, false)
	if err != nil {
		return gate.Error, err
	}
	change, err := a.detect(ctx, c.Migrations)
	if err != nil {
		return gate.Error, err
	}
	p := a.policy(config.Budget{}, config.Reversing{Reversal: string(gate.ForwardOnly)}, c.Downs, c.Failing)
	p.Strict, p.Only = c.Strict, []string{"unsafe-down", "down-missing", "not-measured", "gate-config-changed"}
	return a.conclude(formats, change, static(change), p)
}

// Run removes a named target and what was observed on it.
func (c *destroyCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	dir, err := a.runDir(ctx, c.RunDir, config.Top(a.env.Dir))
	if err != nil {
		return gate.Error, err
	}
	unlock, err := dir.Lock(c.Database)
	if err != nil {
		return gate.Error, err
	}
	defer unlock()
	f := a.fleet(config.Server{}, c.WorkDir)
	a.reap(ctx, f)
	if err := a.destroy(ctx, f, dir, c.Database); err != nil {
		return gate.Error, err
	}
	fmt.Fprintf(a.env.Stdout, "%s: destroyed\n", c.Database)
	return gate.Pass, nil
}

// takeEngine settles the engine by that of a named target. A target that is
// not there is told by whoever attaches.
func takeEngine(dir *rundir.Dir, name string, m *config.Migrations) error {
	state, err := dir.Target(name)
	if err != nil {
		return err
	}
	if m.Engine != "auto" && m.Engine != state.Engine {
		return &usageError{
			fmt.Sprintf("%s is %s, not %s", name, gate.Engine{Name: state.Engine}.Product(), gate.Engine{Name: m.Engine}.Product()),
			"give --engine " + state.Engine + ", or make it again with migration-gate restore-snapshot --into " + name,
		}
	}
	m.Engine = state.Engine
	return nil
}

// attach finds a named target again, with its server and sealed baseline.
func (a *app) attach(ctx context.Context, f fleet, dir *rundir.Dir, name string, m config.Migrations) (rundir.TargetState, *ground, error) {
	state, err := dir.Target(name)
	if err != nil {
		return state, nil, err
	}
	gone := func(err error) error {
		return &usageError{fmt.Sprintf("%s is not there any more: %v", name, err), "make it again with migration-gate restore-snapshot --into " + name}
	}
	if time.Now().After(state.Expires) {
		return state, nil, gone(fmt.Errorf("its time was up at %s", state.Expires.Format(time.RFC3339)))
	}
	eng, err := newEngine(m)
	if err != nil {
		return state, nil, err
	}
	p, err := f.maker(state.Handle)
	if err != nil {
		return state, nil, err
	}
	g := &ground{facts: state.Snapshot}
	if g.target, err = p.Attach(ctx, state.Handle); err != nil {
		return state, nil, gone(err)
	}
	if g.server, err = eng.connect(ctx, g.target); err != nil {
		return state, nil, gone(err)
	}
	if g.baseline, err = g.server.open(ctx, state.Baseline); err != nil {
		g.server.close()
		return state, nil, gone(err)
	}
	return state, g, nil
}

// destroy removes the server of a named target and forgets the name.
func (a *app) destroy(ctx context.Context, f fleet, dir *rundir.Dir, name string) error {
	state, err := dir.Target(name)
	if err != nil {
		return err
	}
	p, err := f.maker(state.Handle)
	if err != nil {
		return err
	}
	if err := p.Destroy(ctx, state.Handle); err != nil {
		return fmt.Errorf("destroy %s: %w", name, err)
	}
	return dir.RemoveTarget(name)
}

// runDir opens the directory that the commands of one pipeline share. What the
// repository itself brings is none: an observation in it was made by whoever
// wrote the change, and a target is what they want removed.
func (a *app) runDir(ctx context.Context, option, top string) (*rundir.Dir, error) {
	path := filepath.Join(top, rundir.Name)
	if option != "" {
		path = a.path(option)
	}
	held, err := changeset.Held(ctx, a.env.Dir, path, true)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	if held != "" {
		return nil, &usageError{held + " is part of the repository, and what stands there was observed by nobody", "remove it (git rm -r --cached), or name another directory with --run-dir"}
	}
	return rundir.Open(path)
}

// newRunID labels what a run makes.
func newRunID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
