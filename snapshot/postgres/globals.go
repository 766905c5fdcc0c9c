package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// What pg_dumpall --globals-only writes: roles, who is a member of whom, their
// settings, tablespaces. It is said of a whole server, and by somebody whom
// nobody here trusts: a role may come in and pass by policies as in production,
// but is never made a superuser, nor anything that makes one of it.

// globals restores a dump of roles. Settings wait for applySettings.
func (r *restore) globals(ctx context.Context, in io.Reader) error {
	return r.s.onWith(ctx, r.s.home, psqlPath(), func(c *pgx.Conn) error {
		s := newSplitter(bufio.NewReaderSize(in, 256<<10))
		for {
			p, err := s.next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return fmt.Errorf("roles: %w", err)
			}
			switch {
			case p.meta:
				continue // \connect, \restrict: nothing here is of one database
			case isGlobal(p.text):
				if err := r.global(ctx, c, p.text); err != nil {
					return fmt.Errorf("roles: line %d: %w", p.line, err)
				}
			case copyIn.MatchString(p.text), createdObject.MatchString(p.text):
				return fmt.Errorf("roles: line %d: %s is not of roles; it is a dump of databases, so give it alone", p.line, unquoted(p.text))
			case !setting.MatchString(p.text) && !asks.MatchString(p.text):
				r.skip(fmt.Sprintf("line %d of the dump of roles, %s: not known as a statement on roles", p.line, unquoted(p.text)))
			}
		}
	})
}

// unquoted is the beginning of a statement that nobody knows, and in which any
// text may be a secret.
func unquoted(sql string) string {
	if at := strings.IndexAny(sql, "'$"); at >= 0 {
		sql = sql[:at] + "…"
	}
	return brief(sql)
}

var (
	createRole   = lazy.Compile(`(?is)^CREATE\s+(?:ROLE|USER|GROUP)\s+` + identPattern + `(.*)$`)
	alterRole    = lazy.Compile(`(?is)^ALTER\s+(?:ROLE|USER)\s+` + identPattern + `\s+(?:WITH\s+)?((?:NO)?(?:SUPERUSER|INHERIT|CREATEROLE|CREATEDB|LOGIN|REPLICATION|BYPASSRLS)\b.*|CONNECTION\s+LIMIT\b.*|(?:ENCRYPTED\s+)?PASSWORD\b.*|VALID\s+UNTIL\b.*)$`)
	roleSettings = lazy.Compile(`(?is)^ALTER\s+(?:ROLE|USER)\s+(?:(ALL)|` + identPattern + `)\s+(?:IN\s+DATABASE\s+` + identPattern + `\s+)?(SET\s+([\w.]+|"[^"]+")[\s=].*|RESET\s.*)$`)
	grantRole    = lazy.Compile(`(?is)^GRANT\s+(` + identPattern + `(?:\s*,\s*` + identPattern + `)*)\s+TO\s+(` + identPattern + `(?:\s*,\s*` + identPattern + `)*)(\s+WITH\s.*?)?(\s+GRANTED\s+BY\s+.*)?$`)
	ofServer     = lazy.Compile(`(?is)^(DROP|COMMENT\s+ON|SECURITY\s+LABEL\s.*?\bON)\s+(ROLE|USER|TABLESPACE)\b|^(GRANT|REVOKE)\s.*?\bON\s+TABLESPACE\b|^ALTER\s+TABLESPACE\b`)
	onParameter  = lazy.Compile(`(?is)^(?:GRANT|REVOKE)\s.*?\bON\s+PARAMETER\s+` + identPattern)
	asks         = lazy.Compile(`(?is)^SELECT\s`)
	tablespace   = lazy.Compile(`(?is)^CREATE\s+TABLESPACE\s+` + identPattern)

	createdObject = lazy.Compile(`(?is)^(CREATE|ALTER)\s+(OR\s+REPLACE\s+)?(UNLOGGED\s+|FOREIGN\s+|MATERIALIZED\s+|EVENT\s+|UNIQUE\s+)?(TABLE|VIEW|INDEX|FUNCTION|PROCEDURE|AGGREGATE|TYPE|DOMAIN|SEQUENCE|SCHEMA|TRIGGER|PUBLICATION|SERVER|OPERATOR|RULE|POLICY)\b|^INSERT\s`)
)

// isGlobal tells what is said of the server from what is said of a database.
func isGlobal(sql string) bool {
	return createRole.MatchString(sql) && !userMapping.MatchString(sql) || alterRole.MatchString(sql) || roleSettings.MatchString(sql) || grantRole.MatchString(sql) ||
		tablespace.MatchString(sql) || onParameter.MatchString(sql) || ofServer.MatchString(sql)
}

