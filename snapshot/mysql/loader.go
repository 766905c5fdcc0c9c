package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
)

// loader runs the statements of a dump. One connection, the lead, runs all but
// the rows, in the order of the dump; the rows go to a pool of connections.
// Triggers wait until every row is in, for they must not fire.
type loader struct {
	r    *restore
	lead *sql.Conn
	pool *pool
	// most bytes that the server takes in one packet.
	most int

	// state of the lead's session; nil after something may have changed it.
	state *state
	// schema is the current database, as far as the dump has named one.
	schema string
	// system: what follows belongs to a schema of the server's own.
	system bool
	// table is the one whose rows are being read.
	table *table
	later []later
	// follow is told of settings that change how the dump is to be read.
	follow func(sqlMode, charset string)
}

// state is what of a session decides how a statement is read.
type state struct {
	schema, client, results, collation, mode, zone string
	unique                                         bool
}

// later is a statement that runs when all rows are in.
type later struct {
	text  string
	at    where
	state *state
}

// where a statement stands: a line, and in dumps of several files which.
type where struct {
	file string
	line int
}

func (w where) String() string {
	if w.file == "" {
		return fmt.Sprintf("line %d", w.line)
	}
	if w.line == 0 {
		return w.file
	}
	return fmt.Sprintf("%s line %d", w.file, w.line)
}

