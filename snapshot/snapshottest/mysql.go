package snapshottest

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
)

// defaultFlavours are the engines that every suite of MySQL runs on;
// MG_TEST_MYSQL ("mysql mariadb") names others, with a series where it matters
// ("mysql:8.0").
const defaultFlavours = "mysql mariadb"

// unpacked is where testdata/mysql/servers.sh puts servers for tests.
const unpacked = "/var/lib/migration-gate-test"

// MySQLFlavours are what to run a suite of MySQL's on.
func MySQLFlavours(tb testing.TB) []string {
	tb.Helper()
	list := os.Getenv("MG_TEST_MYSQL")
	if list == "" {
		list = defaultFlavours
	}
	return strings.Fields(strings.ReplaceAll(list, ",", " "))
}

// MySQL returns the shared server of a flavour ("" for the first of
// MySQLFlavours), starting it on first use, with its first instance running.
// Tests make databases of their own in it, and instances of names of their own.
//
// Where the machine has no such server, the test is skipped; where CI is set,
// it fails.
func MySQL(tb testing.TB, flavour string) *snapshot.Target {
	tb.Helper()
	if flavour == "" {
		flavour = MySQLFlavours(tb)[0]
	}
	target, err := shared(flavour, func() (*snapshot.Target, error) { return startMySQL(tb.Logf, flavour, MySQLSettings(flavour)) })
	return mysqlOr(tb, flavour, target, err)
}

// MySQLAlone starts a server of a flavour for one test, with settings that the
// shared one must not have, or to be stopped and copied.
func MySQLAlone(tb testing.TB, flavour string, settings map[string]string) *snapshot.Target {
	tb.Helper()
	if flavour == "" {
		flavour = MySQLFlavours(tb)[0]
	}
	all := MySQLSettings(flavour)
	maps.Copy(all, settings)
	target, err := startMySQL(tb.Logf, flavour, all)
	mysqlOr(tb, flavour, target, err)
	tb.Cleanup(func() {
		if err := target.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return target
}

// noServer is a machine without the server programs.
type noServer struct{ why string }

func (e *noServer) Error() string { return e.why }

// Need skips a test whose server is not offered, and says what would help;
// where CI is set, it fails the test.
func Need(tb testing.TB, flavour string, offer snapshot.Offer) {
	tb.Helper()
	if !offer.OK {
		mysqlOr(tb, flavour, nil, &noServer{offer.Detail})
	}
}

// mysqlOr skips the test or fails it where there is no server.
func mysqlOr(tb testing.TB, flavour string, target *snapshot.Target, err error) *snapshot.Target {
	tb.Helper()
	var none *noServer
	switch {
	case err == nil:
	case errors.As(err, &none) && os.Getenv("CI") != "true":
		tb.Skipf("not tested on %s: %s; to have it tested: testdata/install.sh mysql mariadb", flavour, none.why)
	default:
		tb.Fatalf("no %s server for this test: %v\n(testdata/install.sh mysql mariadb unpacks both; MG_TEST_MYSQL chooses what to test on, now %q)", flavour, err, MySQLFlavours(tb))
	}
	return target
}

func startMySQL(logf func(string, ...any), flavour string, settings map[string]string) (*snapshot.Target, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	spec := MySQLSpec(flavour)
	spec.Run, spec.Settings = "test", settings
	p := local.New(MySQLOptions())
	offer := p.Offer(ctx, spec)
	if !offer.OK || spec.Version != "" && !offer.Exact {
		return nil, &noServer{offer.Detail}
	}
	logf("starting %s %s: %s", spec.Engine, offer.Version, offer.Detail)
	return p.Provision(ctx, spec, offer)
}

// MySQLSpec reads a flavour: an engine, and perhaps a series ("mysql:8.0").
func MySQLSpec(flavour string) snapshot.Spec {
	engine, version, _ := strings.Cut(flavour, ":")
	return snapshot.Spec{Engine: engine, Version: version}
}

// MySQLOptions find the servers that servers.sh unpacked and, before these,
// ones in the directories of MG_TEST_MYSQL_BINS; the machine's own come last.
func MySQLOptions() local.Options {
	bins := filepath.SplitList(os.Getenv("MG_TEST_MYSQL_BINS"))
	for _, engine := range []string{snapshot.MySQL, snapshot.MariaDB} {
		bins = append(bins, filepath.Join(unpacked, engine, "usr/sbin"))
	}
	cache, _ := os.UserCacheDir() // "" is as good as an error here
	return local.Options{
		Path: os.Getenv("PATH"), Bins: bins, StartTimeout: 2 * time.Minute,
		Templates: filepath.Join(local.CacheDir(cache), "initialised"),
	}
}

// MySQLSettings are fit for a throw-away server, with little memory: tests of
// several packages run at once.
func MySQLSettings(flavour string) map[string]string {
	s := map[string]string{
		"innodb_buffer_pool_size":        "128M",
		"innodb_flush_log_at_trx_commit": "0",
		"innodb_doublewrite":             "OFF",
		"skip_log_bin":                   "",
		"performance_schema":             "ON",
		"max_connections":                "100",
		"table_open_cache":               "400",
	}
	if MySQLSpec(flavour).Engine == snapshot.MySQL {
		s["innodb_redo_log_capacity"] = "64M"
	} else {
		s["innodb_log_file_size"] = "64M"
	}
	return s
}
