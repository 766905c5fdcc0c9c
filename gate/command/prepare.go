package command

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/snapshot"
)

// ground is what a change is tried on: a server with a sealed baseline.
type ground struct {
	target   *snapshot.Target
	server   server
	baseline baseline
	// facts is nil where there is no snapshot.
	facts *gate.SnapshotFacts
	// ledger is the history table's name in the baseline, "" for none; it has
	// ledgerRows.
	ledger     string
	ledgerRows int
	pending    []migration.Migration
	// already are the change's migrations that the baseline has, which are not
	// run.
	already []migration.Migration
}

// prepare starts a server and builds the baseline on it: from the snapshot and
// the merged migrations it lacks, or from the merged migrations alone. Where
// it fails, nothing of it is left.
func (a *app) prepare(ctx context.Context, f fleet, change *changeset.Change, m config.Migrations, s config.Server, snap config.Snapshot, spec snapshot.Spec, baseName string) (g *ground, err error) {
	eng, err := newEngine(m)
	if err != nil {
		return nil, err
	}
	src, err := a.openSnapshot(ctx, snap)
	if err != nil {
		return nil, err
	}
	if src != nil {
		if err := suits(*src, m.Engine); err != nil {
			return nil, err
		}
	}
	spec.Engine, spec.Version, spec.Image, spec.Settings = m.Engine, snapshot.Series(m.Engine, s.ServerVersion), s.Image, eng.settings()
	if src != nil {
		spec.Bytes = src.Size
		if spec.Version == "" {
			spec.Version = snapshot.Series(m.Engine, src.ServerVersion)
		}
	}
	end := a.phase(ctx, "start server")
	target, err := a.provision(ctx, f, kindOf(s), spec)
	if err != nil {
		return nil, err
	}
	end()
	ok := false // still so when a panic passes through
	defer func() {
		if !ok {
			closing(ctx, &err, "remove the server", target.Close)
		}
	}()
	g = &ground{target: target}
	if g.server, err = eng.connect(ctx, g.target); err != nil {
		return nil, err
	}
	opt := restoreOptions{jobs: snap.Jobs, roles: s.Roles}
	if opt.jobs == 0 {
		opt.jobs = runtime.NumCPU()
	}
	if src == nil {
		g.baseline, err = g.server.empty(ctx, baseName, s.Roles)
	} else {
		err = a.restore(ctx, g, *src, change.Top, baseName, opt)
	}
	if err != nil {
		return nil, err
	}
	missing, err := a.settle(ctx, g, change, src == nil)
	if err != nil {
		return nil, err
	}
	if err := a.catchUp(ctx, g, change, missing); err != nil {
		return nil, err
	}
	defer a.phase(ctx, "seal baseline")()
	if err := g.baseline.seal(ctx); err != nil {
		return nil, fmt.Errorf("seal the baseline: %w", err)
	}
	ok = true
	return g, nil
}

// openSnapshot recognises and verifies the snapshot; nil means there is none.
// Its path stays absolute: relative is for showing.
func (a *app) openSnapshot(ctx context.Context, snap config.Snapshot) (*snapshot.Source, error) {
	if snap.Snapshot == "" {
		return nil, nil
	}
	defer a.phase(ctx, "verify snapshot")()
	path := func(spec string) string {
		if spec == "" {
			return ""
		}
		return a.path(spec)
	}
	src, err := snapshot.Compose(ctx, a.path(snap.Snapshot), path(snap.SnapshotData), path(snap.Globals))
	if err != nil {
		return nil, err
	}
	return &src, nil
}

// besides lists the options that add to a snapshot, as they were given.
func besides(snap config.Snapshot) (options []string) {
	if snap.SnapshotData != "" {
		options = append(options, "--snapshot-data")
	}
	if snap.Globals != "" {
		options = append(options, "--globals")
	}
	return options
}

// suits refuses a snapshot that is not the engine's. What a look at its
// beginning could not tell has passed settleEngine.
func suits(src snapshot.Source, engine string) error {
	mysql := engine == snapshot.MySQL || engine == snapshot.MariaDB
	directory := src.Format == snapshot.FormatMydumper || src.Format == snapshot.FormatShell
	switch {
	case src.Engine != "" && src.Engine != engine:
		return &usageError{
			fmt.Sprintf("the snapshot %s was taken from %s, not from %s", src.Path, gate.Engine{Name: src.Engine}.Product(), gate.Engine{Name: engine}.Product()),
			"give --engine " + src.Engine,
		}
	case mysql && (len(src.Parts) > 0 || src.Format == snapshot.FormatParts):
		return &usageError{fmt.Sprintf("the snapshot %s is of several files, which is for PostgreSQL", src.Path), "give the one file of a dump, or a directory of mydumper or MySQL Shell"}
	case directory && !mysql:
		return &usageError{fmt.Sprintf("the snapshot %s is a directory of %s, and does not say which product it was taken from", src.Path, src.Format), "give --engine mysql or --engine mariadb"}
	}
	return nil
}

