package report

import (
	"slices"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// SchemaVersion of the JSON report. It grows by additions only; a change of
// meaning raises it. The fields are documented in docs/report.md.
const SchemaVersion = "1"

// document is the JSON report, field by field as docs/report.schema.json has
// it. Milliseconds are rounded to 0.1.
type document struct {
	SchemaVersion string              `json:"schema_version"`
	Verdict       gate.Verdict        `json:"verdict"`
	Reason        string              `json:"reason"`
	Tier          gate.Tier           `json:"tier"`
	Counts        counts              `json:"counts"`
	Durations     string              `json:"durations"`
	Engine        gate.Engine         `json:"engine"`
	Target        gate.TargetFacts    `json:"target"`
	Snapshot      *gate.SnapshotFacts `json:"snapshot"`
	Base          string              `json:"base"`
	Head          string              `json:"head"`
	Migrations    []migrationDoc      `json:"migrations"`
	Locks         []lockDoc           `json:"locks"`
	Findings      []findingDoc        `json:"findings"`
	Unmeasured    []gate.Unmeasured   `json:"unmeasured"`
	ConfigChanges []gate.ConfigChange `json:"config_changes"`
	Phases        []gate.Phase        `json:"phases"`
	Resolution    resolutionDoc       `json:"resolution"`
	Policy        *policyDoc          `json:"policy"`
	Observation   *gate.Observation   `json:"observation"`
}

// counts are findings by severity.
type counts struct {
	Error   int `json:"error"`
	Warning int `json:"warning"`
	Notice  int `json:"notice"`
}

type migrationDoc struct {
	Version string `json:"version"`
	Name    string `json:"name"`
	File    string `json:"file"`
	// Status: "applied", "failed", "not run".
	Status     string         `json:"status"`
	DurationMS float64        `json:"duration_ms"`
	Error      *errorDoc      `json:"error"`
	Statements []statementDoc `json:"statements"`
	// Rerun is the second run of an up script that failed and left something
	// applied.
	Rerun *rerunDoc `json:"rerun,omitempty"`
}

type rerunDoc struct {
	// Converges: it got as far as the first run, or went through.
	Converges bool      `json:"converges"`
	Error     *errorDoc `json:"error"`
}

type statementDoc struct {
	File       string    `json:"file"`
	Line       int       `json:"line"`
	EndLine    int       `json:"end_line"`
	SQL        string    `json:"sql"`
	Ran        bool      `json:"ran"`
	DurationMS float64   `json:"duration_ms"`
	Rows       int64     `json:"rows"`
	WALBytes   int64     `json:"wal_bytes"`
	TempBytes  int64     `json:"temp_bytes"`
	Rewrites   []string  `json:"rewrites"`
	Error      *errorDoc `json:"error"`
	// RolledBack: it ran, and a later failure undid it.
	RolledBack bool            `json:"rolled_back,omitempty"`
	OnlineDDL  *gate.OnlineDDL `json:"online_ddl,omitempty"`
}

type errorDoc struct {
	Code     string `json:"code"` // SQLSTATE; MySQL: the error's number
	SQLState string `json:"sqlstate,omitempty"`
	Message  string `json:"message"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Where    string `json:"where,omitempty"`
	Line     int    `json:"line"`
	Column   int    `json:"column,omitempty"`
	// AtCommit: the statements went well and COMMIT failed.
	AtCommit bool `json:"at_commit,omitempty"`
}

type lockDoc struct {
	Relation  string              `json:"relation"`
	Mode      string              `json:"mode"`
	Blocks    []string            `json:"blocks"`
	AtLeastMS float64             `json:"at_least_ms"`
	AtMostMS  float64             `json:"at_most_ms"`
	File      string              `json:"file"`
	Line      int                 `json:"line"`
	EndLine   int                 `json:"end_line"`
	Existing  bool                `json:"existing"`
	Measured  bool                `json:"measured"`
	BudgetMS  *float64            `json:"budget_ms"`
	Table     string              `json:"table"`
	Kind      string              `json:"kind"`
	Waited    bool                `json:"waited"`
	WaitedMS  float64             `json:"waited_ms,omitempty"`
	Witness   string              `json:"witness"`
	OpenedMS  float64             `json:"opened_ms"`
	ClosedMS  float64             `json:"closed_ms"`
	RowLocks  bool                `json:"row_locks"`
	Rows      int64               `json:"rows,omitempty"`
	Meanwhile []gate.StatementRef `json:"held_during"`
}

type findingDoc struct {
	Rule     string         `json:"rule"`
	Severity gate.Severity  `json:"severity"`
	File     string         `json:"file"`
	Line     int            `json:"line"`
	EndLine  int            `json:"end_line"`
	Column   int            `json:"column,omitempty"`
	Message  string         `json:"message"`
	Evidence map[string]any `json:"evidence"`
	Fix      string         `json:"fix"`
	// Suggestion is what the finding's lines should hold instead.
	Suggestion string `json:"suggestion,omitempty"`
	SQL        string `json:"sql,omitempty"`
}

type resolutionDoc struct {
	EveryMS     float64 `json:"every_ms"`
	Looks       int     `json:"looks"`
	MedianGapMS float64 `json:"median_gap_ms"`
	MaxGapMS    float64 `json:"max_gap_ms"`
}

// newDocument makes the JSON report of r, without changing r.
func newDocument(r gate.Report) (*document, error) {
	obs, err := tidyObservation(r.Observation)
	if err != nil {
		return nil, err
	}
	findings, err := findingDocs(r.Findings)
	if err != nil {
		return nil, err
	}
	d := &document{
		SchemaVersion: SchemaVersion,
		Verdict:       r.Verdict,
		Reason:        r.Reason,
		Tier:          obs.Tier,
		Counts:        count(r.Findings),
		Durations:     durations(obs),
		Engine:        obs.Engine,
		Target:        obs.Target,
		Snapshot:      obs.Snapshot,
		Base:          obs.Base,
		Head:          obs.Head,
		Migrations:    make([]migrationDoc, 0, len(obs.Migrations)),
		Locks:         lockDocs(obs, r.Policy),
		Findings:      findings,
		Unmeasured:    append([]gate.Unmeasured{}, obs.Unmeasured...),
		ConfigChanges: append([]gate.ConfigChange{}, obs.ConfigChanges...),
		Phases:        clonePhases(obs.Phases),
		Resolution: resolutionDoc{
			EveryMS: ms(obs.Resolution.Every), Looks: obs.Resolution.Looks,
			MedianGapMS: ms(obs.Resolution.MedianGap), MaxGapMS: ms(obs.Resolution.MaxGap),
		},
		Policy:      newPolicyDoc(r.Policy),
		Observation: obs,
	}
	for i := range obs.Migrations {
		d.Migrations = append(d.Migrations, newMigrationDoc(&obs.Migrations[i]))
	}
	return d, nil
}

func newMigrationDoc(m *gate.Migration) migrationDoc {
	d := migrationDoc{Version: m.Version, Name: m.Name, File: m.Up.File, Status: "not run", Statements: []statementDoc{}}
	if m.Apply != nil {
		d.Status, d.DurationMS = "applied", m.Apply.MS
		if f := m.Apply.Failure; f != nil {
			d.Status = "failed"
			d.Error = newErrorDoc(f)
		}
	}
	if m.Rerun != nil {
		d.Rerun = &rerunDoc{Converges: m.Converges()}
		if f := m.Rerun.Failure; f != nil {
			d.Rerun.Error = newErrorDoc(f)
		}
	}
	for i := range m.Up.Statements {
		d.Statements = append(d.Statements, newStatementDoc(&m.Up.Statements[i], m.Apply, i, d.Error))
	}
	return d
}

func newErrorDoc(f *gate.Failure) *errorDoc {
	return &errorDoc{
		Code: f.Code, SQLState: f.SQLState, Message: f.Message, Detail: f.Detail, Hint: f.Hint, Where: f.Where,
		Line: f.Line, Column: f.Column, AtCommit: f.Statement < 0,
	}
}

func newStatementDoc(st *migration.Statement, run *gate.Run, i int, failure *errorDoc) statementDoc {
	d := statementDoc{File: st.File, Line: st.Line, EndLine: st.EndLine, SQL: st.SQL, Rewrites: []string{}}
	if run == nil {
		return d
	}
	if run.Failure != nil && run.Failure.Statement == i {
		d.Ran, d.Error = true, failure
	}
	if i >= len(run.Statements) {
		return d
	}
	s := run.Statements[i]
	d.Ran = true
	d.DurationMS, d.Rows, d.WALBytes, d.TempBytes = s.DurationMS, s.Rows, s.WALBytes, s.TempBytes
	d.Rewrites = append(d.Rewrites, heapRewrites(&s)...)
	d.RolledBack, d.OnlineDDL = s.RolledBack, s.DDL
	return d
}

// heapRewrites names the tables whose rows a statement wrote anew.
func heapRewrites(s *gate.StatementRun) []string {
	var names []string
	for _, w := range s.Rewrites {
		if w.Part == "heap" && !w.Emptied && !slices.Contains(names, w.Relation) {
			names = append(names, w.Relation)
		}
	}
	return names
}

// lockDocs lists judged windows first, each group in the order of acquisition.
func lockDocs(obs *gate.Observation, p gate.Policy) []lockDoc {
	docs := make([]lockDoc, 0, len(obs.Locks))
	ws := slices.Clone(obs.Locks)
	slices.SortStableFunc(ws, compareWindows)
	for i := range ws {
		w := &ws[i]
		d := lockDoc{
			Relation: w.Relation, Mode: w.Mode, Blocks: append([]string{}, w.Blocks...),
			AtLeastMS: w.AtLeastMS, AtMostMS: w.AtMostMS,
			File: w.File, Line: w.Line, EndLine: w.EndLine,
			Existing: w.Existing, Measured: measured(obs, w),
			Table: tableOf(w), Kind: w.Kind, Waited: w.Waited, WaitedMS: w.WaitedMS, Witness: w.Witness,
			OpenedMS: w.OpenedMS, ClosedMS: w.ClosedMS, RowLocks: w.RowLocks, Rows: w.Rows,
			Meanwhile: append([]gate.StatementRef{}, w.HeldDuring...),
		}
		if b, ok := budget(obs, p, w); ok {
			v := ms(b)
			d.BudgetMS = &v
		}
		docs = append(docs, d)
	}
	return docs
}

// count counts findings by severity; those switched off count nowhere.
func count(fs []gate.Finding) counts {
	var c counts
	for _, f := range fs {
		switch f.Severity {
		case gate.SeverityError:
			c.Error++
		case gate.Warning:
			c.Warning++
		case gate.Notice:
			c.Notice++
		}
	}
	return c
}

func ms(d time.Duration) float64 { return round1(float64(d) / float64(time.Millisecond)) }
