package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// RestoreOptions tune a restore. The zero value works.
type RestoreOptions struct {
	// Jobs is how many connections load data at once; 0 means one for each
	// processor, at least 2 and at most 8.
	Jobs int
	// Progress is told of bytes done out of total, where total is of the
	// snapshot's files. May be nil. It is never called twice at once.
	Progress func(done, total int64)
}

// Restore loads a snapshot into the first instance, which must be running and
// hold no database of that name yet, and returns it as a baseline that is not
// sealed. Everything in it belongs to the migrating account. What was tolerated
// is in the manifest; everything else that goes wrong is an error that names
// the line of the dump, and leaves no database behind.
//
// Manifest.Rows is the number of rows that the dump inserted, exact; of SQL
// that no dump tool wrote it is counted up to a million rows a table and
// estimated beyond. Manifest.Bytes is of data and indexes, as the server
// reports them.
func (s *Server) Restore(ctx context.Context, src snapshot.Source, opt RestoreOptions) (*Baseline, snapshot.Manifest, error) {
	if opt.Jobs <= 0 {
		opt.Jobs = defaultJobs()
	}
	if opt.Progress == nil {
		opt.Progress = func(int64, int64) {}
	}
	r := &restore{s: s, src: src, opt: opt}
	m, err := r.run(ctx)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // whatever broke off because of it
	}
	for i := range m.Skipped {
		m.Skipped[i] = r.names().Show(m.Skipped[i])
	}
	if err != nil {
		return nil, m, fmt.Errorf("restore snapshot %s: %w", src.Path, r.names().err(err))
	}
	return &Baseline{s: s}, m, nil
}

// restore is one restore on its way.
type restore struct {
	s   *Server
	src snapshot.Source
	opt RestoreOptions

	skipped  []string
	definers []string
	// schemas are the databases made, in the order of the dump.
	schemas []string
	// assumed are those of them for which the dump has no CREATE DATABASE.
	assumed []string
	// shown is the name of the one database there is room for on a server that
	// somebody else runs, "" until the dump gives it; schemas has what it is
	// called there.
	shown string
	// named is the database that a dump of one database says it is of, "" if
	// it does not say.
	named string
	// dumped: a tool wrote it, so no INSERT depends on another.
	dumped bool
	rows   int64
}

func (r *restore) run(ctx context.Context) (m snapshot.Manifest, err error) {
	load := r.plain
	switch r.src.Format {
	case snapshot.FormatPlain:
		err = r.readHead()
	case snapshot.FormatMydumper:
		load, r.dumped = r.mydumper, true
	case snapshot.FormatShell:
		load, r.dumped = r.shell, true
	default:
		err = fmt.Errorf("it is no dump of MySQL or MariaDB but of format %q", r.src.Format)
	}
	if err != nil {
		return m, err
	}
	if err := r.checkOrigin(); err != nil {
		return m, err
	}
	if err := r.checkSpace(ctx); err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, r.undo(clean))
		}
	}()
	if err := r.loading(ctx, load); err != nil {
		return m, err
	}
	if len(r.schemas) == 0 {
		return m, errors.New("it holds nothing: no database was restored")
	}
	if !r.s.OwnAccount() {
		r.skip(fmt.Sprintf("a migrating account of its own: %s may not create one that has rights (CREATE USER, WITH GRANT OPTION), so migrations run as it", r.s.target.User))
	}
	slices.Sort(r.definers)
	if len(r.definers) > 0 {
		r.skip("definers " + strings.Join(slices.Compact(r.definers), ", ") + ": what they defined belongs to the migrating account")
	}
	err = r.s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
		if err := r.hand(ctx, c); err != nil {
			return err
		}
		return r.count(ctx, c, &m)
	})
	m.Skipped = r.skipped
	return m, err
}