// global runs one such statement as the administrator, or leaves it out.
func (r *restore) global(ctx context.Context, c *pgx.Conn, sql string) error {
	if m := roleSettings.FindStringSubmatch(sql); m != nil {
		role := ""
		if m[1] == "" {
			role = unquote(m[2])
		}
		db := ""
		if m[3] != "" {
			db = unquote(m[3])
		}
		r.settings = append(r.settings, roleSetting{role: role, database: db, name: strings.ToLower(strings.Trim(m[5], `"`)), set: m[4]})
		return nil
	}
	if m := createRole.FindStringSubmatch(sql); m != nil {
		return r.role(ctx, c, unquote(m[1]), m[2])
	}
	if m := alterRole.FindStringSubmatch(sql); m != nil {
		return r.role(ctx, c, unquote(m[1]), m[2])
	}
	if m := grantRole.FindStringSubmatch(sql); m != nil {
		// The groups of identPattern lie between those of the lists.
		lists := grantLists.FindStringSubmatch(sql)
		return r.members(ctx, c, names(lists[1]), names(lists[2]), lists[3])
	}
	if m := tablespace.FindStringSubmatch(sql); m != nil {
		r.skip(leftTablespace(unquote(m[1])))
		return nil
	}
	if m := onParameter.FindStringSubmatch(sql); m != nil {
		r.skip("privileges on the parameter " + unquote(m[1]) + ": they are on the whole server")
	}
	return nil // dropped, commented on, labelled: nothing that a migration meets
}

var grantLists = lazy.Compile(`(?is)^GRANT\s+(.*?)\s+TO\s+(.*?)(?:\s+WITH\s+(.*?))?(?:\s+GRANTED\s+BY\s+.*)?$`)

func names(list string) (all []string) {
	for _, n := range listed.FindAllString(list, -1) {
		all = append(all, unquote(n))
	}
	return all
}

// given are the attributes that a role gets; refusedAttributes make a superuser
// of it, or could be made into one (CREATEROLE grants itself the programs and
// files of the server before 16).
var (
	given             = lazy.Compile(`(?i)\b(NO)?(LOGIN|INHERIT|BYPASSRLS)\b|\bCONNECTION\s+LIMIT\s+-?\d+`)
	refusedAttributes = lazy.Compile(`(?i)\b(SUPERUSER|CREATEROLE|CREATEDB|REPLICATION)\b`)
	quotedText        = lazy.Compile(`'(?:[^']|'')*'`)
)

func (r *restore) role(ctx context.Context, c *pgx.Conn, name, attributes string) error {
	if name == r.s.target.User || name == r.s.owner {
		return nil // this server's own administrator
	}
	r.roles = appendNew(r.roles, name)
	more, err := r.s.createRoles(ctx, c, []string{name})
	if err != nil {
		return err
	}
	for _, why := range more {
		r.skip(why)
	}
	attributes = quotedText.ReplaceAllString(attributes, "")
	if no := refusedAttributes.FindAllString(attributes, -1); len(no) > 0 {
		for i := range no {
			no[i] = strings.ToUpper(no[i])
		}
		slices.Sort(no)
		r.skip(fmt.Sprintf("attributes of role %s: %s, which the restored roles never are", name, strings.Join(slices.Compact(no), ", ")))
	}
	yes := given.FindAllString(attributes, -1)
	if len(yes) == 0 || len(more) > 0 {
		return nil
	}
	if r.s.guest() {
		r.asTheyAre()
		return nil
	}
	_, err = c.Exec(ctx, "ALTER ROLE "+ident(name)+" "+strings.Join(yes, " "))
	return err
}

func (r *restore) asTheyAre() {
	r.skip("what the roles may do, their memberships and their settings: left as they are on a server that others use")
}

// predefined are the roles of the server that lead nowhere out of the database.
// Others read files, run programs or connect elsewhere.
var predefined = []string{"pg_read_all_data", "pg_write_all_data", "pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables", "pg_signal_backend", "pg_checkpoint", "pg_maintain"}

var memberOption = lazy.Compile(`(?i)\b(ADMIN|INHERIT|SET)\s+(OPTION|TRUE|FALSE)\b`)

func (r *restore) members(ctx context.Context, c *pgx.Conn, of, who []string, with string) error {
	if r.s.guest() {
		r.asTheyAre()
		return nil
	}
	var options []string
	for _, m := range memberOption.FindAllStringSubmatch(with, -1) {
		what, value := strings.ToUpper(m[1]), strings.ToUpper(m[2])
		switch {
		case r.s.has().memberOptions:
			options = append(options, what+" "+value)
		case what == "ADMIN" && value != "FALSE":
			options = append(options, "ADMIN OPTION")
		}
	}
	for _, role := range of {
		for _, member := range who {
			if member == r.s.target.User || member == r.s.owner || role == r.s.owner {
				continue
			}
			if role == r.s.target.User || strings.HasPrefix(role, "pg_") && !slices.Contains(predefined, role) {
				r.skip(fmt.Sprintf("role %s as a member of %s: that leads out of the database", member, role))
				continue
			}
			more, err := r.s.createRoles(ctx, c, []string{role, member})
			if err != nil {
				return err
			}
			if len(more) > 0 {
				r.skipped = appendNew(r.skipped, more[0])
				continue
			}
			sql := "GRANT " + ident(role) + " TO " + ident(member)
			if len(options) > 0 {
				sql += " WITH " + strings.Join(options, ", ")
			}
			// Whoever granted it in production need not be able to here: the
			// administrator does.
			if _, err := c.Exec(ctx, sql); err != nil {
				var pgErr *pgconn.PgError
				if errors.As(err, &pgErr) {
					return statementError(sql, pgErr)
				}
				return err
			}
		}
	}
	return nil
}
