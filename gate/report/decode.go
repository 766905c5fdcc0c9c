package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// Decode reads a JSON report, ours or one of the same published shape that
// lacks our further fields; of such a one only what it says can be shown. It
// refuses another schema_version, and anything after the report.
func Decode(rd io.Reader) (gate.Report, error) {
	var d document
	dec := json.NewDecoder(rd)
	if err := dec.Decode(&d); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return gate.Report{}, fmt.Errorf("read report: %w", err)
	}
	if d.SchemaVersion != SchemaVersion {
		return gate.Report{}, fmt.Errorf("read report: schema_version is %q, this program reads %q", d.SchemaVersion, SchemaVersion)
	}
	switch d.Verdict {
	case gate.Pass, gate.Fail, gate.Error, gate.Skipped:
	default:
		return gate.Report{}, fmt.Errorf("read report: unknown verdict %q", d.Verdict)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return gate.Report{}, errors.New("read report: more follows after the report's end")
	}
	r := gate.Report{Verdict: d.Verdict, Reason: d.Reason, Policy: d.Policy.policy()}
	for _, f := range d.Findings {
		ev := f.Evidence
		if len(ev) == 0 {
			ev = nil
		}
		r.Findings = append(r.Findings, gate.Finding{
			Rule: f.Rule, Severity: f.Severity, File: f.File, Line: f.Line, EndLine: f.EndLine, Column: f.Column,
			Message: f.Message, Evidence: ev, Fix: f.Fix, Suggestion: f.Suggestion, SQL: f.SQL,
		})
	}
	if d.Observation != nil {
		r.Observation = *d.Observation
	} else {
		r.Observation = d.observation()
	}
	return r, nil
}

// observation makes of the published fields what can be made of them.
func (d *document) observation() gate.Observation {
	o := gate.Observation{
		SchemaVersion: gate.ObservationVersion,
		Engine:        d.Engine, Target: d.Target, Snapshot: d.Snapshot, Base: d.Base, Head: d.Head, Phases: d.Phases,
		Tier: d.Tier, Unmeasured: d.Unmeasured, ConfigChanges: d.ConfigChanges,
		Resolution: gate.Resolution{
			Every: fromMS(d.Resolution.EveryMS), Looks: d.Resolution.Looks,
			MedianGap: fromMS(d.Resolution.MedianGapMS), MaxGap: fromMS(d.Resolution.MaxGapMS),
		},
	}
	for _, m := range d.Migrations {
		gm := gate.Migration{Migration: migration.Migration{Version: m.Version, Name: m.Name}}
		gm.Up = migration.Script{File: m.File, Direction: migration.Up}
		gm.Apply = &gate.Run{MS: m.DurationMS}
		for i, s := range m.Statements {
			gm.Up.Statements = append(gm.Up.Statements, migration.Statement{File: s.File, Line: s.Line, EndLine: s.EndLine, SQL: s.SQL})
			run := gate.StatementRun{DurationMS: s.DurationMS, Rows: s.Rows, WALBytes: s.WALBytes, TempBytes: s.TempBytes,
				RolledBack: s.RolledBack, DDL: s.OnlineDDL}
			for _, t := range s.Rewrites {
				run.Rewrites = append(run.Rewrites, gate.Rewrite{Relation: t, Part: "heap", Table: t, Existing: true})
			}
			gm.Apply.Statements = append(gm.Apply.Statements, run)
			if e := s.Error; e != nil {
				gm.Apply.Failure = e.failure(i, s.File, s.Line)
			}
		}
		if m.Rerun != nil {
			gm.Rerun = &gate.Run{}
			if e := m.Rerun.Error; e != nil {
				n := slices.IndexFunc(m.Statements, func(s statementDoc) bool { return s.Line <= e.Line && e.Line <= max(s.Line, s.EndLine) })
				gm.Rerun.Failure = e.failure(n, m.File, e.Line)
			}
		}
		o.Migrations = append(o.Migrations, gm)
	}
	for _, l := range d.Locks {
		o.Locks = append(o.Locks, gate.LockWindow{
			Relation: l.Relation, Kind: l.Kind, Table: l.Table, Mode: l.Mode, Blocks: l.Blocks,
			AtLeastMS: l.AtLeastMS, AtMostMS: l.AtMostMS, File: l.File, Line: l.Line, EndLine: l.EndLine,
			// The published list holds judged windows where it does not say otherwise.
			Existing: l.Existing || l.Table == "", Waited: l.Waited, WaitedMS: l.WaitedMS, Witness: l.Witness,
			OpenedMS: l.OpenedMS, ClosedMS: max(l.ClosedMS, l.OpenedMS+l.AtMostMS), HeldDuring: l.Meanwhile,
			RowLocks: l.RowLocks, Rows: l.Rows,
		})
	}
	return o
}

func (e *errorDoc) failure(statement int, file string, line int) *gate.Failure {
	return &gate.Failure{
		Statement: statement, File: file, Line: line, Column: e.Column, Code: e.Code, SQLState: e.SQLState,
		Message: e.Message, Detail: e.Detail, Hint: e.Hint, Where: e.Where,
	}
}
