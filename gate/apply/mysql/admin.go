package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// admin is the administrator's connection, which reads what the owner may not
// see. It opens no transaction, and leaves no events in the histories.
type admin struct {
	db   *sql.DB
	conn *sql.Conn
	opt  Options
	// filesQuery suits the server's version.
	filesQuery string
	// blind: the account may not read the tables' files.
	blind bool
	// versioned: file.versions are what the server has a limit of.
	versioned bool
}

func openAdmin(ctx context.Context, dsn string, opt Options) (_ *admin, err error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("read the address of the server: it is no DSN of the form user:password@tcp(host:port)/database")
	}
	cfg.InterpolateParams, cfg.Logger, cfg.DBName = true, &mysql.NopLogger{}, ""
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("read the address of the server: %w", err)
	}
	a := &admin{db: sql.OpenDB(connector), opt: opt}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.conn, err = a.db.Conn(ctx); err != nil {
		return nil, err
	}
	all := slices.Clone(setup)
	if opt.Guest != nil { // whose records stay as they are
		all = nil
	}
	if !opt.MariaDB {
		all = append(all, `SET SESSION information_schema_stats_expiry = 0`)
	}
	for _, sql := range all {
		if err = a.exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("prepare the server's records: %w", err)
		}
	}
	return a, nil
}

// setup switches on what the facts are told from; it changes nothing where
// that is on. Stages are read as sums by thread, which need no history.
var setup = []string{
	`UPDATE performance_schema.threads SET INSTRUMENTED = 'NO', HISTORY = 'NO' WHERE PROCESSLIST_ID = CONNECTION_ID()`,
	`UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME IN ('global_instrumentation', 'thread_instrumentation',
 'events_statements_current', 'events_statements_history', 'events_statements_history_long', 'events_transactions_current', 'events_transactions_history')`,
	`UPDATE performance_schema.setup_instruments SET ENABLED = 'YES', TIMED = 'YES'
 WHERE (NAME LIKE 'stage/%' OR NAME LIKE 'statement/%' OR NAME = 'transaction') AND ENABLED = 'NO'`,
}

// off says why there are no stages to tell from.
func (a *admin) off() string {
	if a.opt.Guest != nil {
		return "the server's stages are off or may not be read"
	}
	return "performance_schema is off"
}

// alive reports whether the server goes on: this connection holds, and a
// moment later a new one is let in (a server that shuts down ends the
// connections one by one).
func (a *admin) alive(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(300 * time.Millisecond):
	}
	if err := a.conn.PingContext(ctx); err != nil {
		return err
	}
	c, err := a.db.Conn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(c.PingContext(ctx), c.Close())
}

func (a *admin) close() error {
	var err error
	if a.conn != nil {
		err = ignoreBad(a.conn.Close())
	}
	return errors.Join(err, a.db.Close())
}

func (a *admin) exec(ctx context.Context, query string, args ...any) error {
	_, err := a.conn.ExecContext(ctx, query, args...)
	return err
}

