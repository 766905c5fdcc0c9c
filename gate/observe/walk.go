package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/lockbudget"
)

// walk is one pass over scripts on one session, measured where it has a
// recorder.
type walk struct {
	lab     Lab
	opt     Options
	session Session
	watch   Watcher
	// recorder is nil for walks that are not measured.
	recorder  *lockbudget.Recorder
	began     time.Time // of the recording
	at        int       // index of the migration under way
	script    *migration.Script
	ids       []statementID
	facts     []Facts // parallel to ids
	wal, temp uint64
}

func (w *walk) open(ctx context.Context) (err error) {
	if w.lab.Watch == nil {
		w.watch, w.opt.Every = blind{}, 0
	} else if w.watch, err = w.lab.Watch(ctx); err != nil {
		return fmt.Errorf("connect the observer: %w", err)
	}
	if w.session, err = w.lab.Open(ctx); err != nil {
		return errors.Join(fmt.Errorf("connect as the migrating role: %w", err), w.watch.Close(context.WithoutCancel(ctx)))
	}
	return nil
}

// close ends both connections, also when ctx is done, and keeps err first.
func (w *walk) close(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if w.session != nil {
		err = errors.Join(err, w.session.Close(ctx))
	}
	if w.watch != nil {
		err = errors.Join(err, w.watch.Close(ctx))
	}
	return err
}

// run executes one script and stops at the first failure.
func (w *walk) run(ctx context.Context, s *migration.Script) (*gate.Run, error) {
	run := &gate.Run{Statements: []gate.StatementRun{}}
	w.script = s
	began := time.Now()
	defer func() { run.MS = ms(time.Since(began)) }()
	if err := w.session.Start(ctx, s); err != nil {
		return nil, err
	}
	// open holds the indexes of statements whose transaction has not ended.
	var open []int
	var starts []time.Time
	for i := range s.Statements {
		if w.opt.OnStatement != nil {
			w.opt.OnStatement(s.Statements[i])
		}
		res, st, err := w.statement(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", s.Statements[i].Line, err)
		}
		st.TickerOnly = w.recorder != nil && w.lab.Watch != nil && res.Ended && !res.InBlock && s.Statements[i].Facts.MayCommit
		run.Statements = append(run.Statements, st)
		open, starts = append(open, i), append(starts, res.Sent)
		end := res
		if res.Failure == nil {
			if end, err = w.session.Commit(ctx); err != nil {
				return nil, fmt.Errorf("line %d: commit: %w", s.Statements[i].Line, err)
			}
			if end.Ended {
				w.stamp(lockbudget.Commit, end)
			}
		}
		if res.Ended || end.Ended {
			last := end.Received
			if last.IsZero() {
				last = res.Received
			}
			undone := (res.Failure != nil || end.Failure != nil) && !end.Committed
			for k, n := range open {
				run.Statements[n].ToCommitMS = ms(last.Sub(starts[k]))
				run.Statements[n].RolledBack = undone && (n != i || res.Failure == nil)
			}
			open, starts = nil, nil
		}
		if run.Failure = res.Failure; run.Failure == nil {
			run.Failure = end.Failure
		}
		if run.Failure != nil {
			break
		}
	}
	return run, nil
}

// statement executes one statement with its boundary sample and facts.
func (w *walk) statement(ctx context.Context, i int) (Result, gate.StatementRun, error) {
	if w.recorder != nil {
		w.ids = append(w.ids, statementID{w.at, i})
		w.facts = append(w.facts, Facts{})
		if err := w.readCounters(ctx, nil); err != nil {
			return Result{}, gate.StatementRun{}, err
		}
	}
	res, err := w.session.Exec(ctx, i)
	if err != nil {
		return res, gate.StatementRun{}, err
	}
	st := gate.StatementRun{
		DurationMS: ms(res.Received.Sub(res.Sent)), Tag: res.Tag, Rows: res.Rows,
		How: res.How, Messages: res.Messages,
	}
	if w.recorder == nil {
		return res, st, nil
	}
	st.StartMS = ms(res.Sent.Sub(w.began))
	n := len(w.ids) - 1
	w.stamp(lockbudget.Statement, res)
	if err := w.recorder.Boundary(ctx); err != nil {
		return res, st, fmt.Errorf("sample locks: %w", err)
	}
	if err := w.readCounters(ctx, &st); err != nil {
		return res, st, err
	}
	// After a failure the tool's connection may be gone, and the server's
	// records of it with it; the looks tell then.
	if t, ok := w.watch.(Timer); ok && res.Failure == nil {
		phases, err := t.Phases(ctx, res.Sent, res.Received, tablesOf(w.script.Statements[i]))
		if err != nil {
			return res, st, fmt.Errorf("read the server's own times: %w", err)
		}
		w.recorder.Phases(n, phases)
	}
	facts, err := w.session.Boundary(ctx)
	if err != nil {
		return res, st, fmt.Errorf("read facts: %w", err)
	}
	w.facts[n] = facts
	st.LockTimeout, st.InvalidIndexes, st.DDL = facts.LockTimeout, facts.InvalidIndexes, facts.DDL
	return res, st, nil
}

func (w *walk) stamp(e lockbudget.Event, r Result) {
	if w.recorder != nil {
		w.recorder.Stamp(e, len(w.ids)-1, r.Sent, r.Received, r.Ended, r.InBlock)
	}
}

// readCounters notes the server's counters; with st it books what came since
// the previous reading to that statement.
func (w *walk) readCounters(ctx context.Context, st *gate.StatementRun) error {
	wal, err := w.watch.WALPosition(ctx)
	if err != nil {
		return fmt.Errorf("read how much the server has logged: %w", err)
	}
	temp, known, err := w.watch.TempBytes(ctx)
	if err != nil {
		return fmt.Errorf("read the temporary bytes: %w", err)
	}
	if st != nil {
		st.WALBytes = int64(wal - w.wal)
		// The counter may shrink where the server evicts what it counted.
		if known && temp > w.temp {
			st.TempBytes = int64(temp - w.temp)
		}
	}
	w.wal, w.temp = wal, temp
	return nil
}

// tablesOf lists the tables that a statement's text names, as written.
func tablesOf(st migration.Statement) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, a := range st.Facts.Actions {
		if a.On != "" { // an index's own name is no table
			add(a.On)
			continue
		}
		if a.Schema != "" {
			add(a.Schema + "." + a.Name)
		} else {
			add(a.Name)
		}
	}
	return names
}
