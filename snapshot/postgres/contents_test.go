package postgres_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// everything makes testdata/everything.sql, gives it to use, and takes away
// what would keep its database from being dropped.
func everything(t *testing.T, use func(prod *postgres.Server, dsn string)) {
	t.Helper()
	sql, err := os.ReadFile("testdata/everything.sql")
	if err != nil {
		t.Fatal(err)
	}
	prod, dsn := original(t, "SELECT 1")
	c := dial(t, dsn)
	for _, sql := range []string{"SET allow_in_place_tablespaces = on", "CREATE TABLESPACE fast LOCATION ''"} {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c.Close(context.Background())
	defer func() {
		_, _ = query(context.Background(), dsn, "ALTER SUBSCRIPTION from_hq SET (slot_name = NONE); DROP SUBSCRIPTION from_hq")
		if err := prod.Drop(context.Background(), nameOf(dsn)); err != nil {
			t.Error(err)
		}
		admin := prod.Database("postgres").AdminDSN()
		mustQuery(t, admin, "DROP TABLESPACE fast")
		mustQuery(t, admin, `DROP ROLE shop_owner, shop_reader, shop_writer, "Shop Admin"`)
	}()
	mustQuery(t, dsn, string(sql))
	use(prod, dsn)
}

// Of each object that a dump may hold it is known whether it is restored or left
// out by name; a dump of all of them comes in, whichever way.
func TestEveryKindOfObject(t *testing.T) {
	files := map[string]string{}
	everything(t, func(prod *postgres.Server, dsn string) {
		files["custom"] = dump(t, dsn, "", "--format=custom")
		files["plain"] = dump(t, dsn, "", "--format=plain", "--create")
		files["plain, --clean"] = dump(t, dsn, "", "--format=plain", "--clean")
	})
	leftOut := []string{
		"privileges on the function pg_read_file: that leads out of the database",
		"subscription from_hq: it would connect to the server it subscribes to",
		"tablespace fast: what was in it is in the default one",
		"security label on COLUMN shop.words.own by anon: no label provider is loaded here",
		"password of the user mapping of shop_owner for server warehouse: no run may reach that server",
		"rows of the materialized view shop.stock_sums: it reads the foreign table shop.stock, which is on another server",
		"rows of the materialized view shop.stock_doubled: it reads the foreign table shop.stock, which is on another server",
	}
	ofDatabase := []string{"setting session_preload_libraries of the database: libraries of the production server are not loaded here"}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for name, file := range files {
			t.Run(name, func(t *testing.T) {
				roles := func() {
					mustQuery(t, s.Database("postgres").AdminDSN(), `DROP ROLE IF EXISTS shop_owner, shop_reader, shop_writer, "Shop Admin"`)
				}
				roles()
				t.Cleanup(roles)
				b, m := restored(t, s, file)
				want := slices.Clone(leftOut)
				if name != "plain, --clean" {
					want = append(want, ofDatabase...)
				}
				slices.Sort(want)
				got := slices.Clone(m.Skipped)
				slices.Sort(got)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("left out (-want +got):\n%s", d)
				}
				if strings.Contains(strings.Join(m.Skipped, "\n"), "hunter2") {
					t.Error("a password is in the manifest")
				}
				d := clone(t, s, b)
				for _, object := range restoredObjects {
					if name == "plain, --clean" && object.ofDatabase {
						continue
					}
					dsn := d.AdminDSN()
					if object.asOwner {
						dsn = d.OwnerDSN()
					}
					rows, err := query(context.Background(), dsn, object.sql)
					if err != nil {
						t.Errorf("%s: %v", object.what, err)
					} else if len(rows) != 1 || strings.Join(rows[0], " ") != object.want {
						t.Errorf("%s: %v, want %s", object.what, rows, object.want)
					}
				}
			})
		}
	})
}

