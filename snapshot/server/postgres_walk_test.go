package server_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	apply "github.com/migration-gate/migration-gate/gate/apply/postgres"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/lockbudget"
	locks "github.com/migration-gate/migration-gate/lockbudget/postgres"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// shop is production's database: with roles, and with what only a superuser
// may restore.
const shop = `
CREATE ROLE shop_owner; CREATE ROLE reporting; CREATE ROLE support;
CREATE SCHEMA app AUTHORIZATION shop_owner;
GRANT USAGE ON SCHEMA app TO reporting, support;
CREATE TABLE app.orders (id int PRIMARY KEY, total int, note text);
INSERT INTO app.orders SELECT i, i * 10, md5(i::text) FROM generate_series(1, 5000) i;
CREATE TABLE app.customers (id int PRIMARY KEY, name text);
INSERT INTO app.customers SELECT i, 'c' || i FROM generate_series(1, 100) i;
ALTER TABLE app.orders OWNER TO shop_owner; ALTER TABLE app.customers OWNER TO shop_owner;
GRANT SELECT ON app.orders TO reporting;
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.customers FOR SELECT TO support USING (id < 10);
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pageinspect;
CREATE FUNCTION app.touched() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER touched ON ddl_command_end EXECUTE FUNCTION app.touched();
SELECT lo_from_bytea(0, 'large');
`

// dumped makes the shop elsewhere and dumps it.
func dumped(t *testing.T, format string) snapshot.Source {
	t.Helper()
	program, err := exec.LookPath("/usr/lib/postgresql/15/bin/pg_dump")
	if err != nil {
		if program, err = exec.LookPath("pg_dump"); err != nil {
			snapshottest.Missing(t, "real dumps, for there is no pg_dump", "testdata/install.sh postgresql")
		}
	}
	r := run(t, "15", nil)
	r.sql(t, "postgres", "CREATE DATABASE shop")
	r.sql(t, "shop", shop)
	file := filepath.Join(t.TempDir(), "shop.dump")
	cmd := exec.Command(program, "--format="+format, "--file="+file,
		fmt.Sprintf("--dbname=postgres://%s:%s@127.0.0.1:%d/shop", r.target.User, r.target.Password, r.target.Port))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	src, err := snapshot.Open(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestWholeWay: restore, clone, migrate, watch and compare on a server that
// others work on, as accounts of every kind, and with what they may not do told.
func TestWholeWay(t *testing.T) {
	sources := []snapshot.Source{dumped(t, "custom"), dumped(t, "plain")}
	skipped := map[string][]string{
		"ci_super":   {"role reporting: not on this server"}, // and nothing else
		"ci_roles":   {"role reporting: not on", "event trigger", "extension"},
		"ci_db":      {"role reporting: not on", "event trigger", "extension"},
		"ci_monitor": {"role reporting: not on", "event trigger", "extension"},
	}
	for _, major := range snapshottest.Majors(t) {
		r := run(t, major, nil)
		r.sql(t, "postgres", "CREATE DATABASE neighbour", "CREATE ROLE support")
		r.sql(t, "neighbour", "CREATE TABLE orders (id int)")
		before := r.state(t)
		stop := neighbour(t, r)
		for user, want := range skipped {
			try := func(how string, src snapshot.Source, path string) {
				t.Run(major+" "+user+" "+how, func(t *testing.T) {
					wholeWay(t, server.New(server.Options{URL: r.url(user), Path: path, Allow: []string{"127.0.0.1"}}), src, want)
				})
			}
			try("pg_restore", sources[0], os.Getenv("PATH"))
			if user == "ci_roles" {
				try("over the wire", sources[0], "")
				try("plain", sources[1], "")
			}
		}
		stop()
		if d := changes(before, r.state(t)); len(d) > 0 {
			t.Errorf("the server is not as it was: %q", d)
		}
	}
}

// neighbour holds locks in a database of its own and in one of its transactions
// all the time.
func neighbour(t *testing.T, r *running) (stop func()) {
	t.Helper()
	c := r.connect(t, "neighbour")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = c.Exec(ctx, "BEGIN; LOCK TABLE orders; INSERT INTO orders VALUES (1); SELECT pg_sleep(0.02); COMMIT")
		}
	}()
	return func() { cancel(); <-done }
}

const change = `ALTER TABLE app.orders ALTER COLUMN total TYPE bigint;
SELECT pg_sleep(0.05);
UPDATE app.customers SET name = 'gone' WHERE id = 7;
DO $$ BEGIN IF current_user LIKE 'mg\_%owner' AND (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user) THEN RAISE 'the owner is somebody special'; END IF; END $$;
`

