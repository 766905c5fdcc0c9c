package server

import (
	"context"
	"errors"

	"github.com/migration-gate/migration-gate/snapshot"
)

// postgres is PostgreSQL.
type postgres struct{}

func (postgres) open(context.Context, address) (account, error) {
	return nil, errors.New("todo")
}

func (postgres) client(*snapshot.Target, string, []string) (names, all, env []string) {
	return nil, nil, nil
}
