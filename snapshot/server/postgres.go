package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot"
	pg "github.com/migration-gate/migration-gate/snapshot/postgres"
)

// postgres is PostgreSQL.
type postgres struct{}

// pgAccount is a session on the database that the URL names. On it nothing is
// made but the run's first database.
type pgAccount struct {
	conn *pgx.Conn
	user string
}

func (postgres) open(ctx context.Context, at address) (account, error) {
	cfg, err := pgx.ParseConfig(pg.URL(at.host, at.port, at.user, at.password, cmpOr(at.database, "postgres"), at.params))
	if err != nil {
		return nil, fmt.Errorf("read the connection's parameters: %w", unquoted(err))
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	for name, value := range map[string]string{
		"application_name": pg.ApplicationName, "search_path": "pg_catalog",
		"statement_timeout": "0", "lock_timeout": "0", "default_transaction_read_only": "off",
	} {
		cfg.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, connectError(err)
	}
	return &pgAccount{conn, at.user}, nil
}

// connectError tells an address without a server from a server that says no.
func connectError(err error) error {
	var said *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &said):
		if said.Code == "57P03" { // it is starting up
			return &unreachable{errors.New(said.Message)}
		}
		return errors.New(said.Message + " (SQLSTATE " + said.Code + ")")
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return &unreachable{reason(err)}
	}
	return reason(err)
}

// reason is the innermost of a connection's errors: those around it list the
// user, the database and each attempt.
func reason(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return errors.New("the name is not known")
	case errors.As(err, &op):
		return op.Err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", connectTime)
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// unquoted drops the connection string, which holds the password, from pgx's
// complaint about it.
func unquoted(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		if inner := errors.Unwrap(err); inner != nil {
			return inner
		}
		return errors.New("--database-url has a parameter that cannot be read")
	}
	return err
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (a *pgAccount) close() { _ = a.conn.Close(context.Background()) }

func (a *pgAccount) remote() string {
	if addr, ok := a.conn.PgConn().Conn().RemoteAddr().(*net.TCPAddr); ok {
		return addr.String()
	}
	return ""
}

// look needs no privilege: what an ordinary role is not shown counts as if it
// were a sign where it may be one.
func (a *pgAccount) look(ctx context.Context) (looked, error) {
	l := looked{Engine: snapshot.Postgres}
	var f struct {
		version                      string
		up                           float64
		standby, super, makes, roles bool
		archive                      string
		provider                     *string
		replicas                     []string
		slots                        []string
	}
	err := a.conn.QueryRow(ctx, `SELECT current_setting('server_version'), extract(epoch FROM now() - pg_postmaster_start_time())::float8,
		pg_is_in_recovery(), r.rolsuper, r.rolcreatedb OR r.rolsuper, r.rolcreaterole OR r.rolsuper, current_setting('archive_mode'),
		coalesce((SELECT rolname FROM pg_roles WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin', 'neon_superuser', 'doadmin', 'aiven_superuser') ORDER BY 1 LIMIT 1),
			(SELECT name FROM pg_settings WHERE name ~ '^(rds|cloudsql|alloydb|azure|neon)\.' ORDER BY 1 LIMIT 1)),
		ARRAY(SELECT DISTINCT coalesce(nullif(application_name, ''), usename, 'unknown') || coalesce(' from ' || host(client_addr), '') FROM pg_stat_replication WHERE coalesce(state, '') <> 'backup'),
		ARRAY(SELECT slot_name FROM pg_replication_slots WHERE NOT temporary ORDER BY 1)
		FROM pg_roles r WHERE r.rolname = current_user`).
		Scan(&f.version, &f.up, &f.standby, &f.super, &f.makes, &f.roles, &f.archive, &f.provider, &f.replicas, &f.slots)
	if err != nil {
		return l, fmt.Errorf("look at the server: %w", err)
	}
	l.Version, _, _ = strings.Cut(f.version, " ")
	if major, err := strconv.Atoi(snapshot.Major(l.Version)); err != nil || major < pg.Oldest {
		return l, fmt.Errorf("it runs PostgreSQL %s; the oldest supported is %d", l.Version, pg.Oldest)
	}
	l.Up = time.Duration(f.up * float64(time.Second))
	sign := func(there bool, format string, args ...any) {
		if there {
			l.Signs = append(l.Signs, fmt.Sprintf(format, args...))
		}
	}
	sign(f.standby, "is a standby of another server, on which nothing can be made")
	sign(len(f.replicas) > 0, "has %s", listed("attached replica", "attached replicas", f.replicas))
	sign(len(f.slots) > 0, "has %s", listed("replication slot", "replication slots", f.slots))
	sign(f.archive != "off", "archives its log (archive_mode is %s)", f.archive)
	if f.provider != nil {
		sign(true, "is a managed server: it has %s", *f.provider)
	}
	if err := a.others(ctx, &l); err != nil {
		return l, fmt.Errorf("look at the server's other databases: %w", err)
	}
	if !f.makes {
		l.Unable = &snapshot.Lack{
			What: "everything but the files", Why: fmt.Sprintf("the account %s may not create databases", a.user),
			Remedy: fmt.Sprintf("ALTER ROLE %s CREATEDB", pgx.Identifier{a.user}.Sanitize()),
		}
	}
	return l, nil
}

const (
	// oursSQL tells the databases that this tool makes from all others.
	oursSQL = `d.datname ~ '^mg_[a-z2-7]{10}_'`
	// othersSQL are the others: with sessions of somebody, committed transactions,
	// and whether more is in them than in a new one. A size that the account may
	// not see is taken for something.
	othersSQL = `SELECT d.datname::text,
	(SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.usename IS NOT NULL AND a.pid <> pg_backend_pid()
		AND a.application_name NOT LIKE '` + pg.ApplicationName + `%'),
	coalesce(s.xact_commit + s.xact_rollback, 0),
	CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
		THEN pg_database_size(d.oid) > 1048576 + (SELECT min(pg_database_size(t.oid)) FROM pg_database t
			WHERE has_database_privilege(t.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')) ELSE true END
	FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid
	WHERE NOT d.datistemplate AND NOT ` + oursSQL + ` ORDER BY 1`
)

// busy is how many transactions in watched make a database one in use: the
// server's own housekeeping makes fewer.
const (
	busy    = 5
	watched = 1200 * time.Millisecond // counters are told once a second
)

// others finds who else uses the server: sessions now, transactions while it
// waits for a moment, and what is kept. A server that is younger than a job of
// CI may be at work for that very job, which the guard knows; one without other
// databases is asked once.
func (a *pgAccount) others(ctx context.Context, l *looked) error {
	type other struct {
		Name     string
		Sessions int
		Commits  int64
		Full     bool
	}
	read := func() ([]other, error) {
		rows, err := a.conn.Query(ctx, othersSQL)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByPos[other])
	}
	first, err := read()
	if err != nil {
		return err
	}
	var inUse []string
	before := map[string]int64{}
	for _, o := range first {
		if o.Full {
			l.Others = append(l.Others, o.Name)
			before[o.Name] = o.Commits
		}
		if o.Sessions > 0 && (o.Full || o.Name != "postgres") { // where people look around
			inUse = append(inUse, fmt.Sprintf("%s: sessions %d", o.Name, o.Sessions))
		}
	}
	if len(inUse) == 0 && len(l.Others) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watched):
		}
		second, err := read()
		if err != nil {
			return err
		}
		for _, o := range second {
			was, seen := before[o.Name]
			if n := o.Commits - was; seen && n >= busy {
				inUse = append(inUse, fmt.Sprintf("%s: %d transactions in a second", o.Name, n))
			}
		}
	}
	l.Traffic = inUse
	return nil
}

