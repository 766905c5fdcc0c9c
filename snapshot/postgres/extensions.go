package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// extensions makes an archive's extensions, and the schemas they live in,
// before pg_restore would: each as whoever should own it. One that the server
// lacks is an error where something in the archive depends on it. Collations come
// beforehand too, and settings of the database.
func (r *restore) extensions(ctx context.Context, a *archive.Archive) error {
	r.called = a.Database
	r.nameLeftOut(a)
	var needed []string
	err := r.loading(ctx, func(l *loader) error {
		schemas := map[string]string{}
		for _, e := range a.Entries {
			if e.Desc == "SCHEMA" {
				schemas[e.Tag] = e.Defn
			}
		}
		for _, e := range a.Entries {
			switch e.Desc {
			case "EXTENSION":
				for name, defn := range schemas {
					if strings.Contains(e.Defn, " WITH SCHEMA "+name) || strings.Contains(e.Defn, " WITH SCHEMA "+ident(name)) {
						if err := l.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(name)); err != nil {
							return fmt.Errorf("%s: %w", oneLine(defn, 90), err)
						}
					}
				}
				before := len(r.missing)
				if err := l.run(ctx, strings.TrimRight(e.Defn, "; \n")); err != nil {
					return err
				}
				if len(r.missing) > before {
					need, err := l.withoutExtension(ctx, a, e)
					if err != nil {
						return err
					}
					if need != "" {
						needed = append(needed, need)
					}
				}
			case "DATABASE":
				r.dbOwner = e.Own
			case "DATABASE PROPERTIES":
				for stmt := range strings.SplitSeq(e.Defn, ";\n") {
					if stmt = strings.TrimRight(strings.TrimSpace(stmt), ";"); stmt == "" {
						continue
					}
					if err := l.run(ctx, stmt); err != nil {
						return err
					}
				}
			}
		}
		return l.collations(ctx, a)
	})
	if err == nil && len(needed) > 0 {
		err = fmt.Errorf("the target lacks %s", strings.Join(needed, " and "))
	}
	return err
}

// withoutExtension says of one that the server lacks what cannot do without it
// and how to have it, or "" where everything can.
func (l *loader) withoutExtension(ctx context.Context, a *archive.Archive, ext archive.Entry) (string, error) {
	needing := dependents(a, ext.ID)
	var names []string
	for _, e := range needing {
		if m := createServer.FindStringSubmatch(e.Defn); e.Desc == "SERVER" && m != nil && l.wrapper(ctx, unquote(m[1])) == nil {
			continue
		}
		names = append(names, strings.ToLower(e.Desc)+" "+strings.TrimPrefix(e.Namespace+"."+e.Tag, "."))
	}
	if len(names) == 0 {
		return "", nil
	}
	shown := strings.Join(names[:min(len(names), 3)], ", ")
	if n := len(names) - 3; n > 0 {
		shown += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s, which %s need", l.r.s.remedy([]string{ext.Tag}), shown), nil
}

// dependents are the objects that pg_dump says need an extension. Its comment,
// privileges on what is in it and rows of its own tables go with it.
func dependents(a *archive.Archive, id int) (all []archive.Entry) {
	tables := map[string]bool{}
	for _, e := range a.Entries {
		if e.Desc == "TABLE" || e.Desc == "SEQUENCE" || e.Desc == "MATERIALIZED VIEW" {
			tables[e.Namespace+"."+e.Tag] = true
		}
	}
	key := fmt.Sprint(id)
	for _, e := range a.Entries {
		switch e.Desc {
		case "COMMENT", "ACL", "DEFAULT ACL", "SECURITY LABEL", "EXTENSION", "EVENT TRIGGER":
			continue
		case "TABLE DATA", "SEQUENCE SET":
			if !tables[e.Namespace+"."+e.Tag] {
				continue
			}
		}
		if slices.Contains(e.Deps, key) {
			all = append(all, e)
		}
	}
	return all
}

// remedy says of extensions where to have them.
func (s *Server) remedy(extensions []string) string {
	var parts []string
	install := false
	for _, e := range extensions {
		if f, why := flavourOf(e); f != "" {
			parts = append(parts, fmt.Sprintf("the extension %s (%s; only %s has it: dump without what needs it, by --exclude-schema or --exclude-table)", e, why, f))
			continue
		}
		parts = append(parts, fmt.Sprintf("the extension %s (package %s)", e, s.packageOf(e)))
		install = true
	}
	text := strings.Join(parts, " and ")
	if install {
		text += "; install it where the server's binaries are (--target local), or use an image that has it (--target container)"
	}
	return text
}

// packageOf names the Debian package (apt.postgresql.org) of an extension.
func (s *Server) packageOf(extension string) string {
	v := s.major()
	special := map[string]string{
		"postgis": "postgresql-%d-postgis-3", "postgis_topology": "postgresql-%d-postgis-3", "postgis_raster": "postgresql-%d-postgis-3",
		"postgis_sfcgal": "postgresql-%d-postgis-3", "postgis_tiger_geocoder": "postgresql-%d-postgis-3", "address_standardizer": "postgresql-%d-postgis-3",
		"vector": "postgresql-%d-pgvector", "timescaledb": "timescaledb-2-postgresql-%d", "citus": "postgresql-%d-citus",
		"pg_cron": "postgresql-%d-cron", "pg_partman": "postgresql-%d-partman", "pg_repack": "postgresql-%d-repack",
		"pgaudit": "postgresql-%d-pgaudit", "hypopg": "postgresql-%d-hypopg", "hll": "postgresql-%d-hll", "rum": "postgresql-%d-rum",
		"ip4r": "postgresql-%d-ip4r", "pgrouting": "postgresql-%d-pgrouting", "orafce": "postgresql-%d-orafce", "pgtap": "postgresql-%d-pgtap",
		"plpython3u": "postgresql-plpython3-%d", "plperl": "postgresql-plperl-%d", "plperlu": "postgresql-plperl-%d",
		"pltcl": "postgresql-pltcl-%d", "pltclu": "postgresql-pltcl-%d", "pg_stat_kcache": "postgresql-%d-pg-stat-kcache",
		"wal2json": "postgresql-%d-wal2json", "pglogical": "postgresql-%d-pglogical", "semver": "postgresql-%d-semver",
		"prefix": "postgresql-%d-prefix", "periods": "postgresql-%d-periods", "h3": "postgresql-%d-h3", "age": "postgresql-%d-age",
	}
	if p, ok := special[extension]; ok {
		return fmt.Sprintf(p, v)
	}
	contrib := []string{"adminpack", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int", "dict_xsyn",
		"earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username", "intagg", "intarray", "isn", "lo", "ltree", "moddatetime",
		"pageinspect", "pg_buffercache", "pg_freespacemap", "pg_prewarm", "pg_stat_statements", "pg_trgm", "pg_visibility", "pg_walinspect",
		"pgcrypto", "pgrowlocks", "pgstattuple", "postgres_fdw", "refint", "seg", "sslinfo", "tablefunc", "tcn", "tsm_system_rows",
		"tsm_system_time", "unaccent", "uuid-ossp", "xml2"}
	if slices.Contains(contrib, extension) {
		return "postgresql-contrib"
	}
	return fmt.Sprintf("postgresql-%d-%s, perhaps", v, strings.ReplaceAll(extension, "_", "-"))
}
