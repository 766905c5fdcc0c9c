package rule

import (
	"fmt"

	"github.com/migration-gate/migration-gate/gate"
)

// downLosesData: rows of before, read in the columns of before, that are not
// there any more once every down script has run. Rows added are no loss.
func downLosesData(c *change) []gate.Finding {
	if c.Reverse == nil {
		return nil
	}
	var findings []gate.Finding
	for _, d := range c.Reverse.Losses {
		if d.ForwardOnly || (d.Missing == 0 && len(d.GoneColumns) == 0 && (d.Now != "" || d.RowsBefore == 0)) {
			continue
		}
		f := gate.Finding{File: d.File, Line: d.Line, EndLine: d.Line}
		c.place(&f, d.Migration)
		f.Message = fmt.Sprintf("%s: %s", d.Table, loss(d))
		f.Evidence = map[string]any{"relation": d.Table, "rows_before": d.RowsBefore, "missing": d.Missing, "added": d.Added}
		if d.Now != d.Table {
			f.Evidence["now"] = d.Now
		}
		if len(d.GoneColumns) > 0 {
			f.Evidence["gone_columns"] = d.GoneColumns
		}
		if len(d.Examples) > 0 {
			f.Evidence["examples"] = d.Examples
		}
		f.Fix = "put aside instead of destroying: rename to " + c.policy.DeprecationPrefix +
			"… in the down script, or leave it empty, which declares the migration forward-only"
		findings = append(findings, f)
	}
	return findings
}

func loss(d gate.DataChange) string {
	switch {
	case d.Now == "":
		return fmt.Sprintf("the table is gone after the down script, with %s", plural(d.RowsBefore, "row", "rows"))
	case len(d.GoneColumns) > 0:
		return fmt.Sprintf("the values of %s are gone after the down script, in %s",
			some(d.GoneColumns, 4), plural(d.RowsBefore, "row", "rows"))
	}
	s := fmt.Sprintf("%s of %s from before are gone or altered after the down script", count(d.Missing), plural(d.RowsBefore, "row", "rows"))
	if len(d.Examples) > 0 {
		s += " (" + some(d.Examples, 3) + ")"
	}
	return s
}
