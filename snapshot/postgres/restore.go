package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
)

// RestoreOptions tune a restore. The zero value works.
type RestoreOptions struct {
	// Jobs is how many tables and indexes are restored at once; 0 means 2.
	Jobs int
	// Progress is told of bytes done out of total, where total is of the
	// snapshot's file or an estimate of the restored database. May be nil.
	Progress func(done, total int64)
	// Stage is told when a stage of the restore begins ("unpack", "rows",
	// "indexes", "foreign keys", "statistics", "restarts" of the server), and returns what to call at its
	// end. They come one after the other, and again. May be nil.
	Stage func(name string) (end func())
	// Roles are made beforehand besides those that the dump names.
	Roles []string
}

// Restore makes a database of a snapshot and returns it as a baseline that is
// not sealed yet. Everything in it belongs to the migrating role, which is a
// superuser only while Restore runs. What was tolerated is in the manifest;
// everything else that goes wrong is an error that names the object, and leaves
// no database behind. For a large one the server is restarted before and after,
// so nothing else may be at work on it.
func (s *Server) Restore(ctx context.Context, src snapshot.Source, name string, opt RestoreOptions) (*Baseline, snapshot.Manifest, error) {
	if opt.Jobs <= 0 {
		opt.Jobs = 2
	}
	if opt.Progress == nil {
		opt.Progress = func(int64, int64) {}
	}
	own := name
	name, err := s.real(name)
	if err != nil {
		return nil, snapshot.Manifest{}, fmt.Errorf("restore snapshot %s: %w", src.Path, err)
	}
	s.wanted = opt.Roles
	r := &restore{s: s, src: src, name: name, own: own, opt: opt}
	r.track.r = r
	defer r.track.stage("")
	var m snapshot.Manifest
	err = r.hastened(ctx, func() (err error) {
		m, err = r.run(ctx)
		return err
	})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // whatever broke off because of it
	}
	if err != nil {
		return nil, m, fmt.Errorf("restore snapshot %s: %w", src.Path, err)
	}
	return &Baseline{s: s, name: name}, m, nil
}

// restore is one restore on its way.
type restore struct {
	s *Server
	// src is the snapshot, and while part is set, that alone.
	src  snapshot.Source
	part *part
	// replica: rows come in without their tables' triggers and foreign keys.
	replica bool
	name    string // of the database on the server, and without its prefix
	own     string
	opt     RestoreOptions
	skipped []string
	// missing lists extensions that the server lacks and that were left out.
	missing []string
	// locales lists those that the server lacks, and whose text sorts by bytes.
	locales []string
	// owners are the roles that owned what is restored, dbOwner the one that
	// owned the database, called its name in production: "" where unknown.
	owners          []string
	dbOwner, called string
	// roles that the dump names.
	roles []string
	// settings of roles wait until everything is there.
	settings []roleSetting
	// known says of roles whether the server has them, where it is another's.
	known map[string]bool
	// vacuumed are tables that nothing was written to since they were.
	vacuumed map[uint32]bool
	track    track
}

func (r *restore) run(ctx context.Context) (m snapshot.Manifest, err error) {
	if err := r.checkVersion(); err != nil {
		return m, err
	}
	if err := r.checkSpace(ctx); err != nil {
		return m, err
	}
	parts, l, err := r.openParts(ctx)
	if err != nil {
		return m, err
	}
	defer closeParts(parts)
	r.roles = rolesOf(parts, !r.s.guest())
	roles := append(slices.Clone(r.opt.Roles), r.roles...)
	if err := r.s.create(ctx, r.name, l, roles, &r.skipped); err != nil {
		return m, fmt.Errorf("create database %s: %w", r.name, err)
	}
	defer func() {
		if err != nil {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			err = errors.Join(err, r.s.Drop(clean, r.own))
		}
	}()
	if err := r.privileged(ctx, func() error {
		r.track.stage(stageRows)
		stop := r.track.watch(ctx)
		err := r.restoreParts(ctx, parts)
		stop()
		if err != nil {
			return err
		}
		if err := r.formerOwners(ctx); err != nil {
			return err
		}
		return r.applySettings(ctx)
	}); err != nil {
		return m, err
	}
	if err := r.lastVacuum(ctx); err != nil {
		return m, fmt.Errorf("gather statistics: %w", err)
	}
	return r.manifest(ctx)
}

// privileged runs f while the migrating role is a superuser: it then creates
// everything itself, and so owns it, without being refused what only an
// administrator may. On a server that others use it never is one.
func (r *restore) privileged(ctx context.Context, f func() error) error {
	if r.s.guest() { // what it is refused is left out, and told
		if err := f(); err != nil || !r.s.super || r.s.has().publicOwner == "" {
			return err
		}
		return r.s.on(ctx, r.name, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, `DO $$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
				ALTER SCHEMA public OWNER TO pg_database_owner; END IF; END $$`)
			return err
		})
	}
	set := func(ctx context.Context, attributes string) error {
		return r.s.on(ctx, r.s.home, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, "ALTER ROLE "+ident(r.s.owner)+" "+attributes)
			return err
		})
	}
	if err := set(ctx, "SUPERUSER NOLOGIN"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = r.adopt(ctx)
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(err, set(clean, "NOSUPERUSER LOGIN"))
}

