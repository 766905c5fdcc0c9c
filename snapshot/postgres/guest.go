package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// What is different on a server that somebody else runs: every name begins with
// the target's prefix, the administrator may be no superuser, and what belongs
// to others stays as it is.

func (s *Server) guest() bool { return s.target.Prefix != "" }

// alone: what is restored comes in as the migrating role itself, and not as the
// administrator who puts it on, and whom SQL could make put it off.
func (s *Server) alone() bool { return s.guest() && !s.through && s.owner != s.target.User }

// refused says what the migrating role cannot restore, which is no superuser
// here, not even for a moment: a dump may say anything. It is "" where an error
// is about something else.
func (s *Server) refused(code, message, sql string) string {
	if !s.guest() || code != "42501" {
		return ""
	}
	return fmt.Sprintf("%s: not allowed to the migrating role (%s)", brief(strings.TrimSuffix(sql, ";")), message)
}

// longestName is what a name on the server may be (NAMEDATALEN less one): the
// server cuts longer ones off without an error.
const longestName = 63

// real is the name on the server of a database of ours.
func (s *Server) real(name string) (string, error) {
	if !s.guest() {
		if name == "postgres" || name == "template0" || name == "template1" {
			return "", fmt.Errorf("the name %s belongs to the server", name)
		}
		return name, nil
	}
	if name == snapshot.Home {
		return "", fmt.Errorf("the name %s is taken on a server that others run; choose another", name)
	}
	if all := s.target.Prefix + name; len(all) <= longestName {
		return all, nil
	}
	return "", fmt.Errorf("the name %s is too long; use one of at most %d bytes", name, longestName-len(s.target.Prefix))
}

// settleIn makes the migrating role, or finds that the account must do.
func (s *Server) settleIn(ctx context.Context) error {
	t := s.target
	if !s.makesRoles {
		s.owner = t.User
		t.Detail = appendClause(t.Detail, fmt.Sprintf("the migrations run as the account %s itself, which may not make an ordinary role for them", t.User))
		return nil
	}
	if err := s.on(ctx, s.home, func(c *pgx.Conn) error { return s.setOwner(ctx, c) }); err != nil {
		return err
	}
	// Who may come in, and from where, is up to the server. That the role may
	// not use this very database is said after it was let in.
	c, err := pgx.Connect(ctx, s.ownerDSN(s.home))
	if err == nil {
		return c.Close(ctx)
	}
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == "42501" {
		return nil
	}
	if errors.As(err, &said) && strings.HasPrefix(said.Code, "28") {
		if s.super {
			return fmt.Errorf("the server lets in nobody but %s (%s), which is a superuser, and so would be the migrations: let the roles mg_* in by pg_hba.conf, or give an account without SUPERUSER", t.User, said.Message)
		}
		s.through = true
		t.Detail = appendClause(t.Detail, fmt.Sprintf("the server lets in nobody but %s, which puts on the role of the migrations", t.User))
		return nil
	}
	return redact(err)
}

func appendClause(detail, clause string) string {
	if detail == "" || strings.Contains(detail, clause) {
		return clause
	}
	return detail + "; " + clause
}

// setGuestOwner makes the migrating role what it must be.
func (s *Server) setGuestOwner(ctx context.Context, c *pgx.Conn) error {
	if s.owner == s.target.User {
		return nil
	}
	role := ident(s.owner)
	attributes := "LOGIN NOCREATEDB NOCREATEROLE INHERIT CONNECTION LIMIT -1 VALID UNTIL 'infinity' PASSWORD " + Literal(s.ownerPassword())
	if s.super {
		attributes = "NOSUPERUSER NOREPLICATION NOBYPASSRLS " + attributes
	}
	var there bool
	if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)", s.owner).Scan(&there); err != nil {
		return err
	}
	statements := []string{"ALTER ROLE " + role + " " + attributes, "ALTER ROLE " + role + " RESET ALL"}
	if s.super { // messages are read, and shown
		statements = append(statements, "ALTER ROLE "+role+" SET lc_messages = 'C'")
	}
	if !there {
		statements = append([]string{"CREATE ROLE " + role}, statements...)
		// So that the account may do with its things what it likes, end its
		// sessions, and put it on.
		switch {
		case s.super:
		case s.has().memberOptions:
			statements = append(statements, "GRANT "+role+" TO CURRENT_USER WITH INHERIT TRUE, SET TRUE")
		default:
			statements = append(statements, "GRANT "+role+" TO CURRENT_USER")
		}
	}
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make the migrating role %s: %w", s.owner, err)
		}
	}
	return nil
}

