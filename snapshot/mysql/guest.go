package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// guest is how this run behaves on a server that somebody else runs: an
// instance is a schema there, whose name begins with the run's prefix. The zero
// value is for a server of the run's own.
type guest struct {
	prefix string
	// account is the migrating account's name, "" where none could be made: the
	// account of the URL then migrates itself.
	account string
	// definer is the migrating account as DEFINER has it, where the URL's account
	// may make things that belong to others, and so loads; "" where the migrating
	// account loads itself. Only an administrator may make triggers and functions
	// on a server that writes a binary log and does not trust who makes them
	// (MySQL's default).
	definer string
	// others are the schemas of others that the URL's account may reach, where it
	// migrates itself: nothing that names one is restored.
	others []string
	// exact: GRANT takes a schema's name as it stands (partial_revokes).
	exact bool
	// lenient: who loads may set what only administrators may for their session.
	lenient bool
}

func (g guest) is() bool { return g.prefix != "" }

// schema of an instance. Names of schemas are in lower case on some servers.
func (g guest) schema(instance string) string { return g.prefix + strings.ToLower(instance) }

// on spells all of a schema for GRANT.
func (g guest) on(schema string) string {
	if g.exact {
		return ident(schema)
	}
	return ident(pattern(schema))
}

// home holds what a later process must know.
func (g guest) home() string { return g.prefix + snapshot.Home }

// markSchema is where the baseline's marks are.
func (s *Server) markSchema() string {
	if s.guest.is() {
		return s.guest.home()
	}
	return markSchema
}

// owner is the account that owns what is restored, and migrates.
func (s *Server) owner() (user, password string) {
	switch {
	case !s.guest.is():
		return Owner, s.ownerPassword()
	case s.guest.account == "":
		return s.target.User, s.target.Password
	}
	return s.guest.account, s.ownerPassword()
}

// OwnerName is the migrating account's user name.
func (s *Server) OwnerName() string {
	user, _ := s.owner()
	return user
}

// Definer is the migrating account as DEFINER has it, where the account of the
// URL may make what belongs to it; else "", and on a server of our own.
func (s *Server) Definer() string { return s.guest.definer }

// OwnAccount reports whether the migrating account is one that this run made,
// which can reach nothing but what was restored.
func (s *Server) OwnAccount() bool { return !s.guest.is() || s.guest.account != "" }

// Others are the schemas, but for this tool's own and the server's, that the
// migrating account is shown, and so may reach: none where it was made for this
// run.
func (s *Server) Others(ctx context.Context) (list []string, err error) {
	if !s.guest.is() {
		return nil, nil
	}
	user, password := s.owner()
	err = s.onAs(ctx, user, password, snapshot.FirstInstance, "", nil, func(c *sql.Conn) error {
		list, err = column(ctx, c, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT RLIKE '^mg_[a-z2-7]{10}_' ORDER BY 1")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for other databases: %w", err)
	}
	return slices.DeleteFunc(list, isSystem), nil
}

// checkIn makes the migrating account, or finds the one that an earlier process
// made; where it may not, the URL's account migrates itself.
func (s *Server) checkIn(ctx context.Context, c *sql.Conn) error {
	s.guest.account = s.guest.prefix + Owner
	if !s.maria && s.num >= 80016 {
		if err := c.QueryRowContext(ctx, "SELECT @@partial_revokes").Scan(&s.guest.exact); err != nil {
			return err
		}
	}
	hosts := []string{"", "%"} // as it is, if it is there
	var me string
	if err := c.QueryRowContext(ctx, "SELECT USER()").Scan(&me); err != nil {
		return err
	}
	if i := strings.LastIndexByte(me, '@'); i >= 0 { // where an account without a name would win over "%"
		hosts = append(hosts, me[i+1:])
	}
	for _, host := range hosts {
		if host != "" && !s.hire(ctx, c, literal(s.guest.account)+"@"+literal(host)) {
			break
		}
		if account, err := s.accountHere(ctx); err == nil {
			return s.tryOut(ctx, c, account)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	_, err := c.ExecContext(ctx, "DROP USER IF EXISTS "+literal(s.guest.account)+"@'%'")
	if err != nil && !isNumber(err, 1227, 1142, 1044) {
		return err
	}
	s.guest.account = ""
	s.guest.others, err = s.Others(ctx)
	return err
}

// hire makes an account with rights on the schema of the baseline, which shows
// that rights can be given. It reports whether it is there.
func (s *Server) hire(ctx context.Context, c *sql.Conn, account string) bool {
	_, err := c.ExecContext(ctx, "CREATE USER IF NOT EXISTS "+account+" IDENTIFIED BY '"+s.ownerPassword()+"'")
	if err == nil {
		err = s.grant(ctx, c, s.guest.schema(snapshot.FirstInstance), account)
	}
	if err != nil {
		_, _ = c.ExecContext(ctx, "DROP USER IF EXISTS "+account)
	}
	return err == nil
}

// tryOut learns whether things can be made that belong to the account.
func (s *Server) tryOut(ctx context.Context, c *sql.Conn, account string) error {
	view := ident(s.guest.home(), "tryout")
	_, err := c.ExecContext(ctx, "CREATE OR REPLACE DEFINER="+account+" VIEW "+view+" AS SELECT 1")
	if isNumber(err, 1227) {
		return nil
	}
	if err == nil {
		_, err = c.ExecContext(ctx, "DROP VIEW IF EXISTS "+view)
	}
	s.guest.definer = account
	if s.num >= 80400 && !s.maria {
		_, refused := c.ExecContext(ctx, "SET SESSION restrict_fk_on_non_standard_key = OFF")
		s.guest.lenient = refused == nil
	}
	return err
}

// found makes a schema, with options as CREATE DATABASE has them, and gives it
// to the migrating account.
func (s *Server) found(ctx context.Context, schema, options string) error {
	return s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "CREATE DATABASE "+ident(schema)+" "+options); err != nil {
			return err
		}
		if s.guest.account == "" {
			return nil
		}
		account, err := s.accountHere(ctx)
		if err != nil {
			return err
		}
		return s.grant(ctx, c, schema, account)
	})
}

