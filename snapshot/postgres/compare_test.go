package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

const shop = `
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, age int, note varchar(60), at timestamp, r text);
INSERT INTO users SELECT i, 'user' || i, i % 90, 'n' || i, timestamp '2024-01-01' + i * interval '1 minute', NULL FROM generate_series(1, 1000) i;
CREATE TABLE nokey (a int, b text);
INSERT INTO nokey SELECT i % 10, 'x' FROM generate_series(1, 100) i;
CREATE TABLE small (id int PRIMARY KEY, v numeric(10,2), twice numeric GENERATED ALWAYS AS (v * 2) STORED);
INSERT INTO small SELECT i, i * 1.5 FROM generate_series(1, 50) i;
CREATE TABLE parts (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parts_b (v text, at date NOT NULL, junk int, id int NOT NULL);
ALTER TABLE parts_b DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO parts SELECT i, date '2024-01-01' + (i % 700), 'p' || i FROM generate_series(1, 2000) i;
CREATE TABLE empty (id int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 'c');
CREATE TABLE secret (id int PRIMARY KEY, v text); INSERT INTO secret VALUES (1, 'a'), (2, 'b');
ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE UNLOGGED TABLE cache (k int); INSERT INTO cache VALUES (1);
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (7, false);
CREATE SEQUENCE seq;
CREATE TABLE refs (t regclass); INSERT INTO refs VALUES ('small'), ('empty');
`

