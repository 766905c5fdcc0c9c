package postgres_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// ofMajor is testdata/majors.sql as far as a major knows it.
func ofMajor(t *testing.T, major int) string {
	t.Helper()
	var b strings.Builder
	from := 0
	for line := range strings.Lines(readFile(t, "testdata/majors.sql")) {
		if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "-- "))); err == nil {
			from = n
		} else if from > 0 && from <= major {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Every supported major takes a dump of its own, is read, cloned and compared.
// pg_dump 15, which every test machine has, dumps servers to 15. The archives
// testdata/dumps/major-N.dump of newer ones are by pg_dump 18; where a program of
// that version is named in MG_TEST_PG_DUMP, they are made again.
func TestEveryMajor(t *testing.T) {
	ctx := context.Background()
	for _, major := range []string{"12", "13", "14", "15", "16", "17", "18"} {
		t.Run(major, func(t *testing.T) {
			s := connect(t, major)
			n := majorOf(s)
			if strconv.Itoa(n) != major {
				t.Fatalf("the server is of major %d", n)
			}
			name := fresh(t, s)
			mustQuery(t, s.Database("postgres").AdminDSN(), "CREATE DATABASE "+name)
			dsn := s.Database(name).AdminDSN()
			mustQuery(t, dsn, ofMajor(t, n))
			want, err := s.Database(name).Schema(ctx)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{"SQL": write(t, []byte(ofMajor(t, n)))}
			if n <= 15 {
				files["custom"] = dump(t, dsn, "", "--format=custom")
				files["plain"] = dump(t, dsn, "", "--format=plain")
			} else {
				files["custom"] = "testdata/dumps/major-" + major + ".dump"
				if newer := os.Getenv("MG_TEST_PG_DUMP"); newer != "" {
					cmd := exec.Command(newer, "--format=custom", "--file="+files["custom"], "--dbname="+dsn)
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%s: %v\n%s", newer, err, out)
					}
				}
			}
			for form, file := range files {
				t.Run(form, func(t *testing.T) {
					snapshottest.Supported(t, "majors", major, "dump restored")
					b, m := restored(t, s, file)
					if len(m.Skipped) > 0 {
						t.Errorf("left out %q", m.Skipped)
					}
					if m.Rows != 100+500+400 {
						t.Errorf("%d rows, want 1000", m.Rows)
					}
					got, err := b.Database().Schema(ctx)
					if err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(withoutOwners(want, true), withoutOwners(got, true)); d != "" {
						t.Errorf("schema (-original +restored):\n%s", d)
					}
					if form != "custom" {
						return
					}
					walked(t, s, b, got)
				})
			}
		})
	}
}

// walked changes a clone and reads what became of it.
func walked(t *testing.T, s *postgres.Server, b *postgres.Baseline, before snapshot.Schema) {
	t.Helper()
	ctx := context.Background()
	d := clone(t, s, b)
	mustQuery(t, d.OwnerDSN(), "ALTER TABLE app.orders ALTER total TYPE numeric(12,2); UPDATE app.users SET email = 'changed' WHERE id = 7; CREATE INDEX more ON app.events (id); GRANT SELECT ON app.big TO PUBLIC")
	changes := describe(t, before, d)
	slices.Sort(changes)
	if d := cmp.Diff([]string{"added index app.events_1_id_idx", "added index app.events_rest_id_idx", "added index app.more", "added privileges on view app.big of PUBLIC", "changed column app.orders.total"}, changes); d != "" {
		t.Errorf("changes of the schema (-want +got):\n%s", d)
	}
	diffs, compared, err := postgres.Compare(ctx, b.Database(), d, postgres.CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if compared == 0 || len(diffs) != 1 || diffs[0].Table != "app.users" || diffs[0].Missing != 1 {
		t.Errorf("%d tables were compared, and differ in %+v; want app.users alone", compared, diffs)
	}
	relations, err := d.Catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(relations) < 20 {
		t.Errorf("%d relations in the catalogue", len(relations))
	}
}
