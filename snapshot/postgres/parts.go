package postgres

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// restoreParts restores one after another.
func (r *restore) restoreParts(ctx context.Context, parts []*part) error {
	whole, report := r.src, r.opt.Progress
	defer func() { r.src, r.opt.Progress, r.part, r.replica = whole, report, nil, false }()
	done := int64(0)
	for _, p := range parts {
		if len(parts) > 1 {
			before := done
			r.opt.Progress = func(n, total int64) {
				if total > 0 {
					report(before+int64(float64(n)/float64(total)*float64(p.src.Size)), max(whole.Size, 1))
				}
			}
		}
		r.src, r.part, r.replica, r.vacuumed = p.src, p, false, nil
		if err := r.restorePart(ctx, p); err != nil {
			var said *pgconn.PgError
			if errors.As(err, &said) && said.Code == "23503" && p.role == snapshot.RoleData && !r.replica {
				err = fmt.Errorf("%w; the rows came in with the schema's foreign keys in force, for the account may not set session_replication_role: "+
					"give one dump of schema and rows (pg_dump --format=custom)", err)
			}
			if p.role == snapshot.RoleData && lacksTable.MatchString(err.Error()) {
				err = fmt.Errorf("%w; the dump of the schema has no place for it: dump schema and rows at the same moment, or leave that table out of the rows (pg_dump --exclude-table-data)", err)
			}
			if len(parts) > 1 {
				err = fmt.Errorf("%s: %w", filepath.Base(p.src.Path), err)
			}
			return err
		}
		done += p.src.Size
	}
	if slices.ContainsFunc(parts, func(p *part) bool { return p.role == snapshot.RoleData }) {
		r.replica = false
		return r.fillViews(ctx)
	}
	return nil
}

// lacksTable is what rows without their place are answered with: pg_restore shows
// no codes.
var lacksTable = lazy.Compile(`(?:relation|column|schema) ".*" (?:of relation ".*" )?does not exist|INSERT has more expressions than target columns`)

// fillViews fills the materialized views, which a schema without rows leaves
// empty and a dump of rows alone does not have. None reads one that was made
// after it.
func (r *restore) fillViews(ctx context.Context) error {
	return r.loading(ctx, func(l *loader) error {
		rows, err := l.c.Query(ctx, `SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY c.oid`)
		if err != nil {
			return err
		}
		views, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, view := range views {
			if err := l.run(ctx, "REFRESH MATERIALIZED VIEW "+view); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *restore) restorePart(ctx context.Context, p *part) error {
	if p.role != snapshot.RoleData {
		return r.load(ctx, p)
	}
	after, err := r.beforeRows(ctx)
	if err == nil {
		err = r.load(ctx, p)
	}
	if err == nil {
		err = after(ctx)
	}
	return err
}

func (r *restore) load(ctx context.Context, p *part) error {
	switch {
	case p.role == snapshot.RoleGlobals:
		in, err := r.counted(ctx)
		if err != nil {
			return err
		}
		defer in.Close()
		return r.globals(ctx, in)
	case p.a == nil:
		return r.plain(ctx)
	}
	return r.archived(ctx, p)
}

// beforeRows settles how rows come into a schema that has its constraints and
// triggers already, until after puts that back. On a server of our own neither is
// in force meanwhile. On another's that takes a right; without it, an owner can
// still switch off triggers, and foreign keys hold in the order that
// pg_dump --data-only has found.
func (r *restore) beforeRows(ctx context.Context) (after func(context.Context) error, err error) {
	after = func(context.Context) error { return nil }
	err = r.loading(ctx, func(l *loader) error {
		if _, err := l.c.Exec(ctx, "SET session_replication_role = replica"); err == nil {
			r.replica = true
			return nil
		}
		rows, err := l.c.Query(ctx, `SELECT pg_catalog.format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', tgrelid::pg_catalog.regclass, tgname),
				pg_catalog.format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', tgrelid::pg_catalog.regclass, CASE tgenabled WHEN 'A' THEN 'ALWAYS' END, tgname)
			FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') ORDER BY oid`)
		if err != nil {
			return err
		}
		var off, on []string
		var disable, enable string
		if _, err := pgx.ForEachRow(rows, []any{&disable, &enable}, func() error {
			off, on = append(off, disable), append(on, enable)
			return nil
		}); err != nil {
			return err
		}
		after = func(ctx context.Context) error { return r.each(ctx, on) }
		return l.each(ctx, off)
	})
	return after, err
}

// each runs statements of which none may be left out.
func (l *loader) each(ctx context.Context, statements []string) error {
	for _, sql := range statements {
		if _, err := l.c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func (r *restore) each(ctx context.Context, statements []string) error {
	if len(statements) == 0 {
		return nil
	}
	return r.loading(ctx, func(l *loader) error { return l.each(ctx, statements) })
}

// archived restores an archive: by pg_restore where there is one that can read
// it, else over the wire.
func (r *restore) archived(ctx context.Context, p *part) error {
	a := p.a
	if err := r.extensions(ctx, a); err != nil {
		return err
	}
	err := error(&cannotRead{})
	if p.forPgRestore() {
		err = r.pgRestore(ctx, a)
	}
	var unable *cannotRead
	if errors.Is(err, snapshot.ErrNoTool) || errors.As(err, &unable) {
		err = r.overWire(ctx, p)
	}
	if err != nil {
		return err
	}
	return r.loading(ctx, func(l *loader) error {
		l.unseen(ctx)
		for _, e := range a.Entries {
			switch {
			case e.Own == "", !r.hasRole(ctx, l.c, e.Own):
			case e.Desc == "SCHEMA":
				if err := l.exec(ctx, "GRANT ALL ON SCHEMA "+ident(e.Tag)+" TO "+ident(e.Own)); err != nil {
					return err
				}
			case e.Desc != "DATABASE":
				r.owners = appendNew(r.owners, e.Own)
			}
		}
		return nil
	})
}

// rolesOf lists the roles that archives name.
func rolesOf(parts []*part, owners bool) (roles []string) {
	for _, p := range parts {
		if p.a == nil {
			continue
		}
		for _, role := range rolesIn(p.a, owners) {
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
	}
	return roles
}
