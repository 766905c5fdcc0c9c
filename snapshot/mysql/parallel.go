package mysql

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"

	"github.com/migration-gate/migration-gate/snapshot"
)

// parallel runs f for 0 to n-1 over as many connections as there are jobs.
func (r *restore) parallel(ctx context.Context, n int, f func(ctx context.Context, c *sql.Conn, i int) error) error {
	on := func(ctx context.Context, f func(*sql.Conn) error) error {
		return r.s.on(ctx, snapshot.FirstInstance, "", f)
	}
	return r.parallelOn(ctx, n, on, f)
}

// parallelOn is parallel over connections of another kind.
func (r *restore) parallelOn(ctx context.Context, n int, on func(context.Context, func(*sql.Conn) error) error, f func(ctx context.Context, c *sql.Conn, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, r.opt.Jobs) {
		wg.Go(func() {
			err := on(ctx, func(c *sql.Conn) error {
				for {
					i := int(next.Add(1)) - 1
					if i >= n {
						return nil
					}
					if err := f(ctx, c, i); err != nil {
						return err
					}
				}
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