// restoredObjects says how each object of testdata/everything.sql shows.
var restoredObjects = []struct {
	what, sql, want     string
	asOwner, ofDatabase bool
}{
	{what: "tables and rows", sql: "SELECT (SELECT count(*) FROM shop.words), (SELECT count(*) FROM shop.rooms), (SELECT count(*) FROM shop.events), (SELECT count(*) FROM shop.hot)", want: "50 20 60 1"},
	{what: "libc collation", sql: "SELECT collprovider, collcollate FROM pg_collation WHERE collname = 'posix'", want: "c C.utf8"},
	{what: "ICU collation", sql: "SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.words'::regclass AND attcollation = 'shop.natural'::regcollation", want: "1"},
	{what: "nondeterministic collation", sql: "SELECT collprovider, collisdeterministic FROM pg_collation WHERE collname = 'nocase'", want: "i f"},
	{what: "collation of the server", sql: `SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.words'::regclass AND attcollation = '"de-x-icu"'::regcollation`, want: "1"},
	{what: "identity column", sql: "SELECT attidentity, pg_get_serial_sequence('shop.words', 'id') FROM pg_attribute WHERE attrelid = 'shop.words'::regclass AND attname = 'id'", want: "a shop.words_id_seq"},
	{what: "next value of an identity column", sql: "SELECT last_value FROM shop.words_id_seq", want: "255"},
	{what: "generated column", sql: "SELECT upper FROM shop.words WHERE plain = 'w7'", want: "W7"},
	{what: "domain", sql: "SELECT typcollation::regcollation FROM pg_type WHERE oid = 'shop.email'::regtype", want: `"C"`},
	{what: "enumeration", sql: "SELECT enum_range(NULL::shop.size)", want: "{s,m,l}"},
	{what: "range and multirange", sql: "SELECT sizes @> 1.5 FROM shop.rooms WHERE id = 1", want: "t"},
	{what: "cast", sql: "SELECT 's'::shop.size::int", want: "1"},
	{what: "access method", sql: "SELECT amname FROM pg_am JOIN pg_class c ON c.relam = pg_am.oid WHERE relname = 'kept'", want: "heap2"},
	{what: "operator family", sql: "SELECT count(*) FROM pg_opfamily WHERE opfname = 'numbers'", want: "1"},
	{what: "conversion", sql: "SELECT count(*) FROM pg_conversion WHERE conname = 'latin'", want: "1"},
	{what: "text search", sql: "SELECT to_tsvector('shop.search', 'running')", want: "'run':1"},
	{what: "exclusion constraint", sql: "SELECT contype FROM pg_constraint WHERE conrelid = 'shop.rooms'::regclass AND contype = 'x'", want: "x"},
	{what: "statistics object", sql: "SELECT stxkind FROM pg_statistic_ext WHERE stxname = 'rooms_stats'", want: "{d,m,e}"},
	{what: "partition tree", sql: "SELECT count(*) FROM pg_partition_tree('shop.events')", want: "5"},
	{what: "unlogged table", sql: "SELECT relpersistence FROM pg_class WHERE relname = 'cache'", want: "u"},
	{what: "view", sql: "SELECT count(*), (SELECT reloptions FROM pg_class WHERE relname = 'big_rooms') FROM shop.big_rooms", want: "10 {security_barrier=true,check_option=local}"},
	{what: "rule", sql: "SELECT count(*) FROM pg_rules WHERE rulename = 'keep'", want: "1"},
	{what: "materialized view", sql: "SELECT count(*) FROM shop.counts", want: "3"},
	{what: "trigger", sql: "SELECT tgqual IS NOT NULL FROM pg_trigger WHERE tgname = 'touch'", want: "t"},
	{what: "row level security", sql: "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'rooms'", want: "t t"},
	{what: "policy", sql: "SELECT roles FROM pg_policies WHERE policyname = 'readers'", want: `{"Shop Admin",shop_reader}`},
	{what: "privileges of roles that were not there", sql: `SELECT has_schema_privilege('shop_reader', 'shop', 'USAGE'), has_column_privilege('shop_writer', 'shop.rooms', 'room', 'UPDATE'), has_table_privilege('shop_writer', 'shop.rooms', 'SELECT'),
		has_sequence_privilege('Shop Admin', 'shop.words_id_seq', 'USAGE WITH GRANT OPTION')`, want: "t t f t"},
	{what: "privileges on what is in an extension", sql: "SELECT has_function_privilege('shop_reader', 'ext.gen_random_bytes(int)', 'EXECUTE')", want: "t"},
	{what: "privileges on what is the server's", sql: "SELECT has_function_privilege('shop_reader', 'pg_catalog.pg_reload_conf()', 'EXECUTE'), has_function_privilege('shop_reader', 'pg_catalog.pg_read_file(text)', 'EXECUTE')", want: "t f"},
	{what: "default privileges", sql: "SELECT count(*) FROM pg_default_acl WHERE defaclrole = 'shop_owner'::regrole", want: "2"},
	{what: "owners", sql: "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'shop'", want: postgres.Owner},
	{what: "foreign server", sql: "SELECT srvoptions FROM pg_foreign_server", want: "{dbname=w,host=127.0.0.1,port=1}"},
	{what: "user mapping without its password", sql: "SELECT umoptions FROM pg_user_mappings WHERE usename = 'shop_owner'", want: `{"password=left out",user=shop}`},
	{what: "user mapping for all", sql: "SELECT umoptions FROM pg_user_mappings WHERE usename = 'public'", want: "{password_required=true,user=guest}"},
	{what: "foreign table", sql: "SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.stock'::regclass AND attfdwoptions = '{column_name=no}'", want: "1"},
	{what: "materialized view of a foreign table", sql: "SELECT relispopulated FROM pg_class WHERE relname = 'stock_sums'", want: "f"},
	{what: "publication", sql: "SELECT pubinsert, pubdelete, (SELECT prattrs FROM pg_publication_rel WHERE prpubid = p.oid) FROM pg_publication p WHERE pubname = 'changes'", want: "t f 1 2"},
	{what: "publication of all tables", sql: "SELECT puballtables FROM pg_publication WHERE pubname = 'everything'", want: "t"},
	{what: "subscription is not there", sql: "SELECT count(*) FROM pg_subscription", want: "0"},
	{what: "tablespace", sql: "SELECT reltablespace FROM pg_class WHERE relname = 'hot'", want: "0"},
	{what: "event trigger", sql: "SELECT evttags, pg_get_userbyid(evtowner) FROM pg_event_trigger WHERE evtname = 'watch'", want: "{\"CREATE TABLE\"} " + postgres.Owner},
	{what: "comments", sql: `SELECT obj_description('shop'::regnamespace), obj_description('shop.natural'::regcollation), (SELECT description FROM pg_description WHERE classoid = 'pg_event_trigger'::regclass)`,
		want: "the shop; with a semicolon numbers in order watches"},
	{what: "large object", sql: "SELECT lo_get(815), obj_description(815, 'pg_largeobject')", want: `\x00ff00ff a large one`},
	{what: "privileges on a large object", sql: "SELECT lomacl::text LIKE '%shop_reader=r/%' FROM pg_largeobject_metadata", want: "t"},
	{what: "settings of the database", sql: "SELECT current_setting('work_mem'), current_setting('app.region')", want: "7MB eu", ofDatabase: true},
	{what: "the owner's settings are the migrating role's", sql: "SHOW search_path", want: "shop, public", asOwner: true, ofDatabase: true},
	{what: "a role's settings in the database", sql: "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'shop_reader'::regrole AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())",
		want: "{statement_timeout=9s}", ofDatabase: true},
	{what: "a foreign table leads nowhere", sql: "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgres_fdw'", want: "0"},
}
