package command

import (
	"context"
	"errors"

	"github.com/migration-gate/migration-gate/gate"
)

func (c *checkCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	return gate.Error, errors.New("check is not here yet")
}
