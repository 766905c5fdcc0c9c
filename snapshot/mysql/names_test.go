package mysql_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
)

// TestHostileNames: whatever a dump or a migration calls its tables, columns
// and indexes, the administrator's own statements take it for a name.
func TestHostileNames(t *testing.T) {
	ctx := context.Background()
	names := []string{
		"`; DROP TABLE victim; -- x", "*/ DROP TABLE victim; /*", "/*!50000 ; DROP TABLE victim */", "' OR ''='", `\'; "quoted" \`,
		"line\nbreak, KEY `x` (`y`)", "a.b/c#p#p0", "%s %d %_", strings.Repeat("ä", 64),
	}
	quote := func(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
	setup := []string{"CREATE TABLE victim (id int PRIMARY KEY)", "INSERT INTO victim VALUES (1)"}
	for _, n := range names {
		q := quote(n)
		setup = append(setup, fmt.Sprintf("CREATE TABLE %[1]s (id int PRIMARY KEY, %[1]s varchar(20), KEY %[1]s (%[1]s)) COMMENT = 'x\n  KEY `a` (`b`)'", q),
			fmt.Sprintf("INSERT INTO %[1]s VALUES (1, 'one'), (2, NULL)", q))
	}
	onGuestsToo(t, func(t *testing.T, l *lab) {
		base := l.base.Database()
		schema, err := base.Schema(ctx)
		if err != nil {
			t.Fatal(err)
		}
		catalog, err := base.Catalog(ctx)
		if err != nil {
			t.Fatal(err)
		}
		clone := l.clone(t)
		var change, want []string
		for _, n := range names {
			if r := catalog["app."+n]; r.Rows != 2 || r.File == "" || !slices.Equal(r.Columns, []string{"id", n}) {
				t.Errorf("%q: %+v", n, r)
			}
			if !slices.ContainsFunc(schema, func(o snapshot.Object) bool { return o.Kind == "index" && strings.Contains(o.Name, n) }) {
				t.Errorf("%q: no index of that name", n)
			}
			change = append(change, "DELETE FROM "+quote(n)+" WHERE id = 1", "ALTER TABLE "+quote(n)+" DROP COLUMN "+quote(n))
			want = append(want, "app."+n)
		}
		run(t, clone.OwnerDSN(), change...)
		diffs, _, err := mysql.Compare(ctx, base, clone, mysql.CompareOptions{Prefix: "_`old` "})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range diffs {
			got = append(got, d.Table)
			if d.Missing != 1 || len(d.GoneColumns) != 1 || "app."+d.GoneColumns[0] != d.Table {
				t.Errorf("%+v", d)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("differences in %q, want %q", got, want)
		}
		if err := l.base.CloneEmpty(ctx, "empty"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.server.Drop(ctx, "empty") })
		for _, n := range append(names, "victim") {
			if rows := ask(t, l.server.Database("empty").OwnerDSN(), "SELECT COUNT(*) FROM "+quote(n)); rows[0] != "0" {
				t.Errorf("%q has %s rows", n, rows[0])
			}
		}
		if rows := ask(t, clone.OwnerDSN(), "SELECT COUNT(*) FROM victim"); rows[0] != "1" {
			t.Errorf("the victim has %s rows", rows[0])
		}
	}, setup...)
}
