// Package sessiontest is the conformance suite of observe.Session: what every
// engine's connection must do, in SQL that every engine understands. What
// differs between engines (implicit transactions, DDL that commits) is tested
// beside each.
package sessiontest

import (
	"context"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/lockbudget"
)

// Env is one empty database.
type Env struct {
	Session observe.Session
	// Read returns the only value of a query, by another connection.
	Read func(sql string) string
	// DDLCommits: the engine commits before and after DDL.
	DDLCommits bool
}

// Exercise runs the suite; open is called once for each part.
func Exercise(t *testing.T, open func(t *testing.T) Env) {
	for name, part := range map[string]func(*testing.T, Env){
		"results": results, "failure": failure, "scripts follow each other": sequence, "stamps": stamps,
		"session is named": named, "empty script": empty, "context": cancelled,
		"explicit transaction": explicit, "failure in a transaction": undone, "the tool's transaction": wrapped,
		"DDL in a transaction": ddl,
	} {
		t.Run(name, func(t *testing.T) { part(t, open(t)) })
	}
}

// script makes one of single statements, each a batch of its own.
func script(sql ...string) *migration.Script {
	s := &migration.Script{File: "m.sql", Direction: migration.Up}
	for i, text := range sql {
		s.Statements = append(s.Statements, migration.Statement{
			File: "m.sql", Line: i + 1, EndLine: i + 1, Column: 1, SQL: text, Batch: i,
			Facts: migration.Facts{Analysed: true, Control: controls[text]},
		})
	}
	return s
}

var controls = map[string]migration.Control{"BEGIN": migration.Begin, "COMMIT": migration.Commit, "ROLLBACK": migration.Rollback}

// Step is what one statement did.
type Step struct {
	Result, Commit observe.Result
	Facts          observe.Facts
}

// Walk runs a script as the observer does, with a recorder if it is not nil:
// the stamps after each exchange, the boundary sample after each statement and
// before its COMMIT. It stops at the first failure.
func Walk(ctx context.Context, s observe.Session, m *migration.Script, rec *lockbudget.Recorder) ([]Step, error) {
	var steps []Step
	if err := s.Start(ctx, m); err != nil {
		return nil, err
	}
	stamp := func(ev lockbudget.Event, n int, r observe.Result) {
		if rec != nil {
			rec.Stamp(ev, n, r.Sent, r.Received, r.Ended, r.InBlock)
		}
	}
	for n := range m.Statements {
		var step Step
		var err error
		if step.Result, err = s.Exec(ctx, n); err != nil {
			return steps, err
		}
		stamp(lockbudget.Statement, n, step.Result)
		if rec != nil {
			if err := rec.Boundary(ctx); err != nil {
				return steps, err
			}
		}
		if step.Facts, err = s.Boundary(ctx); err != nil {
			return steps, err
		}
		if step.Result.Failure == nil {
			if step.Commit, err = s.Commit(ctx); err != nil {
				return steps, err
			}
			if step.Commit.Ended {
				stamp(lockbudget.Commit, n, step.Commit)
			}
		}
		steps = append(steps, step)
		if step.Result.Failure != nil || step.Commit.Failure != nil {
			break
		}
	}
	return steps, nil
}

func walk(t *testing.T, s observe.Session, sql ...string) []Step {
	t.Helper()
	return walkScript(t, s, script(sql...))
}

