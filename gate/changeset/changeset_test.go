package changeset

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// seed commits two merged migrations on main and starts a branch.
func seed(t *testing.T) *testRepo {
	t.Helper()
	r := newRepo(t)
	r.write(
		"migrations/1_orders.up.sql", "CREATE TABLE orders (id int);\nCREATE TABLE lines (id int);\n",
		"migrations/1_orders.down.sql", "SELECT 1;\n",
		"migrations/2_total.up.sql", "ALTER TABLE orders ADD total int;\n-- why\n-- and how\n",
		"migrations/2_total.down.sql", "SELECT 1;\n",
		"README.md", "hello\n",
	)
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	return r
}

func TestWhatHappenedToFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(r *testRepo)
		want string
	}{
		"nothing": {func(r *testRepo) { r.write("README.md", "bye\n", "migrations/README.md", "notes") }, ``},
		"added": {func(r *testRepo) {
			r.write("migrations/3_x.up.sql", "SELECT 3;", "migrations/3_x.down.sql", "SELECT 1;")
		}, `
			added migrations/3_x.down.sql v3
			added migrations/3_x.up.sql v3
			pending 3_x: migrations/3_x.up.sql, migrations/3_x.down.sql`},
		"added below a merged one": {func(r *testRepo) { r.write("migrations/0_x.up.sql", "SELECT 3;") }, `
			added migrations/0_x.up.sql v0
			pending 0_x: migrations/0_x.up.sql`},
		"several, in the order of their numbers": {func(r *testRepo) {
			r.write("migrations/10_b.up.sql", "SELECT 10;", "migrations/9_a.up.sql", "SELECT 9;")
		}, `
			added migrations/10_b.up.sql v10
			added migrations/9_a.up.sql v9
			pending 9_a: migrations/9_a.up.sql
			pending 10_b: migrations/10_b.up.sql`},
		"edited": {func(r *testRepo) {
			r.write("migrations/1_orders.up.sql", "CREATE TABLE orders (id int);\nCREATE TABLE lines (id bigint);\n")
		}, `edited migrations/1_orders.up.sql line 2 merged v1`},
		"edited by appending": {func(r *testRepo) {
			r.write("migrations/2_total.down.sql", "SELECT 1;\nDROP TABLE orders;\n")
		}, `edited migrations/2_total.down.sql line 2 merged v2`},
		"edited by truncation": {func(r *testRepo) { r.write("migrations/2_total.down.sql", "") },
			`edited migrations/2_total.down.sql line 1 merged v2`},
		"line endings only": {func(r *testRepo) {
			r.write("migrations/1_orders.up.sql", "CREATE TABLE orders (id int);\r\nCREATE TABLE lines (id int);\r\n",
				"migrations/2_total.down.sql", "SELECT 1;")
		}, ``},
		"line endings and an edit": {func(r *testRepo) {
			r.write("migrations/1_orders.up.sql", "CREATE TABLE orders (id int);\r\nCREATE TABLE linez (id int);\r\n")
		}, `edited migrations/1_orders.up.sql line 2 merged v1`},
		"mode only": {func(r *testRepo) {
			_ = os.Chmod(filepath.Join(r.dir, "migrations/1_orders.up.sql"), 0o755)
		}, ``},
		"deleted": {func(r *testRepo) { r.remove("migrations/2_total.up.sql", "migrations/2_total.down.sql") }, `
			deleted migrations/2_total.down.sql merged v2
			deleted migrations/2_total.up.sql merged v2`},
		"all deleted": {func(r *testRepo) { r.git("rm", "-rq", "migrations") }, `
			deleted migrations/1_orders.down.sql merged v1
			deleted migrations/1_orders.up.sql merged v1
			deleted migrations/2_total.down.sql merged v2
			deleted migrations/2_total.up.sql merged v2`},
		"renamed, same version": {func(r *testRepo) {
			r.git("mv", "migrations/2_total.up.sql", "migrations/2_sum.up.sql")
			r.git("mv", "migrations/2_total.down.sql", "migrations/2_sum.down.sql")
		}, `
			renamed migrations/2_sum.down.sql from migrations/2_total.down.sql merged v2
			renamed migrations/2_sum.up.sql from migrations/2_total.up.sql merged v2`},
		"replaced under the same version": {func(r *testRepo) {
			r.remove("migrations/2_total.up.sql", "migrations/2_total.down.sql")
			r.write("migrations/2_other.up.sql", "CREATE VIEW v AS SELECT 1;\n")
		}, `
			renamed migrations/2_other.up.sql from migrations/2_total.up.sql line 1 merged v2
			deleted migrations/2_total.down.sql merged v2`},
		"renamed to a new version": {func(r *testRepo) {
			r.git("mv", "migrations/2_total.up.sql", "migrations/7_total.up.sql")
			r.git("mv", "migrations/2_total.down.sql", "migrations/7_total.down.sql")
		}, `
			renamed migrations/7_total.down.sql from migrations/2_total.down.sql merged v7
			renamed migrations/7_total.up.sql from migrations/2_total.up.sql merged v7
			pending 7_total: migrations/7_total.up.sql, migrations/7_total.down.sql`},
		"renamed to a new version and edited": {func(r *testRepo) {
			r.remove("migrations/2_total.up.sql", "migrations/2_total.down.sql")
			r.write("migrations/7_sum.up.sql", "ALTER TABLE orders ADD total int;\n-- why\n-- or what\n")
		}, `
			deleted migrations/2_total.down.sql merged v2
			renamed migrations/7_sum.up.sql from migrations/2_total.up.sql line 3 merged v7
			pending 7_sum: migrations/7_sum.up.sql`},
		"one gone and another come is no rename": {func(r *testRepo) {
			r.remove("migrations/2_total.up.sql", "migrations/2_total.down.sql")
			r.write("migrations/7_x.up.sql", "CREATE INDEX x;\n", "migrations/7_x.down.sql", "SELECT 1;\n")
		}, `
			deleted migrations/2_total.down.sql merged v2
			deleted migrations/2_total.up.sql merged v2
			added migrations/7_x.down.sql v7
			added migrations/7_x.up.sql v7
			pending 7_x: migrations/7_x.up.sql, migrations/7_x.down.sql`},
		"a copy is an addition": {func(r *testRepo) {
			r.write("migrations/3_total.up.sql", "ALTER TABLE orders ADD total int;\n-- why\n-- and how\n")
		}, `
			added migrations/3_total.up.sql v3
			pending 3_total: migrations/3_total.up.sql`},
		"down files of merged migrations": {func(r *testRepo) {
			r.remove("migrations/1_orders.down.sql")
			r.write("migrations/2_total.down.sql", "SELECT 2;\n")
		}, `
			deleted migrations/1_orders.down.sql merged v1
			edited migrations/2_total.down.sql line 1 merged v2`},
		"files below the directory": {func(r *testRepo) { r.write("migrations/old/9_x.up.sql", "SELECT 1;") }, ``},
		"strange names": {func(r *testRepo) {
			r.write("migrations/3_a b.up.sql", "SELECT 3;", "migrations/4_\"quoted'\\.up.sql", "SELECT 4;",
				"migrations/5_größe-日本.up.sql", "SELECT 5;", "migrations/6_tab\there.up.sql", "SELECT 6;", "migrations/7_*?[x].up.sql", "SELECT 7;")
		}, `
			added migrations/3_a b.up.sql v3
			added migrations/4_"quoted'\.up.sql v4
			added migrations/5_größe-日本.up.sql v5
			added migrations/6_tab` + "\t" + `here.up.sql v6
			added migrations/7_*?[x].up.sql v7
			pending 3_a b: migrations/3_a b.up.sql
			pending 4_"quoted'\: migrations/4_"quoted'\.up.sql
			pending 5_größe-日本: migrations/5_größe-日本.up.sql
			pending 6_tab` + "\t" + `here: migrations/6_tab` + "\t" + `here.up.sql
			pending 7_*?[x]: migrations/7_*?[x].up.sql`},
	} {
		t.Run(name, func(t *testing.T) {
			r := seed(t)
			tc.do(r)
			uncommitted := r.detect()
			expect(t, uncommitted, tc.want)
			if uncommitted.Nothing() != (tc.want == "") {
				t.Errorf("Nothing is %v", uncommitted.Nothing())
			}
			// The same, committed; and the same again as a reference that is
			// not checked out.
			r.commit("change")
			committed := r.detect()
			expect(t, committed, tc.want)
			if committed.Dirty {
				t.Error("dirty after a commit")
			}
			r.git("checkout", "-q", "main")
			expect(t, r.detect(func(o *Options) { o.Head = "change" }), tc.want)
		})
	}
}

