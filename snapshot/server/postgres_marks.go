package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot"
	pg "github.com/migration-gate/migration-gate/snapshot/postgres"
)

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
