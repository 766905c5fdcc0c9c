package observe_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	applymysql "github.com/migration-gate/migration-gate/gate/apply/mysql"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/gate/rule"
	mysqllocks "github.com/migration-gate/migration-gate/lockbudget/mysql"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// newGuestLab is a lab on a server as its makers set it up, with a binary log,
// event scheduler and little recorded, which somebody else runs.
func newGuestLab(t *testing.T, flavour string) *mysqlLab {
	t.Helper()
	settings := map[string]string{"skip_log_bin": "0", "event_scheduler": "ON"}
	if flavour == snapshot.MariaDB {
		settings = map[string]string{"performance_schema": "OFF"}
	}
	on := snapshottest.MySQLAlone(t, flavour, settings)
	p := server.New(server.Options{URL: fmt.Sprintf("mysql://%s:%s@%s:%d", on.User, on.Password, on.Host, on.Port)})
	spec := snapshot.Spec{Run: t.Name(), Engine: flavour, Expires: time.Now().Add(time.Hour)}
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if len(target.Lacks) > 0 {
		t.Fatalf("the administrator lacks %+v", target.Lacks)
	}
	s, err := mysql.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := base.Unsealed()
	names := db.Names()
	l := &mysqlLab{server: s, db: db, options: applymysql.Options{
		MariaDB: flavour == snapshot.MariaDB, Guest: &applymysql.Guest{Physical: names.Physical, Shown: names.Shown, Definer: s.Definer(), AdminDSN: db.AdminDSN()},
	}}
	l.setup = mysqlScript(t, flavour, "setup.sql", read(t, "../../testdata/ddl/mysql-setup.sql")).Statements
	if l.owner, err = sql.Open("mysql", db.OwnerDSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.owner.Close() })
	return l
}

func (l *mysqlLab) guestLab() observe.Lab {
	var sampler *mysqllocks.Sampler
	return observe.Lab{
		Baseline: l.db, Clone: l.db,
		Open: func(ctx context.Context) (observe.Session, error) {
			opt := l.options
			opt.Guest = &applymysql.Guest{}
			*opt.Guest = *l.options.Guest
			if sampler != nil {
				opt.Guest.Follow = sampler.Follow
			}
			return applymysql.Open(ctx, l.db.OwnerDSN(), l.db.AdminDSN(), opt)
		},
		Watch: func(ctx context.Context) (_ observe.Watcher, err error) {
			sampler, err = mysqllocks.NewSampler(ctx, l.db.AdminDSN(), mysqllocks.Options{
				Owner: l.server.OwnerName(), MariaDB: l.options.MariaDB, Guest: true, Physical: l.options.Guest.Physical, Shown: l.options.Guest.Shown,
			})
			return sampler, err
		},
		Impact: mysqllocks.Impact, RowLocks: mysqllocks.RowLocks,
		Probe: func(ctx context.Context, scripts []*migration.Script) ([][]*gate.BestDDL, error) {
			return applymysql.Probe(ctx, l.db.OwnerDSN(), l.options, scripts)
		},
	}
}

// TestMySQLDDLAsAGuest: on somebody else's server, of which nothing is turned
// on, the same is observed under the names that people know; only what the
// server's own times add is missing, so that a lock that is shorter than the
// ticker's gap may be.
func TestMySQLDDLAsAGuest(t *testing.T) {
	policy := rule.DefaultPolicy()
	const every = 8 // of the cases, for the same code is behind all
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			l := newGuestLab(t, flavour)
			for i, c := range mysqlCases(t, "../../testdata/ddl/"+flavour+".sql") {
				odd := strings.Contains(c.sql, "app.") || strings.Contains(c.sql, " app;") || strings.Contains(c.prep, "TRIGGER")
				if named := strings.Contains(c.sql, "CALL ") || strings.Contains(c.sql, "TRIGGER") || strings.Contains(c.sql, "TRUNCATE PARTITION"); odd || i%every != 0 && !named {
					continue
				}
				t.Run(fmt.Sprintf("line %d", c.line+1), func(t *testing.T) {
					got, _ := l.observe(t, flavour, c, policy)
					withoutLock := func(ddl string) string {
						return strings.NewReplacer(" NONE", "", " SHARED", "", " EXCLUSIVE", "").Replace(ddl)
					}
					// MariaDB without performance_schema records no statements within CALL.
					blind := flavour == snapshot.MariaDB && strings.Contains(c.sql, "CALL ") && got.ddl == "-"
					if !blind && (withoutLock(got.ddl) != withoutLock(c.want.ddl) || got.best != c.want.best) {
						t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
					}
					for table, modes := range locksBy(got.locks) {
						for _, mode := range modes {
							if wanted := locksBy(c.want.locks)[table]; !slices.Contains(wanted, mode) && !slices.Contains(wanted, mode+"?") {
								t.Errorf("%s\nlock %s on %s, want %s", c.sql, mode, table, c.want.locks)
							}
						}
					}
				})
			}
		})
	}
}

// locksBy splits "table=MODE,MODE table=MODE".
func locksBy(list string) map[string][]string {
	by := map[string][]string{}
	for _, f := range strings.Fields(list) {
		if table, modes, ok := strings.Cut(f, "="); ok {
			by[table] = strings.Split(modes, ",")
		}
	}
	return by
}
