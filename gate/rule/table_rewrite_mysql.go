package rule

import (
	"fmt"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// rebuilds are MySQL's rewrites: a COPY, which keeps writers out as long as it
// takes, and a rebuild in place, which lets them pass where it can. What the
// server did counts, not what the statement's text lets expect.
func (c *change) rebuilds() []gate.Finding {
	var findings []gate.Finding
	c.runs(func(m, s int, st migration.Statement, run gate.StatementRun) {
		if d := run.DDL; d != nil && d.Existing && (d.Rebuild || d.Algorithm == "COPY") {
			findings = append(findings, c.rebuilt(m, s, st, run, *d))
		}
		// Partitions are copied without a stage or an algorithm to tell so.
		told := func(table string) bool {
			return run.DDL != nil && run.DDL.Table == table && (run.DDL.Rebuild || run.DDL.Algorithm == "COPY")
		}
		trees := grouped(c, run.Rewrites, func(r gate.Rewrite) (string, bool) {
			return r.Table, r.Part == "heap" && r.Existing && !r.Emptied && !told(r.Table)
		})
		for _, t := range trees {
			d := gate.OnlineDDL{Table: t.table, Rebuild: true, Evidence: "new files"}
			if run.DDL != nil {
				d.Best = run.DDL.Best
			}
			if c.keptWritersOut(t.table, m, s) {
				d.Lock = "SHARED"
			}
			findings = append(findings, c.rebuilt(m, s, st, run, d))
		}
	})
	return findings
}

func (c *change) rebuilt(m, s int, st migration.Statement, run gate.StatementRun, d gate.OnlineDDL) gate.Finding {
	f := at(st)
	f.Severity = c.cap(d.Table)
	blocked := d.Lock == "SHARED" || d.Lock == "EXCLUSIVE" || d.Algorithm == "COPY" && d.Lock != "NONE"
	if !blocked && f.Severity == "" {
		f.Severity = gate.Warning
	}
	how := "rebuilt in place"
	switch {
	case d.Algorithm == "COPY":
		how = "copied"
	case d.Algorithm == "":
		how = "written anew"
	}
	f.Message = fmt.Sprintf("%s: the whole table was %s (%s) in %s", d.Table, how, c.sizeOf(d.Table), upTo(run.DurationMS))
	if d.Algorithm == "COPY" {
		f.Message += " by ALGORITHM=COPY"
	}
	if usedUp(st.Facts, d) {
		f.Message += fmt.Sprintf(", for its %d row versions were used up by INSTANT changes and ALGORITHM was left out", d.RowVersions)
	}
	f.Evidence = map[string]any{"relation": d.Table, "duration_ms": run.DurationMS, "wal_bytes": run.WALBytes}
	writes, known := c.stretchOn(d.Table, m, s, "writes")
	if known {
		f.Evidence["mode"], f.Evidence["blocks"] = writes.Mode, blocking(writes)
		f.Evidence["at_least_ms"], f.Evidence["at_most_ms"], f.Evidence["witness"] = writes.AtLeastMS, writes.AtMostMS, writes.Witness
		addPhases(f.Evidence, c.phasesOf(writes))
	}
	f.Message += c.stalls(d, m, s, blocked)
	addDDL(f.Evidence, d)
	var bytes int64
	for _, r := range run.Rewrites {
		if r.Table == d.Table && r.Part == "heap" {
			bytes += r.Bytes
		}
	}
	if bytes > 0 {
		f.Evidence["new_bytes"] = bytes
	}
	c.addSize(f.Evidence, d.Table)
	f.Fix, f.Suggestion = c.fixes.statement(m, s), c.fixes.replacement(m, s)
	return f
}

// stalls says what others went through, and what they would in production.
func (c *change) stalls(d gate.OnlineDDL, m, s int, blocked bool) string {
	writes, known := c.stretchOn(d.Table, m, s, "writes")
	reads, readsKnown := c.stretchOn(d.Table, m, s, "reads")
	switch {
	case blocked && !known:
		return ", while no row could be written"
	case blocked && !readsKnown:
		return fmt.Sprintf(" under %s: writes blocked for up to %s", writes.Mode, upTo(writes.AtMostMS))
	case blocked && reads.AtMostMS == writes.AtMostMS:
		return fmt.Sprintf(" under %s: reads and writes blocked for up to %s", writes.Mode, upTo(writes.AtMostMS))
	case blocked:
		return fmt.Sprintf(" under %s: writes blocked for up to %s, reads for up to %s", writes.Mode, upTo(writes.AtMostMS), upTo(reads.AtMostMS))
	}
	pause := "reads and writes passed"
	if known {
		pause += ", but for up to " + upTo(writes.AtMostMS)
	}
	return "; " + pause + "; with production's writes a further pause to apply their log comes at the end, which grows with write traffic and was not measured"
}

// keptWritersOut: a window of the statement blocked writes as a copy does.
func (c *change) keptWritersOut(table string, m, s int) bool {
	return slices.ContainsFunc(c.locksOf[[2]int{m, s}], func(w gate.LockWindow) bool {
		return w.Table == table && judged(w) && keepsWritersOut(w)
	})
}

// keepsWritersOut: the lock lasts as long as rows are read or copied, unlike
// the EXCLUSIVE at either end of a statement.
func keepsWritersOut(w gate.LockWindow) bool {
	return slices.Contains([]string{"SHARED_NO_WRITE", "SHARED_NO_READ_WRITE", "SHARED_READ_ONLY"}, w.Mode)
}

// leastVersions is the smallest limit of row versions that a server has had.
const leastVersions = 64

// usedUp: the statement would have been INSTANT, had the table any row
// versions left; without a clause the server then rebuilds it, and says nothing.
func usedUp(f migration.Facts, d gate.OnlineDDL) bool {
	return d.Rebuild && d.Algorithm == "INPLACE" && d.RowVersions >= leastVersions && f.Algorithm == "" &&
		d.Best != nil && (d.Best.Algorithm == "INSTANT" || d.Best.Code == "4092")
}

// addDDL writes into evidence how the server went about it, and the best that
// it takes.
func addDDL(evidence map[string]any, d gate.OnlineDDL) {
	set := func(key, value string) {
		if value != "" {
			evidence[key] = value
		}
	}
	set("algorithm", d.Algorithm)
	set("lock", d.Lock)
	set("told_by", d.Evidence)
	if d.Rebuild {
		evidence["rebuild"] = true
	}
	if d.RowVersions > 0 {
		evidence["row_versions"] = d.RowVersions
	}
	if d.Best != nil {
		set("best_algorithm", d.Best.Algorithm)
		set("best_lock", d.Best.Lock)
		set("best_reason", d.Best.Reason)
		set("best_unasked", d.Best.Unasked)
	}
}
