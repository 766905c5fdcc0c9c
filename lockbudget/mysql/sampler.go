// Package mysql looks at the metadata locks of MySQL and MariaDB, on a
// connection of its own, reads the times that the server itself keeps of an
// online DDL statement's phases, and knows what each lock mode blocks.
//
// What lives here: the Sampler, the settings of performance_schema that it
// needs, the server's own counters that are read from outside, and the table
// lock mode → impact. What never will: the migration's connection, judgement,
// and performance_schema.data_locks (a look costs 0.5 s with 200,000 locked
// rows).
package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/lockbudget"
)

// Options say whose locks are watched, and where.
type Options struct {
	// Owner is the migrating account's user name: all of its sessions are
	// watched, and nobody else's.
	Owner string
	// MariaDB has another lock table (a plugin's) that shows granted locks
	// only: for how long one was awaited is known there from Phases alone.
	MariaDB bool
	// Guest: the server is somebody else's, so nothing of it is turned on, and
	// only the sessions that Follow names are watched.
	Guest bool
	// Physical is what the server calls the schema that Lock.Object calls Shown;
	// "" where it has one name.
	Physical, Shown string
}

// Sampler looks at the metadata locks of one account's sessions. Its methods
// may be called from several goroutines.
type Sampler struct {
	mu    sync.Mutex // one query at a time
	db    *sql.DB
	conn  *sql.Conn
	opt   Options
	look  *sql.Stmt
	whose *sql.Stmt
	now   *sql.Stmt
	// timed: the server keeps times of its own, which Phases reads.
	timed bool
	// thread is the observer's own.
	thread int64
	// sessions by the lock table's id of a thread; 0 for other accounts'. Such
	// ids are never used twice.
	sessions map[int64]int64
	// followed are the sessions to watch on somebody else's server, and main the
	// first of them, whose statements Phases reads.
	followed map[int64]bool
	main     int64
	// lowerCase: the server stores names of tables in lower case.
	lowerCase bool
	// position is the status variable that counts the redo log's bytes.
	position string
	clock    clock
	lost     map[string]uint64 // counters of what performance_schema had no room for
}

const (
	// All rows: with the few connections of a private server that is as cheap
	// as asking for one thread's (0.07 ms), and no thread can be overlooked.
	locksQuery = `SELECT OBJECT_TYPE, COALESCE(OBJECT_SCHEMA, ''), COALESCE(OBJECT_NAME, ''), LOCK_TYPE, LOCK_STATUS, COALESCE(OWNER_THREAD_ID, 0)
FROM performance_schema.metadata_locks`
	whoseQuery = `SELECT COALESCE(PROCESSLIST_ID, 0), COALESCE(PROCESSLIST_USER, ''), TYPE = 'FOREGROUND' AND PROCESSLIST_USER IS NULL
FROM performance_schema.threads WHERE THREAD_ID = ?`
)

// NewSampler connects as an administrator and turns on what it needs of the
// server's instruments. Call it before the migration runs anything: of locks
// and statements from before, the server keeps no record.
//
// On MariaDB it installs the plugin metadata_lock_info where it is missing.
func NewSampler(ctx context.Context, adminDSN string, opt Options) (*Sampler, error) {
	config, err := driver.ParseDSN(adminDSN)
	if err != nil {
		return nil, errors.New("read the observer's connection string: it is no DSN of go-sql-driver/mysql") // the cause may quote the password
	}
	// What the server's defaults say must not bend the queries.
	config.Collation, config.DBName, config.ParseTime, config.MultiStatements = "utf8mb4_general_ci", "", false, false
	config.ReadTimeout, config.WriteTimeout = 0, 0
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("connect the observer: %w", err)
	}
	s := &Sampler{
		db: sql.OpenDB(connector), opt: opt, sessions: map[int64]int64{0: 0}, followed: map[int64]bool{}, clock: clock{epoch: time.Now()},
	}
	// One connection, pinned: a pool would replace a lost one without a word.
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect the observer: %w", err), s.db.Close())
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the observer: %w", err), s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Sampler) prepare(ctx context.Context) error {
	if _, err := s.conn.ExecContext(ctx, `SET SESSION wait_timeout = 31536000, sql_mode = '', autocommit = 1`); err != nil {
		return err
	}
	var lower int
	if err := s.conn.QueryRowContext(ctx, `SELECT @@lower_case_table_names`).Scan(&lower); err != nil {
		return err
	}
	s.lowerCase = lower != 0
	if err := s.findPosition(ctx); err != nil {
		return err
	}
	look, whose := locksQuery, whoseQuery
	if s.opt.MariaDB {
		look, whose = mariaLocksQuery, mariaWhoseQuery
		if err := s.installPlugin(ctx); err != nil {
			return err
		}
	}
	instrument := s.instrument
	if s.opt.Guest {
		instrument = s.leave
	}
	if err := instrument(ctx); err != nil {
		return err
	}
	var err error
	if s.look, err = s.conn.PrepareContext(ctx, look); err != nil {
		return err
	}
	if s.whose, err = s.conn.PrepareContext(ctx, whose); err != nil || !s.timed {
		return err
	}
	if s.now, err = s.conn.PrepareContext(ctx, nowQuery); err != nil {
		return err
	}
	return s.setClock(ctx)
}

