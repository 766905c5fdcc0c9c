package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/lockbudget"
)

// statement is a statement's event.
type statement struct {
	thread, id, last int64 // id and last enclose the events within it
	name             string
	schema           string // the connection's current one
	digest           string
	start, end       time.Duration // by the server's clock
}

const (
	// The owner's newest statement that a client sent; it stays there until
	// the next one.
	currentQuery = `SELECT c.THREAD_ID, c.EVENT_ID, COALESCE(c.END_EVENT_ID, 0), c.EVENT_NAME, COALESCE(c.CURRENT_SCHEMA, ''), COALESCE(c.DIGEST_TEXT, ''), c.TIMER_START, COALESCE(c.TIMER_END, 0)
FROM performance_schema.threads t JOIN performance_schema.events_statements_current c ON c.THREAD_ID = t.THREAD_ID
WHERE t.PROCESSLIST_USER = ? AND t.TYPE = 'FOREGROUND' AND c.NESTING_EVENT_LEVEL = 0 AND c.EVENT_NAME NOT LIKE 'statement/com/%' ORDER BY c.TIMER_START DESC LIMIT 1`
	nestedQuery = `SELECT THREAD_ID, EVENT_ID, COALESCE(END_EVENT_ID, 0), EVENT_NAME, COALESCE(CURRENT_SCHEMA, ''), COALESCE(DIGEST_TEXT, ''), TIMER_START, COALESCE(TIMER_END, 0)
FROM performance_schema.events_statements_history_long WHERE THREAD_ID = ? AND EVENT_ID BETWEEN ? AND ? ORDER BY EVENT_ID`
	stagesQuery = `SELECT EVENT_NAME, EVENT_ID, COALESCE(NESTING_EVENT_ID, 0), TIMER_START, COALESCE(TIMER_END, TIMER_START)
FROM performance_schema.events_stages_history_long WHERE THREAD_ID = ? AND EVENT_ID BETWEEN ? AND ? ORDER BY EVENT_ID`
	keptQuery = `SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OWNER_THREAD_ID = ? AND LOCK_DURATION = 'EXPLICIT' AND OBJECT_TYPE = 'TABLE'`
)

// settles is how long a statement that was answered may take to end: its
// event ends after the reply was sent.
const settles = 10 * time.Second

// Phases tells the locks of the statement that was just exchanged, where the
// server timed them itself: the phases of ALTER TABLE, CREATE INDEX and DROP
// INDEX, on the statement's own table (foreign keys' other ends, views and
// LOCK=SHARED's lock during a build are left to Sample). No phases are
// returned, because the stages do not tell, for REORGANIZE PARTITION,
// OPTIMIZE, a plain RENAME, under LOCK TABLES, for a statement of more than
// max_digest_length bytes, and on MariaDB.
//
// Call it after each statement of the owner's connection, before its next
// one. tables is what the statement names, for where the server does not keep
// its text (EXECUTE). An error says that the server's records are incomplete:
// performance_schema lost something, or overwrote the statement's stages (it
// keeps performance_schema_events_stages_history_long_size of them, 10,000 by
// default; an ALTER has 30 to 100).
func (s *Sampler) Phases(ctx context.Context, sent, received time.Time, tables []string) ([]lockbudget.TimedPhase, error) {
	if s.opt.MariaDB {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, errors.New("the observer is closed")
	}
	if err := s.checkLost(ctx); err != nil {
		return nil, err
	}
	top, err := s.exchanged(ctx)
	if err != nil {
		return nil, err
	}
	if !mayHavePhases(top.name) {
		return nil, nil
	}
	all, complete, err := s.stagesOf(ctx, top)
	if err != nil {
		return nil, err
	}
	if !complete {
		if top.name == "statement/sql/call_procedure" {
			return nil, nil // a loop's statements: the samples tell
		}
		return nil, errors.New("the server overwrote the stages of the statement before they could be read: start it with a larger performance_schema_events_stages_history_long_size")
	}
	offset := s.clock.offset(sent, received, top.start, replied(all[top.id], top.end))
	kept := 0
	if err := s.conn.QueryRowContext(ctx, keptQuery, top.thread).Scan(&kept); err != nil {
		return nil, fmt.Errorf("look for locked tables: %w", err)
	}
	if !offset.sound() || kept > 0 {
		return nil, nil
	}
	statements, err := s.nested(ctx, top)
	if err != nil {
		return nil, err
	}
	var timed []lockbudget.TimedPhase
	for _, st := range statements {
		table, ok := s.tableOf(st, tables)
		if !ok {
			continue
		}
		for _, p := range all[st.id].phases(exclusiveAsked(st.digest), st.end) {
			timed = append(timed, lockbudget.TimedPhase{
				Object: table, Mode: p.mode, Impact: tableModes[p.mode], Waited: p.waited,
				From: offset.times(s.clock.epoch, p.from), To: offset.times(s.clock.epoch, p.to),
			})
		}
	}
	return timed, nil
}

