package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// Clones are independent of each other and of the baseline, and have what is
// kept beside a database too.
func TestCloneIsAFreshCopy(t *testing.T) {
	ctx := context.Background()
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		b := baselineOf(t, s, `CREATE TABLE t (id int); INSERT INTO t VALUES (1);
			DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = "$user", public, app', current_database());
			EXECUTE format('ALTER DATABASE %I SET application_name = ''it''''s a=b''', current_database()); END $$`)
		one := clone(t, s, b)
		mustQuery(t, one.OwnerDSN(), "INSERT INTO t VALUES (2); ALTER ROLE CURRENT_USER SET work_mem = '9MB'; ALTER ROLE CURRENT_USER PASSWORD 'x'")
		two := clone(t, s, b)
		got := mustQuery(t, two.OwnerDSN(), "SELECT count(*), current_setting('search_path'), current_setting('application_name'), current_setting('work_mem') FROM t")
		if want := [][]string{{"1", `"$user", public, app`, "it's a=b", "4MB"}}; !cmp.Equal(want, got) {
			t.Errorf("second clone: got %v, want %v", got, want)
		}
		if b.Unsealed() != nil {
			t.Error("a sealed baseline can still be written to")
		}
		if _, err := query(ctx, b.Database().AdminDSN(), "INSERT INTO t VALUES (3)"); err == nil {
			t.Error("the sealed baseline was written to")
		}
	})
}

// A session that has read the baseline and goes keeps no clone from being made.
func TestCloneWaitsForReaders(t *testing.T) {
	ctx := context.Background()
	s := connect(t, "15")
	b := baselineOf(t, s, "CREATE TABLE t (id int)")
	c := dial(t, b.Database().AdminDSN())
	time.AfterFunc(300*time.Millisecond, func() { c.Close(ctx) })
	clone(t, s, b)
}

// An index on a function that names things without their schema, as PostgreSQL
// before 17 makes it, is no reason not to have a baseline.
func TestSealToleratesFunctionsOfASearchPath(t *testing.T) {
	s := connect(t, "15")
	b := baselineOf(t, s, `CREATE FUNCTION nothing() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
		CREATE FUNCTION counts(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n <> nothing()';
		CREATE TABLE t (n int); INSERT INTO t VALUES (0), (1); CREATE INDEX ON t (n) WHERE counts(n)`)
	got := mustQuery(t, clone(t, s, b).AdminDSN(), "SELECT reltuples, (SELECT count(*) FROM t) FROM pg_class WHERE oid = 'public.t'::regclass")
	if want := [][]string{{"2", "2"}}; !cmp.Equal(want, got) {
		t.Errorf("rows as estimated and counted: got %v, want %v", got, want)
	}
}

// A later process attaches to what an earlier one made, with the same
// password for the migrating role.
func TestOpenAttachesAgain(t *testing.T) {
	ctx := context.Background()
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		b := baselineOf(t, s, "CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
		kept := clone(t, s, b)
		version, _ := s.Version()
		major, _, _ := strings.Cut(version, ".")
		later, err := connect(t, major).Open(ctx, b.Name())
		if err != nil {
			t.Fatal(err)
		}
		if later.Unsealed() != nil {
			t.Error("attached to a sealed baseline as if it were not")
		}
		mustQuery(t, kept.OwnerDSN(), "SELECT * FROM t")
		again := clone(t, s, later)
		mustQuery(t, again.OwnerDSN(), "INSERT INTO t VALUES (2)")
		if _, err := s.Open(ctx, "no_such_baseline"); err == nil {
			t.Error("attached to a baseline that is not there")
		}
		unsealed, err := s.Empty(ctx, fresh(t, s), nil)
		if err != nil {
			t.Fatal(err)
		}
		if later, err = s.Open(ctx, unsealed.Name()); err != nil || later.Unsealed() == nil {
			t.Errorf("attached to an unsealed baseline as if it were sealed (error %v)", err)
		}
	})
}

func TestDrop(t *testing.T) {
	ctx := context.Background()
	s := connect(t, "15")
	b := baselineOf(t, s, "CREATE TABLE t (id int)")
	d := clone(t, s, b)
	dial(t, d.OwnerDSN()) // a session does not keep it from being dropped
	for _, name := range []string{d.Name(), b.Name(), "never_was"} {
		if err := s.Drop(ctx, name); err != nil {
			t.Error(err)
		}
	}
	if err := s.Drop(ctx, "postgres"); err == nil {
		t.Error("the server's own database was dropped")
	}
	if left := mustQuery(t, s.Database("postgres").AdminDSN(), "SELECT datname FROM pg_database WHERE datname IN ('"+d.Name()+"', '"+b.Name()+"')"); left != nil {
		t.Errorf("left: %v", left)
	}
}