// A down file that a merged migration lacked so far is new, and not drift.
func TestAddedDownOfMergedMigration(t *testing.T) {
	r := newRepo(t)
	r.write("migrations/1_a.up.sql", "SELECT 1;")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write("migrations/1_a.down.sql", "SELECT 2;")
	expect(t, r.detect(), `added migrations/1_a.down.sql merged v1`)
}

func TestDirty(t *testing.T) {
	r := seed(t)
	if r.detect().Dirty {
		t.Error("dirty without a change")
	}
	r.write("README.md", "other\n")
	if r.detect().Dirty {
		t.Error("dirty by a file outside the directory")
	}
	r.write("migrations/3_x.up.sql", "SELECT 1;")
	if !r.detect().Dirty {
		t.Error("not dirty with an untracked migration")
	}
	r.git("add", "-A")
	if !r.detect().Dirty {
		t.Error("not dirty with a staged migration")
	}
	// What counts is what lies on the disk, as it does for the tools.
	r.write("migrations/3_x.up.sql", "SELECT 2;")
	if got := r.detect().Added[0].Up.Statements[0].SQL; got != "SELECT 2" && got != "SELECT 2;" {
		t.Errorf("read %q", got)
	}
}

func TestIgnoredFiles(t *testing.T) {
	r := seed(t)
	r.write(".gitignore", "local_*\n3_*\n", "migrations/3_x.up.sql", "SELECT 3;", "migrations/local_try.sql", "x")
	expect(t, r.detect(), ``)

	r.write("out/1_x.up.sql", "SELECT 1;", ".gitignore", "out/\n")
	_, err := r.tryDetect(func(o *Options) { o.MigrationsDir = "out" })
	wantError(t, err, "out", "ignored by git", "1_x.up.sql")
}

