package postgres_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// dumpall runs pg_dumpall on the server of a DSN.
func dumpall(t *testing.T, dsn string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.sql")
	cmd := exec.Command(client(t, "pg_dumpall"), append(args, "--file="+path, "--dbname="+dsn)...)
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := at.User.Password() // which it does not hand on to pg_dump
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_dumpall: %v\n%s", err, out)
	}
	return path
}

const makeRoles = `
	CREATE ROLE g_boss SUPERUSER CREATEROLE CREATEDB LOGIN PASSWORD 'hunter2' VALID UNTIL '2030-01-01';
	CREATE ROLE g_owner LOGIN BYPASSRLS NOINHERIT CONNECTION LIMIT 5 PASSWORD 'hunter2';
	CREATE ROLE g_group;
	CREATE ROLE "G Reader" LOGIN;
	COMMENT ON ROLE g_group IS 'all of them';
	GRANT g_group TO g_owner WITH ADMIN OPTION;
	GRANT g_group TO "G Reader";
	GRANT pg_monitor TO "G Reader";
	GRANT pg_read_server_files, pg_execute_server_program TO g_owner;
	ALTER ROLE g_owner SET search_path = app, public;
	ALTER ROLE g_owner SET session_preload_libraries = 'auto_explain';
	ALTER ROLE "G Reader" SET statement_timeout = '3s';
	ALTER ROLE g_owner SET app.token = 'hunter2';`

const dropRoles = `DROP ROLE IF EXISTS g_boss, g_owner, g_group, "G Reader"`

// Roles come from pg_dumpall --globals-only as they were, but for what would
// make more of them than an owner; no password comes with them.
func TestGlobals(t *testing.T) {
	ctx := context.Background()
	prod, dsn := original(t, "CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
	admin := prod.Database("postgres").AdminDSN()
	mustQuery(t, admin, dropRoles)
	mustQuery(t, admin, makeRoles)
	mustQuery(t, admin, "ALTER DATABASE "+nameOf(dsn)+" OWNER TO g_owner")
	mustQuery(t, admin, "ALTER ROLE g_owner IN DATABASE "+nameOf(dsn)+" SET work_mem = '9MB'")
	mustQuery(t, admin, "ALTER ROLE g_owner IN DATABASE postgres SET work_mem = '1MB'")
	globals := dumpall(t, admin, "--globals-only")
	files := map[string]string{
		"custom": dump(t, dsn, "", "--format=custom"),
		"plain":  dump(t, dsn, "", "--format=plain", "--create"),
	}
	if err := prod.Drop(ctx, nameOf(dsn)); err != nil {
		t.Fatal(err)
	}
	mustQuery(t, admin, "ALTER ROLE g_owner IN DATABASE postgres RESET ALL")
	mustQuery(t, admin, dropRoles)
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for name, file := range files {
			t.Run(name, func(t *testing.T) {
				admin := s.Database("postgres").AdminDSN()
				mustQuery(t, admin, dropRoles)
				t.Cleanup(func() { mustQuery(t, admin, dropRoles) })
				src, err := snapshot.Compose(ctx, file, "", globals)
				if err != nil {
					t.Fatal(err)
				}
				b, m, err := s.Restore(ctx, src, fresh(t, s), postgres.RestoreOptions{})
				if err != nil {
					t.Fatal(err)
				}
				skipped := slices.DeleteFunc(slices.Clone(m.Skipped), func(s string) bool { return !strings.Contains(s, "g_") && !strings.Contains(s, "G Reader") })
				want := []string{
					"attributes of role g_boss: CREATEDB, CREATEROLE, SUPERUSER, which the restored roles never are",
					"role g_owner as a member of pg_execute_server_program: that leads out of the database",
					"role g_owner as a member of pg_read_server_files: that leads out of the database",
					"setting session_preload_libraries of role g_owner: libraries of the production server are not loaded here",
				}
				slices.Sort(skipped)
				if d := cmp.Diff(want, skipped); d != "" {
					t.Errorf("left out (-want +got):\n%s", d)
				}
				if strings.Contains(strings.Join(m.Skipped, "\n"), "hunter2") {
					t.Error("a secret is in the manifest")
				}
				got := mustQuery(t, admin, `SELECT rolname, rolcanlogin, rolbypassrls, rolinherit, rolconnlimit, rolpassword IS NULL, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
					FROM pg_authid WHERE rolname ~ '^[gG][_ ]' ORDER BY rolname COLLATE "C"`)
				if d := cmp.Diff([][]string{
					{"G Reader", "t", "f", "t", "-1", "t", "f"}, {"g_boss", "t", "f", "t", "-1", "t", "f"},
					{"g_group", "f", "f", "t", "-1", "t", "f"}, {"g_owner", "t", "t", "f", "5", "t", "f"},
				}, got); d != "" {
					t.Errorf("roles (-want +got):\n%s", d)
				}
				got = mustQuery(t, admin, `SELECT roleid::regrole, member::regrole, admin_option FROM pg_auth_members
					WHERE member::regrole::text IN ('g_owner', '"G Reader"', 'g_boss', 'g_group') ORDER BY 1::text, 2::text`)
				if d := cmp.Diff([][]string{{"g_group", `"G Reader"`, "f"}, {"g_group", "g_owner", "t"}, {"pg_monitor", `"G Reader"`, "f"}}, sorted(got)); d != "" {
					t.Errorf("memberships (-want +got):\n%s", d)
				}
				d := clone(t, s, b)
				// The migrating role stands in for the database's owner.
				got = mustQuery(t, d.OwnerDSN(), "SELECT current_setting('search_path'), current_setting('work_mem'), current_setting('app.token')")
				if want := [][]string{{"app, public", "9MB", "hunter2"}}; !cmp.Equal(want, got) {
					t.Errorf("settings of the migrating role %v, want %v", got, want)
				}
				got = mustQuery(t, admin, `SELECT setconfig FROM pg_db_role_setting WHERE setrole = '"G Reader"'::regrole AND setdatabase = 0`)
				if want := [][]string{{"{statement_timeout=3s}"}}; !cmp.Equal(want, got) {
					t.Errorf("settings of a role %v, want %v", got, want)
				}
				if got := mustQuery(t, admin, "SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'g_owner'::regrole AND setdatabase = (SELECT oid FROM pg_database WHERE datname = 'postgres')"); got[0][0] != "0" {
					t.Error("a setting for another database was made")
				}
				for _, sql := range []string{"SET ROLE g_owner; COPY t TO '/tmp/out'", "SET ROLE g_boss; CREATE ROLE more", "SET ROLE g_boss; CREATE DATABASE more", "SET ROLE g_owner; COPY t FROM PROGRAM 'id'"} {
					if _, err := query(ctx, d.OwnerDSN(), sql); err == nil {
						t.Errorf("allowed: %s", sql)
					}
				}
			})
		}
	})
}