// baselineOf builds and seals a baseline by SQL as the migrating role.
func baselineOf(t *testing.T, s *postgres.Server, sql string) *postgres.Baseline {
	t.Helper()
	ctx := context.Background()
	b, err := s.Empty(ctx, fresh(t, s), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustQuery(t, b.Unsealed().OwnerDSN(), sql)
	if err := b.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCompare(t *testing.T) {
	// The unlogged table is read every time: nothing proves it untouched.
	const always = 1
	diff := func(table string, before, missing, added int64) snapshot.DataDiff {
		return snapshot.DataDiff{Table: "public." + table, Now: "public." + table, RowsBefore: before, Missing: missing, Added: added}
	}
	tests := []struct {
		name, sql string
		compared  int
		want      []snapshot.DataDiff
	}{
		{"nothing", "SELECT 1", 0, nil},
		{"only reading", "SELECT * FROM users; SELECT count(*) FROM parts", 0, nil},
		{"catalogue only", `ALTER TABLE users ADD COLUMN extra text, ALTER COLUMN note TYPE text;
			ALTER TABLE users RENAME COLUMN age TO years; ALTER TABLE nokey RENAME TO plain; CREATE INDEX ON users (email); SELECT nextval('seq')`, 0, nil},
		{"written and undone", "UPDATE users SET age = age + 1; UPDATE users SET age = age - 1", 1, nil},
		{"written and undone and vacuumed", "UPDATE nokey SET b = 'y'; UPDATE nokey SET b = 'x'; VACUUM (FREEZE) nokey", 1, nil},
		{"rolled back", "BEGIN; DELETE FROM small; ROLLBACK", 1, nil},
		{"deleted", "DELETE FROM users WHERE id IN (3, 5)", 1, []snapshot.DataDiff{with(diff("users", 1000, 2, 0), "id = 3", "id = 5")}},
		{"one update", "UPDATE small SET v = 0 WHERE id = 9", 1, []snapshot.DataDiff{with(diff("small", 50, 1, 1), "id = 9")}},
		{"inserted", "INSERT INTO users VALUES (5000, 'e')", 1, []snapshot.DataDiff{diff("users", 1000, 0, 1)}},
		{"a duplicate is gone", "DELETE FROM nokey WHERE ctid = (SELECT min(ctid) FROM nokey WHERE a = 4)", 1,
			[]snapshot.DataDiff{with(diff("nokey", 100, 1, 0), "(4,x)")}},
		{"a duplicate is new", "INSERT INTO nokey VALUES (4, 'x')", 1, []snapshot.DataDiff{diff("nokey", 100, 0, 1)}},
		{"truncated and filled again", "CREATE TABLE k AS TABLE small; TRUNCATE small; INSERT INTO small (id, v) SELECT id, v FROM k ORDER BY id DESC", 1, nil},
		{"truncated", "TRUNCATE secret", 1, []snapshot.DataDiff{with(diff("secret", 2, 2, 0), "id = 1", "id = 2")}},
		{"an update under row level security", "ALTER TABLE secret NO FORCE ROW LEVEL SECURITY; UPDATE secret SET v = 'z' WHERE id = 2; ALTER TABLE secret FORCE ROW LEVEL SECURITY",
			1, []snapshot.DataDiff{with(diff("secret", 2, 1, 1), "id = 2")}},
		{"dropped", "DROP TABLE users", 1, []snapshot.DataDiff{{Table: "public.users", RowsBefore: 1000, Missing: 1000,
			Examples: []string{"id = 1", "id = 2", "id = 3", "id = 4", "id = 5"}}}},
		{"dropped while empty", "DROP TABLE empty", 1, nil},
		{"put aside", "ALTER TABLE users RENAME TO _deprecated_users", 0, nil},
		{"copied aside", "CREATE TABLE _deprecated_small AS SELECT id, v FROM small; DROP TABLE small", 1, nil},
		{"a name behind an OID", "ALTER TABLE small RENAME TO _deprecated_small; UPDATE refs SET t = t", 1, nil},
		{"column put aside", "ALTER TABLE users RENAME COLUMN note TO _deprecated_note; SELECT 1", 0, nil},
		{"column copied aside", "ALTER TABLE users ADD COLUMN _deprecated_note text; UPDATE users SET _deprecated_note = note; ALTER TABLE users DROP COLUMN note", 1, nil},
		{"column dropped", "ALTER TABLE users DROP COLUMN note", 1, []snapshot.DataDiff{{Table: "public.users", Now: "public.users", RowsBefore: 1000, GoneColumns: []string{"note"}}}},
		{"column of nulls dropped", "ALTER TABLE users DROP COLUMN r", 1, nil},
		{"column dropped and added again", "ALTER TABLE users DROP COLUMN note; ALTER TABLE users ADD COLUMN note varchar(60)", 1,
			[]snapshot.DataDiff{with(diff("users", 1000, 1000, 1000), "*")}},
		{"columns swapped", "ALTER TABLE users RENAME note TO x; ALTER TABLE users RENAME email TO note; ALTER TABLE users RENAME x TO email", 1,
			[]snapshot.DataDiff{with(diff("users", 1000, 1000, 1000), "*")}},
		{"wider types", "ALTER TABLE users ALTER age TYPE bigint, ALTER note TYPE text, ALTER at TYPE timestamptz; ALTER TABLE small DROP COLUMN twice; ALTER TABLE small ALTER v TYPE numeric(12,3)", 2, nil},
		{"rounded", "ALTER TABLE small DROP COLUMN twice; ALTER TABLE small ALTER v TYPE int", 1, []snapshot.DataDiff{with(diff("small", 50, 25, 25), "id = 1", "id = 3", "id = 5", "id = 7", "id = 9")}},
		{"a value the old type cannot hold", "ALTER TABLE users ALTER age TYPE bigint; UPDATE users SET age = 5000000000 WHERE id = 7", 1, []snapshot.DataDiff{with(diff("users", 1000, 1, 1), "id = 7")}},
		{"a type without a way back", "ALTER TABLE users ALTER age TYPE jsonb USING to_jsonb(age)", 1, nil},
		{"longer than the old type", "ALTER TABLE users ALTER note TYPE text; UPDATE users SET note = note || repeat(' ', 60) || 'tail' WHERE id = 1", 1, []snapshot.DataDiff{with(diff("users", 1000, 1, 1), "id = 1")}},
		{"partition detached", "ALTER TABLE parts DETACH PARTITION parts_b", 1, nil},
		{"partition dropped", "DROP TABLE parts_b", 1, []snapshot.DataDiff{with(diff("parts", 2000, 903, 0), "*")}},
		{"moved between partitions", "UPDATE parts SET at = at + 366 WHERE at < '2024-03-01'; UPDATE parts SET at = at - 366 WHERE id % 700 < 60 AND at >= '2025-01-01' AND at < '2025-03-02'", 1, nil},
		{"attached a partition with rows", "CREATE TABLE parts_c (LIKE parts); INSERT INTO parts_c VALUES (1, '2026-05-01', 'new'); ALTER TABLE parts ATTACH PARTITION parts_c FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
			1, []snapshot.DataDiff{diff("parts", 2000, 0, 1)}},
		{"partitioned afterwards", `ALTER TABLE nokey RENAME TO nokey_old; CREATE TABLE nokey (a int, b text) PARTITION BY LIST (a); ALTER TABLE nokey ATTACH PARTITION nokey_old DEFAULT`, 1, nil},
		{"child rows are not the parent's", "DELETE FROM ONLY parent; INSERT INTO child VALUES (1, 'moved')", 2,
			[]snapshot.DataDiff{diff("child", 1, 0, 1), with(diff("parent", 1, 1, 0), "id = 1")}},
		{"unlogged", "DELETE FROM cache", 0, []snapshot.DataDiff{with(diff("cache", 1, 1, 0), "(1)")}},
		{"ledger", "INSERT INTO schema_migrations VALUES (8, false)", 0, nil},
		{"a date style of its own", "ALTER ROLE CURRENT_USER SET datestyle = 'German'; UPDATE users SET at = at", 1, nil},
	}
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		ctx := context.Background()
		b := baselineOf(t, s, shop)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				d := clone(t, s, b)
				run(t, d.OwnerDSN(), test.sql)
				got, compared, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{Prefix: "_deprecated_", Exclude: []string{"schema_migrations"}})
				if err != nil {
					t.Fatal(err)
				}
				if want := test.compared + always; compared != want {
					t.Errorf("%d tables were read, want %d", compared, want)
				}
				for i := range got {
					if i < len(test.want) && len(test.want[i].Examples) == 1 && test.want[i].Examples[0] == "*" && len(got[i].Examples) == 5 {
						got[i].Examples = []string{"*"}
					}
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("diffs (-want +got):\n%s", d)
				}
			})
		}
	})
}

