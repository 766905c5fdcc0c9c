package postgres_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// A dump restored has the schema of the original, but for who owns what: all
// formats and packings, on all majors.
func TestRestoreGivesTheOriginalSchema(t *testing.T) {
	ctx := context.Background()
	prod, dsn := original(t, rich(t))
	want, err := prod.Database(nameOf(dsn)).Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, format := range []string{"custom", "plain"} {
		file := dump(t, dsn, "", "--format="+format)
		for _, pack := range []string{"", "gzip", "zstd"} {
			files[strings.TrimSuffix(format+" "+pack, " ")] = packed(t, file, pack)
		}
	}
	files["plain --create --inserts"] = dump(t, dsn, "", "--format=plain", "--create", "--inserts")
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for name, file := range files {
			t.Run(name, func(t *testing.T) {
				b, m := restored(t, s, file)
				t.Logf("%d rows, %d bytes, skipped %q", m.Rows, m.Bytes, m.Skipped)
				if m.Rows != 500+3000+1000+3+1 {
					t.Errorf("%d rows restored, want 4504", m.Rows)
				}
				sameSchema(t, prod, want, s, b)
			})
		}
	})
}

func sameSchema(t *testing.T, prod *postgres.Server, want snapshot.Schema, s *postgres.Server, b *postgres.Baseline) {
	t.Helper()
	got, err := b.Database().Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	sameMajor := majorOf(s) == majorOf(prod)
	if d := cmp.Diff(withoutOwners(want, sameMajor), withoutOwners(got, sameMajor)); d != "" {
		t.Errorf("schema (-original +restored):\n%s", d)
	}
}

func nameOf(dsn string) string {
	_, rest, _ := strings.Cut(dsn, "@")
	_, rest, _ = strings.Cut(rest, "/")
	name, _, _ := strings.Cut(rest, "?")
	return name
}

// withoutOwners keeps what a restore must preserve: owners become the
// migrating role, OIDs differ, and privileges are told relative to the owner.
//
// Another major spells queries its own way, and has newer extensions.
func withoutOwners(s snapshot.Schema, sameMajor bool) map[string]string {
	m := map[string]string{}
	for _, o := range s {
		if o.Kind == "privileges" {
			continue
		}
		switch o.Kind {
		case "view", "materialized view", "extension", "publication":
			if !sameMajor {
				o.Definition = ""
			}
		}
		var lines []string
		for _, l := range strings.Split(o.Definition, "\n") {
			l, _, _ = strings.Cut(l, "OWNER ")
			if l = strings.TrimSpace(l); l != "" {
				lines = append(lines, l)
			}
		}
		m[o.Kind+" "+o.Name+" @"+o.Relation] = strings.Join(lines, "\n")
	}
	return m
}

func majorOf(s *postgres.Server) int { _, num := s.Version(); return num / 10000 }

