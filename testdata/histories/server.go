package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// server is the one PostgreSQL on which the tools keep their databases and the
// gate makes its own.
type server struct{ target *snapshot.Target }

func startServer(ctx context.Context, major string) (*server, error) {
	p := local.New(local.Options{Path: os.Getenv("PATH")})
	spec := snapshot.Spec{Run: "histories", Version: major, Settings: postgres.Settings()}
	offer := p.Offer(ctx, spec)
	if !offer.OK {
		return nil, fmt.Errorf("start a server: %s", offer.Detail)
	}
	target, err := p.Provision(ctx, spec, offer)
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	return &server{target}, nil
}

func (s *server) close() { _ = s.target.Close(context.Background()) }

// url of a database on it.
func (s *server) url(database string) string {
	u := url.URL{Scheme: "postgres", Host: s.target.Host + ":" + strconv.Itoa(s.target.Port), Path: "/" + database,
		User: url.UserPassword(s.target.User, s.target.Password), RawQuery: "sslmode=disable"}
	return u.String()
}

func (s *server) env() []string {
	return append(os.Environ(), "PGHOST="+s.target.Host, "PGPORT="+strconv.Itoa(s.target.Port),
		"PGUSER="+s.target.User, "PGPASSWORD="+s.target.Password, "PGSSLMODE=disable", "PGOPTIONS=-c client_min_messages=warning")
}

// tool runs a client program against it and returns all it said.
func (s *server) tool(ctx context.Context, dir string, stdin string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, s.env(), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// sql runs statements one by one, on a database.
func (s *server) sql(ctx context.Context, database, sql string) (string, error) {
	out, err := s.tool(ctx, "", sql, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database)
	if err != nil {
		return out, fmt.Errorf("psql: %w: %s", err, out)
	}
	return out, nil
}

func (s *server) dump(ctx context.Context, database, file string) error {
	out, err := s.tool(ctx, "", "", "pg_dump", "-Fc", "-Z0", "-f", file, database)
	if err != nil {
		return fmt.Errorf("pg_dump: %w: %s", err, out)
	}
	return nil
}

// schema is what a database's schema dump says, as a set: lines without their
// order, each with the table it is a part of.
func (s *server) schema(ctx context.Context, database string) (map[string]bool, error) {
	out, err := s.tool(ctx, "", "", "pg_dump", "-s", database)
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w: %s", err, out)
	}
	set := map[string]bool{}
	in := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ",")
		switch {
		case line == "" || strings.HasPrefix(line, "--") || strings.HasPrefix(line, `\restrict`) || strings.HasPrefix(line, `\unrestrict`):
			continue
		case strings.HasPrefix(line, "CREATE TABLE "):
			in = line
		}
		set[in+" "+line] = true
		if strings.HasSuffix(line, ");") {
			in = ""
		}
	}
	return set, nil
}
