package postgres

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// loader runs the statements of a dump over one connection, as the migrating
// role, and knows what may be left out.
type loader struct {
	c     *pgx.Conn
	r     *restore
	batch []string // INSERTs that have not been sent yet
	size  int
	// connected is the database that a plain dump has connected to.
	connected string
}

func (r *restore) loading(ctx context.Context, f func(*loader) error) error {
	// SQL that nobody dumped expects the search path that it would have in psql.
	load := func(c *pgx.Conn) error {
		if r.s.alone() {
			// It is the role already.
		} else if _, err := c.Exec(ctx, "SET ROLE "+ident(r.s.owner)); err != nil {
			return err
		}
		if r.replica {
			if _, err := c.Exec(ctx, "SET session_replication_role = replica"); err != nil {
				return err
			}
		}
		l := &loader{c: c, r: r}
		err := f(l)
		if err == nil {
			err = l.flush(ctx)
		}
		return r.explain(err)
	}
	if r.s.alone() {
		return r.s.as(ctx, r.s.ownerDSN(r.name), false, psqlPath(), load)
	}
	return r.s.onWith(ctx, r.name, psqlPath(), load)
}

func psqlPath() map[string]string { return map[string]string{"search_path": `"$user", public`} }

// unseen keeps the dump's event triggers from firing at what is made for the
// gate's own sake, where the account may: they can write rows.
func (l *loader) unseen(ctx context.Context) {
	_, _ = l.c.Exec(ctx, "SET session_replication_role = replica")
}

// unheard runs f unseen, and leaves the session as it was: the dump may have set
// that itself.
func (l *loader) unheard(ctx context.Context, f func() error) error {
	if l.c.PgConn().TxStatus() != 'I' { // to be refused would end the transaction
		return f()
	}
	var was string
	if err := l.c.QueryRow(ctx, "SELECT pg_catalog.current_setting('session_replication_role')").Scan(&was); err != nil {
		return err
	}
	if _, err := l.c.Exec(ctx, "SET session_replication_role = replica"); err != nil {
		return f() // not this account's to set
	}
	err := f()
	if _, e := l.c.Exec(ctx, "SET session_replication_role = "+was); err == nil {
		err = e
	}
	return err
}

// asAdmin runs f on a session that is the administrator's: this very one, or,
// where the migrating role is on its own, another.
func (l *loader) asAdmin(ctx context.Context, f func(c *pgx.Conn) error) (err error) {
	if l.r.s.alone() {
		return l.r.s.onWith(ctx, l.r.name, psqlPath(), f)
	}
	if _, err := l.c.Exec(ctx, "RESET ROLE"); err != nil {
		return err
	}
	defer func() {
		if _, again := l.c.Exec(ctx, "SET ROLE "+ident(l.r.s.owner)); err == nil {
			err = again // what follows must not run as the administrator
		}
	}()
	return f(l.c)
}

const identPattern = `("(?:[^"]|"")+"|[\w$\x{80}-\x{10ffff}]+)`

var (
	ownerTo         = lazy.Compile(`(?is)^ALTER\s.*\sOWNER\s+TO\s+` + identPattern + `$`)
	schemaOwner     = lazy.Compile(`(?is)^ALTER\s+SCHEMA\s+` + identPattern + `\s+OWNER\s`)
	grantee         = lazy.Compile(`(?is)^(?:GRANT|REVOKE)\s.*\s(?:TO|FROM)\s+` + identPattern + `(?:\s+WITH\s+[A-Z ]+)?$`)
	sessionRole     = lazy.Compile(`(?is)^(SET\s+(SESSION\s+AUTHORIZATION|ROLE)\b|RESET\s+(SESSION\s+AUTHORIZATION|ROLE)\b)`)
	storedStats     = lazy.Compile(`^SELECT \* FROM pg_catalog\.pg_restore_(relation|attribute|extended)_stats\(`)
	wholeDatabase   = lazy.Compile(`(?is)^(CREATE|DROP)\s+DATABASE\b`)
	alterDatabase   = lazy.Compile(`(?is)^ALTER\s+DATABASE\s+` + identPattern + `\s+(.*)$`)
	roleDatabase    = lazy.Compile(`(?is)^ALTER\s+ROLE\s+` + identPattern + `\s+IN\s+DATABASE\s+` + identPattern + `\s+`)
	onDatabase      = lazy.Compile(`(?is)^(COMMENT|GRANT|REVOKE|SECURITY\s+LABEL)\s.*?\bON\s+DATABASE\s`)
	subscription    = lazy.Compile(`(?is)^(CREATE|ALTER|COMMENT\s+ON|DROP)\s+SUBSCRIPTION\s+(?:IF\s+EXISTS\s+)?` + identPattern)
	label           = lazy.Compile(`(?is)^SECURITY\s+LABEL\s+(?:FOR\s+` + identPattern + `\s+)?ON\s+(.*?)\s+IS\s`)
	tablespaces     = lazy.Compile(`(?is)^SET\s+default_tablespace\s*=\s*(.*)$`)
	setting         = lazy.Compile(`(?is)^SET\s+([\w.]+)\s*(=|TO)`)
	extension       = lazy.Compile(`(?is)^CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?` + identPattern)
	copyIn          = lazy.Compile(`(?is)^COPY\s.*\sFROM\s+stdin\b`)
	createSchema    = lazy.Compile(`(?i)^CREATE\s+SCHEMA\s`)
	insert          = lazy.Compile(`(?i)^INSERT\s+INTO\s`)
	commentOn       = lazy.Compile(`(?is)^COMMENT\s+ON\s+EXTENSION\s`)
	noSuchExtension = lazy.Compile(`^extension "(.+)" does not exist$`)
	noRole          = lazy.Compile(`^role "(.+)" does not exist$`)
	noSetting       = lazy.Compile(`^unrecognized configuration parameter "(.+)"$`)
	noExtension     = lazy.Compile(`^extension "(.+)" is not available$|^could not open extension control file ".*/(.+)\.control"`)
)

