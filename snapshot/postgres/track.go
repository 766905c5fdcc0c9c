package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Stages of a restore, as reports name them. Others are named where they begin.
const (
	stageRows       = "rows"
	stageIndexes    = "indexes"
	stageKeys       = "foreign keys"
	stageStatistics = "statistics"
	stageRestarts   = "restarts"
)

// track tells of the stages of a restore: one at a time, each as often as it
// comes.
type track struct {
	r    *restore
	mu   sync.Mutex
	name string
	end  func()
}

// stage begins one and ends the one before; "" begins none. Where others are
// named, it begins only after one of them.
func (t *track) stage(name string, after ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.name == name || len(after) > 0 && !slices.Contains(after, t.name) {
		return
	}
	if t.end != nil {
		t.end()
	}
	t.name, t.end = name, nil
	if name != "" && t.r.opt.Stage != nil {
		t.end = t.r.opt.Stage(name)
	}
}

// watch tells rows from indexes by what the server's sessions do, until the
// function it returns is called. Where both are at hand, rows count.
func (t *track) watch(ctx context.Context) (stop func()) {
	if t.r.opt.Stage == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = t.r.s.on(ctx, t.r.s.home, func(c *pgx.Conn) error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(100 * time.Millisecond):
				}
				var rows, indexes bool
				err := c.QueryRow(ctx, `SELECT coalesce(bool_or(query ~ '^(COPY|INSERT) '), false), coalesce(bool_or(query ~ '^(CREATE (UNIQUE )?INDEX|ALTER TABLE) '), false)
					FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND backend_type = 'client backend'`, t.r.name).Scan(&rows, &indexes)
				if err != nil {
					return err // only the times are lost
				}
				switch {
				case rows:
					t.stage(stageRows, stageIndexes)
				case indexes:
					t.stage(stageIndexes, stageRows)
				}
			}
		})
	}()
	return func() {
		cancel()
		<-done
	}
}
