package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/gate/rundir"
	"github.com/migration-gate/migration-gate/snapshot"
)

func (c *checkCmd) output() config.Output            { return c.Output }
func (c *migrateUpCmd) output() config.Output        { return c.Output }
func (c *assertLockBudgetCmd) output() config.Output { return c.Output }
func (c *assertSafeDownCmd) output() config.Output   { return c.Output }

// keptName is what a target kept by check --keep is called afterwards.
const keptName = "check"

// Run is the whole gate: what the step commands do, in their order, on a
// server that is gone afterwards.
func (c *checkCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	formats, err := a.formats(c.Output, a.publisher != nil)
	if err != nil {
		return gate.Error, err
	}
	if err := a.trust(c.Events); err != nil {
		return gate.Error, err
	}
	f := a.fleet(c.Server, c.WorkDir)
	a.reap(ctx, f)
	end := a.phase(ctx, "detect")
	engine := c.Engine // as it was given
	if err := a.settleEngine(&c.Migrations, c.Server, c.Snapshot); err != nil {
		return gate.Error, err
	}
	change, err := a.detect(ctx, c.Migrations)
	if err != nil {
		return gate.Error, err
	}
	end()
	policy := a.policy(c.Budget, c.Reversing, c.Downs, c.Failing)
	policy.ServerVersion = c.ServerVersion
	if len(change.Added) == 0 {
		return a.conclude(formats, change, static(change), policy)
	}
	withheld, err := a.fork(ctx, c.Trust, change, &c.Snapshot)
	if err != nil {
		return gate.Error, err
	}
	if withheld != nil {
		if change, err = a.withoutSnapshot(ctx, c, engine, change, withheld); err != nil {
			return gate.Error, err
		}
	}
	o, err := c.prove(ctx, a, f, change, policy)
	var lacking *lackingError
	var behind *observe.CatchUpError
	switch {
	case errors.As(err, &lacking):
		o = new(static(change))
		for _, l := range lacking.lacks {
			o.Unmeasured = append(o.Unmeasured, unmeasured(l))
		}
	case withheld != nil && errors.As(err, &behind):
		// What is merged cannot be built from nothing: the files are all that is left.
		o = new(static(change))
		withheld.What = "everything but the files"
		withheld.Why += ", and without one " + oneLine(err.Error())
	case err != nil:
		return gate.Error, err
	}
	if withheld != nil {
		o.Unmeasured = append(o.Unmeasured, *withheld)
	}
	return a.conclude(formats, change, *o, policy)
}

// withoutSnapshot settles again what the snapshot had told that does not count.
func (a *app) withoutSnapshot(ctx context.Context, c *checkCmd, engine string, change *changeset.Change, withheld *gate.Unmeasured) (*changeset.Change, error) {
	before := c.Engine
	c.Engine = engine
	if err := a.settleEngine(&c.Migrations, c.Server, c.Snapshot); err != nil {
		return nil, err
	}
	if engine == "auto" && c.DatabaseURL == "" {
		withheld.Why += "; it would have told the engine, too, for which PostgreSQL is taken"
		withheld.Remedy += ", and name the engine in " + config.FileName + " where it is another one"
	}
	if c.Engine == before {
		return change, nil
	}
	return a.detect(ctx, c.Migrations)
}

// lackingError says that a server may be used for nothing, for want of rights.
type lackingError struct{ lacks []snapshot.Lack }

func (e *lackingError) Error() string {
	return "use the server: " + e.lacks[0].Why + "; " + e.lacks[0].Remedy
}

func unmeasured(l snapshot.Lack) gate.Unmeasured {
	return gate.Unmeasured{What: l.What, Why: l.Why, Remedy: l.Remedy}
}

// prove runs the experiments and returns what was observed.
func (c *checkCmd) prove(ctx context.Context, a *app, f fleet, change *changeset.Change, policy gate.Policy) (o *gate.Observation, err error) {
	spec := snapshot.Spec{Run: newRunID(), Expires: time.Now().Add(c.TTL), Keep: c.Keep}
	g, err := a.prepare(ctx, f, change, c.Migrations, c.Server, c.Snapshot, spec, "baseline")
	if err != nil {
		return nil, err
	}
	observed := false // still so when a panic passes through
	defer func() {
		if c.Keep && observed && err == nil {
			err = a.keep(ctx, c.RunDir, change, g, c.Engine, keptName, "baseline", "candidate")
			return
		}
		g.server.close()
		closing(ctx, &err, "remove the server", g.target.Close)
	}()
	o = a.observation(change, g)
	if err := a.apply(ctx, g, o, "candidate", c.SampleEvery, policy); err != nil {
		return nil, err
	}
	if err := a.probe(ctx, g, o); err != nil {
		return nil, err
	}
	if !failed(o) {
		if err := a.reverse(ctx, g, o, "candidate", policy); err != nil {
			return nil, err
		}
	}
	observed = true
	return o, nil
}