// Roles that a dump names are there after the restore, cannot log in, and keep
// their privileges; the migrating role may hand objects to them.
func TestRestoreBringsRolesAndPrivileges(t *testing.T) {
	ctx := context.Background()
	prod, dsn := original(t, rich(t))
	files := map[string]string{
		"custom": dump(t, dsn, "", "--format=custom"),
		"plain":  dump(t, dsn, "", "--format=plain"),
	}
	forget(t, prod, dsn)
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for name, file := range files {
			t.Run(name, func(t *testing.T) {
				admin := s.Database("postgres").AdminDSN()
				mustQuery(t, admin, forgetRoles)
				b, _, err := s.Restore(ctx, open(t, file), fresh(t, s), postgres.RestoreOptions{Roles: []string{"named_by_option"}})
				if err != nil {
					t.Fatal(err)
				}
				if err := b.Seal(ctx); err != nil {
					t.Fatal(err)
				}
				d := clone(t, s, b)
				got := mustQuery(t, d.AdminDSN(), `SELECT has_table_privilege('Odd Reader', 'app.orders', 'SELECT'),
					has_table_privilege('writer', 'app.orders', 'UPDATE WITH GRANT OPTION'), has_column_privilege('writer', 'public.users', 'email', 'SELECT'),
					has_function_privilege('writer', 'app.add(int, int)', 'EXECUTE'), has_schema_privilege('writer', 'app', 'USAGE'),
					(SELECT polroles[1]::regrole::text FROM pg_policy WHERE polname = 'mine')`)
				if want := [][]string{{"t", "t", "t", "f", "t", "policy_only"}}; !cmp.Equal(want, got) {
					t.Errorf("privileges: got %v, want %v", got, want)
				}
				got = mustQuery(t, d.AdminDSN(), `SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace IN ('app'::regnamespace, 'public'::regnamespace)
					AND oid NOT IN (SELECT objid FROM pg_depend WHERE deptype = 'e') UNION SELECT pg_get_userbyid(evtowner) FROM pg_event_trigger`)
				if want := [][]string{{postgres.Owner}}; !cmp.Equal(want, got) {
					t.Errorf("owners of what was restored: got %v, want %v", got, want)
				}
				got = mustQuery(t, admin, `SELECT rolname FROM pg_roles WHERE (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR rolcanlogin)
					AND rolname <> 'postgres' AND rolname NOT LIKE 'pg\_%' AND NOT (rolname = '`+postgres.Owner+`' AND NOT rolsuper AND NOT rolcreatedb AND NOT rolcreaterole AND NOT rolreplication AND NOT rolbypassrls)`)
				if len(got) > 0 {
					t.Errorf("roles that may do more than they should: %v", got)
				}
				mustQuery(t, d.OwnerDSN(), `GRANT SELECT ON public.users TO named_by_option; ALTER TABLE app.orders OWNER TO app_owner; DROP FUNCTION app.touch() CASCADE`)
			})
		}
	})
}

// The server's own databases, its files and the baseline are out of reach of
// a migration, and no role can be made.
func TestMigratingRoleIsUnprivileged(t *testing.T) {
	ctx := context.Background()
	_, dsn := original(t, rich(t))
	file := dump(t, dsn, "", "--format=custom")
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		b, _ := restored(t, s, file)
		d := clone(t, s, b)
		for _, sql := range []string{
			"SELECT pg_read_file('/etc/passwd')",
			"COPY public.users TO PROGRAM 'cat'",
			"COPY public.users FROM '/etc/passwd'",
			"ALTER SYSTEM SET work_mem = '1GB'",
			"CREATE EXTENSION file_fdw",
			"CREATE LANGUAGE plpython3u",
			"DROP DATABASE " + b.Name(),
			"DROP DATABASE " + d.Name(),
			"CREATE DATABASE elsewhere",
			"CREATE ROLE more",
			"ALTER ROLE CURRENT_USER SUPERUSER",
			"GRANT pg_read_server_files TO CURRENT_USER",
			"SET SESSION AUTHORIZATION postgres",
			"SELECT * FROM get_raw_page('public.users', 0)",
			"CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'getpid'",
			"SELECT lo_import('/etc/passwd')",
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' UNION ALL SELECT 1/0 > 0",
			"CHECKPOINT",
		} {
			if _, err := query(ctx, d.OwnerDSN(), sql); err == nil {
				t.Errorf("allowed: %s", sql)
			}
		}
		for _, other := range []string{b.Name(), "postgres", "template1"} {
			if _, err := query(ctx, strings.Replace(d.OwnerDSN(), d.Name(), other, 1), "SELECT 1"); err == nil {
				t.Errorf("may connect to %s", other)
			}
		}
		// What an owner may do.
		mustQuery(t, d.OwnerDSN(), "CREATE EXTENSION citext; CREATE TABLE public.mine (id int); CREATE SCHEMA mine; ALTER TABLE app.orders ADD COLUMN more int; DROP TABLE app.cache")
	})
}

