package postgres_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// A dump of roles makes roles and nothing else, whoever wrote it: what could run
// a program, read or write a file, change the server, its administrator or the
// migrating role, or make a superuser is refused or left out, and no secret is
// told.
func TestHostileGlobals(t *testing.T) {
	s := connect(t, "15")
	ctx := context.Background()
	admin := s.Database("postgres").AdminDSN()
	_, dsn := original(t, "CREATE TABLE t (id int)")
	file := dump(t, dsn, "", "--format=custom", "--schema-only")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "ran")
	const roles = `SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE oid >= 16384 AND rolname LIKE 'hg\_%'`
	drop := func() {
		for _, sql := range mustQuery(t, admin, roles) {
			mustQuery(t, admin, sql[0])
		}
	}
	t.Cleanup(drop)
	const powers = `SELECT a.rolname, a.rolsuper, a.rolcreaterole, a.rolcreatedb, a.rolreplication, a.rolbypassrls, a.rolcanlogin, r.rolconfig::text,
			CASE WHEN a.rolname <> '` + postgres.Owner + `' THEN a.rolpassword END -- the migrating role's is set for each restore
		FROM pg_authid a JOIN pg_roles r USING (oid) WHERE a.rolsuper OR a.rolcreaterole OR a.rolcreatedb OR a.rolreplication OR a.rolpassword IS NOT NULL ORDER BY 1`
	src, err := snapshot.Compose(ctx, file, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Restore(ctx, src, fresh(t, s), postgres.RestoreOptions{}); err != nil { // makes the migrating role
		t.Fatal(err)
	}
	before := mustQuery(t, admin, powers)
	for name, tc := range map[string]struct{ sql, told string }{
		"programs": {`COPY (SELECT 1) TO PROGRAM 'touch ` + out + `'; COPY t FROM PROGRAM 'touch ` + out + `'; COPY (SELECT 1) TO '` + out + `';`,
			"line 7 of the dump of roles, COPY (SELECT 1) TO PROGRAM …: not known as a statement on roles"},
		"rows":    {"COPY t (id) FROM stdin;\n1\n\\.\n", "roles: line 7: COPY t (id) FROM stdin is not of roles"},
		"tables":  {"INSERT INTO t VALUES ('hunter2');", "roles: line 7: INSERT INTO t VALUES (… is not of roles"},
		"psql's":  {"\\! touch " + out + "\n\\o |touch " + out + "\n\\qecho x\n\\set x `touch " + out + "`\nSELECT 'CREATE ROLE hg_x SUPERUSER' \\gexec\n", ""},
		"behind":  {"CREATE ROLE hg_x; \\! touch " + out, ""},
		"system":  {`ALTER SYSTEM SET archive_command = 'touch ` + out + `';`, "ALTER SYSTEM SET archive_command = …: not known"},
		"SELECT":  {`SELECT pg_read_file('/etc/passwd'); SELECT lo_export(lo_from_bytea(0, 'x'), '` + out + `');`, ""},
		"code":    {`DO $$ BEGIN EXECUTE 'CREATE ROLE hg_x SUPERUSER'; END $$;`, "DO …: not known"},
		"catalog": {`UPDATE pg_authid SET rolsuper = true, rolpassword = 'hunter2';`, "UPDATE pg_authid SET rolsuper = true, rolpassword = …: not known"},
		"super": {`CREATE ROLE hg_x SUPERUSER LOGIN PASSWORD 'hunter2'; ALTER ROLE hg_x WITH SUPERUSER CREATEROLE CREATEDB REPLICATION; GRANT postgres TO hg_x;`,
			"attributes of role hg_x: CREATEDB, CREATEROLE, REPLICATION, SUPERUSER, which the restored roles never are"},
		"the migrating role": {`CREATE ROLE ` + postgres.Owner + ` SUPERUSER; ALTER ROLE ` + postgres.Owner + ` WITH SUPERUSER PASSWORD 'hunter2'; ALTER ROLE "` + postgres.Owner + `" BYPASSRLS;
			GRANT postgres TO ` + postgres.Owner + `; GRANT pg_execute_server_program TO ` + postgres.Owner + `; ALTER ROLE ` + postgres.Owner + ` SET session_replication_role = replica;`, ""},
		"the administrator": {`ALTER ROLE postgres WITH NOSUPERUSER NOLOGIN PASSWORD 'hunter2'; ALTER ROLE postgres RENAME TO hg_x; DROP ROLE postgres; GRANT hg_y TO postgres;`,
			"ALTER ROLE postgres RENAME TO hg_x: not known"},
		"ways out": {`CREATE ROLE hg_x IN ROLE pg_execute_server_program ADMIN postgres; GRANT PG_Execute_Server_Program TO hg_x; GRANT "pg_read_server_files", pg_write_server_files TO hg_x;
			GRANT U&"pg_execute_server_program" TO hg_x;`, "role hg_x as a member of pg_write_server_files: that leads out of the database"},
		"passwords": {`CREATE ROLE hg_x; ALTER ROLE hg_x PASSWORD $$hunter2$$; ALTER ROLE hg_x PASSWORD E'hunter2'; ALTER ROLE hg_x WITH ENCRYPTED PASSWORD U&'hunter2' LOGIN;
			ALTER ROLE hg_x VALID UNTIL 'infinity' PASSWORD 'hunter2'; ALTER USER hg_x WITH /* */ PASSWORD` + "\n" + `'hunter2'; ALTER ROLE hg_x SET app.token = 'hunter2';
			CREATE SUBSCRIPTION s CONNECTION E'password=hunter2' PUBLICATION p; CREATE USER MAPPING FOR hg_x SERVER s OPTIONS (password 'hunter2');
			ALTER ROLE hg_x SET work_mem = 'hunter2'; SET app.token = 'hunter2'; SELECT 'hunter2';`, "setting work_mem of role hg_x: not for this server's version"},
		"backslashes": {`SET standard_conforming_strings = off; CREATE ROLE hg_x; ALTER ROLE hg_x SET app.a = 'a\'; CREATE ROLE hg_y SUPERUSER; --';`, "attributes of role hg_y: SUPERUSER"},
		"names":       {`CREATE ROLE "hg_a;b""; CREATE ROLE hg_y SUPERUSER; --"; GRANT hg_x TO hg_y WITH ADMIN OPTION; CREATE ROLE hg_z SUPERUSER;`, "attributes of role hg_z: SUPERUSER"},
		"settings": {`CREATE ROLE hg_x; ALTER ROLE ALL SET search_path = evil, pg_catalog; ALTER ROLE hg_x SET session_preload_libraries = '/tmp/x'; ALTER ROLE ALL SET local_preload_libraries = 'x';
			ALTER ROLE ALL SET role = postgres; ALTER ROLE hg_x SET session_authorization = postgres;`, "setting session_preload_libraries of role hg_x: libraries of the production server are not loaded here"},
		"the server's settings": {`CREATE ROLE hg_x; ALTER ROLE hg_x SET archive_command = 'hunter2';`, `set archive_command for role hg_x: ERROR: parameter "archive_command" cannot be changed now`},
	} {
		t.Run(name, func(t *testing.T) {
			drop()
			globals := write(t, []byte("--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE hg_first;\n\n"+tc.sql+"\n--\n-- PostgreSQL database cluster dump complete\n--\n"))
			src, err := snapshot.Compose(ctx, file, "", globals)
			if err != nil {
				t.Fatal(err)
			}
			b, m, err := s.Restore(ctx, src, fresh(t, s), postgres.RestoreOptions{})
			told := strings.Join(m.Skipped, "\n")
			if err != nil {
				told += "\n" + err.Error()
			}
			if !strings.Contains(told, tc.told) {
				t.Errorf("not told: %s\n%s", tc.told, told)
			}
			if strings.Contains(told, "hunter2") {
				t.Errorf("a secret is told: %s", told)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a program ran, or a file was written")
				_ = os.Remove(out)
			}
			if d := cmp.Diff(before, mustQuery(t, admin, powers)); d != "" {
				t.Errorf("powers (-before +after):\n%s", d)
			}
			if more := mustQuery(t, admin, `SELECT roleid::regrole, member::regrole FROM pg_auth_members
				WHERE member >= 16384 AND (roleid < 16384 OR member = 'postgres'::regrole)`); len(more) > 0 {
				t.Errorf("memberships: %v", more)
			}
			if b == nil {
				return
			}
			d := clone(t, s, b)
			if _, err := d.Schema(ctx); err != nil {
				t.Error(err)
			}
			if who := mustQuery(t, d.OwnerDSN(), "SELECT current_user, session_user, pg_catalog.current_setting('session_replication_role')"); !cmp.Equal([][]string{{postgres.Owner, postgres.Owner, "origin"}}, who) {
				t.Errorf("the migrating role is %v", who)
			}
		})
	}
}
