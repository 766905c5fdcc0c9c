package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// worthRestarts is the estimated size of a database below which restarting the
// server twice (0.4 s) costs more than it saves.
const worthRestarts = 512 << 20

// hasty are settings that a restore goes faster with and that nothing may be
// measured under.
var hasty = map[string]string{
	// The rows of a table and the index that are made in the same transaction
	// need no log.
	"wal_level": "minimal", "max_wal_senders": "0",
	// What is in there is read from the page cache as quickly, and that is in
	// use already; a large one has its memory filled in page by page.
	"shared_buffers": "256MB",
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
	if err := restart(ctx, maps.Clone(hasty)); err != nil {
		return err
	}
	r.track.stage("")
	return f()
}
