package server_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// mysqlAccounts by what they may do, each with the password "secret @/-1A".
var mysqlAccounts = map[string][]string{
	"ci_root":  {"GRANT ALL PRIVILEGES ON *.* TO %s WITH GRANT OPTION"},
	"ci_maker": {"GRANT ALL PRIVILEGES ON `mg\\_%%`.* TO %s WITH GRANT OPTION", "GRANT CREATE USER, PROCESS ON *.* TO %s"},
	"ci_seer":  {"GRANT ALL PRIVILEGES ON `mg\\_%%`.* TO %s", "GRANT PROCESS ON *.* TO %s", "GRANT SELECT ON performance_schema.* TO %s"},
	"ci_plain": {"GRANT ALL PRIVILEGES ON `mg\\_%%`.* TO %s"},
	"ci_app":   {"GRANT ALL PRIVILEGES ON app.* TO %s"},
	"ci_half":  {"GRANT CREATE, DROP, SELECT, INSERT ON `mg\\_%%`.* TO %s"},
}

// runningMySQL is a server of somebody else.
type runningMySQL struct {
	target *snapshot.Target
	db     *sql.DB
}

func runMySQL(t *testing.T, flavour string, settings map[string]string) *runningMySQL {
	t.Helper()
	target := snapshottest.MySQLAlone(t, flavour, settings)
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%d)/", target.User, target.Password, target.Host, target.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &runningMySQL{target, db}
	for name, grants := range mysqlAccounts {
		r.sql(t, "CREATE USER "+name+" IDENTIFIED BY 'secret @/-1A'")
		for _, g := range grants {
			r.sql(t, fmt.Sprintf(g, name))
		}
	}
	return r
}

func (r *runningMySQL) url(user string) string {
	return fmt.Sprintf("mysql://%s:secret%%20%%40%%2F-1A@%s:%d", user, r.target.Host, r.target.Port)
}

func (r *runningMySQL) sql(t *testing.T, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := r.db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func (r *runningMySQL) lines(t *testing.T, query string) (lines []string) {
	t.Helper()
	rows, err := r.db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	for rows.Next() {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for _, v := range values {
			line = append(line, v.String)
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return lines
}

// state lists what the server consists of and how it is set: databases, tables,
// accounts with their rights, variables, instruments, plugins.
func (r *runningMySQL) state(t *testing.T) (state []string) {
	t.Helper()
	for what, query := range map[string]string{
		"database": "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA",
		"table":    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema')",
		"account":  "SELECT User, Host FROM mysql.user",
		"right":    "SELECT Host, Db, User FROM mysql.db",
		"plugin":   "SELECT PLUGIN_NAME, PLUGIN_STATUS FROM information_schema.PLUGINS",
		"variable": "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE 'gtid%' AND Variable_name NOT IN ('timestamp')",
	} {
		for _, l := range r.lines(t, query) {
			state = append(state, what+" "+l)
		}
	}
	if slices.Contains(r.lines(t, "SELECT @@performance_schema"), "1") {
		for _, table := range []string{"setup_consumers", "setup_instruments", "setup_actors"} {
			for _, l := range r.lines(t, "SELECT * FROM performance_schema."+table) {
				state = append(state, table+" "+l)
			}
		}
	}
	slices.Sort(state)
	return state
}

func TestConformanceMySQL(t *testing.T) {
	if url := os.Getenv(childURL); url != "" { // a child of the suite's
		engine := os.Getenv("MG_TEST_SERVER_ENGINE")
		t.Run(engine, func(t *testing.T) {
			for user := range mysqlAccounts {
				t.Run(user, func(t *testing.T) {
					snapshottest.Exercise(t, provisioner(url), snapshot.Spec{Engine: engine}, nil)
				})
			}
		})
		return
	}
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			r := runMySQL(t, flavour, nil)
			before := r.state(t)
			left := func(string) []string { return changes(before, r.state(t)) }
			engine := snapshottest.MySQLSpec(flavour).Engine
			t.Setenv("MG_TEST_SERVER_ENGINE", engine)
			path := os.Getenv("PATH") + string(filepath.ListSeparator) + "/var/lib/migration-gate-test/" + engine + "/usr/bin"
			for _, user := range []string{"ci_root", "ci_plain"} {
				t.Run(user, func(t *testing.T) {
					t.Setenv(childURL, r.url(user))
					p := server.New(server.Options{URL: r.url(user), Path: path})
					snapshottest.SupportedTarget(t, "server", engine)
					snapshottest.Exercise(t, p, snapshot.Spec{Engine: engine, Version: snapshot.Series(engine, r.target.Version)}, left)
				})
			}
		})
	}
}

