package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
	pg "github.com/migration-gate/migration-gate/snapshot/postgres"
)

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