// Follow adds a session, by its CONNECTION_ID(), to those that are watched on
// somebody else's server, where an account's name does not tell whose it is; the
// migration's own first.
func (s *Sampler) Follow(session int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.followed[session] = true; s.main == 0 {
		s.main = session
	}
}

// show gives an object the schema's name as people know it.
func (s *Sampler) show(object string) string {
	if s.opt.Physical == "" {
		return object
	}
	if object == s.opt.Physical {
		return s.opt.Shown
	}
	if table, ours := strings.CutPrefix(object, s.opt.Physical+"."); ours {
		return s.opt.Shown + "." + table
	}
	return object
}

// Sample takes one look. On MySQL it shows locks that are awaited as well as
// those that are held.
func (s *Sampler) Sample(ctx context.Context) ([]lockbudget.Lock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, errors.New("the observer is closed")
	}
	var found []lockbudget.Lock // with the lock table's thread for a session
	rows, err := s.look.QueryContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the metadata locks: %w", err)
	}
	defer rows.Close()
	var unknown error
	for rows.Next() {
		var r row
		var status string
		var thread int64
		if err := rows.Scan(&r.kind, &r.schema, &r.name, &r.mode, &status, &thread); err != nil {
			return nil, fmt.Errorf("read the metadata locks: %w", err)
		}
		if session, known := s.sessions[thread]; known && session == 0 {
			continue
		}
		if s.opt.MariaDB {
			r = mariaRow(r)
		}
		// GRANTED, PRE_ACQUIRE_NOTIFY and POST_RELEASE_NOTIFY hold; VICTIM and
		// TIMEOUT are about to give up.
		r.granted = status != "PENDING" && status != "VICTIM" && status != "TIMEOUT"
		l, ours, err := lockOf(r)
		if err != nil {
			unknown = err
		}
		if ours {
			l.Session, l.Object = thread, s.show(l.Object)
			found = append(found, l)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read the metadata locks: %w", err)
	}
	locks, err := s.own(ctx, found)
	return locks, errors.Join(unknown, err)
}

// own keeps the locks of the owner's sessions, each once.
func (s *Sampler) own(ctx context.Context, found []lockbudget.Lock) ([]lockbudget.Lock, error) {
	locks := []lockbudget.Lock{}
	for _, l := range found {
		session, err := s.session(ctx, l.Session)
		if err != nil {
			return nil, fmt.Errorf("find the holder of a metadata lock: %w", err)
		}
		if session == 0 || s.opt.Guest && !s.followed[session] {
			continue
		}
		l.Session = session
		locks = append(locks, l)
	}
	slices.SortStableFunc(locks, func(a, b lockbudget.Lock) int {
		return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Mode, b.Mode), compareBool(a.Granted, b.Granted))
	})
	// A session may hold one mode twice, for a transaction and for a statement;
	// where one of them is awaited, that comes first and stays.
	return slices.CompactFunc(locks, func(a, b lockbudget.Lock) bool {
		return a.Session == b.Session && a.Object == b.Object && a.Mode == b.Mode
	}), nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// session is the connection's id of the owner's thread, 0 for others'. A thread
// that has gone while we looked holds nothing any more; one that has not logged
// in yet is asked about again.
func (s *Sampler) session(ctx context.Context, thread int64) (int64, error) {
	if session, known := s.sessions[thread]; known {
		return session, nil
	}
	if s.opt.Guest && s.opt.MariaDB { // whose threads are connections, and may not be ours to look up
		return thread, nil
	}
	var session int64
	var user string
	var connecting bool
	err := s.whose.QueryRowContext(ctx, thread).Scan(&session, &user, &connecting)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, err
	case connecting:
		return 0, nil
	case user != s.opt.Owner && !s.opt.Guest:
		session = 0
	}
	s.sessions[thread] = session
	return session, nil
}

// positions are the status variables that count the redo log's bytes, the
// newest server's first: MySQL from 8.0.30 on, MariaDB, older MySQL.
var positions = []string{"Innodb_redo_log_current_lsn", "Innodb_lsn_current", "Innodb_os_log_written"}

func (s *Sampler) findPosition(ctx context.Context) error {
	for _, s.position = range positions {
		if _, err := s.status(ctx, s.position); err == nil {
			return nil
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return errors.New("the server counts no bytes of its redo log: is InnoDB there")
}

// WALPosition is how many bytes the server has ever written to its redo log,
// other sessions' included.
func (s *Sampler) WALPosition(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return 0, errors.New("the observer is closed")
	}
	n, err := s.status(ctx, s.position)
	if err != nil {
		return 0, fmt.Errorf("read the redo log's position: %w", err)
	}
	return n, nil
}

func (s *Sampler) status(ctx context.Context, name string) (n uint64, err error) {
	var key string
	err = s.conn.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&key, &n)
	return n, err
}

// TempBytes is never known: the server counts temporary files, not their bytes.
func (s *Sampler) TempBytes(context.Context) (uint64, bool, error) { return 0, false, nil }

// Close ends the connection. What was turned on stays on: the server is a
// throw-away one.
func (s *Sampler) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	err := errors.Join(s.conn.Close(), s.db.Close())
	s.conn = nil
	if err != nil {
		return fmt.Errorf("close the observer: %w", err)
	}
	return nil
}
