package snapshottest_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMySQLOfEachFlavour(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			target := snapshottest.MySQL(t, flavour)
			if again := snapshottest.MySQL(t, flavour); again != target {
				t.Error("a second call started a second server")
			}
			spec := snapshottest.MySQLSpec(flavour)
			if target.Handle.Engine != spec.Engine || !strings.HasPrefix(target.Version, spec.Version) {
				t.Errorf("%s %s of %s", target.Handle.Engine, target.Version, flavour)
			}
			var pool int64
			var schema string
			askMySQL(t, target, "select @@innodb_buffer_pool_size, @@performance_schema", &pool, &schema)
			if pool != 128<<20 || schema != "1" {
				t.Errorf("buffer pool of %d bytes, performance_schema %s: the settings did not take", pool, schema)
			}
		})
	}
}

func TestMySQLAlone(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			target := snapshottest.MySQLAlone(t, flavour, map[string]string{"max_connections": "33"})
			var n int
			askMySQL(t, target, "select @@max_connections", &n)
			if n != 33 || target.Port == snapshottest.MySQL(t, flavour).Port {
				t.Errorf("max_connections %d on port %d", n, target.Port)
			}
		})
	}
}

func askMySQL(t *testing.T, target *snapshot.Target, query string, into ...any) {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%d)/", target.User, target.Password, target.Host, target.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(into...); err != nil {
		t.Fatal(err)
	}
}
