package observe_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	applymysql "github.com/migration-gate/migration-gate/gate/apply/mysql"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/gate/rule"
	mysqllocks "github.com/migration-gate/migration-gate/lockbudget/mysql"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// update writes what was observed into testdata/ddl, to be read before it is
// believed.
var update = flag.Bool("update", false, "write what is observed into testdata/ddl/{mysql,mariadb}.sql")

// mysqlLab is an unsealed baseline whose tables are made anew for each case: a
// clone with a server of its own would take a second.
type mysqlLab struct {
	server  *mysql.Server
	db      *mysql.Database
	owner   *sql.DB
	setup   []migration.Statement
	options applymysql.Options
}

func newMySQLLab(t *testing.T, flavour string) *mysqlLab {
	t.Helper()
	return newMySQLLabWith(t, flavour, nil)
}

func newMySQLLabWith(t *testing.T, flavour string, settings map[string]string) *mysqlLab {
	t.Helper()
	all := mysql.Settings(flavour)
	maps.Copy(all, settings)
	s, err := mysql.Connect(t.Context(), snapshottest.MySQLAlone(t, flavour, all))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	base, err := s.Empty(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := &mysqlLab{server: s, db: base.Unsealed(), options: applymysql.Options{MariaDB: flavour == snapshot.MariaDB}}
	l.setup = mysqlScript(t, flavour, "setup.sql", read(t, "../../testdata/ddl/mysql-setup.sql")).Statements
	// As the owner, who has to own the view.
	if l.owner, err = sql.Open("mysql", l.db.OwnerDSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.owner.Close() })
	return l
}

// reset makes the tables again, with or without their rows.
func (l *mysqlLab) reset(t *testing.T, rows bool) {
	t.Helper()
	ctx := context.Background()
	c, err := l.owner.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name := l.db.Names().Physical
	list := []string{"DROP DATABASE " + name, "CREATE DATABASE " + name, "USE " + name}
	for _, st := range l.setup {
		if rows || strings.HasPrefix(st.SQL, "CREATE ") {
			list = append(list, st.SQL)
		}
	}
	for _, q := range list {
		if _, err := c.ExecContext(ctx, q); err != nil {
			t.Fatalf("%v\n%s", err, q)
		}
	}
}

func (l *mysqlLab) lab() observe.Lab {
	if l.options.Guest != nil {
		return l.guestLab()
	}
	return observe.Lab{
		Baseline: l.db, Clone: l.db,
		Open: func(ctx context.Context) (observe.Session, error) {
			return applymysql.Open(ctx, l.db.OwnerDSN(), l.db.AdminDSN(), l.options)
		},
		Watch: func(ctx context.Context) (observe.Watcher, error) {
			return mysqllocks.NewSampler(ctx, l.db.AdminDSN(), mysqllocks.Options{Owner: mysql.Owner, MariaDB: l.options.MariaDB})
		},
		Impact: mysqllocks.Impact, RowLocks: mysqllocks.RowLocks,
		Probe: func(ctx context.Context, scripts []*migration.Script) ([][]*gate.BestDDL, error) {
			return applymysql.Probe(ctx, l.db.OwnerDSN(), l.options, scripts)
		},
	}
}

func mysqlScript(t *testing.T, flavour, file, sql string) migration.Script {
	t.Helper()
	st, err := migration.ParseScriptWith(file, []byte(sql), migration.Options{Dialect: migration.Dialect(flavour)})
	if err != nil {
		t.Fatal(err)
	}
	return migration.Script{File: file, Direction: migration.Up, Statements: st}
}

func mysqlChange(t *testing.T, flavour, up string) gate.Migration {
	return gate.Migration{Migration: migration.Migration{Version: "2", Number: 2, Name: "m", Up: mysqlScript(t, flavour, "migrations/2_m.up.sql", up)}}
}

// A mysqlCase is one line of testdata/ddl/mysql.sql or mariadb.sql.
type mysqlCase struct {
	line      int
	prep, sql string
	want      mysqlSeen
}

// mysqlSeen is what is expected, or was observed: each field as it is written
// in the file.
type mysqlSeen struct{ locks, ddl, best, findings string }

func (s mysqlSeen) String() string {
	return fmt.Sprintf(" -- locks: %s ddl: %s best: %s want: %s", s.locks, s.ddl, s.best, s.findings)
}

func mysqlCases(t *testing.T, file string) []mysqlCase {
	var cases []mysqlCase
	prep := ""
	for i, line := range strings.Split(read(t, file), "\n") {
		if p, ok := strings.CutPrefix(line, "-- prep: "); ok {
			prep = p
			continue
		}
		sql, rest, _ := strings.Cut(line, " -- locks: ")
		if strings.HasPrefix(sql, "--") || !strings.HasSuffix(sql, ";") {
			continue
		}
		c := mysqlCase{line: i, prep: prep, sql: sql}
		c.want.locks, rest, _ = strings.Cut(rest, " ddl: ")
		c.want.ddl, rest, _ = strings.Cut(rest, " best: ")
		c.want.best, c.want.findings, _ = strings.Cut(rest, " want: ")
		cases, prep = append(cases, c), ""
	}
	return cases
}

