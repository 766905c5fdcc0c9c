package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"text/tabwriter"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// explainDetection tells people how the layout was found, and what else it
// could be. change is as far as it came; failed is what stopped it.
func explainDetection(to io.Writer, change *changeset.Change, failed error) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	say := func(format string, args ...any) {
		fmt.Fprint(w, gate.Printable(fmt.Sprintf(format, args...)))
	}
	from := change.HeadFS
	d, err := migration.Detect(from, change.Dir, change.Parsing)
	if len(d.Candidates)+len(d.Others) == 0 && change.MergedFS != nil { // everything was deleted
		if merged, mergedErr := migration.Detect(change.MergedFS, change.Dir, change.Parsing); mergedErr == nil {
			d, err, from = merged, nil, change.MergedFS
		}
	}
	say("directory\t%s: %s\n", change.Dir, number(d.Files, "file"))
	say("base\t%.12s (%s)\n", change.Base, change.BaseReason)
	say("head\t%.12s%s\n", change.Head, map[bool]string{true: ", and what is not committed yet"}[change.Dirty])
	chosen := change.Layout
	switch {
	case chosen != "":
		say("layout\t%s: %s\n", chosen, change.LayoutReason)
		say("ledger\t%s\n", ledgerLine(change.Ledger))
	case failed != nil:
		say("layout\tnot known: see the error below\n")
	default:
		say("layout\tnone: %s\n", change.LayoutReason)
	}
	say("\nlayout\tfiles\tcould be\tstrength\tsuch as\n")
	seen := map[string]bool{}
	for _, c := range d.Candidates {
		seen[c.Layout] = true
		say("%s%s\t%d of %d\t%d\t%s\t%s %s\n", c.Layout, map[bool]string{true: " *"}[c.Layout == chosen], c.Files, c.Of, c.Could, c.Strength, c.Example, c.Why)
	}
	for _, sign := range migration.Signs() {
		if !seen[sign[0]] {
			say("%s%s\t-\t-\t-\tnot seen: %s\n", sign[0], map[bool]string{true: " *"}[sign[0] == chosen], sign[1])
		}
	}
	if other := runnerUp(d, chosen); other != "" && chosen != "" {
		say("\n* taken; if that is wrong, --layout %s takes the next best\n", other)
	} else if chosen != "" {
		say("\n* taken; another is taken with --layout NAME\n")
	}
	leftOut(say, from, change, d, chosen)
	if flushErr := w.Flush(); flushErr != nil {
		return fmt.Errorf("write the explanation: %w", flushErr)
	}
	if failed == nil && chosen != "" {
		var mistake *migration.InputError
		if errors.As(err, &mistake) { // --layout has settled what they do not
			_, printErr := fmt.Fprintf(to, "\nwithout --layout: %s\n", gate.Printable(mistake.Error()))
			return printErr
		}
	}
	return nil
}

func ledgerLine(l migration.Ledger) string {
	if l.Kind == "" {
		return "none of its own: the snapshot's tables tell whose it is, else what the base has counts as applied"
	}
	return l.Table + " (--ledger-table names another)"
}

// runnerUp is the candidate after the chosen one: by files of its own, then by
// files that it could read.
func runnerUp(d migration.Detection, chosen string) string {
	var best *migration.Candidate
	for i := range d.Candidates {
		c := &d.Candidates[i]
		if c.Layout != chosen && (best == nil || c.Files > best.Files || c.Files == best.Files && c.Could > best.Could) {
			best = c
		}
	}
	if best == nil {
		return ""
	}
	return best.Layout
}

// leftOut lists the files that are no migrations, and why.
func leftOut(say func(string, ...any), from fs.FS, change *changeset.Change, d migration.Detection, chosen string) {
	var set migration.Set
	var unreadable []gate.Unreadable
	layout, known := migration.ByName(chosen)
	if known {
		// What it cannot read at all, the error below says.
		set, unreadable, _ = changeset.ListReadable(from, change.Dir, layout, change.Parsing)
	}
	skipped := map[string]bool{}
	for _, s := range set.Skipped {
		skipped[s] = true
	}
	var lines []string
	for _, rel := range d.Ignored {
		file, why := path.Join(change.Dir, rel), "named by ignore:"
		if skipped[file] {
			why = "named by ignore:, and a step of " + chosen + "'s that is not run here"
		}
		lines = append(lines, file+"\t"+why)
	}
	for _, u := range unreadable {
		lines = append(lines, u.File+"\t"+u.Message)
	}
	for _, file := range set.Unrecognised {
		lines = append(lines, file+"\tno migration by the names of "+chosen)
	}
	if !known {
		for _, rel := range d.Others {
			lines = append(lines, path.Join(change.Dir, rel)+"\tof no layout")
		}
	}
	if len(lines) > 0 {
		say("\nno migrations are\n%s\n", strings.Join(lines, "\n"))
	}
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
