package postgres_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// folder makes a directory of files that lie elsewhere, by the names given.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "base")
	for name, from := range files {
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, "cp", "--recursive", from, to)
	}
	return dir
}

// dumpAll runs pg_dumpall.
func dumpAll(t *testing.T, dsn string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.sql")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(client(t, "pg_dumpall"), append(args, "--file="+file, "--dbname="+dsn)...)
	password, _ := u.User.Password()
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password) // for the pg_dump of each database
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_dumpall: %v\n%s", err, out)
	}
	return file
}

// A snapshot may be several dumps: a schema and rows, sections, roles beside
// them, in a directory, in a tar archive, or each by an option of its own. Rows
// come into a schema that has its foreign keys, in a circle too, and its
// triggers, and change nothing else.
func TestSnapshotsOfSeveralFiles(t *testing.T) {
	o := newStore(t)
	of := func(args ...string) string { return dump(t, o.dsn, "", args...) }
	schema, data := of("--format=custom", "--schema-only"), of("--format=custom", "--data-only")
	plainSchema, plainData := of("--format=plain", "--schema-only"), of("--format=plain", "--data-only")
	globals := dumpAll(t, o.dsn, "--globals-only")
	base := folder(t, map[string]string{
		"00-globals.sql": globals,
		"schema.sql.gz":  compressed(t, plainSchema, "gzip", "-c"),
		"data.dump":      data,
		"README.md":      write(t, []byte("# Base\n")),
		".gitkeep":       write(t, nil),
	})
	tests := []struct {
		name                string
		spec, data, globals string
		roles               []string
		skipped             string
		table, row, column  string
		withoutPgRestoreToo bool
	}{
		{name: "schema and rows, custom", spec: schema, data: data, roles: []string{"schema", "data"}, table: "several", row: "schema and rows by --snapshot-data", column: "custom", withoutPgRestoreToo: true},
		{name: "schema and rows, plain", spec: plainSchema, data: plainData, roles: []string{"schema", "data"}, table: "several", row: "schema and rows by --snapshot-data", column: "plain"},
		{name: "schema as SQL, rows in a directory", spec: plainSchema, data: of("--format=directory", "--data-only"), roles: []string{"schema", "data"}, table: "several", row: "schema and rows by --snapshot-data", column: "directory", withoutPgRestoreToo: true},
		{name: "rows as INSERTs, tar", spec: of("--format=tar", "--schema-only"), data: of("--format=tar", "--data-only", "--inserts"), roles: []string{"schema", "data"}, table: "several", row: "schema and rows by --snapshot-data", column: "tar"},
		{name: "roles beside a dump", spec: of("--format=custom"), globals: globals, roles: []string{"globals", "whole"}, table: "several", row: "roles by --globals", column: "plain"},
		{name: "a directory", spec: base, roles: []string{"globals", "schema", "data"}, skipped: "README.md", table: "formats", row: "directory of several files", column: "none", withoutPgRestoreToo: true},
		{name: "a packed directory", spec: compressed(t, tarred(t, base), "xz", "-c"), roles: []string{"globals", "schema", "data"}, skipped: "base/README.md", table: "formats", row: "directory of several files", column: "xz"},
		{name: "sections, by names that order them wrongly", spec: folder(t, map[string]string{
			"data.dump": of("--format=custom", "--section=data"), "post-data.sql": of("--format=plain", "--section=post-data"), "pre-data.sql": of("--format=plain", "--section=pre-data"),
		}), roles: []string{"schema", "data", "post-data"}, table: "formats", row: "directory of several files", column: "none"},
		{name: "a folder within", spec: folder(t, map[string]string{"globals.sql": globals, "shop": of("--format=directory")}), roles: []string{"globals", "whole"}, table: "formats", row: "directory of several files", column: "none"},
		{name: "a dump alone in a directory", spec: folder(t, map[string]string{"latest.dump": of("--format=custom")}), roles: []string{"whole"}, table: "formats", row: "directory of several files", column: "none"},
		{name: "a whole cluster", spec: dumpAll(t, o.dsn) + "#database=" + nameOf(o.dsn), table: "formats", row: "whole cluster (pg_dumpall), one database of it", column: "none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			snapshottest.Supported(t, test.table, test.row, test.column)
			src, err := snapshot.Compose(context.Background(), test.spec, test.data, test.globals)
			if err != nil {
				t.Fatal(err)
			}
			var roles []string
			for _, p := range src.Parts {
				roles = append(roles, p.Role)
			}
			if !slices.Equal(test.roles, roles) {
				t.Errorf("parts %q, want %q", roles, test.roles)
			}
			for _, without := range []bool{false, true} {
				if without && !test.withoutPgRestoreToo {
					continue
				}
				s, _ := through(t, "15", without)
				b, m, err := s.Restore(context.Background(), src, fresh(t, s), postgres.RestoreOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := b.Seal(context.Background()); err != nil {
					t.Fatal(err)
				}
				o.same(t, s, b)
				if told := strings.Join(m.Skipped, "\n"); test.skipped != "" && !strings.Contains(told, test.skipped+": lies beside the dump") {
					t.Errorf("skipped %q does not tell of %s", told, test.skipped)
				}
			}
		})
	}
}