// each reads a query's rows into dest, and calls f after each.
func (a *admin) each(ctx context.Context, query string, args, dest []any, f func() error) error {
	rows, err := a.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// thread of a connection in performance_schema, 0 where that is off. It is
// made to be recorded even where the server was told not to.
func (a *admin) thread(ctx context.Context, connection int64) (id int64, err error) {
	if a.opt.Guest != nil {
		return a.guestThread(ctx, connection)
	}
	err = a.conn.QueryRowContext(ctx, `SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_ID = ?`, connection).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return id, a.exec(ctx, `UPDATE performance_schema.threads SET INSTRUMENTED = 'YES', HISTORY = 'YES' WHERE THREAD_ID = ? AND (INSTRUMENTED = 'NO' OR HISTORY = 'NO')`, id)
}

// stages counts, by name, the stages that a thread has gone through, of those
// that tell how a table is altered.
func (a *admin) stages(ctx context.Context, thread int64) (map[string]int64, error) {
	out := map[string]int64{}
	if thread == 0 {
		return out, nil
	}
	var name string
	var n int64
	err := a.each(ctx, `SELECT EVENT_NAME, COUNT_STAR FROM performance_schema.events_stages_summary_by_thread_by_event_name
 WHERE THREAD_ID = ? AND COUNT_STAR > 0`, []any{thread}, []any{&name, &n}, func() error {
		out[name[strings.LastIndexByte(name, '/')+1:]] = n
		return nil
	})
	return out, err
}

// file is one InnoDB table, or one partition of one.
type file struct {
	id       int64
	space    int64
	versions int64 // TOTAL_ROW_VERSIONS: INSTANT changes of columns so far
}

// filesQueries for MySQL (%s is the column that counts instant changes) and
// MariaDB.
const (
	filesQuery = `SELECT NAME, TABLE_ID, SPACE, %s FROM information_schema.INNODB_TABLES
 WHERE NAME LIKE '%%/%%' AND NAME NOT LIKE 'mysql/%%' AND NAME NOT LIKE 'sys/%%'`
	mariaFilesQuery = `SELECT NAME, TABLE_ID, SPACE, 0 FROM information_schema.INNODB_SYS_TABLES
 WHERE NAME LIKE '%/%' AND NAME NOT LIKE 'mysql/%' AND NAME NOT LIKE 'sys/%'`
)

// filesQueryOf the server: TOTAL_ROW_VERSIONS is there since MySQL 8.0.29.
func (a *admin) filesQueryOf(ctx context.Context) (string, error) {
	if a.opt.MariaDB {
		return mariaFilesQuery, nil
	}
	var n int
	err := a.conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'INNODB_TABLES' AND COLUMN_NAME = 'TOTAL_ROW_VERSIONS'`).Scan(&n)
	if n == 0 {
		return fmt.Sprintf(filesQuery, "INSTANT_COLS"), err
	}
	a.versioned = true
	return fmt.Sprintf(filesQuery, "TOTAL_ROW_VERSIONS"), err
}

// files lists InnoDB's files by table ("schema.name"), those of partitions
// under their table.
func (a *admin) files(ctx context.Context) (map[string][]file, error) {
	if a.filesQuery == "" {
		var err error
		if a.filesQuery, err = a.filesQueryOf(ctx); err != nil {
			return nil, err
		}
	}
	out := map[string][]file{}
	var name string
	var f file
	var odd []string
	err := a.each(ctx, a.filesQuery, nil, []any{&name, &f.id, &f.space, &f.versions}, func() error {
		key, ok := tableOf(name)
		if key, ours := a.opt.Guest.shown(key); !ours {
			return nil
		} else if ok {
			out[key] = append(out[key], f)
			return nil
		}
		if !ok {
			odd = append(odd, key)
		}
		out[key] = append(out[key], f)
		return nil
	})
	if a.opt.Guest != nil && isNumber(err, accessDenied) {
		a.blind, err = true, nil
	}
	if err != nil || len(odd) == 0 {
		return out, err
	}
	tables, err := a.tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range odd {
		for table := range tables {
			if spells(key, table) {
				out[table] = out[key]
				delete(out, key)
				break
			}
		}
	}
	return out, nil
}

// bytes of files on disk. To join them to every table's listing would cost its
// square: a second for 2 000 tables (9.7), against 10 ms for either.
func (a *admin) bytes(ctx context.Context, files []file) (n int64, err error) {
	spaces := make([]any, len(files))
	for i, f := range files {
		spaces[i] = f.space
	}
	view := "INNODB_TABLESPACES"
	if a.opt.MariaDB {
		view = "INNODB_SYS_TABLESPACES"
	}
	err = a.conn.QueryRowContext(ctx, `SELECT COALESCE(SUM(FILE_SIZE), 0) FROM information_schema.`+view+`
 WHERE SPACE IN (?`+strings.Repeat(", ?", len(spaces)-1)+`)`, spaces...).Scan(&n)
	return n, err
}

// rows of a table, as the server estimates them.
func (a *admin) rows(ctx context.Context, table string) (n int64, err error) {
	schema, name, _ := strings.Cut(a.opt.Guest.physical(table), ".")
	err = a.conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(TABLE_ROWS), 0) FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`, schema, name).Scan(&n)
	return n, err
}

