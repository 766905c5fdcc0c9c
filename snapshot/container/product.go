package container

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"

	"github.com/migration-gate/migration-gate/snapshot"
)

// product is what differs between the servers of this package; routes, labels
// and reaping are the same for all.
type product struct {
	engine string // as snapshot.Spec spells it
	name   string // as people do
	// newest is the tag of the official image where no version is wanted.
	newest string
	admin  string // the administrator's account
	// account is whom the server and its client programs run as.
	account string
	// ports that servers listen on in the container; the first instance on the
	// first of them.
	ports []network.Port
	// several says that a target has snapshot.Instances.
	several bool
	// data is a shell's word for where the servers keep their data.
	data string

	// version is what an image's environment says that it holds, "" if nothing.
	version func(env func(string) string, wanted string) string
	// other is what it says of another product that is there instead, "" for
	// none.
	other func(env func(string) string) string

	// request completes that for the container.
	request func(req *testcontainers.ContainerRequest, spec snapshot.Spec, offer snapshot.Offer, password string)
	// serve waits until the first instance takes sessions, on the route; it
	// returns the server's version, and what the image lacks.
	serve func(ctx context.Context, c *launched, spec snapshot.Spec) (version, lacks string, err error)
	// ask asks the version of the server's own program.
	ask func(ctx context.Context, t *tools) (string, error)
	// client says under which names a program may be there, best first, and
	// what it finds the server by.
	client func(program, password string) (names, env []string)
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
	return nil, fmt.Errorf("no containers of engine %q, only of postgres, mysql and mariadb", engine)
}

// image is the official one of a wanted version.
func (pr *product) image(wanted string) string {
	tag := pr.newest
	if wanted != "" {
		tag = snapshot.Series(pr.engine, wanted)
	}
	return pr.engine + ":" + tag
}

// holds reports whether a version is of the series that is wanted: "9.7.4" is
// of "9.7", and of "9".
func (pr *product) holds(version, wanted string) bool {
	if snapshot.Major(wanted) == wanted {
		return snapshot.Major(version) == wanted
	}
	return snapshot.Series(pr.engine, version) == snapshot.Series(pr.engine, wanted)
}

// release is the version that the environment of an official image tells,
// without epoch and packaging: "10.11.2" of "1:10.11.2+maria~ubu2204".
func release(v string) string {
	if _, after, ok := strings.Cut(v, ":"); ok {
		v = after
	}
	if i := strings.IndexAny(v, "-+~"); i >= 0 {
		v = v[:i]
	}
	return v
}

// postgresIn is the PostgreSQL that an image's environment tells of, mysqlIn the
// MySQL or MariaDB; "" for none.
func postgresIn(env func(string) string) string { return inImage(env, "PG_MAJOR", "PostgreSQL") }

func mysqlIn(env func(string) string) string {
	return cmp.Or(inImage(env, "MARIADB_VERSION", "MariaDB"), inImage(env, "MYSQL_VERSION", "MySQL"))
}

func inImage(env func(string) string, variable, name string) string {
	if v := env(variable); v != "" {
		return name + " " + release(v)
	}
	return ""
}
