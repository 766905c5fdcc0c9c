package observe

import (
	"context"
	"fmt"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/lockbudget"
)

// Probe asks the engine for the best form that it accepts of each online DDL
// statement that ran, and notes it beside what was measured. Engines without
// such statements, and runs that had none on an existing table, ask nothing.
func Probe(ctx context.Context, lab Lab, o *gate.Observation) error {
	if lab.Probe == nil || !wantsProbe(o) {
		return nil
	}
	var scripts []*migration.Script
	for i := range o.Migrations {
		if o.Migrations[i].Apply != nil {
			scripts = append(scripts, &o.Migrations[i].Up)
		}
	}
	best, err := lab.Probe(ctx, scripts)
	if err != nil {
		return fmt.Errorf("ask for the best algorithm: %w", err)
	}
	for i := range scripts {
		run := o.Migrations[i].Apply
		for k := range run.Statements {
			if d := run.Statements[k].DDL; d != nil && i < len(best) && k < len(best[i]) {
				d.Best = best[i][k]
				settle(d)
			}
		}
	}
	return nil
}

// settle names the algorithm of a statement that left no trace of it: INSTANT
// and an INPLACE that reads nothing both touch only metadata. Where a statement
// names none, the server takes the best it has, which it has just told.
func settle(d *gate.OnlineDDL) {
	if d.Algorithm != "" || d.Rebuild || d.Best == nil {
		return
	}
	switch d.Best.Algorithm {
	case "INSTANT":
		d.Algorithm = "INSTANT"
	case "INPLACE", "NOCOPY":
		d.Algorithm = "INPLACE"
	default:
		return
	}
	d.Evidence += "; asked, the server takes " + d.Best.Algorithm + " at best"
}

func wantsProbe(o *gate.Observation) bool {
	for _, m := range o.Migrations {
		if m.Apply == nil {
			continue
		}
		if slices.ContainsFunc(m.Apply.Statements, func(s gate.StatementRun) bool { return s.DDL != nil && s.DDL.Existing }) {
			return true
		}
	}
	return false
}

// ddlLocks tells from the lock windows what others were let do while an online
// DDL statement worked. The short exclusive locks at its ends are told by
// their windows, so a statement that only touched metadata has no level.
func (j *joiner) ddlLocks(o *gate.Observation) {
	for i := range o.Migrations {
		m := &o.Migrations[i]
		if m.Apply == nil {
			continue
		}
		for k := range m.Apply.Statements {
			st := &m.Apply.Statements[k]
			if d := st.DDL; d != nil && d.Lock == "" && worked(d, st) {
				d.Lock = j.levelOf(o.Locks, i, k, d, st.DurationMS)
			}
		}
	}
}

// worked reports whether the statement read or wrote rows.
func worked(d *gate.OnlineDDL, st *gate.StatementRun) bool {
	return d.Rebuild || d.Algorithm == "COPY" || len(st.Scans) > 0
}

// levelOf is the LOCK clause that describes what others could do on a table
// while one statement worked on it: in the windows of that table, what held
// longest between those that block nothing but DDL, writes, and reads. An
// in-place statement that took its exclusive lock twice let go of it between.
func (j *joiner) levelOf(windows []gate.LockWindow, migration, statement int, d *gate.OnlineDDL, duration float64) string {
	var others, writes, reads float64
	exclusive := 0
	for _, w := range windows {
		if w.Migration != migration || w.Statement != statement || w.Table != d.Table && w.Relation != d.Table || w.RowLocks {
			continue
		}
		// Existing or not does not matter here: the server chose the same.
		switch impact := j.impact(w.Mode, w.Kind, true); {
		case impact&lockbudget.BlocksReads != 0:
			reads += w.AtLeastMS
			exclusive++
		case impact&lockbudget.BlocksWrites != 0:
			writes += w.AtLeastMS
		default:
			others += w.AtLeastMS
		}
	}
	switch {
	case d.Algorithm == "COPY" && (writes > 0 || reads < duration/2), d.Algorithm != "COPY" && writes > others:
		return "SHARED"
	case exclusive == 1 && reads > duration/2 || d.Algorithm == "COPY":
		return "EXCLUSIVE"
	case others > 0:
		return "NONE"
	}
	return "" // too short to be seen
}