func TestUnrecognised(t *testing.T) {
	r := newRepo(t)
	r.write("migrations/1_a.up.sql", "SELECT 1;", "migrations/seed.sql", "SELECT 0;")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	expect(t, r.detect(), ``) // it was there before

	r.write("migrations/2_b.up.sql", "SELECT 2;")
	r.detect()
	r.write("migrations/seed.sql", "SELECT 0;\r\n")
	r.detect()
	r.write("migrations/seed.sql", "SELECT 9;")
	_, err := r.tryDetect()
	wantError(t, err, "migrations/seed.sql", "edited", "golang-migrate", "ignore:")

	r.write("migrations/seed.sql", "SELECT 0;", "migrations/3-typo.sql", "DROP TABLE orders;")
	_, err = r.tryDetect()
	wantError(t, err, "migrations/3-typo.sql", "added", "ignore:")
	expect(t, r.detect(func(o *Options) { o.Ignore = []string{"3-*.sql"} }), `
		added migrations/2_b.up.sql v2
		pending 2_b: migrations/2_b.up.sql`)
}

func TestEmptyDirectories(t *testing.T) {
	r := newRepo(t)
	r.write("README.md", "x", "db/.gitkeep", "")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	if err := os.Mkdir(filepath.Join(r.dir, "migrations"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"migrations", "db"} {
		c := r.detect(func(o *Options) { o.MigrationsDir = dir })
		if !c.Nothing() || c.Layout != "" || c.LayoutReason == "" {
			t.Errorf("%s: %+v", dir, c)
		}
	}
	// The first migration ever.
	r.write("migrations/1_a.up.sql", "SELECT 1;")
	expect(t, r.detect(), `
		added migrations/1_a.up.sql v1
		pending 1_a: migrations/1_a.up.sql`)

	_, err := r.tryDetect(func(o *Options) { o.MigrationsDir = "nowhere" })
	wantError(t, err, "nowhere", "does not exist", "--dir")
	_, err = r.tryDetect(func(o *Options) { o.MigrationsDir = "README.md" })
	wantError(t, err, "README.md", "is a file")
	_, err = r.tryDetect(func(o *Options) { o.MigrationsDir = ".." })
	wantError(t, err, "outside the repository")
	_, err = r.tryDetect(func(o *Options) { o.MigrationsDir = "" })
	wantError(t, err, "--dir")
}

func TestWhereItRuns(t *testing.T) {
	r := newRepo(t)
	r.write("services/shop/db/1_a.up.sql", "SELECT 1;", "db/1_z.up.sql", "SELECT 1;", "cmd/main.go", "")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write("services/shop/db/2_b.up.sql", "SELECT 2;")
	shop := `
		added services/shop/db/2_b.up.sql v2
		pending 2_b: services/shop/db/2_b.up.sql`
	for name, o := range map[string]Options{
		"at the top":                    {Dir: r.dir, MigrationsDir: "services/shop/db"},
		"with a slash":                  {Dir: r.dir, MigrationsDir: "./services/shop/db/"},
		"in a subdirectory":             {Dir: filepath.Join(r.dir, "services/shop"), MigrationsDir: "db"},
		"in the directory itself":       {Dir: filepath.Join(r.dir, "services/shop/db"), MigrationsDir: "."},
		"beside the directory":          {Dir: filepath.Join(r.dir, "cmd"), MigrationsDir: "../services/shop/db"},
		"elsewhere, named from the top": {Dir: filepath.Join(r.dir, "cmd"), MigrationsDir: "services/shop/db"},
		"by an absolute path":           {Dir: filepath.Join(r.dir, "cmd"), MigrationsDir: filepath.Join(r.dir, "services/shop/db")},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Detect(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, c, shop)
			if c.Top != r.dir || c.Dir != "services/shop/db" {
				t.Errorf("top %s, dir %s", c.Top, c.Dir)
			}
		})
	}
	t.Run("through a symbolic link", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(r.dir, link); err != nil {
			t.Fatal(err)
		}
		c, err := Detect(context.Background(), Options{Dir: filepath.Join(link, "services"), MigrationsDir: "shop/db"})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, c, shop)
	})
	t.Run("migrations at the top itself", func(t *testing.T) {
		r := newRepo(t)
		r.write("1_a.up.sql", "SELECT 1;", "-3_dash.md", "")
		r.commit("seed")
		r.git("checkout", "-q", "-b", "change")
		r.write("2_b.up.sql", "SELECT 2;")
		c := r.detect(func(o *Options) { o.MigrationsDir = "." })
		expect(t, c, "added 2_b.up.sql v2\n pending 2_b: 2_b.up.sql")
		if c.Dir != "." || len(c.Merged) != 1 {
			t.Errorf("dir %s, merged %v", c.Dir, c.Merged)
		}
	})
	t.Run("a directory that looks like an option or a pattern", func(t *testing.T) {
		for _, dir := range []string{"-x", ":(top)db", "a*b", "größe \"x\""} {
			r := newRepo(t)
			r.write(dir+"/1_a.up.sql", "SELECT 1;", "aXb/9_z.up.sql", "SELECT 9;")
			r.commit("seed")
			r.git("checkout", "-q", "-b", "change")
			r.write(dir+"/2_b.up.sql", "SELECT 2;", "aXb/10_z.up.sql", "SELECT 9;")
			c := r.detect(func(o *Options) { o.MigrationsDir = dir })
			expect(t, c, "added "+dir+"/2_b.up.sql v2\n pending 2_b: "+dir+"/2_b.up.sql")
			if len(c.Merged) != 1 {
				t.Errorf("%s: merged %v", dir, c.Merged)
			}
		}
	})
}

