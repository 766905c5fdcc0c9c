package observe

import (
	"sort"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
)

// joiner puts names to keys and books facts to statements, after the walk.
type joiner struct {
	before, after map[string]snapshot.Relation
	impact        func(mode, kind string, existed bool) lockbudget.Impact
	rowLocking    func(mode, verb string) bool
	ids           []statementID
	facts         []Facts         // parallel to ids
	named         map[string]bool // tables that some fact names, by key
}

// name notes that a fact names the table and returns its "schema.name".
func (j *joiner) name(table string) string {
	if j.named == nil {
		j.named = map[string]bool{}
	}
	j.named[table] = true
	r, _, ok := relationOf(table, j.before, j.after)
	if !ok {
		return ""
	}
	return r.QualifiedName()
}

// relation finds what statement n knows an object as. A table that was renamed
// before it keeps its new name, and is a part of the table it was: who asks for
// either waits, or fails.
func (j *joiner) relation(object string, n int) (r snapshot.Relation, existed, known bool) {
	if r, existed, known = relationOf(object, j.before, j.after); existed || n < 1 || n > len(j.facts) {
		return r, existed, known
	}
	was, ok := j.before[j.facts[n-1].Renamed[object]]
	if !ok {
		return r, existed, known
	}
	if !known { // it went back to its name, or on to another
		r = was
		r.Schema, r.Name, _ = strings.Cut(object, ".")
	}
	r.Table, r.Rows, r.Bytes = was.Table, was.Rows, was.Bytes
	return r, true, true
}

// windows resolves the recording's lock windows. What is reported of a window's
// length leaves out the gate's own pauses between two statements: a tool goes
// straight on, and a hundred statements' boundary looks would add up to a
// tenth of a second that production never sees. Relations that the walk both
// made and dropped have no name in either catalogue; nobody else could have
// wanted them, so they are left out.
func (j *joiner) windows(o *gate.Observation, rec lockbudget.Recording) {
	o.Locks = []gate.LockWindow{}
	windows := rec.Windows()
	for _, w := range windows {
		r, existed, known := j.relation(w.Object, w.Statement)
		if !known || w.Statement >= len(j.ids) || helps(w, windows, rec.Session) {
			continue
		}
		id := j.ids[w.Statement]
		st := o.Migrations[id.migration].Up.Statements[id.statement]
		lw := gate.LockWindow{
			Relation: r.QualifiedName(), Kind: r.Kind, Table: j.name(r.Table), Mode: w.Mode,
			Blocks:    j.impact(w.Mode, r.Kind, existed && !deadIndex(r, st)).Strings(),
			AtLeastMS: ms(max(w.AtLeast-w.Paused, 0)), AtMostMS: ms(w.AtMost - w.Paused), AtMostAloneMS: ms(w.AtMostAlone),
			Migration: id.migration, Statement: id.statement,
			File: st.File, Line: st.Line, EndLine: st.EndLine,
			Existing: existed, Waited: w.Waited, WaitedMS: ms(w.WaitedAtMost), Witness: string(w.Witness),
			OpenedMS: ms(w.Opened.Sent), ClosedMS: ms(w.Closed.Received), Session: w.Session,
		}
		for n := w.Statement + 1; n <= w.Through && n < len(j.ids); n++ {
			later := o.Migrations[j.ids[n].migration].Up.Statements[j.ids[n].statement]
			lw.HeldDuring = append(lw.HeldDuring, gate.StatementRef{File: later.File, Line: later.Line})
		}
		o.Locks = append(o.Locks, lw)
		if rows, ok := j.dmlLocks(o, id, r, lw); ok {
			o.Locks = append(o.Locks, rows)
		}
	}
	sort.SliceStable(o.Locks, func(a, b int) bool {
		x, y := o.Locks[a], o.Locks[b]
		if x.Migration != y.Migration {
			return x.Migration < y.Migration
		}
		if x.Statement != y.Statement {
			return x.Statement < y.Statement
		}
		if x.Table != y.Table {
			return x.Table < y.Table
		}
		return x.Relation < y.Relation
	})
}

// helps reports whether a window of another session only repeats one of the
// migration's own: a parallel worker locks what its leader has locked.
func helps(w lockbudget.Window, all []lockbudget.Window, own int64) bool {
	if w.Session == own {
		return false
	}
	for _, o := range all {
		if o.Session == own && o.Object == w.Object && w.Impact&^o.Impact == 0 &&
			o.Opened.Sent <= w.Opened.Received && w.Closed.Sent <= o.Closed.Received {
			return true
		}
	}
	return false
}

// deadIndex reports whether a statement locks an index only after nobody plans
// with it any more: REINDEX and DROP INDEX CONCURRENTLY mark the old index
// dead, wait for its last users, and then drop it under ACCESS EXCLUSIVE
// (seen on 15 and 18; PostgreSQL manual, REINDEX, "Rebuilding Indexes
// Concurrently").
func deadIndex(r snapshot.Relation, st migration.Statement) bool {
	return strings.HasSuffix(r.Kind, "index") && st.Facts.Concurrently && (st.Facts.Kind == "REINDEX" || st.Facts.Kind == "DROP INDEX")
}

