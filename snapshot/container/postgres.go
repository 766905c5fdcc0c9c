package container

import (
	"context"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"

	"github.com/migration-gate/migration-gate/snapshot"
)

const (
	postgresAdmin = "postgres" // the account, and the user it runs as
	// shmSize bounds what parallel workers exchange; 64 MB, the default, is soon
	// overrun by a parallel index build.
	shmSize = 1 << 30
)

// postgres runs by the official image's conventions: its entrypoint makes the
// cluster and starts the server.
func postgres() *product {
	return &product{
		engine: snapshot.Postgres, name: "PostgreSQL", newest: "18", admin: postgresAdmin, account: postgresAdmin,
		ports: []network.Port{network.MustParsePort("5432/tcp")},
		data:  `"${PGDATA:-/var/lib/postgresql/data}"`,
		version: func(env func(string) string, wanted string) string {
			if v := env("PG_VERSION"); v != "" {
				v, _, _ = strings.Cut(v, "-") // 16.4-1.pgdg120+2
				return v
			}
			if strings.Contains(wanted, ".") {
				return ""
			}
			return env("PG_MAJOR")
		},
		other:   mysqlIn,
		request: postgresRequest,
		serve: func(ctx context.Context, c *launched, _ snapshot.Spec) (version, lacks string, err error) {
			t := &tools{cli: c.cli, id: c.handle.ID}
			w := waiting{
				dial: net.JoinHostPort(c.handle.Host, strconv.Itoa(c.handle.Port)), why: c.route.why, probe: probePostgres,
				alive: func(ctx context.Context) error { return stopped(ctx, c.cli, c.handle.ID, nil) },
				inside: func(ctx context.Context) bool {
					code, err := t.exec(ctx, "", nil, []string{"pg_isready", "-q", "-h", "127.0.0.1", "-p", "5432"}, nil, nil, nil)
					return err == nil && code == 0
				},
				said: func(context.Context) string { return logs(c.cli, c.handle.ID) },
			}
			if err := w.wait(ctx); err != nil {
				return "", "", err
			}
			version, err = askPostgres(ctx, t)
			return version, "", err
		},
		ask: askPostgres,
		client: func(program, password string) (names, env []string) {
			return []string{program}, []string{
				"PGHOST=127.0.0.1", "PGPORT=5432", "PGUSER=" + postgresAdmin, "PGPASSWORD=" + password,
				"PGSSLMODE=disable", "PGCONNECT_TIMEOUT=10",
			}
		},
	}
}

// postgresRequest has the server's settings as its arguments.
func postgresRequest(req *testcontainers.ContainerRequest, spec snapshot.Spec, offer snapshot.Offer, password string) {
	req.Cmd = []string{"postgres"}
	for _, k := range slices.Sorted(maps.Keys(spec.Settings)) {
		req.Cmd = append(req.Cmd, "-c", k+"="+spec.Settings[k])
	}
	initdb := "--no-sync --encoding=UTF8 --lc-messages=C --locale=C.UTF-8"
	if n, err := strconv.Atoi(snapshot.Major(offer.Version)); err == nil && n >= 17 {
		initdb += " --locale-provider=builtin --builtin-locale=C.UTF-8"
	}
	req.Env = map[string]string{
		"POSTGRES_PASSWORD": password, "POSTGRES_USER": postgresAdmin, "POSTGRES_DB": "postgres",
		"POSTGRES_INITDB_ARGS": initdb,
	}
	common := req.HostConfigModifier
	req.HostConfigModifier = func(hc *container.HostConfig) {
		common(hc)
		hc.ShmSize = shmSize
	}
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+[.\w]*)`)

func askPostgres(ctx context.Context, t *tools) (string, error) {
	out, err := t.output(ctx, "postgres", "--version")
	if err != nil {
		return "", fmt.Errorf("ask for the server's version: %w", err)
	}
	m := postgresVersion.FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("ask for the server's version: unexpected answer %q", out)
	}
	return m[1], nil
}
