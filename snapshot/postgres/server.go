// Package postgres restores snapshots into a PostgreSQL server, makes clones of
// the restored baseline, and reads both: their schema, their catalogue, their
// rows. The server is one that a run made for itself; or one that somebody else
// runs, where everything it makes has the target's prefix (guest.go).
//
// It connects as the administrator. The migration's own connection, and any
// judgement of what was read, are elsewhere; so is the making of servers.
package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Owner is the migrating role on a server of our own: an ordinary role that owns
// everything restored and the clones, and may do nothing else.
const Owner = "migration_gate_owner"

// ApplicationName of every session of this tool begins with it.
const ApplicationName = "migration-gate"

// Server is an ephemeral PostgreSQL server, seen as its administrator. Each
// call connects on its own and leaves no connection behind, for a session on a
// database keeps it from being cloned.
type Server struct {
	target  *snapshot.Target
	version string
	num     int
	// super and makesRoles are what the administrator's account may do; on a
	// server of our own both.
	super, makesRoles bool
	// owner is the migrating role's name, home the database that sessions are on
	// which work on no other.
	owner, home string
	// through: the migrating role is not let in, so the administrator's account
	// puts it on (guest.go).
	through bool
	// wanted are the roles that the user has named.
	wanted []string
}

// Connect asks the server for its version; an error means that it cannot be
// reached or used.
func Connect(ctx context.Context, t *snapshot.Target) (*Server, error) {
	s := &Server{target: t, owner: Owner, home: "postgres"}
	if s.guest() {
		s.owner, s.home = t.Prefix+"owner", t.Prefix+snapshot.Home
	}
	err := s.on(ctx, s.home, func(c *pgx.Conn) error {
		err := c.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int, rolsuper, rolcreaterole OR rolsuper
			FROM pg_roles WHERE rolname = current_user`).Scan(&s.version, &s.num, &s.super, &s.makesRoles)
		if err == nil && !s.super && !s.guest() {
			err = fmt.Errorf("role %q is no superuser", t.User)
		}
		if err == nil && s.super {
			// Makes what is preloaded readable. Without it temporary bytes
			// are not known, and nothing else.
			_, _ = c.Exec(ctx, `DO $$ BEGIN IF current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'
				THEN CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public; END IF; END $$`)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the target: %w", err)
	}
	s.version, _, _ = strings.Cut(s.version, " ") // "15.18 (Debian 15.18-0+deb12u1)"
	if s.major() < Oldest {
		return nil, fmt.Errorf("the target runs PostgreSQL %s; the oldest supported is %d", s.version, Oldest)
	}
	if s.guest() {
		if err := s.settleIn(ctx); err != nil {
			return nil, fmt.Errorf("connect to the target: %w", err)
		}
	}
	return s, nil
}

// Close ends the use of the server. The server itself is its Target's to stop.
func (s *Server) Close() {}

// Version is the server's: as it says ("15.18"), and as a number (150018).
func (s *Server) Version() (string, int) { return s.version, s.num }

func (s *Server) major() int { return s.num / 10000 }

// Drop removes a database with whatever sessions it has; one that is not there
// is no error. It takes baselines and clones, and nothing else.
func (s *Server) Drop(ctx context.Context, name string) error {
	name, err := s.real(name)
	if err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	err = s.on(ctx, s.home, func(c *pgx.Conn) error {
		var template bool
		err := c.QueryRow(ctx, "SELECT datistemplate FROM pg_database WHERE datname = $1", name).Scan(&template)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if template {
			if _, err := c.Exec(ctx, "ALTER DATABASE "+ident(name)+" IS_TEMPLATE false"); err != nil {
				return err
			}
		}
		if s.has().dropForce {
			_, err = c.Exec(ctx, "DROP DATABASE IF EXISTS "+ident(name)+" WITH (FORCE)")
			return err
		}
		if _, err := c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name); err != nil {
			return err
		}
		return retryBusy(ctx, c, "DROP DATABASE IF EXISTS "+ident(name), name)
	})
	if err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

// on connects to a database, calls f and disconnects.
func (s *Server) on(ctx context.Context, database string, f func(*pgx.Conn) error) error {
	return s.onWith(ctx, database, nil, f)
}

func (s *Server) onWith(ctx context.Context, database string, params map[string]string, f func(*pgx.Conn) error) error {
	return s.as(ctx, s.dsn(database, s.target.User, s.target.Password), s.super || !s.guest(), params, f)
}

// as connects to a database by its DSN, calls f and disconnects; super: with a
// superuser's rights.
func (s *Server) as(ctx context.Context, dsn string, super bool, params map[string]string, f func(*pgx.Conn) error) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return redact(err)
	}
	// One round trip per statement and nothing prepared. Whatever settings
	// the dump brought for its database do not hold for us.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams = map[string]string{
		"application_name":                    ApplicationName,
		"search_path":                         "",
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_in_transaction_session_timeout": "0",
		"role":                                "none",
		"default_transaction_read_only":       "off",
	}
	if super { // no other account may choose it
		cfg.RuntimeParams["lc_messages"] = "C"
	}
	for k, v := range params {
		cfg.RuntimeParams[k] = v
	}
	if super && s.has().eventTriggersOff {
		cfg.RuntimeParams["event_triggers"] = "off" // ON login
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	// Closing says goodbye to the server, also when the context is done.
	defer c.Close(context.WithoutCancel(ctx))
	return f(c)
}

// RolePassword of a role that was made for a target is derived from the
// administrator's, so that a later process attaches without storing it. Whoever
// knows it cannot go back.
func RolePassword(t *snapshot.Target, role string) string {
	m := hmac.New(sha256.New, []byte(t.Password))
	fmt.Fprintf(m, "%s %s", role, t.Handle.Run)
	return hex.EncodeToString(m.Sum(nil))
}

func (s *Server) ownerPassword() string { return RolePassword(s.target, s.owner) }

// setOwner makes the migrating role what it must be, whatever a migration has
// made of it, and shuts it out of the server's own databases.
func (s *Server) setOwner(ctx context.Context, c *pgx.Conn) error {
	if s.guest() {
		return s.setGuestOwner(ctx, c)
	}
	_, err := c.Exec(ctx, `DO $$ BEGIN
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '`+Owner+`') THEN CREATE ROLE `+Owner+`; END IF;
	END $$`)
	if err != nil {
		return err
	}
	for _, sql := range []string{
		"ALTER ROLE " + Owner + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT CONNECTION LIMIT -1" +
			" VALID UNTIL 'infinity' PASSWORD '" + s.ownerPassword() + "'",
		"ALTER ROLE " + Owner + " RESET ALL",
		"REVOKE ALL ON DATABASE postgres FROM PUBLIC",
		"REVOKE ALL ON DATABASE template1 FROM PUBLIC",
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// createRoles makes roles that privileges, policies or migrations name. The
// migrating role is a member of each, so it may hand objects to them.
func (s *Server) createRoles(ctx context.Context, c *pgx.Conn, names []string) (skipped []string, err error) {
	for _, name := range names {
		if name == "" || name == s.owner || strings.EqualFold(name, "public") {
			continue
		}
		if s.guest() {
			why, err := s.findRole(ctx, c, name)
			if err != nil {
				return skipped, err
			}
			if why != "" {
				skipped = append(skipped, why)
			}
			continue
		}
		var there bool
		if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)", name).Scan(&there); err != nil {
			return skipped, err
		}
		if there {
			continue
		}
		if strings.HasPrefix(name, "pg_") {
			skipped = append(skipped, fmt.Sprintf("role %s: unknown to this server and a reserved name", name))
			continue
		}
		if _, err := c.Exec(ctx, "CREATE ROLE "+ident(name)+" NOLOGIN"); err != nil {
			return skipped, fmt.Errorf("create role %s: %w", name, err)
		}
		if _, err := c.Exec(ctx, "GRANT "+ident(name)+" TO "+Owner); err != nil {
			return skipped, fmt.Errorf("grant role %s: %w", name, err)
		}
	}
	return skipped, nil
}

func ident(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

// Literal quotes a string for SQL.
func Literal(s string) string {
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `'`, `''`) + `'`
	}
	return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
}
