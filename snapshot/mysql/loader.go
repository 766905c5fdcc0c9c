package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
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
	return r.s.onWith(ctx, snapshot.FirstInstance, "", r.sessionParams(), func(c *sql.Conn) error {
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

// sessionParams are the settings of every session that loads: those that a
// client has by default, not those of the throw-away server's administrator.
// What a dump tool wrote gets what the tool itself asks for in its first lines,
// for it may have been told to leave them out (--compact).
func (r *restore) sessionParams() map[string]string {
	p := map[string]string{"sql_mode": "DEFAULT", "max_statement_time": "0"}
	if !r.s.maria {
		delete(p, "max_statement_time")
		p["max_execution_time"] = "0"
		if r.s.num >= 80400 {
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

// use changes the database, making it where the dump has no CREATE DATABASE.
func (l *loader) use(ctx context.Context, name string, at where) error {
	if err := l.pool.end(ctx, &l.table); err != nil {
		return err
	}
	if l.system = isSystem(name); l.system {
		l.r.skip("database " + name + ": it belongs to the server")
		return nil
	}
	if !slices.Contains(l.r.schemas, name) {
		if err := l.make(ctx, name, ""); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		l.r.assumed = append(l.r.assumed, name)
	}
	l.schema, l.state = name, nil
	return l.exec(ctx, "USE "+ident(name), at)
}

// database runs CREATE, ALTER and DROP DATABASE.
func (l *loader) database(ctx context.Context, text []byte, verb, name string, at where) error {
	switch {
	case isSystem(name):
		l.r.skip("database " + name + ": it belongs to the server")
		return nil
	case verb == "DROP":
		return nil // there is none
	case verb == "ALTER":
		if l.system {
			return nil
		}
		if !slices.Contains(l.r.schemas, name) {
			// A dump that does not say which database it is of calls it
			// something else here.
			if err := l.inSchema(ctx); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			text = []byte(strings.Replace(string(text), ident(name), ident(l.schema), 1))
			name = l.schema
		}
		l.r.assumed = slices.DeleteFunc(l.r.assumed, func(s string) bool { return s == name })
		if err := l.postpone(ctx, string(text), at); err != nil { // of the triggers that follow, perhaps
			return err
		}
		return l.exec(ctx, string(text), at)
	}
	if err := l.make(ctx, name, string(text)); err != nil {
		return fmt.Errorf("%s: %w", at, l.r.explain(string(text), err))
	}
	l.r.assumed = slices.DeleteFunc(l.r.assumed, func(s string) bool { return s == name })
	return nil
}

// make creates a database, by the dump's own statement where it has one.
func (l *loader) make(ctx context.Context, name, statement string) error {
	if slices.Contains(l.r.schemas, name) {
		return nil
	}
	var n int
	if err := l.lead.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoteFor(name)).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("database %s is in the target already; a snapshot is restored into an empty server", name)
	}
	if statement == "" {
		statement = "CREATE DATABASE " + ident(name)
	}
	statement = encryption.ReplaceAllString(statement, "ENCRYPTION='N'")
	if _, err := l.lead.ExecContext(ctx, statement); err != nil {
		return err
	}
	l.r.schemas = append(l.r.schemas, name)
	// Now, for a server may ask whether who defines a view may do what is in it.
	return l.r.s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error { return l.r.s.setOwner(ctx, c, name) })
}

// quoteFor is a literal whatever the session's sql_mode and character set.
func quoteFor(s string) string { return fmt.Sprintf("_utf8mb4 0x%x", s) }

// inSchema makes sure that there is a current database.
func (l *loader) inSchema(ctx context.Context) error {
	if l.schema != "" || len(l.r.schemas) > 0 {
		return nil
	}
	name := l.r.named
	if name == "" || isSystem(name) {
		name = defaultSchema
	}
	if err := l.make(ctx, name, ""); err != nil {
		return err
	}
	l.r.assumed = append(l.r.assumed, name)
	l.schema, l.state = name, nil
	_, err := l.lead.ExecContext(ctx, "USE "+ident(name))
	return err
}

// settle gives a database whose dump does not say what its default character
// set was (mysqldump without --databases) that of most of its tables, before
// anything is made that remembers it: routines, triggers and events do.
func (l *loader) settle(ctx context.Context) error {
	for len(l.r.assumed) > 0 {
		name := l.r.assumed[0]
		l.r.assumed = l.r.assumed[1:]
		var now string
		if err := l.lead.QueryRowContext(ctx, "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoteFor(name)).Scan(&now); err != nil {
			return err
		}
		used, err := column(ctx, l.lead, `SELECT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_COLLATION IS NOT NULL AND TABLE_SCHEMA = `+quoteFor(name)+
			` GROUP BY TABLE_COLLATION ORDER BY COUNT(*) DESC, TABLE_COLLATION`)
		if err != nil {
			return err
		}
		if len(used) == 0 || used[0] == now {
			continue
		}
		if _, err := l.lead.ExecContext(ctx, "ALTER DATABASE "+ident(name)+" COLLATE "+used[0]); err != nil {
			return err
		}
		l.r.skip(fmt.Sprintf("the default character set of database %s is not in the dump (mysqldump --databases writes it); that of most of its tables was taken, %s", name, used[0]))
	}
	return nil
}

// create runs CREATE of something.
func (l *loader) create(ctx context.Context, text []byte, mask, what string, at where) error {
	run := string(text)
	switch what {
	case "TABLE":
		run = l.withoutPlaces(text)
		if m := engineOf.FindStringSubmatch(mask); m != nil && !strings.EqualFold(m[1], "InnoDB") {
			if err := l.exec(ctx, run, at); err != nil {
				return err
			}
			return l.substituted(ctx, m[1])
		}
	case "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE":
		if what == "FUNCTION" && soname.MatchString(mask) {
			l.r.skip("loadable function: " + brief(string(text)))
			return nil
		}
		owned, was := withOwner(text)
		if run = string(owned); was != "" {
			l.r.definers = append(l.r.definers, was)
		}
		if what == "TRIGGER" {
			return l.postpone(ctx, run, at)
		}
		if what != "VIEW" {
			if err := l.settle(ctx); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
	case "INDEX":
		if err := l.pool.barrier(ctx); err != nil {
			return err
		}
	}
	return l.exec(ctx, run, at)
}

// substituted notes where the server took another storage engine than the dump
// asks for, which it says in a warning alone.
func (l *loader) substituted(ctx context.Context, engine string) error {
	rows, err := l.lead.QueryContext(ctx, "SHOW WARNINGS")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var level, message string
		var number int
		if err := rows.Scan(&level, &number, &message); err != nil {
			return err
		}
		if number == 1266 { // Using storage engine InnoDB for table 't'
			l.r.skip("storage engine " + engine + " is not on this server: " + strings.ToLower(message[:1]) + message[1:])
		}
	}
	return rows.Err()
}

// withoutPlaces leaves out of CREATE TABLE where production keeps its files.
func (l *loader) withoutPlaces(text []byte) string {
	mask := masked(text)
	type span struct{ from, to int }
	var spans []span
	for _, m := range directory.FindAllIndex(mask, -1) {
		spans = append(spans, span{m[0], m[1]})
		l.r.skip("DATA DIRECTORY and INDEX DIRECTORY of tables: kept with the others here")
	}
	for _, m := range encryption.FindAllIndex(mask, -1) {
		if strings.Contains(strings.ToUpper(string(text[m[0]:m[1]])), "'Y'") {
			spans = append(spans, span{m[0], m[1]})
			l.r.skip("ENCRYPTION of tables: the throw-away server keeps no keys")
		}
	}
	for _, m := range tablespace.FindAllSubmatchIndex(mask, -1) {
		name := unquoted(string(text[m[2]:m[3]]))
		if !strings.HasPrefix(strings.ToLower(name), "innodb_") {
			spans = append(spans, span{m[0], m[1]})
			l.r.skip("tablespace " + name + ": its tables have files of their own here")
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return b.from - a.from })
	for _, s := range spans {
		text = slices.Concat(text[:s.from], text[s.to:])
	}
	return string(text)
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