func sorted(rows [][]string) [][]string {
	slices.SortFunc(rows, slices.Compare[[]string])
	return rows
}

// What pg_dumpall of 16 and newer says of memberships, and what else there is in
// globals, on servers that know it and on those that do not.
func TestGlobalsOfNewerTools(t *testing.T) {
	ctx := context.Background()
	globals := write(t, []byte(`--
-- PostgreSQL database cluster dump
--

\restrict abc

SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

CREATE ROLE g_owner;
ALTER ROLE g_owner WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:abc$def:ghi';
CREATE ROLE g_group;
ALTER ROLE g_group WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;
CREATE ROLE postgres;
ALTER ROLE postgres WITH NOSUPERUSER NOLOGIN PASSWORD 'md5abc';

CREATE TABLESPACE fast OWNER g_owner LOCATION '/mnt/fast';
ALTER TABLESPACE fast SET (random_page_cost=1.1);
GRANT CREATE ON TABLESPACE fast TO g_group;
GRANT SET ON PARAMETER log_statement TO g_group;
SECURITY LABEL FOR anon ON ROLE g_group IS 'MASKED';

ALTER ROLE postgres SET search_path TO nowhere;
ALTER ROLE ALL SET "app.all" TO 'yes';
ALTER ROLE g_owner SET no_such_setting TO 'x';
ALTER ROLE g_owner IN DATABASE elsewhere SET work_mem TO '1MB';
ALTER ROLE g_owner IN DATABASE shop SET work_mem TO '6MB';

GRANT g_group TO g_owner WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY postgres;

\unrestrict abc

--
-- PostgreSQL database cluster dump complete
--
`))
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		admin := s.Database("postgres").AdminDSN()
		mustQuery(t, admin, dropRoles)
		t.Cleanup(func() { mustQuery(t, admin, dropRoles) })
		src, err := snapshot.Compose(ctx, write(t, []byte("CREATE TABLE t (id int);\nALTER TABLE t OWNER TO g_owner;\n")), "", globals)
		if err != nil {
			t.Fatal(err)
		}
		b, m, err := s.Restore(ctx, src, fresh(t, s), postgres.RestoreOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"privileges on the parameter log_statement: they are on the whole server",
			"setting no_such_setting of role g_owner: not for this server's version or build (SQLSTATE 42704)",
			"settings of roles in the database elsewhere: the dump does not say that it is the one restored",
			"settings of roles in the database shop: the dump does not say that it is the one restored",
			"tablespace fast: what was in it is in the default one",
		}
		got := slices.Clone(m.Skipped)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("left out (-want +got):\n%s", d)
		}
		option := ", true, true"
		if majorOf(s) >= 16 {
			option = ", inherit_option, set_option"
		}
		members := mustQuery(t, admin, "SELECT admin_option"+option+" FROM pg_auth_members WHERE roleid = 'g_group'::regrole AND member = 'g_owner'::regrole")
		kept := [][]string{{"t", "t", "t"}}
		if majorOf(s) >= 16 {
			kept = [][]string{{"t", "f", "f"}}
		}
		if d := cmp.Diff(kept, members); d != "" {
			t.Errorf("membership (-want +got):\n%s", d)
		}
		if super := mustQuery(t, admin, "SELECT rolsuper, rolcanlogin, rolconfig IS NULL FROM pg_roles WHERE rolname = 'postgres'"); !cmp.Equal([][]string{{"t", "t", "t"}}, super) {
			t.Errorf("the administrator of the server was changed: %v", super)
		}
		d := clone(t, s, b)
		if all := mustQuery(t, d.OwnerDSN(), "SELECT current_setting('app.all')"); all[0][0] != "yes" {
			t.Errorf("a setting for all roles is %v", all)
		}
	})
}