// TestWhatAnAccountMayNot: what cannot be measured, or done at all, is told with
// the GRANT that mends it.
func TestWhatAnAccountMayNotMySQL(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			r := runMySQL(t, flavour, nil)
			engine := snapshottest.MySQLSpec(flavour).Engine
			maria := engine == snapshot.MariaDB
			locks := "locks: the account %s may not read performance_schema.metadata_locks: GRANT SELECT ON performance_schema.* TO '%[1]s'@'%%'"
			if maria {
				locks = ""
			}
			files := "which tables are written anew: the account %s may not read information_schema.INNODB_TABLES: GRANT PROCESS ON *.* TO '%[1]s'@'%%'"
			if maria {
				files = strings.ReplaceAll(files, "INNODB_TABLES", "INNODB_SYS_TABLES")
			}
			for user, want := range map[string][]string{
				"ci_root": nil, "ci_maker": {locks}, "ci_seer": nil, "ci_plain": {locks, files},
				"ci_app":  {"everything but the files: the account %s may not make databases whose names begin with mg_: GRANT ALL PRIVILEGES ON `mg\\_%%`.* TO '%[1]s'@'%%'"},
				"ci_half": {"everything but the files: the account %s lacks privileges on databases whose names begin with mg_: UPDATE, DELETE, ALTER, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW, TRIGGER, EVENT, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, LOCK TABLES, CREATE TEMPORARY TABLES: GRANT ALL PRIVILEGES ON `mg\\_%%`.* TO '%[1]s'@'%%'"},
			} {
				o := provisioner(r.url(user)).Offer(t.Context(), snapshot.Spec{Engine: engine})
				var got, wanted []string
				for _, l := range o.Lacks {
					got = append(got, l.What+": "+l.Why+": "+l.Remedy)
				}
				for _, w := range want {
					if w != "" {
						wanted = append(wanted, fmt.Sprintf(w, user))
					}
				}
				if !slices.Equal(got, wanted) || o.OK == (user == "ci_app" || user == "ci_half") {
					t.Errorf("%s: %t, %q, want %q (%s)", user, o.OK, got, wanted, o.Detail)
				}
			}
		})
	}
}

// TestGuardMySQL: servers that others live on are refused, with the reason.
func TestGuardMySQL(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			r := runMySQL(t, flavour, nil)
			engine := snapshottest.MySQLSpec(flavour).Engine
			refused := func(t *testing.T, opt server.Options, want string) {
				t.Helper()
				opt.URL = r.url("ci_root")
				o := server.New(opt).Offer(t.Context(), snapshot.Spec{Engine: engine})
				if want == "" {
					if !o.OK {
						t.Errorf("refused: %s", o.Detail)
					}
					return
				}
				if o.OK || !strings.Contains(o.Detail, want) || len(o.Lacks) > 0 {
					t.Errorf("offer %+v does not say %q", o, want)
				}
			}
			refused(t, server.Options{}, "")
			t.Run("read only", func(t *testing.T) {
				r.sql(t, "SET GLOBAL read_only = 1")
				defer r.sql(t, "SET GLOBAL read_only = 0")
				refused(t, server.Options{}, "is read only, as replicas are")
			})
			t.Run("a replica", func(t *testing.T) {
				if engine == snapshot.MariaDB {
					r.sql(t, "CHANGE MASTER TO MASTER_HOST='db1.example', MASTER_USER='x'")
					defer r.sql(t, "RESET SLAVE ALL")
				} else {
					r.sql(t, "CHANGE REPLICATION SOURCE TO SOURCE_HOST='db1.example', SOURCE_USER='x'")
					defer r.sql(t, "RESET REPLICA ALL")
				}
				refused(t, server.Options{}, "is a replica itself")
				refused(t, server.Options{Allow: []string{r.target.Host}}, "")
			})
			t.Run("sessions of others", func(t *testing.T) {
				r.sql(t, "CREATE DATABASE app", "CREATE TABLE app.t (id int PRIMARY KEY)")
				defer r.sql(t, "DROP DATABASE app")
				c, err := r.db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				refused(t, server.Options{}, "")
				if _, err := c.ExecContext(t.Context(), "USE app"); err != nil {
					t.Fatal(err)
				}
				refused(t, server.Options{}, "has traffic in other databases (app: sessions 1)")
				if _, err := c.ExecContext(t.Context(), "USE mysql"); err != nil {
					t.Fatal(err)
				}
			})
			t.Run("another engine", func(t *testing.T) {
				other := map[string]string{snapshot.MySQL: snapshot.MariaDB, snapshot.MariaDB: snapshot.MySQL}[engine]
				o := provisioner(r.url("ci_root")).Offer(t.Context(), snapshot.Spec{Engine: other})
				if o.OK || !strings.Contains(o.Detail, "--engine "+engine) {
					t.Errorf("%+v", o)
				}
			})
			t.Run("a password that is wrong", func(t *testing.T) {
				url := strings.Replace(r.url("ci_root"), "secret", "geheim", 1)
				o := provisioner(url).Offer(t.Context(), snapshot.Spec{Engine: engine})
				if o.OK || !strings.Contains(o.Detail, "Access denied") || strings.Contains(fmt.Sprint(o), "geheim") {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// TestUnmarkedMySQL: a database that was made and not marked, for its maker was
// killed, is reaped.
func TestUnmarkedMySQL(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			r := runMySQL(t, flavour, nil)
			r.sql(t, "CREATE DATABASE mg_abcdefghij_gate", "CREATE DATABASE mg_abcdefghij_base", "CREATE DATABASE mg_shop_gate", "CREATE DATABASE mgXabcdefghijXbase",
				"CREATE USER mg_abcdefghij_migrator")
			reaped, err := provisioner(r.url("ci_root")).Reap(context.Background())
			if err != nil || len(reaped) != 1 {
				t.Errorf("%q, %v", reaped, err)
			}
			left := r.lines(t, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'mg%' UNION ALL SELECT User FROM mysql.user WHERE User LIKE 'mg%' ORDER BY 1")
			if strings.Join(left, " ") != "mg_shop_gate mgXabcdefghijXbase" && strings.Join(left, " ") != "mgXabcdefghijXbase mg_shop_gate" {
				t.Errorf("left: %q", left)
			}
		})
	}
}