// run executes one statement, or leaves it out and notes why where that
// concerns the reader.
func (l *loader) run(ctx context.Context, sql string) error {
	if insert.MatchString(sql) {
		l.batch = append(l.batch, sql)
		if l.size += len(sql); l.size > 256<<10 || len(l.batch) >= 500 {
			return l.flush(ctx)
		}
		return nil
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	if m := opensServer.FindStringSubmatch(sql); m != nil {
		l.skip(leftGrant(m[1]))
		return nil
	}
	if m := grantee.FindStringSubmatch(sql); m != nil {
		l.r.roles = appendNew(l.r.roles, unquote(m[1]))
	}
	if m := ownerTo.FindStringSubmatch(sql); m != nil {
		return l.ownedBefore(ctx, sql, unquote(m[1]))
	}
	switch {
	case storedStats.MatchString(sql):
		return nil // statistics are gathered after the restore, by this server
	case sessionRole.MatchString(sql), wholeDatabase.MatchString(sql), onDatabase.MatchString(sql):
		return nil // everything belongs to the migrating role, in this database
	case isGlobal(sql):
		return l.asAdmin(ctx, func(c *pgx.Conn) error { return l.r.global(ctx, c, sql) })
	}
	if m := subscription.FindStringSubmatch(sql); m != nil {
		if strings.EqualFold(m[1], "CREATE") {
			l.skip(leftSubscription(unquote(m[2])))
		}
		return nil
	}
	if m := label.FindStringSubmatch(sql); m != nil {
		l.skip(leftLabel(m[2], unquote(m[1])))
		return nil
	}
	if m := tablespaces.FindStringSubmatch(sql); m != nil {
		if v := strings.Trim(m[1], `'"`); v != "" {
			l.skip(leftTablespace(v))
		}
		return nil
	}
	if m := alterDatabase.FindStringSubmatch(sql); m != nil {
		return l.databaseSetting(ctx, unquote(m[1]), m[2])
	}
	switch {
	case extension.MatchString(sql):
		return l.extension(ctx, sql)
	case userMapping.MatchString(sql):
		return l.exec(ctx, l.r.withoutSecrets(sql))
	case createCollation.MatchString(sql):
		return l.collation(ctx, sql)
	}
	if m := refresh.FindStringSubmatch(sql); m != nil {
		return l.refresh(ctx, sql, m[1])
	}
	return l.exec(ctx, sql)
}

func (l *loader) skip(what string) { l.r.skip(what) }

// skip notes what was left out, once.
func (r *restore) skip(what string) { r.skipped = appendNew(r.skipped, what) }

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

func (l *loader) flush(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	sql := strings.Join(l.batch, ";\n")
	l.batch, l.size = l.batch[:0], 0
	return l.exec(ctx, sql)
}

// exec sends one string. Roles that it names and nobody made are made on the
// way; settings of newer servers are left out.
func (l *loader) exec(ctx context.Context, sql string) error {
	made := map[string]bool{}
	for {
		err := l.c.PgConn().Exec(ctx, sql).Close()
		var pgErr *pgconn.PgError
		if err == nil || !errors.As(err, &pgErr) {
			return err
		}
		if m := noRole.FindStringSubmatch(pgErr.Message); pgErr.Code == "42704" && m != nil && !made[m[1]] {
			made[m[1]] = true
			more, err := l.makeRole(ctx, m[1])
			if err != nil {
				return err
			}
			if len(more) == 0 {
				continue
			}
			l.r.skipped = appendNew(l.r.skipped, more[0])
			return nil
		}
		if reason, ok := l.r.forgiven(pgErr.Message, sql); ok {
			if reason != "" {
				l.skip(reason)
			}
			return nil
		}
		if lostPath(pgErr.Message, pgErr.Where) && !made["search path"] {
			made["search path"] = true
			if l.execWithPath(ctx, sql) == nil {
				return nil
			}
		}
		if what := l.missing(pgErr.Message, sql); what != "" && !made[what] {
			made[what] = true
			if l.standInFor(ctx, what) == nil {
				continue
			}
		}
		if reason := l.r.s.refused(pgErr.Code, pgErr.Message, sql); reason != "" {
			if l.r.s.super && within.MatchString(sql) && l.standIn(ctx, sql) == nil {
				return nil
			}
			l.skip(reason)
			return nil
		}
		return statementError(sql, pgErr)
	}
}

var (
	inFunction = lazy.Compile(`\b(?:SQL|PL/pgSQL) function `)
	unknown    = lazy.Compile(` does not exist$`)
)

// lostPath recognises a function of the dump that an index, a constraint or a
// materialized view calls and whose body names things without their schema: it
// fails under the empty search path that dumps set, and pg_restore gives up.
func lostPath(message, where string) bool {
	return unknown.MatchString(message) && inFunction.MatchString(where)
}

// execWithPath sends one string with the search path that sessions have by
// default, and puts back the dump's.
func (l *loader) execWithPath(ctx context.Context, sql string) error {
	var before string
	if err := l.c.QueryRow(ctx, "SELECT current_setting('search_path')").Scan(&before); err != nil {
		return err
	}
	set := func(path string) error {
		_, err := l.c.Exec(ctx, "SELECT set_config('search_path', $1, false)", path)
		return err
	}
	if err := set(psqlPath()["search_path"]); err != nil {
		return err
	}
	err := l.c.PgConn().Exec(ctx, sql).Close()
	return errors.Join(err, set(before))
}

func (l *loader) makeRole(ctx context.Context, name string) (skipped []string, err error) {
	l.r.roles = appendNew(l.r.roles, name)
	err = l.asAdmin(ctx, func(c *pgx.Conn) (err error) {
		skipped, err = l.r.s.createRoles(ctx, c, []string{name})
		return err
	})
	return skipped, err
}

// copy streams the data of one COPY … FROM stdin.
func (l *loader) copy(ctx context.Context, sql string, data io.Reader) error {
	if err := l.flush(ctx); err != nil {
		return err
	}
	_, err := l.c.PgConn().CopyFrom(ctx, data, sql)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		if reason, ok := l.r.forgiven(pgErr.Message, sql); ok {
			l.skip(reason)
			_, err := io.Copy(io.Discard, data) // a plain dump goes on behind them
			return err
		}
		return statementError(sql, pgErr)
	}
	return err
}

