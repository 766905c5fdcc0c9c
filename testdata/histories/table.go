package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// table is the results in Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| history | layout | migrations | files | statements | parsed | pass | fail | error | skipped | refused by the tool | downs | gate disagrees | crashes | failing rules | time |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|--:|\n")
	row := func(name string, r result) {
		parsed := "–"
		if r.statements > 0 {
			parsed = fmt.Sprintf("%.1f %%", 100*float64(r.known)/float64(r.statements))
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %s | %d | %d | %d | %d | %d | %d | %s | %d | %s | %s |\n", name, r.history.Layout, r.steps, r.files,
			r.statements, parsed, r.verdicts["pass"], r.verdicts["fail"], r.verdicts["error"], r.verdicts["skipped"],
			r.toolFailed, r.downs, fmt.Sprintf("%d up, %d down, %d drift, %d explained", r.wrongReds+r.wrongGreens, r.wrongDowns, r.wrongDrifts, r.explained), r.crashes, fired(r.rules), r.took.Round(time.Second))
	}
	sum := result{verdicts: map[string]int{}, rules: map[string]int{}}
	for _, r := range results {
		row(r.history.Name, r)
		sum.steps += r.steps
		sum.files += r.files
		sum.statements += r.statements
		sum.known += r.known
		sum.toolFailed += r.toolFailed
		sum.wrongReds += r.wrongReds
		sum.wrongGreens += r.wrongGreens
		sum.downs += r.downs
		sum.wrongDowns += r.wrongDowns
		sum.wrongDrifts += r.wrongDrifts
		sum.explained += r.explained
		sum.crashes += r.crashes
		sum.took += r.took
		add(sum.verdicts, r.verdicts)
		add(sum.rules, r.rules)
	}
	if len(results) > 1 {
		row("**all**", sum)
	}
	return b.String()
}

func add(to, from map[string]int) {
	for k, n := range from {
		to[k] += n
	}
}

// fired lists rules by how many steps they failed.
func fired(rules map[string]int) string {
	var names []string
	for name := range rules {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if rules[a] != rules[b] {
			return rules[b] - rules[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, rules[name])
	}
	return strings.Join(names, ", ")
}

// disagreements lists the steps that ask for a look.
func disagreements(results []result) string {
	var b strings.Builder
	for _, r := range results {
		for _, d := range r.disagreements {
			fmt.Fprintf(&b, "\n- %s\n", strings.ReplaceAll(d, "\n", "\n  "))
		}
	}
	return b.String()
}