// What goes wrong says what and what to do, and leaves no database behind.
func TestRestoreRefuses(t *testing.T) {
	ctx := context.Background()
	prod, dsn := original(t, `CREATE EXTENSION hstore; CREATE TABLE t (id int PRIMARY KEY, h hstore); INSERT INTO t SELECT i, 'a=>1' FROM generate_series(1, 5000) i;
		CREATE TABLE c (t int REFERENCES t); INSERT INTO c VALUES (1)`)
	custom, plain := dump(t, dsn, "", "--format=custom"), dump(t, dsn, "", "--format=plain")
	_, nothing := original(t, "SELECT 1")
	was, _ := prod.Version() // and one as long, for archives count bytes
	newer := "99" + was[2:]
	edit := func(file, old, new string) string {
		data := readFile(t, file)
		if !strings.Contains(data, old) {
			t.Fatalf("%s does not hold %q", file, old)
		}
		return write(t, []byte(strings.ReplaceAll(data, old, new)))
	}
	tests := []struct {
		name, file string
		want       []string
	}{
		{"newer server, custom", edit(custom, was, newer), []string{"taken from PostgreSQL " + newer, "--server-version 99"}},
		{"newer server, plain", edit(plain, "from database version "+was, "from database version 99.1"), []string{"taken from PostgreSQL 99.1", "--server-version 99"}},
		{"missing extension, custom", edit(custom, "hstore", "hstory"), []string{"the extension hstory", "package postgresql-"}},
		{"missing extension, plain", edit(plain, "hstore", "hstory"), []string{"hstory\" does not exist", "lacks the extension hstory", "package postgresql-"}},
		{"a row that is not one", edit(plain, "\n4999\t", "\nx4999\t"), []string{"COPY public.t", "line ", "x4999"}},
		{"a broken foreign key", edit(plain, "FROM stdin;\n1\n\\.", "FROM stdin;\n999999\n\\."), []string{"ALTER TABLE ONLY public.c ADD CONSTRAINT c_t_fkey", "23503", "999999"}},
		{"a shell command", edit(plain, "SET check_function_bodies", "\\! touch /tmp/owned\nSET check_function_bodies"), []string{"line ", "\\! touch", "command of psql"}},
		{"a program", edit(plain, "SET check_function_bodies", "COPY (SELECT 1) TO PROGRAM 'touch /tmp/owned';\nSET check_function_bodies"), []string{"line ", "COPY of a file, a program or a query"}},
		{"a second database", write(t, []byte("\\connect a\nCREATE TABLE t();\n\\connect b\n")), []string{"line 3", "second database"}},
		{"nothing in it, custom", dump(t, nothing, "", "--format=custom"), []string{"holds nothing"}},
		{"nothing in it, plain", dump(t, nothing, "", "--format=plain"), []string{"holds nothing"}},
		{"another engine's", write(t, []byte("-- MySQL dump 10.13\nCREATE TABLE `t` (id int);\n")), []string{"MySQL", "--engine mysql"}},
		{"an open quote", write(t, []byte("CREATE TABLE t();\nSELECT 'abc;\n")), []string{"line 2", "ends inside"}},
	}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				name := fresh(t, s)
				_, _, err := s.Restore(ctx, open(t, test.file), name, postgres.RestoreOptions{})
				if err == nil {
					t.Fatal("restored")
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not say %q", err, want)
					}
				}
				left := mustQuery(t, s.Database("postgres").AdminDSN(), "SELECT datname FROM pg_database WHERE datname = '"+name+"' UNION SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'")
				if len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	})
}

// What a restore may leave out is listed, and nothing else is lost.
func TestRestoreTolerates(t *testing.T) {
	_, dsn := original(t, `CREATE EXTENSION pg_trgm; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database()); EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database()); END $$`)
	edit := func(file string, oldNew ...string) string {
		return write(t, []byte(strings.NewReplacer(oldNew...).Replace(readFile(t, file))))
	}
	custom, plain, create := dump(t, dsn, "", "--format=custom"), dump(t, dsn, "", "--format=plain"), dump(t, dsn, "", "--format=plain", "--create")
	tests := []struct {
		name, file string
		want       []string
		settings   bool
	}{
		{"settings of a newer pg_dump", edit(plain, "SET lock_timeout = 0;", "SET lock_timeout = 0;\nSET transaction_timeoot = 0;"), []string{"setting transaction_timeoot: unknown to this server's version"}, false},
		{"an extension nothing needs, custom", edit(custom, "pg_trgm", "pg_trgx"), []string{"extension pg_trgx: not on this server"}, true},
		{"an extension nothing needs, plain", edit(plain, "COMMENT ON EXTENSION", "-- ", "pg_trgm", "pg_trgx"), []string{"extension pg_trgx: not on this server"}, false},
		{"a tablespace", edit(plain, "SET default_tablespace = ''", "SET default_tablespace = 'fast'"), []string{"tablespace fast: what was in it is in the default one"}, false},
		{"a subscription", write(t, []byte("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2);\nCREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false);")), []string{"subscription s: it would connect to the server it subscribes to"}, false},
		{"settings of the database, custom", custom, nil, true},
		{"settings of the database, plain", create, nil, true},
	}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				b, m := restored(t, s, test.file)
				skipped := slices.DeleteFunc(slices.Clone(m.Skipped), func(what string) bool { // what pg_dump 17 and newer say to 15
					return strings.HasPrefix(what, "setting transaction_timeout:")
				})
				if !slices.Equal(test.want, skipped) {
					t.Errorf("skipped %q, want %q", skipped, test.want)
				}
				d := clone(t, s, b)
				got := mustQuery(t, d.OwnerDSN(), "SELECT count(*), current_setting('search_path'), current_setting('work_mem') FROM public.t")
				want := [][]string{{"2", `"$user", public`, "4MB"}}
				if test.settings {
					want = [][]string{{"2", "app, public", "7MB"}}
				}
				if !cmp.Equal(want, got) {
					t.Errorf("in the clone: got %v, want %v", got, want)
				}
			})
		}
	})
}