func TestNoRepository(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	_, err := Detect(context.Background(), Options{Dir: dir, MigrationsDir: "migrations"})
	wantError(t, err, "not in a git working tree")

	r := newRepo(t)
	r.write("migrations/1_a.up.sql", "SELECT 1;")
	_, err = r.tryDetect()
	wantError(t, err, "no commit yet")

	t.Setenv("PATH", "")
	_, err = r.tryDetect()
	wantError(t, err, "git is not installed")
}

// Environment that a git hook, or a careless shell, leaves behind.
func TestMisleadingEnvironment(t *testing.T) {
	other := newRepo(t)
	other.write("migrations/1_other.up.sql", "SELECT 1;")
	other.commit("other")
	r := seed(t)
	r.write("migrations/3_x.up.sql", "SELECT 3;")
	for name, value := range map[string]string{
		"GIT_DIR":                 filepath.Join(other.dir, ".git"),
		"GIT_WORK_TREE":           other.dir,
		"GIT_INDEX_FILE":          filepath.Join(other.dir, ".git", "index"),
		"GIT_OBJECT_DIRECTORY":    filepath.Join(other.dir, ".git", "objects"),
		"GIT_NAMESPACE":           "x",
		"GIT_LITERAL_PATHSPECS":   "0",
		"GIT_EXTERNAL_DIFF":       "/bin/false",
		"LC_ALL":                  "de_DE.UTF-8",
		"GIT_CEILING_DIRECTORIES": filepath.Dir(r.dir),
	} {
		t.Setenv(name, value)
	}
	expect(t, r.detect(), `
		added migrations/3_x.up.sql v3
		pending 3_x: migrations/3_x.up.sql`)
}

