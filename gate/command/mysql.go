package command

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	apply "github.com/migration-gate/migration-gate/gate/apply/mysql"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	locks "github.com/migration-gate/migration-gate/lockbudget/mysql"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
)

// mysqlEngine hands the wiring what the MySQL packages have, for MySQL and its
// flavour MariaDB. A name stands for an instance: a server of its own on a
// copy of the baseline's data directory, or, on a server that somebody else
// runs, a schema.
type mysqlEngine struct {
	name    string // "mysql", "mariadb"
	sqlMode string // of the migrating session; "" leaves the server's
}

func (e mysqlEngine) settings() map[string]string { return mysql.Settings(e.name) }

func (e mysqlEngine) connect(ctx context.Context, t *snapshot.Target) (server, error) {
	s, err := mysql.Connect(ctx, t)
	if err != nil {
		return nil, err
	}
	others, err := s.Others(ctx)
	if err != nil {
		return nil, err
	}
	return &mysqlServer{s, e.options(), t, others}, nil
}

func (e mysqlEngine) options() apply.Options {
	return apply.Options{SQLMode: e.sqlMode, MariaDB: e.name == snapshot.MariaDB}
}

type mysqlServer struct {
	*mysql.Server
	session apply.Options
	target  *snapshot.Target
	// others are the schemas of other people that migrations might reach.
	others []string
}

// options of a session on a database: where the server is somebody else's, the
// schema has another name there.
func (s *mysqlServer) options(db *mysql.Database) apply.Options {
	opt := s.session
	if s.target.Prefix != "" {
		names := db.Names()
		opt.Guest = &apply.Guest{
			Physical: names.Physical, Shown: names.Shown, Borrowed: !s.OwnAccount(), Others: s.others,
			Definer: s.Definer(), AdminDSN: db.AdminDSN(),
		}
	}
	return opt
}

// blind: nobody can see the server's locks with this account.
func (s *mysqlServer) blind() bool {
	return slices.ContainsFunc(s.target.Lacks, func(l snapshot.Lack) bool { return l.What == snapshot.LackLocks })
}

func (s *mysqlServer) version() string { return s.Version() }

func (s *mysqlServer) restore(ctx context.Context, src snapshot.Source, _ string, opt restoreOptions) (baseline, snapshot.Manifest, error) {
	if err := noRoles(opt.roles); err != nil {
		return nil, snapshot.Manifest{}, err
	}
	b, m, err := s.Restore(ctx, src, mysql.RestoreOptions{Jobs: opt.jobs, Progress: opt.progress})
	if err != nil {
		return nil, m, err
	}
	return &mysqlBaseline{s, b}, m, nil
}

func (s *mysqlServer) empty(ctx context.Context, _ string, roles []string) (baseline, error) {
	if err := noRoles(roles); err != nil {
		return nil, err
	}
	b, err := s.Empty(ctx)
	if err != nil {
		return nil, err
	}
	return &mysqlBaseline{s, b}, nil
}

// noRoles refuses --role: what a migration could grant there is not in the
// migrating account's power.
func noRoles(roles []string) error {
	if len(roles) == 0 {
		return nil
	}
	return &usageError{"--role " + strings.Join(roles, ", ") + " is for PostgreSQL", "leave it out, and the roles of the configuration file with it"}
}

func (s *mysqlServer) open(ctx context.Context, _ string) (baseline, error) {
	b, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &mysqlBaseline{s, b}, nil
}

func (s *mysqlServer) drop(ctx context.Context, name string) error {
	return s.Drop(ctx, instance(name))
}

func (s *mysqlServer) address(ctx context.Context, name string) (string, int, error) {
	return s.Database(instance(name)).Address(ctx)
}

func (s *mysqlServer) close() { s.Close() }

// instance keeps the baseline's own name for the baseline, and the home's for
// the home.
func instance(name string) string {
	if name == snapshot.FirstInstance || name == snapshot.Home {
		return name + "_copy"
	}
	return name
}

type mysqlBaseline struct {
	server *mysqlServer
	base   *mysql.Baseline
}

func (b *mysqlBaseline) ledger(ctx context.Context, table string) (ledgerTable, bool, error) {
	db := b.base.Unsealed()
	if db == nil {
		db = b.base.Database()
	}
	return ledgerOf(ctx, db, table)
}

func (b *mysqlBaseline) session(ctx context.Context) (observe.Session, error) {
	db := b.base.Unsealed()
	if db == nil {
		return nil, errors.New("write to the baseline: it is sealed")
	}
	return b.server.openSession(ctx, db, b.server.options(db))
}

func (b *mysqlBaseline) seal(ctx context.Context) error { return b.base.Seal(ctx) }

func (b *mysqlBaseline) clone(ctx context.Context, name string) error {
	return b.base.Clone(ctx, instance(name))
}

func (b *mysqlBaseline) lab(name string, opt compareOptions) observe.Lab {
	before, after := b.base.Database(), b.server.Database(instance(name))
	var sampler *locks.Sampler // of the walk that is watched
	lab := observe.Lab{
		Baseline: before, Clone: after,
		Open: func(ctx context.Context) (observe.Session, error) {
			opt := b.server.options(after)
			if sampler != nil && opt.Guest != nil {
				opt.Guest.Follow = sampler.Follow
			}
			return b.server.openSession(ctx, after, opt)
		},
		Watch: func(ctx context.Context) (_ observe.Watcher, err error) {
			if err := after.Start(ctx); err != nil {
				return nil, err
			}
			opt := locks.Options{Owner: b.server.OwnerName(), MariaDB: b.server.session.MariaDB}
			if guest := b.server.options(after).Guest; guest != nil {
				opt.Guest, opt.Physical, opt.Shown = true, guest.Physical, guest.Shown
			}
			if sampler, err = locks.NewSampler(ctx, after.AdminDSN(), opt); err != nil {
				return nil, err
			}
			return sampler, nil
		},
		Impact: locks.Impact, RowLocks: locks.RowLocks,
		Compare: func(ctx context.Context, only []string) ([]snapshot.DataDiff, int, error) {
			return mysql.Compare(ctx, before, after, mysql.CompareOptions{Prefix: opt.prefix, Exclude: opt.exclude, Only: only})
		},
		Probe: b.probe,
	}
	if b.server.blind() {
		lab.Watch = nil
	}
	return lab
}

// probe asks on an instance of its own, whose tables are empty.
func (b *mysqlBaseline) probe(ctx context.Context, scripts []*migration.Script) (best [][]*gate.BestDDL, err error) {
	const name = "probe"
	if err := b.base.CloneEmpty(ctx, name); err != nil {
		return nil, err
	}
	defer closing(ctx, &err, "remove the empty clone", func(ctx context.Context) error { return b.server.Drop(ctx, name) })
	db := b.server.Database(name)
	return apply.Probe(ctx, db.OwnerDSN(), b.server.options(db), scripts)
}

// openSession avoids a typed nil in the interface.
func (s *mysqlServer) openSession(ctx context.Context, db *mysql.Database, opt apply.Options) (observe.Session, error) {
	if err := db.Start(ctx); err != nil {
		return nil, err
	}
	session, err := apply.Open(ctx, db.OwnerDSN(), db.AdminDSN(), opt)
	if err != nil {
		return nil, err
	}
	return session, nil
}