// markLock is held, on the database that the URL names, while a run's first
// database is made and not marked yet: one that is there without a mark while
// nobody holds it was left by somebody who is gone.
const markLock = 0x6d677465

// comment begins what is written on a run's first database.
const comment = "made by migration-gate, which drops it: "

func (a *pgAccount) mark(ctx context.Context, m mark) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	name := pgx.Identifier{m.Prefix + snapshot.Home}.Sanitize()
	// Whoever is cancelled between the two would leave what nobody owns; they
	// take a moment only.
	ctx = context.WithoutCancel(ctx)
	for _, sql := range []string{
		fmt.Sprintf("SELECT pg_advisory_lock_shared(%d)", markLock),
		"CREATE DATABASE " + name + " TEMPLATE template0",
		"COMMENT ON DATABASE " + name + " IS " + pg.Literal(comment+string(data)),
		fmt.Sprintf("SELECT pg_advisory_unlock_shared(%d)", markLock),
		"REVOKE ALL ON DATABASE " + name + " FROM PUBLIC",
	} {
		if _, err := a.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make the database %s%s: %w", m.Prefix, snapshot.Home, err)
		}
	}
	return nil
}

func (a *pgAccount) marks(ctx context.Context) ([]mark, error) {
	type found struct {
		Name    string
		Comment *string
	}
	read := func(where string) ([]found, error) {
		rows, err := a.conn.Query(ctx, `SELECT d.datname::text, shobj_description(d.oid, 'pg_database') FROM pg_database d
			WHERE d.datname ~ '^mg_[a-z2-7]{10}_`+snapshot.Home+`$' AND pg_has_role(d.datdba, 'USAGE') AND (shobj_description(d.oid, 'pg_database') IS NOT NULL
				OR NOT EXISTS (SELECT FROM pg_database o WHERE starts_with(o.datname, left(d.datname, -`+strconv.Itoa(len(snapshot.Home))+`)) AND o.oid <> d.oid))`+where)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	}
	all, err := read("")
	if err != nil {
		return nil, err
	}
	var marks []mark
	unmarked := false
	for _, f := range all {
		if f.Comment == nil {
			unmarked = true
			continue
		}
		text, ours := strings.CutPrefix(*f.Comment, comment)
		var m mark
		if ours && json.Unmarshal([]byte(text), &m) == nil && m.Prefix+snapshot.Home == f.Name {
			marks = append(marks, m)
		}
	}
	if !unmarked {
		return marks, nil
	}
	var alone bool
	if err := a.conn.QueryRow(ctx, fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", markLock)).Scan(&alone); err != nil || !alone {
		return marks, err
	}
	defer a.conn.Exec(context.WithoutCancel(ctx), fmt.Sprintf("SELECT pg_advisory_unlock(%d)", markLock))
	all, err = read(" AND shobj_description(d.oid, 'pg_database') IS NULL")
	for _, f := range all {
		marks = append(marks, mark{Prefix: strings.TrimSuffix(f.Name, snapshot.Home)})
	}
	return marks, err
}

