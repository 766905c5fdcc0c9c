package snapshottest_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

func TestServerOfEachMajor(t *testing.T) {
	for _, major := range snapshottest.Majors(t) {
		t.Run(major, func(t *testing.T) {
			target := snapshottest.Server(t, major)
			if again := snapshottest.Server(t, major); again != target {
				t.Error("a second call started a second server")
			}
			conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://%s:%s@%s:%d/postgres", target.User, target.Password, target.Host, target.Port))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			var version, fsync string
			if err := conn.QueryRow(t.Context(), "select current_setting('server_version'), current_setting('fsync')").Scan(&version, &fsync); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(version, target.Version) || !strings.HasPrefix(version, major) {
				t.Errorf("server says %s, target says %s, wanted %s", version, target.Version, major)
			}
			if fsync != "off" {
				t.Errorf("fsync is %s: the settings did not take", fsync)
			}
			var out, errs bytes.Buffer
			err = target.Tools.Run(t.Context(), "psql", []string{"-XAtc", "select 6*7", "postgres"}, nil, &out, &errs)
			t.Log(err, out.String(), errs.String(), target.Detail)
		})
	}
}
