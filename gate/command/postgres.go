package command

import (
	"context"
	"errors"

	apply "github.com/migration-gate/migration-gate/gate/apply/postgres"
	"github.com/migration-gate/migration-gate/gate/observe"
	locks "github.com/migration-gate/migration-gate/lockbudget/postgres"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// postgresEngine hands the wiring what the PostgreSQL packages have. It adds
// nothing of its own: the interfaces are the wiring's, the types theirs.
type postgresEngine struct{}

func (postgresEngine) settings() map[string]string { return postgres.Settings() }

func (postgresEngine) connect(ctx context.Context, t *snapshot.Target) (server, error) {
	s, err := postgres.Connect(ctx, t)
	if err != nil {
		return nil, err
	}
	return &postgresServer{s, t}, nil
}

type postgresServer struct {
	*postgres.Server
	target *snapshot.Target
}

func (s *postgresServer) version() string {
	v, _ := s.Version()
	return v
}

func (s *postgresServer) restore(ctx context.Context, src snapshot.Source, name string, opt restoreOptions) (baseline, snapshot.Manifest, error) {
	b, m, err := s.Restore(ctx, src, name, postgres.RestoreOptions{Jobs: opt.jobs, Roles: opt.roles, Progress: opt.progress, Stage: opt.stage})
	if err != nil {
		return nil, m, err
	}
	return &postgresBaseline{s.Server, b}, m, nil
}

func (s *postgresServer) empty(ctx context.Context, name string, roles []string) (baseline, error) {
	b, err := s.Empty(ctx, name, roles)
	if err != nil {
		return nil, err
	}
	return &postgresBaseline{s.Server, b}, nil
}

func (s *postgresServer) open(ctx context.Context, name string) (baseline, error) {
	b, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &postgresBaseline{s.Server, b}, nil
}

func (s *postgresServer) address(context.Context, string) (string, int, error) {
	return s.target.Host, s.target.Port, nil
}

func (s *postgresServer) drop(ctx context.Context, name string) error { return s.Drop(ctx, name) }
func (s *postgresServer) close()                                      { s.Close() }

type postgresBaseline struct {
	server *postgres.Server
	base   *postgres.Baseline
}

func (b *postgresBaseline) ledger(ctx context.Context, table string) (ledgerTable, bool, error) {
	db := b.base.Unsealed()
	if db == nil {
		db = b.base.Database()
	}
	return ledgerOf(ctx, db, table)
}

func (b *postgresBaseline) session(ctx context.Context) (observe.Session, error) {
	db := b.base.Unsealed()
	if db == nil {
		return nil, errors.New("write to the baseline: it is sealed")
	}
	return openSession(ctx, db)
}

func (b *postgresBaseline) seal(ctx context.Context) error { return b.base.Seal(ctx) }

func (b *postgresBaseline) clone(ctx context.Context, name string) error {
	_, err := b.base.Clone(ctx, name)
	return err
}

func (b *postgresBaseline) lab(name string, opt compareOptions) observe.Lab {
	before, after := b.base.Database(), b.server.Database(name)
	return observe.Lab{
		Baseline: before, Clone: after,
		Open: func(ctx context.Context) (observe.Session, error) { return openSession(ctx, after) },
		Watch: func(ctx context.Context) (observe.Watcher, error) {
			return locks.NewSampler(ctx, b.server.Home().AdminDSN(), after.Name())
		},
		Impact: locks.Impact, RowLocks: locks.RowLocks,
		Compare: func(ctx context.Context, only []string) ([]snapshot.DataDiff, int, error) {
			return postgres.Compare(ctx, before, after, postgres.CompareOptions{Prefix: opt.prefix, Exclude: opt.exclude, Only: only})
		},
	}
}

// openSession avoids a typed nil in the interface.
func openSession(ctx context.Context, db *postgres.Database) (observe.Session, error) {
	s, err := apply.Open(ctx, db.OwnerDSN())
	if err != nil {
		return nil, err
	}
	return s, nil
}
