package server_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// childURL hands the server on to a child process of the conformance suite.
const childURL = "MG_TEST_SERVER_URL"

// running is a server of somebody else, with accounts of several rights, each
// with the password "secret @/".
type running struct {
	target *snapshot.Target
	major  string
}

// accounts by what they may do.
var accounts = map[string]string{
	"ci_super":   "SUPERUSER",
	"ci_roles":   "CREATEDB CREATEROLE",
	"ci_db":      "CREATEDB",
	"ci_monitor": "CREATEDB IN ROLE pg_monitor",
	"ci_none":    "",
}

func run(t *testing.T, major string, settings map[string]string) *running {
	t.Helper()
	if major == "" {
		major = snapshottest.Majors(t)[0]
	}
	r := &running{target: snapshottest.ServerAlone(t, major, settings)}
	r.major = snapshot.Major(r.target.Version)
	for name, rights := range accounts {
		r.sql(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'secret @/' %s", name, rights))
	}
	return r
}

// url of the server for an account.
func (r *running) url(user string) string {
	return fmt.Sprintf("postgres://%s:secret%%20%%40%%2F@127.0.0.1:%d/postgres", user, r.target.Port)
}

func (r *running) connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", r.target.User, r.target.Password, r.target.Port, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// sql runs statements as the server's administrator.
func (r *running) sql(t *testing.T, database string, statements ...string) {
	t.Helper()
	c := r.connect(t, database)
	defer c.Close(context.Background())
	for _, sql := range statements {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// state lists what a server consists of, besides its data: databases and their
// comments, roles with attributes and members, settings.
func (r *running) state(t *testing.T) []string {
	t.Helper()
	c := r.connect(t, "postgres")
	defer c.Close(context.Background())
	rows, _ := c.Query(context.Background(), `
		SELECT 'database ' || datname || ' of ' || pg_get_userbyid(datdba) || coalesce(datacl::text, '') || coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database
		UNION ALL SELECT 'role ' || a::text FROM pg_authid a UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members
		UNION ALL SELECT 'setting ' || s::text FROM pg_db_role_setting s UNION ALL SELECT 'file ' || name || setting FROM pg_file_settings
		UNION ALL SELECT 'extension ' || extname FROM pg_extension UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots ORDER BY 1`)
	state, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// changes are the lines that one state has and the other has not.
func changes(before, after []string) (diff []string) {
	for _, l := range after {
		if !slices.Contains(before, l) {
			diff = append(diff, "+ "+l)
		}
	}
	for _, l := range before {
		if !slices.Contains(after, l) {
			diff = append(diff, "- "+l)
		}
	}
	return diff
}

func provisioner(url string) *server.Provisioner {
	return server.New(server.Options{URL: url, Path: os.Getenv("PATH")})
}

func TestConformance(t *testing.T) {
	if url := os.Getenv(childURL); url != "" { // a child of the suite's
		for user := range accounts {
			t.Run(user, func(t *testing.T) { snapshottest.Exercise(t, provisioner(url), snapshot.Spec{}, nil) })
		}
		return
	}
	r := run(t, "", nil)
	before := r.state(t)
	left := func(string) []string { return changes(before, r.state(t)) }
	for _, user := range []string{"ci_super", "ci_db"} {
		t.Run(user, func(t *testing.T) {
			t.Setenv(childURL, r.url(user))
			snapshottest.SupportedTarget(t, "server", "")
			snapshottest.Exercise(t, provisioner(r.url(user)), snapshot.Spec{Version: r.major}, left)
		})
	}
}

func TestNothingToBeDone(t *testing.T) {
	r := run(t, "", nil)
	o := provisioner(r.url("ci_none")).Offer(t.Context(), snapshot.Spec{})
	if o.OK || len(o.Lacks) != 1 || !strings.Contains(o.Detail, "ci_none may not create databases") || o.Help != `ALTER ROLE "ci_none" CREATEDB` {
		t.Errorf("%+v", o)
	}
}
