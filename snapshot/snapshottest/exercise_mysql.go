package snapshottest

import (
	"context"
	"database/sql"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
)

func mysqlProduct(engine string) *product {
	name := map[string]string{snapshot.MySQL: "MySQL", snapshot.MariaDB: "MariaDB"}[engine]
	return &product{
		name: name, instances: true,
		settings: func() map[string]string { return MySQLSettings(engine) },
		version:  "select version()",
		release:  func(said string) string { return regexp.MustCompile(`^[0-9.]*`).FindString(said) },
		ask:      askMySQL,
		exec: func(target *snapshot.Target, statement string) error {
			db := openMySQL(target)
			defer db.Close()
			_, err := db.Exec(statement)
			return err
		},
		databases: "select count(*) from information_schema.schemata where locate('%s', schema_name) = 1",
		configured: func(t *testing.T, target *snapshot.Target, settings map[string]string) {
			mysqlConfigured(t, target, settings)
			if maria := strings.Contains(query(t, target, "select version()"), "MariaDB"); maria != (engine == snapshot.MariaDB) {
				t.Errorf("wanted %s, got %s", engine, query(t, target, "select version()"))
			}
		},
		more: func(t *testing.T, target *snapshot.Target) {
			t.Run("accounts", func(t *testing.T) {
				const others = "select coalesce(group_concat(user, '@', host), '') from mysql.user where " +
					"user not like 'mysql.%' and user <> 'mariadb.sys' and not (user = 'root' and host in ('localhost', '%', '127.0.0.1'))"
				if got := query(t, target, others); got != "" {
					t.Errorf("accounts that nobody asked for: %s", got)
				}
			})
			if engine == snapshot.MariaDB {
				t.Run("metadata locks", func(t *testing.T) {
					query(t, target, "select count(*) from information_schema.metadata_lock_info")
				})
			}
		},
		tool: tool{
			name: "mysql", args: []string{"--batch", "--skip-column-names"},
			file: func(path string) []string {
				args := []string{"-e", "source " + path}
				if engine == snapshot.MySQL { // 9.x does not take commands of its own from just anywhere
					args = append([]string{"--loose-commands"}, args...)
				}
				return args
			},
			wrong: "select 1; nonsense;\n", code: 1, said: "ERROR 1064",
			big:   "select repeat('x', 100000) from information_schema.columns limit 100;",
			sleep: "select sleep(30);\n",
		},
	}
}

func askMySQL(target *snapshot.Target, query string) (s string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db := openMySQL(target)
	defer db.Close()
	return s, db.QueryRowContext(ctx, query).Scan(&s)
}

// openMySQL connects as the administrator, when it is first used.
func openMySQL(target *snapshot.Target) *sql.DB {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(target.Host, strconv.Itoa(target.Port))
	cfg.User, cfg.Passwd = target.User, target.Password
	cfg.Timeout = 5 * time.Second
	cfg.MultiStatements = true
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		panic(err) // the configuration is wrong, not the server
	}
	return sql.OpenDB(connector)
}

// do runs statements as the administrator.
func do(t *testing.T, target *snapshot.Target, statements string) {
	t.Helper()
	db := openMySQL(target)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

func mysqlConfigured(t *testing.T, target *snapshot.Target, settings map[string]string) {
	own := map[string]string{"local_infile": "0", "event_scheduler": "OFF", "performance_schema": "ON"}
	for _, m := range []map[string]string{settings, own} {
		for k, want := range m {
			k = strings.TrimPrefix(strings.ReplaceAll(k, "-", "_"), "loose_")
			if k == "skip_log_bin" {
				k, want = "log_bin", "0"
			}
			if got := query(t, target, "select @@global."+k); plain(got) != plain(want) {
				t.Errorf("%s is %q, want %q", k, got, want)
			}
		}
	}
	// The administrator may do anything, and yet nothing reaches a file.
	for _, file := range []string{
		"select 1 into outfile '/tmp/migration-gate-outfile-" + target.Handle.Run + "'",
		"select length(load_file('/etc/passwd'))",
	} {
		if said, err := ask(target, file); err == nil {
			t.Errorf("%s was done: %s", file, said)
		}
	}
}

// plain makes "ON" of a server's 1, and bytes of "128M".
func plain(value string) string {
	switch strings.ToUpper(value) {
	case "ON":
		return "1"
	case "OFF":
		return "0"
	}
	for i, unit := range []string{"K", "M", "G"} {
		if n, err := strconv.ParseInt(strings.TrimSuffix(value, unit), 10, 64); err == nil && strings.HasSuffix(value, unit) {
			return strconv.FormatInt(n<<(10*(i+1)), 10)
		}
	}
	return value
}
