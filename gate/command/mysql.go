package command

import (
	"context"
	"errors"

	"github.com/migration-gate/migration-gate/snapshot"
)

// mysqlEngine serves MySQL and its flavour MariaDB.
type mysqlEngine struct {
	name    string // "mysql", "mariadb"
	sqlMode string // of the migrating session; "" leaves the server's
}

func (mysqlEngine) settings() map[string]string { return nil }

func (mysqlEngine) connect(context.Context, *snapshot.Target) (server, error) {
	return nil, errors.New("not built yet")
}
