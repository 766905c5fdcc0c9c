package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// vacuum gathers statistics and freezes every row, two tables at a time and the
// largest first. A frozen table's files are not written to by reading it. The
// VACUUM comes last and reads every page, so that it leaves the exact number of
// rows where ANALYZE estimates.
func (s *Server) vacuum(ctx context.Context, database string) error {
	type job struct {
		Table string
		Files bool // a partitioned table has none
	}
	var todo []job
	// Rows of commits whose log is not flushed yet (synchronous_commit is off)
	// cannot be marked as visible to all, and neighbouring transactions share
	// one note of how far it must be. So a first commit that waits for its log
	// flushes everyone's before it, and the vacuums' own commits wait too.
	wait := map[string]string{"synchronous_commit": "on"}
	err := s.onWith(ctx, database, wait, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "SELECT pg_logical_emit_message(true, 'migration-gate', 'flush')"); err != nil {
			return err
		}
		// Relations of all owners, the catalogue's included: a dump of many
		// tables leaves it unfrozen and without statistics too. Partitioned
		// tables have statistics of their own over all partitions.
		rows, err := c.Query(ctx, `SELECT oid::regclass::text, relkind <> 'p'
			FROM pg_class WHERE relkind IN ('r', 'm', 'p') AND relpersistence <> 't' AND NOT relisshared
			ORDER BY relkind = 'p', relpages DESC, pg_relation_size(oid) DESC, oid`)
		if err != nil {
			return err
		}
		todo, err = pgx.CollectRows(rows, pgx.RowToStructByPos[job])
		return err
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	next := func() (j job, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(todo) > 0 {
			j, todo, ok = todo[0], todo[1:], true
		}
		return j, ok
	}
	g, ctx := errgroup.WithContext(ctx)
	for range 2 {
		g.Go(func() error {
			return s.onWith(ctx, database, wait, func(c *pgx.Conn) error {
				for j, ok := next(); ok; j, ok = next() {
					if _, err := c.Exec(ctx, "ANALYZE "+j.Table); err != nil {
						return err
					}
					if !j.Files {
						continue
					}
					if _, err := c.Exec(ctx, "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) "+j.Table); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}
