package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// vacuum gathers statistics of a whole database and freezes every row.
func (s *Server) vacuum(ctx context.Context, database string) error {
	_, err := s.vacuumed(ctx, database, 2, "true", nil)
	return err
}

// vacuumed gathers statistics and freezes every row, several tables at a time and
// the largest first. It takes those of pg_class c that a condition
// names, without those done before, and returns these with its own. A frozen table's files are not written to by reading it. The
// VACUUM comes last and reads every page, so that it leaves the exact number of
// rows where ANALYZE estimates.
func (s *Server) vacuumed(ctx context.Context, database string, jobs int, which string, before map[uint32]bool) (done map[uint32]bool, err error) {
	type job struct {
		OID   uint32
		Table string
		Files bool // a partitioned table has none
	}
	var todo []job
	// Rows of commits whose log is not flushed yet (synchronous_commit is off)
	// cannot be marked as visible to all, and neighbouring transactions share
	// one note of how far it must be. So a first commit that waits for its log
	// flushes everyone's before it, and the vacuums' own commits wait too.
	wait := map[string]string{"synchronous_commit": "on"}
	err = s.onWith(ctx, database, wait, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "SELECT pg_logical_emit_message(true, 'migration-gate', 'flush')"); err != nil {
			return err
		}
		// Relations of all owners, the catalogue's included: a dump of many
		// tables leaves it unfrozen and without statistics too. Partitioned
		// tables have statistics of their own over all partitions.
		rows, err := c.Query(ctx, `SELECT c.oid, c.oid::regclass::text, c.relkind <> 'p'
			FROM pg_class c WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND NOT c.relisshared AND `+which+`
			ORDER BY c.relkind = 'p', pg_relation_size(c.oid) DESC, c.oid`)
		if err != nil {
			return err
		}
		todo, err = pgx.CollectRows(rows, pgx.RowToStructByPos[job])
		return err
	})
	if err != nil {
		return nil, err
	}
	done = maps.Clone(before)
	if done == nil {
		done = map[uint32]bool{}
	}
	todo = slices.DeleteFunc(todo, func(j job) bool { return before[j.OID] })
	for _, j := range todo {
		done[j.OID] = true
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
	for range min(jobs, max(len(todo), 1)) {
		g.Go(func() error {
			return s.onWith(ctx, database, wait, func(c *pgx.Conn) error {
				for j, ok := next(); ok; j, ok = next() {
					if err := analyze(ctx, c, j.Table); err != nil {
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
	return done, g.Wait()
}

// analyze gathers a table's statistics. Those of an index's expression or
// condition are found by running it, and a function in it may name things
// without their schema. Such a table stays without them: autovacuum, which has
// an empty search path as our sessions do, leaves it so in production.
func analyze(ctx context.Context, c *pgx.Conn, table string) error {
	_, err := c.Exec(ctx, "ANALYZE "+table)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && slices.Contains([]string{"42883", "42P01", "42704"}, refused.Code) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("gather statistics of %s: %w", table, err)
	}
	return nil
}
