package postgres_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// replaced is a dump in which names stand that no server knows. They are as long
// as the true ones, for archives count bytes.
func replaced(t *testing.T, file string, oldNew ...string) string {
	t.Helper()
	data := []byte(readFile(t, file))
	for i := 0; i < len(oldNew); i += 2 {
		old, now := []byte(oldNew[i]), []byte(oldNew[i+1])
		if len(old) != len(now) || !bytes.Contains(data, old) {
			t.Fatalf("%s does not hold %q, or %q is not as long", file, old, now)
		}
		data = bytes.ReplaceAll(data, old, now)
	}
	return write(t, data)
}

// What the server lacks and nothing needs is left out by name; what can be there
// in another form is.
func TestWhatTheServerLacksIsLeftOut(t *testing.T) {
	prod, dsn := original(t, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lacks_reader') THEN CREATE ROLE lacks_reader; END IF; END $$;
		SET allow_system_table_mods = on;
		CREATE SCHEMA ext; CREATE SCHEMA cron;
		CREATE EXTENSION pg_trgm WITH SCHEMA ext;
		GRANT EXECUTE ON FUNCTION ext.similarity(text, text) TO lacks_reader;
		CREATE TABLE cron.job (id serial); INSERT INTO cron.job VALUES (1), (2);
		ALTER EXTENSION pg_trgm ADD TABLE cron.job; ALTER EXTENSION pg_trgm ADD SEQUENCE cron.job_id_seq;
		UPDATE pg_extension SET extconfig = ARRAY['cron.job'::regclass::oid, 'cron.job_id_seq'::regclass::oid], extcondition = '{"",""}' WHERE extname = 'pg_trgm';
		CREATE FUNCTION ext.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
		ALTER EXTENSION pg_trgm ADD FUNCTION ext.on_ddl();
		CREATE EVENT TRIGGER by_extension ON ddl_command_end EXECUTE FUNCTION ext.on_ddl();
		CREATE EXTENSION file_fdw;
		CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
		CREATE FOREIGN TABLE lines (line text) SERVER files OPTIONS (filename '/nowhere');
		CREATE COLLATION french (provider = libc, locale = 'C.utf8');
		CREATE TABLE t (id int PRIMARY KEY, a text COLLATE "C.utf8", b text COLLATE french UNIQUE, c text COLLATE "de-x-icu");
		CREATE INDEX t_c ON t (c, a COLLATE french);
		INSERT INTO t SELECT i, 'é' || i, 'b' || i, 'c' || i FROM generate_series(1, 100) i`)
	names := []string{"pg_trgm", "pg_trgx", "file_fdw", "file_fdx", "C.utf8", "fr_FR1", "de-x-icu", "qq-x-icu"}
	files := map[string]string{
		"custom": replaced(t, dump(t, dsn, "", "--format=custom"), names...),
		"plain":  replaced(t, dump(t, dsn, "", "--format=plain"), names...),
	}
	mustQuery(t, dsn, "DROP EXTENSION pg_trgm CASCADE")
	if err := prod.Drop(context.Background(), nameOf(dsn)); err != nil {
		t.Fatal(err)
	}
	mustQuery(t, prod.Database("postgres").AdminDSN(), "DROP ROLE lacks_reader")
	want := []string{
		"collation \"fr_FR1\" (locale fr_FR1): not on this server, text in it sorts by bytes",
		"collation \"qq-x-icu\" (locale qq-x-icu): not on this server, text in it sorts by bytes",
		"collation public.french (locale fr_FR1): not on this server, text in it sorts by bytes",
		"event trigger by_extension: its function belongs to an extension that is missing here",
		"extension file_fdx: not on this server",
		"extension pg_trgx: not on this server",
		"foreign-data wrapper file_fdx: a stand-in without its library, so that its servers and foreign tables are there; they cannot be read",
		"privileges on FUNCTION ext.similarity(text, text): it is an extension's that is missing here, or of another version",
		"rows of cron.job: the table belongs to an extension that is missing here",
		"value of the sequence cron.job_id_seq: it belongs to an extension that is missing here",
	}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for name, file := range files {
			t.Run(name, func(t *testing.T) {
				b, m := restored(t, s, file)
				got := slices.Clone(m.Skipped)
				slices.Sort(got)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("left out (-want +got):\n%s", d)
				}
				d := clone(t, s, b)
				got2 := mustQuery(t, d.OwnerDSN(), `SELECT count(*), (SELECT count(*) FROM pg_indexes WHERE tablename = 't'), 'lines'::regclass,
					(SELECT attcollation::regcollation FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a') FROM t`)
				if want := [][]string{{"100", "3", "lines", `"fr_FR1"`}}; !cmp.Equal(want, got2) {
					t.Errorf("restored %v, want %v", got2, want)
				}
				// A migration that names such a collation, or changes such a table.
				mustQuery(t, d.OwnerDSN(), `ALTER TABLE t ADD d text COLLATE "fr_FR1"; CREATE INDEX ON t (d COLLATE french); ALTER FOREIGN TABLE lines ADD more int`)
			})
		}
	})
}