// failed reports whether the apply walk stopped at a statement.
func failed(o *gate.Observation) bool {
	for _, m := range o.Migrations {
		if m.Apply == nil || m.Apply.Failure != nil {
			return true
		}
	}
	return false
}

// apply clones the baseline under a name and measures the up scripts on it.
func (a *app) apply(ctx context.Context, g *ground, o *gate.Observation, name string, every time.Duration, policy gate.Policy) error {
	end := a.phase(ctx, "clone")
	if err := g.baseline.clone(ctx, name); err != nil {
		return fmt.Errorf("clone the baseline: %w", err)
	}
	end()
	return a.measure(ctx, g, o, name, every, policy)
}

// measure runs the up scripts on a clone that is there.
func (a *app) measure(ctx context.Context, g *ground, o *gate.Observation, name string, every time.Duration, policy gate.Policy) error {
	p, done := a.tracked(ctx, "apply")
	defer done()
	defer func() {
		if !failed(o) {
			p.Set(math.MaxInt64) // all of them
		}
	}()
	return observe.Apply(ctx, g.baseline.lab(name, compareOptions{}), o, observe.Options{
		Every: every, MaxGap: maxGap(policy), OnStatement: p.statements(o),
	})
}

// probe asks the server for the best form of each online DDL statement.
func (a *app) probe(ctx context.Context, g *ground, o *gate.Observation) error {
	lab := g.baseline.lab("probe", compareOptions{})
	if lab.Probe == nil {
		return nil
	}
	defer a.phase(ctx, "probe")()
	return observe.Probe(ctx, lab, o)
}

// maxGap is how long the ticker may look away where it is the only witness: a
// lock as long as the strictest budget must not fit in. Below 50 ms a busy
// runner would void most runs.
func maxGap(p gate.Policy) time.Duration {
	least := min(p.MaxExclusive, p.MaxWriteBlock)
	for _, t := range p.Tables {
		for _, d := range []*time.Duration{t.MaxExclusive, t.MaxWriteBlock} {
			if d != nil {
				least = min(least, *d)
			}
		}
	}
	return max(least, 50*time.Millisecond)
}

// reverse walks the downs on the clone that apply left, and up again.
func (a *app) reverse(ctx context.Context, g *ground, o *gate.Observation, name string, policy gate.Policy) error {
	p, done := a.tracked(ctx, "reverse")
	defer done()
	compare := compareOptions{prefix: policy.DeprecationPrefix}
	if g.ledger != "" {
		compare.exclude = []string{g.ledger}
	}
	second := func(ctx context.Context) (observe.Lab, error) {
		const again = "second_look"
		if err := g.baseline.clone(ctx, again); err != nil {
			return observe.Lab{}, err
		}
		return g.baseline.lab(again, compare), nil
	}
	return observe.Reverse(ctx, g.baseline.lab(name, compare), o, observe.Options{
		Exact: policy.Reversal == gate.Exact, OnStatement: p.statements(nil),
	}, second)
}

// static is the observation of a change on which nothing is run.
func static(change *changeset.Change) gate.Observation {
	o := gate.Observation{
		SchemaVersion: gate.ObservationVersion, Engine: gate.Engine{Name: string(change.Parsing.Dialect)}, Tier: gate.TierStatic,
		Base: change.Base, Head: change.Head, Dirty: change.Dirty, Dir: change.Dir, Layout: change.Layout, OutOfOrder: change.OutOfOrder,
		Files: change.Files, Migrations: []gate.Migration{}, Locks: []gate.LockWindow{},
		Tables: map[string]gate.Table{},
	}
	for _, m := range change.Added {
		o.Migrations = append(o.Migrations, gate.Migration{Migration: m})
	}
	for _, m := range change.Baselines {
		o.Unmeasured = append(o.Unmeasured, gate.Unmeasured{
			What: m.Up.File, Why: "not run: a baseline migration stands for all versions up to its own on empty databases, and on no other is it ever run",
			Remedy: "compare what it makes with what those versions make, on two empty databases", Accepted: true,
		})
	}
	for _, m := range slices.Concat(change.Merged, change.Ahead) {
		o.Merged = append(o.Merged, gate.MergedMigration{Version: m.Version, Number: m.Number, Order: m.Order, Repeatable: m.Repeatable, Baseline: m.Baseline, Name: m.Name, File: m.Up.File})
	}
	return o
}