// extension makes one as whoever would own it in production: a trusted one
// belongs to the migrating role, any other to the administrator, since the
// owner of an extension's functions may call what is closed to all others.
func (l *loader) extension(ctx context.Context, sql string) (err error) {
	name := unquote(extension.FindStringSubmatch(sql)[1])
	var trusted bool
	if l.r.s.has().trusted {
		err = l.c.QueryRow(ctx, `SELECT coalesce(bool_or(trusted), false) FROM pg_catalog.pg_available_extension_versions WHERE name = $1`, name).Scan(&trusted)
		if err != nil {
			return err
		}
	}
	create := func(c *pgx.Conn) error { return c.PgConn().Exec(ctx, sql).Close() }
	if trusted {
		err = create(l.c)
	} else {
		err = l.asAdmin(ctx, create)
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	if noExtension.MatchString(pgErr.Message) || needsPreload.MatchString(pgErr.Message) || needsMissing(l.r.missing, pgErr.Message) {
		l.r.lacks(name)
		return nil
	}
	if reason := l.r.s.refused(pgErr.Code, pgErr.Message, sql); reason != "" {
		l.r.missing = appendNew(l.r.missing, name)
		l.skip(reason)
		return nil
	}
	return statementError(sql, pgErr)
}

// lacks notes an extension that was left out.
func (r *restore) lacks(extension string) {
	r.missing = appendNew(r.missing, extension)
	r.skip(leftExtension(extension))
}

// ownedBefore stands in for ALTER … OWNER TO: everything belongs to the
// migrating role, but whoever owned a schema may still make things in it, so
// that a migration may hand them over.
func (l *loader) ownedBefore(ctx context.Context, sql, owner string) error {
	l.r.roles = appendNew(l.r.roles, owner)
	if !l.r.hasRole(ctx, l.c, owner) {
		return nil
	}
	if m := schemaOwner.FindStringSubmatch(sql); m != nil {
		return l.exec(ctx, "GRANT ALL ON SCHEMA "+m[1]+" TO "+ident(owner))
	}
	if m := alterDatabase.FindStringSubmatch(sql); m != nil {
		if !l.r.otherDatabase(unquote(m[1])) {
			l.r.dbOwner = owner
		}
		return nil
	}
	l.r.owners = appendNew(l.r.owners, owner)
	return nil
}