// A dump of a whole cluster is restored as the one database that holds
// something, or as the one that is named.
func TestWholeCluster(t *testing.T) {
	ctx := context.Background()
	prod := connect(t, "15")
	admin := prod.Database("postgres").AdminDSN()
	// pg_dumpall takes all there is, and other tests' databases come and go.
	all := mustQuery(t, admin, "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
	if len(all) > 0 {
		t.Fatalf("databases are left of other tests: %v", all)
	}
	mustQuery(t, admin, dropRoles)
	mustQuery(t, admin, "CREATE ROLE g_owner LOGIN PASSWORD 'hunter2'")
	for _, name := range []string{"shop", `"Odd Name's"`} {
		mustQuery(t, admin, "CREATE DATABASE "+name+" OWNER g_owner LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	}
	odd := strings.Replace(admin, "/postgres?", "/Odd%20Name%27s?", 1)
	shop := strings.Replace(admin, "/postgres?", "/shop?", 1)
	t.Cleanup(func() {
		for _, name := range []string{"shop", `"Odd Name's"`} {
			mustQuery(t, admin, "DROP DATABASE IF EXISTS "+name)
		}
		mustQuery(t, admin, dropRoles)
	})
	mustQuery(t, shop, "CREATE TABLE t (id int, c text); INSERT INTO t SELECT i, E'\\\\connect x' FROM generate_series(1, 10) i; ALTER TABLE t OWNER TO g_owner")
	mustQuery(t, admin, "ALTER DATABASE shop SET work_mem = '7MB'; ALTER ROLE g_owner IN DATABASE shop SET search_path = only_shop")
	one := dumpall(t, admin)
	mustQuery(t, odd, "CREATE TABLE u (id int); INSERT INTO u VALUES (1)")
	mustQuery(t, admin, `ALTER DATABASE "Odd Name's" SET work_mem = '5MB'`)
	both := dumpall(t, admin)
	mustQuery(t, admin, `DROP DATABASE shop`)
	mustQuery(t, admin, `DROP DATABASE "Odd Name's"`)
	mustQuery(t, admin, dropRoles)
	_, err := snapshot.Open(ctx, both)
	for _, want := range []string{"shop", "Odd Name's", "#database="} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	tests := []struct{ name, spec, sql, want, settings string }{
		{"the only one that holds something", one, "SELECT count(*), min(c) FROM public.t", `10 \connect x`, "7MB only_shop"},
		{"one of two", both + "#database=shop", "SELECT count(*), min(c) FROM public.t", `10 \connect x`, "7MB only_shop"},
		{"one of an odd name", both + "#database=Odd Name's", "SELECT count(*), to_regclass('t') FROM public.u", "1 ", `5MB "$user", public`},
	}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Cleanup(func() { mustQuery(t, s.Database("postgres").AdminDSN(), dropRoles) })
				b, m := restored(t, s, test.spec)
				t.Log(m.Skipped)
				d := clone(t, s, b)
				if got := mustQuery(t, d.OwnerDSN(), test.sql); len(got) != 1 || strings.Join(got[0], " ") != test.want {
					t.Errorf("restored %v, want %s", got, test.want)
				}
				if got := mustQuery(t, d.OwnerDSN(), "SELECT current_setting('work_mem'), current_setting('search_path')"); strings.Join(got[0], " ") != test.settings {
					t.Errorf("settings %v, want %s", got, test.settings)
				}
				if got := mustQuery(t, d.AdminDSN(), "SELECT datcollate FROM pg_database WHERE datname = current_database()"); got[0][0] != "C" {
					t.Errorf("locale %v, want C", got)
				}
				if got := mustQuery(t, d.AdminDSN(), "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'g_owner'"); !cmp.Equal([][]string{{"t"}}, got) {
					t.Errorf("role without a password: %v", got)
				}
			})
		}
	})
}