// Privileges on a schema without which dumps are not restored.
var Privileges = []string{"CREATE", "DROP", "SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", "INDEX", "REFERENCES", "CREATE VIEW", "SHOW VIEW",
	"TRIGGER", "EVENT", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "LOCK TABLES", "CREATE TEMPORARY TABLES"}

// grant gives an account all rights on a schema, or those that are needed where
// the giver has not all (MariaDB's DELETE HISTORY).
func (s *Server) grant(ctx context.Context, c *sql.Conn, schema, account string) (err error) {
	for _, what := range []string{"ALL PRIVILEGES", strings.Join(Privileges, ", ")} {
		if _, err = c.ExecContext(ctx, "GRANT "+what+" ON "+s.guest.on(schema)+".* TO "+account); err == nil {
			return nil
		}
	}
	return err
}

// rest lays the events to rest that merged migrations have made in the baseline:
// whether the server runs events is its owner's business.
func (s *Server) rest(ctx context.Context) error {
	user, password := s.owner()
	schema := s.guest.schema(snapshot.FirstInstance)
	return s.onAs(ctx, user, password, snapshot.FirstInstance, schema, nil, func(c *sql.Conn) error {
		names, err := column(ctx, c, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE STATUS = 'ENABLED' AND EVENT_SCHEMA = "+literal(schema))
		for _, name := range names {
			if _, err := c.ExecContext(ctx, "ALTER EVENT "+ident(name)+" "+resting); err != nil {
				return err
			}
		}
		return err
	})
}

// lock takes from the migrating account all rights on a schema but to read it.
func (s *Server) lock(ctx context.Context, c *sql.Conn, schema string) error {
	if s.guest.account == "" {
		return nil
	}
	account, err := s.accountHere(ctx)
	if err != nil {
		return err
	}
	// What shows a trigger's or an event's body also lets one make them.
	writes := slices.DeleteFunc(slices.Clone(Privileges), func(p string) bool {
		return slices.Contains([]string{"SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "EXECUTE"}, p)
	})
	_, err = c.ExecContext(ctx, "REVOKE "+strings.Join(writes, ", ")+" ON "+s.guest.on(schema)+".* FROM "+account)
	return err
}

// accountHere is the migrating account as it is for this connection: its host
// may be one address alone.
func (s *Server) accountHere(ctx context.Context) (account string, err error) {
	user, password := s.owner()
	err = s.onAs(ctx, user, password, snapshot.FirstInstance, "", nil, func(c *sql.Conn) error {
		return c.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&account)
	})
	i := strings.LastIndexByte(account, '@')
	return literal(account[:max(i, 0)]) + "@" + literal(account[i+1:]), err
}

// remove drops the schema of an instance; gone already is no error.
func (s *Server) remove(ctx context.Context, instance string) error {
	return s.onWith(ctx, instance, "", map[string]string{"lock_wait_timeout": "30"}, func(c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "DROP DATABASE IF EXISTS "+ident(s.guest.schema(instance))); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, "DELETE FROM "+ident(s.guest.home(), "origins")+" WHERE instance = "+literal(instance))
		if isNumber(err, 1146) {
			return nil
		}
		return err
	})
}
