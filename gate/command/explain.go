package command

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/rule"
)

func (c *explainCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	if c.Rule == "" {
		w := tabwriter.NewWriter(a.env.Stdout, 0, 0, 2, ' ', 0)
		for _, r := range rule.Catalogue() {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Severity, r.Title)
		}
		return gate.Pass, w.Flush()
	}
	for _, r := range rule.Catalogue() {
		if r.ID == c.Rule {
			_, err := fmt.Fprintf(a.env.Stdout, "%s (%s): %s\n\n%s\n", r.ID, r.Severity, r.Title, strings.TrimSpace(r.Doc))
			return gate.Pass, err
		}
	}
	remedy := "list them with migration-gate explain"
	if near := config.Nearest(c.Rule, ruleIDs()); near != "" {
		return gate.Error, &usageError{message: fmt.Sprintf("no rule %q, did you mean %q?", c.Rule, near)}
	}
	return gate.Error, &usageError{fmt.Sprintf("no rule %q", c.Rule), remedy}
}
