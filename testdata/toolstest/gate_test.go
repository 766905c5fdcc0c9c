package toolstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/gate"
	apply "github.com/migration-gate/migration-gate/gate/apply/postgres"
	"github.com/migration-gate/migration-gate/gate/command"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/gate/rule"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// layouts are all that there are, and how plain files are run by psql.
var layouts = []string{"golang-migrate", "goose", "dbmate", "flyway", "sql-migrate", "plain"}

// bench is a layout's tool, a server for it, and a place for files.
type bench struct {
	t      *testing.T
	layout string
	server *snapshot.Target
	tool   tool
	dir    string
}

func newBench(t *testing.T, layout string) *bench {
	server := snapshottest.Server(t, "")
	return &bench{t, layout, server, toolOf(t, layout, server), t.TempDir()}
}

var databases atomic.Int64

// database makes one, perhaps as a copy of another.
func (b *bench) database(template string) string {
	b.t.Helper()
	name := fmt.Sprintf("tools_%d", databases.Add(1))
	sql := "CREATE DATABASE " + name
	if template != "" {
		sql += " TEMPLATE " + template
	}
	b.admin(sql)
	b.t.Cleanup(func() { b.admin("DROP DATABASE " + name + " WITH (FORCE)") })
	return name
}

func (b *bench) admin(sql string) {
	b.t.Helper()
	conn, err := pgx.Connect(context.Background(), url(b.server, "postgres"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// steps writes steps into a directory of that name.
func (b *bench) steps(name string, steps []step) (dir string, files []string) {
	b.t.Helper()
	dir = filepath.Join(b.dir, name)
	return dir, write(b.t, b.layout, dir, steps)
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// dump is pg_dump's of a database, with its ledger, as a snapshot.
func (b *bench) dump(database string, args ...string) string {
	b.t.Helper()
	var out, stderr bytes.Buffer
	if err := b.server.Tools.Run(b.t.Context(), "pg_dump", append(args, "-d", database), nil, &out, &stderr); err != nil {
		b.t.Fatalf("pg_dump: %v\n%s", err, stderr.Bytes())
	}
	return out.String()
}

// repo commits steps to main and lays others over them on a branch.
func (b *bench) repo(merged, change []step) string {
	b.t.Helper()
	return b.branch(func(dir string) { write(b.t, b.layout, dir, merged) }, func(dir string) { write(b.t, b.layout, dir, change) })
}

// branch makes a repository whose main and branch have what two functions write
// into the directory of migrations.
func (b *bench) branch(merged, change func(dir string)) string {
	b.t.Helper()
	top := filepath.Join(b.dir, fmt.Sprintf("repo%d", databases.Add(1)))
	dir := filepath.Join(top, "migrations")
	b.must(os.MkdirAll(dir, 0o755))
	merged(dir)
	git := func(args ...string) {
		cmd := exec.Command("git", args...)
		cmd.Dir = top
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-q", "-m", "merged")
	git("switch", "-q", "-c", "change")
	change(dir)
	return top
}

// check runs the gate on a repository with a snapshot, and returns its report.
func (b *bench) check(top, dump string, args ...string) (code int, r gate.Report, stderr string) {
	b.t.Helper()
	b.must(os.WriteFile(filepath.Join(top, ".git", "shop.sql"), []byte(dump), 0o644))
	var environ []string
	for _, e := range os.Environ() {
		if !regexp.MustCompile(`^(CI|GITHUB_|GITLAB_|MIGRATION_GATE_)`).MatchString(e) {
			environ = append(environ, e)
		}
	}
	var out, errs bytes.Buffer
	code = command.Run(b.t.Context(), command.Env{
		Args: append([]string{"migration-gate", "check", "--snapshot", ".git/shop.sql", "--layout", b.layout, "--format", "json=.git/report.json",
			"--max-exclusive-ms", "60000", "--max-write-block-ms", "60000", "--progress", "none"}, args...),
		Environ: environ, Dir: top, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	})
	text, err := os.ReadFile(filepath.Join(top, ".git", "report.json"))
	if err == nil {
		b.must(json.Unmarshal(text, &r))
	}
	return code, r, errs.String()
}

// TestLedgers: what the gate reads in a ledger that the tool wrote is what the
// tool reads there.
func TestLedgers(t *testing.T) {
	for _, layout := range layouts {
		if layout == "plain" {
			continue // it keeps none
		}
		t.Run(layout, func(t *testing.T) {
			snapshottest.Supported(t, "layouts", layout, "ledger written by the tool")
			b, ctx := newBench(t, layout), t.Context()
			head, files := b.steps("head", history)
			two, _ := b.steps("two", history[:2])
			four, _ := b.steps("four", history[:4])
			db := b.database("")

			b.must(b.tool.up(ctx, db, two))
			said, err := b.tool.pending(ctx, db, head)
			b.must(err)
			if diff := cmp.Diff(files[2:], said); diff != "" {
				t.Fatalf("the tool itself does not want to run what it lacks: %s", diff)
			}
			top := b.repo(history[:3], history)
			code, r, stderr := b.check(top, b.dump(db))
			if code > 1 || r.Observation.Snapshot == nil {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			if diff := cmp.Diff([]string{versionOf(layout, files[2])}, r.Observation.Snapshot.CaughtUp); diff != "" {
				t.Errorf("caught up before the measured run: %s", diff)
			}
			if diff := cmp.Diff(files[3:], pendingOf(r)); diff != "" {
				t.Errorf("pending: %s", diff)
			}

			b.must(b.tool.up(ctx, db, four))
			said, err = b.tool.pending(ctx, db, head)
			b.must(err)
			code, r, stderr = b.check(top, b.dump(db))
			if code > 1 && len(r.Observation.Migrations) == 0 {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			if diff := cmp.Diff(said, pendingOf(r)); diff != "" || len(r.Observation.Snapshot.CaughtUp) > 0 {
				t.Errorf("after a part of the change was applied, caught up %v, pending: %s", r.Observation.Snapshot.CaughtUp, diff)
			}
			if len(r.Observation.Unmeasured) != 1 || path.Base(r.Observation.Unmeasured[0].What) != files[3] {
				t.Errorf("it is not told that %s is applied: %+v", files[3], r.Observation.Unmeasured)
			}
		})
	}
}

// versionOf is what a file's migration is called in a ledger's place.
func versionOf(layout, file string) string {
	switch layout {
	case "sql-migrate":
		return file
	case "flyway":
		version, _, _ := strings.Cut(strings.TrimPrefix(file, "V"), "__")
		return strings.ReplaceAll(version, "_", ".")
	}
	version, _, _ := strings.Cut(file, "_")
	return version
}

func pendingOf(r gate.Report) (files []string) {
	for _, m := range r.Observation.Migrations {
		files = append(files, path.Base(m.Up.File))
	}
	return files
}

// gateRuns runs scripts as the gate does, on one connection, and returns the
// failure that ended it.
func (b *bench) gateRuns(database string, scripts []migration.Script) error {
	b.t.Helper()
	var all []migration.Migration
	for _, s := range scripts {
		all = append(all, migration.Migration{Up: s})
	}
	return observe.CatchUp(b.t.Context(), func(ctx context.Context) (observe.Session, error) {
		return apply.Open(ctx, url(b.server, database))
	}, all, nil)
}

// load reads migrations as the gate does.
func (b *bench) load(dir string, opt migration.Options) []migration.Migration {
	b.t.Helper()
	layout, ok := migration.ByName(b.layout)
	if !ok {
		b.t.Fatalf("no layout %s", b.layout)
	}
	set, err := migration.Load(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), layout, opt)
	b.must(err)
	if len(set.Unrecognised) > 0 {
		b.t.Fatalf("not recognised: %v", set.Unrecognised)
	}
	return set.Migrations
}

func ups(ms []migration.Migration) (scripts []migration.Script) {
	for _, m := range ms {
		scripts = append(scripts, m.Up)
	}
	return scripts
}

func downs(ms []migration.Migration) (scripts []migration.Script) {
	for _, m := range slices.Backward(ms) {
		scripts = append(scripts, *m.Down)
	}
	return scripts
}

// same compares two databases by pg_dump, rows and all, but for the ledger.
func (b *bench) same(what, tools, gates string) {
	b.t.Helper()
	var dumps []string
	layout, _ := migration.ByName(b.layout)
	for _, db := range []string{tools, gates} {
		var args []string
		if table := layout.Ledger.Table; table != "" {
			args = []string{"-T", table, "-T", table + "_id_seq"}
		}
		dumps = append(dumps, varies.ReplaceAllString(b.dump(db, args...), ""))
	}
	if diff := cmp.Diff(strings.Split(dumps[0], "\n"), strings.Split(dumps[1], "\n")); diff != "" {
		b.t.Errorf("%s: the tool's database and the gate's differ:\n%s", what, diff)
	}
}

// varies is what two dumps of the same differ by: a random key, and times.
var varies = regexp.MustCompile(`(?m)^\\(un)?restrict.*$|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*`)

// TestSameDatabase: the gate's run of files leaves the database that the tool's
// run leaves, forward and back, also where a script fails.
func TestSameDatabase(t *testing.T) {
	for _, layout := range layouts {
		t.Run(layout, func(t *testing.T) {
			snapshottest.Supported(t, "layouts", layout, "same database as the tool")
			b, ctx := newBench(t, layout), t.Context()
			opt := migration.Options{}
			if layout == "plain" {
				opt.Transaction = "statement" // as psql -f
			}
			all, _ := b.steps("all", history)
			tools := b.database("")
			ms := b.load(all, opt)
			gates := b.database("")
			b.must(b.tool.up(ctx, tools, all))
			b.must(b.gateRuns(gates, ups(ms)))
			b.same("up", tools, gates)
			if layout != "flyway" { // whose undo is not for everybody
				for range 3 {
					b.must(b.tool.down(ctx, tools, all))
				}
				b.must(b.gateRuns(gates, downs(ms[2:])))
				b.same("down", tools, gates)
			}
			for _, f := range failing {
				t.Run(f.name, func(t *testing.T) {
					b := &bench{t, layout, b.server, toolOf(t, layout, b.server), t.TempDir()}
					dir, _ := b.steps("all", append(history[:2:2], f))
					first, _ := b.steps("first", history[:2])
					tools := b.database("")
					b.must(b.tool.up(ctx, tools, first))
					gates := b.database(tools)
					toolSays := b.tool.up(ctx, tools, dir)
					gateSays := b.gateRuns(gates, ups(b.load(dir, opt)[2:]))
					if toolSays == nil || gateSays == nil {
						t.Fatalf("both must fail: the tool says %v, the gate %v", toolSays, gateSays)
					}
					b.same("after the failure", tools, gates)
				})
			}
		})
	}
}

// failing are scripts of which a part may stay.
var failing = []step{
	{name: "second_statement", up: "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE missing ADD COLUMN a int;\nALTER TABLE orders ADD COLUMN b int;", down: "SELECT 1;"},
	{name: "second_statement_outside", outside: true, up: "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE missing ADD COLUMN a int;\nALTER TABLE orders ADD COLUMN b int;", down: "SELECT 1;"},
	{name: "syntax", up: "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE orders ADD COLUM NN;", down: "SELECT 1;"},
	{name: "syntax_outside", outside: true, up: "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE orders ADD COLUM NN;", down: "SELECT 1;"},
	{name: "own_transaction", outside: true, up: "BEGIN;\nALTER TABLE orders ADD COLUMN a int;\nCOMMIT;\nALTER TABLE missing ADD COLUMN a int;", down: "SELECT 1;"},
	{name: "deferred", up: "CREATE TABLE a (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1), (1);", down: "SELECT 1;"},
}

// TestHalfApplied: a snapshot of a database in which the tool stopped half way,
// and says so, is refused with what mends it.
func TestHalfApplied(t *testing.T) {
	for layout, mend := range map[string]string{"golang-migrate": "migrate force", "flyway": "flyway repair"} {
		t.Run(layout, func(t *testing.T) {
			b := newBench(t, layout)
			steps := append(history[:1:1], failing[1])
			dir, _ := b.steps("half", steps)
			db := b.database("")
			if err := b.tool.up(t.Context(), db, dir); err == nil {
				t.Fatal("the script is meant to fail")
			}
			code, _, stderr := b.check(b.repo(history[:1], history[:2]), b.dump(db))
			if code != 2 || !strings.Contains(stderr, "half applied") || !strings.Contains(stderr, mend) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// TestOutOfOrder: what becomes of a version below one that is applied is what
// the finding says.
func TestOutOfOrder(t *testing.T) {
	for layout, want := range map[string]struct{ runs, refuses bool }{
		"golang-migrate": {}, "goose": {refuses: true}, "dbmate": {runs: true}, "sql-migrate": {runs: true}, "flyway": {refuses: true},
	} {
		t.Run(layout, func(t *testing.T) {
			b, ctx := newBench(t, layout), t.Context()
			late := step{name: "late", up: "CREATE TABLE late (id int);", down: "DROP TABLE late;"}
			all, files := b.steps("all", []step{history[0], late, history[1]})
			hole, _ := b.steps("hole", []step{history[0], late, history[1]})
			for _, f := range render(layout, 2, late) {
				b.must(os.Remove(filepath.Join(hole, f.name)))
			}
			db := b.database("")
			b.must(b.tool.up(ctx, db, hole))
			err := b.tool.up(ctx, db, all)
			ran := strings.Contains(b.dump(db, "-s"), "CREATE TABLE public.late")
			if ran != want.runs || (err != nil) != want.refuses {
				t.Errorf("%s below an applied one: it ran %v, the tool said %v; want %+v", files[1], ran, err, want)
			}

			o := gate.Observation{Layout: layout}
			for i, m := range b.load(all, migration.Options{}) {
				if i == 1 {
					o.Migrations = []gate.Migration{{Migration: m}}
					continue
				}
				o.Merged = append(o.Merged, gate.MergedMigration{Version: m.Version, Number: m.Number, Order: m.Order, Name: m.Name, File: m.Up.File})
			}
			p := rule.DefaultPolicy()
			p.Only = []string{"version-order"}
			findings := rule.Judge(o, p).Findings
			if len(findings) != 1 {
				t.Fatalf("%d findings, want 1", len(findings))
			}
			f := findings[0]
			if (f.Severity == gate.Warning) != want.runs || strings.Contains(f.Message, " runs it there") != want.runs || strings.Contains(f.Message, " refuses to ") != want.refuses {
				t.Errorf("the tool does %+v, and the finding says %s: %s", want, f.Severity, f.Message)
			}
		})
	}
}
