package postgres

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// counted opens the snapshot and reports progress by the bytes read of it.
func (r *restore) counted(ctx context.Context) (io.ReadCloser, error) {
	c := &counter{total: r.src.Size, report: r.opt.Progress}
	return r.src.ReaderOver(func(in io.Reader) io.Reader {
		c.r = &ctxReader{ctx, in}
		return c
	})
}

type counter struct {
	r           io.Reader
	done, total int64
	report      func(done, total int64)
	last        time.Time
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	if now := time.Now(); now.Sub(c.last) > 100*time.Millisecond || err == io.EOF {
		c.last = now
		c.report(c.done, c.total)
	}
	return n, err
}

// watch reports the database's size while others restore into it, until the
// function it returns is called.
func (r *restore) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	total := Estimate(r.src)
	var highest atomic.Int64
	go func() {
		defer close(done)
		_ = r.s.on(ctx, r.s.home, func(c *pgx.Conn) error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(500 * time.Millisecond):
				}
				var n int64
				if err := c.QueryRow(ctx, "SELECT pg_database_size($1)", r.name).Scan(&n); err != nil {
					return err // only progress is lost
				}
				n -= 7 << 20 // an empty database
				highest.Store(max(highest.Load(), n))
				r.opt.Progress(min(max(highest.Load(), 0), total), total)
			}
		})
	}()
	return func() {
		cancel()
		<-done
	}
}
