package mysql_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatalog(t *testing.T) {
	ctx := context.Background()
	setup := script(`SET NAMES utf8mb4;; CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, body varchar(500), FULLTEXT KEY (body));; INSERT INTO t (body) VALUES ('x'), ('y');;
		CREATE TABLE none (id int);; CREATE TABLE p (id int, b varchar(10)) PARTITION BY LIST (id) (PARTITION one VALUES IN (1), PARTITION two VALUES IN (2));;
		INSERT INTO p VALUES (1, 'a'), (1, 'b'), (2, 'c');; CREATE VIEW v AS SELECT id AS one FROM t;;
		CREATE TABLE ` + "`odd-na.me $ ä é`" + ` (id int);; CREATE TABLE big (id int PRIMARY KEY AUTO_INCREMENT, a varchar(200));; INSERT INTO big (a) VALUES (REPEAT('x', 200))`)
	for range 14 {
		setup = append(setup, "INSERT INTO big (a) SELECT a FROM big")
	}
	onGuestsToo(t, func(t *testing.T, l *lab) {
		d := l.clone(t)
		all, err := d.Catalog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for key, r := range all {
			name := map[string]string{"schema": key + ".*", "server": "*.*"}[r.Kind]
			if name == "" {
				name = key
			}
			if r.Object != key || r.QualifiedName() != name || r.Table != key || r.Root != "" {
				t.Errorf("%s is %+v", key, r)
			}
			if r.Kind == "table" && r.File == "" {
				t.Errorf("%s has no file", key)
			}
		}
		for name, rows := range map[string]int64{"t": 2, "none": 0, "p": 3, "v": 0, "odd-na.me $ ä é": 0} {
			if r, ok := all["app."+name]; !ok || r.Rows != rows {
				t.Errorf("%s is %+v, want %d rows", name, r, rows)
			}
		}
		if len(all) != 8 {
			t.Errorf("%d relations, want 8", len(all))
		}
		if big := all["app.big"]; big.Rows < 10000 || big.Rows > 30000 || big.Bytes < 3<<20 {
			t.Errorf("big, of 16384 rows, is %+v", big)
		}
		if v := all["app.v"]; v.Kind != "view" || !slices.Equal(v.Columns, []string{"one"}) {
			t.Errorf("v is %+v", v)
		}
		if got := all["app.t"].Columns; !slices.Equal(got, []string{"id", "body"}) {
			t.Errorf("columns of t: %v", got)
		}
		if n := strings.Count(all["app.p"].File, ","); n != 1 {
			t.Errorf("p has the files %s, want two", all["app.p"].File)
		}

		files := func() map[string]string {
			all, err := d.Catalog(ctx)
			if err != nil {
				t.Fatal(err)
			}
			m := map[string]string{}
			for _, r := range all {
				m[r.Name] = r.File
			}
			return m
		}
		before := files()
		run(t, d.OwnerDSN(), "ALTER TABLE big ADD COLUMN x int, ALGORITHM=INSTANT", "ALTER TABLE big ADD KEY (a)", "INSERT INTO none VALUES (1)")
		if diff := cmp.Diff(before, files()); diff != "" {
			t.Errorf("files after changes that rewrite nothing (-before +after):\n%s", diff)
		}
		run(t, d.OwnerDSN(), "ALTER TABLE t MODIFY id bigint", "ALTER TABLE big FORCE", "ALTER TABLE p REORGANIZE PARTITION two INTO (PARTITION two VALUES IN (2, 3))")
		after := files()
		for _, name := range []string{"t", "big", "p"} {
			if before[name] == after[name] {
				t.Errorf("%s was rewritten and still has the file %s", name, after[name])
			}
		}
		if before["none"] != after["none"] {
			t.Error("none has a new file")
		}
	}, setup...)
}

func TestLedger(t *testing.T) {
	ctx := context.Background()
	onGuestsToo(t, func(t *testing.T, l *lab) {
		d := l.base.Database()
		columns, rows, found, name, err := d.Ledger(ctx, "goose_db_version")
		if err != nil || !found || name != "app.goose_db_version" {
			t.Fatalf("found %v as %q, error %v", found, name, err)
		}
		if want := []string{"id", "version_id", "is_applied", "tstamp"}; !slices.Equal(want, columns) {
			t.Errorf("columns %v, want %v", columns, want)
		}
		if want := [][]string{{"1", "10", "1", ""}, {"2", "20", "0", "2024-01-01 00:00:00"}}; !cmp.Equal(want, rows) {
			t.Errorf("rows %v, want %v", rows, want)
		}
		if _, _, found, _, err := d.Ledger(ctx, "other.schema_migrations"); found || err != nil {
			t.Errorf("a ledger of another schema: found %v, error %v", found, err)
		}
		if _, rows, _, _, err := d.Ledger(ctx, "APP.schema_migrations"); err != nil || !cmp.Equal(rows, [][]string{{"42", "0"}}) {
			t.Errorf("schema_migrations: %v, error %v", rows, err)
		}
		if _, _, found, _, err := d.Ledger(ctx, "flyway_schema_history"); found || err != nil {
			t.Errorf("a ledger that is not there: found %v, error %v", found, err)
		}
	}, "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint, is_applied boolean, tstamp datetime NULL)",
		"INSERT INTO goose_db_version (id, version_id, is_applied, tstamp) VALUES (2, 20, false, '2024-01-01'), (1, 10, true, NULL)",
		"CREATE TABLE schema_migrations (version bigint, dirty boolean)", "INSERT INTO schema_migrations VALUES (42, false)")
}
