package changeset

import (
	"strings"
	"testing"
)

func TestWrongDirectoryIsToldTheRightOne(t *testing.T) {
	r := newRepo(t)
	r.git("rm", "-q", "-r", "--ignore-unmatch", "migrations")
	r.write("app/db/V1__a.sql", "SELECT 1;", "app/db/V2__b.sql", "SELECT 2;", "app/db/sub/V3__c.sql", "SELECT 3;",
		"diesel/1_a/up.sql", "SELECT 1;", "diesel/1_a/down.sql", "SELECT 1;", "diesel/2_b/up.sql", "SELECT 2;",
		"notes/query.sql", "SELECT 1;", "setup.sql", "SELECT 1;", "ignored/1_x.up.sql", "SELECT 1;", ".gitignore", "ignored/\n")
	r.commit("seed")
	other := func(o *Options) { o.MigrationsDir = "nosuch" }

	_, err := r.tryDetect(other)
	wantError(t, err, "nosuch", "does not exist", "pass --dir app/db (flyway, 3 files) or ", "--dir diesel (plain, 3 files)")
	if strings.Count(err.Error(), "--dir") != 2 {
		t.Errorf("%v: names what are no migrations, or directories above and below", err)
	}

	r.git("rm", "-q", "-r", "app", "diesel")
	r.commit("none")
	_, err = r.tryDetect(other)
	wantError(t, err, "pass --dir DIR")
}

func TestWrongLayoutIsToldTheRightOne(t *testing.T) {
	r := newRepo(t)
	r.git("rm", "-q", "-r", "--ignore-unmatch", "migrations")
	r.write("migrations/V1__a.sql", "SELECT 1;")
	r.commit("seed")
	r.git("checkout", "-q", "-b", "change")
	r.write("migrations/R__b.sql", "SELECT 2;")

	_, err := r.tryDetect(func(o *Options) { o.Layout = "goose" })
	wantError(t, err, "migrations/R__b.sql", "no migration by the names of the goose layout", "say --layout flyway (R__b.sql is named as Flyway does)")
}
