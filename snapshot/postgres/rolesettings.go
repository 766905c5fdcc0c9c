package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// roleSetting is one ALTER ROLE … [IN DATABASE …] SET of a dump.
type roleSetting struct {
	role     string // "" for ALL
	database string // as in production; "" for all of them
	name     string // "" for RESET ALL
	set      string // "SET search_path TO …"
}

// unfit are settings that must not be production's here, and why.
func unfit(name string) string {
	switch strings.ToLower(name) {
	case "session_preload_libraries", "local_preload_libraries", "shared_preload_libraries", "dynamic_library_path", "extension_control_path":
		return "libraries of the production server are not loaded here"
	case "role", "session_authorization":
		return "the migrations run as the owner of everything restored"
	case "default_tablespace", "temp_tablespaces":
		return "tablespaces are not restored"
	}
	return ""
}

var altersDatabase = lazy.Compile(`(?is)^(SET\s+([\w.]+|"[^"]+")|RESET\b)`)

// databaseSetting runs ALTER DATABASE … SET on the restored database, whatever
// its name was.
func (l *loader) databaseSetting(ctx context.Context, database, rest string) error {
	if l.r.otherDatabase(database) {
		return nil
	}
	m := altersDatabase.FindStringSubmatch(rest)
	if m == nil { // CONNECTION LIMIT, IS_TEMPLATE, TABLESPACE, REFRESH COLLATION VERSION
		return nil
	}
	name := strings.Trim(m[2], `"`)
	if why := unfit(name); why != "" {
		l.skip(fmt.Sprintf("setting %s of the database: %s", name, why))
		return nil
	}
	return l.exec(ctx, "ALTER DATABASE "+ident(l.r.name)+" "+rest)
}

// otherDatabase: a statement on a database that is not the one restored. Where
// nothing said what that was called, any may be it.
func (r *restore) otherDatabase(name string) bool {
	return r.called != "" && name != r.called
}

// applySettings gives roles the settings that the dump had for them. The
// migrating role, which stands in for who owned the database, has that role's in
// this database.
func (r *restore) applySettings(ctx context.Context) error {
	if len(r.settings) == 0 {
		return nil
	}
	if r.s.guest() {
		r.asTheyAre()
		return nil
	}
	called := r.called
	if called == "" {
		if called = r.onlySettingsFor(); called == "" {
			for _, st := range r.settings {
				if st.database != "" {
					r.skip(fmt.Sprintf("settings of roles in the database %s: the dump does not say that it is the one restored", st.database))
				}
			}
		}
	}
	return r.s.on(ctx, r.name, func(c *pgx.Conn) error {
		// What is said of a role in one database counts for more than what is
		// said of it in all, so it comes later.
		for _, inDatabase := range []bool{false, true} {
			for _, st := range r.settings {
				if (st.database != "") != inDatabase || inDatabase && st.database != called {
					continue
				}
				if err := r.applySetting(ctx, c, st); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// onlySettingsFor is the one database that settings are for, or "".
func (r *restore) onlySettingsFor() (name string) {
	for _, st := range r.settings {
		if st.database != "" && name != "" && st.database != name {
			return ""
		}
		if st.database != "" {
			name = st.database
		}
	}
	return name
}

func (r *restore) applySetting(ctx context.Context, c *pgx.Conn, st roleSetting) error {
	if why := unfit(st.name); why != "" {
		r.skip(fmt.Sprintf("setting %s of role %s: %s", st.name, st.role, why))
		return nil
	}
	in := " IN DATABASE " + ident(r.name) + " "
	var statements []string
	switch {
	case st.role == "" && st.database != "":
		statements = append(statements, "ALTER ROLE ALL"+in+st.set)
	case st.role == "":
		statements = append(statements, "ALTER DATABASE "+ident(r.name)+" "+st.set) // ALL of them, on a server that is ours
	case st.role == r.dbOwner:
		statements = append(statements, "ALTER ROLE "+ident(r.s.owner)+in+st.set)
		fallthrough
	default:
		if st.role == r.s.target.User || st.role == r.s.owner {
			break
		}
		more, err := r.s.createRoles(ctx, c, []string{st.role})
		if err != nil {
			return err
		}
		if len(more) > 0 {
			r.skip(more[0])
			break
		}
		where := " "
		if st.database != "" {
			where = in
		}
		statements = append(statements, "ALTER ROLE "+ident(st.role)+where+st.set)
	}
	for _, sql := range statements {
		_, err := c.Exec(ctx, sql)
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &pgErr) && slices.Contains([]string{"42704", "22023", "42602", "22P02", "0A000"}, pgErr.Code):
			// Never the value: it may be a secret.
			r.skip(fmt.Sprintf("setting %s of role %s: not for this server's version or build (SQLSTATE %s)", st.name, st.role, pgErr.Code))
		default:
			return fmt.Errorf("set %s for role %s: %w", st.name, st.role, err)
		}
	}
	return nil
}