// Configuration that changes what git prints or how it compares.
func TestMisleadingConfiguration(t *testing.T) {
	r := seed(t)
	for _, kv := range []string{"diff.renames=copies", "diff.noprefix=true", "diff.external=/bin/false", "status.showUntrackedFiles=no",
		"status.relativePaths=true", "diff.relative=true", "core.quotePath=true", "color.ui=always",
		"core.autocrlf=input", "status.renames=copies", "core.fsmonitor=/bin/false", "diff.ignoreSubmodules=none", "core.pager=false"} {
		k, v, _ := strings.Cut(kv, "=")
		r.git("config", k, v)
	}
	r.git("mv", "migrations/2_total.up.sql", "migrations/2_größe.up.sql")
	r.write("migrations/3_x.up.sql", "SELECT 3;\r\n")
	expect(t, r.detect(func(o *Options) { o.Dir = filepath.Join(r.dir, "migrations") }), `
		renamed migrations/2_größe.up.sql from migrations/2_total.up.sql merged v2
		added migrations/3_x.up.sql v3
		pending 3_x: migrations/3_x.up.sql`)
}

func TestMergeConflict(t *testing.T) {
	r := seed(t)
	r.write("migrations/2_total.up.sql", "ours\n")
	r.commit("ours")
	r.git("checkout", "-q", "main")
	r.write("migrations/2_total.up.sql", "theirs\n")
	r.commit("theirs")
	cmd := []string{"-C", r.dir, "-c", "user.name=x", "merge", "change"}
	if out, err := (&repo{top: r.dir}).run(context.Background(), cmd[2:]...); err == nil {
		t.Fatalf("the merge succeeded: %s", out)
	}
	_, err := r.tryDetect()
	wantError(t, err, "migrations/2_total.up.sql", "merge conflict")
}

func TestJSON(t *testing.T) {
	r := seed(t)
	for _, step := range []func(){func() {}, func() { r.write("migrations/3_x.up.sql", "SELECT 3;") }} {
		step()
		text, err := json.Marshal(r.detect())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"base":"`, `"head":"`, `"dir":"migrations"`, `"layout":"golang-migrate"`, `"files":[`, `"added":[`, `"merged":[{"version":"1"`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
		if strings.Contains(string(text), r.dir) {
			t.Errorf("this machine's path in %s", text)
		}
	}
}

func TestTrees(t *testing.T) {
	r := seed(t)
	r.write("migrations/sub/deep/x.txt", "x", "migrations/3_x.up.sql", "SELECT 3;")
	c := r.detect()
	if err := fstest.TestFS(c.HeadFS, "migrations/1_orders.up.sql", "migrations/3_x.up.sql", "migrations/sub/deep/x.txt"); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(c.MergedFS, "migrations/1_orders.up.sql", "migrations/2_total.down.sql"); err != nil {
		t.Error(err)
	}
	// Edited on the disk, the base's content is still the base's.
	r.write("migrations/1_orders.up.sql", "DROP TABLE orders;")
	text, err := fs.ReadFile(r.detect().MergedFS, "migrations/1_orders.up.sql")
	if err != nil || !strings.HasPrefix(string(text), "CREATE TABLE orders") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := fs.ReadFile(c.MergedFS, "migrations/3_x.up.sql"); err == nil {
		t.Error("the base has what the change added")
	}
}

func TestNamedLayout(t *testing.T) {
	r := newRepo(t)
	r.write("migrations/1_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write("migrations/2_b.sql", "-- +goose Up\nSELECT 1;\n")
	c := r.detect(func(o *Options) { o.Layout = "goose" })
	expect(t, c, `
		added migrations/2_b.sql v2
		pending 2_b: migrations/2_b.sql`)
	if c.Ledger != (migration.Ledger{Table: "goose_db_version", Kind: "log"}) {
		t.Errorf("%+v", c.Ledger)
	}
	if _, err := r.tryDetect(func(o *Options) { o.Layout = "flyaway" }); err == nil {
		t.Error("an unknown layout was taken")
	}
}