func (r *restore) undo(ctx context.Context) error {
	return r.s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
		var errs []error
		for _, name := range r.schemas {
			_, err := c.ExecContext(ctx, "DROP DATABASE IF EXISTS "+ident(name))
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

func (r *restore) skip(what string) {
	if !slices.Contains(r.skipped, what) {
		r.skipped = append(r.skipped, what)
	}
}

// checkOrigin refuses what the server cannot be expected to read: dumps of the
// other product, and of a newer series.
func (r *restore) checkOrigin() error {
	engine, version := r.src.Engine, r.src.ServerVersion
	if engine == "" {
		return nil // it does not say; what the server cannot read, it will
	}
	words := map[string]string{snapshot.MySQL: "MySQL", snapshot.MariaDB: "MariaDB"}
	switch {
	case words[engine] == "":
		return fmt.Errorf("the snapshot is of %s; use --engine %s", engine, engine)
	case engine != r.s.Engine():
		return fmt.Errorf("the dump is of %s, the server is %s, and they do not read each other's dumps reliably; use --engine %s",
			strings.TrimSpace(words[engine]+" "+version), r.words(), engine)
	}
	dumped, have := snapshot.Series(engine, version), snapshot.Series(engine, r.s.version)
	if _, n := parseVersion(dumped); n/100 > r.s.num/100 {
		return fmt.Errorf("the dump is of %s %s, the server is %s and may not know what is in it: give --server-version %s",
			words[engine], dumped, have, dumped)
	}
	return nil
}

// Estimate says how many bytes a snapshot takes once restored, from its size
// and how it is compressed. Measured on MySQL 9.7.4: 1.6 times the SQL, with two
// or three secondary indexes a table; gzip and zstd make a fifth of SQL.
func Estimate(src snapshot.Source) int64 {
	if src.Compression != "" {
		return 8 * src.Size
	}
	return 7 * src.Size / 4
}

// checkSpace wants room for the baseline and two copies of it.
func (r *restore) checkSpace(ctx context.Context) error {
	free, err := r.s.target.Tools.Free(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errors.ErrUnsupported) { // on a server that somebody else runs nobody can tell
			return nil
		}
		r.skip(fmt.Sprintf("disk space was not checked: %s", err))
		return nil
	}
	data := Estimate(r.src)
	if need := 3*data + 1<<29; free < need {
		return fmt.Errorf("about %s of disk are needed (the restored data is estimated at %s, and there are a baseline, two copies and the log), and %s are free where the target keeps its data; free some, or put its scratch directory elsewhere",
			size(need), size(data), size(free))
	}
	return nil
}

func size(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
	}
	return fmt.Sprintf("%d GiB", (n+1<<30-1)>>30)
}

// hand gives everything to the migrating account, and makes the database that
// migrations connect to known.
func (r *restore) hand(ctx context.Context, c *sql.Conn) error {
	main, why, err := r.main(ctx, c)
	if err != nil {
		return err
	}
	if why != "" {
		r.skip(why)
	}
	if r.shown != "" {
		main = r.shown
	}
	if err := r.s.create(ctx, c, main, ""); err != nil {
		return err
	}
	return r.s.setOwner(ctx, c, r.schemas...)
}

// ledgers are tables in which tools note what they applied.
var ledgers = []string{"schema_migrations", "flyway_schema_history", "schema_version", "goose_db_version", "databasechangelog", "atlas_schema_revisions",
	"alembic_version", "_sqlx_migrations", "_prisma_migrations", "django_migrations", "knex_migrations", "gorp_migrations", "phinxlog", "migrations",
	"doctrine_migration_versions", "sequelizemeta", "__efmigrationshistory", "__diesel_schema_migrations", "dbmate_migrations", "ar_internal_metadata"}

// main is the database that migrations connect to: of several the first, or
// the only one with a ledger.
func (r *restore) main(ctx context.Context, c *sql.Conn) (name, why string, err error) {
	if len(r.schemas) == 1 {
		return r.schemas[0], "", nil
	}
	var with []string
	quoted := make([]string, len(ledgers))
	for i, l := range ledgers {
		quoted[i] = literal(l)
	}
	found, err := column(ctx, c, "SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES WHERE LOWER(TABLE_NAME) IN ("+strings.Join(quoted, ", ")+")")
	if err != nil {
		return "", "", err
	}
	for _, s := range r.schemas {
		if slices.Contains(found, s) {
			with = append(with, s)
		}
	}
	name, reason := r.schemas[0], "the first"
	if len(with) == 1 {
		name, reason = with[0], "the only one with a ledger of migrations"
	}
	return name, fmt.Sprintf("%d databases were restored (%s); migrations connect to %s, %s", len(r.schemas), strings.Join(r.schemas, ", "), name, reason), nil
}

// count fills the manifest. A dump without anything in it is no snapshot.
func (r *restore) count(ctx context.Context, c *sql.Conn, m *snapshot.Manifest) error {
	if !r.s.maria {
		if _, err := c.ExecContext(ctx, "SET SESSION information_schema_stats_expiry = 0"); err != nil {
			return err
		}
	}
	in := make([]string, len(r.schemas))
	for i, s := range r.schemas {
		in[i] = literal(s)
	}
	list := "(" + strings.Join(in, ", ") + ")"
	var objects int64
	err := c.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA IN `+list+`)
		+ (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN `+list+`)
		+ (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN `+list+`)`).Scan(&objects)
	if err == nil && objects == 0 {
		err = errors.New("it holds nothing: no table, view, routine or event was restored")
	}
	if err != nil {
		return err
	}
	rows, err := c.QueryContext(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH + INDEX_LENGTH, 0)
		FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA IN `+list)
	if err != nil {
		return err
	}
	defer rows.Close()
	type table struct {
		schema, name string
		rows         int64
	}
	var tables []table
	for rows.Next() {
		var t table
		var bytes int64
		if err := rows.Scan(&t.schema, &t.name, &t.rows, &bytes); err != nil {
			return err
		}
		tables, m.Bytes = append(tables, t), m.Bytes+bytes
	}
	if err := rows.Err(); err != nil || r.dumped {
		m.Rows = r.rows
		return err
	}
	for _, t := range tables {
		if t.rows < 1_000_000 {
			if err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+ident(t.schema, t.name)).Scan(&t.rows); err != nil {
				return err
			}
		}
		m.Rows += t.rows
	}
	return nil
}
