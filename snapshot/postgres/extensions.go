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
// lacks is an error where something in the archive depends on it.
func (r *restore) extensions(ctx context.Context, a *archive.Archive) error {
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
				if len(r.missing) > before && dependedOn(a, e.ID) {
					needed = append(needed, e.Tag)
				}
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
		return nil
	})
	if err == nil && len(needed) > 0 {
		err = fmt.Errorf("the target lacks %s", r.s.remedy(needed))
	}
	return err
}

// dependedOn: pg_dump writes down for each object the extension it needs. The
// extension's comment does not count.
func dependedOn(a *archive.Archive, id int) bool {
	key := fmt.Sprint(id)
	for _, e := range a.Entries {
		if e.Desc != "COMMENT" && slices.Contains(e.Deps, key) {
			return true
		}
	}
	return false
}

// remedy says of extensions which package has them.
func (s *Server) remedy(extensions []string) string {
	var parts []string
	for _, e := range extensions {
		parts = append(parts, fmt.Sprintf("the extension %s (package %s)", e, s.packageOf(e)))
	}
	return strings.Join(parts, " and ") +
		"; install it where the server's binaries are (--target local), or use an image that has it (--target container)"
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