// TestMySQLDDL holds locks, algorithms, what the server accepts at best, and
// findings of one statement after the other against testdata/ddl.
func TestMySQLDDL(t *testing.T) {
	policy := rule.DefaultPolicy()
	policy.MaxExclusive, policy.MaxWriteBlock = 0, 0
	policy.Only = []string{"lock-budget", "table-rewrite", "online-ddl-not-explicit", "full-scan-under-lock", "migration-failed"}
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			file := "../../testdata/ddl/" + flavour + ".sql"
			cases := mysqlCases(t, file)
			if len(cases) < 50 {
				t.Fatalf("%d cases read, want at least 50", len(cases))
			}
			l := newMySQLLab(t, flavour)
			lines := strings.Split(read(t, file), "\n")
			for _, c := range cases {
				t.Run(fmt.Sprintf("line %d", c.line+1), func(t *testing.T) {
					got, r := l.observe(t, flavour, c, policy)
					// A short lock on a relative, which only the ticker can see,
					// may be missed on a busy machine, but not every time.
					for try := 0; try < 3 && !*update && !sameMySQL(got, c.want); try++ {
						t.Logf("again, for it was %s", got)
						got, r = l.observe(t, flavour, c, policy)
					}
					if *update {
						lines[c.line] = c.sql + got.String()
						return
					}
					if !sameMySQL(got, c.want) {
						t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
						for _, f := range r.Findings {
							t.Logf("%s %s: %s", f.Severity, f.Rule, f.Message)
						}
					}
				})
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (l *mysqlLab) observe(t *testing.T, flavour string, c mysqlCase, policy gate.Policy) (mysqlSeen, gate.Report) {
	t.Helper()
	l.reset(t, true)
	if c.prep != "" {
		if _, err := l.owner.Exec(c.prep); err != nil {
			t.Fatal(err)
		}
	}
	o := &gate.Observation{
		SchemaVersion: gate.ObservationVersion, Engine: gate.Engine{Name: flavour},
		Migrations: []gate.Migration{mysqlChange(t, flavour, c.sql)},
	}
	lab := l.lab()
	if err := observe.Apply(t.Context(), lab, o, observe.Options{Every: 2 * time.Millisecond, MaxGap: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	l.reset(t, false)
	if c.prep != "" {
		if _, err := l.owner.Exec(c.prep); err != nil {
			t.Fatal(err)
		}
	}
	if err := observe.Probe(t.Context(), lab, o); err != nil {
		t.Fatal(err)
	}
	o.Snapshot = &gate.SnapshotFacts{}
	o.Snapshot.Rows = 1
	r := rule.Judge(*o, policy)
	return seenIn(o, r), r
}

func seenIn(o *gate.Observation, r gate.Report) mysqlSeen {
	locks := map[string][]string{}
	for _, w := range o.Locks {
		if w.Existing && !w.RowLocks && (slices.Contains(w.Blocks, "reads") || slices.Contains(w.Blocks, "writes")) {
			locks[bare(w.Table)] = append(locks[bare(w.Table)], w.Mode)
		}
	}
	var ddl, best, list, findings []string
	for _, table := range sortedKeys(locks) {
		list = append(list, table+"="+strings.Join(uniq(locks[table]), ","))
	}
	for _, st := range o.Migrations[0].Apply.Statements {
		d := st.DDL
		if d == nil || !d.Existing {
			continue
		}
		word := d.Algorithm
		if d.Rebuild && d.Algorithm != "COPY" {
			word += " rebuild"
		}
		if d.Lock != "" {
			word += " " + d.Lock
		}
		ddl = append(ddl, word)
		switch {
		case d.Best == nil:
			best = append(best, "unasked")
		case d.Best.Unasked != "":
			best = append(best, "unasked")
		case d.Best.Lock != "" && d.Best.Algorithm != "INSTANT":
			best = append(best, d.Best.Algorithm+" "+d.Best.Lock)
		default:
			best = append(best, d.Best.Algorithm)
		}
	}
	for _, f := range r.Findings {
		findings = append(findings, f.Rule+map[gate.Severity]string{gate.Notice: "/notice", gate.Warning: "/warning"}[f.Severity])
	}
	slices.Sort(findings)
	orNone := func(s string, none string) string {
		if s == "" {
			return none
		}
		return s
	}
	return mysqlSeen{
		locks: orNone(strings.Join(list, " "), "none"), ddl: orNone(strings.Join(ddl, "; "), "-"),
		best: orNone(strings.Join(best, "; "), "-"), findings: orNone(strings.Join(findings, " "), "-"),
	}
}

// sameMySQL compares what was seen with what is wanted; "table=MODE?" wants
// that lock or none, and "rule?" that finding or none.
func sameMySQL(got, want mysqlSeen) bool {
	locksWanted := func(s string) []string {
		if s == "none" {
			return nil
		}
		return locksOf(s)
	}
	findings := func(s string) []string {
		if s == "-" {
			return nil
		}
		return strings.Fields(s)
	}
	return sameLocks(locksWanted(got.locks), locksWanted(want.locks)) && got.ddl == want.ddl && got.best == want.best &&
		sameMaybe(findings(got.findings), findings(want.findings))
}

// sameMaybe compares sorted lists where an item that ends in ? may be missing.
func sameMaybe(got, want []string) bool {
	var exact []string
	for _, w := range want {
		item, maybe := strings.CutSuffix(w, "?")
		if !maybe {
			exact = append(exact, w)
			continue
		}
		if i := slices.Index(got, item); i >= 0 && count(got, item) > count(want, item) {
			got = slices.Delete(slices.Clone(got), i, i+1)
		}
	}
	slices.Sort(exact)
	return slices.Equal(got, exact)
}

func count(list []string, item string) (n int) {
	for _, s := range list {
		if s == item {
			n++
		}
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string {
	keys := []string{}
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
