// Package observe conducts the experiments: it walks a change's migrations
// over a fresh clone of the baseline and writes down what the server did.
//
// What lives here: the order of things (apply, reverse, apply again), the
// small interfaces that an engine satisfies (Session, Watcher, Database), and
// the joining of locks, files, scans and timings by statement. What never
// will: SQL, drivers, verdicts. A statement that the server refuses is a fact
// (gate.Failure); an error from here means that the gate could not observe.
package observe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
)

// statementID points to a statement of an up script by migration and index.
type statementID struct{ migration, statement int }

// Apply runs the up scripts in order on the lab's clone and fills o with what
// it measured: runs, lock windows, rewrites, scans, tables. It stops at the
// first statement the server refuses, which is no error.
func Apply(ctx context.Context, lab Lab, o *gate.Observation, opt Options) (err error) {
	before, err := lab.Clone.Catalog(ctx)
	if err != nil {
		return fmt.Errorf("read the clone's catalogue: %w", err)
	}
	w := &walk{lab: lab, opt: opt}
	if err := w.open(ctx); err != nil {
		return err
	}
	defer func() { err = w.close(ctx, err) }()

	w.recorder = lockbudget.NewRecorder(w.watch, w.opt.Every)
	w.recorder.Own(w.session.PID())
	w.began = time.Now()
	w.recorder.Start(ctx)
	var failed *gate.Migration
	for i := range o.Migrations {
		m := &o.Migrations[i]
		w.at = i
		m.Apply, err = w.run(ctx, &m.Up)
		if err != nil {
			_, _ = w.recorder.Stop()
			return fmt.Errorf("apply %s: %w", m.Up.File, err)
		}
		if m.Apply.Failure != nil {
			failed = m
			break
		}
	}
	recording, err := w.recorder.Stop()
	if err != nil {
		return fmt.Errorf("record locks: %w", err)
	}
	if err := recording.Void(opt.MaxGap); err != nil {
		return fmt.Errorf("record locks: %w", w.name(o, err))
	}
	after, err := lab.Clone.Catalog(ctx)
	if err != nil {
		return fmt.Errorf("read the clone's catalogue: %w", err)
	}
	j := joiner{before: before, after: after, impact: lab.Impact, rowLocking: lab.RowLocks, ids: w.ids, facts: w.facts}
	j.windows(o, recording)
	j.files(o)
	j.tables(o)
	j.ddlLocks(o)
	if lab.Watch != nil {
		o.Resolution = gate.Resolution{Every: opt.Every, Looks: recording.Looks, MedianGap: recording.MedianGap, MaxGap: recording.MaxGap}
	}
	if failed != nil && left(failed.Apply) {
		return rerun(ctx, lab, failed)
	}
	return nil
}

// left reports whether a failed run left something applied.
func left(run *gate.Run) bool {
	for i, st := range run.Statements {
		if !st.RolledBack && i != run.Failure.Statement {
			return true
		}
	}
	return false
}

// rerun executes a failed up script once more from its beginning, on a new
// connection, as a person would who mended what made it fail: whether it gets
// as far again tells whether the script converges or needs work by hand.
func rerun(ctx context.Context, lab Lab, m *gate.Migration) (err error) {
	w := &walk{lab: lab}
	if w.session, err = lab.Open(ctx); err != nil {
		var gone *NoDatabaseError
		if !errors.As(err, &gone) {
			return fmt.Errorf("connect as the migrating role: %w", err)
		}
		first := m.Up.Statements[0]
		gone.Failure.File, gone.Failure.Line = first.File, first.Line
		m.Rerun = &gate.Run{Statements: []gate.StatementRun{}, Failure: &gone.Failure}
		return nil
	}
	defer func() { err = w.close(ctx, err) }()
	if m.Rerun, err = w.run(ctx, &m.Up); err != nil {
		return fmt.Errorf("run %s again after its failure: %w", m.Up.File, err)
	}
	return nil
}

// CatchUpError says that a merged migration does not apply to the baseline.
type CatchUpError struct{ Failure gate.Failure }

func (e *CatchUpError) Error() string {
	f := e.Failure
	return fmt.Sprintf("apply merged migration %s:%d: %s (%s): the base's migrations do not apply to the baseline; use a snapshot that has them", f.File, f.Line, f.Message, f.CodeText())
}

// CatchUp applies merged migrations that the snapshot does not have yet. They
// are not this change's, so they are not measured; one that fails means that
// the snapshot and the base do not fit together, which is an error.
func CatchUp(ctx context.Context, open func(context.Context) (Session, error), migrations []migration.Migration, each func(migration.Migration)) (err error) {
	w := &walk{lab: Lab{Open: open}}
	if w.session, err = open(ctx); err != nil {
		return fmt.Errorf("connect as the migrating role: %w", err)
	}
	defer func() { err = w.close(ctx, err) }()
	for i := range migrations {
		m := &migrations[i]
		if each != nil {
			each(*m)
		}
		run, err := w.run(ctx, &m.Up)
		if err != nil {
			return fmt.Errorf("apply merged migration %s: %w", m.Up.File, err)
		}
		if f := run.Failure; f != nil {
			return &CatchUpError{*f}
		}
	}
	return nil
}

// ms is a duration as reports print it: milliseconds.
func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// name replaces a recording's statement number by file and line.
func (w *walk) name(o *gate.Observation, err error) error {
	var void *lockbudget.VoidError
	if !errors.As(err, &void) || void.Statement >= len(w.ids) {
		return err
	}
	id := w.ids[void.Statement]
	st := o.Migrations[id.migration].Up.Statements[id.statement]
	return fmt.Errorf("%s:%d: %w", st.File, st.Line, err)
}

// relationOf finds a relation as it was before, else as it is now.
func relationOf(object string, before, after map[string]snapshot.Relation) (r snapshot.Relation, existed, known bool) {
	if r, ok := before[object]; ok {
		return r, true, true
	}
	r, ok := after[object]
	return r, false, ok
}