// A dump sets an empty search path, under which pg_restore cannot build what
// calls a function that names things without their schema.
func TestRestoreFindsWhatFunctionsNameWithoutASchema(t *testing.T) {
	_, dsn := original(t, `CREATE TABLE t (n int); INSERT INTO t VALUES (0), (1);
		CREATE FUNCTION nothing() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
		CREATE FUNCTION counts(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n <> nothing()';
		CREATE FUNCTION listed(n int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN EXISTS (SELECT FROM t WHERE t.n = listed.n); END';
		CREATE INDEX counted ON t (n) WHERE counts(n);
		CREATE MATERIALIZED VIEW v AS SELECT n FROM t WHERE listed(n)`)
	s := connect(t, "15")
	for _, format := range []string{"custom", "plain", "directory"} {
		t.Run(format, func(t *testing.T) {
			b, m := restored(t, s, dump(t, dsn, "", "--format="+format))
			if len(m.Skipped) > 0 {
				t.Errorf("skipped %q", m.Skipped)
			}
			got := mustQuery(t, clone(t, s, b).AdminDSN(), "SELECT to_regclass('public.counted'), count(*) FROM public.v")
			if want := [][]string{{"counted", "2"}}; !cmp.Equal(want, got) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Full disks are told before anything is restored.
func TestRestoreChecksSpace(t *testing.T) {
	_, dsn := original(t, "CREATE TABLE t (id int)")
	target := *snapshottest.Server(t, "15")
	target.Tools = cramped{target.Tools}
	s, err := postgres.Connect(context.Background(), &target)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Restore(context.Background(), open(t, dump(t, dsn, "", "--format=plain")), fresh(t, s), postgres.RestoreOptions{})
	if err == nil || !strings.Contains(err.Error(), "of disk are needed") {
		t.Errorf("error %v does not tell how much disk is needed", err)
	}
}

// cramped are tools where hardly any disk is left.
type cramped struct{ snapshot.Tools }

func (cramped) Free(context.Context) (int64, error) { return 10, nil }

// A cancelled restore ends soon and leaves no database behind.
func TestRestoreCancelled(t *testing.T) {
	_, dsn := original(t, "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 300000) i")
	files := map[string]string{"custom": dump(t, dsn, "", "--format=custom"), "plain": dump(t, dsn, "", "--format=plain")}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for format, file := range files {
			t.Run(format, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
				defer cancel()
				name := fresh(t, s)
				_, _, err := s.Restore(ctx, open(t, file), name, postgres.RestoreOptions{})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v is not that of the context", err)
				}
				left := mustQuery(t, s.Database("postgres").AdminDSN(), "SELECT datname FROM pg_database WHERE datname = '"+name+"' UNION SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'")
				if len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	})
}

// Progress never goes back and never beyond its total.
func TestRestoreReportsProgress(t *testing.T) {
	_, dsn := original(t, "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 200000) i")
	s := connect(t, "15")
	for _, format := range []string{"custom", "plain"} {
		var last, calls int64
		var mu sync.Mutex
		_, _, err := s.Restore(context.Background(), open(t, dump(t, dsn, "", "--format="+format)), fresh(t, s), postgres.RestoreOptions{
			Progress: func(done, total int64) {
				mu.Lock()
				defer mu.Unlock()
				if calls++; done < last || done > total || total <= 0 {
					t.Errorf("%s: %d of %d after %d", format, done, total, last)
				}
				last = done
			}})
		if err != nil {
			t.Fatal(err)
		}
		if format == "plain" && calls == 0 {
			t.Error("no progress was reported")
		}
	}
}

// testdata/dumps are of testdata/rich.sql with fewer rows, taken from a server
// 15.18 by pg_dump 16.15, 17.10 and 18.6, whose archives the pg_restore of 15
// cannot read: what that one refuses goes over the wire.
func TestRestoreDumpsOfNewerTools(t *testing.T) {
	ctx := context.Background()
	prod, dsn := original(t, rich(t))
	want, err := prod.Database(nameOf(dsn)).Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ file, by string }{{"16-zstd.dump", "16.15"}, {"17-gzip.dump", "17.10"}, {"18-none.dump.zst", "18.6"}, {"18-plain.sql.gz", "18.6"}, {"18-lz4.dump", "18.6"}}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for _, test := range tests {
			t.Run(test.file, func(t *testing.T) {
				src := open(t, "testdata/dumps/"+test.file)
				if src.DumpVersion != test.by || src.ServerVersion != "15.18" {
					t.Errorf("dumped from %s by %s, want 15.18 by %s", src.ServerVersion, src.DumpVersion, test.by)
				}
				b, m := restored(t, s, "testdata/dumps/"+test.file)
				t.Logf("skipped %q", m.Skipped)
				if m.Rows != 50+100+60+3+1 {
					t.Errorf("%d rows restored, want 214", m.Rows)
				}
				sameSchema(t, prod, want, s, b)
				if got := mustQuery(t, b.Database().AdminDSN(), "SELECT length(lo_get(4711)), (SELECT sum(total) FROM app.sums), (SELECT last_value FROM app.tickets)"); got[0][0] != "1000" || got[0][1] == "" || got[0][2] != "46" {
					t.Errorf("large object, materialized view and sequence: %v", got)
				}
			})
		}
	})
}

