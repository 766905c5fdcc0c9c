package github

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What one run may ask of GitHub.
const (
	callsPerRun  = 10
	timePerRun   = 20 * time.Second // answers and waiting, not what lies between
	timeToBegin  = 5 * time.Second  // of it, for the pending status
	timePerCall  = 8 * time.Second
	triesPerCall = 4
	maxAnswer    = 32 << 20 // 100 comments at their longest are 26 MB
)

var (
	errTime     = fmt.Errorf("the %s for posting were used up", timePerRun)
	errCalls    = fmt.Errorf("the %d requests for posting were used up", callsPerRun)
	errRedirect = errors.New("the answer points to another server")
	errRefused  = errors.New("the token was refused before")
	errNoToken  = errors.New("there is no token")
	errNoHead   = errors.New("the commit is not known")
)

// limitError is a rate limit that lasts longer than there is time.
type limitError struct{ wait time.Duration }

func (e *limitError) Error() string {
	return fmt.Sprintf("the rate limit lasts for another %s", e.wait.Round(time.Second))
}

// wire is the transport under go-github. It adds the token, sends again what
// the API asks to send again, and holds the run to its time and calls. Limits
// are its business alone, so their headers end here: go-github's own memory of
// them would refuse calls by a clock of its own.
type wire struct {
	next    http.RoundTripper
	base    *url.URL
	token   string
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	perCall time.Duration

	calls   int
	spent   time.Duration
	allowed time.Duration
	// resume is when a rate limit ends that was met.
	resume time.Time
	// stopped is why nothing is sent any more: the token is no good.
	stopped error
}

func newWire(base *url.URL, opt APIOptions) *wire {
	next := http.DefaultTransport
	if opt.HTTP != nil && opt.HTTP.Transport != nil {
		next = opt.HTTP.Transport
	}
	return &wire{next: next, base: base, token: opt.Token, now: opt.Now, sleep: opt.Sleep, perCall: timePerCall, allowed: timePerRun}
}

type onceKey struct{}

// once marks a request that makes something new. Where its answer is lost it is
// not sent again before somebody has looked whether it was carried out.
func once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// lost reports whether a request may have been carried out though it failed.
func lost(err error) bool {
	status := statusOf(err)
	return status >= 500 || status == 0 && maybeSent(err)
}

// maybeSent tells apart errors of getting an answer from those of asking.
func maybeSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var limit *limitError
	return err != nil && !errors.As(err, &dns) && !errors.As(err, &cert) && !errors.As(err, &limit) &&
		!(errors.As(err, &op) && op.Op == "dial") &&
		!errors.Is(err, errTime) && !errors.Is(err, errCalls) && !errors.Is(err, errRedirect) && !errors.Is(err, errRefused)
}

func (w *wire) left() time.Duration { return w.allowed - w.spent }

// pause waits, where there is time for it.
func (w *wire) pause(ctx context.Context, d time.Duration) error {
	if d >= w.left() {
		return errTime
	}
	w.spent += d
	return w.sleep(ctx, d)
}

// RoundTrip sends a request until its answer is worth having.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	for try := 1; ; try++ {
		if err := w.clear(req.Context()); err != nil {
			return nil, err
		}
		resp, err := w.send(req)
		if resp != nil && resp.StatusCode == http.StatusUnauthorized {
			w.stopped = errRefused
		}
		if wait, ok := limited(resp, w.now()); ok {
			w.resume = w.now().Add(wait)
			if try == triesPerCall {
				return nil, &limitError{wait}
			}
			continue
		}
		again := try < triesPerCall && w.calls < callsPerRun && passing(req, resp, err) && w.pause(req.Context(), backoff(resp, try)) == nil
		if again {
			continue
		}
		if resp != nil {
			for _, h := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
				resp.Header.Del(h)
			}
		}
		return resp, err
	}
}

// clear waits for a limit to end and says why nothing may be sent.
func (w *wire) clear(ctx context.Context) error {
	if w.stopped != nil {
		return w.stopped
	}
	if wait := w.resume.Sub(w.now()); wait > 0 {
		if err := w.pause(ctx, wait); errors.Is(err, errTime) {
			return &limitError{wait}
		} else if err != nil {
			return err
		}
	}
	switch {
	case w.calls >= callsPerRun:
		return errCalls
	case w.left() <= 0:
		return errTime
	}
	return nil
}

// send sends a request once and reads its whole answer, so that one that stops
// half-way counts as none.
func (w *wire) send(req *http.Request) (*http.Response, error) {
	if !w.ours(req.URL) {
		return nil, errRedirect
	}
	ctx, cancel := context.WithTimeout(req.Context(), min(w.left(), w.perCall))
	defer cancel()
	r := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	start := w.now()
	defer func() { w.spent += max(0, w.now().Sub(start)) }()
	w.calls++
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d MB", maxAnswer>>20)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// ours reports whether a URL is on the API's own server, which alone may see
// the token.
func (w *wire) ours(u *url.URL) bool { return u.Scheme == w.base.Scheme && u.Host == w.base.Host }

// redirect follows what a renamed repository answers, on the same server and
// with the same method: a PATCH turned into a GET would look like a success.
func (w *wire) redirect(req *http.Request, via []*http.Request) error {
	if !w.ours(req.URL) || req.Method != via[0].Method || len(via) > 2 {
		return errRedirect
	}
	return nil
}

// limited tells a rate limit, primary or secondary, from a permission that is
// missing, and how long it lasts (GitHub Docs, "Rate limits for the REST API").
func limited(resp *http.Response, now time.Time) (time.Duration, bool) {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusForbidden {
		return 0, false
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, false // it was read before
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	after, told := retryAfter(resp, now)
	exhausted := resp.Header.Get("X-RateLimit-Remaining") == "0"
	if resp.StatusCode == http.StatusForbidden && !told && !exhausted && !strings.Contains(strings.ToLower(string(body)), "rate limit") {
		return 0, false
	}
	switch reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); {
	case told:
	case exhausted && err == nil:
		// By the server's clock: a runner's may be off.
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			now = at
		}
		after = time.Unix(reset, 0).Sub(now) + time.Second
	default:
		after = time.Minute // "wait for at least one minute"
	}
	return max(after, time.Second), true
}

func retryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	v := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(min(n, 86400)) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// passing reports whether what went wrong may be gone the next time.
func passing(req *http.Request, resp *http.Response, err error) bool {
	only, _ := req.Context().Value(onceKey{}).(bool)
	var cert *tls.CertificateVerificationError
	var dns *net.DNSError
	switch {
	case req.Context().Err() != nil, errors.Is(err, errRedirect), errors.As(err, &cert), errors.As(err, &dns) && dns.IsNotFound:
		return false
	case err != nil:
		return !only || !maybeSent(err)
	}
	return resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented && !only
}

func backoff(resp *http.Response, try int) time.Duration {
	if resp != nil {
		if after, ok := retryAfter(resp, time.Time{}); ok {
			return after
		}
	}
	return time.Second << (try - 1)
}