func with(d snapshot.DataDiff, examples ...string) snapshot.DataDiff {
	d.Examples = examples
	return d
}

// run sends statements one by one, as VACUUM wants it.
func run(t *testing.T, dsn, sql string) {
	t.Helper()
	if !strings.Contains(sql, "VACUUM") {
		mustQuery(t, dsn, sql)
		return
	}
	for _, one := range strings.Split(sql, ";") {
		mustQuery(t, dsn, one)
	}
}

// While the migration's session is still open, its writes are seen.
func TestCompareSeesAnOpenSession(t *testing.T) {
	ctx := context.Background()
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		b := baselineOf(t, s, shop)
		d := clone(t, s, b)
		c := dial(t, d.OwnerDSN())
		if _, err := c.Exec(ctx, "DELETE FROM small WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		diffs, _, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{Only: []string{"public.small"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(diffs) != 1 || diffs[0].Missing != 1 {
			t.Errorf("got %+v, want one missing row of public.small", diffs)
		}
	})
}

func TestCompareBigTable(t *testing.T) {
	ctx := context.Background()
	onMajors(t, func(t *testing.T, s *postgres.Server) {
		b := baselineOf(t, s, `CREATE TABLE big (id int PRIMARY KEY, a text, b numeric, at timestamptz);
			INSERT INTO big SELECT i, md5(i::text), i * 1.1, '2024-01-01'::timestamptz + i * interval '1 s' FROM generate_series(1, 200000) i`)
		d := clone(t, s, b)
		began := time.Now()
		if _, n, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{}); err != nil || n != 0 {
			t.Fatalf("untouched: read %d tables, error %v", n, err)
		}
		t.Logf("proved untouched in %v", time.Since(began))
		mustQuery(t, d.OwnerDSN(), "UPDATE big SET a = a || '' WHERE id % 2 = 0")
		began = time.Now()
		if diffs, n, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{}); err != nil || n != 1 || len(diffs) != 0 {
			t.Fatalf("equal rows: %+v, read %d tables, error %v", diffs, n, err)
		}
		t.Logf("compared by sums in %v", time.Since(began))
		mustQuery(t, d.OwnerDSN(), "UPDATE big SET b = b + 1 WHERE id > 100000; DELETE FROM big WHERE id <= 10; INSERT INTO big SELECT 200000 + i FROM generate_series(1, 30) i")
		began = time.Now()
		diffs, _, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("compared row by row in %v", time.Since(began))
		if len(diffs) != 1 || diffs[0].RowsBefore != 200000 || diffs[0].Missing != 100010 || diffs[0].Added != 100030 || len(diffs[0].Examples) != 5 {
			t.Errorf("got %+v, want 100010 missing and 100030 added of 200000", diffs)
		}
	})
}