func wholeWay(t *testing.T, p *server.Provisioner, src snapshot.Source, wantSkipped []string) {
	ctx := t.Context()
	spec := snapshot.Spec{Run: t.Name(), Engine: snapshot.Postgres, Expires: time.Now().Add(time.Hour)}
	offer := p.Offer(ctx, spec)
	if !offer.OK {
		t.Fatalf("%+v", offer)
	}
	target, err := p.Provision(ctx, spec, offer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := target.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	s, err := postgres.Connect(ctx, target)
	if err != nil {
		t.Fatal(err)
	}
	base, m, err := s.Restore(ctx, src, "baseline", postgres.RestoreOptions{Roles: []string{"support"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows, skipped:\n%s", m.Rows, strings.Join(m.Skipped, "\n"))
	if m.Rows != 5100 {
		t.Errorf("%d rows", m.Rows)
	}
	for _, want := range wantSkipped {
		if !strings.Contains(strings.ToLower(strings.Join(m.Skipped, "\n")), want) {
			t.Errorf("%q is not among what was skipped", want)
		}
	}
	if err := base.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	clone, err := base.Clone(ctx, "candidate")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(clone.Name(), target.Prefix) {
		t.Errorf("the clone is called %s", clone.Name())
	}
	session, err := apply.Open(ctx, clone.OwnerDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(ctx)
	sampler, err := locks.NewSampler(ctx, s.Home().AdminDSN(), clone.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Close(ctx)
	statements, err := migration.ParseScript("m.sql", []byte(change))
	if err != nil {
		t.Fatal(err)
	}
	rec := lockbudget.NewRecorder(sampler, 2*time.Millisecond)
	rec.Own(session.PID())
	rec.Start(ctx)
	steps, err := sessiontest.Walk(ctx, session, &migration.Script{File: "m.sql", Statements: statements}, rec)
	if err != nil {
		t.Fatal(err)
	}
	if f := steps[len(steps)-1].Result.Failure; f != nil {
		t.Fatalf("%+v", f)
	}
	if len(steps[0].Facts.Files) == 0 || len(steps[0].Facts.Scans) == 0 {
		t.Errorf("the rewrite and the scan were not seen: %+v", steps[0].Facts)
	}
	recording, err := rec.Stop()
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := base.Database().Catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, w := range recording.Windows() {
		if w.Session != recording.Session {
			t.Errorf("a window of session %d, not of the migration's", w.Session)
		}
		if w.Mode == "ACCESS EXCLUSIVE" && w.AtLeast > 50*time.Millisecond {
			seen = append(seen, catalog[w.Object].QualifiedName())
		}
	}
	if !slices.Contains(seen, "app.orders") {
		t.Errorf("ACCESS EXCLUSIVE for 50 ms on %v, want app.orders among them", seen)
	}
	if _, err := sampler.WALPosition(ctx); err != nil {
		t.Error(err)
	}
	diffs, _, err := postgres.Compare(ctx, base.Database(), clone, postgres.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(diffs) != 1 || diffs[0].Table != "app.customers" || diffs[0].Missing != 1 {
		t.Errorf("differences: %+v", diffs)
	}
	if _, err := base.Database().Schema(ctx); err != nil {
		t.Error(err)
	}
	// A later step of the pipeline.
	later, err := p.Attach(ctx, target.Handle)
	if err != nil {
		t.Fatal(err)
	}
	s, err = postgres.Connect(ctx, later)
	if err != nil {
		t.Fatal(err)
	}
	if base, err = s.Open(ctx, "baseline"); err != nil || base.Unsealed() != nil {
		t.Fatalf("attached to an unsealed baseline, %v", err)
	}
	if _, err := base.Clone(ctx, "second_look"); err != nil {
		t.Error(err)
	}
	if err := s.Drop(ctx, "second_look"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{snapshot.Home, strings.Repeat("x", 50)} {
		if _, err := base.Clone(ctx, name); err == nil {
			t.Errorf("made a database called %s", name)
		}
	}
	// The baseline is out of the migration's reach, and others' databases are
	// as they would be for any ordinary role.
	if c, err := pgx.Connect(ctx, base.Database().OwnerDSN()); err == nil {
		_ = c.Close(ctx)
		if strings.Contains(clone.OwnerDSN(), "owner:") {
			t.Error("the migrating role may connect to the baseline")
		}
	}
}
