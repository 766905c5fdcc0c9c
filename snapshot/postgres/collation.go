package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// A server has the locales of its machine: another's dump may name some that
// this one lacks. In which order text sorts changes no lock and no rewrite, so
// such a collation is there under its name and sorts by bytes, and the manifest
// says so. What does depend on the order (a range of text, a partition's bounds)
// fails on the spot, and then the locale is named as what may be missing.

var (
	createCollation = lazy.Compile(`(?is)^CREATE\s+COLLATION\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:` + identPattern + `\.)?` + identPattern + `)\s*\((.*)\)$`)
	localeName      = lazy.Compile(`(?is)\b(?:locale|lc_collate)\s*=\s*'((?:[^']|'')*)'`)
	usesCollation   = lazy.Compile(`\bCOLLATE pg_catalog\.` + identPattern)
)

// collation makes one, or one of its name that sorts by bytes.
func (l *loader) collation(ctx context.Context, sql string) error {
	err := l.c.PgConn().Exec(ctx, sql).Close()
	var pgErr *pgconn.PgError
	if err == nil || !errors.As(err, &pgErr) {
		return err
	}
	m := createCollation.FindStringSubmatch(sql)
	if slices.Contains([]string{"42501", "42710", "3F000"}, pgErr.Code) || m == nil {
		return l.exec(ctx, sql) // nothing to do with its locale
	}
	locale := m[1]
	if n := localeName.FindStringSubmatch(m[4]); n != nil {
		locale = n[1]
	}
	if err := l.exec(ctx, "CREATE COLLATION "+m[1]+" (LOCALE = 'C')"); err != nil {
		return statementError(sql, pgErr)
	}
	l.sortsByBytes("collation "+m[1], locale)
	return nil
}

func (l *loader) sortsByBytes(what, locale string) {
	l.r.locales = appendNew(l.r.locales, locale)
	l.skip(fmt.Sprintf("%s (locale %s): not on this server, text in it sorts by bytes", what, locale))
}

// systemCollation makes one of those that a server makes of its machine's
// locales when it is set up.
func (l *loader) systemCollation(ctx context.Context, name string) error {
	err := l.asAdmin(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE COLLATION IF NOT EXISTS pg_catalog."+ident(name)+" (LOCALE = 'C')")
		return err
	})
	if err == nil {
		l.sortsByBytes("collation "+ident(name), name)
	}
	return err
}

// collations makes what an archive needs before pg_restore, whose parallel jobs
// would leave out every table that names one.
func (l *loader) collations(ctx context.Context, a *archive.Archive) error {
	needed := map[string]bool{}
	for _, e := range a.Entries {
		for _, m := range usesCollation.FindAllStringSubmatch(e.Defn, -1) {
			if m[1] != `"default"` && m[1] != `"C"` && m[1] != `"POSIX"` {
				needed[unquote(m[1])] = true
			}
		}
		if e.Desc != "COLLATION" {
			continue
		}
		if err := l.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(e.Namespace)); err != nil {
			return err
		}
		if err := l.run(ctx, strings.TrimRight(e.Defn, "; \n")); err != nil {
			return fmt.Errorf("COLLATION %s: %w", e.Tag, err)
		}
	}
	if len(needed) == 0 {
		return nil
	}
	rows, err := l.c.Query(ctx, `SELECT collname FROM pg_catalog.pg_collation WHERE collnamespace = 'pg_catalog'::pg_catalog.regnamespace
		AND collencoding IN (-1, (SELECT encoding FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))`)
	if err != nil {
		return err
	}
	have, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range have {
		delete(needed, name)
	}
	missing := make([]string, 0, len(needed))
	for name := range needed {
		missing = append(missing, name)
	}
	slices.Sort(missing)
	for _, name := range missing {
		if err := l.systemCollation(ctx, name); err != nil {
			return fmt.Errorf("the target lacks the collation %s, which the dump names, and the account may not make it: %w; install the locale where the server is, or use another target", name, err)
		}
	}
	return nil
}
