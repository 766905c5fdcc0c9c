package github

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/report"
)

const (
	// maxComment in bytes; GitHub refuses more than 65,536 characters.
	maxComment = 60_000
	perPage    = 100
	// Pages of comments that are looked through: the first, where the comment of
	// a short discussion stands, then from the last back.
	maxPages = 3
)

// marker is the first line of the job's comment. Only there does it count, so
// that nothing a report quotes is taken for one.
func (a *API) marker() string { return "<!-- migration-gate:" + a.key + " -->" }

// comment keeps the job's comment up to date, or makes it.
func (a *API) comment(ctx context.Context, r gate.Report) error {
	body := a.commentBody(r)
	for try := 1; ; try++ {
		old, err := a.ownComment(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("list the comments: %w", err)
		case old != nil && runOf(old.GetBody()) > a.runID():
			return nil // a later run has spoken
		case old != nil:
			_, _, err = a.client.Issues.EditComment(ctx, a.owner, a.repo, old.GetID(), &gh.IssueComment{Body: &body})
			if statusOf(err) != http.StatusNotFound || try > 1 {
				return err
			}
			continue // deleted meanwhile
		case !a.opens(r.Verdict):
			return nil
		}
		_, _, err = a.client.Issues.CreateComment(once(ctx), a.owner, a.repo, a.opt.Run.PullRequest, &gh.IssueComment{Body: &body})
		if !lost(err) || try == triesPerCall || a.wire.pause(ctx, backoff(nil, try)) != nil {
			return err
		}
	}
}

// opens reports whether a verdict is worth a comment where there is none yet.
func (a *API) opens(v gate.Verdict) bool {
	switch v {
	case gate.Skipped:
		return false
	case gate.Pass:
		return a.opt.Comment == commentAuto
	}
	return true
}

func (a *API) commentBody(r gate.Report) string {
	run := a.opt.Run
	job := []string{report.MarkdownText(cut(oneLine(run.Workflow), 100)), report.MarkdownText(cut(oneLine(run.Job), 100))}
	if run.Matrix != "" {
		job[1] += " (" + report.MarkdownText(cut(oneLine(run.Matrix), 200)) + ")"
	}
	foot := strings.Trim(strings.Join(job, " / "), " /")
	if objectName.MatchString(run.Head) {
		foot += ", commit " + run.Head[:12]
	}
	if run.RunURL != "" {
		foot += ", [run](" + run.RunURL + ")"
	}
	head := a.marker() + "\n" + fmt.Sprintf(runMarker, a.runID()) + "\n"
	tail := ""
	if foot = strings.Trim(foot, ", "); foot != "" {
		tail = "\n<sub>" + foot + "</sub>\n"
	}
	return head + a.markdown(r, maxComment-len(head)-len(tail)) + tail
}

const runMarker = "<!-- migration-gate-run:%d -->"

var (
	runLine = regexp.MustCompile(`^<!-- [^\n]* -->\n<!-- migration-gate-run:(\d{1,18}) -->`)
	runPath = regexp.MustCompile(`/actions/runs/(\d{1,18})(?:/|$)`)
)

// runOf is the number of the run that wrote a comment, 0 unknown.
func runOf(body string) int64 { return firstNumber(runLine, strings.ReplaceAll(body, "\r\n", "\n")) }

// runID is this run's number. Later runs have higher ones.
func (a *API) runID() int64 { return firstNumber(runPath, a.opt.Run.RunURL) }

func firstNumber(re *regexp.Regexp, s string) int64 {
	m := re.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // 18 digits fit
	return n
}

// ownComment finds the job's comment, the latest if a race made several.
func (a *API) ownComment(ctx context.Context) (*gh.IssueComment, error) {
	page, last := 1, 1
	for n := 0; n < maxPages; n++ {
		cs, resp, err := a.client.Issues.ListComments(ctx, a.owner, a.repo, a.opt.Run.PullRequest, &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{Page: page, PerPage: perPage}})
		if err != nil {
			return nil, err
		}
		for i := len(cs) - 1; i >= 0; i-- {
			if first, _, _ := strings.Cut(cs[i].GetBody(), "\n"); strings.TrimRight(first, "\r") != a.marker() {
				continue
			}
			mine, err := a.own(ctx, cs[i].GetUser())
			if err != nil {
				return nil, err
			}
			if mine {
				return cs[i], nil
			}
		}
		if n == 0 {
			last = resp.LastPage
			page = last + 1
		}
		if page--; page < 2 {
			break
		}
	}
	return nil, nil
}

// own reports whether an account is the token's. Anybody can copy a marker, and
// a token that may write may edit anybody's comment: a report put there would
// be theirs to change. GITHUB_TOKEN cannot ask who it is; it is an app, so its
// comments are a bot's. Other tokens ask, once, when there is a reason to.
func (a *API) own(ctx context.Context, u *gh.User) (bool, error) {
	bot := u.GetType() == "Bot"
	switch token := a.opt.Token; {
	case strings.HasPrefix(token, "ghs_"):
		return bot, nil
	case bot:
		for _, person := range []string{"ghp_", "github_pat_", "gho_", "ghu_"} {
			if strings.HasPrefix(token, person) {
				return false, nil
			}
		}
		return true, nil // of an older server, whose tokens do not tell
	}
	if !a.asked {
		me, _, err := a.client.Users.Get(ctx, "")
		if err != nil && !final(err) {
			return false, fmt.Errorf("ask whose the token is: %w", err)
		}
		a.me, a.asked = me, true
	}
	return a.me.GetID() != 0 && a.me.GetID() == u.GetID(), nil
}