// remove first ends what still works for the run: a CREATE DATABASE whose client
// is gone would else bring one more.
func (a *pgAccount) remove(ctx context.Context, prefix string) error {
	if !ourPrefix.MatchString(prefix) {
		return fmt.Errorf("%q is no prefix of this tool's", prefix)
	}
	for {
		var left int
		err := a.conn.QueryRow(ctx, `SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE starts_with(datname, $1) AND pid <> pg_backend_pid()) ended`, prefix).Scan(&left)
		if err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if left == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("end sessions: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	names, err := a.names(ctx, `SELECT datname::text FROM pg_database WHERE starts_with(datname, $1) AND datname <> $2`, prefix, prefix+snapshot.Home)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, a.drop(ctx, name))
	}
	roles, err := a.names(ctx, `SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1)`, prefix)
	errs = append(errs, err)
	for _, role := range roles {
		errs = append(errs, a.dropRole(ctx, role))
	}
	// Roles that the user named: this run's, and those that a run before could
	// not drop because this one or another still used them.
	roles, err = a.names(ctx, `SELECT rolname::text FROM pg_roles r, shobj_description(r.oid, 'pg_authid') said
		WHERE starts_with(said, $1) AND (said = $1 || $2 OR NOT EXISTS (SELECT FROM pg_database WHERE datname = substr(said, length($1) + 1) || $3))`,
		pg.RoleComment(""), prefix, snapshot.Home)
	errs = append(errs, err)
	for _, role := range roles {
		err := a.dropRole(ctx, role)
		var said *pgconn.PgError
		if !errors.As(err, &said) || said.Code != "2BP01" && said.Code != "42501" { // used, or of another account
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err // the mark stays, so that a later start tries again
	}
	return a.drop(ctx, prefix+snapshot.Home)
}

func (a *pgAccount) dropRole(ctx context.Context, name string) error {
	if _, err := a.conn.Exec(ctx, "DROP ROLE IF EXISTS "+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("drop role %s: %w", name, err)
	}
	return nil
}

func (a *pgAccount) drop(ctx context.Context, name string) error {
	quoted := pgx.Identifier{name}.Sanitize()
	var template bool
	err := a.conn.QueryRow(ctx, "SELECT datistemplate FROM pg_database WHERE datname = $1", name).Scan(&template)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil && template {
		_, err = a.conn.Exec(ctx, "ALTER DATABASE "+quoted+" IS_TEMPLATE false")
	}
	if err == nil {
		_, err = a.conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quoted+" WITH (FORCE)")
	}
	if err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func (a *pgAccount) names(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := a.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// clientEnv are libpq's variables for what a URL's query says.
var clientEnv = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslpassword": "PGSSLPASSWORD",
	"sslsni": "PGSSLSNI", "sslnegotiation": "PGSSLNEGOTIATION", "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
	"ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION", "channel_binding": "PGCHANNELBINDING", "require_auth": "PGREQUIREAUTH",
	"krbsrvname": "PGKRBSRVNAME", "connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS",
}

func (postgres) client(t *snapshot.Target, program string, args []string) (names, all, env []string) {
	password := t.Password
	for _, a := range args {
		if user, ok := strings.CutPrefix(a, "--username="); ok && strings.HasPrefix(user, t.Prefix) {
			password = pg.RolePassword(t, user)
		}
	}
	env = []string{"PGHOST=" + t.Host, "PGPORT=" + strconv.Itoa(t.Port), "PGUSER=" + t.User, "PGPASSWORD=" + password,
		"PGDATABASE=" + t.Prefix + snapshot.Home, "PGAPPNAME=" + pg.ApplicationName}
	q, _ := url.ParseQuery(t.Params) // it has been connected with
	if strings.HasPrefix(q.Get("sslmode"), "verify-") && q.Get("sslrootcert") == "" {
		return nil, nil, nil // libpq knows no system's certificates before 16
	}
	for name, variable := range clientEnv {
		if v := q.Get(name); v != "" {
			env = append(env, variable+"="+v)
		}
	}
	return []string{program}, args, env
}
