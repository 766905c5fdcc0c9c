package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// vacuum freezes every row and gathers statistics, two tables at a time and
// the largest first. Frozen and analysed, a table's files are not written to
// by reading it.
func (s *Server) vacuum(ctx context.Context, database string) error {
	var todo []string
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
		rows, err := c.Query(ctx, `SELECT CASE WHEN relkind = 'p' THEN 'ANALYZE ' ELSE 'VACUUM (FREEZE, ANALYZE) ' END || oid::regclass
			FROM pg_class WHERE relkind IN ('r', 'm', 'p') AND relpersistence <> 't' AND NOT relisshared
			ORDER BY relkind = 'p', relpages DESC, pg_relation_size(oid) DESC, oid`)
		if err != nil {
			return err
		}
		todo, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	next := func() string {
		mu.Lock()
		defer mu.Unlock()
		if len(todo) == 0 {
			return ""
		}
		sql := todo[0]
		todo = todo[1:]
		return sql
	}
	g, ctx := errgroup.WithContext(ctx)
	for range 2 {
		g.Go(func() error {
			return s.onWith(ctx, database, wait, func(c *pgx.Conn) error {
				for sql := next(); sql != ""; sql = next() {
					if _, err := c.Exec(ctx, sql); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}