// dmlLocks derives the window of what DML holds beside its table lock, and the
// lock table does not show. Of row locks all that is known is the time from the
// statement's start to its COMMIT, an upper bound. An engine that knows no row
// locks keeps everybody from the table while the statement runs, and no longer.
func (j *joiner) dmlLocks(o *gate.Observation, id statementID, r snapshot.Relation, lw gate.LockWindow) (gate.LockWindow, bool) {
	run := o.Migrations[id.migration].Apply.Statements[id.statement]
	verb, _, _ := strings.Cut(run.Tag, " ")
	writes := strings.HasPrefix(lw.Mode, "SHARED_WRITE")
	if r.TableLocks && lw.Existing && (writes || j.rowLocking != nil && j.rowLocking(lw.Mode, verb)) {
		lw.Mode, lw.Witness, lw.Blocks = "table lock", string(lockbudget.ByStatement), lockbudget.BlocksWrites.Strings()
		if writes && verb != "INSERT" { // which readers pass where the file has no holes
			lw.Blocks = (lockbudget.BlocksReads | lockbudget.BlocksWrites).Strings()
		}
		lw.AtLeastMS, lw.AtMostMS, lw.AtMostAloneMS, lw.HeldDuring = 0, run.DurationMS, run.DurationMS, nil
		return lw, true
	}
	rows := lw.Kind == "table" || lw.Kind == "partitioned table" // its toast and indexes have none of their own
	if !lw.Existing || !rows || run.Rows == 0 || j.rowLocking == nil || !j.rowLocking(lw.Mode, verb) {
		return lw, false
	}
	lw.Mode, lw.RowLocks, lw.Rows, lw.Witness = "row locks", true, run.Rows, string(lockbudget.ByStatement)
	lw.Blocks = lockbudget.BlocksWrites.Strings()
	lw.AtLeastMS, lw.AtMostMS, lw.AtMostAloneMS = 0, run.ToCommitMS, run.DurationMS
	return lw, true
}

// files books rewrites and scans to the statements that caused them.
func (j *joiner) files(o *gate.Observation) {
	for n, f := range j.facts {
		id := j.ids[n]
		m := &o.Migrations[id.migration]
		if id.statement >= len(m.Apply.Statements) {
			continue
		}
		run := &m.Apply.Statements[id.statement]
		truncates := false
		for _, a := range m.Up.Statements[id.statement].Facts.Actions {
			truncates = truncates || a.Verb == migration.Truncate
		}
		if truncates && run.DDL != nil { // TRUNCATE PARTITION: new files, and no row in them
			run.DDL.Rebuild = false
		}
		for _, file := range f.Files {
			r, existed, known := j.relation(file.Object, n)
			if !known {
				continue
			}
			run.Rewrites = append(run.Rewrites, gate.Rewrite{
				Relation: r.QualifiedName(), Part: part(r.Kind), Table: j.name(r.Table), Existing: existed,
				Emptied: truncates || (file.Bytes == 0 && r.Rows > 0), Bytes: file.Bytes,
			})
		}
		for _, s := range f.Scans {
			r, existed, known := j.relation(s.Object, n)
			if known {
				run.Scans = append(run.Scans, gate.Scan{Table: j.name(r.Table), Rows: s.Rows, Existing: existed})
			}
		}
	}
}

// part is the word for a relation's role in a rewrite.
func part(kind string) string {
	switch kind {
	case "table", "partitioned table":
		return "heap"
	case "toast", "toast index":
		return "toast"
	default:
		return kind
	}
}

// tables adds what the baseline knows of every table that a fact names, with
// the sums of partitioned trees.
func (j *joiner) tables(o *gate.Observation) {
	o.Tables = map[string]gate.Table{}
	o.BaselineColumns = map[string][]string{}
	rows, bytes := map[string]int64{}, map[string]int64{}
	for _, r := range j.before {
		if r.Table != r.Object || r.Columns == nil {
			continue
		}
		o.BaselineColumns[r.QualifiedName()] = r.Columns
		if r.Root != "" {
			rows[r.Root] += r.Rows
			bytes[r.Root] += r.Bytes
		}
	}
	for key := range j.named {
		r, ok := j.before[key]
		if !ok {
			continue
		}
		t := gate.Table{Rows: r.Rows, Bytes: r.Bytes, RootRows: r.Rows, RootBytes: r.Bytes}
		switch root, ok := j.before[r.Root]; {
		case ok && r.Root != r.Object:
			t.Root, t.RootRows, t.RootBytes = root.QualifiedName(), rows[r.Root], bytes[r.Root]
		case r.Kind == "partitioned table":
			t.RootRows, t.RootBytes = rows[key], bytes[key]
		}
		for _, ref := range r.References {
			if to, ok := j.before[ref]; ok {
				t.References = append(t.References, to.QualifiedName())
			}
		}
		o.Tables[r.QualifiedName()] = t
	}
}