// tables are the names of all base tables, "schema.name".
func (a *admin) tables(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	var schema, name string
	err := a.each(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
 AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')`, nil, []any{&schema, &name}, func() error {
		if key, ours := a.opt.Guest.shown(schema + "." + name); ours {
			out[key] = true
		}
		return nil
	})
	return out, err
}

// openTransaction is the event of the transaction that a thread has open, 0
// for none that is known.
func (a *admin) openTransaction(ctx context.Context, thread int64) (event int64, err error) {
	err = a.conn.QueryRowContext(ctx, `SELECT EVENT_ID FROM performance_schema.events_transactions_current
 WHERE THREAD_ID = ? AND STATE = 'ACTIVE'`, thread).Scan(&event)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return event, err
}

// transactionState is how a transaction ended, "" where that is not known.
func (a *admin) transactionState(ctx context.Context, thread, event int64) (state string, err error) {
	err = a.conn.QueryRowContext(ctx, `SELECT STATE FROM performance_schema.events_transactions_history
 WHERE THREAD_ID = ? AND EVENT_ID = ? LIMIT 1`, thread, event).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return state, err
}

// lastStatement is the event of the statement a thread ran last.
func (a *admin) lastStatement(ctx context.Context, thread int64) (event int64, err error) {
	if thread == 0 {
		return 0, nil
	}
	err = a.conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(EVENT_ID), 0) FROM performance_schema.events_statements_current WHERE THREAD_ID = ?`, thread).Scan(&event)
	return event, err
}

// nested lists what a thread ran since an event: the statements of a procedure,
// and what EXECUTE ran (MySQL records its text; for MariaDB the prepared
// statements that are still there are added).
func (a *admin) nested(ctx context.Context, thread, since int64) ([]string, error) {
	var texts []string
	var text sql.NullString
	note := func() error {
		texts = append(texts, text.String)
		return nil
	}
	history := "events_statements_history_long"
	if a.opt.Guest != nil { // which is off by default; of this thread alone there are the last 10
		history = "events_statements_history"
	}
	err := a.each(ctx, `SELECT SQL_TEXT FROM performance_schema.`+history+` WHERE THREAD_ID = ? AND EVENT_ID > ?
 AND MYSQL_ERRNO = 0 ORDER BY EVENT_ID`, []any{thread, since}, []any{&text}, note)
	if err == nil && a.opt.MariaDB {
		err = a.each(ctx, `SELECT SQL_TEXT FROM performance_schema.prepared_statements_instances WHERE OWNER_THREAD_ID = ?`, []any{thread}, []any{&text}, note)
	}
	return texts, err
}

// instantColumns counts the instant changes of columns on MariaDB's server.
func (a *admin) instantColumns(ctx context.Context) (n int64, err error) {
	if !a.opt.MariaDB {
		return 0, nil
	}
	var name string
	err = a.conn.QueryRowContext(ctx, `SHOW GLOBAL STATUS LIKE 'Innodb_instant_alter_column'`).Scan(&name, &n)
	return n, err
}

// sessionTimeout is the lock_wait_timeout of a connection, "" where the server
// does not show it to others (MariaDB).
func (a *admin) sessionTimeout(ctx context.Context, thread int64) (seconds string, err error) {
	if a.opt.MariaDB || thread == 0 {
		return "", nil
	}
	err = a.conn.QueryRowContext(ctx, `SELECT VARIABLE_VALUE FROM performance_schema.variables_by_thread
 WHERE THREAD_ID = ? AND VARIABLE_NAME = 'lock_wait_timeout'`, thread).Scan(&seconds)
	if errors.Is(err, sql.ErrNoRows) || a.opt.Guest != nil && isNumber(err, tableDenied) {
		return "", nil
	}
	return seconds, err
}
