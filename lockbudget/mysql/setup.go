package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// wanted are the consumers and instruments of performance_schema that Sample
// and Phases read. Most are off by default; on, they cost nothing measurable.
const (
	wantedConsumers   = `NAME IN ('global_instrumentation', 'thread_instrumentation', 'statements_digest') OR NAME LIKE 'events_stages%' OR NAME IN ('events_statements_current', 'events_statements_history_long')`
	wantedInstruments = `NAME = 'wait/lock/metadata/sql/mdl' OR NAME LIKE 'stage/%' OR NAME LIKE 'statement/%'`
)

// lostCounters say that performance_schema had no room for something we read.
var lostCounters = []string{
	"Performance_schema_metadata_lock_lost", "Performance_schema_thread_instances_lost", "Performance_schema_stage_classes_lost",
	"Performance_schema_statement_classes_lost", "Performance_schema_nested_statement_lost", "Performance_schema_locker_lost",
}

// instrument turns on what is wanted, for the owner's sessions alone, and
// checks that it is on.
func (s *Sampler) instrument(ctx context.Context) error {
	var on int
	if err := s.conn.QueryRowContext(ctx, `SELECT @@performance_schema`).Scan(&on); err != nil {
		return err
	}
	if s.timed = on != 0; !s.timed {
		if s.opt.MariaDB {
			return nil // its locks are in its plugin
		}
		return errors.New("the server runs without performance_schema, where its metadata locks are: start it with performance_schema=ON")
	}
	owner := "'" + strings.ReplaceAll(s.opt.Owner, "'", "''") + "'"
	for _, statement := range []string{
		// Who matches no actor leaves no events: neither the observer nor any
		// other connection of the gate fills the histories.
		`DELETE FROM performance_schema.setup_actors`,
		`INSERT INTO performance_schema.setup_actors (HOST, USER, ROLE, ENABLED, HISTORY) VALUES ('%', ` + owner + `, '%', 'YES', 'YES')`,
		`UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE ` + wantedConsumers,
		`UPDATE performance_schema.setup_instruments SET ENABLED = 'YES', TIMED = 'YES' WHERE ` + wantedInstruments,
		// Sessions that are there already got their flags when they connected.
		`UPDATE performance_schema.threads SET INSTRUMENTED = IF(PROCESSLIST_USER = ` + owner + `, 'YES', 'NO'), HISTORY = INSTRUMENTED WHERE TYPE = 'FOREGROUND'`,
		// The server's own threads share the histories (MariaDB's purge writes
		// a stage for each batch).
		`UPDATE performance_schema.threads SET HISTORY = 'NO' WHERE TYPE = 'BACKGROUND'`,
	} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("turn on the server's instruments: %w", err)
		}
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	var err error
	s.lost, err = s.readLost(ctx)
	return err
}

// leave uses what somebody else's server has on. Where that is not all that the
// phases are told from, the looks alone tell.
func (s *Sampler) leave(ctx context.Context) error {
	var on int
	if err := s.conn.QueryRowContext(ctx, `SELECT @@performance_schema`).Scan(&on); err != nil {
		return err
	}
	if on == 0 && !s.opt.MariaDB {
		return errors.New("the server runs without performance_schema, where its metadata locks are")
	}
	// A setting of this very session: its events would push the migration's out
	// of the histories.
	_, err := s.conn.ExecContext(ctx, `UPDATE performance_schema.threads SET INSTRUMENTED = 'NO', HISTORY = 'NO' WHERE PROCESSLIST_ID = CONNECTION_ID()`)
	s.timed = on != 0 && err == nil && s.check(ctx) == nil
	s.lost, err = s.readLost(ctx)
	return err
}

// check names what is still off.
func (s *Sampler) check(ctx context.Context) error {
	var off string
	if err := s.conn.QueryRowContext(ctx, `SELECT COALESCE(GROUP_CONCAT(NAME SEPARATOR ', '), '') FROM (
SELECT NAME FROM performance_schema.setup_consumers WHERE ENABLED <> 'YES' AND (`+wantedConsumers+`)
UNION ALL SELECT NAME FROM performance_schema.setup_instruments WHERE (ENABLED <> 'YES' OR TIMED = 'NO') AND (`+wantedInstruments+`)
UNION ALL SELECT 'wait/lock/metadata/sql/mdl' FROM DUAL WHERE NOT EXISTS (SELECT * FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl')
UNION ALL SELECT 'performance_schema_events_stages_history_long_size = 0' FROM DUAL WHERE @@performance_schema_events_stages_history_long_size = 0
UNION ALL SELECT 'performance_schema_max_metadata_locks = 0' FROM DUAL WHERE @@performance_schema_max_metadata_locks = 0
) AS off`).Scan(&off); err != nil {
		return fmt.Errorf("check the server's instruments: %w", err)
	}
	if off != "" {
		return fmt.Errorf("the server's instruments stay off: %s", off)
	}
	var instrumented, history string
	if err := s.conn.QueryRowContext(ctx, `SELECT THREAD_ID, INSTRUMENTED, HISTORY FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID()`).Scan(&s.thread, &instrumented, &history); err != nil {
		return fmt.Errorf("check the observer's own events: %w", err)
	}
	if instrumented != "NO" || history != "NO" {
		return errors.New("the observer's own events stay on and would fill the server's histories")
	}
	return nil
}

func (s *Sampler) readLost(ctx context.Context) (map[string]uint64, error) {
	rows, err := s.conn.QueryContext(ctx, `SHOW GLOBAL STATUS LIKE 'Performance\_schema\_%\_lost'`)
	if err != nil {
		return nil, fmt.Errorf("read what performance_schema lost: %w", err)
	}
	defer rows.Close()
	all := map[string]uint64{}
	for rows.Next() {
		var name string
		var n uint64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		all[name] = n
	}
	return all, rows.Err()
}

// checkLost fails when something that we read was lost since the start.
func (s *Sampler) checkLost(ctx context.Context) error {
	now, err := s.readLost(ctx)
	if err != nil {
		return err
	}
	counters := lostCounters
	if s.opt.Guest { // others' statements may have been too many, which is no matter to us
		counters = lostCounters[:2]
	}
	for _, name := range counters {
		if was := s.lost[name]; now[name] > was {
			return fmt.Errorf("performance_schema ran out of room and its records have holes: %s grew from %d to %d", name, was, now[name])
		}
	}
	return nil
}