// What only 18 has survives, and is told apart.
func TestRestoreOf18(t *testing.T) {
	ctx := context.Background()
	s := connect(t, "18")
	b, _ := restored(t, s, "testdata/dumps/18-from-18.dump")
	schema, err := b.Database().Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range schema {
		got[o.Kind+" "+o.Name] = o.Definition
	}
	for what, want := range map[string]string{
		"column public.v.twice":     "integer GENERATED ALWAYS AS ((a * 2)) VIRTUAL",
		"column public.v.thrice":    "integer GENERATED ALWAYS AS ((a * 3)) STORED",
		"column public.nn.a":        "integer NOT NULL NOT VALID",
		"constraint public.c.small": "CHECK ((v < 10)) NOT ENFORCED",
		"constraint public.c.c_v":   "FOREIGN KEY (v) REFERENCES public.v(id) NOT ENFORCED",
		"publication p": `{"pubdelete": true, "pubinsert": true, "pubupdate": true, "pubgencols": "s", "pubviaroot": false, "pubtruncate": true, "puballtables": false}
OWNER migration_gate_owner
TABLE public.v (id, thrice)`,
		"constraint public.booking.no_overlap": "PRIMARY KEY (room, at WITHOUT OVERLAPS)",
	} {
		if got[what] != want {
			t.Errorf("%s is %q, want %q", what, got[what], want)
		}
	}
	d := clone(t, s, b)
	// The name of a NOT NULL constraint is nothing that anybody relies on.
	mustQuery(t, d.OwnerDSN(), "ALTER TABLE v ALTER a SET NOT NULL; ALTER TABLE v ALTER a DROP NOT NULL")
	if left := describe(t, schema, d); left != nil {
		t.Errorf("differences: %q", left)
	}
	if diffs, _, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{}); err != nil || diffs != nil {
		t.Errorf("rows: %+v, error %v", diffs, err)
	}
}
