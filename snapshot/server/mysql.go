package server

import (
	"context"
	"errors"

	"github.com/migration-gate/migration-gate/snapshot"
)

// mysql is MySQL and MariaDB.
type mysql struct{}

func (mysql) open(context.Context, address) (account, error) {
	return nil, errors.New("a running server of MySQL is not supported yet")
}

func (mysql) client(*snapshot.Target, string, []string) (names, all, env []string) {
	return nil, nil, nil
}