// formerOwners lets those who owned what is restored make things in public, as
// they must have been able to: a migration may hand over what it makes.
func (r *restore) formerOwners(ctx context.Context) error {
	return r.loading(ctx, func(l *loader) error {
		l.unseen(ctx)
		var there bool
		err := l.c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')").Scan(&there)
		if err != nil || !there {
			return err
		}
		for _, owner := range r.owners {
			if !r.hasRole(ctx, l.c, owner) {
				continue
			}
			if err := l.exec(ctx, "GRANT ALL ON SCHEMA public TO "+ident(owner)); err != nil {
				return err
			}
		}
		return nil
	})
}

// adopt hands the migrating role what the dump made as somebody else after
// all, and the schema that every database begins with.
func (r *restore) adopt(ctx context.Context) error {
	return r.s.on(ctx, r.name, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "SET session_replication_role = replica"); err != nil { // no event trigger of the dump fires
			return err
		}
		public := cmp.Or(r.s.has().publicOwner, r.s.owner)
		_, err := c.Exec(ctx, `DO $$ DECLARE x record; BEGIN
			IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public') THEN
				ALTER SCHEMA public OWNER TO `+public+`;
			END IF;
			FOR x IN SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtowner <> '`+r.s.owner+`'::pg_catalog.regrole
				AND oid NOT IN (SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'e' AND classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass) LOOP
				EXECUTE pg_catalog.format('ALTER EVENT TRIGGER %I OWNER TO `+r.s.owner+`', x.evtname);
			END LOOP;
			FOR x IN SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
				WHERE d.deptype = 'o' AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
				AND NOT r.rolsuper AND r.rolname NOT LIKE 'pg\_%' AND r.rolname <> '`+r.s.owner+`' LOOP
				EXECUTE pg_catalog.format('REASSIGN OWNED BY %I TO `+r.s.owner+`', x.rolname);
			END LOOP;
		END $$`)
		if err != nil {
			return fmt.Errorf("hand the restored objects to the migrating role: %w", err)
		}
		return nil
	})
}

func (r *restore) checkVersion() error {
	dumped, err := strconv.Atoi(snapshot.Major(r.src.ServerVersion))
	if err != nil || dumped <= r.s.major() {
		return nil // older, equal, or it does not say
	}
	return fmt.Errorf("the snapshot was taken from PostgreSQL %s, the target runs %s and may not know what is in it; use --server-version %d",
		r.src.ServerVersion, r.s.version, dumped)
}

// Estimate says how many bytes a snapshot takes once restored: measured twice
// what its SQL and rows are in text, indexes included; real data lies within a
// factor of 2.
func Estimate(src snapshot.Source) int64 {
	if src.Unpacked > 0 {
		return 2 * src.Unpacked
	}
	return 2 * src.Size
}

// checkSpace wants room for the baseline, one clone of it, and the WAL of
// either, which the server keeps up to max_wal_size.
func (r *restore) checkSpace(ctx context.Context) error {
	free, err := r.s.target.Tools.Free(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return nil // nobody can tell there
		}
		r.skipped = append(r.skipped, fmt.Sprintf("disk space was not checked: %s", err))
		return nil
	}
	data := Estimate(r.src)
	if need := 2*data + min(data, 4<<30); free < need {
		return fmt.Errorf("about %s of disk are needed (the restored data is estimated at %s, and there are a baseline, a clone and the log), and %s are free where the target keeps its data; free some, or put its scratch directory elsewhere",
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

// manifest counts what is there now, without the rows that an extension brings
// along (PostGIS's spatial_ref_sys): a dump of the schema has them, too. A dump without anything in it is no
// snapshot.
func (r *restore) manifest(ctx context.Context) (m snapshot.Manifest, err error) {
	r.tellFlavour()
	m.Skipped = r.skipped
	var objects int64
	err = r.s.on(ctx, r.name, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `SELECT
			(SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class c WHERE relkind = 'r' AND oid >= 16384 AND NOT `+ofExtension+`),
			pg_database_size(current_database()),
			(SELECT count(*) FROM (
				SELECT oid FROM pg_class WHERE oid >= 16384 UNION ALL SELECT oid FROM pg_proc WHERE oid >= 16384
				UNION ALL SELECT oid FROM pg_type WHERE oid >= 16384 UNION ALL SELECT oid FROM pg_namespace WHERE oid >= 16384
				UNION ALL SELECT oid FROM pg_largeobject_metadata) o
			 WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = o.oid AND d.deptype = 'e'))`).
			Scan(&m.Rows, &m.Bytes, &objects)
	})
	if err == nil && objects == 0 {
		err = errors.New("it holds nothing: no table, type, function or schema was restored")
	}
	return m, err
}
