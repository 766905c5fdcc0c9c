package local

import (
	"context"
	"slices"

	"github.com/migration-gate/migration-gate/snapshot"
)

// mysql is Oracle's MySQL, and what is built from it and says no other name
// (Percona Server).
func mysql() *product {
	own := []string{"--loose-mysqlx=OFF", "--secure-file-priv=NULL"}
	p := mysqld(
		func(ctx context.Context, c *cluster) error {
			return c.prepare(ctx, snapshot.FirstInstance, nil, own, "--initialize-insecure")
		},
		func(*cluster) []string { return own },
		func(program string) []string { return []string{program} },
	)
	p.engine, p.name = snapshot.MySQL, "MySQL"
	p.programs = [][]string{{"mysqld"}}
	p.wanted = "mysql-server-core and mysql-client-core (Debian unstable; on Ubuntu with -8.0 or -8.4), mysql-server (Red Hat) or mysql (Homebrew)"
	p.places = slices.Concat([]string{
		"/opt/homebrew/opt/mysql*/bin", "/usr/local/opt/mysql*/bin", "/home/linuxbrew/.linuxbrew/opt/mysql*/bin", // Homebrew
		"/usr/local/mysql*/bin", "/opt/mysql*/bin", // tarballs, and macOS's installer
		"/opt/rh/*mysql*/root/usr/libexec", // Red Hat's software collections
	}, mysqldPlaces)
	p.version = func(said string) string {
		if version, maria := mysqldSays(said); !maria {
			return version
		}
		return ""
	}
	return p
}
