package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/lockbudget"
)

// statement is a statement's event.
type statement struct {
	thread, id, last int64 // id and last enclose the events within it
	name             string
	schema           string // the connection's current one
	digest, text     string
	start, end       time.Duration // by the server's clock
}

const statementColumns = `c.THREAD_ID, c.EVENT_ID, COALESCE(c.END_EVENT_ID, 0), c.EVENT_NAME, COALESCE(c.CURRENT_SCHEMA, ''),
COALESCE(c.DIGEST_TEXT, ''), COALESCE(c.SQL_TEXT, ''), c.TIMER_START, COALESCE(c.TIMER_END, 0)`

const (
	// The latest statement of each of the owner's sessions; it stays there
	// until the next one.
	currentQuery = `SELECT ` + statementColumns + `
FROM performance_schema.threads t JOIN performance_schema.events_statements_current c ON c.THREAD_ID = t.THREAD_ID
WHERE t.PROCESSLIST_USER = ? AND t.TYPE = 'FOREGROUND' AND c.NESTING_EVENT_LEVEL = 0 AND c.EVENT_NAME NOT LIKE 'statement/com/%'`
	// The same of one session, on somebody else's server.
	followedQuery = `SELECT ` + statementColumns + `
FROM performance_schema.threads t JOIN performance_schema.events_statements_current c ON c.THREAD_ID = t.THREAD_ID
WHERE t.PROCESSLIST_ID = ? AND c.NESTING_EVENT_LEVEL = 0 AND c.EVENT_NAME NOT LIKE 'statement/com/%'`
	nestedQuery = `SELECT ` + statementColumns + `
FROM performance_schema.events_statements_history_long c WHERE c.THREAD_ID = ? AND c.EVENT_ID BETWEEN ? AND ? ORDER BY c.EVENT_ID`
	stagesQuery = `SELECT EVENT_NAME, EVENT_ID, COALESCE(NESTING_EVENT_ID, 0), TIMER_START, COALESCE(TIMER_END, TIMER_START)
FROM performance_schema.events_stages_history_long WHERE THREAD_ID = ? AND EVENT_ID BETWEEN ? AND ? ORDER BY EVENT_ID`
	// A DDL statement ends with all table locks gone, unless tables are locked
	// explicitly.
	keptQuery = `SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OWNER_THREAD_ID = ? AND OBJECT_TYPE = 'TABLE'`
	// The event of the very statement that asks.
	nowQuery = `SELECT TIMER_START FROM performance_schema.events_statements_current WHERE THREAD_ID = ? AND NESTING_EVENT_LEVEL = 0`
	// Instrumented, a session has a current statement; only with HISTORY does
	// it leave events.
	instrumentQuery = `UPDATE performance_schema.threads SET INSTRUMENTED = ? WHERE THREAD_ID = ?`
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
// max_digest_length bytes, and on a MariaDB without performance_schema.
//
// Call it after each statement of the owner's connection, before its next
// one. tables is what the statement names, for where the server does not keep
// its text (EXECUTE). An error says that the server's records are incomplete:
// performance_schema lost something, or overwrote the statement's stages (it
// keeps performance_schema_events_stages_history_long_size of them, 10,000 by
// default; an ALTER has 30 to 100).
func (s *Sampler) Phases(ctx context.Context, sent, received time.Time, tables []string) ([]lockbudget.TimedPhase, error) {
	if !s.timed && (s.opt.MariaDB || !s.opt.Guest) {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, errors.New("the observer is closed")
	}
	if err := s.checkLost(ctx); err != nil || !s.timed {
		return nil, err
	}
	top, err := s.exchanged(ctx, sent)
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
		// A loop's statements fill any history, and so may MariaDB's purge
		// threads, which come and go: the samples tell.
		// So may others on a server that is not ours.
		if top.name == "statement/sql/call_procedure" || s.opt.MariaDB || s.opt.Guest {
			return nil, nil
		}
		return nil, errors.New("the server overwrote the stages of the statement before they could be read: start it with a larger performance_schema_events_stages_history_long_size")
	}
	if err := s.setClock(ctx); err != nil {
		return nil, err
	}
	offset := s.clock.during(sent, received, top.start, replied(all, top.end))
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
		for _, p := range all[st.id].until(st.end).phases(locks.MatchString(st.spelled()), st.end) {
			timed = append(timed, lockbudget.TimedPhase{
				Object: table, Mode: p.mode, Impact: tableModes[p.mode], Waited: p.waited, Partial: len(statements) > 1,
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

// exchanged is the statement that was just answered, once its event has
// ended: of the owner's sessions' latest, the one that started as ours was sent.
func (s *Sampler) exchanged(ctx context.Context, sent time.Time) (statement, error) {
	at := sent.Sub(s.clock.epoch)
	late := func(st statement) time.Duration {
		return (st.start + s.clock.at(at).most - at).Abs()
	}
	deadline := time.Now().Add(settles)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		query, whose := currentQuery, any(s.opt.Owner)
		if s.opt.Guest {
			query, whose = followedQuery, s.main
		}
		found, err := s.statements(ctx, query, whose)
		if err != nil {
			return statement{}, err
		}
		if len(found) == 0 {
			return statement{}, errors.New("the server kept no record of the statement: no session of the migrating account has any, so it connected under another name, or ran it before the observer was there")
		}
		top := slices.MinFunc(found, func(a, b statement) int { return cmp.Compare(late(a), late(b)) })
		if top.last != 0 {
			return top, nil
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

// setClock asks the server for the time, by the clock of its events.
func (s *Sampler) setClock(ctx context.Context) (err error) {
	instrument := func(yes string) {
		_, e := s.conn.ExecContext(ctx, instrumentQuery, yes, s.thread)
		err = errors.Join(err, e)
	}
	instrument("YES")
	var now uint64
	sent := time.Now()
	err = errors.Join(err, s.now.QueryRowContext(ctx, s.thread).Scan(&now))
	received := time.Now()
	instrument("NO")
	if err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	at := picoseconds(now)
	s.clock.note(offset{sent.Sub(s.clock.epoch) - at, received.Sub(s.clock.epoch) - at}, received)
	return nil
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
		if err := rows.Scan(&st.thread, &st.id, &st.last, &st.name, &st.schema, &st.digest, &st.text, &start, &end); err != nil {
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
		complete = complete || of == top.id && name == "stage/sql/"+stageStarting && id == top.id+1
		by[of] = by[of].add(name, picoseconds(start), picoseconds(end))
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read the stage events: %w", err)
	}
	return by, complete, nil
}

func picoseconds(n uint64) time.Duration { return time.Duration(n / 1000) }

// replied is the latest instant, by the server, before which the reply cannot
// have been sent: the stage in which it is sent starts then. Within CALL that
// stage is booked to the last statement of the body.
func replied(by map[int64]stages, end time.Duration) time.Duration {
	var latest time.Duration
	for _, s := range by {
		if i := s.last(stageFreeing); i >= 0 {
			latest = max(latest, s[i].start)
		}
	}
	return cmp.Or(latest, end)
}

// until leaves out the stages that came after a statement within CALL had
// ended.
func (s stages) until(end time.Duration) stages {
	return slices.DeleteFunc(s, func(g stage) bool { return g.start > end })
}

// spelled is the statement's text: its digest, where the server made one,
// which has no comments, and all names in backticks.
func (st statement) spelled() string {
	if st.digest == "" || st.name == "statement/sql/execute_sql" {
		return strings.TrimSpace(st.text)
	}
	return st.digest
}

// cut: the text may be incomplete (performance_schema_max_sql_text_length).
func (st statement) cut() bool {
	return strings.HasSuffix(st.spelled(), "...") || len(st.spelled()) >= 1000 && st.spelled() != st.digest
}

const name = "(`(?:[^`]|``)+`|[\\pL\\pN_$]+)"

var (
	alters = regexp.MustCompile(`(?is)^(?:ALTER\s+TABLE|CREATE\s+(?:UNIQUE\s+|FULLTEXT\s+|SPATIAL\s+)?INDEX\s+` + name +
		`(?:\s+USING\s+\S+)?\s+ON|DROP\s+INDEX\s+` + name + `\s+ON)\s+` + name + `(?:\s*\.\s*` + name + `)?`)
	// locks finds LOCK=EXCLUSIVE, which a statement may ask for.
	locks = regexp.MustCompile("(?i)\\bLOCK\\s*=?\\s*`?EXCLUSIVE")
)

// tableOf is the table that a statement alters, "schema.name"; false where
// that, or all of the statement's text, is not known. tables are what the
// caller knows of it.
func (s *Sampler) tableOf(st statement, tables []string) (string, bool) {
	m := alters.FindStringSubmatch(st.spelled())
	if m == nil && st.name == "statement/sql/execute_sql" && len(tables) == 1 {
		schema, table, qualified := strings.Cut(tables[0], ".")
		if !qualified {
			schema, table = "", schema
		}
		m = []string{"", "", "", schema, table}
		if schema == "" {
			m[3], m[4] = table, ""
		}
	}
	if m == nil || st.cut() {
		return "", false
	}
	full, ok := st.full(m), true
	if digest := st.spelled() == st.digest; digest && (bare(m[3]) || bare(m[4])) {
		full, ok = st.asWritten(full, tables)
	}
	if s.lowerCase {
		full = strings.ToLower(full)
	}
	return s.show(full), ok && (m[4] != "" || st.schema != "")
}

// full is the table that alters found, with its schema.
func (st statement) full(m []string) string {
	schema, table := m[3], m[4]
	if table == "" {
		schema, table = st.schema, m[3]
	}
	return unquote(schema) + "." + unquote(table)
}

// asWritten finds a name of a digest as the statement spells it: names that
// are keywords (a table "events") stand in digests in capitals, without quotes.
func (st statement) asWritten(full string, tables []string) (string, bool) {
	for _, t := range tables {
		if !strings.Contains(t, ".") {
			t = st.schema + "." + t
		}
		if strings.EqualFold(t, full) {
			return t, true
		}
	}
	if m := alters.FindStringSubmatch(strings.TrimSpace(st.text)); m != nil && strings.EqualFold(st.full(m), full) {
		return st.full(m), true
	}
	return "", false
}

func bare(name string) bool { return name != "" && name[0] != '`' }

func unquote(name string) string {
	if len(name) > 1 && name[0] == '`' {
		return strings.ReplaceAll(name[1:len(name)-1], "``", "`")
	}
	return name
}
