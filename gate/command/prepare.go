package command

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
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
	// ledger is the history table's name in the baseline, "" for none.
	ledger  string
	pending []migration.Migration
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
	src, err := snapshot.Open(ctx, a.path(snap.Snapshot))
	if err != nil {
		return nil, err
	}
	return &src, nil
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
	case directory && !mysql:
		return &usageError{fmt.Sprintf("the snapshot %s is a directory of %s, and does not say which product it was taken from", src.Path, src.Format), "give --engine mysql or --engine mariadb"}
	}
	return nil
}

func (a *app) restore(ctx context.Context, g *ground, src snapshot.Source, top, name string, opt restoreOptions) (err error) {
	p, end := a.tracked(ctx, "restore")
	defer end()
	opt.progress = p.bytes
	g.facts = &gate.SnapshotFacts{Source: src}
	g.facts.Path = shownPath(top, src.Path)
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
	table, found, err := g.baseline.ledger(ctx, change.Ledger.Table)
	if err != nil || !found {
		return nil, err
	}
	g.ledger = table.name
	if g.facts != nil {
		g.facts.Ledger = table.name
	}
	return changeset.ReadLedger(change.Ledger.Kind, table.name, table.columns, table.rows)
}

// parseMerged reads the statements of merged migrations, as the base has them.
func (a *app) parseMerged(change *changeset.Change, list []migration.Migration) ([]migration.Migration, error) {
	layout, ok := migration.ByName(change.Layout)
	if !ok {
		return nil, fmt.Errorf("read merged migrations: layout %q is unknown", change.Layout)
	}
	out := make([]migration.Migration, len(list))
	for i, m := range list {
		text, err := fs.ReadFile(change.MergedFS, m.Up.File)
		if err != nil {
			return nil, fmt.Errorf("read merged migration: %w", err)
		}
		up, _, err := layout.Parse(m.Up.File, text, change.Parsing)
		if err != nil {
			return nil, err
		}
		out[i] = m
		if up != nil {
			out[i].Up = *up
		}
	}
	return out, nil
}
