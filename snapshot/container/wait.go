package container

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// waiting is for a server that has been started.
type waiting struct {
	// dial is its address from here; why says by which route.
	dial, why string
	probe     func(ctx context.Context, addr string) error
	// alive is an error once the server ended, with its last words.
	alive func(ctx context.Context) error
	// inside looks at the server from within its container.
	inside func(ctx context.Context) bool
	// said is what the server said last.
	said func(ctx context.Context) string
}

// wait probes the server until it takes sessions, while it watches that it
// lives (one that died looks just like a slow one from outside), and whether it
// is ready when seen from inside: then this route does not lead to it. A
// connection refused would not tell: it may come from elsewhere.
func (w *waiting) wait(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	look := time.Now().Add(3 * time.Second) // from inside, once a second
	var ready time.Time                     // known to be, inside, since then
	for n := 0; ; n++ {
		err := w.probe(ctx, w.dial)
		if err == nil {
			return nil
		}
		if n%10 == 9 || !quick(err) {
			if err := w.alive(ctx); err != nil {
				return err
			}
		}
		if now := time.Now(); now.After(look) {
			look = now.Add(time.Second)
			switch {
			case !w.inside(ctx):
				ready = time.Time{}
			case ready.IsZero():
				ready = now
			}
		}
		if !ready.IsZero() && time.Since(ready) > 3*time.Second {
			return &unreachable{w.dial, w.why, err}
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Cause(ctx)
			}
			return &unreachable{w.dial, w.why, fmt.Errorf("%w: %w; it last said: %s", context.Cause(ctx), err, w.said(ctx))}
		case <-tick.C:
		}
	}
}

// quick is an answer that cost no time, as all of a starting server's are.
func quick(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errStarting) || errors.Is(err, syscall.ECONNREFUSED)
}