// within are statements on what lives in one database alone, and that may take
// a superuser: for these the account stands in, where it is one.
var within = lazy.Compile(`(?is)^((CREATE(\s+OR\s+REPLACE)?|ALTER|COMMENT\s+ON)\s+(EVENT\s+TRIGGER|FOREIGN\s+DATA\s+WRAPPER|SERVER|USER\s+MAPPING|PUBLICATION|FUNCTION|PROCEDURE|AGGREGATE|` +
	`OPERATOR|TYPE|CAST|(TRUSTED\s+)?(PROCEDURAL\s+)?LANGUAGE|ACCESS\s+METHOD|TEXT\s+SEARCH|TRANSFORM|SCHEMA|EXTENSION)\b` +
	`|(GRANT|REVOKE)\s[^;]*\sON\s+(ALL\s|SCHEMA\s|FUNCTION\s|PROCEDURE\s|LANGUAGE\s|FOREIGN\s|TYPE\s|TABLE\s|SEQUENCE\s))`)

// standIn runs one statement as the account instead of the migrating role.
func (l *loader) standIn(ctx context.Context, sql string) error {
	return l.asAdmin(ctx, func(c *pgx.Conn) error { return c.PgConn().Exec(ctx, sql).Close() })
}

// RoleComment is what is written on a role that the user named and the server
// lacked: whoever removes what has the prefix removes it too.
func RoleComment(prefix string) string {
	return "made by migration-gate, which drops it with " + prefix
}

// findRole looks for a role that the dump or the user named. One that the
// server lacks is made only where the user has named it: it is the one thing
// that cannot have the prefix. It says why the server goes without it, or "".
func (s *Server) findRole(ctx context.Context, c *pgx.Conn, name string) (why string, err error) {
	// special: to be a member would give more than to own things.
	var there, special bool
	err = c.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_or(EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE pg_has_role(r.oid, s.oid, 'MEMBER')
			AND (s.rolsuper OR s.rolcreaterole OR s.rolcreatedb OR s.rolreplication OR s.rolbypassrls OR s.rolname LIKE 'pg\_%'))), false)
		FROM pg_catalog.pg_roles r WHERE rolname = $1`, name).Scan(&there, &special)
	if err != nil {
		return "", err
	}
	switch {
	case there && (special || !slices.Contains(s.wanted, name)):
		return "", nil
	case there:
	case strings.HasPrefix(name, "pg_"):
		return fmt.Sprintf("role %s: unknown to this server and a reserved name", name), nil
	case !slices.Contains(s.wanted, name):
		return fmt.Sprintf("role %s: not on this server, where it is only made on demand (--role %s)", name, name), nil
	case !s.makesRoles:
		return fmt.Sprintf("role %s: not on this server, and the account %s may not make it", name, s.target.User), nil
	default:
		tx, err := c.Begin(ctx)
		if err != nil {
			return "", err
		}
		defer tx.Rollback(ctx)
		for _, sql := range []string{
			"CREATE ROLE " + ident(name) + " NOLOGIN",
			"COMMENT ON ROLE " + ident(name) + " IS " + Literal(RoleComment(s.target.Prefix)),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return "", fmt.Errorf("create role %s: %w", name, err)
			}
		}
		if err := tx.Commit(ctx); err != nil {
			return "", fmt.Errorf("create role %s: %w", name, err)
		}
	}
	// The migrating role is a member of what the user has named, so that it may
	// hand objects over, if that is the account's to grant; where it is not, the
	// server says so to the migration that tries.
	if s.owner != s.target.User {
		_, _ = c.Exec(ctx, "GRANT "+ident(name)+" TO "+ident(s.owner))
	}
	return "", nil
}

// hasRole reports whether what a role owned needs any more thought: on a server
// of our own every role is made, on another's nobody misses who is not there.
func (r *restore) hasRole(ctx context.Context, c *pgx.Conn, name string) bool {
	if !r.s.guest() {
		return true
	}
	there, asked := r.known[name]
	if !asked {
		err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)", name).Scan(&there)
		if err != nil {
			return false // the next statement meets the same error
		}
		if r.known == nil {
			r.known = map[string]bool{}
		}
		r.known[name] = there
	}
	return there
}

// shut closes a database of ours to all who may come in elsewhere on a server
// that others use: it holds the snapshot's data.
func (s *Server) shut(ctx context.Context, c *pgx.Conn, name string) error {
	if !s.guest() {
		return nil
	}
	_, err := c.Exec(ctx, "REVOKE ALL ON DATABASE "+ident(name)+" FROM PUBLIC")
	return err
}
