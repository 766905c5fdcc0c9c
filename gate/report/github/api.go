package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
)

// APIOptions say what is posted where.
type APIOptions struct {
	Run ci.Run
	// Token is sent to the host of Run.APIURL and nowhere else.
	Token string
	// CommitStatus sets the status migration-gate/verdict on Run.Head, CheckRun
	// makes the check run migration-gate/report there.
	CommitStatus, CheckRun bool
	// Comment keeps one comment on the pull request, with suggested changes
	// beside it: "never" (or ""), "on-failure" from the first failure on, "auto"
	// from the first change of a migration on.
	Comment string
	// Dir tells runs of one job apart where a repository has several directories
	// of migrations; the same for every run of one of them.
	Dir string
	// HTTP is the client whose transport is used; nil: the default one.
	HTTP *http.Client
	// Now and Sleep are the clock; nil: the real one.
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
	// Source is as in report.Options.
	Source func(file string) ([]byte, bool)
}

// API posts a run's report to GitHub. It is for one run and one goroutine.
//
// A run costs at most callsPerRun requests, retries included. In this order,
// so that what comes last goes without when they are used up (by a busy pull
// request, or a server that fails):
//
//	1      the pending status
//	1      the final status
//	0 or 1 search for the pull request, where the event does not know it
//	1 to 3 pages of the pull request's comments, to find our own
//	1      the comment
//	1      the check run, with its first 50 annotations
//	1 to 2 pages of review comments } where the report
//	1      the suggested changes    } has suggestions
//	rest   50 more annotations each
//
// 60 findings with everything switched on take 8. Annotations beyond what the
// rest allows are in the check run's text all the same.
type API struct {
	opt         APIOptions
	owner, repo string
	key         string // of this job's comment
	client      *gh.Client
	wire        *wire
	// statusErr is why the pending status failed for good.
	statusErr error
	me        *gh.User // whose the token is, asked for once
	asked     bool
}

const (
	commentNever     = "never"
	commentOnFailure = "on-failure"
	commentAuto      = "auto"
)

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`)

// NewAPI prepares the posts; it calls nothing. Its errors are options that can
// never work. A missing token is none: it becomes a notice of Publish.
func NewAPI(opt APIOptions) (*API, error) {
	if opt.Comment == "" {
		opt.Comment = commentNever
	}
	if !slices.Contains([]string{commentNever, commentOnFailure, commentAuto}, opt.Comment) {
		return nil, fmt.Errorf("prepare the GitHub API: comment is %q, and may be never, on-failure or auto", opt.Comment)
	}
	if !repositoryName.MatchString(opt.Run.Repository) {
		return nil, fmt.Errorf("prepare the GitHub API: repository %q is not OWNER/NAME (GITHUB_REPOSITORY)", gate.Printable(opt.Run.Repository))
	}
	address := opt.Run.APIURL
	if address == "" {
		address = "https://api.github.com"
	}
	base, err := url.Parse(strings.TrimRight(address, "/") + "/")
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") || base.User != nil {
		return nil, fmt.Errorf("prepare the GitHub API: its address %q is not http(s)://HOST/… (GITHUB_API_URL)", gate.Printable(cut(address, 200)))
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Sleep == nil {
		opt.Sleep = sleep
	}
	a := &API{opt: opt, key: jobKey(opt)}
	a.owner, a.repo, _ = strings.Cut(opt.Run.Repository, "/")
	a.wire = newWire(base, opt)
	a.client = gh.NewClient(&http.Client{Transport: a.wire, CheckRedirect: a.wire.redirect})
	a.client.BaseURL = base
	a.client.UserAgent = "migration-gate"
	return a, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// jobKey names the job in markers: hex, so that no name breaks out of them.
func jobKey(opt APIOptions) string {
	r := opt.Run
	sum := sha256.Sum256([]byte(strings.Join([]string{r.Workflow, r.Job, r.Matrix, opt.Dir}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Calls counts the requests that were sent so far.
func (a *API) Calls() int { return a.wire.calls }

var objectName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Begin sets the pending status. Whatever keeps it from doing so is told by
// Publish; it takes 5 s at most.
func (a *API) Begin(ctx context.Context) {
	if !a.opt.CommitStatus || a.opt.Token == "" {
		return
	}
	a.wire.allowed = timeToBegin
	if err := a.status(ctx, "pending", "the gate is running"); final(err) {
		a.statusErr = err
	}
}

// Publish posts the report to everything that is switched on. Failing to do so
// yields one notice, and nothing else: the verdict stands. It takes 20 s at
// most, with what Begin took.
func (a *API) Publish(ctx context.Context, r gate.Report) (notices []string) {
	a.wire.allowed = timePerRun
	var failed []failure
	try := func(on bool, what, permission string, post func(context.Context, gate.Report) error) {
		if !on {
			return
		}
		err := errNoToken
		if a.opt.Token != "" {
			err = post(ctx, r)
		}
		if err != nil {
			failed = append(failed, failure{what, permission, err})
		}
	}
	commenting := a.opt.Comment != commentNever
	var rest []func(context.Context) error
	try(a.opt.CommitStatus, "commit status", "statuses", a.verdict)
	try(commenting, "comment", "pull-requests", func(ctx context.Context, r gate.Report) (err error) {
		if commenting, err = a.place(ctx); !commenting {
			return err
		}
		return a.comment(ctx, r)
	})
	try(a.opt.CheckRun, "check run", "checks", func(ctx context.Context, r gate.Report) (err error) {
		rest, err = a.checkRun(ctx, r)
		return err
	})
	try(commenting && a.hasSuggestions(r), "suggested changes", "pull-requests", a.review)
	for _, batch := range rest {
		if a.wire.calls >= callsPerRun {
			break
		}
		if err := batch(ctx); err != nil {
			failed = append(failed, failure{"rest of the annotations", "checks", err})
			break
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return []string{a.notice(failed)}
}
