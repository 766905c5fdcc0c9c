package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

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
	cfg, err := pgx.ParseConfig(pg.URL(at.host, at.port, at.user, at.password, cmp.Or(at.database, "postgres"), at.params))
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

func (a *pgAccount) close() { _ = a.conn.Close(context.Background()) }

func (a *pgAccount) remote() string {
	if addr, ok := a.conn.PgConn().Conn().RemoteAddr().(*net.TCPAddr); ok {
		return addr.String()
	}
	return ""
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