// loading runs f with a loader, and then what waits for the rows.
func (r *restore) loading(ctx context.Context, f func(context.Context, *loader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return r.s.onLoading(ctx, snapshot.FirstInstance, "", r.sessionParams(), func(c *sql.Conn) error {
		if err := r.s.setOwner(ctx, c); err != nil { // who defines what is restored
			return err
		}
		l := &loader{r: r, lead: c, follow: func(string, string) {}}
		if err := c.QueryRowContext(ctx, "SELECT @@max_allowed_packet").Scan(&l.most); err != nil {
			return err
		}
		l.pool = newPool(ctx, cancel, r)
		err := f(ctx, l)
		if err == nil {
			err = l.finish(ctx)
		}
		if err != nil {
			cancel(err)
		}
		rows, poolErr := l.pool.close()
		r.rows += rows
		if poolErr != nil {
			return poolErr // what it was that ended the others
		}
		if err != nil {
			return err
		}
		return l.pool.analyze(ctx, r.schemas)
	})
}

// onLoading is a session that loads: the administrator's where that may make
// things that belong to others, else the migrating account's, to which then
// belongs what it makes.
func (s *Server) onLoading(ctx context.Context, instance, schema string, params map[string]string, f func(*sql.Conn) error) error {
	if !s.guest.is() || s.guest.definer != "" {
		return s.onWith(ctx, instance, schema, params, f)
	}
	user, password := s.owner()
	return s.onAs(ctx, user, password, instance, schema, params, f)
}

// sessionParams are the settings of every session that loads: those that a
// client has by default, not those of the throw-away server's administrator.
// What a dump tool wrote gets what the tool itself asks for in its first lines,
// for it may have been told to leave them out (--compact).
func (r *restore) sessionParams() map[string]string {
	p := map[string]string{"sql_mode": "DEFAULT", "max_statement_time": "0"}
	if !r.s.maria {
		delete(p, "max_statement_time")
		p["max_execution_time"] = "0"
		if r.s.num >= 80400 && (!r.s.guest.is() || r.s.guest.lenient) {
			// Keys that reference what is not unique: InnoDB has always taken
			// them, and since 8.4 refuses to by default.
			p["restrict_fk_on_non_standard_key"] = "OFF"
		}
	}
	if r.dumped {
		p["foreign_key_checks"], p["sql_mode"], p["time_zone"] = "0", "'NO_AUTO_VALUE_ON_ZERO'", "'+00:00'"
	}
	return p
}

// stream runs everything that a splitter finds.
func (l *loader) stream(ctx context.Context, s *splitter, file string) error {
	l.follow = s.follow
	if st := l.state; st != nil {
		s.follow(st.mode, st.client)
	}
	for {
		p, err := s.next()
		if err == io.EOF {
			return nil
		}
		at := where{file, p.line}
		if err != nil {
			if file != "" {
				err = fmt.Errorf("%s: %w", file, err)
			}
			return err
		}
		if err := l.statement(ctx, p.text, at); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
}

// statement runs one statement of a dump, or leaves it out and notes why where
// that concerns the reader.
func (l *loader) statement(ctx context.Context, text []byte, at where) error {
	if l.r.dumped {
		if m := insertInto.FindSubmatch(text[:min(len(text), 64<<10)]); m != nil {
			return l.insert(ctx, text, m, at)
		}
	}
	sql, mask := effective(text, 4<<10)
	if use := use.FindStringSubmatch(sql); use != nil {
		return l.use(ctx, unquoted(use[1]), at)
	}
	if d := database.FindStringSubmatch(sql); d != nil {
		return l.database(ctx, text, strings.ToUpper(d[1]), unquoted(d[2]), at)
	}
	if l.system {
		return nil
	}
	if l.r.s.guest.is() && !setStatement.MatchString(sql) {
		var err error
		if text, err = l.redirected(text); err != nil {
			return fmt.Errorf("%s: %s: %w", at, brief(sql), err)
		}
	}
	switch {
	case sql == "", lockTables.MatchString(sql), switchKeys.MatchString(sql), setLog.MatchString(sql):
		return nil
	case l.r.dumped && transaction.MatchString(sql):
		return nil // every statement of rows is a transaction of its own
	case elsewhere.MatchString(sql):
		l.leaveOut(sql)
		return nil
	case setStatement.MatchString(sql):
		return l.set(ctx, text, sql, at)
	case clientWord.MatchString(sql):
		return fmt.Errorf("%s: %s: it is a command of the mysql client that a dump does not hold; take the snapshot with mysqldump", at, brief(sql))
	}
	if err := l.pool.end(ctx, &l.table); err != nil {
		return err
	}
	if err := l.inSchema(ctx); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if m := createOf.FindStringSubmatch(mask); m != nil {
		return l.create(ctx, text, mask, strings.ToUpper(m[1]), at)
	}
	if !l.r.dumped || !dropOf.MatchString(sql) {
		if err := l.pool.barrier(ctx); err != nil { // it may need the rows
			return err
		}
	}
	return l.exec(ctx, string(text), at)
}

// leaveOut notes a statement that is nothing to the restored databases: who may
// log in, how the server replicates, where it keeps files.
func (l *loader) leaveOut(sql string) {
	words := strings.ToUpper(oneLine(sql, 40))
	switch first, _, _ := strings.Cut(words, " "); {
	case first == "FLUSH":
	case first == "GRANT", first == "REVOKE", strings.Contains(words, " USER"), strings.Contains(words, " ROLE"), strings.Contains(words, "SET PASSWORD"):
		l.r.skip("accounts and privileges (CREATE USER, GRANT): the migrating account has all rights on what is restored")
	default:
		l.r.skip(brief(sql)) // no passwords in these
	}
}

// set runs SET where it is of the session.
func (l *loader) set(ctx context.Context, text []byte, sql string, at where) error {
	if m := setGlobal.FindStringSubmatch(sql); m != nil {
		l.r.skip("global setting " + strings.ToLower(m[1]+m[2]))
		return nil
	}
	l.state = nil
	run := string(text)
	if setMode.MatchString(sql) {
		var gone []string
		if run, gone = withoutGoneModes(run); !l.r.s.maria {
			for _, mode := range gone {
				l.r.skip("sql_mode " + mode + ": not on this server")
			}
		} else if len(gone) > 0 {
			run = string(text) // MariaDB has them still
		}
	}
	err := l.exec(ctx, run, at)
	if l.r.src.Format == snapshot.FormatMydumper && setBroken.MatchString(sql) && isNumber(err, 1064, 1115, 1273) {
		// mydumper 0.10 takes one column of what MySQL 8 shows for another.
		l.r.skip("mydumper wrote " + brief(sql) + ": the default was taken")
		return l.exec(ctx, "SET NAMES utf8mb4", at)
	}
	if err == nil {
		if lower := strings.ToLower(sql); strings.Contains(lower, "sql_mode") || strings.Contains(lower, "character_set") || strings.Contains(lower, "names") || strings.Contains(lower, "charset") {
			_, err = l.current(ctx)
		}
	}
	return err
}

// postpone keeps a statement, with the session it wants, until all rows are in.
func (l *loader) postpone(ctx context.Context, text string, at where) error {
	st, err := l.current(ctx)
	if err != nil {
		return err
	}
	l.later = append(l.later, later{text, at, st})
	return nil
}

// finish waits for the rows and runs what waited for them.
func (l *loader) finish(ctx context.Context) error {
	if err := l.pool.end(ctx, &l.table); err != nil {
		return err
	}
	if err := l.pool.barrier(ctx); err != nil {
		return err
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	for _, d := range l.later {
		if err := d.state.apply(ctx, l.lead, nil); err != nil {
			return err
		}
		if err := l.exec(ctx, d.text, d.at); err != nil {
			return err
		}
	}
	_, err := l.lead.ExecContext(ctx, "COMMIT") // of SQL that turned autocommit off
	return err
}

// current asks the lead's session for its state.
func (l *loader) current(ctx context.Context) (*state, error) {
	if l.state != nil {
		return l.state, nil
	}
	st := &state{schema: l.schema}
	err := l.lead.QueryRowContext(ctx, "SELECT @@character_set_client, COALESCE(@@character_set_results, 'NULL'), @@collation_connection, @@sql_mode, @@time_zone, @@unique_checks").
		Scan(&st.client, &st.results, &st.collation, &st.mode, &st.zone, &st.unique)
	if err != nil {
		return nil, fmt.Errorf("read the session's settings: %w", err)
	}
	l.state = st
	l.follow(st.mode, st.client)
	return st, nil
}

// apply brings a session from one state to another.
func (st *state) apply(ctx context.Context, c *sql.Conn, from *state) error {
	if from != nil && *from == *st {
		return nil
	}
	if st.schema != "" && (from == nil || from.schema != st.schema) {
		if _, err := c.ExecContext(ctx, "USE "+ident(st.schema)); err != nil {
			return err
		}
	}
	results := "'" + st.results + "'"
	if st.results == "NULL" {
		results = "NULL"
	}
	unique := 0
	if st.unique {
		unique = 1
	}
	_, err := c.ExecContext(ctx, fmt.Sprintf("SET character_set_client = '%s', character_set_results = %s, collation_connection = '%s', sql_mode = '%s', time_zone = '%s', unique_checks = %d",
		st.client, results, st.collation, st.mode, st.zone, unique))
	return err
}

// exec runs one statement on the lead, and does what makes it run after all.
func (l *loader) exec(ctx context.Context, text string, at where) error {
	_, err := l.lead.ExecContext(ctx, text)
	var my *mysql.MySQLError
	if err == nil || !errors.As(err, &my) {
		return l.wrong(text, err, at)
	}
	switch my.Number {
	case 1065: // nothing but a comment
		return nil
	case 1193:
		if m := setAny.FindStringSubmatch(firstOf(text)); m != nil {
			l.r.skip("setting " + m[1] + ": unknown to this server")
			return nil
		}
	case 1305:
		if installed, instErr := l.classicHashing(ctx, my.Message); instErr != nil {
			return l.wrong(text, fmt.Errorf("%w; %w", err, instErr), at)
		} else if installed {
			_, err = l.lead.ExecContext(ctx, text)
		}
	case 1822: // an index that is only built when its table's rows are in
		if err := l.pool.barrier(ctx); err != nil {
			return err
		}
		_, err = l.lead.ExecContext(ctx, text)
	}
	return l.wrong(text, err, at)
}

func firstOf(text string) string {
	sql, _ := effective([]byte(text), 4<<10)
	return sql
}

func (l *loader) wrong(text string, err error, at where) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", at, l.r.explain(text, err))
}