// mayHavePhases: statements whose stages are worth reading.
func mayHavePhases(event string) bool {
	switch event {
	case "statement/sql/alter_table", "statement/sql/create_index", "statement/sql/drop_index", "statement/sql/execute_sql", "statement/sql/call_procedure":
		return true
	}
	return false
}

// exchanged is the statement that was just answered, once its event has ended.
func (s *Sampler) exchanged(ctx context.Context) (statement, error) {
	deadline := time.Now().Add(settles)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		found, err := s.statements(ctx, currentQuery, s.opt.Owner)
		if err != nil {
			return statement{}, err
		}
		if len(found) == 0 {
			return statement{}, errors.New("the server kept no record of the statement: the migrating account's session connected before the observer, or under another name")
		}
		if found[0].last != 0 {
			return found[0], nil
		}
		if time.Now().After(deadline) {
			return statement{}, fmt.Errorf("the server has not ended a statement that it answered %s ago", settles)
		}
		select {
		case <-ctx.Done():
			return statement{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// nested lists a statement and those that ran within it (CALL).
func (s *Sampler) nested(ctx context.Context, top statement) ([]statement, error) {
	if top.name != "statement/sql/call_procedure" {
		return []statement{top}, nil
	}
	return s.statements(ctx, nestedQuery, top.thread, top.id, top.last)
}

func (s *Sampler) statements(ctx context.Context, query string, args ...any) ([]statement, error) {
	rows, err := s.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the statement events: %w", err)
	}
	defer rows.Close()
	var all []statement
	for rows.Next() {
		var st statement
		var start, end uint64
		if err := rows.Scan(&st.thread, &st.id, &st.last, &st.name, &st.schema, &st.digest, &start, &end); err != nil {
			return nil, fmt.Errorf("read the statement events: %w", err)
		}
		st.start, st.end = picoseconds(start), picoseconds(end)
		all = append(all, st)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the statement events: %w", err)
	}
	return all, nil
}

// stagesOf reads the stages within a statement, by the statement they belong
// to, and whether its first one is still there.
func (s *Sampler) stagesOf(ctx context.Context, top statement) (by map[int64]stages, complete bool, err error) {
	rows, err := s.conn.QueryContext(ctx, stagesQuery, top.thread, top.id, top.last)
	if err != nil {
		return nil, false, fmt.Errorf("read the stage events: %w", err)
	}
	defer rows.Close()
	by = map[int64]stages{}
	for rows.Next() {
		var name string
		var id, of int64
		var start, end uint64
		if err := rows.Scan(&name, &id, &of, &start, &end); err != nil {
			return nil, false, fmt.Errorf("read the stage events: %w", err)
		}
		name = strings.TrimPrefix(name, "stage/sql/")
		complete = complete || of == top.id && name == stageStarting && id == top.id+1
		by[of] = append(by[of], stage{name: name, start: picoseconds(start), end: picoseconds(end)})
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read the stage events: %w", err)
	}
	return by, complete, nil
}

func picoseconds(n uint64) time.Duration { return time.Duration(n / 1000) }

// replied is the latest instant, by the server, before which the reply cannot
// have been sent.
func replied(s stages, end time.Duration) time.Duration {
	if i := s.last(stageFreeing); i >= 0 {
		return s[i].start
	}
	return end
}

// A digest is the statement in one spelling: without comments, with all names
// in backticks.
const name = "`((?:[^`]|``)+)`"

var (
	alters = regexp.MustCompile(`^(?:ALTER TABLE|CREATE (?:UNIQUE |FULLTEXT |SPATIAL )?INDEX ` + name + `(?: USING \S+)? ON|DROP INDEX ` + name + ` ON) ` + name + `(?: \. ` + name + `)?`)
	locks  = regexp.MustCompile("LOCK (?:= )?`?EXCLUSIVE")
)

// tableOf is the table that a statement alters, "schema.name"; false where
// that, or all of the statement's text, is not known.
func (s *Sampler) tableOf(st statement, tables []string) (string, bool) {
	var schema, table string
	if m := alters.FindStringSubmatch(st.digest); m != nil && !strings.HasSuffix(st.digest, "...") {
		schema, table = m[3], m[4]
		if table == "" {
			schema, table = st.schema, m[3]
		}
	} else if st.name == "statement/sql/execute_sql" && len(tables) == 1 {
		var qualified bool
		if schema, table, qualified = strings.Cut(tables[0], "."); !qualified {
			schema, table = st.schema, schema
		}
	}
	if table == "" || schema == "" {
		return "", false
	}
	table = strings.ReplaceAll(schema+"."+table, "``", "`")
	if s.lowerCase {
		table = strings.ToLower(table)
	}
	return table, true
}

// exclusiveAsked: the statement says LOCK=EXCLUSIVE.
func exclusiveAsked(digest string) bool { return locks.MatchString(digest) }
