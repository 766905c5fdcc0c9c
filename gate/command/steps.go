package command

import (
	"context"
	"errors"

	"github.com/migration-gate/migration-gate/gate"
)

func (c *restoreSnapshotCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	return gate.Error, errors.New("restore-snapshot is not here yet")
}

func (c *migrateUpCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	return gate.Error, errors.New("migrate up is not here yet")
}

func (c *assertLockBudgetCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	return gate.Error, errors.New("assert-lock-budget is not here yet")
}

func (c *assertSafeDownCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	return gate.Error, errors.New("assert-safe-down is not here yet")
}

func (c *destroyCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	return gate.Error, errors.New("destroy is not here yet")
}
