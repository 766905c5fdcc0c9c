package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

const keyed = `
	CREATE TABLE large AS SELECT repeat('x', 9000) AS text FROM generate_series(1, 4000);
	CREATE TABLE parent (id int PRIMARY KEY, name text);
	CREATE TABLE part (id int, parent int REFERENCES parent, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (5000);
	CREATE TABLE unindexed (name text, parent int);
	ALTER TABLE unindexed ADD FOREIGN KEY (parent) REFERENCES parent NOT VALID;
	CREATE TABLE heard (tag text);
	INSERT INTO parent SELECT i, 'n' || i FROM generate_series(1, 4000) i;
	INSERT INTO part SELECT i, i FROM generate_series(1, 4000) i;
	INSERT INTO unindexed SELECT 'u', i FROM generate_series(1, 3000) i;
	COMMENT ON CONSTRAINT part_parent_fkey ON part IS 'said of a key';
	CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM part JOIN parent ON parent.id = part.parent;
	CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.heard VALUES (tg_tag); END';
`

func TestForeignKeysAreValidatedLast(t *testing.T) {
	for name, more := range map[string]string{
		"alone":                   "",
		"beside an event trigger": "CREATE EVENT TRIGGER listens ON ddl_command_end EXECUTE FUNCTION hear(); TRUNCATE heard",
	} {
		t.Run(name, func(t *testing.T) {
			s, dsn := original(t, keyed)
			if more != "" {
				mustQuery(t, dsn, more)
			}
			path := dump(t, dsn, "", "--format=custom", "--compress=0")
			const keys = `SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid), obj_description(oid) FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2`
			want := mustQuery(t, dsn, keys)

			var mu sync.Mutex
			var began []string
			running := 0
			base, _, err := s.Restore(context.Background(), open(t, path), fresh(t, s), postgres.RestoreOptions{Stage: func(name string) func() {
				mu.Lock()
				defer mu.Unlock()
				began, running = append(began, name), running+1
				return func() { mu.Lock(); defer mu.Unlock(); running-- }
			}})
			if err != nil {
				t.Fatal(err)
			}
			stages := strings.Join(began, ", ")
			if !strings.HasPrefix(stages, "rows") || !strings.HasSuffix(stages, "statistics, foreign keys, statistics") || running != 0 {
				t.Errorf("stages %s, %d not ended", stages, running)
			}
			restored := base.Database().AdminDSN()
			if got := mustQuery(t, restored, keys); len(want) != 3 || !equalRows(got, want) {
				t.Errorf("keys %v, dumped %v", got, want)
			}
			// Nothing was heard, and no table is left to vacuum. (pg_statistic may be: a
			// table's statistics can be gathered beside its vacuum.)
			got := mustQuery(t, restored, `SELECT (SELECT n FROM counted), (SELECT count(*) FROM heard), (SELECT count(*) FROM pg_event_trigger WHERE evtname = 'listens'),
				(SELECT string_agg(relname, ' ') FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'm') AND relallvisible <> relpages)`)[0]
			if triggers := map[bool]string{true: "1", false: "0"}[more != ""]; got[0] != "4000" || got[1] != "0" || got[2] != triggers || got[3] != "" {
				t.Errorf("counted %s, heard %s, event triggers %s, not all visible: %q", got[0], got[1], got[2], got[3])
			}
		})
	}
}

// TestEventTriggersHearNothingOfTheRestore: nor of the views that it fills, in
// whichever order a dump has the two. What one heard would be a row in the baseline
// that production does not have. Triggers fire for commands that began after them:
// of two jobs of pg_restore, one makes the trigger while the other is at a view, and
// the next views follow.
func TestEventTriggersHearNothingOfTheRestore(t *testing.T) {
	_, dsn := original(t, `
		CREATE TABLE heard (tag text);
		CREATE TABLE one (n int);
		INSERT INTO one VALUES (1);
		CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.heard VALUES (tg_tag); END';
		CREATE MATERIALIZED VIEW first AS SELECT n FROM one, pg_sleep(0.1);
		CREATE MATERIALIZED VIEW second AS SELECT n FROM one, pg_sleep(0.1);
		CREATE MATERIALIZED VIEW third AS SELECT n FROM one, pg_sleep(0.1);
		CREATE EVENT TRIGGER listens ON ddl_command_end EXECUTE FUNCTION hear();
		COMMENT ON EVENT TRIGGER listens IS 'said of it';
		TRUNCATE heard`)
	of := func(args ...string) string { return dump(t, dsn, "", args...) }
	custom := of("--format=custom")
	const foreign = "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER far FOREIGN DATA WRAPPER none; CREATE FOREIGN TABLE there (id int) SERVER far"
	for _, c := range []struct {
		name, spec, data string
		without          bool
	}{
		{"by pg_restore", custom, "", false},
		{"over the wire", custom, "", true},
		{"a plain dump", of("--format=plain"), "", false},
		{"schema and rows", of("--format=custom", "--schema-only"), of("--format=custom", "--data-only"), false},
		{"schema and rows, without the views", of("--format=plain", "--schema-only"), of("--format=plain", "--data-only", "--table=one"), false},
		{"beside a foreign table", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.spec == "" {
				mustQuery(t, dsn, "SET session_replication_role = replica; "+foreign)
				c.spec = of("--format=custom")
			}
			src, err := snapshot.Compose(t.Context(), c.spec, c.data, "")
			if err != nil {
				t.Fatal(err)
			}
			s, _ := through(t, "15", c.without)
			base, _, err := s.Restore(t.Context(), src, fresh(t, s), postgres.RestoreOptions{})
			if err != nil {
				t.Fatal(err)
			}
			const state = "SELECT evtenabled, obj_description(oid), (SELECT first.n + second.n + third.n FROM first, second, third), (SELECT string_agg(tag, ' ') FROM heard) FROM pg_event_trigger WHERE evtname = 'listens'"
			if got, want := mustQuery(t, base.Database().AdminDSN(), state), mustQuery(t, dsn, state); len(want) != 1 || !equalRows(got, want) {
				t.Errorf("restored %v, dumped %v", got, want)
			}
		})
	}
}

func TestAForeignKeyThatDoesNotHoldIsNamed(t *testing.T) {
	s, dsn := original(t, keyed+`SET session_replication_role = replica; INSERT INTO part VALUES (4500, 9999)`)
	name := fresh(t, s)
	_, _, err := s.Restore(context.Background(), open(t, dump(t, dsn, "", "--format=custom", "--compress=0")), name, postgres.RestoreOptions{})
	if err == nil || !strings.Contains(err.Error(), "part_parent_fkey") || !strings.Contains(err.Error(), "9999") {
		t.Errorf("said %v", err)
	}
	if left := mustQuery(t, s.Home().AdminDSN(), "SELECT FROM pg_database WHERE datname = '"+name+"'"); len(left) > 0 {
		t.Error("it left its database")
	}
}

func equalRows(a, b [][]string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.Join(a[i], "\x00") != strings.Join(b[i], "\x00") {
			return false
		}
	}
	return true
}
