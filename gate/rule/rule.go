// Package rule judges an Observation: facts in, findings and a verdict out.
//
// One file per rule, each a pure function of the facts; catalogue.go lists
// them, docs/<id>.md documents them, fix*.go build the SQL a reader can paste.
// What never will live here: a connection, a clock, a file read at run time,
// or a parser of SQL. What a statement does is read from its static facts
// (gate/migration), what it did from the measured ones (gate/observe).
package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
)

// DefaultPolicy is what a change is judged by where nothing is configured:
// 200 ms of blocked reads or writes, a down script that destroys nothing, and
// a failed run from the severity error on.
func DefaultPolicy() gate.Policy {
	return gate.Policy{
		MaxExclusive:      200 * time.Millisecond,
		MaxWriteBlock:     200 * time.Millisecond,
		Reversal:          gate.ForwardOnly,
		DeprecationPrefix: "_deprecated_",
		FailOn:            gate.SeverityError,
	}
}

// Judge holds an Observation against a Policy. The verdict is fail where a
// finding is at least as loud as the policy's FailOn (empty: error), else
// pass; whether a run could be observed at all is not its business.
//
// Observations may be partial: with static facts only (no Apply, no
// BaselineColumns, no Tables) the rules that need a measurement stay silent,
// and "existed before the change" means "not made by its up scripts".
func Judge(o gate.Observation, p gate.Policy) gate.Report {
	if p.DeprecationPrefix == "" {
		p.DeprecationPrefix = DefaultPolicy().DeprecationPrefix
	}
	c := newChange(o, p)
	findings := []gate.Finding{}
	for _, r := range rules() {
		if p.Only != nil && !slices.Contains(p.Only, r.id) {
			continue
		}
		severity := r.severityUnder(p)
		if severity == gate.Off {
			continue
		}
		for _, f := range r.find(c) {
			f.Rule = r.id
			if f.Severity == "" || f.Severity.AtLeast(severity) {
				f.Severity = severity
			}
			f.SQL = excerpt(f.SQL)
			findings = append(findings, f)
		}
	}
	c.sort(findings)
	verdict, reason := Verdict(findings, p.FailOn)
	return gate.Report{Verdict: verdict, Reason: reason, Findings: findings, Policy: p, Observation: o}
}

// rule is one entry of the catalogue. find may set a finding's Severity to
// cap it (a rewrite of a tiny table is at most a notice); empty means the
// rule's own.
type rule struct {
	id       string
	severity gate.Severity
	exact    gate.Severity // default under --reversal exact, where it differs
	title    string
	find     func(*change) []gate.Finding
}

func (r rule) severityUnder(p gate.Policy) gate.Severity {
	if s, ok := p.Rules[r.id]; ok && s != "" {
		return s
	}
	if r.exact != "" && p.Reversal == gate.Exact {
		return r.exact
	}
	return r.severity
}

// Verdict of findings, of which failOn and louder fail the run (empty: error),
// and its reason in a few words. It is Judge's own, for whoever leaves findings
// out or puts those of several changes together.
func Verdict(findings []gate.Finding, failOn gate.Severity) (gate.Verdict, string) {
	if failOn == "" {
		failOn = gate.SeverityError
	}
	if failOn == gate.Off {
		return gate.Pass, ""
	}
	loud := 0
	for _, f := range findings {
		if f.Severity.AtLeast(failOn) {
			loud++
		}
	}
	switch {
	case loud == 0:
		return gate.Pass, ""
	case failOn == gate.SeverityError:
		return gate.Fail, plural(int64(loud), "error", "errors")
	default:
		return gate.Fail, fmt.Sprintf("%s at or above %s", plural(int64(loud), "finding", "findings"), failOn)
	}
}

// sort puts findings into the order a reader meets them: files as they run (up
// scripts, then down scripts from last to first), lines, then the catalogue's
// order. What concerns no pending script comes first: it is about the tree.
func (c *change) sort(findings []gate.Finding) {
	rank := map[string]int{}
	for i, m := range c.Migrations {
		rank[m.Up.File] = i + 1
	}
	n := len(c.Migrations)
	for i, m := range c.Migrations {
		if m.Down != nil && rank[m.Down.File] == 0 {
			rank[m.Down.File] = 2*n - i
		}
	}
	order := map[string]int{}
	for i, r := range rules() {
		order[r.id] = i
	}
	slices.SortStableFunc(findings, func(a, b gate.Finding) int {
		return cmp.Or(
			cmp.Compare(rank[a.File], rank[b.File]),
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(order[a.Rule], order[b.Rule]),
		)
	})
}
