package github

import (
	"context"
	"time"
)

// Impatient makes a call give up on an answer after d.
func (a *API) Impatient(d time.Duration) { a.wire.perCall = d }

// Find is how a run without a pull request's number looks for it.
func (a *API) Find(ctx context.Context) (int, error) { return a.find(ctx) }
