// Package gate holds the vocabulary that the stages share: the Observation
// that observing yields, the Findings and the Report that judging makes of it,
// and the Verdict. It is data and small pure functions on that data.
//
// Stages live beneath it (observe, rule, report), and nothing here calls one.
package gate

import "time"

// Verdict is the gate's answer.
type Verdict string

// Verdicts, and their exit codes (0 pass and skipped, 1 fail, 2 error).
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Error   Verdict = "error"   // the gate could not decide
	Skipped Verdict = "skipped" // no migration changed
)

// ExitCode is the process's exit code for a verdict.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass, Skipped:
		return 0
	case Fail:
		return 1
	default:
		return 2
	}
}

// Severity of a finding, and of a rule in the configuration.
type Severity string

// Severities from silent to loudest.
const (
	Off           Severity = "off"
	Notice        Severity = "notice"
	Warning       Severity = "warning"
	SeverityError Severity = "error"
)

var severityRank = map[Severity]int{Off: 0, Notice: 1, Warning: 2, SeverityError: 3}

// AtLeast reports whether s is as loud as other or louder.
func (s Severity) AtLeast(other Severity) bool { return severityRank[s] >= severityRank[other] }

// Reversal is the contract that down scripts are held to.
type Reversal string

// Reversal contracts.
const (
	ForwardOnly Reversal = "forward-only" // down disables, and destroys nothing
	Exact       Reversal = "exact"        // down restores the very schema from before
)

// Policy is what an Observation is judged by.
type Policy struct {
	// MaxExclusive limits windows that block reads, MaxWriteBlock those that
	// block writes.
	MaxExclusive  time.Duration
	MaxWriteBlock time.Duration
	Tables        []TablePolicy // the first pattern that matches counts
	Reversal      Reversal
	// DeprecationPrefix of names a down script may put things aside under.
	DeprecationPrefix string
	// FailOn is the severity from which findings fail the run; Off means never.
	FailOn Severity
	// Rules overrides default severities by rule id.
	Rules map[string]Severity
	// Strict refuses every DROP in a down script (assert-safe-down --strict).
	Strict bool
	// Only limits judging to these rules; nil means all.
	Only []string
	// ServerVersion is production's major as the configuration names it, for
	// what is judged without a server; "" where it names none.
	ServerVersion string
}

// TablePolicy overrides limits for tables whose "schema.name" matches Pattern
// (path.Match syntax; a pattern without a dot matches in any schema).
type TablePolicy struct {
	Pattern       string
	MaxExclusive  *time.Duration
	MaxWriteBlock *time.Duration
}

// Finding is one violation: data, never control flow.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"` // relative to the repository's top
	Line     int      `json:"line"` // 1-based; 0 where the file as a whole is meant
	EndLine  int      `json:"end_line"`
	Column   int      `json:"column,omitempty"`
	// Message: relation, lock, what would happen in production, measured figure. Lower case.
	Message string `json:"message"`
	// Evidence holds the rule's own facts, with the keys its documentation lists.
	Evidence map[string]any `json:"evidence,omitempty"`
	// Fix is SQL (or one sentence) the reader can use for this very statement.
	Fix string `json:"fix,omitempty"`
	// Suggestion is what lines Line to EndLine of File should hold instead, with
	// no line feed at its end: set only where replacing just those lines is the
	// whole fix.
	Suggestion string `json:"suggestion,omitempty"`
	// SQL is the statement's text, for showing.
	SQL string `json:"sql,omitempty"`
}

// Report is an Observation, judged.
type Report struct {
	Verdict     Verdict
	Reason      string // one line: why skipped, why error
	Findings    []Finding
	Policy      Policy
	Observation Observation
}

// Phase is a part of the run and how long it took.
type Phase struct {
	Name string  `json:"name"` // "restore", "clone", "apply", "reverse", …
	MS   float64 `json:"ms"`
	// Parts of it, one after the other, where it is known what it was at.
	Parts []Phase `json:"parts,omitempty"`
}
