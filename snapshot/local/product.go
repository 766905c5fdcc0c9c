package local

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/migration-gate/migration-gate/snapshot"
)

// product is what differs between the servers of this package; directories,
// processes, owners and reaping are the same for all.
type product struct {
	engine string // as snapshot.Spec spells it
	name   string // as people do
	admin  string // the administrator's account

	// programs are what a directory of server binaries must hold, the server
	// first; any one of the alternatives will do.
	programs [][]string
	// places are where packagers put them, as globs.
	places []string
	// wanted is what to install where there are none.
	wanted string
	// version is the release that a program's --version says, "" where the
	// program is of another product.
	version func(said string) string
	// lacks says what a directory of binaries goes without; "" for nothing.
	lacks func(bin string) string

	// accounts are whom the server runs as where this process is root, best
	// first.
	accounts []string
	// quit ends a server whose data nobody wants any more.
	quit syscall.Signal
	// several says that a target has snapshot.Instances.
	several bool
	// mark is how the server's command line names a data directory.
	mark func(data string) string
	// data and log are where in the scratch an instance has them.
	data, log func(instance string) string

	// initialise makes the first instance's data directory.
	initialise func(ctx context.Context, c *cluster) error
	// arguments prepares a start and returns the server's command line.
	arguments func(c *cluster, instance string, port int, settings map[string]string) ([]string, error)
	// adjust says whether another start is worth it after one that ended with
	// that log, having changed the settings.
	adjust func(c *cluster, settings map[string]string, log string) bool
	// ready says whether the process accepts sessions on the port.
	ready func(c *cluster, instance string, pid, port int) bool
	// client says how a program is called to reach a server: under which
	// names, best first, with which arguments, and with what in its
	// environment.
	client func(c *cluster, port int, program string, args []string) (names, all, env []string)
	// beside are the directories of client programs that belong to a
	// directory of server binaries.
	beside func(bin string) []string
}

// productOf knows the engines of this package; "" is PostgreSQL.
func productOf(engine string) (*product, error) {
	switch engine {
	case snapshot.Postgres, "":
		return postgres(), nil
	case snapshot.MySQL:
		return mysql(), nil
	case snapshot.MariaDB:
		return mariadb(), nil
	}
	return nil, fmt.Errorf("no local servers of engine %q, only of postgres, mysql and mariadb", engine)
}

func products() []*product { return []*product{postgres(), mysql(), mariadb()} }

// exes are what processes of any product's servers are called.
func exes() (names []string) {
	for _, p := range products() {
		for _, programs := range p.programs {
			names = append(names, programs[0])
		}
	}
	return names
}

// server is the path of the server program in a directory of binaries.
func (p *product) server(bin string) string {
	for _, programs := range p.programs {
		if hasPrograms(bin, programs) {
			return filepath.Join(bin, programs[0])
		}
	}
	return filepath.Join(bin, p.programs[0][0])
}