func (a *app) restore(ctx context.Context, g *ground, src snapshot.Source, top, name string, opt restoreOptions) (err error) {
	p, end := a.tracked(ctx, "restore")
	defer end()
	opt.progress, opt.stage = p.bytes, p.Part
	g.facts = &gate.SnapshotFacts{Source: src}
	g.facts.Path = shownPath(top, src.Path)
	g.facts.Parts = slices.Clone(src.Parts)
	for i := range g.facts.Parts {
		g.facts.Parts[i].Path = shownPath(top, g.facts.Parts[i].Path)
	}
	g.baseline, g.facts.Manifest, err = g.server.restore(ctx, src, name, opt)
	return err // says what it was about
}

// shownPath is a file's path as reports name it: relative to the repository's
// top where that is short to say, for a snapshot may well lie outside.
func shownPath(top, path string) string {
	rel, err := filepath.Rel(top, path)
	if err != nil || strings.HasPrefix(rel, filepath.Join("..", "..")) {
		return path
	}
	return filepath.ToSlash(rel)
}

// settle finds out what is pending, by the baseline's ledger, and returns the
// merged migrations that the baseline lacks. Where it is fresh, built without
// a snapshot, it lacks them all.
func (a *app) settle(ctx context.Context, g *ground, change *changeset.Change, fresh bool) (missing []migration.Migration, err error) {
	ledger := &changeset.Ledger{Kind: change.Ledger.Kind, Table: change.Ledger.Table, Last: -1}
	if !fresh {
		if ledger, err = readLedger(ctx, g, change); err != nil {
			return nil, err
		}
	}
	g.pending, missing, g.already, err = changeset.Pending(change, ledger)
	return missing, err
}

// catchUp runs the merged migrations that the baseline lacks.
func (a *app) catchUp(ctx context.Context, g *ground, change *changeset.Change, missing []migration.Migration) error {
	if len(missing) == 0 {
		return nil
	}
	missing, err := a.parseMerged(change, missing)
	if err != nil {
		return err
	}
	p, end := a.tracked(ctx, "catch up")
	defer end()
	p.Total(int64(len(missing)), "migrations")
	done := int64(0)
	return observe.CatchUp(ctx, g.baseline.session, missing, func(m migration.Migration) {
		p.Set(done)
		p.Note(m.Up.File)
		done++
		if g.facts != nil {
			g.facts.CaughtUp = append(g.facts.CaughtUp, m.Version)
		}
	})
}

func readLedger(ctx context.Context, g *ground, change *changeset.Change) (*changeset.Ledger, error) {
	if change.Ledger.Kind == "" {
		if err := plainLedger(ctx, g, change); err != nil || change.Ledger.Kind == "" {
			return nil, err
		}
	}
	table, found, err := g.baseline.ledger(ctx, change.Ledger.Table)
	if err == nil && !found && change.LedgerNamed {
		err = &usageError{"the snapshot has no table " + change.Ledger.Table + ", which --ledger-table names", "name the tool's history table as [SCHEMA.]TABLE, or leave the option out"}
	}
	if err != nil || !found {
		return nil, err
	}
	g.ledger, g.ledgerRows = table.name, len(table.rows)
	if g.facts != nil {
		g.facts.Ledger = table.name
	}
	ledger, err := changeset.ReadLedger(change.Ledger.Kind, table.name, table.columns, table.rows)
	if err != nil || !table.schemaAlone || len(change.Merged) == 0 {
		return ledger, err
	}
	note := table.name + " has no rows, as in a dump of the schema alone: all that the base has counts as applied"
	if g.facts != nil && !slices.Contains(g.facts.Skipped, note) { // where the step before has told it
		g.facts.Skipped = append(g.facts.Skipped, note)
	}
	return nil, nil // as without a table
}

// plainLedger finds out by the snapshot's tables which tool runs the migrations
// that are read as plain; none is an answer.
func plainLedger(ctx context.Context, g *ground, change *changeset.Change) error {
	for _, l := range migration.PlainLedgers() {
		_, found, err := g.baseline.ledger(ctx, l.Table)
		switch {
		case err != nil:
			return err
		case found && change.Ledger.Kind != "":
			return &usageError{"the snapshot has the history tables " + change.Ledger.Table + " and " + l.Table, "say which with --ledger-table"}
		case found:
			change.Ledger = l
		}
	}
	return nil
}

// parseMerged reads the statements of merged migrations, as the base has them.
func (a *app) parseMerged(change *changeset.Change, list []migration.Migration) ([]migration.Migration, error) {
	layout, ok := migration.ByName(change.Layout)
	if !ok {
		return nil, fmt.Errorf("read merged migrations: layout %q is unknown", change.Layout)
	}
	out := make([]migration.Migration, len(list))
	for i, m := range list {
		if err := m.Parse(change.MergedFS, layout, change.Parsing); err != nil {
			return nil, err
		}
		out[i] = m
	}
	return out, nil
}