func walkScript(t *testing.T, s observe.Session, m *migration.Script) []Step {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	steps, err := Walk(ctx, s, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func results(t *testing.T, e Env) {
	steps := walk(t, e.Session,
		"CREATE TABLE t (id int PRIMARY KEY, v int)",
		"INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)",
		"UPDATE t SET v = 0 WHERE id > 1")
	if len(steps) != 3 {
		t.Fatalf("%d of 3 statements ran: %+v", len(steps), steps[len(steps)-1].Result.Failure)
	}
	if steps[1].Result.Rows != 3 || steps[2].Result.Rows != 2 {
		t.Errorf("%d and %d rows, want 3 and 2", steps[1].Result.Rows, steps[2].Result.Rows)
	}
	for i, s := range steps {
		if s.Result.How == "" {
			t.Errorf("statement %d does not say how it ran", i)
		}
		if !s.Result.Ended && !s.Commit.Ended {
			t.Errorf("statement %d is a batch of its own, and no transaction ended with it", i)
		}
		if s.Result.Ended == s.Result.InBlock {
			t.Errorf("statement %d: Ended %v, InBlock %v", i, s.Result.Ended, s.Result.InBlock)
		}
	}
	if got := e.Read("SELECT sum(v) FROM t"); got != "10" {
		t.Errorf("sum %s, want 10", got)
	}
}

func failure(t *testing.T, e Env) {
	steps := walk(t, e.Session,
		"CREATE TABLE t (id int PRIMARY KEY)",
		"INSERT INTO t VALUES (1)",
		"INSERT INTO t VALUES (1)",
		"INSERT INTO t VALUES (2)")
	last := steps[len(steps)-1]
	f := last.Result.Failure
	if len(steps) != 3 || f == nil {
		t.Fatalf("want the third statement to fail, %d ran", len(steps))
	}
	if f.Statement != 2 || f.File != "m.sql" || f.Line != 3 || f.Code == "" || f.Message == "" {
		t.Errorf("failure does not say what and where: %+v", f)
	}
	if !last.Result.Ended || last.Result.InBlock {
		t.Error("a failed statement has given up its locks")
	}
	if len(last.Facts.Files) != 0 || len(last.Facts.Scans) != 0 {
		t.Errorf("facts of what was undone: %+v", last.Facts)
	}
	if got := e.Read("SELECT count(*) FROM t"); got != "1" {
		t.Errorf("%s rows, want 1", got)
	}
}

func sequence(t *testing.T, e Env) {
	walk(t, e.Session, "CREATE TABLE t (id int PRIMARY KEY)", "SELEC")
	steps := walk(t, e.Session, "INSERT INTO t VALUES (1)")
	if f := steps[0].Result.Failure; f != nil {
		t.Fatalf("after a failed script: %+v", f)
	}
	if got := e.Read("SELECT count(*) FROM t"); got != "1" {
		t.Errorf("%s rows, want 1", got)
	}
}

func stamps(t *testing.T, e Env) {
	began := time.Now()
	steps := walk(t, e.Session, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)", "SELECT id FROM t")
	at := began
	for i, s := range steps {
		for _, r := range []observe.Result{s.Result, s.Commit} {
			if r.Sent.IsZero() && !r.Ended {
				continue // nothing to commit
			}
			if r.Sent.Before(at) || r.Received.Before(r.Sent) {
				t.Errorf("statement %d: sent %v, received %v after %v", i, r.Sent, r.Received, at)
			}
			at = r.Received
		}
	}
	if at.After(time.Now()) {
		t.Error("stamped in the future")
	}
}

func named(t *testing.T, e Env) {
	if e.Session.PID() <= 0 {
		t.Errorf("session %d", e.Session.PID())
	}
}

func empty(t *testing.T, e Env) {
	if steps := walk(t, e.Session); len(steps) != 0 {
		t.Errorf("%d steps", len(steps))
	}
	if r, err := e.Session.Commit(context.Background()); err != nil || r.Ended {
		t.Errorf("commit of nothing: %+v, %v", r, err)
	}
}

// cancelled: a context that is done is the gate's error, not a failure of the
// statement.
func cancelled(t *testing.T, e Env) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	steps, err := Walk(ctx, e.Session, script("SELECT 1"), nil)
	if err == nil {
		t.Errorf("no error, steps %+v", steps)
	}
}

// rows is how many rows table t holds for others.
func rows(t *testing.T, e Env, want string) {
	t.Helper()
	if got := e.Read("SELECT count(*) FROM t"); got != want {
		t.Errorf("%s rows, want %s", got, want)
	}
}

func explicit(t *testing.T, e Env) {
	walk(t, e.Session, "CREATE TABLE t (id int PRIMARY KEY)")
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		steps := walk(t, e.Session, "BEGIN", "INSERT INTO t VALUES (1)", "DELETE FROM t WHERE id = 2", end)
		for i, s := range steps {
			if open := i < 3; s.Result.InBlock != open || s.Result.Ended == open || s.Commit.Ended {
				t.Errorf("%s, statement %d: in block %v, ended %v, commit %+v", end, i, s.Result.InBlock, s.Result.Ended, s.Commit)
			}
			if s.Result.How != "explicit transaction" {
				t.Errorf("%s, statement %d ran as %q", end, i, s.Result.How)
			}
		}
		want := map[string]string{"COMMIT": "1", "ROLLBACK": "0"}[end]
		rows(t, e, want)
		walk(t, e.Session, "DELETE FROM t")
	}
}

func undone(t *testing.T, e Env) {
	walk(t, e.Session, "CREATE TABLE t (id int PRIMARY KEY)")
	steps := walk(t, e.Session, "BEGIN", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)")
	last := steps[2].Result
	if last.Failure == nil || !last.Ended || last.InBlock || last.Committed {
		t.Errorf("the transaction is not over: %+v", last)
	}
	rows(t, e, "0")
}

// wrapped: goose's transaction around a script ends with the last statement.
func wrapped(t *testing.T, e Env) {
	walk(t, e.Session, "CREATE TABLE t (id int PRIMARY KEY)")
	m := script("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)")
	m.Wrapped = true
	steps := walkScript(t, e.Session, m)
	if !steps[0].Result.InBlock || steps[0].Commit.Ended || !steps[1].Result.InBlock || !steps[1].Commit.Ended {
		t.Errorf("not one transaction: %+v", steps)
	}
	rows(t, e, "2")
	m = script("INSERT INTO t VALUES (3)", "INSERT INTO t VALUES (1)")
	m.Wrapped = true
	walkScript(t, e.Session, m)
	rows(t, e, "2")
}

// ddl: what came before DDL in a transaction is kept where the engine commits
// it, whatever fails later, and undone where it does not.
func ddl(t *testing.T, e Env) {
	walk(t, e.Session, "CREATE TABLE t (id int PRIMARY KEY)")
	steps := walk(t, e.Session, "BEGIN", "INSERT INTO t VALUES (1)", "CREATE TABLE u (id int)", "INSERT INTO t VALUES (1)")
	if got := steps[2].Result; got.Ended != e.DDLCommits || got.InBlock == e.DDLCommits {
		t.Errorf("after DDL: in block %v, ended %v", got.InBlock, got.Ended)
	}
	want := "0"
	if e.DDLCommits {
		want = "1"
	}
	rows(t, e, want)
	if !e.DDLCommits {
		return
	}
	steps = walk(t, e.Session, "BEGIN", "INSERT INTO t VALUES (2)", "CREATE TABLE u (id int)")
	if got := steps[2].Result; got.Failure == nil || !got.Committed {
		t.Errorf("DDL that fails commits what came before: %+v", got)
	}
	rows(t, e, "2")
}
