package postgres_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
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
				got, err := b.Database().Schema(ctx)
				if err != nil {
					t.Fatal(err)
				}
				sameMajor := majorOf(s) == majorOf(prod)
				if d := cmp.Diff(withoutOwners(want, sameMajor), withoutOwners(got, sameMajor)); d != "" {
					t.Errorf("schema (-original +restored):\n%s", d)
				}
			})
		}
	})
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
