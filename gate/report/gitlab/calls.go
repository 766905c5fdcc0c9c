package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	api "gitlab.com/gitlab-org/api/client-go"
)

const (
	// budget is the longest that reporting may take in all, waits included.
	budget = 20 * time.Second
	// callTimeout ends one request that is not answered, early enough for another.
	callTimeout = 8 * time.Second
	// maxCalls is the most requests of a run, each try counted.
	maxCalls = 10
)

var errTooMany = fmt.Errorf("%d requests were not enough", maxCalls)

// calls counts requests, and tries them again as the API asks. It stands in for
// client-go's own retries, which know no limit in all and wait for
// RateLimit-Reset however far away that is.
type calls struct {
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	next     http.RoundTripper
	n        atomic.Int64
	deadline time.Time
}

func (c *calls) count() int { return int(c.n.Load()) }

// RoundTrip is every request's way out.
func (c *calls) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.n.Load() >= maxCalls {
		return nil, errTooMany
	}
	c.n.Add(1)
	next := c.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(req)
}

// refused is an answer that no other try would change, or that tells to come
// back later than this run can wait.
type refused struct {
	resp *http.Response // nil: no answer
	wait time.Duration  // asked for, where that is too long
	err  error
}

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

// do makes a request until it is answered for good, or time is up.
func (c *calls) do(ctx context.Context, request func(ctx context.Context) (*api.Response, error)) error {
	for try := 0; ; try++ {
		left := c.deadline.Sub(c.now())
		if left <= 0 {
			return &refused{err: fmt.Errorf("no time left: reporting may take %s", budget)}
		}
		resp, err := c.once(ctx, min(left, callTimeout), request)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got := &refused{err: err}
		if resp != nil {
			got.resp = resp.Response
		}
		if errors.Is(err, errTooMany) || !transient(got.resp) {
			return got
		}
		wait := c.wait(got.resp, try)
		if wait >= c.deadline.Sub(c.now()) {
			got.wait = wait
			return got
		}
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (c *calls) once(ctx context.Context, timeout time.Duration, request func(ctx context.Context) (*api.Response, error)) (*api.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return request(ctx)
}

// transient reports whether another try may get another answer: none at all,
// too many requests, or trouble of the server's own.
func transient(resp *http.Response) bool {
	if resp == nil {
		return true
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return resp.StatusCode >= 500
}

// wait is as long as the answer asks for: Retry-After in seconds or as a date,
// else, at the rate limit, RateLimit-Reset in seconds since 1970 (GitLab Docs,
// "Rate limits: Response headers"), else a second, and twice as long each time.
func (c *calls) wait(resp *http.Response, try int) time.Duration {
	own := time.Second << min(try, 4)
	if resp == nil {
		return own
	}
	if v := resp.Header.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseInt(v, 10, 32); err == nil && s >= 0 {
			return time.Duration(s) * time.Second
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(at.Sub(c.now()), 0)
		}
	}
	if v := resp.Header.Get("RateLimit-Reset"); v != "" && resp.StatusCode == http.StatusTooManyRequests {
		if s, err := strconv.ParseInt(v, 10, 64); err == nil {
			// Whole seconds: by the end of that second the window is open.
			return max(time.Unix(s, 0).Sub(c.now()), time.Second)
		}
	}
	return own
}
