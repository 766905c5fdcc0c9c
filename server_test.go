package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestServer runs testdata/script/server on servers that are not the gate's
// own: $URL_MAKER's account may make databases and see locks, $URL_BLIND's (MySQL)
// may make them and not look into the server, $URL_NOBODY's may only log in, and at $URL_CLOSED nobody listens.
func TestServer(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		server := snapshottest.ServerAlone(t, snapshottest.Majors(t)[0], nil)
		query := func(ts *testscript.TestScript, sql string) string {
			c := connect(ts, server, "postgres")
			defer c.Close(context.Background())
			results, err := c.PgConn().Exec(context.Background(), sql).ReadAll()
			ts.Check(err)
			var out strings.Builder
			for _, row := range results[len(results)-1].Rows {
				fmt.Fprintln(&out, string(bytes.Join(row, []byte(" "))))
			}
			return out.String()
		}
		onServer(t, server, "postgres", `CREATE ROLE maker LOGIN CREATEDB PASSWORD 'sesame'; CREATE ROLE nobody LOGIN PASSWORD 'sesame'`,
			`SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1`, query,
			func(ts *testscript.TestScript, file, out string, args []string) {
				dumpPostgres(ts, server, file, out, args)
			})
	})
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			settings := map[string]string{}
			if flavour == snapshot.MariaDB {
				settings["plugin_load_add"] = "metadata_lock_info"
			}
			server := snapshottest.MySQLAlone(t, flavour, settings)
			query := func(ts *testscript.TestScript, sql string) string {
				client := "mysql"
				if flavour == snapshot.MariaDB {
					client = "mariadb"
				}
				var stdout, stderr bytes.Buffer
				if err := server.Tools.Run(context.Background(), client, []string{"-N"}, strings.NewReader(sql), &stdout, &stderr); err != nil {
					ts.Fatalf("%s: %v\n%s", client, err, stderr.Bytes())
				}
				return stdout.String()
			}
			onServer(t, server, flavour, "CREATE USER maker IDENTIFIED BY 'sesame'; GRANT ALL ON `mg\\_%`.* TO maker; GRANT PROCESS ON *.* TO maker; "+
				map[bool]string{true: "GRANT SELECT ON performance_schema.* TO maker; "}[flavour != snapshot.MariaDB]+
				"CREATE USER blind IDENTIFIED BY 'sesame'; GRANT ALL ON `mg\\_%`.* TO blind; CREATE USER nobody IDENTIFIED BY 'sesame'",
				"SELECT schema_name FROM information_schema.schemata WHERE schema_name <> '"+mysqlSchema+"' UNION ALL SELECT user FROM mysql.user ORDER BY 1", query,
				func(ts *testscript.TestScript, file, out string, args []string) {
					dumpMySQL(ts, server, file, out, args)
				})
		})
	}
}

// onServer runs the scripts with a command `databases FILE`, which lists what
// databases and accounts the server has.
func onServer(t *testing.T, server *snapshot.Target, engine, accounts, list string,
	query func(*testscript.TestScript, string) string, dumpBy func(*testscript.TestScript, string, string, []string)) {
	env := target(t, engine)
	scheme := "postgres"
	if engine != "postgres" {
		scheme = "mysql"
	}
	url := func(user string, port int) string {
		return fmt.Sprintf("%s://%s:sesame@127.0.0.1:%d", scheme, user, port)
	}
	for _, who := range []string{"maker", "blind", "nobody"} {
		env["URL_"+strings.ToUpper(who)] = url(who, server.Port)
	}
	env["URL_CLOSED"] = url("maker", 1)
	env["MIGRATION_GATE_TARGET"] = "server"
	made := false
	scripts(t, env, commands{
		"dump": dump(dumpBy),
		"databases": func(ts *testscript.TestScript, neg bool, args []string) {
			if len(args) != 1 {
				ts.Fatalf("usage: databases FILE")
			}
			if !made {
				query(ts, accounts)
				made = true
			}
			ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(query(ts, list)), 0o644))
		},
	}, "server")
}
