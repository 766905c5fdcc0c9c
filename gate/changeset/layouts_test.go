package changeset

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// flywayRepo has merged versions, a repeatable one and a baseline, in
// directories below as Flyway takes them.
func flywayRepo(t *testing.T) *testRepo {
	t.Helper()
	r := newRepo(t)
	r.write(
		"migrations/V1__orders.sql", "CREATE TABLE orders (id int);\n",
		"migrations/2024/V1_2__total.sql", "CREATE INDEX CONCURRENTLY i ON orders (id);\n",
		"migrations/2024/V1_2__total.sql.conf", "executeInTransaction=false\n",
		"migrations/views/R__paid_orders.sql", "CREATE OR REPLACE VIEW paid AS SELECT 1 AS id;\n",
		"migrations/B1_2__all.sql", "CREATE TABLE orders (id int);\n",
	)
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	return r
}

func TestFlywayChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(r *testRepo)
		want string
	}{
		"nothing": {func(r *testRepo) { r.write("migrations/README.md", "x") }, ``},
		"an edited repeatable is to be run": {func(r *testRepo) {
			r.write("migrations/views/R__paid_orders.sql", "CREATE OR REPLACE VIEW paid AS SELECT 2 AS id;\n")
		}, `
			edited migrations/views/R__paid_orders.sql line 1 merged v
			pending _paid orders: migrations/views/R__paid_orders.sql`},
		"line ends of a repeatable": {func(r *testRepo) {
			r.write("migrations/views/R__paid_orders.sql", "CREATE OR REPLACE VIEW paid AS SELECT 1 AS id;\r\n")
		}, ``},
		"a deleted repeatable": {func(r *testRepo) { r.remove("migrations/views/R__paid_orders.sql") },
			`deleted migrations/views/R__paid_orders.sql merged v`},
		"a repeatable renamed": {func(r *testRepo) {
			r.git("mv", "migrations/views/R__paid_orders.sql", "migrations/views/R__paid.sql")
		}, `
			renamed migrations/views/R__paid.sql from migrations/views/R__paid_orders.sql merged v
			pending _paid: migrations/views/R__paid.sql`},
		"a version moved to another directory": {func(r *testRepo) {
			r.git("mv", "migrations/2024/V1_2__total.sql", "migrations/V1_2__total.sql")
			r.git("mv", "migrations/2024/V1_2__total.sql.conf", "migrations/V1_2__total.sql.conf")
		}, ``},
		"a version moved and edited": {func(r *testRepo) {
			r.git("mv", "migrations/2024/V1_2__total.sql", "migrations/V1_2__total.sql")
			r.write("migrations/V1_2__total.sql", "SELECT 2;\n")
		}, `renamed migrations/V1_2__total.sql from migrations/2024/V1_2__total.sql line 1 merged v1.2`},
		"a repeatable moved": {func(r *testRepo) { r.git("mv", "migrations/views/R__paid_orders.sql", "migrations/R__paid_orders.sql") }, ``},
		"a repeatable moved and edited": {func(r *testRepo) {
			r.git("mv", "migrations/views/R__paid_orders.sql", "migrations/R__paid_orders.sql")
			r.write("migrations/R__paid_orders.sql", "SELECT 2;\n")
		}, `
			edited migrations/R__paid_orders.sql from migrations/views/R__paid_orders.sql line 1 merged v
			pending _paid orders: migrations/R__paid_orders.sql`},
		"what is beside a merged script": {func(r *testRepo) {
			r.write("migrations/2024/V1_2__total.sql.conf", "executeInTransaction=true\n")
		}, `edited migrations/2024/V1_2__total.sql.conf line 1 merged v1.2`},
		"what is put beside a merged script": {func(r *testRepo) {
			r.write("migrations/V1__orders.sql.conf", "executeInTransaction=false\n")
		}, `edited migrations/V1__orders.sql.conf line 1 merged v1`},
		"what was beside a merged script": {func(r *testRepo) { r.remove("migrations/2024/V1_2__total.sql.conf") },
			`deleted migrations/2024/V1_2__total.sql.conf merged v1.2`},
		"an added version with what is beside it": {func(r *testRepo) {
			r.write("migrations/V1_10__x.sql", "UPDATE orders SET id = 1;\n", "migrations/V1_10__x.sql.conf", "executeInTransaction=false\n", "migrations/V1_9__y.sql", "SELECT 1;\n")
		}, `
			added migrations/V1_10__x.sql v1.10
			added migrations/V1_9__y.sql v1.9
			pending 1.9_y: migrations/V1_9__y.sql
			pending 1.10_x: migrations/V1_10__x.sql`},
		"the same version in another spelling": {func(r *testRepo) {
			r.git("mv", "migrations/V1__orders.sql", "migrations/V01_0__orders.sql")
		}, `renamed migrations/V01_0__orders.sql from migrations/V1__orders.sql merged v01.0`},
	} {
		t.Run(name, func(t *testing.T) {
			r := flywayRepo(t)
			tc.do(r)
			c := r.detect()
			if c.Layout != "flyway" {
				t.Fatalf("layout %q", c.Layout)
			}
			expect(t, c, tc.want)
			for _, f := range c.Files {
				if f.Repeatable != strings.Contains(f.Path, "/R__") {
					t.Errorf("%s: repeatable %v", f.Path, f.Repeatable)
				}
			}
		})
	}
}

