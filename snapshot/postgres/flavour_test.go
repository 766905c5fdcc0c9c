package postgres_test

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// Dumps of managed servers come in as those that use them have them: what the
// provider alone has is left out by name, and the rest is there.
func TestManagedFlavours(t *testing.T) {
	tests := []struct {
		name, file, roles string
		major             int
		// leftOut of the plain dump; an archive made here cannot hold rows of an
		// extension that nobody can install.
		leftOut    []string
		plainRoles string
		onlyText   []string
		// checks are SQL on the clone, as the migrating role, and what it says.
		checks map[string]string
	}{
		{
			name: "Amazon RDS", file: "rds.sql", plainRoles: "what Amazon RDS or Aurora lets the roles rds_superuser, rdsadmin, rds_iam do: they are plain roles here",
			roles: "rdsadmin rds_superuser rds_iam master monitor", major: 14,
			leftOut: []string{
				"extension aws_commons (what its other extensions share): only Amazon RDS or Aurora has it",
				"extension aws_s3 (files in S3): only Amazon RDS or Aurora has it",
				"extension rds_tools (looking into the server): only Amazon RDS or Aurora has it",
			},
			onlyText: []string{
				"privileges on FUNCTION aws_s3.query_export_to_s3(query text, s3_info aws_commons._s3_uri_1, options text): it is an extension's that is missing here, or of another version",
				"privileges on FUNCTION rds_tools.pg_ls_multixactdir(): it is an extension's that is missing here, or of another version",
			},
			checks: map[string]string{
				"SELECT has_schema_privilege('rds_superuser', 'public', 'CREATE'), has_table_privilege('rds_iam', 'public.orders', 'SELECT')":                              "t t",
				"CREATE TABLE public.by_migration (id int); SELECT c_tag, c_user FROM public.awsdms_ddl_audit":                                                             "CREATE TABLE " + postgres.Owner,
				"SELECT count(*) FROM pg_proc WHERE proname = 'export_orders'":                                                                                             "1",
				"SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ 'pg_stat_statements'": postgres.Owner,
			},
		},
		{
			name: "Amazon Aurora", file: "aurora.sql", plainRoles: "what Amazon RDS or Aurora lets the roles rds_superuser, rdsadmin, rds_iam do: they are plain roles here",
			roles: "rdsadmin rds_superuser rds_iam app", major: 15,
			leftOut: []string{
				"extension apg_plan_mgmt (query plan management): only Amazon Aurora has it",
				"extension aurora_stat_utils (statistics of its storage): only Amazon Aurora has it",
				"extension aws_commons (what its other extensions share): only Amazon RDS or Aurora has it",
				"extension aws_lambda (calls of Lambda): only Amazon RDS or Aurora has it",
				"extension aws_ml (calls of SageMaker and Comprehend): only Amazon Aurora has it",
			},
			onlyText: []string{"privileges on TABLE apg_plan_mgmt.dba_plans: it is an extension's that is missing here, or of another version"},
			checks:   map[string]string{"SELECT tgname FROM pg_trigger WHERE NOT tgisinternal": "tell"},
		},
		{
			name: "Google Cloud SQL", file: "cloudsql.sql", plainRoles: "what Google Cloud SQL lets the roles cloudsqladmin, cloudsqlsuperuser do: they are plain roles here",
			roles: `cloudsqladmin cloudsqlsuperuser sa@project.iam`, major: 14,
			leftOut: []string{
				"extension google_ml_integration (calls of Vertex AI): only Google Cloud SQL has it",
				"extension google_vacuum_mgmt (helping vacuum): only Google Cloud SQL has it",
			},
			checks: map[string]string{
				"SELECT has_table_privilege('sa@project.iam', 'public.orders', 'SELECT'), has_schema_privilege('cloudsqlsuperuser', 'public', 'CREATE')": "t t",
				"SELECT defaclobjtype FROM pg_default_acl": "r",
			},
		},
		{
			name: "Supabase", file: "supabase.sql", plainRoles: "what Supabase lets the roles supabase_admin, supabase_auth_admin, supabase_storage_admin do: they are plain roles here",
			major: 15,
			roles: "supabase_admin supabase_auth_admin supabase_storage_admin anon authenticated service_role dashboard_user pgsodium_keyholder",
			leftOut: []string{
				"extension pg_graphql (its GraphQL interface): only Supabase has it",
				"extension pg_net (its calls of HTTP from SQL): only Supabase has it",
				"extension pgsodium (the keys of its vault): only Supabase has it",
				"extension supabase_vault (its vault): only Supabase has it",
			},
			onlyText: []string{
				"event trigger pgsodium_trg_mask_update: its function belongs to an extension that is missing here",
				"privileges on FUNCTION extensions.pg_stat_statements_reset(userid oid, dbid oid, queryid bigint, other int): it is an extension's that is missing here, or of another version",
				`privileges on FUNCTION graphql.resolve(query text, variables jsonb, "operationName" text, extensions jsonb): it is an extension's that is missing here, or of another version`,
				"privileges on FUNCTION net.http_get(url text, params jsonb, headers jsonb, timeout_milliseconds integer): it is an extension's that is missing here, or of another version",
				"privileges on TABLE pgsodium.decrypted_key: it is an extension's that is missing here, or of another version",
				"rows of pgsodium.key: the table belongs to an extension that is missing here",
				"rows of vault.secrets: the table belongs to an extension that is missing here",
				"security label on COLUMN public.orders.total by pgsodium: no label provider is loaded here",
				"value of the sequence pgsodium.key_key_id_seq: it belongs to an extension that is missing here",
			},
			checks: map[string]string{
				"SELECT (SELECT count(*) FROM auth.users), (SELECT count(token) FROM public.orders)":                                                                               "1 2",
				"SELECT string_agg(evtname, ' ' ORDER BY evtname) FROM pg_event_trigger":                                                                                           "issue_pg_graphql_access pgrst_ddl_watch",
				"CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE public.orders ADD COLUMN more int; SELECT public.f()":                              "1",
				"SELECT roles, (SELECT relrowsecurity FROM pg_class WHERE oid = 'public.orders'::regclass) FROM pg_policies":                                                       "{authenticated} t",
				"SELECT tablename FROM pg_publication_tables WHERE pubname = 'supabase_realtime'":                                                                                  "orders",
				"SELECT has_table_privilege('anon', 'public.orders', 'SELECT'), has_function_privilege('dashboard_user', 'extensions.armor(bytea)', 'EXECUTE')":                    "t t",
				"SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace IN ('auth'::regnamespace, 'storage'::regnamespace) AND relkind = 'r'": postgres.Owner,
			},
		},
		{
			name: "Neon", file: "neon.sql", plainRoles: "what Neon lets the roles neon_superuser, cloud_admin do: they are plain roles here",
			roles: "cloud_admin neon_superuser neondb_owner", major: 17,
			onlyText: []string{
				"attributes of role cloud_admin: CREATEDB, CREATEROLE, REPLICATION, SUPERUSER, which the restored roles never are",
				"attributes of role neon_superuser: CREATEDB, CREATEROLE, REPLICATION, which the restored roles never are",
				"attributes of role neondb_owner: CREATEDB, CREATEROLE, REPLICATION, which the restored roles never are",
				"role neon_superuser as a member of pg_create_subscription: that leads out of the database",
			},
			checks: map[string]string{
				"SELECT to_regclass('public.health_check') IS NULL, (SELECT count(*) FROM pg_default_acl)": "t 2",
			},
		},
	}
	for _, test := range tests {
		text := readFile(t, "testdata/flavours/"+test.file)
		archived := archiveOf(t, text, test.roles)
		onMajors(t, func(t *testing.T, s *postgres.Server) {
			forms := map[string]string{"archive": archived, "SQL": "testdata/flavours/" + test.file}
			for form, file := range forms {
				if form == "SQL" && test.major > majorOf(s) {
					continue // a dump of a newer server is refused
				}
				// One by pg_restore, the other over the wire; of the one with the
				// most in it both by both.
				if test.name != "Supabase" && (form == "archive") != (majorOf(s) == 15) {
					continue
				}
				t.Run(test.name+", "+form, func(t *testing.T) {
					snapshottest.Supported(t, "flavours", test.name, "restored")
					b, m := restored(t, s, file)
					want := append(slices.Clone(test.leftOut), test.plainRoles)
					if form == "SQL" {
						want = append(want, test.onlyText...)
					}
					slices.Sort(want)
					got := slices.DeleteFunc(slices.Clone(m.Skipped), func(what string) bool {
						return strings.HasPrefix(what, "privileges on FUNCTION public.pg_stat_statements_reset(") && majorOf(s) >= 17 ||
							form == "archive" && strings.HasPrefix(what, "privileges on ") // the extensions of 15 differ as well
					})
					slices.Sort(got)
					if d := cmp.Diff(want, got); d != "" && (len(want) > 0 || len(got) > 0) {
						t.Errorf("left out (-want +got):\n%s", d)
					}
					d := clone(t, s, b)
					if got := mustQuery(t, d.OwnerDSN(), "SELECT count(*), sum(total) FROM public.orders"); !cmp.Equal([][]string{{"2", "30.50"}}, got) {
						t.Errorf("rows: %v", got)
					}
					for sql, want := range test.checks {
						if got := mustQuery(t, d.OwnerDSN(), sql); len(got) != 1 || strings.Join(got[0], " ") != want {
							t.Errorf("%s: %v, want %s", sql, got, want)
						}
					}
				})
			}
			roles := `"` + strings.ReplaceAll(test.roles, " ", `", "`) + `"`
			mustQuery(t, s.Database("postgres").AdminDSN(), "DROP ROLE IF EXISTS "+roles)
		})
	}
}

