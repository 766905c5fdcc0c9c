package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// lockPlugin is MariaDB's own table of metadata locks, without which the ones
// of DDL cannot be seen.
const lockPlugin = "metadata_lock_info"

// mariadb is MariaDB, whose programs have names of their own since 10.5.
func mariadb() *product {
	// Where MySQL takes NULL for nowhere, MariaDB wants a directory: one that
	// its user may not enter.
	nowhere := func(c *cluster) string { return "--secure-file-priv=" + c.file("nowhere") }
	p := mysqld(
		func(ctx context.Context, c *cluster) error {
			script, err := bootstrap(layoutOf(c.bin))
			if err != nil {
				return err
			}
			return c.prepare(ctx, snapshot.FirstInstance, bytes.NewReader(script), []string{nowhere(c)},
				"--bootstrap", "--log-warnings=0", "--enforce-storage-engine=", "--net-buffer-length=16K")
		},
		func(c *cluster) []string {
			own := []string{nowhere(c)}
			if hasLockPlugin(layoutOf(c.bin)) {
				own = append(own, "--plugin-load-add="+lockPlugin)
			}
			return own
		},
		func(program string) []string {
			switch rest, ok := strings.CutPrefix(program, "mysql"); {
			case program == "mysql":
				return []string{"mariadb", program}
			case program == "mariadb":
				return []string{program, "mysql"}
			case ok:
				return []string{"mariadb-" + strings.TrimPrefix(rest, "_"), program}
			case strings.HasPrefix(program, "mariadb-"):
				return []string{program, "mysql" + strings.TrimPrefix(program, "mariadb-")}
			}
			return []string{program}
		},
	)
	p.engine, p.name = snapshot.MariaDB, "MariaDB"
	p.programs = [][]string{{"mariadbd"}, {"mysqld"}}
	p.wanted = "mariadb-server (Debian, Ubuntu, Red Hat; its -core packages lack the plugin " + lockPlugin + ") or mariadb (Homebrew)"
	p.places = slices.Concat([]string{
		"/opt/homebrew/opt/mariadb*/bin", "/usr/local/opt/mariadb*/bin", "/home/linuxbrew/.linuxbrew/opt/mariadb*/bin", // Homebrew
		"/usr/local/mariadb*/bin", "/opt/mariadb*/bin", "/usr/local/mysql*/bin", // tarballs
	}, mysqldPlaces)
	p.version = func(said string) string {
		if version, maria := mysqldSays(said); maria {
			return version
		}
		return ""
	}
	p.lacks = func(bin string) string {
		if hasLockPlugin(layoutOf(bin)) {
			return ""
		}
		return " (its plugin " + lockPlugin + " is not installed: locks of DDL cannot be measured)"
	}
	return p
}

func hasLockPlugin(l layout) bool {
	return l.plugins != "" && exists(filepath.Join(l.plugins, lockPlugin+".so"))
}

// bootstrap is the SQL that makes the system tables: what mariadb-install-db
// feeds the server, without the help texts and the accounts that have an empty
// password for this host's other names. The script itself needs a shell, a
// resolver and helper programs.
func bootstrap(l layout) ([]byte, error) {
	b := bytes.NewBufferString("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n")
	for _, part := range []string{"system_tables", "performance_tables", "system_tables_data", "add_gis_sp_bootstrap", "sys_schema"} {
		sql, err := readFirst(l.shares, "mariadb_"+part+".sql", "mysql_"+part+".sql", "maria_"+part+".sql")
		switch {
		case err == nil:
			b.Write(sql)
			b.WriteString("\n")
		case part == "sys_schema" || part == "add_gis_sp_bootstrap": // not everywhere, and nothing here needs them
		default:
			return nil, fmt.Errorf("find the SQL of MariaDB's system tables: %w", err)
		}
	}
	b.WriteString("DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');\n")
	return b.Bytes(), nil
}

// readFirst reads the first of the names that is in one of the directories.
func readFirst(dirs []string, names ...string) ([]byte, error) {
	for _, name := range names {
		for _, dir := range dirs {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if !errors.Is(err, os.ErrNotExist) {
				return data, err
			}
		}
	}
	return nil, fmt.Errorf("%s is not in %s: %w", strings.Join(names, " or "), strings.Join(dirs, ", "), os.ErrNotExist)
}
