package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// reverse takes the step back by the tool, on a copy of the database, where the
// gate ran the down script, and holds down-failed and down-drift against what
// comes of it. A schema has drifted where its dump lacks a line it had before,
// which does not see that only the order of a view's columns has changed.
func (r *result) reverse(ctx context.Context, srv *server, s step, k int, rep report, database string, before map[string]bool, repo string, opt options) error {
	ran := false
	for _, m := range rep.Observation.Migrations {
		ran = ran || m.Reversed != nil
	}
	if !ran || r.history.Layout == "flyway" {
		return nil
	}
	copied := database + "_down"
	if _, err := srv.sql(ctx, "postgres", "DROP DATABASE IF EXISTS "+copied+" WITH (FORCE)"); err != nil {
		return err
	}
	if _, err := srv.sql(ctx, "postgres", "CREATE DATABASE "+copied+" TEMPLATE "+database); err != nil {
		return err
	}
	defer func() {
		_, _ = srv.sql(context.WithoutCancel(ctx), "postgres", "DROP DATABASE "+copied+" WITH (FORCE)")
	}()
	tool, err := newStepper(ctx, srv, r.history, opt.cache, filepath.Join(repo, directory), copied)
	if err != nil {
		return err
	}
	defer tool.close()
	toolErr, _ := tool.down(ctx, s)
	r.downs++
	failed, drifted := "", ""
	for _, f := range rep.Findings {
		said := fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
		switch f.Rule {
		case "down-failed":
			failed = said
		case "down-drift":
			drifted = said
		}
	}
	disagree := func(format string, args ...any) {
		r.disagreements = append(r.disagreements, fmt.Sprintf("%s %03d %s, down: ", r.history.Name, k, s.key)+fmt.Sprintf(format, args...))
	}
	if (failed != "") != (toolErr != nil) {
		r.wrongDowns++
		disagree("the gate says %q; %s says %v", failed, r.history.toolName(), toolErr)
	}
	if failed != "" || toolErr != nil {
		return nil
	}
	after, err := srv.schema(ctx, copied)
	if err != nil {
		return err
	}
	var lost []string
	for line := range before {
		if !after[line] {
			lost = append(lost, line)
		}
	}
	slices.Sort(lost)
	switch disagrees := (drifted != "") != (len(lost) > 0); {
	case disagrees && r.history.Explained[s.key] != "":
		r.explained++
	case disagrees:
		r.wrongDrifts++
		disagree("the gate says %q; the dumped schema has lost %s", drifted, strings.Join(lost, "\n"))
	}
	return nil
}