// observation begins what is observed of a change on a ground.
func (a *app) observation(change *changeset.Change, g *ground) *gate.Observation {
	o := static(change)
	o.Engine = gate.Engine{Name: o.Engine.Name, Version: g.server.version()}
	o.Target = gate.TargetFacts{Kind: g.target.Kind, Detail: g.target.Detail}
	o.Snapshot, o.Tier = g.facts, gate.TierSchema
	if g.facts != nil && g.facts.Manifest.Rows > int64(g.ledgerRows) { // else a dump of the schema
		o.Tier = gate.TierData
	}
	for _, l := range g.target.Lacks {
		o.Unmeasured = append(o.Unmeasured, unmeasured(l))
	}
	if len(g.already) > 0 {
		o.Unmeasured = append(o.Unmeasured, applied(g))
	}
	o.Migrations = o.Migrations[:0]
	for _, m := range g.pending {
		o.Migrations = append(o.Migrations, gate.Migration{Migration: m})
	}
	return &o
}

// applied tells which of the change's migrations did not run, since the
// snapshot has them.
func applied(g *ground) gate.Unmeasured {
	var files []string
	for _, m := range g.already {
		files = append(files, m.Up.File)
	}
	return gate.Unmeasured{
		What: strings.Join(files, ", "), Why: "the snapshot's ledger " + g.ledger + " has it already: the snapshot was taken after a part of this change",
		Remedy: "use a snapshot from before it",
	}
}

// conclude judges and writes the reports.
func (a *app) conclude(formats []config.Format, change *changeset.Change, o gate.Observation, policy gate.Policy) (gate.Verdict, error) {
	o.Phases, o.ConfigChanges = a.progress.Phases(), a.configChanges
	o.Unmeasured = append(o.Unmeasured, a.unseen...)
	if len(change.Added) == 0 {
		o.Tier = ""
	}
	r := rule.Judge(o, policy)
	ofMigrations := slices.ContainsFunc(r.Findings, func(f gate.Finding) bool { return f.Rule != "gate-config-changed" })
	if len(change.Added) == 0 && r.Verdict == gate.Pass && !ofMigrations {
		r.Verdict, r.Reason = gate.Skipped, skipReason(change)
	}
	if a.publisher != nil && r.Verdict.ExitCode() == 0 {
		defer a.publisher.group("Report")()
	}
	a.showFrom(change.Top)
	if err := a.writeReports(formats, r, readSource(change.Top)); err != nil {
		return gate.Error, err
	}
	return r.Verdict, nil
}

func skipReason(change *changeset.Change) string {
	if change.Nothing() {
		return fmt.Sprintf("no migration changed in %s since %s; no server was started", change.Dir, short(change.Base))
	}
	return fmt.Sprintf("%s adds no migration since %s, only files of merged ones changed; no server was started", change.Dir, short(change.Base))
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

// keep records a target that outlives this process.
func (a *app) keep(ctx context.Context, runDir string, change *changeset.Change, g *ground, engine, name, base, database string) error {
	dir, err := a.runDir(ctx, runDir, change.Top)
	if err == nil {
		err = dir.SaveTarget(name, rundir.TargetState{
			Name: name, Handle: g.target.Handle, Engine: engine, Baseline: base, Database: database,
			Created: time.Now(), Expires: g.target.Handle.Expires, Snapshot: g.facts,
		})
	}
	g.server.close()
	if err != nil {
		return errors.Join(fmt.Errorf("keep the server: %w", err), g.target.Close(context.Background()))
	}
	a.log.Warn("the server is kept", "name", name, "until", g.target.Handle.Expires.Format(time.RFC3339),
		"port", g.target.Handle.Port, "remove it with", "migration-gate destroy --database "+name)
	return nil
}