// What goes wrong in one part says which.
func TestSnapshotsOfSeveralFilesNameThePart(t *testing.T) {
	_, dsn := original(t, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
	data := dump(t, dsn, "", "--format=plain", "--data-only")
	broken := write(t, []byte(strings.Replace(readFile(t, data), "\n1\n", "\nx\n", 1)))
	src, err := snapshot.Compose(context.Background(), dump(t, dsn, "", "--format=plain", "--schema-only"), broken, "")
	if err != nil {
		t.Fatal(err)
	}
	s := connect(t, "15")
	if _, _, err := s.Restore(context.Background(), src, fresh(t, s), postgres.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), filepath.Base(broken)+": line ") {
		t.Errorf("error %v does not name the part", err)
	}
}

// Rows that the schema has no table or column for are refused by its name, with
// the way out, whatever brings them.
func TestRowsWithoutTheirTable(t *testing.T) {
	_, before := original(t, `CREATE TABLE orders (id bigint PRIMARY KEY)`)
	schema := dump(t, before, "", "--format=custom", "--schema-only")
	for name, tc := range map[string]struct{ sql, want string }{
		"table":  {`CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1); CREATE TABLE lines (id bigint); INSERT INTO lines VALUES (1)`, `relation "public.lines" does not exist`},
		"column": {`CREATE TABLE orders (id bigint PRIMARY KEY, note text); INSERT INTO orders VALUES (1, '')`, `(column "note" of relation "orders" does not exist|public.orders VALUES .*INSERT has more expressions)`},
		"schema": {`CREATE SCHEMA later; CREATE TABLE orders (id bigint PRIMARY KEY); CREATE TABLE later.lines (id bigint); INSERT INTO later.lines VALUES (1)`, `"later(\.lines)?" does not exist`},
	} {
		_, dsn := original(t, tc.sql)
		for by, args := range map[string][]string{"pg_restore": {"--format=custom"}, "wire": {"--format=custom"}, "plain": {"--format=plain"}, "inserts": {"--format=plain", "--inserts"}} {
			t.Run(name+"/"+by, func(t *testing.T) {
				src, err := snapshot.Compose(context.Background(), schema, dump(t, dsn, "", append(args, "--data-only")...), "")
				if err != nil {
					t.Fatal(err)
				}
				s, _ := through(t, "15", by == "wire")
				_, _, err = s.Restore(context.Background(), src, fresh(t, s), postgres.RestoreOptions{})
				if err == nil || !regexp.MustCompile(tc.want+".*; the dump of the schema has no place for it: ").MatchString(err.Error()) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}