// What cannot be restored is refused with the object's name and the way out.
func TestWhatTheServerLacksIsRefused(t *testing.T) {
	_, needy := original(t, `CREATE EXTENSION hstore; CREATE TABLE t (id int PRIMARY KEY, h hstore); CREATE FUNCTION f(hstore) RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE TABLE u (h hstore); CREATE TABLE v (h hstore); CREATE INDEX ON t USING gin (h)`)
	_, bounds := original(t, `CREATE TABLE p (k text COLLATE "en-x-icu") PARTITION BY RANGE (k); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('a') TO ('B')`)
	needyCustom, needyPlain := dump(t, needy, "", "--format=custom"), dump(t, needy, "", "--format=plain")
	tests := []struct {
		name, file string
		want       []string
	}{
		{"an extension, custom", replaced(t, needyCustom, "hstore", "hstorx"),
			[]string{"the target lacks the extension hstorx (package postgresql-", "which function public.f(public.hstorx), table public.t, table public.u and 2 more need", "--target container"}},
		{"an extension, plain", replaced(t, needyPlain, "hstore", "hstorx"), []string{"CREATE FUNCTION public.f(public.hstorx)", "the extension hstorx (package postgresql-"}},
		{"a provider's extension, custom", replaced(t, needyCustom, "hstore", "aws_ml"), []string{"the extension aws_ml (calls of SageMaker and Comprehend; only Amazon Aurora has it", "--exclude-schema", "table public.t"}},
		{"a provider's extension, plain", replaced(t, needyPlain, "hstore", "aws_ml"), []string{"only Amazon Aurora has it", "public.f(public.aws_ml)"}},
		{"partitions by the order of text, custom", replaced(t, dump(t, bounds, "", "--format=custom"), "en-x-icu", "qq-x-icu"), []string{"p_1", "empty range bound", "the locale qq-x-icu", "--target container"}},
		{"partitions by the order of text, plain", replaced(t, dump(t, bounds, "", "--format=plain"), "en-x-icu", "qq-x-icu"), []string{"p_1", "empty range bound", "the locale qq-x-icu", "--target container"}},
		{"a tablespace within a statement", write(t, []byte("CREATE TABLE t (id int) TABLESPACE fast;\n")), []string{`tablespace "fast" does not exist`, "pg_dump --no-tablespaces"}},
		{"a secret in what fails", write(t, []byte("CREATE TABLE t ();\nCREATE USER MAPPING FOR PUBLIC SERVER none OPTIONS (user 'u', password 'hunter2');\n")), []string{"line 2: CREATE USER MAPPING FOR PUBLIC SERVER none", `server "none" does not exist`}},
	}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				_, _, err := s.Restore(context.Background(), open(t, test.file), fresh(t, s), postgres.RestoreOptions{})
				if err == nil {
					t.Fatal("restored")
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not say %q", err, want)
					}
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("a password is in the error %q", err)
				}
			})
		}
	})
}
