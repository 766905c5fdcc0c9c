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
)

// What is different on a server that somebody else runs: every name begins with
// the target's prefix, the administrator may be no superuser, and what belongs
// to others stays as it is.

func (s *Server) guest() bool { return s.target.Prefix != "" }

// refused says what an account without the rights of a superuser cannot
// restore, "" where an error is about something else.
func (s *Server) refused(code, message, sql string) string {
	if s.super || code != "42501" {
		return ""
	}
	return fmt.Sprintf("%s: the account %s may not (%s)", brief(strings.TrimSuffix(sql, ";")), s.target.User, message)
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
		s.through = true
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
	if !there {
		statements = append([]string{"CREATE ROLE " + role}, statements...)
		// So that the account may do with its things what it likes, end its
		// sessions, and put it on.
		switch {
		case s.super:
		case s.num >= 160000:
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

// RoleComment is what is written on a role that the user named and the server
// lacked: whoever removes what has the prefix removes it too.
func RoleComment(prefix string) string {
	return "made by migration-gate, which drops it with " + prefix
}

// findRole looks for a role that the dump or the user named. One that the
// server lacks is made only where the user has named it: it is the one thing
// that cannot have the prefix. It says why the server goes without it, or "".
func (s *Server) findRole(ctx context.Context, c *pgx.Conn, name string) (why string, err error) {
	var there, member bool
	err = c.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_or(pg_has_role($2, oid, 'MEMBER')), false) FROM pg_catalog.pg_roles WHERE rolname = $1`,
		name, s.owner).Scan(&there, &member)
	if err != nil || member {
		return "", err
	}
	switch {
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
	// The migrating role is a member, so that it may hand objects over. Whose
	// roles these are decides whether that is granted; not to be is no loss
	// until a migration wants it, which the server then says.
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
