package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/migration-gate/migration-gate/snapshot/internal/machine"
)

// worthRestarts is the estimated size of a database below which restarting the
// server twice (0.3 s) costs more than it saves.
const worthRestarts = 512 << 20

// hasty are settings that a restore goes faster with and that nothing may be
// measured under. Of 22 s of processor time (1 GB of rows, 15.18) they save about
// two. Rows that COPY freezes would save another 0.4 s, and take a loader of our
// own.
func hasty() map[string]string {
	return map[string]string{
		// What comes into a table or an index that the same transaction has made
		// needs no log.
		"wal_level": "minimal", "max_wal_senders": "0",
		// All is written once and read once or twice, as quickly from the page
		// cache. A large one costs the time to get its memory page by page.
		"shared_buffers": fmt.Sprintf("%dMB", machine.Share(8, 128, 256)),
	}
}

// hastened calls f while the server runs with settings for a restore, where it is
// large enough and the server ours to restart. The server comes back to those
// that it was started with whatever f returns, or else that is the error.
func (r *restore) hastened(ctx context.Context, f func() error) (err error) {
	restart := r.s.target.Restart
	if restart == nil || Estimate(r.src) < worthRestarts {
		return f()
	}
	defer func() {
		r.track.stage(stageRestarts)
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		if e := restart(clean, nil); e != nil {
			err = errors.Join(err, fmt.Errorf("go back to the settings of a measurement: %w", e))
		}
	}()
	r.track.stage(stageRestarts)
	if err := restart(ctx, hasty()); err != nil {
		return err
	}
	r.track.stage("")
	return f()
}