func TestAddedScriptIsReadWithWhatIsBesideIt(t *testing.T) {
	r := flywayRepo(t)
	r.write("migrations/V2__x.sql", "UPDATE orders SET id = 1;\n", "migrations/V2__x.sql.conf", "executeInTransaction=false\n")
	if c := r.detect(); len(c.Added) != 1 || c.Added[0].Up.Wrapped {
		t.Errorf("its .conf was not read: %+v", c.Added)
	}
}

// A baseline migration is never pending, and never passed over in silence.
func TestAddedBaseline(t *testing.T) {
	r := flywayRepo(t)
	r.write("migrations/B2__all.sql", "CREATE TABLE orders (id int);\n", "migrations/V2__x.sql", "SELECT 1;\n")
	c := r.detect()
	if len(c.Added) != 1 || c.Added[0].Version != "2" || c.Added[0].Baseline {
		t.Errorf("added: %+v", c.Added)
	}
	if len(c.Baselines) != 1 || c.Baselines[0].Up.File != "migrations/B2__all.sql" {
		t.Errorf("baselines: %+v", c.Baselines)
	}
}

func TestLedgerTableOfALayoutWithout(t *testing.T) {
	r := newRepo(t)
	r.write("migrations/1_a.sql", "SELECT 1;\n")
	r.commit("seed")
	r.write("migrations/2_b.sql", "SELECT 1;\n")
	_, err := r.tryDetect(func(o *Options) { o.LedgerTable = "history" })
	wantError(t, err, "--ledger-table", "plain", "keeps no ledger")
}