var (
	ofDatabases = regexp.MustCompile(`(?m)^(\\connect|CREATE DATABASE|ALTER DATABASE|CREATE ROLE|ALTER ROLE|ALTER EVENT TRIGGER|SET transaction_timeout|GRANT \w+ TO|SECURITY LABEL|GRANT ALL ON DATABASE) .*$`)
	makes       = regexp.MustCompile(`CREATE EXTENSION IF NOT EXISTS (\w+) WITH SCHEMA (\w+);`)
	standard    = []string{"pg_stat_statements", "pgcrypto"}
)

// archiveOf makes an archive of a dump in SQL, on a server that has the roles but
// not the extensions: those are written into its catalogue.
func archiveOf(t *testing.T, text, roles string) string {
	t.Helper()
	prod, dsn := original(t, "SELECT 1")
	admin := prod.Database("postgres").AdminDSN()
	for role := range strings.FieldsSeq(roles) {
		mustQuery(t, admin, `DROP ROLE IF EXISTS "`+role+`"; CREATE ROLE "`+role+`"`)
	}
	if _, of, ok := strings.Cut(text, `\connect neondb`); ok {
		text, _, _ = strings.Cut(of, `\connect postgres`)
	}
	text = ofDatabases.ReplaceAllString(text, "")
	text = makes.ReplaceAllStringFunc(text, func(create string) string {
		m := makes.FindStringSubmatch(create)
		if slices.Contains(standard, m[1]) {
			return create
		}
		return `INSERT INTO pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
			VALUES (pg_catalog.pg_nextoid('pg_catalog.pg_extension', 'oid', 'pg_catalog.pg_extension_oid_index'), '` + m[1] + `', 10, '` + m[2] + `'::regnamespace, true, '1.0');`
	})
	cmd := exec.Command(client(t, "psql"), "--no-psqlrc", "--quiet", "--dbname="+dsn)
	cmd.Stdin = strings.NewReader("SET allow_system_table_mods = on;\n" + text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) { // what is in no extension that is there
		if strings.Contains(line, "ERROR") && !strings.Contains(line, "does not exist") && !strings.Contains(line, "syntax error at or near") {
			t.Error(line)
		}
	}
	file := dump(t, dsn, "", "--format=custom")
	if err := prod.Drop(context.Background(), nameOf(dsn)); err != nil {
		t.Fatal(err)
	}
	for role := range strings.FieldsSeq(roles) {
		mustQuery(t, admin, `DROP ROLE "`+role+`"`)
	}
	return file
}