func TestCatalog(t *testing.T) {
	ctx := context.Background()
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		b := baselineOf(t, s, `CREATE TABLE t (id serial PRIMARY KEY, body text); INSERT INTO t (body) SELECT 'x' FROM generate_series(1, 20000);
			CREATE TABLE p (id int, b text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10000) PARTITION BY RANGE (id);
			CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (10000); CREATE INDEX p_id ON p (id); INSERT INTO p SELECT i FROM generate_series(1, 5000) i;
			CREATE VIEW v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW m AS SELECT 2 AS two; CREATE TYPE c AS (a int)`)
		all, err := b.Database().Catalog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		byName := map[string]snapshot.Relation{}
		for oid, r := range all {
			if r.Object != oid {
				t.Errorf("%s is listed under %s", r.Object, oid)
			}
			byName[r.Name] = r
		}
		for name, kind := range map[string]string{"t": "table", "t_pkey": "index", "t_id_seq": "sequence", "p": "partitioned table", "p1": "partitioned table", "p11": "table",
			"p_id": "index", "v": "view", "m": "materialized view", "c": "composite", "pg_toast_" + byName["t"].Object: "toast", "pg_toast_" + byName["t"].Object + "_index": "toast index"} {
			if byName[name].Kind != kind {
				t.Errorf("%s is a %q, want %q", name, byName[name].Kind, kind)
			}
		}
		tab, part, root := byName["t"], byName["p11"], byName["p"]
		if tab.Rows != 20000 || tab.Bytes < 700_000 || tab.File == "" || tab.Root != "" || tab.Table != tab.Object || !slices.Equal(tab.Columns, []string{"id", "body"}) {
			t.Errorf("t is %+v", tab)
		}
		for _, of := range []string{"t_pkey", "pg_toast_" + tab.Object, "pg_toast_" + tab.Object + "_index"} {
			if byName[of].Table != tab.Object {
				t.Errorf("%s belongs to %s, want %s", of, byName[of].Table, tab.Object)
			}
		}
		if part.Root != root.Object || part.Rows != 5000 || root.Rows != 0 || root.Root != "" || byName["p11_id_idx"].Root != root.Object {
			t.Errorf("partitions: root %+v, leaf %+v, its index %+v", root, part, byName["p11_id_idx"])
		}
		if _, ok := byName["pg_class"]; ok {
			t.Error("the server's own catalogue is listed")
		}
	})
}

func TestLedger(t *testing.T) {
	ctx := context.Background()
	s := connect(t, "15")
	b := baselineOf(t, s, `CREATE SCHEMA other; CREATE TABLE other.goose_db_version (id serial PRIMARY KEY, version_id bigint, is_applied boolean, tstamp timestamp);
		INSERT INTO other.goose_db_version (id, version_id, is_applied) VALUES (2, 20, false), (1, 10, true);
		CREATE SCHEMA zoo; CREATE TABLE zoo.schema_migrations (version bigint, dirty boolean);
		CREATE SCHEMA "Ops"; CREATE TABLE "Ops"."History" (version text); CREATE TABLE zoo.twice (); CREATE TABLE other.twice ();
		CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (42, false)`)
	columns, rows, found, name, err := b.Database().Ledger(ctx, "goose_db_version")
	if err != nil || !found || name != "other.goose_db_version" {
		t.Fatalf("found %v as %q, error %v", found, name, err)
	}
	if want := []string{"id", "version_id", "is_applied", "tstamp"}; !slices.Equal(want, columns) {
		t.Errorf("columns %v, want %v", columns, want)
	}
	if want := [][]string{{"1", "10", "true", ""}, {"2", "20", "false", ""}}; !cmp.Equal(want, rows) {
		t.Errorf("rows %v, want %v", rows, want)
	}
	if _, rows, _, name, err := b.Database().Ledger(ctx, "schema_migrations"); err != nil || name != "public.schema_migrations" || !cmp.Equal(rows, [][]string{{"42", "false"}}) {
		t.Errorf("schema_migrations: %v as %q, error %v", rows, name, err)
	}
	for named, want := range map[string]string{"ZOO.schema_migrations": "zoo.schema_migrations", `"Ops"."History"`: "Ops.History", "history": "Ops.History", "zoo.history": ""} {
		if _, _, found, name, err := b.Database().Ledger(ctx, named); err != nil || name != want || found != (want != "") {
			t.Errorf("%s: found %v as %q, error %v; want %q", named, found, name, err, want)
		}
	}
	if _, _, _, _, err := b.Database().Ledger(ctx, "twice"); err == nil || !strings.Contains(err.Error(), "the schemas other, zoo each have a table twice: say which is the tool's with --ledger-table SCHEMA.twice") {
		t.Errorf("a table of two schemas: %v", err)
	}
	if _, _, found, _, err := b.Database().Ledger(ctx, "flyway_schema_history"); found || err != nil {
		t.Errorf("a ledger that is not there: found %v, error %v", found, err)
	}
}