// history is a Flyway ledger told by rows: "rank version type description [failed]".
func schemaHistoryOf(t *testing.T, rows ...string) *Ledger {
	t.Helper()
	var all [][]string
	for _, row := range rows {
		f := strings.Split(row, "|")
		all = append(all, []string{f[0], f[1], f[3], f[2], "script", f[4], "me", "now", "1", fmt.Sprint(len(f) < 6)})
	}
	l, err := ReadLedger("flyway", "flyway_schema_history", []string{"installed_rank", "VERSION", "description", "type", "script", "checksum", "installed_by", "installed_on", "execution_time", "success"}, all)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFlywayPending(t *testing.T) {
	view := "CREATE OR REPLACE VIEW paid AS SELECT 1 AS id;"
	sum := fmt.Sprint(int32(crc32.ChecksumIEEE([]byte(view))))
	r := flywayRepo(t)
	r.write("migrations/V2__x.sql", "SELECT 1;\n", "migrations/R__new.sql", "SELECT 1;\n")
	change := r.detect()
	edited := flywayRepo(t)
	edited.write("migrations/views/R__paid_orders.sql", "CREATE OR REPLACE VIEW paid AS SELECT 2 AS id;\n")
	editedChange := edited.detect()
	for name, tc := range map[string]struct {
		rows []string
		c    *Change
		want string
		err  string
	}{
		"at the base": {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3||SQL|paid orders|" + sum}, change, "2 new||", ""},
		"ranks in no order, and taken back": {[]string{"5|1.2|UNDO_SQL|total|", "3||SQL|paid orders|" + sum, "1|1|SQL|orders|11", "2|1.2|SQL|total|12"},
			change, "2 new|1.2|", ""},
		"undone and done again":                 {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3|1.2|UNDO_SQL|total|", "4|1.2|SQL|total|12", "5||SQL|paid orders|" + sum}, change, "2 new||", ""},
		"a row deleted by repair":               {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3|1.2|DELETE|total|12", "5||SQL|paid orders|" + sum}, change, "2 new|1.2|", ""},
		"declared to be at a version":           {[]string{"1|1.1|BASELINE|<< Flyway Baseline >>|"}, change, "2 new|1.2 paid orders|", ""},
		"begun by a baseline migration":         {[]string{"1|1.2|SQL_BASELINE|all|7"}, change, "2 new|paid orders|", ""},
		"schemas made by Flyway":                {[]string{"0||SCHEMA|<< Flyway Schema Creation >>|", "1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3||SQL|paid orders|" + sum}, change, "2 new||", ""},
		"another spelling":                      {[]string{"1|01.0|SQL|orders|11", "2|1.2.0|SQL|total|12", "3||SQL|paid orders|" + sum}, change, "2 new||", ""},
		"a repeatable of another content":       {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3||SQL|paid orders|5"}, change, "2 new|paid orders|", ""},
		"the newest run of a repeatable counts": {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3||SQL|paid orders|" + sum, "4||SQL|paid orders|5"}, change, "2 new|paid orders|", ""},
		"an edited repeatable":                  {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3||SQL|paid orders|" + sum}, editedChange, "paid orders||", ""},
		"a part applied":                        {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12", "3||SQL|paid orders|" + sum, "4|2|SQL|x|1"}, change, "new||2", ""},
		"nothing applied: the baseline stands":  {nil, change, "2 new|B1.2 paid orders|", ""},
		"half applied":                          {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12|failed"}, change, "", "migration 1.2 half applied (flyway_schema_history.success is false): mend that database (undo what the script left, then `flyway repair`), then take the snapshot again"},
		"half applied and repaired":             {[]string{"1|1|SQL|orders|11", "2|1.2|SQL|total|12|failed", "3|1.2|SQL|total|12", "4||SQL|paid orders|" + sum}, change, "2 new||", ""},
	} {
		t.Run(name, func(t *testing.T) {
			pending, catchUp, already, err := Pending(tc.c, schemaHistoryOf(t, tc.rows...))
			if tc.err != "" {
				wantError(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ms := range [][]migration.Migration{pending, catchUp, already} {
				var names []string
				for _, m := range ms {
					n := m.Version
					if m.Repeatable {
						n = m.Name
					}
					if m.Baseline {
						n = "B" + n
					}
					names = append(names, n)
				}
				got = append(got, strings.Join(names, " "))
			}
			if g := strings.Join(got, "|"); g != tc.want {
				t.Errorf("pending|catch up|already: %s, want %s", g, tc.want)
			}
		})
	}
}

// Ledgers by rows: dbmate's of versions as texts, sql-migrate's of file names.
func TestListLedgers(t *testing.T) {
	for name, tc := range map[string]struct {
		kind    string
		columns []string
		rows    []string
		want    string // pending | catch up | already
		err     string
	}{
		"dbmate":                     {"versions", []string{"version"}, []string{"01", "02"}, "03||", ""},
		"dbmate, a hole":             {"versions", []string{"VERSION"}, []string{"02"}, "03|01|", ""},
		"dbmate, another spelling":   {"versions", []string{"version"}, []string{"1", "2"}, "03|01 02|", ""},
		"golang-migrate's table":     {"versions", []string{"version", "dirty"}, nil, "", "it has a column dirty, so it is not dbmate's: name the layout with --layout"},
		"all applied":                {"versions", []string{"version"}, []string{"01", "02", "03"}, "", "ledger already (newest: 03)"},
		"sql-migrate":                {"files", []string{"id", "applied_at"}, []string{"01_a.sql", "02_b.sql"}, "03||", ""},
		"sql-migrate, another name":  {"files", []string{"id", "applied_at"}, []string{"01_a.sql", "02_x.sql"}, "03|02|", ""},
		"goose's table":              {"files", []string{"id", "version_id", "is_applied"}, nil, "", "it has a column version_id, so it is not sql-migrate's"},
		"a table of something else":  {"files", []string{"name"}, nil, "", "no column id (it has name), so it is not sql-migrate's"},
		"Flyway's of something else": {"flyway", []string{"version"}, nil, "", "so it is not Flyway's"},
	} {
		t.Run(name, func(t *testing.T) {
			rows := make([][]string, len(tc.rows))
			for i, r := range tc.rows {
				rows[i] = make([]string, len(tc.columns))
				rows[i][0] = r
			}
			l, err := ReadLedger(tc.kind, "ledger", tc.columns, rows)
			var got []string
			if err == nil {
				named := func(names ...string) (ms []migration.Migration) {
					for _, n := range names {
						ms = append(ms, migration.Migration{Version: n[:2], Order: n[:2], Up: migration.Script{File: "migrations/" + n + ".sql"}})
					}
					return ms
				}
				var lists [3][]migration.Migration
				lists[0], lists[1], lists[2], err = Pending(&Change{Merged: named("01_a", "02_b"), Added: named("03_c")}, l)
				for _, ms := range lists {
					var versions []string
					for _, m := range ms {
						versions = append(versions, m.Version)
					}
					got = append(got, strings.Join(versions, " "))
				}
			}
			if tc.err != "" {
				wantError(t, err, tc.err)
				return
			}
			if g := strings.Join(got, "|"); err != nil || g != tc.want {
				t.Errorf("pending|catch up|already: %s, want %s (%v)", g, tc.want, err)
			}
		})
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{"", "0.1", "1", "1.1", "1.2", "1.10", "2", "10", "20240101000000"}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := compareVersions(a, b); got < 0 != (i < j) || got == 0 != (i == j) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
	for _, same := range [][2]string{{"1", "01"}, {"1", "1.0"}, {"1_2", "1.2.0"}, {"0", "0.0"}} {
		if compareVersions(same[0], same[1]) != 0 {
			t.Errorf("%s and %s are one version", same[0], same[1])
		}
	}
}
